//! The GPU's generator: its words against the host's, its uniforms and normals against their distributions.
//!
//! Every draw is a pure function of the seeds below, so a test that passes once always passes. Bounds are four standard
//! errors of the statistic over [`COUNT`] independent draws, which chance exceeds once in 16,000 times.

mod common;

use std::f64::consts::{PI, SQRT_2};
use std::sync::Arc;

use vae_gpu::gpu::{Gpu, Program, Shared};
use vae_gpu::kernels::philox::{self, normals, philox, uniform};
use vae_gpu::kernels::random::{self, draws};
use vae_gpu::plan::{Element, Kernel, Step, Tensor};

const ROWS: usize = 1000;
const COLUMNS: usize = 1000;
const COUNT: usize = ROWS * COLUMNS;

/// Allowed deviation of a statistic, in standard errors.
const SIGMAS: f64 = 4.0;

/// The 0.1 % critical value of the Kolmogorov-Smirnov statistic times sqrt(n), for large n: the t of
/// 2 exp(-2 t^2) = 0.001, the first term of Kolmogorov's series.
const KOLMOGOROV: f64 = 1.9495;

/// A step with high bits in each half of the seed.
fn here() -> Step {
    Step { seed_lo: 0x9E37_79B9, seed_hi: 0x1234_5678, step: 17, ..Step::default() }
}

/// A kernel that writes bare draws, and the matrix [`ROWS`, `COLUMNS`] that it fills.
struct Draws {
    program: Program,
    out: Tensor,
}

impl Draws {
    fn new(gpu: &Arc<Gpu>, kernel: &'static Kernel) -> Draws {
        let (plan, out) = draws(kernel, ROWS, COLUMNS);
        Draws { program: Program::new(gpu, plan, &mut Shared::default()).unwrap(), out }
    }

    fn words(&mut self, step: Step) -> Vec<u32> {
        assert_eq!(self.out.stride, COLUMNS, "no padding");
        self.program.submit(&[step]).unwrap();
        self.program.read_words(self.out.buffer.0, 0, COUNT).unwrap()
    }

    fn floats(&mut self, step: Step) -> Vec<f64> {
        assert_eq!(self.program.plan().buffers()[self.out.buffer.0].element, Element::F32);
        self.words(step).into_iter().map(|word| f64::from(f32::from_bits(word))).collect()
    }
}

/// The host's generator calls for the matrix, in order.
fn calls(step: Step) -> impl Iterator<Item = [u32; 4]> {
    let call = move |i: usize| {
        let (row, vector) = (i / (COLUMNS / 4), i % (COLUMNS / 4));
        philox([step.step, row as u32, vector as u32, step.stream], [step.seed_lo, step.seed_hi])
    };
    (0..COUNT / 4).map(call)
}

/// Other positions of the generator, which must give other draws.
fn elsewhere() -> [(&'static str, Step); 6] {
    let here = here();
    [
        ("step", Step { step: here.step + 1, ..here }),
        ("stream", Step { stream: philox::STREAM_BINARIZE, ..here }),
        ("stream of evaluation", Step { stream: 16, ..here }),
        ("low seed", Step { seed_lo: here.seed_lo + 1, ..here }),
        ("high seed", Step { seed_hi: here.seed_hi + 1, ..here }),
        ("halves of the seed", Step { seed_lo: here.seed_hi, seed_hi: here.seed_lo, ..here }),
    ]
}

fn require(what: &str, value: f64, expected: f64, bound: f64) {
    println!("{what}: {value:.3e}, expected {expected:.3e} +- {bound:.1e}");
    assert!((value - expected).abs() <= bound, "{what}: {value:.3e}, expected {expected:.3e} +- {bound:.1e}");
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

/// The largest distance of the empirical distribution from `cdf`.
fn kolmogorov_smirnov(mut values: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len() as f64;
    let distance = |(i, value): (usize, &f64)| {
        let p = cdf(*value);
        (p - i as f64 / n).max((i + 1) as f64 / n - p)
    };
    values.iter().enumerate().map(distance).fold(0.0, f64::max)
}

/// Abramowitz & Stegun, Handbook of Mathematical Functions, 7.1.6:
/// erf x = 2 / sqrt(pi) exp(-x^2) sum_n 2^n x^(2n+1) / (1 3 .. (2n+1)). All terms have one sign, so nothing cancels.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > 1e-16 * sum.abs() {
        odd += 2.0;
        term *= 2.0 * x * x / odd;
        sum += term;
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}

/// Pearson's correlation; for independent draws its standard error is 1 / sqrt(n).
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let (mean_a, mean_b) = (mean(a.iter().copied()), mean(b.iter().copied()));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        (ab, aa, bb) = (ab + a * b, aa + a * a, bb + b * b);
    }
    ab / (aa * bb).sqrt()
}

fn uncorrelated(what: &str, a: &[f64], b: &[f64]) {
    let bound = SIGMAS / (a.len() as f64).sqrt();
    require(&format!("correlation with {what}"), correlation(a, b), 0.0, bound);
    // Reusing a radius shows only in the magnitudes.
    let squares = |values: &[f64]| values.iter().map(|v| v * v).collect::<Vec<_>>();
    require(
        &format!("correlation of squares with {what}"),
        correlation(&squares(a), &squares(b)),
        0.0,
        bound,
    );
}

#[test]
fn words_are_the_hosts_bit_for_bit() {
    let mut words = Draws::new(&common::gpu(), &random::WORDS);
    let all_ones = Step { seed_lo: u32::MAX, seed_hi: u32::MAX, step: u32::MAX, stream: u32::MAX, ..here() };
    for step in [here(), all_ones].into_iter().chain(elsewhere().map(|(_, step)| step)) {
        let got = words.words(step);
        let wrong = got.iter().zip(calls(step).flatten()).position(|(got, want)| *got != want);
        assert_eq!(wrong, None, "first wrong word at {step:?}");
    }
}

#[test]
fn uniforms_are_uniform() {
    let got = Draws::new(&common::gpu(), &random::UNIFORMS).floats(here());
    // Both sides are exact: 24 bits fit into an f32.
    let wrong = got.iter().zip(calls(here()).flatten()).position(|(got, word)| *got != uniform(word));
    assert_eq!(wrong, None, "first uniform that is not the host's");
    assert!(got.iter().all(|u| *u > 0.0 && *u < 1.0), "a uniform outside (0, 1)");

    let n = COUNT as f64;
    let mean_u = mean(got.iter().copied());
    require("mean", mean_u, 0.5, SIGMAS * (1.0 / 12.0 / n).sqrt());
    // The fourth central moment is 1/80, so the variance's own variance is (1/80 - 1/144) / n.
    let variance = mean(got.iter().map(|u| (u - mean_u) * (u - mean_u)));
    require("variance", variance, 1.0 / 12.0, SIGMAS * ((1.0 / 80.0 - 1.0 / 144.0) / n).sqrt());
    require("Kolmogorov-Smirnov", kolmogorov_smirnov(got, |u| u), 0.0, KOLMOGOROV / n.sqrt());
}

#[test]
fn normals_are_normal() {
    let got = Draws::new(&common::gpu(), &random::NORMALS).floats(here());
    let n = COUNT as f64;
    let want: Vec<f64> = calls(here()).flat_map(normals).collect();
    let errors = || got.iter().zip(&want).map(|(got, want)| (got - want).abs());
    require(
        "root mean square error",
        mean(errors().map(|e| e * e).collect::<Vec<_>>().into_iter()).sqrt(),
        0.0,
        1e-6,
    );
    // WGSL promises log to 2^-21 near 1, where its square root, the radius, is as small as 3e-4.
    require("largest error", errors().fold(0.0, f64::max), 0.0, 1e-3);

    // The standard errors of a normal sample's moments are the square roots of 1/n, 2/n, 6/n and 24/n.
    let mean_z = mean(got.iter().copied());
    require("mean", mean_z, 0.0, SIGMAS * (1.0 / n).sqrt());
    let moment = |power: i32| mean(got.iter().map(|z| (z - mean_z).powi(power)));
    let variance = moment(2);
    require("variance", variance, 1.0, SIGMAS * (2.0 / n).sqrt());
    require("skewness", moment(3) / variance.powf(1.5), 0.0, SIGMAS * (6.0 / n).sqrt());
    require("kurtosis", moment(4) / (variance * variance), 3.0, SIGMAS * (24.0 / n).sqrt());
    let cdf = |z: f64| 0.5 * (1.0 + erf(z / SQRT_2));
    require("Kolmogorov-Smirnov", kolmogorov_smirnov(got, cdf), 0.0, KOLMOGOROV / n.sqrt());
}

#[test]
fn draws_of_different_places_are_unrelated() {
    let mut draws = Draws::new(&common::gpu(), &random::NORMALS);
    let first = draws.floats(here());
    assert_eq!(first, draws.floats(here()), "one place, one draw");
    for (what, step) in elsewhere() {
        let there = draws.floats(step);
        let equal = first.iter().zip(&there).filter(|(a, b)| a == b).count();
        // Chance makes two normals equal about once in a million.
        assert!(equal < 20, "another {what}: {equal} of {COUNT} draws are equal");
        uncorrelated(&format!("another {what}"), &first, &there);
    }
    uncorrelated("the next row", &first[COLUMNS..], &first[..COUNT - COLUMNS]);
    // Columns 1 to 3 apart share a call of the generator; columns 4 apart use successive calls.
    for shift in 1..=4 {
        uncorrelated(&format!("column + {shift}"), &first[shift..], &first[..COUNT - shift]);
    }
}

#[test]
fn erf_is_right() {
    // By Python's math.erf.
    let table = [
        (0.0, 0.0),
        (0.5, 0.520499877813),
        (1.0, 0.842700792950),
        (2.0, 0.995322265019),
        (4.2, 0.999999997145),
    ];
    for (x, want) in table {
        require(&format!("erf {x}"), erf(x), want, 1e-12);
        require(&format!("erf -{x}"), erf(-x), -want, 1e-12);
    }
}
