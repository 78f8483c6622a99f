//! The flags, in one place: help and checks follow from it.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::compare::CompareArgs;
use super::export::ExportArgs;
use super::latent_args::{
    AnimateArgs, DecodeArgs, EncodeArgs, InterpolateArgs, LatentMapArgs, ManifoldArgs, ScoreArgs,
    TraverseArgs,
};
use super::runs::RunsArgs;
use super::shell::{CompletionsArgs, ManArgs};
use super::source::{DataArgs, data_help};
use super::train_args::TrainArgs;
use crate::error::Result;
use crate::gpu::{Gpu, Options, Selection};
use crate::kernels::activation::Activation;
use crate::kernels::gather::Binarize;
use crate::kernels::likelihood::{self, Data, Variance};
use crate::model::Kind;
use crate::train::Config;
use crate::train::config::Condition;
use crate::train::presets;

/// Trains and uses variational autoencoders on any GPU
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one, for the whole run")]
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

#[derive(Clone, Debug, Default, Args)]
pub struct DeviceArgs {
    /// Adapter: auto, a number of `vae-gpu devices`, or a part of its name, backend or driver [default: auto]
    #[arg(long, value_name = "auto|INDEX|NAME", env = "VAE_GPU_DEVICE")]
    pub device: Option<String>,
    /// Keep bounds checks in the shaders: slower, for hunting a bug
    #[arg(long)]
    pub checked_shaders: bool,
}

impl DeviceArgs {
    /// Opens the adapter.
    pub fn open(&self) -> Result<std::sync::Arc<Gpu>> {
        let Ok(selection) = self.device.as_deref().unwrap_or("auto").parse::<Selection>();
        Gpu::open(&Options { selection, checked_shaders: self.checked_shaders, ..Options::default() })
    }
}

/// What makes a model and its training. A flag that is not given leaves the value of --config, or the default.
#[derive(Clone, Debug, Default, Args)]
pub struct ModelArgs {
    // The help follows from the table of formats.
    #[arg(long, value_name = "SOURCE", help = data_help())]
    pub data: Option<String>,
    /// What is trained [default: vae]
    #[arg(long = "model", value_enum, value_name = "MODEL")]
    pub kind: Option<Kind>,
    #[command(flatten)]
    pub source: DataArgs,
    /// Widths of the encoder's hidden layers, such as 512,256; the decoder mirrors them [default: 400]
    #[arg(long, value_name = "WIDTHS", value_delimiter = ',')]
    pub hidden: Option<Vec<usize>>,
    /// Dimensions of the latent space [default: 20]
    #[arg(long, value_name = "Z")]
    pub latent: Option<usize>,
    /// Nonlinearity of the hidden layers [default: relu]
    #[arg(long, value_enum)]
    pub activation: Option<Activation>,
    /// The decoder's distribution p(x|z) [default: bernoulli]
    #[arg(long, value_parser = PossibleValuesParser::new(likelihoods()))]
    pub likelihood: Option<String>,
    /// Grey levels of the categorical likelihood, 2 to 256 [default: 16]
    #[arg(long, value_name = "C")]
    pub levels: Option<usize>,
    /// Where the variance of the gaussian-learned likelihood comes from [default: global]
    #[arg(long, value_enum)]
    pub variance: Option<Variance>,
    /// What encoder and decoder are told beside the image [default: none]
    #[arg(long, value_enum)]
    pub condition: Option<Condition>,
    /// Images in a batch [default: 128]
    #[arg(long, value_name = "N")]
    pub batch_size: Option<usize>,
    // The help follows from the table of likelihoods.
    #[arg(long, value_enum, help = binarize_help())]
    pub binarize: Option<Binarize>,
    /// A TOML file whose values are used where no flag is given: the config.toml of a run, and a part [run] for flags
    /// such as device and out
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    pub config: Option<PathBuf>,
    /// A published recipe whose values are used where no flag is given; `vae-gpu presets` tells of each
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(presets::TABLE.iter().map(|p| p.name)))]
    pub preset: Option<String>,
    /// Multiply the epochs of --preset by this [default: 1]
    #[arg(long, value_name = "FACTOR", requires = "preset")]
    pub scale: Option<f64>,
}

/// The likelihoods with a line of help each.
fn likelihoods() -> impl Iterator<Item = PossibleValue> {
    likelihood::TABLE.iter().map(|l| PossibleValue::new(l.name).help(l.about))
}

fn binarize_help() -> String {
    let binary = likelihood::names_of(Data::Binary).join(", ");
    format!("How grey values become x [default: dynamic for {binary}, none for the other likelihoods]")
}

impl ModelArgs {
    /// Whether any flag is given.
    pub fn any(&self) -> bool {
        let ModelArgs {
            data,
            kind,
            source,
            hidden,
            latent,
            activation,
            likelihood,
            levels,
            variance,
            condition,
            batch_size,
            binarize,
            config,
            preset,
            scale,
        } = self;
        data.is_some()
            || kind.is_some()
            || condition.is_some()
            || *source != DataArgs::default()
            || hidden.is_some()
            || latent.is_some()
            || activation.is_some()
            || likelihood.is_some()
            || levels.is_some()
            || variance.is_some()
            || batch_size.is_some()
            || binarize.is_some()
            || config.is_some()
            || preset.is_some()
            || scale.is_some()
    }

    /// The file's values, or the defaults, with the flags on top.
    pub fn resolve(&self) -> Result<Config> {
        let mut config = match (&self.config, self.preset.as_deref().and_then(presets::find)) {
            (Some(file), _) => Config::read(file)?,
            (None, Some(preset)) => preset.scaled(self.scale.unwrap_or(1.0))?,
            (None, None) => Config::default(),
        };
        set(&mut config.data, &self.data);
        set(&mut config.model.kind, &self.kind);
        set(&mut config.model.condition, &self.condition);
        self.source.apply(&mut config.source);
        set(&mut config.model.hidden, &self.hidden);
        set(&mut config.model.latent, &self.latent);
        set(&mut config.model.activation, &self.activation);
        set(&mut config.model.likelihood, &self.likelihood);
        set(&mut config.model.levels, &self.levels);
        set(&mut config.model.variance, &self.variance);
        set(&mut config.train.batch_size, &self.batch_size);
        config.train.binarize = self.binarize.or(config.train.binarize);
        config.resolve();
        Ok(config)
    }
}

/// Overwrites `value` where a flag was given.
pub fn set<T: Clone>(value: &mut T, flag: &Option<T>) {
    if let Some(flag) = flag {
        value.clone_from(flag);
    }
}

/// A part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SplitArg {
    /// What training sees
    Train,
    /// What training held out (--valid)
    Valid,
    /// What the model is judged by
    Test,
    /// All of data that has no parts
    #[value(skip)]
    All,
}

/// What images are asked of a conditional model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// A row of images for each label.
    All,
    /// Images of one label.
    One(usize),
}

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Label, String> {
        match text {
            "all" => Ok(Label::All),
            _ => text.parse().map(Label::One).map_err(|_| "use a label such as 3, or `all`".into()),
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu sample runs/mnist-vae-1                        # 64 images in samples.png
  vae-gpu sample runs/mnist-vae-1 --count 100 --seed 7 --out digits.png
  vae-gpu sample runs/mnist-vae-1 --temperature 0.7 --out - | display")]
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
    /// Of a conditional model: a label, or `all` for a row of images a label [default: all]
    #[arg(long, value_name = "LABEL|all")]
    pub label: Option<Label>,
    /// The picture, or - for stdout; or the numbers, in the data's own units, as .csv, .npy or .parquet
    #[arg(long, default_value = "samples.png", value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub device: DeviceArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu reconstruct runs/mnist-vae-1                   # 32 test images in reconstructions.png
  vae-gpu reconstruct runs/mnist-vae-1 --count 8 --out few.png")]
pub struct ReconstructArgs {
    /// Run directory
    pub run: PathBuf,
    /// Number of test images
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

The JSON has: split, count, model; elbo, recon, kl, each with mean and standard_error, in nats per image; bits_per_dim
(-ELBO / (D log 2)); mean_squared_error, at z = mu; active_units (latent dimensions where the variance of mu is above
0.01); kl_per_dimension; nll with samples, mean, standard_error and bits_per_dim; labels, a list with label, count and
the means of elbo, recon, kl and nll. What a model or its data have not is left out.")]
pub struct EvaluateArgs {
    /// Run directory
    pub run: PathBuf,
    /// Part of the data; valid is what training held out
    #[arg(long, value_enum, default_value_t = SplitArg::Test)]
    pub split: SplitArg,
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
  vae-gpu data big.npy                                   # read in place, however large")]
pub struct DataSourceArgs {
    /// mnist, or the path of a file or folder
    #[arg(value_name = "SOURCE")]
    pub data: String,
    #[command(flatten)]
    pub source: DataArgs,
    /// Write the mean of the training part as a PNG
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
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
    pub model: ModelArgs,
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
  vae-gpu check --device 1 --json")]
pub struct CheckArgs {
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
    pub model: ModelArgs,
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
    pub model: ModelArgs,
    /// Kind of adapter to plan for
    #[arg(long, value_enum, default_value_t = TargetArg::Card)]
    pub target: TargetArg,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn clap_finds_no_fault() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_tells_the_true_defaults() {
        let mut config = Config::default();
        config.resolve();
        let hidden = config.model.hidden.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        let name = |value: &dyn erased::Name| value.name();
        let binarize_default = format!(
            "{} for {}, none for the other likelihoods",
            name(&config.train.binarize.unwrap()),
            config.model.likelihood
        );
        let mut command = Cli::command();
        let help = command.find_subcommand_mut("train").unwrap().render_long_help().to_string();
        // Where lines are broken depends on the terminal.
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for (flag, default) in [
            ("--data", config.data.clone()),
            ("--hidden", hidden),
            ("--latent", config.model.latent.to_string()),
            ("--activation", name(&config.model.activation)),
            ("--likelihood", config.model.likelihood.clone()),
            ("--levels", config.model.levels.to_string()),
            ("--variance", name(&config.model.variance)),
            ("--batch-size", config.train.batch_size.to_string()),
            ("--binarize", binarize_default),
            ("--epochs", config.train.epochs.to_string()),
            ("--seed", config.train.seed.to_string()),
        ] {
            let at = help.find(&format!("{flag} ")).unwrap_or_else(|| panic!("{flag} in the help"));
            let told = help[at..].split("[default: ").nth(1).and_then(|t| t.split(']').next()).unwrap();
            assert_eq!(told, default, "{flag}");
        }
        let told: f32 =
            help.split("Adam [default: ").nth(1).unwrap().split(']').next().unwrap().parse().unwrap();
        assert_eq!(told, config.train.lr);
    }

    mod erased {
        use clap::ValueEnum;

        pub trait Name {
            fn name(&self) -> String;
        }

        impl<T: ValueEnum> Name for T {
            fn name(&self) -> String {
                self.to_possible_value().unwrap().get_name().to_owned()
            }
        }
    }

    #[test]
    fn flags_win_over_the_file() {
        let args = ModelArgs { latent: Some(3), ..ModelArgs::default() };
        let config = args.resolve().unwrap();
        assert_eq!((config.model.latent, config.model.hidden), (3, vec![400]));
    }
}
