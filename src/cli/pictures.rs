//! `vae-gpu sample` and `vae-gpu reconstruct`.

use super::args::{Label, ReconstructArgs, SampleArgs};
use super::output;
use super::saved::Saved;
use super::saver::{COLUMNS, SAMPLES, originals, row_label, with_labels};
use crate::data::write::Matrix;
use crate::error::{Error, Result};
use crate::run::picture;

pub fn sample(args: &SampleArgs) -> Result<()> {
    let format = Matrix::of(&args.out).ok();
    if format.is_none() && args.out.extension().is_some_and(|found| !found.eq_ignore_ascii_case("png")) {
        let out = args.out.display();
        return Err(Error::Usage(format!(
            "--out {out}: samples are written as .png or, in numbers, as .csv, .npy or .parquet"
        )));
    }
    let temperature = args.temperature;
    if !(temperature.is_finite() && temperature >= 0.0) {
        return Err(Error::Usage(format!("--temperature {temperature}: use a number that is not negative")));
    }
    let saved = match format {
        Some(_) => Saved::open(&args.run, &args.device)?,
        None => Saved::open_pictures(&args.run, &args.device)?,
    };
    let classes = saved.model.classes;
    let label = match &args.label {
        Some(Label::One(label)) => saved.given_label(Some(label))?,
        Some(Label::All) if classes == 0 => saved.given_label(Some("all"))?,
        Some(Label::All) | None => None,
    };
    let count = match args.count {
        Some(count) => count as usize,
        None if label.is_none() && classes > 0 => COLUMNS * classes,
        None => SAMPLES,
    };
    let label_of = |i| label.map_or_else(|| row_label(i, classes), |label| label as usize);
    let mut images = saved.inference()?.sample(count, args.seed, temperature, label_of)?;
    let what = format!("{count} samples are");
    if let Some(format) = format {
        if let Some(scaling) = &saved.config.source.scaling {
            scaling.undo(&mut images);
        }
        output::write(&args.out, |out| format.write(out, &saved.config.columns, saved.shape.dim(), &images))?;
        output::told(&args.out, &what);
        return Ok(());
    }
    let png = picture::grid_png(&images, saved.shape, COLUMNS)?;
    output::file(&args.out, &png, &what)
}

pub fn reconstruct(args: &ReconstructArgs) -> Result<()> {
    output::check_picture("--out", &args.out)?;
    let saved = Saved::open_pictures(&args.run, &args.device)?;
    let dataset = saved.dataset()?;
    let originals = originals(&dataset, args.count as usize)?;
    let rows = with_labels(&dataset, &originals, saved.model.classes);
    let reconstructions = saved.inference()?.reconstruct(rows)?;
    let png = picture::reconstruction_grid_png(&originals, &reconstructions, saved.shape, COLUMNS)?;
    let count = originals.len() / saved.shape.dim();
    output::file(&args.out, &png, &format!("{count} test images above their reconstructions are"))
}
