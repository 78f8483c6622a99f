//! `vae-gpu sample` and `vae-gpu reconstruct`.

use super::args::{Label, ReconstructArgs, SampleArgs};
use super::output;
use super::saved::Saved;
use super::saver::{COLUMNS, SAMPLES, originals, row_label};
use crate::data::write::Matrix;
use crate::error::{Error, Result};
use crate::run::picture;

pub fn sample(args: &SampleArgs) -> Result<()> {
    let format = Matrix::of(&args.out).ok();
    let saved = match format {
        Some(_) => Saved::open(&args.run, &args.device)?,
        None => Saved::open_pictures(&args.run, &args.device)?,
    };
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
    let temperature = args.temperature;
    if !(temperature.is_finite() && temperature >= 0.0) {
        return Err(Error::Usage(format!("--temperature {temperature}: use a number that is not negative")));
    }
    let mut images = saved.pictures(temperature)?.sample(count, args.seed, label_of)?;
    let what = format!("{count} samples are");
    if let Some(format) = format {
        if let Some(scaling) = &saved.config.source.scaling {
            scaling.undo(&mut images);
        }
        output::write(&args.out, |out| format.write(out, &[], saved.shape.dim(), &images))?;
        output::told(&args.out, &what);
        return Ok(());
    }
    let png = picture::grid_png(&images, saved.shape, COLUMNS)?;
    output::file(&args.out, &png, &what)
}

pub fn reconstruct(args: &ReconstructArgs) -> Result<()> {
    let saved = Saved::open_pictures(&args.run, &args.device)?;
    let dataset = saved.dataset()?;
    let originals = originals(&dataset, args.count as usize)?;
    let labels = dataset.test.labels.as_deref().unwrap_or(&[]);
    let reconstructions = saved.pictures(1.0)?.reconstruct(&originals, labels)?;
    let png = picture::reconstruction_grid_png(&originals, &reconstructions, saved.shape, COLUMNS)?;
    let count = originals.len() / saved.shape.dim();
    output::file(&args.out, &png, &format!("{count} test images above their reconstructions are"))
}
