//! Rows that the host has at hand: their codes, what codes decode to, and the terms of the ELBO.

use std::sync::Arc;

use super::batches::write_labels;
use super::codes::split_head;
use super::{STREAM, Terms, rows_within, seeded};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Program, Shared};
use crate::kernels::condition::Labels;
use crate::model::ModelConfig;
use crate::model::plans::{self, JudgePlan, PicturePlan};
use crate::plan::{Plan, Step, Tensor};

/// Rows that pass through the device at once at most.
const BATCH: usize = 128;

/// Rows of numbers, with their classes where the model is conditional.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// N rows, one behind the other.
    pub values: &'a [f32],
    /// N classes; empty for a model that is told none.
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

/// A model on a device. Each plan is prepared when it is first asked for.
pub struct Direct {
    device: Device,
    encode: Option<(Program, JudgePlan)>,
    judge: Option<(Program, JudgePlan)>,
    decode: Option<(Program, PicturePlan)>,
}

impl Direct {
    /// The model with these weights.
    pub fn new(gpu: &Arc<Gpu>, model: &ModelConfig, parameters: Vec<f32>) -> Direct {
        let (gpu, model, shared) = (gpu.clone(), model.clone(), Shared::default());
        let device = Device { gpu, shared, model, parameters };
        Direct { device, encode: None, judge: None, decode: None }
    }

    /// mu and log_var [N, Z] of x [N, D]; log_var is empty in an autoencoder, and mu its z.
    ///
    /// # Errors
    /// [`Error::Usage`] if `x` is no whole number of rows, or a conditional model is not told the class of each;
    /// [`Error::Device`].
    pub fn encode(&mut self, x: Rows) -> Result<(Vec<f32>, Vec<f32>)> {
        let Direct { device, encode, .. } = self;
        let (dim, latent) = (device.model.input, device.model.latent);
        device.check(x, dim)?;
        let (program, plan) = prepared(encode, || device.judge(false))?;
        let (mut mu, mut log_var) = (Vec::new(), Vec::new());
        for (_, rows) in batches(x, dim, plan.x.rows) {
            let count = write(program, &device.model, plan.x, plan.labels, rows)?;
            program.submit(&[Step { valid_rows: count as u32, ..Step::default() }])?;
            let (mu_rows, log_var_rows) = split_head(&device.model, &program.read_f32(plan.head)?);
            mu.extend(mu_rows.into_iter().take(count * latent));
            log_var.extend(log_var_rows.into_iter().take(count * latent));
        }
        Ok((mu, log_var))
    }

    /// E[x|z] [N, D] of z [N, Z].
    ///
    /// # Errors
    /// As [`Direct::encode`].
    pub fn decode(&mut self, z: Rows) -> Result<Vec<f32>> {
        let Direct { device, decode, .. } = self;
        let (dim, latent) = (device.model.input, device.model.latent);
        device.check(z, latent)?;
        let (program, plan) = prepared(decode, || device.decode())?;
        let mut means = Vec::new();
        for (_, rows) in batches(z, latent, plan.z.rows) {
            let count = write(program, &device.model, plan.z, plan.labels, rows)?;
            program.submit(&[Step { valid_rows: count as u32, ..Step::default() }])?;
            means.extend_from_slice(&program.read_f32(plan.mean)?[..count * dim]);
        }
        Ok(means)
    }

    /// The terms of the ELBO of each row of x [N, D], with one sample of z a row drawn from `seed`.
    ///
    /// # Errors
    /// As [`Direct::encode`].
    pub fn terms(&mut self, x: Rows, seed: u64) -> Result<Vec<Terms>> {
        let Direct { device, judge, .. } = self;
        let dim = device.model.input;
        device.check(x, dim)?;
        let (program, plan) = prepared(judge, || device.judge(true))?;
        let (log_p, kl) = plan.terms.expect("the plan was made with terms");
        let mut terms = Vec::new();
        for (number, rows) in batches(x, dim, plan.x.rows) {
            let count = write(program, &device.model, plan.x, plan.labels, rows)?;
            let (step, valid_rows) = (number as u32, count as u32);
            program.submit(&[Step { step, stream: STREAM, valid_rows, ..seeded(seed) }])?;
            let (log_p, kl) = (program.read_f32(log_p)?, program.read_f32(kl)?);
            let pairs = log_p.iter().zip(&kl).take(count);
            terms.extend(pairs.map(|(recon, kl)| Terms { recon: f64::from(*recon), kl: f64::from(*kl) }));
        }
        Ok(terms)
    }
}

/// What every plan is prepared from.
struct Device {
    gpu: Arc<Gpu>,
    shared: Shared,
    model: ModelConfig,
    parameters: Vec<f32>,
}

impl Device {
    fn judge(&mut self, terms: bool) -> Result<(Program, JudgePlan)> {
        let plan = plans::judge(&self.model, self.gpu.target(), self.batch(), terms);
        Ok((self.program(&plan.plan, plan.parameters)?, plan))
    }

    fn decode(&mut self) -> Result<(Program, PicturePlan)> {
        let plan = plans::decode(&self.model, self.gpu.target(), self.batch());
        Ok((self.program(&plan.plan, plan.parameters)?, plan))
    }

    fn batch(&self) -> usize {
        BATCH.min(rows_within(&self.gpu, &self.model))
    }

    fn program(&mut self, plan: &Plan, parameters: Tensor) -> Result<Program> {
        let program = Program::new(&self.gpu, plan.clone(), &mut self.shared)?;
        program.write_f32(parameters, &self.parameters);
        Ok(program)
    }

    /// Whether `rows` are whole rows of `width`, with the classes that the model asks for.
    fn check(&self, rows: Rows, width: usize) -> Result<()> {
        let Rows { values, labels } = rows;
        if !values.len().is_multiple_of(width) {
            return Err(Error::Usage(format!(
                "{} numbers are no whole number of rows of {width}",
                values.len()
            )));
        }
        let wanted = if self.model.classes > 0 { values.len() / width } else { 0 };
        if labels.len() != wanted {
            return Err(Error::Usage(format!(
                "the model wants {wanted} labels with these rows, but {} are given",
                labels.len()
            )));
        }
        Ok(())
    }
}

/// What is in `slot`, made first if nothing is.
fn prepared<T>(slot: &mut Option<T>, make: impl FnOnce() -> Result<T>) -> Result<&mut T> {
    match slot {
        Some(ready) => Ok(ready),
        None => Ok(slot.insert(make()?)),
    }
}

/// The number of each batch of `size` rows, and its rows.
fn batches(rows: Rows<'_>, width: usize, size: usize) -> impl Iterator<Item = (usize, Rows<'_>)> {
    rows.values.chunks(size * width).enumerate().map(move |(number, values)| {
        let labels = rows.labels.chunks(size).nth(number).unwrap_or(&[]);
        (number, Rows { values, labels })
    })
}

/// Writes a batch, filled up with zeros, and gives its number of rows.
fn write(
    program: &Program,
    model: &ModelConfig,
    to: Tensor,
    labels: Option<Labels>,
    rows: Rows,
) -> Result<usize> {
    let mut values = rows.values.to_vec();
    values.resize(to.rows * to.cols, 0.0);
    program.write_f32(to, &values);
    let label_of = |row: usize| rows.labels.get(row).map_or(0, |label| *label as usize);
    write_labels(program, labels, model, &(0..to.rows).map(label_of).collect::<Vec<_>>())?;
    Ok(rows.values.len() / to.cols)
}
