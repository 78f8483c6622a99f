//! Draws of x from p(x|z), on the host: rows that are written to a file are few, and every likelihood says in a line how.

use std::f64::consts::TAU;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::settings::LikelihoodSettings;

/// Separates these random numbers from others drawn from the same seed.
const STREAM: &[u8; 16] = b"vae-gpu p(x|z)\0\0";

/// What a row is drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Decoded<'a> {
    /// The decoder's output: its parts side by side, each padded to whole vectors if there are several.
    pub out: &'a [f32],
    /// The likelihood's own parameter; empty without one.
    pub own: &'a [f32],
    /// The likelihood's settings.
    pub settings: &'a LikelihoodSettings,
}

/// The random numbers of one row.
pub struct Noise(ChaCha8Rng);

impl Noise {
    /// Those of row `row`: the same whatever rows are drawn beside it.
    pub fn of(seed: u64, row: u64) -> Noise {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&row.to_le_bytes());
        key[16..].copy_from_slice(STREAM);
        Noise(ChaCha8Rng::from_seed(key))
    }

    /// Between 0 and 1, both excluded.
    pub fn uniform(&mut self) -> f64 {
        (f64::from(self.0.next_u32()) + 0.5) / (f64::from(u32::MAX) + 1.0)
    }

    /// From N(0, 1), by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        let (radius, angle) = (self.uniform(), self.uniform());
        (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::likelihood::{Output, Pass, TABLE};
    use crate::kernels::reference::Memory;
    use crate::plan::{PAD, Plan, Step, Target, round_up};

    const DIM: usize = 5;
    const ROWS: usize = 4000;

    /// Where the numbers of an output's parts lie in a row, without the padding.
    fn places(output: &Output) -> Vec<usize> {
        let mut first = 0;
        let mut places = Vec::new();
        for (_, width) in &output.heads {
            places.extend(first..first + width);
            first += round_up(*width, PAD);
        }
        places
    }

    /// Draws have the mean that the kernel says, and the slopes of log p average to zero over them, as they do over the
    /// distribution itself: E[d log p / dl] = 0 for every parameter l.
    #[test]
    fn draws_of_every_likelihood_have_its_mean_and_no_slope() {
        for (likelihood, settings) in TABLE.iter().flat_map(|l| l.settings.iter().map(move |s| (l, s))) {
            let title = (likelihood.title)(settings);
            let output = (likelihood.output)(DIM, settings);
            let own_width = output.own.as_ref().map_or(0, |(_, width)| *width);
            let mut plan = Plan::new("draws");
            let out = plan.tensor("out", ROWS, output.columns());
            let mean = plan.tensor("mean", ROWS, DIM);
            let x = plan.tensor("x", ROWS, DIM);
            let weight = plan.tensor("weight", 1, ROWS);
            let own = (own_width > 0)
                .then(|| (plan.tensor("own", 1, own_width), Some(plan.tensor("d_own", ROWS, own_width))));
            likelihood.append(&mut plan, &Target::PORTABLE, settings, Pass::Mean { out, mean });
            likelihood.append(&mut plan, &Target::PORTABLE, settings, Pass::Backward { out, own, x, weight });
            let mut memory = Memory::new(&plan);
            let value = |i: usize| ((i * 37 % 61) as f64 - 30.0) * 0.05;
            let own_row: Vec<f32> = (0..own_width).map(|i| value(i + 3) as f32).collect();
            for row in 0..ROWS {
                let mut outputs = vec![0.0f32; out.stride];
                for place in places(&output) {
                    outputs[place] = value(place) as f32;
                }
                let decoded = Decoded { out: &outputs, own: &own_row, settings };
                let drawn = (likelihood.draw)(decoded, DIM, &mut Noise::of(7, row as u64));
                assert_eq!(drawn.len(), DIM, "{title}");
                if likelihood.bounded {
                    assert!(drawn.iter().all(|x| (0.0..=1.0).contains(x)), "{title}: {drawn:?}");
                }
                for (to, from) in memory.floats(out)[row * out.stride..].iter_mut().zip(&outputs) {
                    *to = f64::from(*from);
                }
                memory.floats(x)[row * x.stride..][..DIM]
                    .iter_mut()
                    .zip(&drawn)
                    .for_each(|(to, from)| *to = f64::from(*from));
                memory.floats(weight)[row] = -1.0;
            }
            if let Some((own, _)) = own {
                memory.floats(own)[..own_width]
                    .iter_mut()
                    .zip(&own_row)
                    .for_each(|(to, from)| *to = f64::from(*from));
            }
            memory.run(&plan, &Step { valid_rows: ROWS as u32, ..Step::default() });
            let column = |values: &[f64], stride: usize, col: usize| -> Vec<f64> {
                values.chunks(stride).take(ROWS).map(|row| row[col]).collect()
            };
            let near_zero = |values: Vec<f64>, what: &str| {
                let n = values.len() as f64;
                let mean = values.iter().sum::<f64>() / n;
                let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
                // What is hardly ever drawn may not be drawn at all.
                let error = (variance / n).sqrt().max(2.0 / n);
                assert!(mean.abs() < 5.0 * error, "{title}: {what} averages to {mean} +- {error}");
            };
            for d in 0..DIM {
                let means = column(memory.floats(mean), mean.stride, d);
                let drawn = column(memory.floats(x), x.stride, d);
                near_zero(drawn.iter().zip(&means).map(|(x, mean)| x - mean).collect(), &format!("x {d}"));
            }
            for place in places(&output) {
                near_zero(column(memory.floats(out), out.stride, place), &format!("the slope of {place}"));
            }
            if let Some((_, Some(d_own))) = own {
                for d in 0..own_width {
                    near_zero(column(memory.floats(d_own), d_own.stride, d), &format!("the slope of s {d}"));
                }
            }
        }
    }

    #[test]
    fn a_gaussian_of_variance_1_has_that_variance() {
        let draw = super::super::gaussian::GAUSSIAN.draw;
        let settings = LikelihoodSettings::DEFAULT;
        let decoded = Decoded { out: &[3.0, 0.0, 0.0, 0.0], own: &[], settings: &settings };
        let drawn: Vec<f64> =
            (0..20_000).map(|row| f64::from(draw(decoded, 1, &mut Noise::of(1, row))[0])).collect();
        let variance = drawn.iter().map(|x| (x - 3.0).powi(2)).sum::<f64>() / drawn.len() as f64;
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
    }

    #[test]
    fn a_row_is_the_same_whatever_is_drawn_beside_it() {
        let numbers = |seed, row| {
            let mut noise = Noise::of(seed, row);
            [noise.uniform(), noise.uniform(), noise.normal()]
        };
        assert_eq!(numbers(1, 2), numbers(1, 2));
        assert_ne!(numbers(1, 2), numbers(1, 3));
        assert_ne!(numbers(1, 2), numbers(2, 2));
    }
}
