//! `vae-gpu sample` and `vae-gpu reconstruct`.

use super::args::{Label, ReconstructArgs, SampleArgs};
use super::output::result;
use super::saved::Saved;
use super::train::{COLUMNS, SAMPLES, originals, row_label};
use crate::data::write::Matrix;
use crate::error::{Error, Result};
use crate::run::{picture, write_atomic};

pub fn sample(args: &SampleArgs) -> Result<()> {
    let saved = Saved::open(&args.run, &args.device)?;
    let format = Matrix::of(&args.out).ok();
    if format.is_none() {
        drawable(&saved, "--out with a name that ends with .csv, .npy or .parquet")?;
    }
    let classes = saved.model.classes;
    if args.label.is_some() && classes == 0 {
        return Err(Error::Usage("--label: the model was not trained with --condition labels".into()));
    }
    let count = match (args.count, args.label) {
        (Some(count), _) => count as usize,
        (None, Some(Label::One(_))) => SAMPLES,
        (None, _) if classes > 0 => COLUMNS * classes,
        (None, _) => SAMPLES,
    };
    let label_of = |i| match args.label {
        Some(Label::One(label)) => label,
        Some(Label::All) | None => row_label(i, classes),
    };
    let mut images = saved.pictures()?.sample(count, args.seed, label_of)?;
    match format {
        Some(format) => {
            if let Some(scaling) = &saved.config.source.scaling {
                scaling.undo(&mut images);
            }
            write_atomic(&args.out, |out| format.write(out, &[], saved.shape.dim(), &images))?;
        }
        None => picture::grid(&args.out, &images, saved.shape, COLUMNS)?,
    }
    result(format_args!("{count} samples are in {}", args.out.display()));
    Ok(())
}

pub fn reconstruct(args: &ReconstructArgs) -> Result<()> {
    let saved = Saved::open(&args.run, &args.device)?;
    drawable(&saved, "`vae-gpu sample` for rows of it")?;
    let dataset = saved.dataset()?;
    let originals = originals(&dataset, args.count as usize)?;
    let labels = dataset.test.labels.as_deref().unwrap_or(&[]);
    let reconstructions = saved.pictures()?.reconstruct(&originals, labels)?;
    picture::reconstruction_grid(&args.out, &originals, &reconstructions, saved.shape, COLUMNS)?;
    let count = originals.len() / saved.shape.dim();
    result(format_args!("{count} test images above their reconstructions are in {}", args.out.display()));
    Ok(())
}

fn drawable(saved: &Saved, instead: &str) -> Result<()> {
    if saved.shape.is_picture() {
        return Ok(());
    }
    Err(Error::Usage(format!("the model is of data of {}, which is no picture; use {instead}", saved.shape)))
}
