//! The flags of the commands that look into the latent space, or take codes and scores elsewhere.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::common_args::{DeviceArgs, KindArgs, SplitArg};
use crate::evaluate::latent::Path;
use crate::settings::{Named, choice};

/// Images that a picture has room for in one row, and codes that are decoded for it.
const STEPS: std::ops::RangeInclusive<i64> = 2..=1000;

fn steps() -> impl clap::builder::TypedValueParser<Value = u32> {
    clap::value_parser!(u32).range(STEPS)
}

/// An image: one of the data, or a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick {
    /// An image of the data, counted from 0.
    Number(usize),
    /// A picture.
    File(PathBuf),
}

impl FromStr for Pick {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Pick, Infallible> {
        Ok(text.parse().map_or_else(|_| Pick::File(text.into()), Pick::Number))
    }
}

/// Data that a trained model is to read.
#[derive(Clone, Debug, Args)]
pub struct SourceArgs {
    /// Where the run's own data is now, or other data of the same shape, as `train --data` takes it; it may be one row
    #[arg(long, value_name = "SOURCE")]
    pub data: Option<String>,
    /// Format of --data, where its name tells the wrong one
    #[arg(long, requires = "data")]
    pub format: Option<String>,
    /// Column of --data with labels [default: as the run has it]
    #[arg(long, value_name = "NAME", requires = "data")]
    pub label_column: Option<String>,
    /// Part of the data [default: test; all of --data, where it has no parts of its own]
    #[arg(long, value_enum)]
    pub split: Option<SplitArg>,
}

/// Where an interpolation begins and ends, and how it goes.
#[derive(Clone, Debug, Args)]
pub struct PathArgs {
    /// Run directory
    pub run: PathBuf,
    /// The first image: the number of one of the data, from 0, or a picture's file
    #[arg(long, value_name = "NUMBER|FILE")]
    pub from: Pick,
    /// The last image
    #[arg(long, value_name = "NUMBER|FILE")]
    pub to: Pick,
    /// Number of images, both ends included
    #[arg(long, default_value_t = 16, value_parser = steps())]
    pub steps: u32,
    /// How it goes from one code to the other
    #[arg(long, value_parser = choice::<Path>(), default_value = Path::default().name())]
    pub path: Path,
    /// The same as --path spherical
    #[arg(long, conflicts_with = "path")]
    pub spherical: bool,
    /// Of a conditional model: the label of every image [default: that of the nearer end]
    #[arg(long)]
    pub label: Option<String>,
    #[command(flatten)]
    pub source: SourceArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu interpolate runs/mnist-vae-1 --from 0 --to 7
  vae-gpu interpolate runs/mnist-vae-1 --from 0 --to my-seven.png --steps 24 --spherical --out way.png")]
pub struct InterpolateArgs {
    #[command(flatten)]
    pub path: PathArgs,
    /// The picture; - is stdout
    #[arg(long, default_value = "interpolation.png", value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub device: DeviceArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu animate runs/mnist-vae-1 --from 0 --to 7                 # animation.gif: there and back, for ever
  vae-gpu animate runs/mnist-vae-1 --from 0 --to 7 --steps 48 --fps 24 --out way.apng")]
pub struct AnimateArgs {
    #[command(flatten)]
    pub path: PathArgs,
    /// Images a second
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=50))]
    pub fps: u16,
    /// The animation: .gif, or .png and .apng, which show all greys and colours; - is APNG on stdout
    #[arg(long, default_value = "animation.gif", value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub device: DeviceArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu traverse runs/mnist-vae-1                      # a row for each latent dimension, about z = 0
  vae-gpu traverse runs/mnist-vae-1 --image 3 --dims 8 --steps 13

The rows are ordered by the KL of their dimensions on the test data, the largest first; stdout tells which they are.")]
pub struct TraverseArgs {
    /// Run directory
    pub run: PathBuf,
    #[command(flatten)]
    pub source: SourceArgs,
    /// Images of a row, from -3 to 3
    #[arg(long, default_value_t = 11, value_parser = steps())]
    pub steps: u32,
    /// Number of rows [default: every latent dimension]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub dims: Option<u32>,
    /// The image whose code the other dimensions have [default: none, they are 0]
    #[arg(long, value_name = "NUMBER|FILE")]
    pub image: Option<Pick>,
    /// Of a conditional model: the label of every image [default: that of --image]
    #[arg(long)]
    pub label: Option<String>,
    /// The picture; - is stdout
    #[arg(long, default_value = "traversal.png", value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub device: DeviceArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu train --latent 2 --out runs/plane && vae-gpu manifold runs/plane
  vae-gpu manifold runs/plane --steps 30 --out manifold.png

The images stand at equal parts of the prior (Kingma & Welling 2013, figure 4): z_0 grows to the right, z_1 upwards.")]
pub struct ManifoldArgs {
    /// Run directory of a model with two latent dimensions
    pub run: PathBuf,
    /// Images in a row and in a column
    #[arg(long, default_value_t = 20, value_parser = steps())]
    pub steps: u32,
    /// Of a conditional model: the label of every image
    #[arg(long)]
    pub label: Option<String>,
    /// The picture; - is stdout
    #[arg(long, default_value = "manifold.png", value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// The plane of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MapMethod {
    /// The first two principal components
    Pca,
    /// The two dimensions with the largest KL; of an autoencoder, the first two
    Dims,
    /// t-SNE: neighbours stay neighbours
    Tsne,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu latent-map runs/mnist-vae-1
  vae-gpu latent-map runs/mnist-vae-1 --split train --limit 60000 --out train.png
  vae-gpu latent-map runs/mnist-vae-1 --method tsne      # clusters that no plane can show

Each dot is the mean code mu of a datum, in the colour of its label. pca is the plane of the first two principal components; the
axes tell the share of the variance that each of them has. tsne (van der Maaten & Hinton 2008) keeps neighbours together,
whatever the number of dimensions: what is near is alike, but distances between clusters, their sizes and the axes say nothing.
It begins at the principal components and has no chance in it: the same codes are the same picture.")]
pub struct LatentMapArgs {
    /// Run directory
    pub run: PathBuf,
    #[command(flatten)]
    pub source: SourceArgs,
    /// How codes are brought into the plane [default: dims of a model with two latent dimensions, pca of more]
    #[arg(long, value_enum)]
    pub method: Option<MapMethod>,
    /// With --method tsne: about how many neighbours of a datum count, of three times as many that are looked at [default: 30, or a third of few data]
    #[arg(long, value_name = "N")]
    pub perplexity: Option<f64>,
    /// Dots at most; of more data, so many evenly spaced ones
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// The picture; - is stdout
    #[arg(long, default_value = "latent-map.png", value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// What of q(z|x) is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Its mean
    Mu,
    /// The logarithm of its variance
    LogVar,
    /// A draw from it, with the run's seed
    Sample,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu encode runs/mnist-vae-1 --out z.npy                      # the test data
  vae-gpu encode runs/mnist-vae-1 --data new.npy --out z.parquet
  vae-gpu encode runs/mnist-vae-1 --split train --what sample --out z.csv

The rows are in the data's order, a column for each latent dimension; in .csv and .parquet a column file or row is first, with
what the source calls them (rows count from 0 in the whole source). Where training binarises at random, the encoder
reads the grey values instead.")]
pub struct EncodeArgs {
    /// Run directory
    pub run: PathBuf,
    #[command(flatten)]
    pub source: SourceArgs,
    /// What of q(z|x) is written
    #[arg(long, value_enum, default_value_t = What::Mu)]
    pub what: What,
    /// A .npy, .csv or .parquet file; - is CSV on stdout
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub device: DeviceArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu decode runs/mnist-vae-1 --latents z.npy --out x.npy
  vae-gpu decode runs/mnist-vae-1 --latents z.csv --out pictures/  # pictures/0.png, pictures/1.png, ..
  vae-gpu decode runs/conditional --latents z.npy --label 3 --out x.npy

  vae-gpu decode runs/wine-vae-1 --latents z.csv --draw --round --out rows.csv

What is written is the mean E[x|z] or, with --draw, a draw from p(x|z): values of pictures from 0 to 1, values of tables in
their own units.")]
pub struct DecodeArgs {
    /// Run directory
    pub run: PathBuf,
    /// Codes, a row for each: a .npy, .npz, .csv or .parquet file
    #[arg(long, value_name = "FILE")]
    pub latents: String,
    /// Of a conditional model: the label of every code
    #[arg(long)]
    pub label: Option<String>,
    /// Of a conditional model: the column of a .csv or .parquet file that holds the label of each code
    #[arg(long, value_name = "NAME", conflicts_with = "label")]
    pub label_column: Option<String>,
    #[command(flatten)]
    pub kind: KindArgs,
    /// Seed of --draw
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// A .npy, .csv or .parquet file, or a folder for pictures: its name ends with / or it is there; - is CSV on stdout
    #[arg(long, value_name = "FILE|DIR/")]
    pub out: PathBuf,
    #[command(flatten)]
    pub device: DeviceArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu score runs/mnist-vae-1 --data new.npy --out scores.csv
  vae-gpu score runs/mnist-vae-1 --nll-samples 100 --out scores.parquet
  vae-gpu score runs/mnist-vae-1 --out scores.csv --top 100 --picture worst.png

The score is -ELBO in nats or, with --nll-samples, an estimate of -log p(x); of an autoencoder, -log p(x|z). The highest
come first. Columns: file or row (what the source calls it; rows count from 0 in the whole source), score and, where the data
have labels, label. Files that cannot be read come last, without a score, and a column reason says why. A row beyond measure
has the largest score, 3.4e38.

In the picture each image has a map of the nats that its pixels cost, at the mean of q(z|x): from black over red and yellow
to white, where it is strangest. Each map has a scale of its own.")]
pub struct ScoreArgs {
    /// Run directory
    pub run: PathBuf,
    #[command(flatten)]
    pub source: SourceArgs,
    /// Score by -log p(x), by importance sampling with so many samples a datum
    #[arg(long, value_name = "S")]
    pub nll_samples: Option<usize>,
    /// A .csv or .parquet file; - is CSV on stdout
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// A picture of the data with the highest scores: each, below it what the model makes of it, and where it is strange
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
    /// Images in it
    #[arg(long, value_name = "N", default_value_t = 64, requires = "picture",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub top: u32,
    #[command(flatten)]
    pub device: DeviceArgs,
}
