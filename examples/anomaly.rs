//! Learns normal data, and finds anomalies by their ELBO.
//!
//! `cargo run --release --example anomaly`

use std::ops::ControlFlow;

use vae_gpu::data::{Shape, Split};
use vae_gpu::gpu::DeviceOptions;
use vae_gpu::{Config, Dataset, Gpu, Result, Trainer, Vae};

const SENSORS: usize = 16;

/// Readings of 16 sensors that rise and fall together; a broken sensor is far off.
fn readings(i: usize, broken: Option<usize>) -> impl Iterator<Item = u8> {
    let level = 60 + 5 * (7 * i % 28) as u8;
    (0..SENSORS).map(move |s| {
        let noise = ((i * 31 + s * 17) % 11) as u8;
        if broken == Some(s) { level ^ 128 } else { level + noise }
    })
}

fn main() -> Result<()> {
    let split = |range: std::ops::Range<usize>| {
        Split::new(range.flat_map(|i| readings(i, None)).collect(), SENSORS, None)
    };
    let shape = Shape { width: SENSORS, height: 1, channels: 1 };
    let dataset = Dataset::new("sensors", shape, split(0..2048), split(2048..2304));

    let mut config = Config::default();
    config.model.likelihood = "gaussian-learned".into();
    config.model.hidden = vec![32];
    config.model.latent = 2;
    config.train.batch_size = 64;
    config.train.epochs = 30;
    config.train.lr = 1e-2;
    config.train.output_bias = true;
    let gpu = Gpu::open(&DeviceOptions::default())?;
    let mut trainer = Trainer::new(&gpu, &dataset, config)?;
    trainer.run(|_| ControlFlow::Continue(()))?;

    // One in ten has a broken sensor.
    let broken = |i: usize| (i % 10 == 9).then_some(i / 10 % SENSORS);
    let x: Vec<f32> =
        (0..100).flat_map(|i| readings(5000 + i, broken(i))).map(|byte| f32::from(byte) / 255.0).collect();
    let terms = Vae::of(&trainer)?.elbo(&x)?;
    let mut worst: Vec<(usize, f64)> = terms.iter().map(|t| -t.elbo()).enumerate().collect();
    worst.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (i, nats) in &worst[..12] {
        let truth = broken(*i).map_or("sound".into(), |sensor| format!("sensor {sensor} is broken"));
        println!("datum {i:>2}: {nats:>8.1} nats, {truth}");
    }
    let found = worst[..10].iter().filter(|(i, _)| broken(*i).is_some()).count();
    println!("{found} of the 10 broken ones are among the first 10");
    Ok(())
}
