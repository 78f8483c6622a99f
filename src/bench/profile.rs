//! Where the time of a training step goes.

use serde::Serialize;

use super::ceilings::Ceilings;
use crate::kernels::matmul::shape_of;
use crate::plan::Dispatch;

/// The time of one dispatch.
#[derive(Clone, Debug, Serialize)]
pub struct KernelTime {
    /// Its label in the plan, such as `encoder.0`.
    pub label: String,
    /// The kernel.
    pub kernel: String,
    /// Layout and m x k x n of a product; rows x columns of the output for other kernels.
    pub shape: String,
    /// Milliseconds.
    pub ms: f64,
    /// 10^9 floating-point operations per second.
    pub gflops: f64,
    /// 10^9 bytes per second, with each input read and each output written once.
    pub gbps: f64,
    /// See [`Ceilings::share`].
    pub share_of_ceiling: f64,
}

impl KernelTime {
    pub(super) fn new(dispatch: &Dispatch, seconds: f64, ceilings: &Ceilings) -> KernelTime {
        KernelTime {
            label: dispatch.label.clone(),
            kernel: dispatch.kernel.label(),
            shape: shape(dispatch),
            ms: seconds * 1e3,
            gflops: dispatch.cost.flops as f64 / seconds / 1e9,
            gbps: dispatch.cost.bytes as f64 / seconds / 1e9,
            share_of_ceiling: ceilings.share(&dispatch.cost, seconds),
        }
    }

    /// Whether this is a product of matrices, or joins the parts of one.
    pub fn is_matmul(&self) -> bool {
        self.kernel.starts_with("matmul/")
    }
}

/// Every dispatch of a training step, timed alone.
#[derive(Clone, Debug, Serialize)]
pub struct Profile {
    /// The dispatches in the order of the plan.
    pub kernels: Vec<KernelTime>,
}

impl Profile {
    /// Milliseconds of all dispatches together.
    pub fn ms(&self) -> f64 {
        self.kernels.iter().map(|kernel| kernel.ms).sum()
    }

    /// The share of the time spent on matrix products.
    pub fn matmul_share(&self) -> f64 {
        let matmul: f64 = self.kernels.iter().filter(|k| k.is_matmul()).map(|k| k.ms).sum();
        matmul / self.ms()
    }

    /// The dispatches, the longest first.
    pub fn longest_first(&self) -> Vec<&KernelTime> {
        let mut kernels: Vec<_> = self.kernels.iter().collect();
        kernels.sort_by(|a, b| b.ms.total_cmp(&a.ms));
        kernels
    }
}

/// The shape of a dispatch.
pub(super) fn shape(dispatch: &Dispatch) -> String {
    if let Some((layout, [m, k, n])) = shape_of(dispatch) {
        return format!("{layout:?} {m}x{k}x{n}");
    }
    dispatch.tensors.last().map_or(String::new(), |last| format!("{}x{}", last.rows, last.cols))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::subjects::plan_of;
    use crate::bench::timing::Effort;
    use crate::bench::{default_model, profile};
    use crate::gpu::{Clock, Gpu};
    use crate::kernels::tuning::Tuning;
    use crate::plan::Target;
    use crate::train::config::TrainSection;

    fn profile_of(ms: &[(&str, f64)]) -> Profile {
        let kernel = |(kernel, ms): &(&str, f64)| KernelTime {
            label: String::new(),
            kernel: (*kernel).to_owned(),
            shape: String::new(),
            ms: *ms,
            gflops: 0.0,
            gbps: 0.0,
            share_of_ceiling: 0.0,
        };
        Profile { kernels: ms.iter().map(kernel).collect() }
    }

    #[test]
    fn the_share_of_matmul_is_by_time() {
        let profile = profile_of(&[("adam", 1.0), ("matmul/portable", 2.0), ("matmul/subgroup", 1.0)]);
        assert_eq!((profile.ms(), profile.matmul_share()), (4.0, 0.75));
        assert_eq!(profile.longest_first()[0].ms, 2.0);
    }

    #[test]
    fn rates_follow_from_the_work_and_the_time() {
        // On cards the sums of this product are divided.
        let plan = plan_of(&default_model(), Target::SOFTWARE, 128);
        let product = plan.dispatches.iter().find(|dispatch| shape(dispatch) == "NT 128x784x400").unwrap();
        let ceilings = Ceilings { gflops: 200.0, copy_gbps: 50.0, dispatch_us: 1.0 };
        let time = KernelTime::new(product, 1e-3, &ceilings);
        // 80 million operations and some for the activation; 4 bytes per number of operands and result.
        let (flops, bytes) =
            (2.0 * 128.0 * 784.0 * 400.0, 4.0 * (128.0 * 784.0 + 784.0 * 400.0 + 128.0 * 400.0));
        assert!(time.is_matmul() && time.ms == 1.0 && time.label == product.label);
        assert!((1.0..1.01).contains(&(time.gflops / (flops / 1e6))), "{time:?}");
        assert!((1.0..1.01).contains(&(time.gbps / (bytes / 1e6))), "{time:?}");
        assert!((time.share_of_ceiling / (time.gflops / 200.0) - 1.0).abs() < 1e-12, "{time:?}");
        let adam = plan.dispatches.iter().find(|dispatch| dispatch.kernel.name == "adam").unwrap();
        assert!(!KernelTime::new(adam, 1e-3, &ceilings).is_matmul());
    }

    #[test]
    fn without_timestamps_the_wall_clock_serves() {
        let (gpu, train) = (Gpu::noop(), TrainSection { batch_size: 4, ..TrainSection::default() });
        let ceilings = Ceilings { gflops: 1.0, copy_gbps: 1.0, dispatch_us: 1.0 };
        let profile =
            profile(&gpu, &default_model(), &train, &Tuning::default(), &ceilings, Effort::Quick).unwrap();
        assert_eq!(gpu.clock(), Clock::Wall);
        let plan = plan_of(&default_model(), gpu.target(), 4);
        let labels = |labels: &mut dyn Iterator<Item = &String>| labels.cloned().collect::<Vec<_>>();
        assert_eq!(
            labels(&mut profile.kernels.iter().map(|kernel| &kernel.label)),
            labels(&mut plan.dispatches.iter().map(|dispatch| &dispatch.label))
        );
        assert!(profile.kernels.iter().all(|kernel| kernel.ms > 0.0), "{profile:?}");
    }

    #[test]
    fn products_name_their_layout_and_shape() {
        let plan = plan_of(&default_model(), Target::PORTABLE, 128);
        let shapes: Vec<String> = plan.dispatches.iter().map(shape).collect();
        for expected in ["NT 128x784x400", "NN 128x784x400", "TN 784x128x400", "NT 128x20x400", "128x784"] {
            assert!(shapes.iter().any(|shape| shape == expected), "{expected} in {shapes:?}");
        }
    }
}
