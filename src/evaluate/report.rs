//! Everything measured on one data set, as `vae-gpu evaluate` prints it.

use std::collections::BTreeMap;
use std::f64::consts::LN_2;

use serde::Serialize;

use super::codes::Codes;
use super::terms::{Estimate, MOST, Terms, measured, score};
use crate::data::class_name;
use crate::kernels::latent;
use crate::model::ModelConfig;

/// A latent dimension is active if the variance of its mu over the data exceeds this (Burda et al. 2015, section 5.2).
const ACTIVE: f64 = 0.01;

/// The JSON output of the command `evaluate`. Terms are in nats per datum; those a model lacks are left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvaluationReport {
    /// `train`, `valid` or `test`.
    pub split: String,
    /// Number of data.
    pub count: usize,
    /// How many of them are beyond measure, and left out of every mean.
    #[serde(skip_serializing_if = "is_zero")]
    pub beyond_measure: usize,
    /// The kind of model, such as `vae`.
    pub model: String,
    /// The evidence lower bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elbo: Option<Estimate>,
    /// E_q[log p(x|z)], with one sample of z per datum.
    pub recon: Estimate,
    /// KL(q(z|x) || p(z)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl: Option<Estimate>,
    /// -ELBO / (D log 2): bits of a log density if the likelihood is a density, else of a probability.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_dim: Option<f64>,
    /// Mean over data and values of (x - E[x|z = mu])^2.
    pub mean_squared_error: f64,
    /// Latent dimensions whose mu has a variance over the data above 0.01.
    pub active_units: usize,
    /// The KL of each latent dimension, averaged over the data; they sum to `kl`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kl_per_dimension: Vec<f64>,
    /// -log p(x), by importance sampling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nll: Option<Nll>,
    /// The same per class, if the data has labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<LabelReport>,
}

/// The negative log-likelihood of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Nll {
    /// Samples of z per datum.
    pub samples: usize,
    /// Mean and standard error over the data.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// nll / (D log 2).
    pub bits_per_dim: f64,
}

/// One class of a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelReport {
    /// The name of the class.
    pub label: String,
    /// Number of its data.
    pub count: usize,
    /// The evidence lower bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elbo: Option<f64>,
    /// E_q[log p(x|z)].
    pub recon: f64,
    /// KL(q(z|x) || p(z)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl: Option<f64>,
    /// -log p(x).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nll: Option<f64>,
}

/// Sums over the codes of a data set, batch by batch.
#[derive(Clone, Debug, Default)]
pub struct CodeStatistics {
    count: usize,
    squared_error: f64,
    values: usize,
    mu: Vec<f64>,
    mu_squared: Vec<f64>,
    kl: Vec<f64>,
}

impl CodeStatistics {
    /// Empty sums for a model with `latent` dimensions.
    pub fn new(latent: usize) -> CodeStatistics {
        let zeros = vec![0.0; latent];
        CodeStatistics {
            mu: zeros.clone(),
            mu_squared: zeros.clone(),
            kl: zeros,
            ..CodeStatistics::default()
        }
    }

    /// Adds a batch without those of its data, by number, that are `left_out`.
    pub fn add_but(&mut self, codes: &Codes, left_out: impl Fn(usize) -> bool) {
        let count = codes.mu.len() / self.mu.len();
        let kept: Vec<usize> = (0..count).filter(|row| !left_out(codes.first + row)).collect();
        if kept.len() == count {
            return self.add(codes);
        }
        let rows = |values: &[f32]| {
            let width = values.len() / count;
            kept.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect()
        };
        let Codes { first, x, mu, log_var, z, mean } = codes;
        let [x, mu, log_var, z, mean] = [x, mu, log_var, z, mean].map(|values| rows(values));
        self.add(&Codes { first: *first, x, mu, log_var, z, mean });
    }

    /// Adds a batch of codes without those whose KL is beyond measure: nothing can be said of these rows.
    pub fn add_measured(&mut self, codes: &Codes) {
        let latent = self.mu.len();
        let nats = |row: usize| -> f64 {
            let log_var = |i: usize| codes.log_var.get(i).map_or(0.0, |log_var| f64::from(*log_var));
            let kl = |i: usize| latent::kl(f64::from(codes.mu[i]), log_var(i));
            (row * latent..(row + 1) * latent).map(kl).sum()
        };
        self.add_but(codes, |row| score(nats(row - codes.first)) >= MOST);
    }

    /// Number of data.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds a batch.
    pub fn add(&mut self, codes: &Codes) {
        let latent = self.mu.len();
        self.count += codes.mu.len() / latent;
        self.values += codes.x.len();
        let squares = codes.x.iter().zip(&codes.mean).map(|(x, mean)| f64::from(x - mean).powi(2));
        self.squared_error += squares.sum::<f64>();
        for (i, mu) in codes.mu.iter().map(|mu| f64::from(*mu)).enumerate() {
            self.mu[i % latent] += mu;
            self.mu_squared[i % latent] += mu * mu;
            if let Some(log_var) = codes.log_var.get(i).map(|log_var| f64::from(*log_var)) {
                self.kl[i % latent] += latent::kl(mu, log_var);
            }
        }
    }

    /// Mean of (x - E[x|z = mu])^2 over data and values.
    pub fn mean_squared_error(&self) -> f64 {
        self.squared_error / self.values.max(1) as f64
    }

    /// The KL of each dimension, averaged over the data.
    pub fn kl_per_dimension(&self) -> Vec<f64> {
        self.kl.iter().map(|kl| kl / self.count.max(1) as f64).collect()
    }

    /// Active latent dimensions.
    pub fn active_units(&self) -> usize {
        let n = self.count.max(1) as f64;
        let variances =
            self.mu.iter().zip(&self.mu_squared).map(|(sum, squares)| squares / n - (sum / n).powi(2));
        variances.filter(|variance| *variance > ACTIVE).count()
    }
}

/// The measurements of each datum.
#[derive(Clone, Copy, Debug)]
pub struct Measured<'a> {
    /// `train`, `valid` or `test`.
    pub split: &'a str,
    /// The terms of the ELBO.
    pub terms: &'a [Terms],
    /// -log p(x) of each datum, after the number of samples it was estimated from.
    pub nll: Option<(usize, &'a [f64])>,
    /// The class of each datum, and the names of the classes.
    pub labels: Option<(&'a [u32], &'a [String])>,
}

impl EvaluationReport {
    /// Combines the measurements.
    pub fn new(model: &ModelConfig, of_each: Measured, codes: &CodeStatistics) -> EvaluationReport {
        let Measured { split, terms, nll, labels } = of_each;
        let has_kl = model.has_kl();
        let bits = |nats: f64| nats / (model.input as f64 * LN_2);
        let sound = measured(terms);
        let estimate = |of: &dyn Fn(&Terms) -> f64| Estimate::of(sound.iter().map(of));
        let elbo = has_kl.then(|| estimate(&Terms::elbo));
        let nll_of = |(samples, values): (usize, &[f64])| {
            let estimate = nll_estimate(values.iter().copied());
            Nll { samples, estimate, bits_per_dim: bits(estimate.mean) }
        };
        EvaluationReport {
            split: split.to_owned(),
            count: terms.len(),
            beyond_measure: terms.iter().filter(|terms| !terms.is_measured()).count(),
            model: model.title(),
            elbo,
            recon: estimate(&|t| t.recon),
            kl: has_kl.then(|| estimate(&|t| t.kl)),
            bits_per_dim: elbo.map(|elbo| bits(-elbo.mean)),
            mean_squared_error: codes.mean_squared_error(),
            active_units: codes.active_units(),
            kl_per_dimension: if has_kl { codes.kl_per_dimension() } else { Vec::new() },
            nll: nll.map(nll_of),
            labels: labels.map_or_else(Vec::new, |labels| by_label(terms, nll.map(|n| n.1), labels, has_kl)),
        }
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The mean of -log p(x), without data beyond measure; where all are, the largest there can be.
fn nll_estimate(values: impl Iterator<Item = f64>) -> Estimate {
    let sound: Vec<f64> = values.filter(|nats| score(*nats) < MOST).collect();
    let worst = if sound.is_empty() { &[MOST][..] } else { &sound };
    Estimate::of(worst.iter().copied())
}

fn by_label(
    terms: &[Terms],
    nll: Option<&[f64]>,
    (labels, names): (&[u32], &[String]),
    has_kl: bool,
) -> Vec<LabelReport> {
    let mut classes: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    labels
        .iter()
        .take(terms.len())
        .enumerate()
        .for_each(|(i, label)| classes.entry(*label).or_default().push(i));
    let report = |(label, data): (u32, Vec<usize>)| {
        let sound = measured(&data.iter().map(|i| terms[*i]).collect::<Vec<_>>());
        let mean = |of: &dyn Fn(&Terms) -> f64| Estimate::of(sound.iter().map(of)).mean;
        LabelReport {
            label: class_name(names, label),
            count: data.len(),
            elbo: has_kl.then(|| mean(&Terms::elbo)),
            recon: mean(&|t| t.recon),
            kl: has_kl.then(|| mean(&|t| t.kl)),
            nll: nll.map(|nll| nll_estimate(data.iter().map(|i| nll[*i])).mean),
        }
    };
    classes.into_iter().map(report).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_give_their_statistics() {
        let mut statistics = CodeStatistics::new(3);
        // The first dimension's mu varies; the second's is far from zero but constant; the third's varies too little.
        let batch = |mu: f32| Codes {
            x: vec![0.0, 1.0],
            mean: vec![0.5, 1.0],
            mu: vec![mu, 3.0, mu / 20.0],
            log_var: vec![0.0, 1.0, 0.0],
            ..Codes::default()
        };
        for mu in [1.0, -1.0] {
            statistics.add(&batch(mu));
        }
        assert_eq!(statistics.active_units(), 1);
        assert_eq!(statistics.mean_squared_error(), 0.125);
        let kl = statistics.kl_per_dimension();
        for (kl, expected) in kl.iter().zip([0.5, (9.0 + 1f64.exp() - 2.0) / 2.0, 0.00125]) {
            assert!((kl - expected).abs() < 1e-8, "{kl} is not {expected}");
        }
    }

    #[test]
    fn what_is_beyond_measure_is_left_out_of_its_class_too_and_never_the_best() {
        let lost = f64::NAN;
        let terms = [(-3.0, 1.0), (lost, 0.0), (-5.0, 2.0), (lost, lost)];
        let terms = terms.map(|(recon, kl)| Terms { recon, kl });
        // An estimate may fail where the ELBO does not, and the other way round.
        let nll = [2.0, 9.0, f64::INFINITY, lost];
        let labels: Option<(&[u32], &[String])> = Some((&[0, 0, 0, 1], &[]));
        let measured = Measured { split: "test", terms: &terms, nll: Some((5, &nll)), labels };
        let report = EvaluationReport::new(&ModelConfig::default(), measured, &CodeStatistics::new(20));
        let [some, none] = &report.labels[..] else { panic!("two classes") };
        assert_eq!((some.elbo, some.recon, some.kl), (Some(-5.5), -4.0, Some(1.5)));
        assert_eq!((some.nll, report.nll.unwrap().estimate.mean), (Some(5.5), 5.5));
        // The same as the whole of data of which none can be measured.
        let all = Measured { split: "test", terms: &terms[3..], nll: Some((5, &nll[3..])), labels: None };
        let all = EvaluationReport::new(&ModelConfig::default(), all, &CodeStatistics::new(20));
        assert_eq!((none.elbo, none.kl, none.nll), (Some(-MOST), Some(0.0), Some(MOST)));
        assert_eq!((all.elbo.unwrap().mean, all.kl.unwrap().mean), (-MOST, 0.0));
        assert_eq!(all.nll.unwrap().estimate.mean, MOST);
    }

    #[test]
    fn rows_whose_code_overflows_count_for_no_dimension() {
        let codes = |mu: &[f32]| Codes { mu: mu.to_vec(), log_var: vec![0.0; mu.len()], ..Codes::default() };
        for lost in [f32::INFINITY, f32::NAN, 1e20] {
            let mut statistics = CodeStatistics::new(1);
            statistics.add_measured(&codes(&[1.0, lost, -1.0]));
            assert_eq!((statistics.count(), statistics.active_units()), (2, 1));
            assert_eq!(statistics.kl_per_dimension(), [0.5]);
            statistics.add_measured(&codes(&[lost]));
            assert_eq!((statistics.count(), statistics.active_units()), (2, 1));
        }
    }

    #[test]
    fn classes_are_told_apart() {
        let terms = [(-3.0, 1.0), (-5.0, 2.0), (-7.0, 3.0)].map(|(recon, kl)| Terms { recon, kl });
        let model = ModelConfig { input: 2, ..ModelConfig::default() };
        let nll = [1.0, 2.0, 4.0];
        let names = ["a", "b", "c"].map(str::to_owned);
        let labels: Option<(&[u32], &[String])> = Some((&[7, 2, 7], &names));
        let measured = Measured { split: "test", terms: &terms, nll: Some((5, &nll)), labels };
        let report = EvaluationReport::new(&model, measured, &CodeStatistics::new(20));
        let [two, seven] = &report.labels[..] else { panic!("two classes") };
        assert_eq!((two.label.as_str(), seven.label.as_str()), ("c", "7"));
        assert_eq!((two.count, two.elbo, two.nll), (1, Some(-7.0), Some(2.0)));
        assert_eq!((seven.count, seven.recon, seven.nll), (2, -5.0, Some(2.5)));
        assert!((report.bits_per_dim.unwrap() - 7.0 / (2.0 * LN_2)).abs() < 1e-12);
        let autoencoder = ModelConfig { kind: "ae".into(), ..model };
        let json =
            serde_json::to_value(EvaluationReport::new(&autoencoder, measured, &CodeStatistics::new(20)))
                .unwrap();
        assert!(
            json.get("elbo").is_none() && json.get("kl").is_none() && json.get("recon").is_some(),
            "{json}"
        );
    }
}
