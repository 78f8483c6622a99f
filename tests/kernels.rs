//! Every kernel and variant against its CPU reference, on the adapter that `VAE_GPU_DEVICE` names or the best.

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
