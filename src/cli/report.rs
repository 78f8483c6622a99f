//! The `report.html` of `vae-gpu train`.

use std::path::Path;

use super::output;
use super::saver::originals;
use super::tracking::read;
use crate::data::Dataset;
use crate::error::Result;
use crate::evaluate::{CodeStatistics, Codes, Rows};
use crate::run::report::{Figure, Line, RunReport, linked};
use crate::run::{EpochMetrics, RunDir, bars, metrics, write_atomic};
use crate::train::Trainer;

/// Test data that the KL of each dimension is averaged over at most.
const MAX_CODES: usize = 10_000;

/// Writes the page, from what the run has left so far.
pub fn write(dir: &RunDir, trainer: &mut Trainer, dataset: &Dataset) -> Result<()> {
    let rows = metrics::read(&dir.metrics())?;
    let Some(last) = rows.last() else { return Ok(()) };
    let figures = figures(dir, trainer, dataset, last)?;
    let model = trainer.model();
    let report = RunReport {
        name: dir.name(),
        summary: format!(
            "{} {} with a {} decoder on {}: {} training and {} test data of {}",
            model.title(),
            model.widths(),
            model.decoder(),
            dataset.name,
            dataset.train.count,
            dataset.test.count,
            dataset.shape
        ),
        tiles: tiles(trainer, last),
        figures,
        table: table(trainer, &rows, last),
        config: trainer.config().to_toml(),
    };
    let mut html = report.to_html();
    if let Some(name) = dir.fresh_page().as_deref().and_then(Path::file_name) {
        html = linked(&html, &name.to_string_lossy()).unwrap_or(html);
    }
    write_atomic(&dir.report(), |out| out.write_all(html.as_bytes()))
}

fn table(trainer: &Trainer, rows: &[EpochMetrics], last: &EpochMetrics) -> Vec<Line> {
    let mut table = vec![("Best epoch", format!("{} of {}", trainer.state().best_epoch, last.epoch))];
    table.extend(match trainer.model().has_kl() {
        false => vec![
            ("Last training reconstruction", nats(last.train_recon)),
            ("Last test reconstruction", nats(last.test_recon)),
        ],
        true => vec![
            ("Last training ELBO", nats(last.train_elbo)),
            ("Last test ELBO", nats(last.test_elbo)),
            ("Last test reconstruction", nats(last.test_recon)),
            ("Last test KL", nats(last.test_kl)),
        ],
    });
    table.extend([
        ("Training time", format!("{:.1} s", rows.iter().map(|row| row.seconds).sum::<f64>())),
        ("Steps", format!("{} of {} data", last.step, trainer.config().train.batch_size)),
        ("Parameters", trainer.parameters().count().to_string()),
        ("Adapter", trainer.gpu().report().title()),
        ("Driver", driver(trainer)),
        ("Version", format!("vae-gpu {}", env!("CARGO_PKG_VERSION"))),
    ]);
    table
}

fn nats(value: f64) -> String {
    format!("{} nats per datum", output::number(value, 2))
}

fn driver(trainer: &Trainer) -> String {
    let report = trainer.gpu().report();
    format!("{} {}", report.driver, report.driver_info).trim().to_owned()
}

fn tiles(trainer: &Trainer, last: &EpochMetrics) -> Vec<Line> {
    let best = match (trainer.model().has_kl(), trainer.has_valid()) {
        (false, true) => "Best validation reconstruction, nats",
        (false, false) => "Best test reconstruction, nats",
        (true, true) => "Best validation ELBO, nats per datum",
        (true, false) => "Best test ELBO, nats per datum",
    };
    vec![
        (best, output::number(trainer.state().best_elbo, 2)),
        ("Epochs", format!("{} of {}", last.epoch, trainer.config().train.epochs)),
        ("Training speed, images/s", format!("{:.0}", last.images_per_second)),
        ("Latent dimensions", trainer.model().latent.to_string()),
    ]
}

fn figures(
    dir: &RunDir,
    trainer: &mut Trainer,
    dataset: &Dataset,
    last: &EpochMetrics,
) -> Result<Vec<Figure>> {
    let mut figures = vec![Figure {
        title: "Curves",
        caption: match trainer.model().has_kl() {
            false => "The reconstruction after each epoch.".into(),
            true => "The bound and its two terms after each epoch: ELBO = reconstruction - KL.".into(),
        },
        png: read(&dir.curves())?,
        wide: true,
    }];
    let samples = dir.sample(last.epoch);
    if samples.exists() {
        let caption = format!("Decoded from draws of the prior, after epoch {}.", last.epoch);
        figures.push(Figure { title: "Samples", caption, png: read(&samples)?, wide: false });
    }
    // Of tables there are no pictures.
    let reconstructions = dir.reconstruction(last.epoch);
    if reconstructions.exists() {
        let caption = "Test data, and below each what the model makes of it.".into();
        figures.push(Figure { title: "Reconstructions", caption, png: read(&reconstructions)?, wide: false });
    }
    figures.extend(kl(trainer, dataset)?);
    Ok(figures)
}

/// The KL of each latent dimension on the test data, by the present weights.
fn kl(trainer: &mut Trainer, dataset: &Dataset) -> Result<Option<Figure>> {
    let model = trainer.model().clone();
    if !model.has_kl() {
        return Ok(None);
    }
    let x = originals(dataset, MAX_CODES)?;
    let count = x.len() / model.input;
    let labels = dataset.test.labels.as_deref().filter(|_| model.classes > 0).unwrap_or(&[]);
    let rows = Rows { values: &x, labels: &labels[..labels.len().min(count)] };
    let (mu, log_var) = trainer.inference().encode(rows)?;
    let mut statistics = CodeStatistics::new(model.latent);
    statistics.add_measured(&Codes { mu, log_var, ..Codes::default() });
    let caption = format!(
        "Nats that each dimension carries, over {} test data; {} of {} are active (the variance of mu is above 0.01).",
        statistics.count(),
        statistics.active_units(),
        model.latent
    );
    let png = bars::bars_png(&statistics.kl_per_dimension())?;
    Ok(Some(Figure { title: "KL of each latent dimension", caption, png, wide: true }))
}
