//! Runs a model on rows from the host: encodes, decodes, reconstructs, samples, and computes the terms of the ELBO.

use super::runner::{Prepared, Runner, STREAM, seeded};
use super::terms::Terms;
use crate::error::{Error, Result};
use crate::kernels::likelihood::{Decoded, Noise};
use crate::model::plans::{self, Planned};
use crate::model::{ModelConfig, Network};
use crate::plan::{Step, Target, Tensor};

/// Rows per batch.
const BATCH: usize = 128;

/// Samples per batch. Part of what a seed means: draws are numbered by batch and row.
pub(crate) const SAMPLES: usize = 64;

/// Rows of numbers, with their classes if the model is conditional.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// N rows, one after another.
    pub values: &'a [f32],
    /// N classes; empty for a model without labels.
    pub labels: &'a [u32],
}

impl<'a> From<&'a [f32]> for Rows<'a> {
    fn from(values: &'a [f32]) -> Self {
        Rows { values, labels: &[] }
    }
}

impl<'a> From<&'a Vec<f32>> for Rows<'a> {
    fn from(values: &'a Vec<f32>) -> Self {
        Rows { values, labels: &[] }
    }
}

impl<'a, const N: usize> From<&'a [f32; N]> for Rows<'a> {
    fn from(values: &'a [f32; N]) -> Self {
        Rows { values, labels: &[] }
    }
}

impl<'a> From<(&'a [f32], &'a [u32])> for Rows<'a> {
    fn from((values, labels): (&'a [f32], &'a [u32])) -> Self {
        Rows { values, labels }
    }
}

/// A plan that is prepared on first use.
type Lazy = Option<Prepared<plans::RowPorts>>;

/// What is made of a batch that was decoded, whose first row has this number.
type Take<'a> = &'a dyn Fn(&Prepared<plans::RowPorts>, usize) -> Result<Vec<f32>>;

/// A model on a device.
pub struct Inference {
    runner: Runner,
    encode: Lazy,
    judge: Lazy,
    decode: Lazy,
    reconstruct: Lazy,
    strangeness: Lazy,
    /// The temperature of its draws, and the plan.
    sample: Option<(f32, Prepared<plans::RowPorts>)>,
}

impl Inference {
    /// Wraps a runner's model.
    pub fn new(runner: Runner) -> Inference {
        let [encode, judge, decode, reconstruct, strangeness] = [const { None }; 5];
        Inference { runner, encode, judge, decode, reconstruct, strangeness, sample: None }
    }

    /// The model's configuration.
    pub fn model(&self) -> &ModelConfig {
        self.runner.model()
    }

    /// mu and log_var [N, Z] of x [N, D]; log_var is empty in an autoencoder, and mu its z.
    ///
    /// # Errors
    /// [`Error::Usage`] if `x` is not a whole number of rows, or a conditional model gets no class for each;
    /// [`Error::Device`].
    pub fn encode(&mut self, x: Rows) -> Result<(Vec<f32>, Vec<f32>)> {
        let Inference { runner, encode, .. } = self;
        let plan =
            prepared(runner, encode, |network, target, batch| plans::judge(network, target, batch, false))?;
        let mut heads = Vec::new();
        each(
            runner.model(),
            plan,
            input(plan.ports.x),
            x,
            |_| Step::default(),
            |plan, count| {
                let head = plan.read(plan.ports.head)?;
                let width = head.len() / plan.ports.head.map_or(1, |head| head.rows);
                heads.extend_from_slice(&head[..count * width]);
                Ok(())
            },
        )?;
        Ok(runner.model().family().latent.split(runner.model().latent, &heads))
    }

    /// E[x|z] [N, D] of z [N, Z].
    ///
    /// # Errors
    /// As [`Inference::encode`].
    pub fn decode(&mut self, z: Rows) -> Result<Vec<f32>> {
        let Inference { runner, decode, .. } = self;
        let plan = prepared(runner, decode, plans::decode)?;
        means(runner.model(), plan, input(plan.ports.z), z)
    }

    /// Draws from p(x|z) [N, D] for z [N, Z]. Row i is the same whatever rows are drawn with it, if `first` numbers the
    /// first of them.
    ///
    /// # Errors
    /// As [`Inference::encode`].
    pub fn draw(&mut self, z: Rows, seed: u64, first: u64) -> Result<Vec<f32>> {
        let Inference { runner, decode, .. } = self;
        let plan = prepared(runner, decode, plans::decode)?;
        let (mut x, mut row) = (Vec::new(), first);
        let model = runner.model();
        each(
            model,
            plan,
            input(plan.ports.z),
            z,
            |_| Step::default(),
            |plan, count| {
                x.extend(drawn(model, plan, count, seed, row)?);
                row += count as u64;
                Ok(())
            },
        )?;
        Ok(x)
    }

    /// E[x|z] [N, D] at the mean of q(z|x) of each row of x [N, D].
    ///
    /// # Errors
    /// As [`Inference::encode`].
    pub fn reconstruct(&mut self, x: Rows) -> Result<Vec<f32>> {
        let Inference { runner, reconstruct, .. } = self;
        let plan = prepared(runner, reconstruct, plans::reconstruct)?;
        means(runner.model(), plan, input(plan.ports.x), x)
    }

    /// E[x|z] and -log p(x|z) of each value, both [N, D], at the mean of q(z|x) of each row of x [N, D]: where a datum is
    /// strange to the model, and what it makes of it.
    ///
    /// # Errors
    /// As [`Inference::encode`].
    pub fn strangeness(&mut self, x: Rows) -> Result<(Vec<f32>, Vec<f32>)> {
        let Inference { runner, strangeness, .. } = self;
        let plan = prepared(runner, strangeness, plans::strangeness)?;
        let (model, mut means, mut nats) = (runner.model(), Vec::new(), Vec::new());
        each(
            model,
            plan,
            input(plan.ports.x),
            x,
            |_| Step::default(),
            |plan, count| {
                let values = count * model.input;
                means.extend_from_slice(&plan.read(plan.ports.mean)?[..values]);
                nats.extend(plan.read(plan.ports.values)?[..values].iter().map(|log_p| -log_p));
                Ok(())
            },
        )?;
        Ok((means, nats))
    }

    /// The terms of the ELBO of each row of x [N, D], with one sample of z per row drawn from `seed`.
    ///
    /// # Errors
    /// As [`Inference::encode`].
    pub fn terms(&mut self, x: Rows, seed: u64) -> Result<Vec<Terms>> {
        let Inference { runner, judge, .. } = self;
        let plan =
            prepared(runner, judge, |network, target, batch| plans::judge(network, target, batch, true))?;
        let mut terms = Vec::new();
        let step = |number| Step { step: number, stream: STREAM, ..seeded(seed) };
        each(runner.model(), plan, input(plan.ports.x), x, step, |plan, count| {
            let (log_p, kl) = plan.ports.terms.expect("the plan was made with terms");
            let (log_p, kl) = (plan.read(Some(log_p))?, plan.read(Some(kl))?);
            let pairs = log_p.iter().zip(&kl).take(count);
            terms.extend(pairs.map(|(recon, kl)| Terms { recon: f64::from(*recon), kl: f64::from(*kl) }));
            Ok(())
        })?;
        Ok(terms)
    }

    /// Whether the model has a prior to draw from.
    pub fn can_sample(&self) -> bool {
        self.model().family().prior.is_some()
    }

    /// E[x|z] [count, D] of `count` draws z from the prior at `temperature`; 1 samples the model itself. Image i does
    /// not depend on `count`. A conditional model draws image i from class `label_of(i)`.
    ///
    /// # Errors
    /// [`Error::Usage`] if the model is an autoencoder or lacks such a class; [`Error::Device`].
    pub fn sample(
        &mut self,
        count: usize,
        seed: u64,
        temperature: f32,
        label_of: impl Fn(usize) -> usize,
    ) -> Result<Vec<f32>> {
        self.sampled(count, seed, temperature, label_of, &|plan, _| plan.read(plan.ports.mean))
    }

    /// The same with x drawn from p(x|z) in place of E[x|z]: samples of the model itself, whose deviations are those of
    /// the data as far as the model knows them.
    ///
    /// # Errors
    /// As [`Inference::sample`].
    pub fn sample_x(
        &mut self,
        count: usize,
        seed: u64,
        temperature: f32,
        label_of: impl Fn(usize) -> usize,
    ) -> Result<Vec<f32>> {
        let model = self.model().clone();
        self.sampled(count, seed, temperature, label_of, &|plan, first| {
            let rows = plan.ports.mean.map_or(0, |mean| mean.rows);
            drawn(&model, plan, rows, seed, first as u64)
        })
    }

    /// What `take` makes of each batch of samples; it gets the number of the batch's first.
    fn sampled(
        &mut self,
        count: usize,
        seed: u64,
        temperature: f32,
        label_of: impl Fn(usize) -> usize,
        take: Take,
    ) -> Result<Vec<f32>> {
        if !self.can_sample() {
            return Err(Error::Usage("an autoencoder has no prior to draw from: use `encode` and `decode` or, of pictures, `reconstruct`".into()));
        }
        let Inference { runner, sample, .. } = self;
        if sample.as_ref().is_none_or(|(of, _)| *of != temperature) {
            let batch = SAMPLES.min(runner.rows_within());
            let plan = plans::sample(runner.network(), runner.gpu().target(), batch, temperature);
            *sample = Some((temperature, runner.prepare(plan)?));
        }
        let (_, plan) = sample.as_mut().expect("it was just made");
        let mean = plan.ports.mean.expect("samples are means");
        let (batch, mut images) = (mean.rows, Vec::with_capacity(count * mean.cols));
        for (number, first) in (0..count).step_by(batch).enumerate() {
            let labels: Vec<usize> = (first..first + batch).map(|i| label_of(i.min(count - 1))).collect();
            plan.write_labels(plan.ports.labels, &labels)?;
            plan.program.submit(&[Step { step: number as u32, valid_rows: batch as u32, ..seeded(seed) }])?;
            images.extend(take(plan, first)?);
        }
        images.truncate(count * mean.cols);
        Ok(images)
    }
}

/// The tensor that the plan starts from.
fn input(tensor: Option<Tensor>) -> Tensor {
    tensor.expect("the plan begins with rows")
}

/// The plan in `slot`, prepared on first use.
fn prepared<'a>(
    runner: &mut Runner,
    slot: &'a mut Lazy,
    plan: impl FnOnce(&Network, Target, usize) -> Planned<plans::RowPorts>,
) -> Result<&'a mut Prepared<plans::RowPorts>> {
    match slot {
        Some(ready) => Ok(ready),
        None => {
            let batch = BATCH.min(runner.rows_within());
            let planned = plan(runner.network(), runner.gpu().target(), batch);
            Ok(slot.insert(runner.prepare(planned)?))
        }
    }
}

/// E[x|z] of each row.
fn means(
    model: &ModelConfig,
    plan: &mut Prepared<plans::RowPorts>,
    to: Tensor,
    rows: Rows,
) -> Result<Vec<f32>> {
    let mut means = Vec::new();
    each(
        model,
        plan,
        to,
        rows,
        |_| Step::default(),
        |plan, count| {
            means.extend_from_slice(&plan.read(plan.ports.mean)?[..count * model.input]);
            Ok(())
        },
    )?;
    Ok(means)
}

/// x [count, D] from p(x|z) of the first rows of the batch that the plan has decoded; `first` numbers the first of them.
fn drawn(
    model: &ModelConfig,
    plan: &Prepared<plans::RowPorts>,
    count: usize,
    seed: u64,
    first: u64,
) -> Result<Vec<f32>> {
    let (outputs, own) = (plan.read(plan.ports.out)?, plan.read(plan.ports.own)?);
    let width = plan.ports.out.map_or(1, |out| outputs.len() / out.rows);
    let draw = model.likelihood()?.draw;
    let of_row = |(row, out): (u64, &[f32])| {
        let decoded = Decoded { out, own: &own, settings: &model.settings };
        draw(decoded, model.input, &mut Noise::of(seed, row))
    };
    Ok((first..).zip(outputs.chunks_exact(width).take(count)).flat_map(of_row).collect())
}

/// Runs the plan on each batch of rows, written to `to`, and calls `take` with the number of rows.
fn each(
    model: &ModelConfig,
    plan: &mut Prepared<plans::RowPorts>,
    to: Tensor,
    rows: Rows,
    step_of: impl Fn(u32) -> Step,
    mut take: impl FnMut(&Prepared<plans::RowPorts>, usize) -> Result<()>,
) -> Result<()> {
    check(model, rows, to.cols)?;
    let labels_of = |number| rows.labels.chunks(to.rows).nth(number).unwrap_or(&[]);
    for (number, values) in rows.values.chunks(to.rows * to.cols).enumerate() {
        plan.write_rows(to, values);
        let mut labels: Vec<usize> = labels_of(number).iter().map(|label| *label as usize).collect();
        labels.resize(to.rows, 0);
        plan.write_labels(plan.ports.labels, &labels)?;
        let count = values.len() / to.cols;
        plan.program.submit(&[Step { valid_rows: count as u32, ..step_of(number as u32) }])?;
        take(plan, count)?;
    }
    Ok(())
}

/// Checks that `rows` are whole rows of `width`, with the classes that the model needs.
fn check(model: &ModelConfig, Rows { values, labels }: Rows, width: usize) -> Result<()> {
    if !values.len().is_multiple_of(width) {
        return Err(Error::Usage(format!(
            "{} numbers are not a whole number of rows of {width}",
            values.len()
        )));
    }
    let wanted = if model.classes > 0 { values.len() / width } else { 0 };
    if labels.len() != wanted {
        return Err(Error::Usage(format!(
            "the model wants {wanted} labels with these rows, but {} are given",
            labels.len()
        )));
    }
    Ok(())
}
