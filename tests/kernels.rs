//! Every kernel and variant against its CPU reference, on the adapter that `VAE_GPU_DEVICE` names or the best.

use std::sync::Arc;

use vae_gpu::gpu::{Gpu, Program, Shared};
use vae_gpu::kernels::matmul::{Epilogue, Layout, VARIANTS, Variant, matmul_with};
use vae_gpu::kernels::philox;
use vae_gpu::plan::{BINDING_ALIGN, Element, PAD, Plan, Role, Step, Tensor, round_up};

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

/// A tuning may pick any variant, and a checkpoint may be resumed under another tuning: all variants must give
/// the same bits.
#[test]
fn every_variant_of_matmul_gives_the_same_bits() {
    let gpu = common::gpu();
    let (m, k, n) = (37, 50, 45);
    for layout in [Layout::NN, Layout::NT, Layout::TN] {
        let mut expected: Option<(&str, Vec<f32>)> = None;
        for variant in VARIANTS.iter().filter(|v| v.fits(&gpu.target(), layout)) {
            let got = product(&gpu, variant, layout, (m, k, n));
            let (first, values) = expected.get_or_insert((variant.name, got.clone()));
            assert!(got == *values, "{layout:?}: {} and {first} differ", variant.name);
        }
    }
}

fn product(
    gpu: &Arc<Gpu>,
    variant: &'static Variant,
    layout: Layout,
    (m, k, n): (usize, usize, usize),
) -> Vec<f32> {
    let (a, b) = match layout {
        Layout::NN => ((m, k), (k, n)),
        Layout::NT => ((m, k), (n, k)),
        Layout::TN => ((k, m), (k, n)),
    };
    let mut plan = Plan::new("product");
    let (a, b) = (plan.tensor("a", a.0, a.1), plan.tensor("b", b.0, b.1));
    // Room behind c for the bias of a layer whose gradients these are: in TN the variants sum it, too.
    let [rows, stride] = [m, n].map(|length| round_up(length, PAD));
    let offset = round_up(rows * stride, BINDING_ALIGN);
    let buffer = plan.buffer("c", offset + rows, Element::F32, Role::Private);
    let c = Tensor { buffer, offset: 0, rows: m, cols: n, stride };
    let d_bias = Tensor { buffer, offset, rows: 1, cols: m, stride: rows };
    let epilogue = if layout == Layout::TN { Epilogue::Gradient(d_bias) } else { Epilogue::Store };
    matmul_with(&mut plan, variant, "product", layout, (a, b, c), epilogue);
    let mut program = Program::new(gpu, plan, &mut Shared::default()).unwrap();
    for (seed, tensor) in [(1, a), (2, b)] {
        let draw = |i: usize| philox::normals(philox::philox([i as u32, seed, 0, 0], [3, 4]))[0] as f32;
        program.write_f32(tensor, &(0..tensor.rows * tensor.cols).map(draw).collect::<Vec<_>>());
    }
    program.submit(&[Step::default()]).unwrap();
    [c, d_bias].map(|tensor| program.read_f32(tensor).unwrap()).concat()
}
