//! The reparameterised sample of a Gaussian posterior and its KL term (`shaders/latent.wgsl`).

use super::row_sum::RowSum;
use super::{bytes, elementwise, params, philox, shader};
use crate::plan::{
    Call, Const, Cost, Dispatch, Kernel, PAD, Plan, Reference, Slot, Target, Tensor, linear_grid, read,
    round_up, write,
};

params! {
    /// See `shaders/latent.wgsl`.
    struct Params {
        batch: u32,
        samples: u32,
        latent: u32,
        vectors: u32,
    }
}

impl Params {
    /// Column of log_var j in the head.
    fn log_var(&self, j: usize) -> usize {
        4 * self.vectors as usize + j
    }

    /// Columns of mu and of z that are padding.
    fn padding(&self) -> std::ops::Range<usize> {
        self.latent as usize..4 * self.vectors as usize
    }

    /// Rows of a datum's samples.
    fn rows(&self, datum: usize) -> std::ops::Range<usize> {
        datum * self.samples as usize..(datum + 1) * self.samples as usize
    }
}

/// The log-variance past which sigma is bounded and exp(log_var) goes on as its tangent (`shaders/shared/kl.wgsl`).
pub const LIMIT: f64 = 20.0;

/// sigma = exp(log_var / 2), bounded.
pub fn sigma(log_var: f64) -> f64 {
    (0.5 * log_var.min(LIMIT)).exp()
}

/// What exp(log_var) has gained of its tangent past the bound; zero below.
fn tangent(log_var: f64) -> f64 {
    LIMIT.exp() * (log_var - LIMIT).max(0.0)
}

/// The KL divergence of N(mu, exp(log_var)) from N(0, 1), in nats; see `shaders/shared/kl.wgsl`.
pub fn kl(mu: f64, log_var: f64) -> f64 {
    0.5 * (mu * mu + log_var.min(LIMIT).exp() - 1.0 - log_var + tangent(log_var))
}

/// The objective's weight on the KL term, in the form in which it enters the gradient.
#[derive(Clone, Copy, Debug)]
pub enum KlForm {
    /// Closed form: weight \[B\] per nat of a datum's KL.
    Closed(Tensor),
    /// The same, with dimension j multiplied by kl_scale\[j\]; kl_scale [1, Z].
    FreeBits(Tensor, Tensor),
    /// Sampled: weight [B K] per nat of a sample's log p(z) - log q(z|x).
    Sampled(Tensor),
}

const CLOSED: u32 = 0;
const FREE_BITS: u32 = 1;
const SAMPLED: u32 = 2;

const fn kernel(
    entry: &'static str,
    slots: &'static [Slot],
    variants: fn() -> Vec<Vec<Const>>,
    reference: Reference,
) -> Kernel {
    Kernel::new(shader!("latent"), entry, Params::FIELDS, slots, reference).stepping().in_variants(variants)
}

/// The noise of a sample's row, which belongs to its place in the whole batch.
fn eps(call: &dyn Call, p: &Params, row: usize, column: usize) -> f64 {
    let place = (call.step().first_place * p.samples) as usize + row;
    philox::normal(call, place, column, philox::STREAM_EPS)
}

/// z = mu + sigma eps, and the KL divergence from the prior.
pub static DRAW: Kernel =
    kernel("draw", &[read(1, "head"), write(6, "z"), write(7, "kl")], by_row, |call: &dyn Call| {
        let [head, z, kl_row] = call.slots();
        let p: Params = crate::plan::params(call);
        for datum in 0..p.batch as usize {
            let mut sum = 0.0;
            for j in 0..p.latent as usize {
                let (mu, log_var) = (head.get(datum, j), head.get(datum, p.log_var(j)));
                sum += kl(mu, log_var);
                for row in p.rows(datum) {
                    let eps = eps(call, &p, row, j);
                    z.put(row, j, mu + sigma(log_var) * eps);
                }
            }
            kl_row.set(datum, sum);
            for (row, j) in p.rows(datum).flat_map(|row| p.padding().map(move |j| (row, j))) {
                z.put(row, j, 0.0);
            }
        }
    })
    .with_nodes(|graph| {
        let [head, z] = [0, 1];
        let &[mu, log_var] = &graph.parts(head)?[..] else {
            return Err("its head is not mu and log_var".into());
        };
        let width = graph.tensor(z).cols;
        let eps = graph.input("eps", width, "draws from N(0, 1); zeros give z = mu");
        let (half, limit) = (graph.number(0.5), graph.number(LIMIT));
        let bounded = graph.apply("Min", &[log_var.value, limit]);
        let log_sigma = graph.apply("Mul", &[bounded, half]);
        let sigma = graph.apply("Exp", &[log_sigma]);
        let noise = graph.apply("Mul", &[sigma, eps]);
        let drawn = graph.apply("Add", &[mu.value, noise]);
        graph.set(z, drawn);
        Ok(())
    });

/// log p(z) - log q(z|x) of each sample.
pub static RATIO: Kernel = kernel(
    "ratio",
    &[read(1, "head"), read(2, "sample"), write(8, "log_ratio")],
    by_row,
    |call: &dyn Call| {
        let [head, sample, log_ratio] = call.slots();
        let p: Params = crate::plan::params(call);
        for datum in 0..p.batch as usize {
            for row in p.rows(datum) {
                let terms = (0..p.latent as usize).map(|j| {
                    let (z, log_var) = (sample.get(row, j), head.get(datum, p.log_var(j)));
                    let eps = eps(call, &p, row, j);
                    0.5 * (eps * eps + log_var - z * z - tangent(log_var))
                });
                let sum = terms.sum();
                log_ratio.set(row, sum);
            }
        }
    },
);

/// The gradient by mu and log_var, from the gradient by z and the weight on the KL term.
pub static BACKWARD: Kernel = kernel(
    "backward",
    &[read(1, "head"), read(3, "d_z"), read(4, "weight"), read(5, "kl_scale"), write(9, "d_head")],
    || [CLOSED, FREE_BITS, SAMPLED].map(|form| vec![("KL_FORM", form)]).to_vec(),
    |call: &dyn Call| {
        let [head, d_z, weight, kl_scale, d_head] = call.slots();
        let p: Params = crate::plan::params(call);
        let (form, beta) = (call.constant("KL_FORM"), f64::from(call.step().kl_weight));
        for datum in 0..p.batch as usize {
            for j in 0..p.latent as usize {
                let (mu, log_var) = (head.get(datum, j), head.get(datum, p.log_var(j)));
                let (sigma, bounded) = (sigma(log_var), log_var > LIMIT);
                let w = match form {
                    CLOSED => weight.at(datum),
                    FREE_BITS => weight.at(datum) * kl_scale.at(j),
                    _ => 0.0,
                };
                let (mut d_mu, mut d_log_var) = (w * mu, w * 0.5 * (sigma * sigma - 1.0));
                for row in p.rows(datum) {
                    let v = if form == SAMPLED { beta * weight.at(row) } else { 0.0 };
                    let eps = eps(call, &p, row, j);
                    let d = d_z.get(row, j) + v * (mu + sigma * eps);
                    d_mu += d;
                    // Past the bound sigma is constant, and of the log-ratio the tangent is left.
                    d_log_var += match bounded {
                        false => 0.5 * (d * eps * sigma - v),
                        true => 0.5 * v * (LIMIT.exp() - 1.0),
                    };
                }
                d_head.put(datum, j, d_mu);
                d_head.put(datum, p.log_var(j), d_log_var);
            }
            for j in p.padding() {
                d_head.put(datum, j, 0.0);
                d_head.put(datum, p.log_var(j), 0.0);
            }
        }
    },
);

/// Columns of the head for `latent` dimensions: mu and log_var, each padded.
pub fn head_columns(latent: usize) -> usize {
    2 * round_up(latent, PAD)
}

fn shape(head: Tensor, z: Tensor, samples: usize) -> Params {
    assert_eq!(head.stride, 2 * z.stride, "head holds mu and log_var");
    assert_eq!(Some(z.rows), head.rows.checked_mul(samples), "rows of z");
    Params { batch: head.rows as u32, samples: samples as u32, latent: z.cols as u32, vectors: z.vectors() }
}

/// How a row of z may be shared out. A batch of 128 is two workgroups with one invocation a row: little for software, and too
/// little for a card, where each draws all of a row's noise, one vector after the other.
const ROWS: [RowSum; 3] = [RowSum::of_lanes(1), RowSum::of_lanes(8), RowSum::of_lanes(32)];

/// How a row of so many vectors is shared out on `target`.
fn sharing_of(target: &Target, vectors: u32) -> RowSum {
    let [one, few, many] = ROWS;
    match vectors {
        _ if target.software => one,
        vectors if vectors <= few.lanes => few,
        _ => many,
    }
}

fn by_row() -> Vec<Vec<Const>> {
    ROWS.map(RowSum::consts).to_vec()
}

/// Appends z [B K, Z] and kl \[B\], from head [B, 2 P].
pub(crate) fn draw(plan: &mut Plan, target: &Target, samples: usize, head: Tensor, z: Tensor, kl: Tensor) {
    let rows = sharing_of(target, z.vectors());
    assert!(kl.cols >= head.rows, "a KL for each datum");
    plan.push(Dispatch {
        kernel: &DRAW,
        label: "z, kl".into(),
        consts: rows.consts(),
        params: shape(head, z, samples).to_bytes(),
        tensors: vec![head, z, kl],
        workgroups: rows.grid(z.rows),
        cost: elementwise(60, &[head, kl, z]),
    });
}

/// Appends log_ratio [B K], from head [B, 2 P] and z [B K, Z].
pub(crate) fn ratio(
    plan: &mut Plan,
    target: &Target,
    samples: usize,
    head: Tensor,
    z: Tensor,
    log_ratio: Tensor,
) {
    let rows = sharing_of(target, z.vectors());
    assert!(log_ratio.cols >= z.rows, "a ratio for each row");
    plan.push(Dispatch {
        kernel: &RATIO,
        label: "log p(z)/q(z|x)".into(),
        consts: rows.consts(),
        params: shape(head, z, samples).to_bytes(),
        tensors: vec![head, z, log_ratio],
        workgroups: rows.grid(z.rows),
        cost: Cost { flops: 60 * (z.rows * z.cols) as u64, bytes: bytes(&[head, z, log_ratio]) },
    });
}

/// Appends d_head [B, 2 P], from head and d_z [B K, Z].
pub(crate) fn backward(
    plan: &mut Plan,
    samples: usize,
    head: Tensor,
    d_z: Tensor,
    form: KlForm,
    d_head: Tensor,
) {
    let (number, weight, rows, scale) = match form {
        KlForm::Closed(weight) => (CLOSED, weight, head.rows, weight),
        KlForm::FreeBits(weight, scale) => {
            assert_eq!(scale.stride, d_z.stride, "a factor for each dimension");
            (FREE_BITS, weight, head.rows, scale)
        }
        KlForm::Sampled(weight) => (SAMPLED, weight, d_z.rows, weight),
    };
    assert!(weight.cols >= rows, "a weight for each row");
    assert_eq!((d_head.rows, d_head.stride), (head.rows, head.stride), "shape of d_head");
    plan.push(Dispatch {
        kernel: &BACKWARD,
        label: "d_head".into(),
        consts: vec![("KL_FORM", number)],
        params: shape(head, d_z, samples).to_bytes(),
        tensors: vec![head, d_z, weight, scale, d_head],
        workgroups: linear_grid(head.rows * d_z.stride / 4, super::WORKGROUP),
        cost: elementwise(40, &[head, d_z, weight, d_head]),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_or_thirty_two_lanes_share_a_row_on_cards() {
        for (vectors, lanes) in [(1, 8), (5, 8), (8, 8), (9, 32), (32, 32), (33, 32), (16_384, 32)] {
            assert_eq!(sharing_of(&Target::PORTABLE, vectors).lanes, lanes, "{vectors}");
            assert_eq!(sharing_of(&Target::SOFTWARE, vectors).lanes, 1, "{vectors}");
        }
    }
}
