//! Every kernel in a shape of the default model, for the microbenchmarks.

use super::ceilings;
use super::matmul::{self, Product};
use super::profile::shape;
use crate::kernels::activation::Activation;
use crate::kernels::conv::{self, Geometry, Taps, Way};
use crate::kernels::extent::Extent;
use crate::kernels::flip::Mirror;
use crate::kernels::likelihood::{Likelihood, LikelihoodSettings, Passes, TABLE};
use crate::kernels::matmul::{KERNELS as PRODUCTS, Layout, Variant, spread_product};
use crate::kernels::{self, random};
use crate::model::plans::{self, Batch, DeviceData, Recipe};
use crate::model::{ModelConfig, Network};
use crate::plan::{Buffer, BufferId, Dispatch, Kernel, Plan, Step, Target};
use crate::train::config::TrainSection;

/// Rows per batch.
const BATCH: usize = 128;
/// Bytes copied.
const COPY_BYTES: u64 = 16 << 20;

/// A dispatch to time alone.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The kernel, as [`crate::check::Outcome::kernel`] names it.
    pub kernel: String,
    /// Its shape.
    pub shape: String,
    /// The dispatch and its buffers.
    pub plan: Plan,
    /// The scalars of its step.
    pub step: Step,
}

impl Subject {
    fn new(plan: Plan) -> Subject {
        let dispatch = &plan.dispatches[0];
        let step = Step {
            step: 1,
            valid_rows: BATCH as u32,
            correction1: 1.0,
            correction2: 1.0,
            kl_weight: 1.0,
            ..Step::default()
        };
        Subject { kernel: dispatch.kernel.label(), shape: shape(dispatch), plan, step }
    }

    /// Numbers in its largest tensor.
    pub fn elements(&self) -> u64 {
        let tensors = self.plan.dispatches.iter().flat_map(|dispatch| &dispatch.tensors);
        tensors.map(|tensor| (tensor.rows * tensor.cols) as u64).max().unwrap_or(0)
    }
}

/// Every kernel once, except matmul and the convolutions of other adapters.
pub fn subjects(target: &Target) -> Vec<Subject> {
    let plans: Vec<Plan> = [false, true]
        .map(|images| all_plans(Target { images, adam_in_buffers: false, ..*target }))
        .into_iter()
        .flatten()
        .collect();
    let mut subjects: Vec<Subject> = convolutions(&Target { images: true, ..*target })
        .map(|plan| Subject::new(alone(&plan, &plan.dispatches[0])))
        .collect();
    let apart = |kernel: &Kernel| is_product(kernel) || kernel.name.starts_with("conv/");
    for kernel in kernels::all().into_iter().filter(|kernel| !apart(kernel)) {
        // If several dispatches use the kernel, the one with the most work.
        let uses = plans.iter().flat_map(|plan| {
            let same = |d: &&Dispatch| d.kernel.name == kernel.name && d.kernel.entry == kernel.entry;
            plan.dispatches.iter().filter(same).map(move |dispatch| (plan, dispatch))
        });
        let most = uses.max_by_key(|(_, dispatch)| dispatch.cost.bytes);
        let (plan, dispatch) = most.unwrap_or_else(|| panic!("{} is in none of the plans", kernel.label()));
        subjects.push(Subject::new(alone(plan, dispatch)));
    }
    subjects
}

/// Whether it multiplies matrices: such kernels are timed by variant.
fn is_product(kernel: &Kernel) -> bool {
    PRODUCTS.iter().any(|product| std::ptr::eq(*product, kernel))
}

/// Each shader of a convolution that fits the target, in the second layer of 28 x 28 pictures: in its largest tile, both ways
/// and back.
fn convolutions(target: &Target) -> impl Iterator<Item = Plan> {
    let picture = |side, channels| Extent { height: side, width: side, channels };
    let geometry = Geometry::from_fine(picture(14, 32), 64, Taps::new(4, 2)).expect("the taps fit");
    let largest = move |table: &'static [conv::Variant], kernel: &'static Kernel| {
        let fitting = table.iter().filter(move |v| std::ptr::eq(v.kernel, kernel) && v.fits(target));
        fitting.max_by_key(|variant| variant.channels)
    };
    let data = conv::DATA_KERNELS.into_iter().filter_map(move |kernel| largest(conv::DATA, kernel));
    let weights = conv::WEIGHT_KERNELS.into_iter().filter_map(move |kernel| largest(conv::WEIGHTS, kernel));
    let gathers = data.map(move |variant| conv::single_conv(variant, Way::Gather, &geometry, BATCH).plan);
    gathers.chain(weights.map(move |variant| conv::single_gradient(variant, &geometry, BATCH).plan))
}

/// Every matmul variant that fits the target, in the largest product of each layout.
pub fn products(target: &Target) -> Vec<(Product, &'static Variant)> {
    matmul::cells(target, super::Effort::Quick)
}

/// Classes of the timed conditional model.
const CLASSES: usize = 10;
/// Ranks that measure a batch together in a timed model.
const RANKS: usize = 2;
/// Samples per datum of the timed importance-weighted model.
const SAMPLES: usize = 5;

/// Plans that use every kernel.
fn all_plans(target: Target) -> Vec<Plan> {
    let mut plans = vec![
        ceilings::multiply_add(1 << 14),
        ceilings::copy(COPY_BYTES),
        ceilings::latency(),
        // A step of the default model joins parts on cards alone.
        spread_product(Layout::NT, [BATCH, super::INPUT, super::default_model().hidden[0]]),
        plan_of(&ModelConfig { activation: Activation::Silu, ..super::default_model() }, target, BATCH),
    ];
    // The bare random draws, which only tests use.
    plans.extend(
        [&random::WORDS, &random::UNIFORMS, &random::NORMALS]
            .map(|k| random::draws(k, BATCH, super::INPUT).0),
    );
    let settings_of = |likelihood: &'static Likelihood| match likelihood.kernels {
        [_] => &[LikelihoodSettings::DEFAULT],
        // Each chooses kernels of its own.
        _ => likelihood.settings,
    };
    for (likelihood, settings) in TABLE.iter().flat_map(|l| settings_of(l).iter().map(move |s| (l, *s))) {
        let model = ModelConfig { likelihood: likelihood.name.into(), settings, ..super::default_model() };
        plans.push(plan_of(&model, target, BATCH));
        let network = network(&model);
        plans.push(plans::evaluate(&network, target, &batch(&model, BATCH), BATCH).plan);
        plans.push(plans::strangeness(&network, target, BATCH).plan);
        plans.push(plans::sample(&network, target, BATCH, 1.0).plan);
        // The ELBO fuses the backward pass with the forward pass, so these run them apart.
        plans.push(Passes::new(likelihood, &model.settings, &target, BATCH, model.input).plan);
    }
    let default = super::default_model();
    let flip = Some(Mirror { width: 28, channels: 1 });
    let all = Recipe { free_bits: 0.1, clip_norm: 1.0, flip, ..Recipe::default() };
    let told = ModelConfig { classes: CLASSES, ..default.clone() };
    plans.push(plans::train(&network(&told), target, &batch(&told, BATCH), &all, 64).plan);
    // Sums of layers, a gradient that several layers add to, and a gradient wider than needed.
    let encoder = "linear 400, residual(linear 400, linear 400 silu), relu, residual(tanh, linear 400)";
    let deep = ModelConfig {
        encoder: Some(encoder.parse().expect("layers")),
        decoder: Some("residual(linear 30 tanh), linear 400".parse().expect("layers")),
        ..told
    };
    plans.push(plan_of(&deep, target, BATCH));
    let pictures = ModelConfig {
        picture: Some(Extent { height: 28, width: 28, channels: 1 }),
        encoder: Some("conv 32x4/2, conv 64x4/2, linear 256".parse().expect("layers")),
        ..default.clone()
    };
    plans.push(plan_of(&pictures, target, BATCH));
    let normal = "conv 32x3 identity, norm group 4, relu, pool 2, conv 32x3, upsample 2, linear 20";
    let normal = ModelConfig { encoder: Some(normal.parse().expect("layers")), ..pictures };
    plans.push(plan_of(&normal, target, BATCH));
    let by_batch = "conv 32x3 identity, norm batch, relu, linear 20".parse().expect("layers");
    let by_batch = ModelConfig { encoder: Some(by_batch), ..normal };
    plans.push(plan_of(&by_batch, target, BATCH));
    plans.push(plans::evaluate(&network(&by_batch), target, &batch(&by_batch, BATCH), BATCH).plan);
    let together = Recipe { norm_ranks: Some(RANKS), ..Recipe::default() };
    plans.push(plans::gradients(&network(&by_batch), target, &batch(&by_batch, BATCH), &together, 64).plan);
    plans.push(plan_of(&ModelConfig { kind: "ae".into(), ..default.clone() }, target, BATCH));
    let iwae = ModelConfig { kind: "iwae".into(), ..default };
    let samples = Batch { samples: SAMPLES, ..batch(&iwae, BATCH) };
    plans.push(plans::train(&network(&iwae), target, &samples, &Recipe::default(), 64).plan);
    plans.push(plans::importance(&network(&iwae), target, &samples, BATCH, SAMPLES).plan);
    plans
}

fn network(model: &ModelConfig) -> Network {
    Network::new(model).expect("a model of ours")
}

/// The plan of a model's training step.
pub(super) fn plan_of(model: &ModelConfig, target: Target, size: usize) -> Plan {
    plans::train(&network(model), target, &batch(model, size), &Recipe::default(), 64).plan
}

fn batch(model: &ModelConfig, size: usize) -> Batch {
    let data = DeviceData::resident("train", size, TrainSection::default().binarize(model));
    Batch { data, size, samples: 1 }
}

/// One dispatch of a plan with only the buffers that it uses.
fn alone(plan: &Plan, dispatch: &Dispatch) -> Plan {
    let mut small = Plan::new(dispatch.label.clone());
    small.keep_within(plan.reach());
    let mut dispatch = dispatch.clone();
    for tensor in &mut dispatch.tensors {
        let buffer = &plan.buffers[tensor.buffer.0];
        let known = small.buffers.iter().position(|b| b.name == buffer.name);
        tensor.buffer = BufferId(known.unwrap_or_else(|| {
            small.buffers.push(Buffer { home: None, ..buffer.clone() });
            small.buffers.len() - 1
        }));
    }
    small.push(dispatch);
    small
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Needs;

    #[test]
    fn every_kernel_is_a_subject_or_a_product() {
        let software = Target { subgroup: Some(8), ..Target::SOFTWARE };
        for target in [Target::PORTABLE, Target { f16: true, ..Target::PORTABLE }, software] {
            let subjects = subjects(&target);
            assert!(subjects.iter().any(|subject| subject.kernel == "matmul/join"));
            for kernel in kernels::all() {
                let label = kernel.label();
                let named = subjects.iter().filter(|subject| subject.kernel == label).count();
                let product = is_product(kernel);
                let other = kernel.needs == Needs::Lanes && target.subgroup.is_none()
                    || kernel.name.ends_with("_f16") && !target.f16;
                assert_eq!(named, usize::from(!product && !other), "{label}");
            }
            let far = Step { valid_rows: BATCH as u32 + 1, history_row: u32::MAX, ..Step::default() };
            let reaching =
                ["objective:batch_sum", "objective:collect", "importance:accumulate", "gather", "condition"];
            for subject in subjects.iter().filter(|subject| reaching.contains(&subject.kernel.as_str())) {
                assert!(!subject.plan.reach().allows(&far), "{}", subject.kernel);
                assert!(subject.plan.reach().allows(&subject.step), "{}", subject.kernel);
            }
            assert!(subjects.iter().all(|s| s.plan.dispatches.len() == 1 && s.elements() > 0));
            assert!(!products(&target).is_empty());
        }
    }

    #[test]
    fn a_dispatch_alone_keeps_its_own_buffers_only() {
        let plan = plan_of(&super::super::default_model(), Target::PORTABLE, 8);
        let dispatch = plan.dispatches.iter().find(|d| d.kernel.name == "gather").unwrap();
        let alone = alone(&plan, dispatch);
        let names: Vec<_> = alone.buffers.iter().map(|b| b.name.as_str()).collect();
        assert_eq!(names, ["data.train", "order.train", "x"]);
    }
}
