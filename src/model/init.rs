//! Initial weights.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::config::ModelConfig;
use super::parameters::{Parameter, Parameters};
use crate::kernels::likelihood::moments;
use crate::settings::named;

named! {
    /// The initial distribution of weights and biases.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Init, default Pytorch {
        /// Weights and biases uniform in +-1/sqrt(inputs), as PyTorch's Linear
        Pytorch => "pytorch",
        /// Weights uniform in +-sqrt(6 / (inputs + outputs)) (Glorot & Bengio 2010), biases 0
        Xavier => "xavier",
        /// Weights uniform in +-sqrt(6 / inputs) (He et al. 2015), biases 0
        He => "he",
    }
}

impl Init {
    /// The bound of a parameter's uniform distribution, in a layer with `inputs` inputs.
    fn bound(self, parameter: &Parameter, inputs: usize) -> f64 {
        let (inputs, is_weight) = (inputs as f64, parameter.is_weight());
        match self {
            Init::Pytorch => 1.0 / inputs.sqrt(),
            Init::Xavier | Init::He if !is_weight => 0.0,
            Init::Xavier => (6.0 / (inputs + parameter.fan_out() as f64)).sqrt(),
            Init::He => (6.0 / inputs).sqrt(),
        }
    }
}

/// The arena of initial values. Parameters without inputs begin where they say. A pure function of its arguments.
pub fn initial_weights(parameters: &Parameters, init: Init, seed: u64) -> Vec<f32> {
    let mut arena = vec![0.0; parameters.words()];
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for parameter in parameters {
        let Some(inputs) = parameter.fan_in else {
            parameter.insert(&mut arena, &vec![parameter.start; parameter.len()]);
            continue;
        };
        let bound = init.bound(parameter, inputs) as f32;
        let values: Vec<f32> = (0..parameter.len()).map(|_| uniform(&mut rng) * bound).collect();
        parameter.insert(&mut arena, &values);
    }
    arena
}

/// Sets the bias of the decoder's last layer, and the likelihood's own parameter, to fit the data best without any z.
/// `marginals` holds the distinct values of each of a datum's numbers, with their counts.
pub fn fit_output_bias(
    config: &ModelConfig,
    parameters: &Parameters,
    arena: &mut [f32],
    marginals: &[Vec<(f64, u64)>],
) {
    let likelihood = config.likelihood().expect("the configuration was validated");
    let output = config.output();
    let names = output.heads.iter().map(|(name, _)| format!("{name}.bias"));
    let names = names.chain(output.own.iter().map(|(name, _)| name.clone()));
    let mut parts: Vec<(&Parameter, Vec<f32>)> = names
        .filter_map(|name| parameters.find(&name))
        .map(|parameter| (parameter, Vec::with_capacity(parameter.len())))
        .collect();
    // The last layer of a decoder of pictures has a bias for each channel, which fits the values of all positions.
    let channels = config.picture.map_or(config.input, |picture| picture.channels);
    // With the numbers of a pixel together, where a likelihood wants them so.
    let fit = |marginals: &[Vec<(f64, u64)>]| -> Vec<Vec<f64>> {
        let fits: Vec<_> =
            marginals.iter().map(|values| (likelihood.fit)(values, &config.settings)).collect();
        match likelihood.join {
            None => fits,
            Some(join) => {
                fits.chunks(config.settings.channels).map(|fits| join(fits, &config.settings)).collect()
            }
        }
    };
    let (whole, by_channel) = (fit(marginals), fit(&pooled(marginals, channels)));
    let mut at = 0;
    for (parameter, values) in &mut parts {
        let is_shared =
            output.own.as_ref().is_some_and(|(own, width)| *own == parameter.name && *width < config.input);
        if is_shared {
            // One constant for all values: what is left of them around their means.
            let around = |values: &Vec<(f64, u64)>| {
                let (mean, _) = moments(values);
                values.iter().map(move |(value, count)| (value - mean, *count)).collect::<Vec<_>>()
            };
            let distances: Vec<_> = marginals.iter().flat_map(around).collect();
            let fitted = (likelihood.fit)(&distances, &config.settings);
            values.extend(fitted.last().map(|constant| *constant as f32));
            continue;
        }
        // A last layer of pictures has fewer biases than its head has values.
        let by_channel_alone = output.heads.iter().any(|(head, width)| {
            parameter.name.strip_suffix(".bias") == Some(head) && parameter.len() < *width
        });
        let fits = if by_channel_alone { &by_channel } else { &whole };
        let share = parameter.len() / fits.len();
        values.extend(fits.iter().flat_map(|fitted| fitted.iter().skip(at).take(share)).map(|v| *v as f32));
        at += share;
    }
    for (parameter, values) in parts {
        parameter.insert(arena, &values);
    }
}

/// The values of each channel and their counts, over all positions.
fn pooled(marginals: &[Vec<(f64, u64)>], channels: usize) -> Vec<Vec<(f64, u64)>> {
    let mut pooled = vec![Vec::new(); channels];
    for (number, values) in marginals.iter().enumerate() {
        pooled[number % channels].extend_from_slice(values);
    }
    pooled
}

/// Uniform in (-1, 1).
fn uniform(rng: &mut impl Rng) -> f32 {
    rng.random::<f32>() * 2.0 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::likelihood::{LikelihoodSettings, Variance, continuous_bernoulli};
    use crate::model::Network;

    #[test]
    fn every_choice_has_its_range_and_its_biases() {
        let config = ModelConfig { input: 50, hidden: vec![30], ..ModelConfig::default() };
        let parameters = Network::new(&config).unwrap().parameters;
        let weight = parameters.find("encoder.0.weight").unwrap();
        for (init, bound, bias_is_zero) in [
            (Init::Pytorch, 1.0 / 50f32.sqrt(), false),
            (Init::Xavier, (6.0 / 80f32).sqrt(), true),
            (Init::He, (6.0 / 50f32).sqrt(), true),
        ] {
            let arena = initial_weights(&parameters, init, 1);
            let largest = weight.extract(&arena).into_iter().fold(0f32, |m, w| m.max(w.abs()));
            assert!((0.98 * bound..=bound).contains(&largest), "{init:?}: {largest}, bound {bound}");
            let biases = parameters.find("encoder.0.bias").unwrap().extract(&arena);
            assert_eq!(biases.iter().all(|b| *b == 0.0), bias_is_zero, "{init:?}");
        }
    }

    #[test]
    fn a_bias_of_a_channel_fits_all_positions() {
        let picture = crate::model::Extent { height: 2, width: 2, channels: 2 };
        let pixel = LikelihoodSettings { variance: Variance::Global, ..LikelihoodSettings::DEFAULT };
        let config = ModelConfig {
            input: 8,
            picture: Some(picture),
            likelihood: "gaussian-learned".into(),
            settings: pixel,
            decoder: Some("linear 2x2x3, conv 1".parse().unwrap()),
            ..ModelConfig::default()
        };
        let parameters = Network::new(&config).unwrap().parameters;
        let mut arena = initial_weights(&parameters, Init::He, 1);
        // The second channel is three at every other position, and zero elsewhere.
        let values: Vec<_> = (0..8).map(|i| vec![(if i % 4 == 1 { 3.0 } else { 0.0 }, 5)]).collect();
        fit_output_bias(&config, &parameters, &mut arena, &values);
        let find = |name: &str| parameters.find(name).unwrap().extract(&arena);
        assert_eq!(find("decoder.out.bias"), [0.0, 1.5]);
        assert_eq!(find("decoder.log_var").len(), 8);
    }

    #[test]
    fn fitted_biases_go_to_their_values_and_constants() {
        let values: Vec<_> = [0.0, 0.5, 1.0].map(|largest| vec![(0.0, 1), (largest, 1)]).to_vec();
        let fitted = |likelihood: &str, settings: LikelihoodSettings| {
            let config =
                ModelConfig { input: 3, likelihood: likelihood.into(), settings, ..ModelConfig::default() };
            let parameters = Network::new(&config).unwrap().parameters;
            let mut arena = initial_weights(&parameters, Init::He, 1);
            fit_output_bias(&config, &parameters, &mut arena, &values);
            let find = |name: &str| parameters.find(name).map(|p| p.extract(&arena)).unwrap_or_default();
            [
                find("decoder.out.bias"),
                find("decoder.log_var"),
                find("decoder.mu.bias"),
                find("decoder.log_var.bias"),
            ]
        };
        let log_var = |d: f64| ((0.25 * d).powi(2).max(1e-12).ln()).max(-7.0) as f32;
        let global = LikelihoodSettings { variance: Variance::Global, ..LikelihoodSettings::DEFAULT };
        let means = vec![0.0, 0.25, 0.5];
        let log_vars: Vec<f32> = [0.0, 1.0, 2.0].map(log_var).to_vec();
        assert_eq!(fitted("gaussian", global)[0], means);
        assert_eq!(fitted("gaussian-learned", global)[..2], [means.clone(), log_vars.clone()]);
        let pixel = LikelihoodSettings { variance: Variance::Pixel, ..global };
        assert_eq!(fitted("gaussian-learned", pixel)[2..], [means, log_vars]);
        // The mean of the variances 0, 1/16 and 1/4.
        let shared = LikelihoodSettings { variance: Variance::Shared, ..global };
        assert_eq!(fitted("gaussian-learned", shared)[1], [(5.0f64 / 48.0).ln() as f32]);
        let levels = LikelihoodSettings { levels: 2, ..global };
        let logits = &fitted("categorical", levels)[0];
        assert_eq!(logits.len(), 6);
        // The second value is 0 or 1/2 equally often, so both levels are equally likely.
        assert!((logits[2] - logits[3]).abs() < 1e-6 && logits[0] > logits[1], "{logits:?}");
    }

    /// A value that is always 0 or 1 may turn out otherwise once in a thousand times.
    #[test]
    fn fitted_logits_give_the_means_of_the_data() {
        let values: Vec<_> = [0.0, 0.3, 0.5, 0.8, 1.0].map(|mean| vec![(mean, 3)]).to_vec();
        let mean_of = |likelihood: &str, l: f64| match likelihood {
            "bernoulli" => 1.0 / (1.0 + (-l).exp()),
            _ => continuous_bernoulli::mean(l),
        };
        for likelihood in ["bernoulli", "continuous-bernoulli"] {
            let config = ModelConfig { input: 5, likelihood: likelihood.into(), ..ModelConfig::default() };
            let parameters = Network::new(&config).unwrap().parameters;
            let mut arena = vec![0.0; parameters.words()];
            fit_output_bias(&config, &parameters, &mut arena, &values);
            let logits = parameters.find("decoder.out.bias").unwrap().extract(&arena);
            for (l, expected) in logits.iter().zip([0.001, 0.3, 0.5, 0.8, 0.999]) {
                let got = mean_of(likelihood, f64::from(*l));
                assert!((got - expected).abs() < 1e-6, "{likelihood}: {got}, not {expected}");
            }
        }
    }
}
