//! `vae-gpu interpolate` and `vae-gpu animate`.

use super::latent_args::{AnimateArgs, InterpolateArgs, PathArgs};
use super::output;
use super::saved::Saved;
use crate::error::{Error, Result};
use crate::evaluate::latent::Path;
use crate::run::animation::Animation;
use crate::run::picture;

pub fn interpolate(args: &InterpolateArgs) -> Result<()> {
    output::check_picture("--out", &args.out)?;
    let saved = Saved::open_pictures(&args.path.run, &args.device)?;
    let images = images(&saved, &args.path)?;
    let png = picture::grid_png(&images, saved.shape, args.path.steps as usize)?;
    output::file(&args.out, &png, &format!("{} images from one to the other are", args.path.steps))
}

pub fn animate(args: &AnimateArgs) -> Result<()> {
    let kind = kind_of(&args.out)?;
    output::writes("--out", &args.out)?;
    let saved = Saved::open_pictures(&args.path.run, &args.device)?;
    let mut images = images(&saved, &args.path)?;
    let dim = saved.shape.dim();
    // Back again, without the ends: the last image turns, and the first begins the next round.
    for step in (1..args.path.steps as usize - 1).rev() {
        images.extend_from_within(step * dim..(step + 1) * dim);
    }
    let bytes = kind.encode(&images, saved.shape, args.fps)?;
    output::file(&args.out, &bytes, &format!("{} images there and back are", images.len() / dim))
}

fn kind_of(out: &std::path::Path) -> Result<Animation> {
    let extension = out.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("gif") => Ok(Animation::Gif),
        Some("png" | "apng") => Ok(Animation::Apng),
        _ if output::is_stdout(out) => Ok(Animation::Apng),
        _ => {
            Err(Error::Usage(format!("--out {}: an animation is a .gif, .png or .apng file", out.display())))
        }
    }
}

/// The images on the way, both ends included.
fn images(saved: &Saved, args: &PathArgs) -> Result<Vec<f32>> {
    let steps = args.steps as usize;
    let picked = saved.codes_of(&[&args.from, &args.to], &args.source, args.label.as_deref())?;
    let (from, to) = picked.codes.split_at(saved.model.latent);
    let path = if args.spherical { Path::Spherical } else { args.path };
    // A class cannot be half another: each half of the way has that of its end.
    let labels: Vec<u32> = match picked.labels[..] {
        [from, to] => (0..steps).map(|step| if 2 * step < steps { from } else { to }).collect(),
        _ => Vec::new(),
    };
    saved.inference()?.decode((&path.between(from, to, steps)[..], &labels[..]).into())
}
