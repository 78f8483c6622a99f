//! Codes of data, for the commands that show where they lie.

use super::progress;
use crate::data::Split;
use crate::error::Result;
use crate::evaluate::{CodeStatistics, Encoder, Runner};
use crate::kernels::gather::Binarize;

/// Mean codes of data, and how much each dimension tells of them.
pub struct Coded {
    /// mu [N, Z].
    pub mu: Vec<f32>,
    /// The KL of each dimension in nats; empty where z is a point.
    pub kl: Vec<f64>,
    /// The dimensions, the one with the largest KL first; empty likewise.
    pub order: Vec<usize>,
}

impl Coded {
    /// The codes of rows of a part, which `still` brings to x without chance.
    pub fn of(runner: &mut Runner, (split, part): (&Split, &str), still: Binarize) -> Result<Coded> {
        let (latent, has_kl) = (runner.model().latent, runner.model().has_kl());
        let mut encoder = Encoder::of_codes(runner, (split, part), still, false)?;
        let mut statistics = CodeStatistics::new(latent);
        let mut mu = Vec::with_capacity(split.count * latent);
        let bar = progress::bar("encoding", split.count);
        encoder.run(0, &mut |codes| {
            mu.extend_from_slice(&codes.mu);
            if has_kl {
                statistics.add_measured(codes);
            }
            bar.set_position(codes.first as u64);
            Ok(())
        })?;
        bar.finish_and_clear();
        let kl = if has_kl { statistics.kl_per_dimension() } else { Vec::new() };
        let mut order: Vec<usize> = (0..kl.len()).collect();
        order.sort_by(|a, b| kl[*b].total_cmp(&kl[*a]));
        Ok(Coded { mu, kl, order })
    }
}
