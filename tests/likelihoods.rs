//! The likelihoods against theory: probabilities sum to one; constants, means and limits are right.

mod common;

use std::f64::consts::{LN_2, PI};

use vae_gpu::gpu::{Program, Shared};
use vae_gpu::kernels::activation::softplus;
use vae_gpu::kernels::likelihood::categorical::{LEVELS, level_of};
use vae_gpu::kernels::likelihood::continuous_bernoulli::{log_normaliser, mean};
use vae_gpu::kernels::likelihood::gaussian_learned::{LOG_VAR_LIMIT, SHARED_LOG_VAR_LIMIT};
use vae_gpu::kernels::likelihood::{Likelihood, LikelihoodSettings, Passes, TABLE, Variance, find};
use vae_gpu::kernels::reference::Memory;
use vae_gpu::plan::{Step, Target, Tensor};
use vae_gpu::settings::Named;

/// The reference's results.
struct Found {
    /// log p(x|z) of each row.
    log_p: Vec<f64>,
    /// The gradient of -log p by the decoder's output, row by row with padding.
    d_out: Vec<f64>,
    /// The gradient by the likelihood's own parameter.
    d_own: Vec<f64>,
    /// E[x|z], row by row with padding.
    mean: Vec<f64>,
    /// log p of each value, likewise.
    values: Vec<f64>,
}

/// All passes of a likelihood over rows of `dim` values.
fn passes(likelihood: &Likelihood, settings: &LikelihoodSettings, rows: usize, dim: usize) -> Passes {
    Passes::new(likelihood, settings, &Target::PORTABLE, rows, dim)
}

/// Runs the references with the likelihood's `own` parameter, and each row's `out` and `x`.
fn run(passes: &Passes, own: &[f64], rows: &[(Vec<f64>, Vec<f64>)]) -> Found {
    let mut memory = Memory::new(&passes.plan);
    if let Some((tensor, _)) = passes.own {
        memory.floats(tensor)[..own.len()].copy_from_slice(own);
    }
    for (r, (out, x)) in rows.iter().enumerate() {
        memory.floats(passes.out)[r * passes.out.stride..][..out.len()].copy_from_slice(out);
        memory.floats(passes.x)[r * passes.x.stride..][..x.len()].copy_from_slice(x);
        memory.floats(passes.weight)[r] = 1.0;
    }
    memory.run(&passes.plan, &Step::default());
    let mut values = |tensor: Tensor| memory.floats(tensor)[..tensor.words()].to_vec();
    Found {
        log_p: values(passes.log_p)[..rows.len()].to_vec(),
        d_out: values(passes.out),
        d_own: passes.own.map(|(_, d_own)| values(d_own)).unwrap_or_default(),
        mean: values(passes.mean),
        values: values(passes.values),
    }
}

fn named(name: &str) -> &'static Likelihood {
    find(name).unwrap_or_else(|| panic!("no likelihood {name}"))
}

/// The possible values of a number: points with their weights in an integral over x, and the grey that each is shown
/// as.
struct Domain {
    points: Vec<f64>,
    worth: Vec<f64>,
    shown: Vec<f64>,
}

impl Domain {
    /// Real numbers from `a` to `b`, by Simpson's rule.
    fn reals(a: f64, b: f64) -> Domain {
        const LAST: usize = 20_000;
        let step = (b - a) / LAST as f64;
        let points: Vec<f64> = (0..=LAST).map(|i| a + i as f64 * step).collect();
        let factor = |i: usize| if i == 0 || i == LAST { 1.0 } else { [2.0, 4.0][i % 2] };
        let worth = (0..=LAST).map(|i| factor(i) * step / 3.0).collect();
        Domain { shown: points.clone(), points, worth }
    }

    /// `count` values, one point each, evenly spaced from black to white.
    fn steps(points: Vec<f64>) -> Domain {
        let last = points.len() - 1;
        let shown = (0..=last).map(|i| i as f64 / last as f64).collect();
        Domain { worth: vec![1.0; last + 1], points, shown }
    }

    fn of(likelihood: &Likelihood, settings: &LikelihoodSettings) -> Domain {
        match likelihood.name {
            "bernoulli" => Domain::steps(vec![0.0, 1.0]),
            "continuous-bernoulli" => Domain::reals(0.0, 1.0),
            "gaussian" | "gaussian-learned" => Domain::reals(-30.0, 30.0),
            "logistic" | "logistic-mixture" => {
                Domain::steps((0..=255).map(|v| f64::from(v) / 255.0).collect())
            }
            "categorical" => {
                // The first byte of each level.
                let levels = settings.levels;
                Domain::steps((0..levels).map(|k| (256 * k).div_ceil(levels) as f64 / 255.0).collect())
            }
            other => panic!("{other}: say what its x can be"),
        }
    }
}

/// Possible decoder outputs for one value: the output, and its bias followed by the constant.
fn decoded(likelihood: &Likelihood, settings: &LikelihoodSettings) -> Vec<(Vec<f64>, Vec<f64>)> {
    let outputs = |outputs: &[f64]| outputs.iter().map(|l| (vec![*l], vec![])).collect();
    match likelihood.name {
        "continuous-bernoulli" => {
            outputs(&[-40.0, -1.5, -1e-3, 0.0, 1e-9, 0.05, 0.0999, 0.1001, 0.999, 1.001, 3.0, 40.0])
        }
        // Beyond the limit, the log-variance equals the limit.
        "gaussian-learned" => [(0.4, -1.3), (-0.2, 2.0), (0.5, -30.0)]
            .map(|(mu, log_var)| match settings.variance {
                Variance::Global => (vec![mu], vec![log_var]),
                // A narrower density than this falls between the points.
                Variance::Shared | Variance::Optimal => (vec![mu], vec![f64::max(log_var, -LOG_VAR_LIMIT)]),
                Variance::Pixel => (vec![mu, 0.0, 0.0, 0.0, log_var], vec![]),
            })
            .into(),
        "categorical" => [0.0, 1.0, 90.0]
            .map(|scale| ((0..settings.levels).map(|k| scale * (k as f64 * 1.7).sin()).collect(), vec![]))
            .into(),
        // From a width of a tenth of a step to that of a hundred pictures, in the middle, at an end and beyond.
        "logistic" => [(0.4, -1.3), (0.998, -30.0), (-0.7, 4.0), (0.2, -4.5)]
            .map(|(mu, s)| (vec![mu, 0.0, 0.0, 0.0, s], vec![]))
            .into(),
        "logistic-mixture" => [0.3, 3.0].map(|scale| (mixture(settings, scale), vec![])).into(),
        _ => outputs(&[-3.0, 0.0, 0.3, 20.0]),
    }
}

/// The numbers of a pixel of a mixture, spread by `scale`; wide components and narrow ones.
fn mixture(settings: &LikelihoodSettings, scale: f64) -> Vec<f64> {
    let count = (named("logistic-mixture").output)(1, settings).columns();
    let of = |i: usize| scale * (i as f64 * 1.7 + 0.3).sin() - if i % 3 == 2 { 2.0 } else { 0.0 };
    (0..count).map(of).collect()
}

/// The probabilities of each distribution sum to one, and its mean is the one that pictures show, for every likelihood.
#[test]
fn probabilities_sum_to_one() {
    for likelihood in TABLE {
        for settings in likelihood.settings {
            let Domain { points, worth, shown } = Domain::of(likelihood, settings);
            let passes = passes(likelihood, settings, points.len(), 1);
            for (out, bias) in decoded(likelihood, settings) {
                let rows: Vec<_> = points.iter().map(|x| (out.clone(), vec![*x])).collect();
                let found = run(&passes, &bias, &rows);
                let shares: Vec<f64> =
                    found.log_p.iter().zip(&worth).map(|(p, worth)| p.exp() * worth).collect();
                let title = format!("{} {out:?} {bias:?}", (likelihood.title)(settings));
                let total: f64 = shares.iter().sum();
                assert!((total - 1.0).abs() < 1e-7, "{title}: sums to {total}");
                let mean: f64 = shares.iter().zip(&shown).map(|(share, shown)| share * shown).sum();
                // The mean of a logistic is that before it falls into a step.
                let bound = if likelihood.name.starts_with("logistic") { 0.51 / 255.0 } else { 1e-7 };
                assert!((found.mean[0] - mean).abs() < bound, "{title}: mean {}, not {mean}", found.mean[0]);
            }
        }
    }
}

#[test]
fn the_guide_lists_the_table() {
    let guide = include_str!("../src/guide/models.md");
    for likelihood in TABLE {
        let row = format!("| `{}` | {} |", likelihood.name, likelihood.about);
        assert!(guide.lines().any(|line| line == row), "src/guide/models.md lacks the line\n{row}");
    }
}

/// The gradient of each likelihood, in each of its settings, by all of its inputs.
#[test]
fn gradients_are_those_of_finite_differences() {
    const DIM: usize = 3;
    const H: f64 = 1e-5;
    for likelihood in TABLE {
        for settings in likelihood.settings {
            let output = (likelihood.output)(DIM, settings);
            let draws =
                |count: usize, phase: f64| (0..count).map(move |i| 2.0 * (phase + i as f64 * 1.3).sin());
            let own_width = output.own.as_ref().map_or(0, |(_, width)| *width);
            let (out, own): (Vec<f64>, Vec<f64>) =
                (draws(output.columns(), 0.4).collect(), draws(own_width, 0.9).collect());
            let x = vec![0.0, 0.4, 1.0];
            let passes = passes(likelihood, settings, 1, DIM);
            let at = |out: &[f64], own: &[f64]| run(&passes, own, &[(out.to_vec(), x.clone())]);
            let found = at(&out, &own);
            let gradient = [&found.d_out[..out.len()], &found.d_own[..own.len()]].concat();
            for (i, gradient) in gradient.into_iter().enumerate() {
                let loss = |step: f64| {
                    let (mut out, mut own) = (out.clone(), own.clone());
                    let past = i.checked_sub(out.len());
                    *past.map_or_else(|| &mut out[i], |i| &mut own[i]) += step;
                    -at(&out, &own).log_p[0]
                };
                let slope = (loss(H) - loss(-H)) / (2.0 * H);
                let title = (likelihood.title)(settings);
                assert!((gradient - slope).abs() < 1e-8, "{title}: {i}: {gradient} and {slope}");
            }
        }
    }
}

#[test]
fn a_perfect_gaussian_is_worth_its_constant() {
    let x: Vec<f64> = (0..784).map(|i| f64::from(i % 256) / 255.0).collect();
    let expected = -784.0 / 2.0 * (2.0 * PI).ln();
    let found =
        run(&passes(named("gaussian"), &LikelihoodSettings::DEFAULT, 1, 784), &[], &[(x.clone(), x.clone())]);
    assert!((found.log_p[0] - expected).abs() < 1e-9, "{} and {expected}", found.log_p[0]);

    // With log-variances s, each pixel costs s / 2 more.
    for variance in Variance::ALL.iter().copied() {
        let settings = LikelihoodSettings { variance, ..LikelihoodSettings::DEFAULT };
        let passes = passes(named("gaussian-learned"), &settings, 1, 784);
        let mut out = x.clone();
        if variance == Variance::Pixel {
            out.resize(2 * 784, -1.5);
        }
        let width = passes.own.map_or(0, |(own, _)| own.cols);
        let found = run(&passes, &vec![-1.5; width], &[(out, x.clone())]);
        let expected = expected + 784.0 * 1.5 / 2.0;
        assert!((found.log_p[0] - expected).abs() < 1e-9, "{variance:?}: {} and {expected}", found.log_p[0]);
    }
}

#[test]
fn the_log_variance_stops_at_its_limits() {
    for variance in Variance::ALL.iter().copied() {
        let settings = LikelihoodSettings { variance, ..LikelihoodSettings::DEFAULT };
        let passes = passes(named("gaussian-learned"), &settings, 1, 1);
        let limit = match variance {
            Variance::Global | Variance::Pixel => LOG_VAR_LIMIT,
            Variance::Shared | Variance::Optimal => SHARED_LOG_VAR_LIMIT,
        };
        let found = |s: f64| match variance {
            Variance::Global | Variance::Shared | Variance::Optimal => {
                let found = run(&passes, &[s], &[(vec![0.25], vec![0.5])]);
                (found.log_p, found.d_out[0], found.d_own[0])
            }
            Variance::Pixel => {
                let found = run(&passes, &[], &[(vec![0.25, 0.0, 0.0, 0.0, s], vec![0.5])]);
                (found.log_p, found.d_out[0], found.d_out[4])
            }
        };
        for sign in [-1.0, 1.0] {
            let (at, past) = (found(sign * limit), found(sign * 50.0));
            assert_eq!(at.0, past.0);
            assert_eq!((past.1, past.2), (at.1, 0.0));
            assert!(past.1 != 0.0, "the mean is still learned");
            assert!(found(sign * (limit - 0.1)).2 != 0.0);
        }
    }
}

/// Three times as many levels look like a single output to a counter that wraps.
#[test]
#[should_panic(expected = "levels")]
fn levels_past_any_counter_are_refused() {
    let settings = LikelihoodSettings { levels: (usize::MAX / 3) * 2 + 1, ..LikelihoodSettings::DEFAULT };
    passes(named("categorical"), &settings, 1, 3);
}

#[test]
fn levels_share_the_bytes() {
    for levels in LEVELS {
        let mut sizes = vec![0; levels];
        let mut last = 0;
        for byte in 0..=255u8 {
            // In 32 bits, as on the device.
            let level = level_of(f64::from(f32::from(byte) / 255.0), levels);
            assert_eq!(level, usize::from(byte) * levels / 256, "byte {byte} of {levels} levels");
            assert!(level == last || level == last + 1);
            sizes[level] += 1;
            last = level;
        }
        let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
        assert!(*least >= 1 && most - least <= 1, "{levels} levels: {sizes:?}");
    }
    let level = |x| level_of(x, 256);
    assert_eq!([level(-3.0), level(0.0), level(1.0), level(7.0)], [0, 0, 255, 255]);
}

/// (lambda, its logit, log C(lambda), mean) of the continuous Bernoulli, from the formulas of the paper (Loaiza-Ganem &
/// Cunningham 2019, equations 8 and 10) with 60 digits:
///
/// ```python
/// from mpmath import mp, mpf, log, atanh
/// mp.dps = 60
/// for s in [...]:
///     l = mpf(s)  # at 1/2: C = 2, mean = 1/2
///     print(s, log(l / (1 - l)), log(2 * atanh(1 - 2 * l) / (1 - 2 * l)), l / (2 * l - 1) + 1 / (2 * atanh(1 - 2 * l)))
/// ```
const CONTINUOUS_BERNOULLI: [(f64, f64, f64, f64); 12] = [
    (0.001, -6.906_754_778_648_554, 1.934_501_888_838_804_1, 0.143_783_793_671_001_94),
    (0.1, -2.197_224_577_336_219_6, 1.010_338_559_490_854, 0.330_119_613_313_418_7),
    (0.3, -0.847_297_860_387_203_6, 0.750_587_750_880_458_7, 0.430_222_501_143_828_65),
    (0.4999, -0.000_400_000_005_333_333_46, 0.693_147_193_893_278_8, 0.499_966_666_666_311_1),
    (0.499999, -4.000000000005334e-06, 0.693_147_180_561_278_7, 0.499_999_666_666_666_7),
    (0.5, 0.0, LN_2, 0.5),
    (0.500001, 4.000000000005334e-06, 0.693_147_180_561_278_7, 0.500_000_333_333_333_4),
    (0.5001, 0.000_400_000_005_333_333_46, 0.693_147_193_893_278_8, 0.500_033_333_333_688_9),
    (0.7, 0.847_297_860_387_203_6, 0.750_587_750_880_458_7, 0.569_777_498_856_171_3),
    (0.9, 2.197_224_577_336_219_6, 1.010_338_559_490_854, 0.669_880_386_686_581_3),
    (0.999, 6.906_754_778_648_554, 1.934_501_888_838_804_1, 0.856_216_206_328_998_1),
    (0.999999, 13.815_509_557_963_773, 2.625_793_842_095_558_4, 0.927_618_581_112_241_3),
];

#[test]
fn the_continuous_bernoulli_is_that_of_the_paper() {
    for (lambda, logit, log_c, expected_mean) in CONTINUOUS_BERNOULLI {
        assert!((log_normaliser(logit) - log_c).abs() < 1e-14, "{lambda}: log C {}", log_normaliser(logit));
        assert!((mean(logit) - expected_mean).abs() < 1e-14, "{lambda}: mean {}", mean(logit));
    }
    // Beyond every overflow: the density at the edge is |l|.
    for l in [1e3, 1e6, 1e30] {
        assert!((log_normaliser(l) - l.ln()).abs() < 1e-12, "{l}");
        assert!((mean(l) - 1.0).abs() < 1.1 / l && (mean(-l) * l - 1.0).abs() < 1e-12, "{l}");
    }
}

/// The f32 result. At x = 0, log p = log C - log(1 + e^l); the slope is -mean.
#[test]
fn the_gpus_continuous_bernoulli_is_that_of_the_paper() {
    let gpu = common::gpu();
    let edge = [1e-30, -1.0, 1.0, -0.999, 0.999, 30.0, -30.0, 87.0, -88.0, 1e4, -1e4];
    let rows: Vec<(f64, f64, f64)> = CONTINUOUS_BERNOULLI
        .map(|(_, l, log_c, mean)| (l, log_c, mean))
        .into_iter()
        .chain(edge.map(|l| (l, log_normaliser(l), mean(l))))
        .collect();
    let passes = passes(named("continuous-bernoulli"), &LikelihoodSettings::DEFAULT, rows.len(), 1);
    let mut program = Program::new(&gpu, passes.plan.clone(), &mut Shared::default()).unwrap();
    program.write_f32(passes.out, &rows.iter().map(|(l, ..)| *l as f32).collect::<Vec<_>>());
    program.write_f32(passes.x, &vec![0.0; rows.len()]);
    program.write_f32(passes.weight, &vec![1.0; passes.weight.cols]);
    program.submit(&[Step::default()]).unwrap();
    let [log_p, d_out, means] =
        [passes.log_p, passes.out, passes.mean].map(|tensor| program.read_f32(tensor).unwrap());
    for (i, (l, log_c, mean)) in rows.into_iter().enumerate() {
        let expected = log_c - softplus(l);
        let close = |got: f32, want: f64| (f64::from(got) - want).abs() <= 1e-6 * want.abs().max(1.0);
        assert!(close(log_p[i], expected), "l = {l}: log p {} and {expected}", log_p[i]);
        assert!(close(means[i], mean), "l = {l}: mean {} and {mean}", means[i]);
        assert!(close(d_out[i], mean), "l = {l}: slope {} and {mean}", d_out[i]);
    }
}

/// The closed form against its definition: the mean square error over rows that count, whatever the weight is; the running
/// mean is that of the first batches, and then forgets.
#[test]
fn the_optimal_variance_is_the_mean_square_error() {
    let settings = LikelihoodSettings { variance: Variance::Optimal, ..LikelihoodSettings::DEFAULT };
    let passes = passes(named("gaussian-learned"), &settings, 3, 2);
    let (own, _) = passes.own.unwrap();
    let mut memory = Memory::new(&passes.plan);
    // Distances 1, 2 and 3, 1; the last row is one of a short batch.
    memory.floats(passes.x)[..10].copy_from_slice(&[1.0, 2.0, 0.0, 0.0, 3.0, 1.0, 0.0, 0.0, 50.0, 70.0]);
    memory.floats(passes.weight)[..3].copy_from_slice(&[0.25, 0.25, 0.0]);
    let out = memory.floats(passes.out).to_vec();
    for (step, expected) in [(1, 3.75), (2, 3.75), (5000, 3.75)] {
        memory.floats(passes.out).copy_from_slice(&out);
        memory.run(&passes.plan, &Step { step, ..Step::default() });
        assert!((memory.floats(own)[0].exp() - expected).abs() < 1e-12, "{step}");
    }
    // Batches with errors 3.75 (twice), then 0: the second halves, a late one moves by a hundredth.
    memory.floats(passes.out).copy_from_slice(&out);
    memory.floats(passes.x)[..10].fill(0.0);
    for (step, expected) in [(2, 3.75 / 2.0), (100, 3.75 / 2.0 * 0.99), (9000, 3.75 / 2.0 * 0.99 * 0.99)] {
        memory.floats(passes.out).fill(0.0);
        memory.run(&passes.plan, &Step { step, ..Step::default() });
        assert!((memory.floats(own)[0].exp() - expected).abs() < 1e-4, "{step}");
    }
}

/// log p of a row is the sum of what each of its values is worth, for every likelihood.
#[test]
fn the_values_of_a_row_sum_to_its_log_p() {
    const DIM: usize = 6;
    for likelihood in TABLE {
        for settings in likelihood.settings {
            let output = (likelihood.output)(DIM, settings);
            let passes = passes(likelihood, settings, 2, DIM);
            let own = vec![0.4; output.own.as_ref().map_or(0, |(_, width)| *width)];
            let row = |phase: f64| {
                let out = (0..output.columns()).map(|i| (phase + i as f64 * 1.3).sin()).collect();
                (out, vec![0.0, 0.4, 1.0, 0.0, 1.0, 0.7])
            };
            let found = run(&passes, &own, &[row(0.1), row(2.0)]);
            for (log_p, values) in found.log_p.iter().zip(found.values.chunks(passes.values.stride)) {
                let sum: f64 = values[..DIM].iter().sum();
                assert!((sum - log_p).abs() < 1e-9, "{}: {sum}, not {log_p}", (likelihood.title)(settings));
            }
        }
    }
}

/// Of a pixel of two channels: the probabilities of all pairs sum to one, the values are the terms of the chain rule, and
/// the mean of the first channel is that of its probabilities.
#[test]
fn the_channels_of_a_mixture_share_a_distribution() {
    let settings = LikelihoodSettings { components: 2, channels: 2, ..LikelihoodSettings::DEFAULT };
    let likelihood = named("logistic-mixture");
    let width = (likelihood.output)(2, &settings).columns();
    let out: Vec<f64> =
        (0..width).map(|i| [0.4, 0.6, 0.3, -3.0, -2.5, 2.0, -0.3, 0.2, 0.9, -4.0, -1.5, -1.0][i]).collect();
    let passes = passes(likelihood, &settings, 256, 2);
    let byte = |v: u32| f64::from(v) / 255.0;
    let (mut total, mut mean) = (0.0, 0.0);
    for first in 0..256 {
        let rows: Vec<_> = (0..256).map(|second| (out.clone(), vec![byte(first), byte(second)])).collect();
        let found = run(&passes, &[], &rows);
        let share: f64 = found.log_p.iter().map(|log_p| log_p.exp()).sum();
        assert!(
            (found.values[0].exp() - share).abs() < 1e-9,
            "{first}: {} and {share}",
            found.values[0].exp()
        );
        total += share;
        mean += share * byte(first);
        if first == 255 {
            assert!((found.mean[0] - mean).abs() < 0.51 / 255.0, "{} and {mean}", found.mean[0]);
        }
    }
    assert!((total - 1.0).abs() < 1e-9, "{total}");
    // The second channel depends on the first.
    let at = |first| run(&passes, &[], &[(out.clone(), vec![first, 0.5])]).values[1];
    assert!((at(0.1) - at(0.9)).abs() > 0.1, "{} {}", at(0.1), at(0.9));
}

/// (mu, s, byte, log P, its derivatives by mu and s) of the logistic in 256 steps, by its definition with 700 digits:
///
/// ```python
/// from mpmath import mp, mpf, exp, log, diff
/// mp.dps = 700
/// def sigmoid(a): return 1 / (1 + exp(-a))
/// def log_P(mu, s, v):
///     x, h = mpf(v) / 255, mpf(1) / 510
///     high = mpf(1) if v == 255 else sigmoid((x - mu + h) * exp(-s))
///     low = mpf(0) if v == 0 else sigmoid((x - mu - h) * exp(-s))
///     return log(high - low)
/// for mu, s, v in [...]:
///     mu, s = mpf(mu), mpf(s)
///     print(log_P(mu, s, v), diff(lambda t: log_P(t, s, v), mu), diff(lambda t: log_P(mu, t, v), s))
/// ```
const LOGISTIC: [(f64, f64, u8, f64, f64, f64); 11] = [
    (0.5, -3.0, 128, -3.9280747367938913, 0.3953140618164812, -0.9989667128726675),
    (0.5, -7.99, 128, -0.693166001012342, 1475.6207076313342, -0.0002178225252461602),
    (0.25, -7.5, 64, -0.16263681555620924, 253.74197193481479, -0.28927763234041387),
    (0.9, 0.5, 0, -1.0021274292992028, -0.38387468862374335, 0.34473452429347934),
    (-40.0, -2.0, 0, -4.2919651016555854e-129, -3.1713570910785713e-128, -1.2686050199038026e-126),
    (-40.0, -2.0, 1, -299.1324492078551, 7.38905609893065, 294.5911506780728),
    (3.0, -1.0, 255, -0.0043219207393468614, 0.011722847752810663, -0.023468681481607228),
    (-3.0, -1.5, 255, -17.917968672256134, 4.481688996246835, 17.917968359504503),
    (0.31, 7.99, 77, -14.917557906280209, -4.6148529196025813e-10, -0.9999999999962165),
    (0.5, 4.0, 254, -10.927578545133855, 8.320731465738397e-05, -0.9999587224309219),
    (30.0, -7.9, 12, -80786.25015156264, -2697.282328268509, 80786.24985654726),
];

#[test]
fn the_logistic_is_its_definition_however_narrow_or_far_away() {
    let gpu = common::gpu();
    let likelihood = named("logistic");
    let passes = passes(likelihood, &LikelihoodSettings::DEFAULT, LOGISTIC.len(), 1);
    let rows: Vec<_> = LOGISTIC
        .iter()
        .map(|(mu, s, v, ..)| {
            (vec![*mu, 0.0, 0.0, 0.0, *s, 0.0, 0.0, 0.0], vec![f64::from(f32::from(*v) / 255.0)])
        })
        .collect();
    let found = run(&passes, &[], &rows);
    let mut program = Program::new(&gpu, passes.plan.clone(), &mut Shared::default()).unwrap();
    program.write_f32(
        passes.out,
        &rows.iter().flat_map(|(out, _)| out.iter().map(|v| *v as f32)).collect::<Vec<_>>(),
    );
    program.write_f32(passes.x, &rows.iter().map(|(_, x)| x[0] as f32).collect::<Vec<_>>());
    program.write_f32(passes.weight, &vec![1.0; passes.weight.cols]);
    program.submit(&[Step::default()]).unwrap();
    let [log_p, d_out] = [passes.log_p, passes.out].map(|tensor| program.read_f32(tensor).unwrap());
    for (i, (mu, s, v, expected, by_mu, by_s)) in LOGISTIC.into_iter().enumerate() {
        let at = format!("mu {mu}, s {s}, byte {v}");
        let close = |got: f64, want: f64, bound: f64| (got - want).abs() <= bound * want.abs().max(1.0);
        assert!(close(found.log_p[i], expected, 1e-12), "{at}: log P {}, not {expected}", found.log_p[i]);
        let (d_mu, d_s) = (-found.d_out[8 * i], -found.d_out[8 * i + 4]);
        assert!(close(d_mu, by_mu, 1e-9) && close(d_s, by_s, 1e-9), "{at}: {d_mu} {d_s}, not {by_mu} {by_s}");
        // In 32 bits x - mu is off by up to 2^-24, in units of the width; its slope is once more in those units.
        let bound = 2e-6 + 1e-7 * (-s).exp();
        let (log_p, d_mu, d_s) =
            (f64::from(log_p[i]), -f64::from(d_out[8 * i]), -f64::from(d_out[8 * i + 4]));
        assert!(close(log_p, expected, bound), "{at}: the device's log P {log_p}, not {expected}");
        let off = (d_mu - by_mu).abs() / (-s).exp().max(1.0);
        assert!(off <= bound && close(d_s, by_s, bound), "{at}: the device's {d_mu} {d_s}");
    }
}
