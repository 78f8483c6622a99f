//! `vae-gpu sample` and `vae-gpu reconstruct`.

use super::args::{ReconstructArgs, SampleArgs};
use super::output::result;
use super::saved::Saved;
use super::train::{COLUMNS, originals};
use crate::data::write::Matrix;
use crate::error::{Error, Result};
use crate::run::{picture, write_atomic};

pub fn sample(args: &SampleArgs) -> Result<()> {
    let saved = Saved::open(&args.run, &args.device)?;
    let format = Matrix::of(&args.out).ok();
    if format.is_none() {
        drawable(&saved, "--out with a name that ends with .csv, .npy or .parquet")?;
    }
    let mut images = saved.pictures()?.sample(args.count as usize, args.seed)?;
    match format {
        Some(format) => {
            if let Some(scaling) = &saved.config.source.scaling {
                scaling.undo(&mut images);
            }
            write_atomic(&args.out, |out| format.write(out, &[], saved.shape.dim(), &images))?;
        }
        None => picture::grid(&args.out, &images, saved.shape, COLUMNS)?,
    }
    result(format_args!("{} samples are in {}", args.count, args.out.display()));
    Ok(())
}

pub fn reconstruct(args: &ReconstructArgs) -> Result<()> {
    let saved = Saved::open(&args.run, &args.device)?;
    drawable(&saved, "`vae-gpu sample` for rows of it")?;
    let originals = originals(&saved.dataset()?, args.count as usize)?;
    let reconstructions = saved.pictures()?.reconstruct(&originals)?;
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
