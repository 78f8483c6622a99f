//! `vae-gpu sample` and `vae-gpu reconstruct`.

use super::args::{ReconstructArgs, SampleArgs};
use super::output::result;
use super::saved::Saved;
use super::train::{COLUMNS, originals};
use crate::error::Result;
use crate::run::picture;

pub fn sample(args: &SampleArgs) -> Result<()> {
    let saved = Saved::open(&args.run, &args.device)?;
    let images = saved.pictures()?.sample(args.count as usize, args.seed)?;
    picture::grid(&args.out, &images, saved.shape, COLUMNS)?;
    result(format_args!("{} samples are in {}", args.count, args.out.display()));
    Ok(())
}

pub fn reconstruct(args: &ReconstructArgs) -> Result<()> {
    let saved = Saved::open(&args.run, &args.device)?;
    let originals = originals(&saved.dataset()?, args.count as usize)?;
    let reconstructions = saved.pictures()?.reconstruct(&originals)?;
    picture::reconstruction_grid(&args.out, &originals, &reconstructions, saved.shape, COLUMNS)?;
    let count = originals.len() / saved.shape.dim();
    result(format_args!("{count} test images above their reconstructions are in {}", args.out.display()));
    Ok(())
}
