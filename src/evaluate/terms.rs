//! The terms of the ELBO, per datum and over a data set.

use serde::Serialize;

/// A mean over the data, with its standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean, in nats per datum.
    pub mean: f64,
    /// Standard deviation over the data / sqrt(count).
    pub standard_error: f64,
}

impl Estimate {
    /// The estimate from these values.
    pub fn of(values: impl Iterator<Item = f64>) -> Estimate {
        let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for value in values {
            n += 1.0;
            sum += value;
            squares += value * value;
        }
        let mean = sum / n;
        let variance = (squares / n - mean * mean).max(0.0) * n / (n - 1.0f64).max(1.0);
        Estimate { mean, standard_error: (variance / n).sqrt() }
    }
}

/// The largest score: of a datum whose terms exceed 32-bit floats, and so are beyond measure.
pub const MOST: f64 = f32::MAX as f64;

/// How strange a datum is to a model, in nats, from a result that may be no finite number.
pub fn score(nats: f64) -> f64 {
    if nats.is_finite() { nats.min(MOST) } else { MOST }
}

/// One datum's terms of the ELBO, in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Terms {
    /// log p(x|z) of one sample of z.
    pub recon: f64,
    /// KL(q(z|x) || p(z)); 0 in an autoencoder.
    pub kl: f64,
}

impl Terms {
    /// recon - kl.
    pub fn elbo(&self) -> f64 {
        self.recon - self.kl
    }

    /// -ELBO: the higher, the stranger. [`MOST`] if the terms are beyond measure.
    pub fn score(&self) -> f64 {
        score(-self.elbo())
    }

    /// Whether the terms are numbers that a mean can be taken of.
    pub fn is_measured(&self) -> bool {
        self.score() < MOST
    }
}

/// Data so unlike the others that they rule a mean, or are beyond measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outliers {
    /// How many.
    pub count: usize,
    /// How many of them are beyond measure. These are left out of means.
    pub beyond: usize,
    /// Number of the strangest.
    pub worst: usize,
    /// Its score, in nats.
    pub score: f64,
    /// The median of all scores.
    pub median: f64,
}

/// A score counts as an outlier's if it exceeds the median by this many times the median distance from it ..
const FAR: f64 = 1000.0;
/// .. which counts as this many nats or more.
const NEAR: f64 = 1.0;

impl Outliers {
    /// Those among these scores, if any.
    pub fn of(scores: &[f64]) -> Option<Outliers> {
        let median = |mut values: Vec<f64>| {
            let middle = values.len() / 2;
            *values.select_nth_unstable_by(middle, f64::total_cmp).1
        };
        let (worst, most) = scores.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let centre = median(scores.to_vec());
        let spread = median(scores.iter().map(|score| (score - centre).abs()).collect());
        let limit = (centre + FAR * spread.max(NEAR)).min(MOST);
        let count = scores.iter().filter(|score| **score > limit || **score >= MOST).count();
        let beyond = scores.iter().filter(|score| **score >= MOST).count();
        (count > 0).then_some(Outliers { count, beyond, worst, score: most, median: centre })
    }
}

/// The ELBO of a data set and its two terms, in nats per datum: elbo = recon - kl.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Number of data.
    pub count: usize,
    /// The evidence lower bound.
    pub elbo: Estimate,
    /// E_q[log p(x|z)], with one sample of z per datum.
    pub recon: Estimate,
    /// KL(q(z|x) || p(z)).
    pub kl: Estimate,
    /// Data far outside the others.
    pub outliers: Option<Outliers>,
}

impl Evaluation {
    /// The evaluation of these terms. Those beyond measure are left out of the means, unless all are.
    pub fn of(terms: &[Terms]) -> Evaluation {
        let outliers = Outliers::of(&terms.iter().map(Terms::score).collect::<Vec<_>>());
        let measured = measured(terms);
        let estimate = |of: &dyn Fn(&Terms) -> f64| Estimate::of(measured.iter().map(of));
        Evaluation {
            count: terms.len(),
            elbo: estimate(&Terms::elbo),
            recon: estimate(&|t| t.recon),
            kl: estimate(&|t| t.kl),
            outliers,
        }
    }
}

/// The terms that means are taken of: all but those beyond measure; where that is all of them, the worst there can be.
pub(super) fn measured(terms: &[Terms]) -> Vec<Terms> {
    let found: Vec<Terms> = terms.iter().filter(|terms| terms.is_measured()).copied().collect();
    match found.is_empty() && !terms.is_empty() {
        true => vec![Terms { recon: -MOST, kl: 0.0 }],
        false => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_measure_gets_the_largest_score_and_is_left_out_of_means() {
        let infinite = |recon: f64, kl: f64| Terms { recon, kl }.score();
        for score in [
            infinite(f64::NEG_INFINITY, 1.0),
            infinite(f64::NAN, 1.0),
            infinite(-1.0, f64::INFINITY),
            infinite(f64::NEG_INFINITY, f64::INFINITY),
            infinite(f64::INFINITY, f64::INFINITY),
            infinite(-3e38, 3e38),
        ] {
            assert_eq!(score, MOST);
        }
        let mut terms: Vec<Terms> = (0..9).map(|i| Terms { recon: -f64::from(i), kl: 1.0 }).collect();
        let plain = Evaluation::of(&terms);
        assert_eq!(plain.outliers, None);
        terms.insert(3, Terms { recon: f64::NAN, kl: 0.0 });
        let e = Evaluation::of(&terms);
        assert_eq!((e.count, e.elbo, e.kl), (10, plain.elbo, plain.kl));
        let outliers = e.outliers.unwrap();
        assert_eq!((outliers.count, outliers.beyond, outliers.worst, outliers.score), (1, 1, 3, MOST));
        let all = Evaluation::of(&[Terms { recon: f64::NAN, kl: 0.0 }; 2]);
        assert_eq!((all.elbo.mean, all.outliers.unwrap().beyond), (-MOST, 2));
    }

    #[test]
    fn a_score_far_from_the_others_is_an_outlier_and_stays_in_the_means() {
        let mut terms: Vec<Terms> = (0..100).map(|i| Terms { recon: -f64::from(i % 7), kl: 2.0 }).collect();
        terms[40].recon = -900.0;
        assert_eq!(Evaluation::of(&terms).outliers, None);
        terms[40].recon = -1e7;
        let e = Evaluation::of(&terms);
        let outliers = e.outliers.unwrap();
        assert_eq!((outliers.count, outliers.beyond, outliers.worst), (1, 0, 40));
        assert!(e.elbo.mean < -9e4 && outliers.median == 5.0);
    }

    #[test]
    fn summarises_means_and_standard_errors() {
        let e =
            Evaluation::of(&[(-3.0, 1.0), (-5.0, 2.0), (-7.0, 3.0)].map(|(recon, kl)| Terms { recon, kl }));
        assert_eq!((e.count, e.elbo.mean, e.recon.mean, e.kl.mean), (3, -7.0, -5.0, 2.0));
        // Sample standard deviations 3, 2 and 1, over sqrt(3).
        for (estimate, deviation) in [(e.elbo, 3.0), (e.recon, 2.0), (e.kl, 1.0)] {
            assert!((estimate.standard_error - deviation / 3f64.sqrt()).abs() < 1e-12);
        }
    }
}
