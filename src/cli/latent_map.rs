//! `vae-gpu latent-map`.

use super::coded::Coded;
use super::common_args::SplitArg;
use super::latent_args::LatentMapArgs;
use super::output::{self, talk};
use super::saved::{Chosen, Saved};
use crate::error::{Error, Result};
use crate::evaluate::Pca;
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
    let Chosen { split, name, classes, .. } = saved.read(&args.source, SplitArg::All)?;
    let split = split.spaced(args.limit as usize);
    let Coded { mu, .. } = Coded::of(&mut saved.runner()?, (&split, name), saved.still())?;
    let (points, axes) = plane(&mu, latent);
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

/// Places in the plane of two latent dimensions, or of the first two principal components of more.
fn plane(mu: &[f32], latent: usize) -> (Vec<(f64, f64)>, [String; 2]) {
    if latent == 2 {
        let points = mu.chunks_exact(2).map(|z| (f64::from(z[0]), f64::from(z[1]))).collect();
        return (points, ["mu of z_0".into(), "mu of z_1".into()]);
    }
    let pca = Pca::of(mu, latent);
    let points = mu.chunks_exact(latent).map(|z| (pca.project(z, 0), pca.project(z, 1))).collect();
    let axis = |k: usize| {
        format!("principal component {} of mu, {:.1} % of the variance", k + 1, 100.0 * pca.explained[k])
    };
    (points, [axis(0), axis(1)])
}
