//! Every kernel and variant against its CPU reference, on the adapter that `VAE_GPU_DEVICE` names or the best.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use vae_gpu::gpu::{Gpu, Program, Shared};
use vae_gpu::kernels::conv::{self, Geometry, SingleConv, Taps, Way, single_conv, single_gradient};
use vae_gpu::kernels::extent::Extent;
use vae_gpu::kernels::matmul::{
    Layout, SingleProduct, VARIANTS, Variant, alike, choose, named, single_product,
};
use vae_gpu::kernels::philox;
use vae_gpu::kernels::reference::Memory;
use vae_gpu::plan::{Step, Tensor};

mod common;

#[test]
fn every_kernel_agrees_with_its_reference() {
    let gpu = common::gpu();
    let outcomes = vae_gpu::check::run(&gpu, &|_| ()).unwrap();
    assert!(outcomes.len() > 500, "only {} cases", outcomes.len());
    let failures: Vec<String> =
        outcomes.iter().filter_map(|o| o.problem.as_ref().map(|p| format!("{}: {p}", o.label))).collect();
    assert!(
        failures.is_empty(),
        "{} failed on {}:\n{}",
        failures.len(),
        gpu.report().title(),
        failures.join("\n")
    );
}

/// A checkpoint may be resumed under another tuning, so all variants that a tuning may pick must give the same bits.
#[test]
fn variants_that_a_tuning_may_pick_give_the_same_bits() {
    let gpu = common::gpu();
    for layout in [Layout::NN, Layout::NT, Layout::TN] {
        let mut expected: Option<(&str, Vec<f32>)> = None;
        for variant in alike(&gpu.target(), layout, [37, 50, 45]) {
            let got = product(&gpu, variant, layout, [37, 50, 45]);
            let (first, values) = expected.get_or_insert((variant.name, got.clone()));
            assert!(got == *values, "{layout:?}: {} and {first} differ", variant.name);
        }
    }
}

/// A run may go on under another choice of tiles.
#[test]
fn convolutions_give_the_same_bits_by_every_variant() {
    let gpu = common::gpu();
    let fine = Extent { height: 13, width: 10, channels: 37 };
    let grey = Extent { channels: 1, ..fine };
    for (fine, taps) in [(fine, Taps::new(4, 2)), (fine, Taps::new(3, 1)), (grey, Taps::new(5, 3))] {
        let geometry = Geometry::from_fine(fine, 35, taps).unwrap();
        let of = |table: &'static [conv::Variant]| table.iter().filter(|variant| variant.fits(&gpu.target()));
        let bits = |single: SingleConv| {
            let output = single.output;
            let mut program = Program::new(&gpu, single.plan, &mut Shared::default()).unwrap();
            for (seed, tensor) in [1, 2].into_iter().zip(single.inputs) {
                program.write_f32(tensor, &operand(tensor, seed));
            }
            program.submit(&[Step::default()]).unwrap();
            program.read_f32(output).unwrap().into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        for way in [Way::Gather, Way::Scatter] {
            let mut all = of(conv::DATA).map(|v| (v.name, bits(single_conv(v, way, &geometry, 5))));
            let (first, expected) = all.next().unwrap();
            assert!(expected.iter().any(|word| *word != 0));
            all.for_each(|(name, got)| assert!(got == expected, "{way:?} {geometry:?}: {name} and {first}"));
        }
        let mut all = of(conv::WEIGHTS).map(|v| (v.name, bits(single_gradient(v, &geometry, 5))));
        let (first, expected) = all.next().unwrap();
        assert!(expected.iter().any(|word| *word != 0));
        all.for_each(|(name, got)| assert!(got == expected, "gradient {geometry:?}: {name} and {first}"));
    }
}

/// llvmpipe leaves the loops of an invocation after 65,535 rounds. `check` has the limits of each variant.
#[test]
fn long_sums_have_all_their_terms() {
    let gpu = common::gpu();
    for layout in Layout::ALL {
        let mkn = [3, 300_001, 5];
        let got = product(&gpu, choose(&gpu.target(), layout, mkn), layout, mkn);
        let SingleProduct { plan, a, b, c, .. } = single_product(named("portable-8x2").unwrap(), layout, mkn);
        let mut memory = Memory::new(&plan);
        for (seed, tensor) in [(1, a), (2, b)] {
            for (i, value) in operand(tensor, seed).into_iter().enumerate() {
                let at = i / tensor.cols * tensor.stride + i % tensor.cols;
                memory.floats(tensor)[at] = f64::from(value);
            }
        }
        memory.run(&plan, &Step::default());
        for (i, got) in got[..15].iter().enumerate() {
            let want = memory.floats(c)[i / 5 * c.stride + i % 5];
            assert!((f64::from(*got) - want).abs() < 0.05, "{layout:?} {i}: {got}, not {want}");
        }
    }
}

fn operand(tensor: Tensor, seed: u32) -> Vec<f32> {
    let draw = |i: usize| philox::normals(philox::philox([i as u32, seed, 0, 0], [3, 4]))[0] as f32;
    (0..tensor.rows * tensor.cols).map(draw).collect()
}

fn product(gpu: &Arc<Gpu>, variant: &'static Variant, layout: Layout, mkn: [usize; 3]) -> Vec<f32> {
    let SingleProduct { plan, a, b, c, d_bias } = single_product(variant, layout, mkn);
    let mut program = Program::new(gpu, plan, &mut Shared::default()).unwrap();
    for (seed, tensor) in [(1, a), (2, b)] {
        program.write_f32(tensor, &operand(tensor, seed));
    }
    program.submit(&[Step::default()]).unwrap();
    let results = [Some(c), d_bias].into_iter().flatten();
    results.flat_map(|tensor| program.read_f32(tensor).unwrap()).collect()
}

/// A lane that mistakes another for its neighbour would read words that were never written.
#[test]
fn a_variant_for_other_subgroups_is_refused() {
    let variant = VARIANTS.iter().copied().find(|v| v.lanes.is_some()).unwrap();
    assert!(refusal(variant).contains("for subgroups of Some"), "{}", refusal(variant));
}

#[test]
fn a_variant_for_other_matrices_is_refused() {
    let variant = VARIANTS.iter().copied().find(|v| v.cooperative() == Some(16)).unwrap();
    assert!(refusal(variant).contains("for matrices of 16"), "{}", refusal(variant));
}

/// The messages with which a device without either feature refuses a variant.
fn refusal(variant: &'static Variant) -> String {
    let gpu = Gpu::noop();
    assert!(!variant.fits(&gpu.target(), Layout::NN));
    let plan = single_product(variant, Layout::NN, [4, 4, 4]).plan;
    let refused =
        catch_unwind(AssertUnwindSafe(|| Program::new(&gpu, plan, &mut Shared::default()).map(drop)));
    *refused.expect_err("an assertion").downcast::<String>().unwrap()
}
