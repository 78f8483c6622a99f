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
}

impl Evaluation {
    /// The evaluation of these terms.
    pub fn of(terms: &[Terms]) -> Evaluation {
        Evaluation {
            count: terms.len(),
            elbo: Estimate::of(terms.iter().map(Terms::elbo)),
            recon: Estimate::of(terms.iter().map(|t| t.recon)),
            kl: Estimate::of(terms.iter().map(|t| t.kl)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
