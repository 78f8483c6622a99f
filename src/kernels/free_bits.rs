//! Free bits: a floor under the KL of each latent dimension (`shaders/free_bits.wgsl`).

use super::latent::kl;
use super::{elementwise, params, shader};
use crate::plan::{Call, Dispatch, Kernel, Plan, StepBounds, Tensor, read, write};

params! {
    /// See `shaders/free_bits.wgsl`.
    struct Params {
        latent: u32,
        vectors: u32,
        nats: f32,
    }
}

/// max(lambda, KL_j), and whether KL_j is above lambda.
pub static FREE_BITS: Kernel = Kernel::new(
    shader!("free_bits"),
    "main",
    Params::FIELDS,
    &[read(1, "head"), write(2, "floor_kl"), write(3, "kl_scale")],
    |call: &dyn Call| {
        let [head, floor_kl, kl_scale] = call.slots();
        let p: Params = crate::plan::params(call);
        let (rows, columns) = (call.step().valid_rows as usize, 4 * p.vectors as usize);
        let nats = f64::from(p.nats);
        for j in 0..columns {
            let of_datum = |datum: usize| {
                let (mu, log_var) = (head.get(datum, j), head.get(datum, columns + j));
                kl(mu, log_var)
            };
            let mean = (0..rows).map(of_datum).sum::<f64>() / rows as f64;
            let inside = j < p.latent as usize;
            floor_kl.set(j, if inside { mean.max(nats) } else { 0.0 });
            kl_scale.set(j, f64::from(u8::from(inside && mean > nats)));
        }
    },
)
.stepping();

/// Appends floor_kl [1, Z] and kl_scale [1, Z], from head [B, 2 P]; `nats` is lambda.
pub(crate) fn free_bits(plan: &mut Plan, nats: f32, head: Tensor, floor_kl: Tensor, kl_scale: Tensor) {
    assert_eq!(head.stride, 2 * floor_kl.stride, "head holds mu and log_var");
    assert_eq!(kl_scale.stride, floor_kl.stride, "a factor for each dimension");
    let params = Params { latent: floor_kl.cols as u32, vectors: floor_kl.vectors(), nats };
    plan.keep_within(StepBounds { batch: head.rows, ..StepBounds::ANY });
    plan.push(Dispatch {
        kernel: &FREE_BITS,
        label: "free bits".into(),
        consts: vec![],
        params: params.to_bytes(),
        tensors: vec![head, floor_kl, kl_scale],
        workgroups: [floor_kl.vectors(), 1, 1],
        cost: elementwise(4, &[floor_kl, kl_scale, head]),
    });
}
