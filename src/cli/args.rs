//! The flags, in one place: help and checks follow from it.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::common_args::{DeviceArgs, KindArgs};
use super::compare::CompareArgs;
use super::explore::ExploreArgs;
use super::export::ExportArgs;
use super::latent_args::{
    AnimateArgs, DecodeArgs, EncodeArgs, InterpolateArgs, LatentMapArgs, ManifoldArgs, ScoreArgs, SourceArgs,
    TraverseArgs,
};
use super::model_args::PlanArgs;
use super::runs::RunsArgs;
use super::shell::{CompletionsArgs, ManArgs};
use super::source::DataArgs;
use super::train_args::TrainArgs;

/// Trains and uses variational autoencoders on any GPU
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 110)]
#[command(after_help = "Begin with:
  vae-gpu devices                    # the adapters, and which one does the work
  vae-gpu train --epochs 1           # a model of MNIST, and what to do with it
  vae-gpu data FILE                  # what training would do with data of your own")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a model; everything it makes goes into one run directory
    Train(TrainArgs),
    /// Draw images from a trained model
    Sample(SampleArgs),
    /// Show test images above what the model makes of them
    Reconstruct(ReconstructArgs),
    /// Draw the way from one image to another through the latent space
    Interpolate(InterpolateArgs),
    /// The same there and back, as a moving picture
    Animate(AnimateArgs),
    /// Draw what each latent dimension does, the one with the largest KL first
    Traverse(TraverseArgs),
    /// Draw the whole of a two-dimensional latent space
    Manifold(ManifoldArgs),
    /// Draw where data are in the latent space, coloured by their labels
    LatentMap(LatentMapArgs),
    Explore(Box<ExploreArgs>),
    /// Write the codes of data
    Encode(EncodeArgs),
    /// Write what the decoder makes of codes
    Decode(DecodeArgs),
    /// Write how unlikely each datum is to the model, the strangest first
    Score(ScoreArgs),
    /// Measure ELBO, likelihood, latent dimensions and reconstruction error, in nats per image
    Evaluate(EvaluateArgs),
    /// Say what a source of data is: rows, shape, values, labels, and what training would do with it
    Data(DataSourceArgs),
    Export(ExportArgs),
    /// List runs: model, data, best ELBO, epochs, when
    Runs(RunsArgs),
    /// Compare runs: what differs, in a table, and their ELBO by epoch, in a picture
    Compare(CompareArgs),
    /// List the adapters, and which one `auto` takes
    Devices(JsonArgs),
    /// Compare every kernel with its CPU reference on this adapter (attach the output to a bug report)
    Check(CheckArgs),
    /// Measure the adapter's limits, every kernel's share of them, and training steps
    Bench(BenchArgs),
    /// Measure which variant of matmul is fastest for a model's shapes on this adapter, and keep the result
    Tune(TuneArgs),
    /// List the published recipes that --preset knows, with their sources and figures
    Presets(PresetsArgs),
    /// Print the plan of a training step: every dispatch, its work and memory; needs no GPU
    Explain(ExplainArgs),
    /// Print a script with which a shell completes commands and flags
    Completions(CompletionsArgs),
    /// Print the manual page, or write all of them
    Man(ManArgs),
}

/// What images are asked of a conditional model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// A row of images for each label.
    All,
    /// Images of one label.
    One(String),
}

impl FromStr for Label {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Label, Self::Err> {
        Ok(if text == "all" { Label::All } else { Label::One(text.to_owned()) })
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu sample runs/mnist-vae-1                        # 64 images in samples.png
  vae-gpu sample runs/mnist-vae-1 --count 100 --seed 7 --out digits.png
  vae-gpu sample runs/mnist-vae-1 --temperature 0.7 --out - | display
  vae-gpu sample runs/wine-vae-1 --count 1000 --round    # rows of a table in samples.csv

A sample of a picture is the mean E[x|z]; a row of a table is drawn from p(x|z), so that its columns vary as the data's do.
--draw and --mean choose otherwise.")]
pub struct SampleArgs {
    /// Run directory
    pub run: PathBuf,
    /// Number of images [default: 64, or 8 for each label]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub count: Option<u32>,
    /// Seed of the draws
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Standard deviation of z: below 1, samples are more typical and less varied
    #[arg(long, default_value_t = 1.0)]
    pub temperature: f32,
    #[command(flatten)]
    pub kind: KindArgs,
    /// Of a conditional model: a label, or `all` for a row of images a label [default: all]
    #[arg(long, value_name = "LABEL|all")]
    pub label: Option<Label>,
    /// The picture, or the numbers, in the data's own units, as .csv, .npy or .parquet; - is stdout [default:
    /// samples.png, and samples.csv of tables]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub device: DeviceArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu reconstruct runs/mnist-vae-1                   # 32 test images in reconstructions.png
  vae-gpu reconstruct runs/mnist-vae-1 --count 8 --out few.png
  vae-gpu reconstruct runs/mnist-vae-1 --data new.npy    # or a folder of pictures")]
pub struct ReconstructArgs {
    /// Run directory
    pub run: PathBuf,
    #[command(flatten)]
    pub source: SourceArgs,
    /// Number of images
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub count: u32,
    /// The picture; - is stdout
    #[arg(long, default_value = "reconstructions.png", value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub device: DeviceArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu evaluate runs/mnist-vae-1
  vae-gpu evaluate runs/mnist-vae-1 --nll-samples 500 --limit 1000
  vae-gpu evaluate runs/mnist-vae-1 --split train --json > train.json
  vae-gpu evaluate runs/mnist-vae-1 --data new.npy       # other data, or the run's own in another place

The JSON has: split, count, model; elbo, recon, kl, each with mean and standard_error, in nats per image; bits_per_dim
(-ELBO / (D log 2)); mean_squared_error, at z = mu; active_units (latent dimensions where the variance of mu is above
0.01); kl_per_dimension; nll with samples, mean, standard_error and bits_per_dim; labels, a list with label (its name), count
and the means of elbo, recon, kl and nll. What a model or its data have not is left out.")]
pub struct EvaluateArgs {
    /// Run directory
    pub run: PathBuf,
    #[command(flatten)]
    pub source: SourceArgs,
    /// Also estimate -log p(x) by importance sampling with so many samples an image, such as 500 or 5000
    #[arg(long, value_name = "S")]
    pub nll_samples: Option<usize>,
    /// Evaluate only the first images
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Print JSON; what it holds is said below
    #[arg(long)]
    pub json: bool,
    /// The picture of the KL of each latent dimension [default: kl.png in the run directory]
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
    #[command(flatten)]
    pub device: DeviceArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu data mnist --picture mean.png
  vae-gpu data photos --image-size 64x64                 # a folder of pictures, sub-folders are labels
  vae-gpu data wine.csv --label-column quality --json
  vae-gpu data shapes --factors factors.csv              # shape, colour, size, x, y and angle of each
  vae-gpu data big.npy                                   # read in place, however large")]
pub struct DataSourceArgs {
    /// mnist, shapes, or the path of a file or folder
    #[arg(value_name = "SOURCE")]
    pub data: String,
    #[command(flatten)]
    pub source: DataArgs,
    /// Write the mean of the training part as a PNG
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
    /// Write what each of the shapes is, as a table: .csv or .parquet
    #[arg(long, value_name = "FILE")]
    pub factors: Option<PathBuf>,
    /// Print JSON, with every column and label
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu tune                                           # for 784-400-20 at batch 128
  vae-gpu tune --hidden 512,256 --batch-size 1024")]
pub struct TuneArgs {
    #[command(flatten)]
    pub model: PlanArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu devices                                        # every adapter, and which one `auto` takes
  vae-gpu devices --json
  VAE_GPU_BACKENDS=vulkan vae-gpu devices                # also metal, dx12, gl, or none")]
pub struct JsonArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu check > check.txt                              # for a bug report
  vae-gpu check --device 1 --json
  vae-gpu check adam likelihood/gaussian                 # these alone")]
pub struct CheckArgs {
    /// Only kernels whose name has one of these in it
    #[arg(value_name = "KERNEL")]
    pub kernels: Vec<String>,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Print JSON: every case with its error
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu bench > bench.txt                              # a minute or two
  vae-gpu bench --quick --json                           # every variant of matmul, in a few seconds
  vae-gpu bench --step --hidden 512,256 --batch-size 1024

Units: GFLOP/s are 10^9 floating-point operations a second (a multiply-add counts two), GB/s 10^9 bytes read or
written; loss_first and loss_last are -ELBO in nats per image.")]
pub struct BenchArgs {
    /// Train one model for some steps and print its speed; flags describe the model as for `train`
    #[arg(long)]
    pub step: bool,
    /// Steps to time
    #[arg(long, value_name = "N", default_value_t = 200, requires = "step",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub steps: u32,
    /// Steps before them
    #[arg(long, value_name = "N", default_value_t = 20, requires = "step",
        value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub warmup: u32,
    #[command(flatten)]
    pub model: PlanArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Fewer shapes, shorter measurements
    #[arg(long, conflicts_with = "step")]
    pub quick: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The kind of adapter that `explain` plans for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TargetArg {
    /// A real card
    Card,
    /// Mesa's software Vulkan adapter: subgroups of 8
    Software,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu presets
  vae-gpu train --preset burda2015-vae --scale 0.01      # a hundredth of its epochs")]
pub struct PresetsArgs {
    /// Print JSON: a list with name, about, source, published, differs, and config as TOML
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu explain                                        # the plan of the defaults on a card
  vae-gpu explain --hidden 512,256 --target software")]
pub struct ExplainArgs {
    #[command(flatten)]
    pub model: PlanArgs,
    /// Kind of adapter to plan for
    #[arg(long, value_enum, default_value_t = TargetArg::Card)]
    pub target: TargetArg,
}

#[cfg(test)]
mod tests;
