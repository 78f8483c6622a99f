//! q(z|x) = N(mu(x), diag sigma^2(x)) with a standard normal prior (Kingma & Welling 2013).

use super::posterior::{Draw, KlTerm, Latent};
use crate::kernels::add;
use crate::kernels::free_bits::free_bits;
use crate::kernels::latent::{self, KlForm};
use crate::kernels::likelihood::Output;
use crate::model::tape::{Tape, Value};
use crate::plan::{PAD, Tensor, round_up};

/// See the module.
pub(in crate::model) struct Gaussian;

/// See the module.
pub(in crate::model) static GAUSSIAN: Gaussian = Gaussian;

impl Latent for Gaussian {
    fn name(&self) -> &'static str {
        "gaussian"
    }

    fn heads(&self, latent: usize) -> Output {
        Output::new(&[("encoder.mu", latent), ("encoder.log_var", latent)])
    }

    fn draw(&self, tape: &mut Tape, head: Value, latent: usize, samples: usize, term: KlTerm) -> Draw {
        let from = tape.read(head);
        let rows = from.rows * samples;
        let to = tape.plan.tensor("z", rows, latent);
        let (z, kl) = (tape.value("z", to), tape.row_terms("kl", from.rows));
        let kl_row = tape.peek(kl);
        latent::draw(&mut tape.plan, &tape.target, samples, from, to, kl_row);
        let mut draw = Draw { z, kl: Some(kl), log_ratio: None, floor_kl: None };
        let mut kl_scale = None;
        match term {
            KlTerm::Closed => {}
            KlTerm::FreeBits(nats) => {
                let [floor_kl, scale] =
                    ["floor_kl", "kl_scale"].map(|name| tape.plan.tensor(name, 1, latent));
                free_bits(&mut tape.plan, nats, from, floor_kl, scale);
                (draw.floor_kl, kl_scale) = (Some(floor_kl), Some(scale));
            }
            KlTerm::Sampled => {
                let log_ratio = tape.row_terms("log_ratio", rows);
                let row = tape.peek(log_ratio);
                latent::ratio(&mut tape.plan, &tape.target, samples, from, to, row);
                draw.log_ratio = Some(log_ratio);
            }
        }
        let trained = draw.log_ratio.unwrap_or(kl);
        tape.record(move |tape| {
            let weight = tape.gradient(trained).expect("the objective pays for the KL term");
            let form = match (term, kl_scale) {
                (KlTerm::Sampled, _) => KlForm::Sampled(weight),
                (_, Some(scale)) => KlForm::FreeBits(weight, scale),
                (_, None) => KlForm::Closed(weight),
            };
            let d_z = tape.gradient(z).expect("the decoder reads z");
            let d_head = tape.store_sink(head).expect("the encoder is trained");
            latent::backward(&mut tape.plan, samples, from, d_z, form, d_head);
        });
        draw
    }

    fn point(&self, tape: &mut Tape, head: Value, latent: usize) -> Value {
        // mu is the first part of the head. Layers rely on rows of their own length, so z is a matrix of its own.
        let mu = Tensor { cols: latent, ..tape.peek(head) };
        let z = tape.plan.tensor("z", mu.rows, latent);
        add::copy(&mut tape.plan, "z", mu, z);
        tape.data("z", z)
    }

    fn is_distribution(&self) -> bool {
        true
    }

    fn split(&self, latent: usize, head: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let padded = round_up(latent, PAD);
        let part = |from: usize| {
            let rows = head.chunks_exact(2 * padded).flat_map(|row| &row[from..from + latent]);
            rows.copied().collect()
        };
        (part(0), part(padded))
    }
}
