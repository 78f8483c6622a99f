//! The plans that a page runs on a trained model.

use std::collections::BTreeMap;

use serde::Serialize;

use super::serial::{Library, PlanText, row_ports};
use crate::error::{Error, Result};
use crate::evaluate::{SAMPLES, rows_within};
use crate::gpu::Limits;
use crate::model::Network;
use crate::model::plans::{self, Planned, RowPorts};
use crate::plan::{Plan, Target, Tensor};

/// Draws of z of which the mean is the score of a datum.
const DRAWS: usize = 16;
/// Data that are encoded at once for the map of a model in training.
const MAPPED: usize = 256;

/// For whom plans are made: the page takes those that suit its adapter. Neither has subgroups or images.
const TARGETS: [(&str, Target); 2] = [("card", Target::PORTABLE), ("software", Target::SOFTWARE)];

/// The plan of a training step.
pub(super) const TRAIN: &str = "train";

/// What makes a model fit, where its step of training does not, and where it does not itself.
const SMALLER_STEP: &str = "use a smaller batch (`train.batch_size`), fewer samples (`train.samples`), or a smaller model \
                            (`model.hidden`, `model.latent`)";
const SMALLER_MODEL: &str =
    "a page holds smaller models only: train one with a smaller `model.hidden` or `model.latent`";

/// Plans by target and name.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Plans(BTreeMap<&'static str, BTreeMap<&'static str, PlanText>>);

impl Plans {
    /// The plans of a model: to decode one code and many, to encode and judge data and, where it has a prior, to sample.
    ///
    /// # Errors
    /// [`Error::Limit`] if the model is too large for some browsers.
    pub fn new(network: &Network, library: &mut Library) -> Result<Plans> {
        let mut made = Plans::default();
        let within = |rows: usize| rows.min(rows_within(network, Limits::EVERYWHERE));
        made.add_rows(library, "decode", |target| plans::decode(network, target, 1))?;
        // As many at once as a batch of `vae-gpu sample`, whose draws are numbered by batch and row.
        made.add_rows(library, "decode_many", |target| plans::decode(network, target, within(SAMPLES)))?;
        made.add_rows(library, "judge", |target| plans::judge(network, target, within(DRAWS), true))?;
        made.add_rows(library, "strangeness", |target| plans::strangeness(network, target, 1))?;
        if network.config.family().prior.is_some() {
            made.add_rows(library, "sample", |target| plans::sample(network, target, within(SAMPLES), 1.0))?;
        }
        Ok(made)
    }

    /// Adds the plan that encodes the data of the map while the model learns.
    ///
    /// # Errors
    /// As [`Plans::new`].
    pub(super) fn add_map(&mut self, network: &Network, library: &mut Library) -> Result<()> {
        let rows = MAPPED.min(rows_within(network, Limits::EVERYWHERE));
        self.add_rows(library, "map", |target| plans::judge(network, target, rows, false))
    }

    fn add_rows(
        &mut self,
        library: &mut Library,
        name: &'static str,
        plan: impl Fn(Target) -> Planned<RowPorts>,
    ) -> Result<()> {
        self.add(library, name, plan, row_ports)
    }

    /// Adds a plan for each target.
    ///
    /// # Errors
    /// As [`Plans::new`].
    pub(super) fn add<P>(
        &mut self,
        library: &mut Library,
        name: &'static str,
        plan: impl Fn(Target) -> Planned<P>,
        ports: impl Fn(&P) -> Vec<(&'static str, Tensor)>,
    ) -> Result<()> {
        for (target_name, target) in TARGETS {
            let planned = plan(target);
            check(&planned.plan, name)?;
            let text = library.add(&planned.plan, &ports(&planned.ports));
            self.0.entry(target_name).or_default().insert(name, text);
        }
        Ok(())
    }
}

/// Checks that every browser runs the plan. Another adapter is no help: whoever opens the page has what they have.
fn check(plan: &Plan, name: &str) -> Result<()> {
    Limits::EVERYWHERE.check(plan, "some browsers allow only").map_err(|error| match error {
        Error::Limit { what, needed, allowed, .. } => {
            let next = if name == TRAIN { SMALLER_STEP } else { SMALLER_MODEL };
            Error::Limit { what, needed, allowed, next: next.into() }
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Element, Role};

    #[test]
    fn the_advice_is_one_that_helps_a_page() {
        let mut plan = Plan::new("test");
        plan.buffer("parameters", 1 << 27, Element::F32, Role::Shared);
        for (name, helps) in [(TRAIN, "`train.batch_size`"), ("decode", "smaller models")] {
            let message = check(&plan, name).unwrap_err().to_string();
            assert!(message.contains(helps) && !message.contains("run.device"), "{message}");
        }
    }
}
