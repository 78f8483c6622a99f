//! `vae-gpu traverse` and `vae-gpu manifold`.

use super::coded::Coded;
use super::common_args::SplitArg;
use super::latent_args::{ManifoldArgs, TraverseArgs};
use super::output::{self, result};
use super::saved::{Picked, Saved};
use crate::error::{Error, Result};
use crate::evaluate::latent;
use crate::run::picture;

pub fn traverse(args: &TraverseArgs) -> Result<()> {
    output::check_picture("--out", &args.out)?;
    let saved = Saved::open_pictures(&args.run, &args.device)?;
    if !saved.model.has_kl() {
        return Err(Error::Usage("an autoencoder has no KL to order its dimensions by, and no prior".into()));
    }
    let Picked { codes: base, labels, data } = match &args.image {
        Some(image) => saved.codes_of(&[image], &args.source, args.label.as_deref())?,
        None => Picked {
            codes: vec![0.0; saved.model.latent],
            labels: saved.given_label(args.label.as_deref())?.into_iter().collect(),
            data: None,
        },
    };
    let data = match data {
        Some(data) => data,
        None => saved.read(&args.source, SplitArg::Test)?,
    };
    let Coded { kl, order: mut dims, .. } =
        Coded::of(&mut saved.runner()?, (&data.split, data.name), saved.still())?;
    dims.truncate(args.dims.map_or(kl.len(), |dims| dims as usize));
    let steps = args.steps as usize;
    let codes = latent::traverse(&base, &dims, steps);
    let count = dims.len() * steps;
    let labels: Vec<u32> = labels.iter().flat_map(|label| std::iter::repeat_n(*label, count)).collect();
    let images = saved.inference()?.decode((&codes[..], &labels[..]).into())?;
    let png = picture::grid_png(&images, saved.shape, steps)?;
    let what = match dims.len() {
        1 => "one latent dimension from -3 to 3 is".to_owned(),
        several => format!("{several} latent dimensions from -3 to 3 are"),
    };
    output::file(&args.out, &png, &what)?;
    if !output::is_stdout(&args.out) {
        for (row, dim) in dims.iter().enumerate() {
            result(format_args!("row {row:>3}: dimension {dim:>3}, KL {:.3} nats", kl[*dim]));
        }
    }
    Ok(())
}

pub fn manifold(args: &ManifoldArgs) -> Result<()> {
    output::check_picture("--out", &args.out)?;
    let saved = Saved::open_pictures(&args.run, &args.device)?;
    let latent = saved.model.latent;
    if latent != 2 {
        return Err(Error::Usage(format!(
            "a manifold is of two latent dimensions, but this model has {latent}\n  \
             train with --latent 2, or look at more dimensions with `vae-gpu traverse`"
        )));
    }
    if !saved.model.has_kl() {
        return Err(Error::Usage(
            "an autoencoder has no prior, and so no quantiles: use `latent-map`".into(),
        ));
    }
    let (side, label) = (args.steps as usize, saved.given_label(args.label.as_deref())?);
    let labels: Vec<u32> =
        label.into_iter().flat_map(|label| std::iter::repeat_n(label, side * side)).collect();
    let images = saved.inference()?.decode((&latent::manifold(side)[..], &labels[..]).into())?;
    let png = picture::grid_png(&images, saved.shape, side)?;
    output::file(&args.out, &png, &format!("{side} x {side} images at equal parts of the prior are"))
}
