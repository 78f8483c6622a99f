//! `vae-gpu explore`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::Args;

use super::coded::Coded;
use super::common_args::{DeviceArgs, SplitArg};
use super::flags::{Flags, Keys, spelled};
use super::latent_args::SourceArgs;
use super::model_args::ModelArgs;
use super::output::{self, talk};
use super::saved::{Chosen, Saved};
use super::saver::{COLUMNS, SAMPLES, row_label};
use super::{progress, source, suit};
use crate::data::{Shape, Split};
use crate::error::{Error, Result};
use crate::evaluate::{Inference, Tsne, latent};
use crate::explore::{
    Blobs, Content, Figure, Library, MOST_MAPPED, Page, Plans, Points, Thumbs, Training, pack,
};
use crate::model::Network;
use crate::run::{RunDir, picture, report, write_atomic};
use crate::train::{Config, Keep, Precision, TrainSection};

/// Data of the map of a run, where nothing is said.
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
/// browsers show pictures of a model of pictures.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu explore runs/mnist-vae-1 --open                # look, drag, draw: explore.html in the run's directory
  vae-gpu explore runs/mnist-vae-1 --half --out digits.html   # weights of 16 bits: half the size
  vae-gpu explore --train --data mnist --limit 10000     # a page that trains, in explore.html; needs no GPU here
  vae-gpu explore --train --data wine.csv --label-column quality --latent 2

Whoever has the file has the model, the small pictures or the codes of the data of the map, and their labels; of a page that
trains, the rows to train on. --limit says how many, evenly spaced. Of a table, a page of a run holds one whole row.")]
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
    output::writes("--out", &out)?;
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
    args.check_run()?;
    let saved = Saved::open(run, &args.device)?;
    let Chosen { split, name: part, classes, .. } = saved.read(&args.source(), SplitArg::Test)?;
    let rows = split.spaced(args.limit.map_or(POINTS, |limit| limit as usize));
    let mut runner = saved.runner()?;
    let Coded { mu, kl, order } = Coded::of(&mut runner, (&rows, part), saved.still())?;
    let network = runner.network();
    let summary = summary(&saved.config, network);
    let mut library = Library::default();
    let plans = Plans::new(network, &mut library)?;
    let mut content = Content::new(&saved.config, network, args.half, (plans, library), None);
    content.name_classes(classes);
    content.kl = kl;
    let weights = if args.half { pack::halves(&saved.parameters) } else { pack::floats(&saved.parameters) };
    let mut blobs = vec![("weights", weights), ("codes", pack::floats(&mu))];
    content.points = points(&rows, part, saved.shape, &mut blobs)?;
    content.points.tsne = tsne(&mu, network.config.latent, &mut blobs)?;
    if !saved.shape.is_picture() {
        blobs.push(("row", pack::floats(&rows.x(0..1)?)));
    }
    let figures = figures(&saved, Inference::new(runner), &order)?;
    let name = RunDir::open(run)?.name();
    Ok(Page { name: &name, summary: &summary, content: &content, blobs: &blobs, figures: &figures }.to_html())
}

/// Refuses what a page that trains does not do: it would train something else than `vae-gpu train`, without a word.
fn check_page(train: &TrainSection) -> Result<()> {
    let refused = [
        (train.init_from.is_some(), "train.init_from", "begins with new weights"),
        (train.valid > 0.0, "train.valid", "trains on all training data"),
        (train.precision != Precision::F32, "train.precision", "computes in 32 bits"),
        (train.patience > 0, "train.patience", "does not stop before its last epoch"),
        (train.keep != Keep::Last, "train.keep", "has the last weights alone"),
    ];
    match refused.into_iter().find(|(is_set, ..)| *is_set) {
        Some((_, key, does)) => {
            Err(Error::setting(key, format!(": a page that trains {does}; leave it out of the file")))
        }
        None => Ok(()),
    }
}

/// A page that trains.
fn training(args: &ExploreArgs) -> Result<String> {
    if let Some(flag) = args.device.given().first() {
        return Err(Error::Usage(format!(
            "{flag}: a page that trains is made without a device; leave it out"
        )));
    }
    let mut config = args.model.resolve(&args.settings)?;
    config.validate()?;
    check_page(&config.train)?;
    let mut dataset = source::open(&config.data, &config.source, false)?;
    dataset.train = dataset.train.spaced(args.limit.map_or(ROWS, |limit| limit as usize));
    suit::suit(&mut config, &dataset, args.settings.has("batch_size"), false)?;
    if let Some(warning) = config.warning() {
        talk(format_args!("warning: {}", spelled(&warning)));
    }
    let network = Network::new(&config.model_config(dataset.shape))?;
    let mut library = Library::default();
    let mut plans = Plans::new(&network, &mut library)?;
    let (training, mut blobs) = Training::new(&config, &network, &dataset.train, &mut plans, &mut library)?;
    if let Some(orders) = training.repeats_after() {
        let epochs = config.train.epochs;
        talk(format_args!(
            "the page holds the orders of the first {orders} of {epochs} epochs, and goes through them again after that"
        ));
    }
    let summary =
        format!("{} on {} {}", summary(&config, &network), dataset.train.count, dataset.shape.plural());
    let mut content = Content::new(&config, &network, false, (plans, library), Some(training));
    content.name_classes(dataset.classes.clone());
    let mapped = dataset.train.spaced(MOST_MAPPED);
    content.points = points(&mapped, "training", dataset.shape, &mut blobs)?;
    let name = format!("Training on {}", dataset.name);
    Ok(Page { name: &name, summary: &summary, content: &content, blobs: &blobs, figures: &[] }.to_html())
}

impl ExploreArgs {
    /// Refuses flags that say nothing of a page of a run.
    fn check_run(&self) -> Result<()> {
        // Where the data is and how it is read may be said, as for the other commands that use a model.
        let known = ["--format", "--label-column"];
        let ModelArgs { data, source, .. } = &self.model;
        let is_other = |flag: &String| !known.contains(&flag.as_str());
        let flags = self.model.given_but_data().into_iter().chain(source.given_but(&[]));
        let mut others = flags.filter(is_other).chain(self.settings.given_but(&[]));
        if let Some(flag) = others.next() {
            return Err(Error::Usage(format!(
                "{flag} is for a page that trains: leave it out, or use --train without a run"
            )));
        }
        match source.given_but(&[]).first() {
            Some(flag) if data.is_none() => {
                Err(Error::Usage(format!("{flag} tells how --data is read: give that too, or leave it out")))
            }
            _ => Ok(()),
        }
    }

    /// The data that flags name for a trained model.
    fn source(&self) -> SourceArgs {
        let mut options = crate::data::ReadOptions::default();
        self.model.source.apply(&mut options);
        let (format, label_column) = (options.format, options.label_column);
        SourceArgs { data: self.model.data.clone(), format, label_column, split: self.split }
    }
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

/// The data of the map, with their pictures and labels as text for the script to unpack.
fn points(rows: &Split, part: &str, shape: Shape, blobs: &mut Blobs) -> Result<Points> {
    let mut thumbs = None;
    if shape.is_picture() {
        let (made, png) = Thumbs::of(&rows.x(0..rows.count)?, shape)?;
        blobs.push(("thumbs", pack::base64(&png)));
        thumbs = Some(made);
    }
    if let Some(labels) = &rows.labels {
        blobs.push(("labels", pack::words(labels)));
    }
    let what = output::counted(rows.count, part);
    Ok(Points { count: rows.count, what, thumbs, labelled: rows.labels.is_some(), tsne: None })
}

/// The places of codes by t-SNE, and their perplexity: the usual one, or as large as so few data have; none where the plane is all
/// there is, or the data are hardly any.
fn tsne(mu: &[f32], latent: usize, blobs: &mut Blobs) -> Result<Option<f64>> {
    let known = mu.chunks_exact(latent).filter(|code| code.iter().all(|v| v.is_finite())).count();
    let Some(tsne) = Tsne::usual(known).filter(|_| latent > 2) else { return Ok(None) };
    let places = progress::tsne(tsne, mu, latent)?;
    let places: Vec<f32> = places.as_flattened().iter().map(|v| *v as f32).collect();
    blobs.push(("tsne", pack::floats(&places)));
    Ok(Some(tsne.perplexity))
}

/// What a browser without WebGPU shows.
fn figures(saved: &Saved, mut inference: Inference, order: &[usize]) -> Result<Vec<Figure>> {
    /// Images in a row of a traversal and of a manifold, and dimensions that are traversed.
    const STEPS: usize = 11;
    const DIMENSIONS: usize = 10;
    const SIDE: usize = 15;
    let (model, shape) = (&saved.model, saved.shape);
    let mut figures = Vec::new();
    if !shape.is_picture() || !model.has_kl() {
        return Ok(figures);
    }
    let (mut first, mut each) = ("", "");
    let name = saved.config.class_names.first().map_or_else(|| "0".to_owned(), Clone::clone);
    let of_label = format!(", all of label {name}");
    if model.classes > 0 {
        (first, each) = (&of_label, ", a row for each label in turn");
    }
    let mut add = |title: String, x: &[f32], columns: usize| -> Result<()> {
        figures.push(Figure { title, png: picture::grid_png(x, shape, columns)? });
        Ok(())
    };
    if inference.can_sample() {
        let x = inference.sample(SAMPLES, 0, 1.0, |i| row_label(i, model.classes))?;
        add(format!("Samples of the model{each}"), &x, COLUMNS)?;
    }
    let labels = |count: usize| if model.classes > 0 { vec![0u32; count] } else { Vec::new() };
    let dims = &order[..order.len().min(DIMENSIONS)];
    let z = latent::traverse(&vec![0.0; model.latent], dims, STEPS);
    let x = inference.decode((&z[..], &labels(dims.len() * STEPS)[..]).into())?;
    add(format!("Latent dimensions from -3 to 3, the one with the largest KL first{first}"), &x, STEPS)?;
    if model.latent == 2 {
        let x = inference.decode((&latent::manifold(SIDE)[..], &labels(SIDE * SIDE)[..]).into())?;
        add(format!("The latent space at equal parts of the prior{first}"), &x, SIDE)?;
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

/// Shows a file in the user's browser. Some are programs in the foreground: none is waited for, but for a moment in which a
/// starter says that there is none.
fn open(page: &Path) -> Result<()> {
    const MOMENT: Duration = Duration::from_millis(50);
    const MOMENTS: u32 = 20;
    let page = std::path::absolute(page).unwrap_or_else(|_| page.to_owned());
    let mut command = match std::env::consts::OS {
        "macos" => Command::new("open"),
        "windows" => {
            // `cmd /C start` would read a & in the name.
            let mut command = Command::new("rundll32");
            command.arg("url.dll,FileProtocolHandler");
            command
        }
        _ => Command::new("xdg-open"),
    };
    let quiet = command.arg(&page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let failed = match quiet.spawn() {
        Ok(mut child) => (0..MOMENTS).find_map(|_| {
            let ended = child.try_wait().ok().flatten();
            if ended.is_none() {
                std::thread::sleep(MOMENT);
            }
            ended.map(|status| !status.success())
        }),
        Err(_) => Some(true),
    };
    if failed == Some(true) {
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
            (TrainSection { patience: 3, ..plain.clone() }, "train.patience"),
            (TrainSection { keep: Keep::Best, ..plain.clone() }, "train.keep"),
        ] {
            let refusal = check_page(&train).unwrap_err();
            assert!(matches!(&refusal, Error::Setting { key: named, .. } if *named == key), "{refusal}");
            assert!(refusal.to_string().contains("leave it out"), "{refusal}");
        }
    }
}
