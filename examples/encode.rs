//! Saves a model, loads it again, and finds each datum's nearest neighbour in latent space.
//!
//! `cargo run --release --example encode`

use std::ops::ControlFlow;

use vae_gpu::data::{Shape, Split};
use vae_gpu::gpu::DeviceOptions;
use vae_gpu::{Config, Dataset, Gpu, Result, Trainer, Vae};

const LENGTH: usize = 32;

/// A wave of 32 bytes; datum `i` has one of 16 phases.
fn wave(i: usize) -> impl Iterator<Item = u8> {
    let phase = (i % 16) as f32 / 16.0;
    (0..LENGTH).map(move |t| {
        let angle = std::f32::consts::TAU * (t as f32 / LENGTH as f32 + phase);
        (127.5 + 127.5 * angle.sin()) as u8
    })
}

fn main() -> Result<()> {
    let split = |count| Split::new((0..count).flat_map(wave).collect(), LENGTH, None);
    let shape = Shape { width: LENGTH, height: 1, channels: 1 };
    let dataset = Dataset::new("waves", shape, split(1024), split(64));

    let mut config = Config::default();
    config.model.likelihood = "gaussian-learned".into();
    config.model.hidden = vec![64];
    config.model.latent = 2;
    config.train.batch_size = 32;
    config.train.epochs = 20;
    config.train.lr = 3e-3;
    let gpu = Gpu::open(&DeviceOptions::default())?;
    let mut trainer = Trainer::new(&gpu, &dataset, config)?;
    trainer.run(|_| ControlFlow::Continue(()))?;
    let file = std::env::temp_dir().join(format!("vae-gpu-waves-{}.safetensors", std::process::id()));
    trainer.save_model(&file)?;

    // Another program would start here.
    let mut vae = Vae::load_on(&gpu, &file)?;
    let _ = std::fs::remove_file(&file);
    let x: Vec<f32> = (0..16).flat_map(wave).map(|byte| f32::from(byte) / 255.0).collect();
    let codes = vae.encode(&x)?; // mu, log_var [16, 2]
    let points: Vec<&[f32]> = codes.mu.chunks_exact(2).collect();
    for (i, point) in points.iter().enumerate() {
        let distance = |j: &usize| (points[*j][0] - point[0]).hypot(points[*j][1] - point[1]);
        let others = (0..points.len()).filter(|j| *j != i);
        let nearest = others.min_by(|a, b| distance(a).total_cmp(&distance(b))).expect("there are 16");
        println!("phase {i:>2}: z = ({:>5.2}, {:>5.2}), nearest is phase {nearest}", point[0], point[1]);
    }
    Ok(())
}
