//! Trains on synthetic images, reports each epoch, and draws new images.
//!
//! `cargo run --release --example train_and_sample`

use std::ops::ControlFlow;

use vae_gpu::data::{Shape, Split};
use vae_gpu::gpu::DeviceOptions;
use vae_gpu::{Config, Dataset, Gpu, Result, Trainer, Vae};

const SIDE: usize = 8;

/// Image `i`: a bright bar, vertical or horizontal, at a position of its own.
fn bar(i: usize) -> impl Iterator<Item = u8> {
    let place = i / 2 % SIDE;
    (0..SIDE * SIDE).map(move |at| {
        let along = if i.is_multiple_of(2) { at % SIDE } else { at / SIDE };
        if along == place { 255 } else { 0 }
    })
}

fn main() -> Result<()> {
    let split = |count| Split::new((0..count).flat_map(bar).collect(), SIDE * SIDE, None);
    let shape = Shape { width: SIDE, height: SIDE, channels: 1 };
    let dataset = Dataset::new("bars", shape, split(1024), split(128));

    let mut config = Config::default();
    config.model.hidden = vec![64];
    config.model.latent = 4;
    config.train.batch_size = 32;
    config.train.epochs = 25;
    config.train.lr = 3e-3;

    let gpu = Gpu::open(&DeviceOptions::default())?;
    println!("training on {}", gpu.report().title());
    let mut trainer = Trainer::new(&gpu, &dataset, config)?;
    trainer.run(|epoch| {
        let (result, test) = (epoch.result, epoch.scores.test);
        println!("epoch {:>2}  test ELBO {:>7.2} nats per image", result.epoch, test.elbo.mean);
        ControlFlow::Continue(())
    })?;

    let images = Vae::of(&trainer)?.sample(3, 0)?;
    for image in images.chunks_exact(SIDE * SIDE) {
        println!();
        for row in image.chunks_exact(SIDE) {
            let shades: String = row.iter().map(|x| [' ', '.', 'o', '#'][(x * 3.99) as usize]).collect();
            println!("  {shades}");
        }
    }
    Ok(())
}
