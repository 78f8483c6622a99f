//! The tuner: measures which matmul variant is fastest for a model's shapes on this adapter, and stores it.

mod cache;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use cache::{default_folder, load, save};

use crate::bench::{Product, Timed};
use crate::check;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernels::matmul::{self, Variant};
use crate::kernels::tuning::Tuning;
use crate::plan::{Plan, Step, Target};

/// Measurements whose median is taken: each is the difference of two times, so the smallest is not a bound.
const SAMPLES: usize = 5;
/// Target seconds per measurement.
const SECONDS: f64 = 0.02;
/// A candidate whose first launch is slower than the best by this factor is not measured further.
const HOPELESS: f64 = 4.0;

/// The tuner's result for one product.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The product.
    pub product: Product,
    /// The variant chosen without measurement, and its 10^9 operations per second.
    pub default: (&'static str, f64),
    /// The fastest variant, and its 10^9 operations per second.
    pub best: (&'static str, f64),
}

/// The products of a plan, without duplicates, in order.
pub fn products(plan: &Plan) -> Vec<Product> {
    let mut products = Vec::new();
    for (layout, [m, k, n]) in plan.dispatches.iter().filter_map(matmul::product_of) {
        let product = Product { layout, m, k, n };
        if !products.contains(&product) {
            products.push(product);
        }
    }
    products
}

/// Times every variant that fits `target`, with operands of the same precision, for each product. A variant that
/// disagrees with the reference is left out. `progress` is called with each product as it is done.
pub fn measure(
    gpu: &Arc<Gpu>,
    target: &Target,
    products: &[Product],
    progress: &mut dyn FnMut(&Finding),
) -> Result<Tuning> {
    let mut tuning = Tuning::default();
    let mut sound = Soundness::default();
    for product in products {
        let mkn = [product.m, product.k, product.n];
        let default = matmul::choose(target, product.layout, mkn);
        // The default first: the others are compared with it.
        let mut candidates: Vec<&'static Variant> = matmul::alike(target, product.layout, mkn).collect();
        // Barriers are so slow on software adapters that one launch of these takes as long as a measurement.
        candidates.retain(|v| target.f16 || !(target.software && v.uses_workgroup_memory()));
        candidates.sort_by_key(|v| v.name != default.name);
        let (mut best, mut default_seconds) = (None::<(&Variant, f64)>, f64::INFINITY);
        for variant in candidates {
            if !sound.of(gpu, product, variant)? {
                continue;
            }
            let bar = best.map_or(f64::INFINITY, |(_, seconds)| seconds);
            let seconds = time(gpu, product, variant, bar)?;
            if variant.name == default.name {
                default_seconds = seconds;
            }
            if seconds < bar {
                best = Some((variant, seconds));
            }
        }
        let Some((variant, seconds)) = best else { continue };
        tuning.insert(product.layout, mkn, variant);
        let gflops = |seconds: f64| product.flops() as f64 / seconds / 1e9;
        progress(&Finding {
            product: *product,
            default: (default.name, gflops(default_seconds)),
            best: (variant.name, gflops(seconds)),
        });
    }
    Ok(tuning)
}

/// The variants that agreed with the reference, by layout.
#[derive(Default)]
struct Soundness(BTreeMap<(u32, &'static str), bool>);

impl Soundness {
    fn of(&mut self, gpu: &Arc<Gpu>, product: &Product, variant: &'static Variant) -> Result<bool> {
        let id = (product.layout as u32, variant.name);
        if let Some(known) = self.0.get(&id) {
            return Ok(*known);
        }
        let outcomes = check::matmuls(gpu, &[(product.layout, variant)], &|_| ())?;
        let sound = outcomes.iter().all(|outcome| outcome.passed);
        if !sound {
            log::warn!(
                "{} disagrees with its reference in {:?} and is left out",
                variant.name,
                product.layout
            );
        }
        self.0.insert(id, sound);
        Ok(sound)
    }
}

/// Seconds of one product: the median of a few measurements, or the first launch's time if that is hopeless.
fn time(gpu: &Arc<Gpu>, product: &Product, variant: &'static Variant, bar: f64) -> Result<f64> {
    let mut timed = Timed::new(gpu, &product.plan(variant), Step::default())?;
    let first = timed.seconds(1)?;
    if first > HOPELESS * bar {
        return Ok(first);
    }
    let launches = (SECONDS / first).clamp(1.0, 1e4) as u64;
    let sample = |_| Ok(timed.seconds(launches)? / launches as f64);
    let mut seconds = (0..SAMPLES).map(sample).collect::<Result<Vec<f64>>>()?;
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[SAMPLES / 2])
}
