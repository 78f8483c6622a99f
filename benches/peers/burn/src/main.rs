//! Trains the benchmark's VAE with burn and prints its speed as one line of JSON.

mod data;
mod model;

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use burn::tensor::{ExecutionError, TensorReadError};
use clap::{Parser, ValueEnum};
use serde::Serialize;

use data::Batches;
use model::{Activation, Vae};

const LEARNING_RATE: f64 = 1e-3;
/// Equal parts of the timed steps, each from an idle to an idle device; their median is reported, as in `common.py`.
const PARTS: usize = 5;
/// Steps averaged for the first and for the last loss.
const LOSSES: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Backend {
    /// burn's wgpu backend, kernels in WGSL
    Wgpu,
    /// burn's CPU backend
    Flex,
}

#[derive(Debug, Parser)]
#[command(about)]
struct Args {
    #[arg(long, value_enum)]
    backend: Backend,
    /// Widths of the hidden layers; with --conv the channels of convolutions
    #[arg(long, value_delimiter = ',', default_value = "400")]
    hidden: Vec<usize>,
    /// Convolutions, 4 x 4 at every second position, and a linear layer of 256
    #[arg(long)]
    conv: bool,
    #[arg(long, default_value_t = 20)]
    latent: usize,
    #[arg(long, value_enum, default_value = "relu")]
    activation: Activation,
    #[arg(long, default_value_t = 128)]
    batch: usize,
    /// Steps to time
    #[arg(long, default_value_t = 200)]
    steps: usize,
    /// Steps before the clock starts: compilation and tuning
    #[arg(long, default_value_t = 20)]
    warmup: usize,
    /// Threads of the CPU backend [default: all cores]
    #[arg(long, default_value_t = 0)]
    threads: usize,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Training images: an IDX file packed with Brotli
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../data/mnist/train-images-idx3-ubyte.br"))]
    data: PathBuf,
}

#[derive(Serialize)]
struct Report {
    peer: &'static str,
    version: &'static str,
    device: String,
    ms_per_step: f64,
    images_per_second: f64,
    loss_first: f64,
    loss_last: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if args.warmup < LOSSES || args.steps < PARTS {
        return Err(format!("--warmup must be at least {LOSSES}, --steps at least {PARTS}").into());
    }
    rayon::ThreadPoolBuilder::new().num_threads(args.threads).build_global()?;
    let (device, name) = open(args.backend)?;
    let mut training = Training::new(&args, &device)?;

    let loss_first = training.losses()?;
    training.time(args.warmup - LOSSES)?;
    let each = args.steps / PARTS;
    let times = (0..PARTS).map(|_| training.time(each)).collect::<Result<Vec<_>, _>>()?;
    let loss_last = training.losses()?;
    let seconds_per_step = median(times).as_secs_f64() / each as f64;
    let report = Report {
        peer: if args.backend == Backend::Wgpu { "burn wgpu" } else { "burn flex" },
        version: BURN_VERSION,
        device: name,
        ms_per_step: seconds_per_step * 1e3,
        images_per_second: args.batch as f64 / seconds_per_step,
        loss_first,
        loss_last,
    };
    println!("{}", serde_json::to_string(&report)?);
    if loss_last.is_nan() || loss_last >= 0.8 * loss_first {
        return Err(format!("the loss went from {loss_first} to {loss_last}: the model did not learn").into());
    }
    Ok(())
}

/// The version that Cargo.toml pins.
const BURN_VERSION: &str = "0.22.1";

/// The device and its name.
fn open(backend: Backend) -> Result<(Device, String), Box<dyn Error>> {
    Ok(match backend {
        Backend::Wgpu => {
            let (device, setup) = Device::wgpu_options().init_with_setup()?;
            let info = setup.adapter.get_info();
            (device, format!("{} ({})", info.name, info.backend.to_str()))
        }
        Backend::Flex => (Device::flex(), format!("CPU, {} threads", rayon::current_num_threads())),
    })
}

struct Training {
    device: Device,
    /// None only while the optimizer has it.
    model: Option<Vae>,
    optimizer: ModuleOptimizer,
    batches: Batches,
    activation: Activation,
}

impl Training {
    fn new(args: &Args, device: &Device) -> Result<Training, Box<dyn Error>> {
        device.seed(args.seed);
        let batches = Batches::open(&args.data, args.batch, args.seed, device)?;
        let made = if args.conv { Vae::convolutional } else { Vae::new };
        let model = made(batches.dim(), &args.hidden, args.latent, &device.clone().autodiff());
        let optimizer = AdamConfig::new().with_epsilon(1e-8).init();
        Ok(Training {
            device: device.clone(),
            model: Some(model),
            optimizer,
            batches,
            activation: args.activation,
        })
    }

    /// One step of training; its loss before the update stays on the device.
    fn step(&mut self) -> Tensor<1> {
        let model = self.model.take().expect("every step puts the model back");
        let loss = model.loss(self.batches.draw().autodiff(), self.activation);
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        self.model = Some(self.optimizer.step(LEARNING_RATE, model, gradients));
        loss.inner()
    }

    /// The time of `steps` steps, until the device has finished them.
    fn time(&mut self, steps: usize) -> Result<Duration, ExecutionError> {
        let begin = Instant::now();
        for _ in 0..steps {
            self.step();
        }
        self.device.sync()?;
        Ok(begin.elapsed())
    }

    /// The mean loss of a few steps, which are not timed.
    fn losses(&mut self) -> Result<f64, TensorReadError> {
        let mut total = 0.0;
        for _ in 0..LOSSES {
            total += self.step().try_into_scalar::<f64>()?;
        }
        Ok(total / LOSSES as f64)
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    (times[(times.len() - 1) / 2] + times[times.len() / 2]) / 2
}
