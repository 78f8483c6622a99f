//! `vae-gpu latent-map`.

use super::coded::Coded;
use super::common_args::SplitArg;
use super::latent_args::{LatentMapArgs, MapMethod};
use super::output::{self, talk};
use super::progress;
use super::saved::{Chosen, Saved};
use crate::error::{Error, Result};
use crate::evaluate::{Pca, Tsne};
use crate::run::scatter::{MOST_CLASSES, Scatter};

pub fn run(args: &LatentMapArgs) -> Result<()> {
    output::check_picture("--out", &args.out)?;
    let saved = Saved::open(&args.run, &args.device)?;
    let latent = saved.model.latent;
    if latent < 2 {
        return Err(Error::Usage(
            "a map is of two latent dimensions or more, but this model has one: use `encode`".into(),
        ));
    }
    let method = args.method.unwrap_or(if latent == 2 { MapMethod::Dims } else { MapMethod::Pca });
    if args.perplexity.is_some() && method != MapMethod::Tsne {
        return Err(Error::Usage("--perplexity is for --method tsne: give that too, or leave it out".into()));
    }
    let Chosen { split, name, classes, .. } = saved.read(&args.source, SplitArg::All)?;
    let split = split.spaced(args.limit as usize);
    let Coded { mu, order, .. } = Coded::of(&mut saved.runner()?, (&split, name), saved.still())?;
    let (points, axes) = match method {
        MapMethod::Dims if latent == 2 || order.is_empty() => dims(&mu, latent, [0, 1]),
        MapMethod::Dims => dims(&mu, latent, [order[0], order[1]]),
        MapMethod::Pca => pca(&mu, latent),
        MapMethod::Tsne => tsne(&mu, latent, args.perplexity)?,
    };
    let labels = split.labels.as_deref().unwrap_or(&[]).to_vec();
    let known: std::collections::BTreeSet<_> = labels.iter().collect();
    if known.len() > MOST_CLASSES {
        talk(format_args!(
            "warning: {} labels are more than {MOST_CLASSES} colours: there are none",
            known.len()
        ));
    }
    let png = Scatter { points, labels, names: classes, axes }.png()?;
    output::file(&args.out, &png, &format!("the codes of {} are", output::counted(split.count, name)))
}

/// The places of data, and the titles of the axes.
type Plane = (Vec<(f64, f64)>, [String; 2]);

/// In the plane of two latent dimensions.
fn dims(mu: &[f32], latent: usize, axes: [usize; 2]) -> Plane {
    let place = |z: &[f32]| (f64::from(z[axes[0]]), f64::from(z[axes[1]]));
    (mu.chunks_exact(latent).map(place).collect(), axes.map(|axis| format!("mu of z_{axis}")))
}

/// In the plane of the first two principal components.
fn pca(mu: &[f32], latent: usize) -> Plane {
    let pca = Pca::of(mu, latent);
    let axis = |k: usize| {
        format!("principal component {} of mu, {:.1} % of the variance", k + 1, 100.0 * pca.explained[k])
    };
    let place = |z: &[f32]| (pca.project(z, 0), pca.project(z, 1));
    (mu.chunks_exact(latent).map(place).collect(), [axis(0), axis(1)])
}

/// By t-SNE, with the perplexity that is asked for or the usual one.
fn tsne(mu: &[f32], latent: usize, perplexity: Option<f64>) -> Result<Plane> {
    let count = mu.len() / latent;
    let tsne = match perplexity {
        Some(perplexity) => Tsne { perplexity },
        None => Tsne::usual(count).ok_or_else(|| {
            Error::Usage(format!(
                "--method tsne takes 4 data or more, and these are {count}: use --method pca"
            ))
        })?,
    };
    let (places, perplexity) = (progress::tsne(tsne, mu, latent)?, tsne.perplexity);
    let title = format!("t-SNE of mu, perplexity {perplexity}: near is alike, far says nothing");
    Ok((places.into_iter().map(<(f64, f64)>::from).collect(), [title, String::new()]))
}
