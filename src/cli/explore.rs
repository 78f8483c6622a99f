//! `vae-gpu explore`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use super::common_args::{DeviceArgs, SplitArg};
use super::flags::{Flags, Keys};
use super::latent_args::SourceArgs;
use super::model_args::ModelArgs;
use super::output::{self, talk};
use super::saved::{Chosen, Saved};
use super::source;
use crate::data::Split;
use crate::error::{Error, Result};
use crate::evaluate::{CodeStatistics, Encoder, latent};
use crate::explore::{Content, Figure, Library, Page, Plans, Points, Thumbs, Training, pack};
use crate::model::Network;
use crate::run::{RunDir, picture, report, write_atomic};
use crate::train::{Config, Precision, TrainSection};

/// Data of the map, where nothing is said.
const POINTS: usize = 2000;
/// Rows to train on, where nothing is said.
const ROWS: usize = 10_000;
/// A page that trains.
const FILE: &str = "explore.html";

/// The settings of training that a page honours.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrainKeys;

impl Keys for TrainKeys {
    const KEYS: Option<&'static [&'static str]> = Some(&[
        "epochs",
        "batch_size",
        "lr",
        "lr_schedule",
        "lr_warmup",
        "samples",
        "beta",
        "kl_warmup",
        "free_bits",
        "weight_decay",
        "clip_norm",
        "adam_epsilon",
        "init",
        "output_bias",
        "seed",
        "binarize",
        "flip",
    ]);
}

/// Write one page for the browser in which a model is explored, or trained
///
/// The page is one HTML file that needs no network, no server and no installation. It holds the model and runs the same kernels on
/// the card of whoever opens it, through WebGPU: Chrome and Edge since version 113, Safari since 26, Firefox since 141. Other
/// browsers show pictures.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu explore runs/mnist-vae-1 --open                # look, drag, draw: explore.html in the run's directory
  vae-gpu explore runs/mnist-vae-1 --half --out digits.html   # weights of 16 bits: half the size
  vae-gpu explore --train --data mnist --limit 10000     # a page that trains, in explore.html; needs no GPU here
  vae-gpu explore --train --data wine.csv --label-column quality --latent 2

Whoever has the file has the model and the data that it shows: --limit says how many.")]
pub struct ExploreArgs {
    /// Run directory
    #[arg(required_unless_present = "train", conflicts_with = "train")]
    pub run: Option<PathBuf>,
    /// Make a page that trains, on the data and with the model and settings that flags name
    #[arg(long)]
    pub train: bool,
    /// The page; - is stdout [default: explore.html in the run's directory, or here]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Show it in the browser
    #[arg(long)]
    pub open: bool,
    /// Keep the weights in 16 bits
    #[arg(long, conflicts_with = "train")]
    pub half: bool,
    /// Data of the map [default: 2000] or, with --train, rows to train on [default: 10000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Part of the data for the map [default: test]
    #[arg(long, value_enum, conflicts_with = "train")]
    pub split: Option<SplitArg>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub settings: Flags<TrainSection, TrainKeys>,
    #[command(flatten)]
    pub device: DeviceArgs,
}

pub fn run(args: &ExploreArgs) -> Result<()> {
    let out = match (&args.out, &args.run) {
        (Some(out), _) => out.clone(),
        (None, Some(run)) => RunDir::open(run)?.page(),
        (None, None) => FILE.into(),
    };
    let extension = out.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    if !matches!(extension.as_deref(), None | Some("html" | "htm")) {
        return Err(Error::Usage(format!("--out {}: a page is written as .html", out.display())));
    }
    if args.open && output::is_stdout(&out) {
        return Err(Error::Usage("--open shows a file: name one with --out".into()));
    }
    let html = match &args.run {
        Some(run) => of_run(args, run)?,
        None => training(args)?,
    };
    output::file(
        &out,
        html.as_bytes(),
        &format!("a page of {:.1} MiB is", html.len() as f64 / f64::from(1 << 20)),
    )?;
    if let Some(run) = &args.run {
        link(run, &out)?;
    }
    if args.open { open(&out) } else { Ok(()) }
}

/// A page that explores a trained model.
fn of_run(args: &ExploreArgs, run: &Path) -> Result<String> {
    // Where the data is and how it is read may be said, as for the other commands that use a model.
    let known = |flag: &String| ["--format", "--label-column"].contains(&flag.as_str());
    let mut others = args.model.given_but_data().into_iter().filter(|flag| !known(flag));
    if let Some(flag) = others.next().or_else(|| args.settings.given_but(&[]).into_iter().next()) {
        return Err(Error::Usage(format!(
            "{flag} is for a page that trains: leave it out, or use --train without a run"
        )));
    }
    let source = args.source();
    let saved = Saved::open(run, &args.device)?;
    let Chosen { split, name: part, classes, .. } = saved.read(&source, SplitArg::Test)?;
    let rows = spaced(&split, args.limit.map_or(POINTS, |limit| limit as usize));
    let codes = codes(&saved, &rows, part)?;
    let network = Network::new(&saved.model)?;
    let name = run_name(run);
    let mut content = Content::new(name.clone(), &saved.config, &network, args.half, |_, _| Ok(None))?;
    content.name_classes(classes);
    content.kl = codes.kl;
    let weights = if args.half { pack::halves(&saved.parameters) } else { pack::floats(&saved.parameters) };
    let mut blobs = vec![("weights", weights), ("codes", pack::floats(&codes.mu))];
    content.points =
        Points { what: output::counted(rows.count, part), ..points(&rows, &saved.config, &mut blobs)? };
    let summary = summary(&saved.config, &network);
    let figures = figures(&saved, &codes.order)?;
    Page { name: &name, summary: &summary, content: &content, blobs: &blobs, figures: &figures }.to_html()
}

/// Refuses what a page that trains does not do: it would train something else than `vae-gpu train`, without a word.
fn check_page(train: &TrainSection) -> Result<()> {
    let begins = train.init_from.is_some().then_some(("train.init_from", "begins with new weights"));
    let holds = (train.valid > 0.0).then_some(("train.valid", "trains on all training data"));
    let rounds = (train.precision != Precision::F32).then_some(("train.precision", "computes in 32 bits"));
    match begins.or(holds).or(rounds) {
        Some((key, does)) => {
            Err(Error::setting(key, format!(": a page that trains {does}; leave it out of the file")))
        }
        None => Ok(()),
    }
}

/// A page that trains.
fn training(args: &ExploreArgs) -> Result<String> {
    let mut config = args.model.resolve(&args.settings)?;
    config.validate()?;
    check_page(&config.train)?;
    let mut dataset = source::open(&config.data, &config.source, false)?;
    let limit = args.limit.map_or(ROWS, |limit| limit as usize);
    if dataset.train.count > limit {
        dataset.train = dataset.train.select(&(0..limit as u32).collect::<Vec<_>>());
    }
    config.adopt(&dataset)?;
    config.check_data(&dataset)?;
    if !args.settings.has("batch_size") {
        config.fit_batch(&dataset)?;
    }
    let network = Network::new(&config.model_config(dataset.shape))?;
    let mut blobs = Vec::new();
    let name = format!("Training on {}", dataset.name);
    let add = |plans: &mut Plans, library: &mut Library| {
        let (training, made) = Training::new(&config, &network, &dataset.train, plans, library)?;
        blobs = made;
        Ok(Some(training))
    };
    let mut content = Content::new(name.clone(), &config, &network, false, add)?;
    content.name_classes(dataset.classes.clone());
    let shown = Training::mapped(dataset.train.count);
    let rows = dataset.train.select(&(0..shown as u32).collect::<Vec<_>>());
    content.points =
        Points { what: output::counted(shown, "training"), ..points(&rows, &config, &mut blobs)? };
    let summary =
        format!("{} on {} {}", summary(&config, &network), dataset.train.count, dataset.shape.plural());
    Page { name: &name, summary: &summary, content: &content, blobs: &blobs, figures: &[] }.to_html()
}

impl ExploreArgs {
    /// The data that flags name for a trained model.
    fn source(&self) -> SourceArgs {
        let mut options = crate::data::ReadOptions::default();
        self.model.source.apply(&mut options);
        let (format, label_column) = (options.format, options.label_column);
        SourceArgs { data: self.model.data.clone(), format, label_column, split: self.split }
    }
}

fn run_name(run: &Path) -> String {
    let root = std::path::absolute(run).unwrap_or_else(|_| run.to_owned());
    root.file_name().map_or_else(|| root.display().to_string(), |name| name.display().to_string())
}

fn summary(config: &Config, network: &Network) -> String {
    let model = &network.config;
    format!(
        "{} {} with a {} decoder, {} parameters, of {}",
        model.title(),
        model.widths(),
        model.decoder(),
        network.parameters.count(),
        config.portable().data
    )
}

/// Rows evenly spaced over a part, at most `most`.
fn spaced(split: &Split, most: usize) -> Split {
    match split.count.div_ceil(most) {
        1 => split.clone(),
        every => split.select(&(0..split.count as u32).step_by(every).collect::<Vec<_>>()),
    }
}

/// What the script unpacks of some data.
fn points(rows: &Split, config: &Config, blobs: &mut Vec<(&'static str, String)>) -> Result<Points> {
    let shape = config.image_shape().expect("the configuration has adopted its data");
    let x = rows.x(0..rows.count)?;
    let thumbs = Thumbs::of(&x, shape).map(|(thumbs, png)| {
        blobs.push(("thumbs", pack::base64(&png)));
        thumbs
    });
    if thumbs.is_none() {
        blobs.push(("rows", pack::floats(&x)));
    }
    if let Some(labels) = &rows.labels {
        blobs.push(("labels", pack::words(labels)));
    }
    Ok(Points { count: rows.count, thumbs, labelled: rows.labels.is_some(), ..Points::default() })
}

/// Codes of data.
struct Coded {
    mu: Vec<f32>,
    /// By dimension, in nats; empty without a distribution.
    kl: Vec<f64>,
    /// The dimensions, the largest KL first.
    order: Vec<usize>,
}

fn codes(saved: &Saved, rows: &Split, part: &str) -> Result<Coded> {
    let mut encoder = Encoder::of_codes(&mut saved.runner()?, (rows, part), saved.still(), false)?;
    let mut statistics = CodeStatistics::new(saved.model.latent);
    let mut mu = Vec::with_capacity(rows.count * saved.model.latent);
    encoder.run(saved.config.train.seed, &mut |codes| {
        mu.extend_from_slice(&codes.mu);
        statistics.add_measured(codes);
        Ok(())
    })?;
    let kl = if saved.model.has_kl() { statistics.kl_per_dimension() } else { Vec::new() };
    let mut order: Vec<usize> = (0..kl.len()).collect();
    order.sort_by(|a, b| kl[*b].total_cmp(&kl[*a]));
    Ok(Coded { mu, kl, order })
}

/// What a browser without WebGPU shows.
fn figures(saved: &Saved, order: &[usize]) -> Result<Vec<Figure>> {
    /// Images in a row of each, and dimensions that are traversed.
    const SAMPLES: usize = 8;
    const STEPS: usize = 11;
    const DIMENSIONS: usize = 10;
    const SIDE: usize = 15;
    let (model, shape) = (&saved.model, saved.shape);
    let mut figures = Vec::new();
    if !shape.is_picture() || !model.has_kl() {
        return Ok(figures);
    }
    let mut inference = saved.inference()?;
    let mut add = |title: &str, x: &[f32], columns: usize| -> Result<()> {
        figures.push(Figure { title: title.to_owned(), png: picture::grid_png(x, shape, columns)? });
        Ok(())
    };
    if inference.can_sample() {
        let classes = model.classes.max(1);
        let x = inference.sample(SAMPLES * SAMPLES, 0, 1.0, |i| i / SAMPLES % classes)?;
        add("Samples of the model", &x, SAMPLES)?;
    }
    let labels = |count: usize| if model.classes > 0 { vec![0u32; count] } else { Vec::new() };
    let dims = &order[..order.len().min(DIMENSIONS)];
    let z = latent::traverse(&vec![0.0; model.latent], dims, STEPS);
    let x = inference.decode((&z[..], &labels(dims.len() * STEPS)[..]).into())?;
    add("Latent dimensions from -3 to 3, the one with the largest KL first", &x, STEPS)?;
    if model.latent == 2 {
        let x = inference.decode((&latent::manifold(SIDE)[..], &labels(SIDE * SIDE)[..]).into())?;
        add("The latent space at equal parts of the prior", &x, SIDE)?;
    }
    Ok(figures)
}

/// Lets the run's report name a page that lies beside it.
fn link(run: &Path, out: &Path) -> Result<()> {
    let path = RunDir::open(run)?.report();
    let beside = out
        .canonicalize()
        .is_ok_and(|out| path.canonicalize().is_ok_and(|path| path.parent() == out.parent()));
    let (true, Ok(html), Some(name)) = (beside, std::fs::read_to_string(&path), out.file_name()) else {
        return Ok(());
    };
    match report::linked(&html, &name.to_string_lossy()) {
        Some(linked) => write_atomic(&path, |out| out.write_all(linked.as_bytes())),
        None => Ok(()),
    }
}

/// Shows a file in the user's browser.
fn open(page: &Path) -> Result<()> {
    let page = std::path::absolute(page).unwrap_or_else(|_| page.to_owned());
    let mut command = match std::env::consts::OS {
        "macos" => Command::new("open"),
        "windows" => {
            let mut command = Command::new("cmd");
            command.args(["/C", "start", ""]);
            command
        }
        _ => Command::new("xdg-open"),
    };
    let quiet = command.arg(&page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if !quiet.status().is_ok_and(|status| status.success()) {
        talk(format_args!("warning: no browser could be started here: open {} in one", page.display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_refuses_to_train_otherwise_than_it_is_told() {
        let plain = TrainSection::default();
        check_page(&plain).unwrap();
        for (train, key) in [
            (TrainSection { init_from: Some("run".into()), ..plain.clone() }, "train.init_from"),
            (TrainSection { valid: 0.1, ..plain.clone() }, "train.valid"),
            (TrainSection { precision: Precision::F16, ..plain.clone() }, "train.precision"),
        ] {
            let refusal = check_page(&train).unwrap_err();
            assert!(matches!(&refusal, Error::Setting { key: named, .. } if *named == key), "{refusal}");
            assert!(refusal.to_string().contains("leave it out"), "{refusal}");
        }
    }
}
