//! Draws from the prior (`shaders/prior.wgsl`).

use super::{elementwise, params, philox, shader};
use crate::plan::{Call, Dispatch, Kernel, Plan, Tensor, linear_grid, write};

params! {
    /// See `shaders/prior.wgsl`.
    struct Params {
        batch: u32,
        latent: u32,
        vectors: u32,
        temperature: f32,
    }
}

/// z ~ N(0, temperature^2 I).
pub static PRIOR: Kernel =
    Kernel::new(shader!("prior"), "main", Params::FIELDS, &[write(1, "z")], |call: &dyn Call| {
        let [z] = call.slots();
        let p: Params = crate::plan::params(call);
        for row in 0..p.batch as usize {
            for j in 0..p.latent as usize {
                let eps = philox::normal(call, row, j, philox::STREAM_PRIOR);
                z.put(row, j, f64::from(p.temperature) * eps);
            }
        }
    })
    .stepping();

/// Appends z [B, Z], drawn from the prior.
pub(crate) fn prior(plan: &mut Plan, temperature: f32, z: Tensor) {
    let params = Params { batch: z.rows as u32, latent: z.cols as u32, vectors: z.vectors(), temperature };
    plan.push(Dispatch {
        kernel: &PRIOR,
        label: "z".into(),
        consts: vec![],
        params: params.to_bytes(),
        tensors: vec![z],
        workgroups: linear_grid(z.words() / 4, super::WORKGROUP),
        cost: elementwise(60, &[z]),
    });
}
