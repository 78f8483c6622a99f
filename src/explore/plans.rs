//! The plans that a page runs on a trained model.

use std::collections::BTreeMap;

use serde::Serialize;

use super::serial::{Library, PlanText, row_ports};
use crate::error::Result;
use crate::gpu::Limits;
use crate::model::Network;
use crate::model::plans::{self, Planned, RowPorts};
use crate::plan::{PAD, Plan, Target, round_up};

/// Codes that are decoded at once for a grid of pictures, and samples of a batch: as `vae-gpu sample` numbers them.
const MANY: usize = 64;
/// Draws of z of which the mean is the score of a datum.
const DRAWS: usize = 16;
/// Data that are encoded at once for the map of a model in training.
pub const MAPPED: usize = 256;
/// Numbers of a layer for all rows of a batch, at most: 64 MiB.
const OUTPUTS: usize = 16 << 20;

/// For whom plans are made: the page takes those that suit its adapter. Neither has subgroups or images.
const TARGETS: [(&str, Target); 2] = [("card", Target::PORTABLE), ("software", Target::SOFTWARE)];

/// Plans by target and name.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Plans(BTreeMap<&'static str, BTreeMap<&'static str, PlanText>>);

impl Plans {
    /// The plans of a model: to decode one code and many, to encode and judge data and, where it has a prior, to sample.
    ///
    /// # Errors
    /// [`crate::error::Error::Limit`] if the model is too large for some browsers.
    pub fn new(network: &Network, library: &mut Library) -> Result<Plans> {
        let mut made = Plans::default();
        let within = |rows: usize| {
            let most = OUTPUTS / round_up(network.widest(), PAD);
            if most > PAD { rows.min(most / PAD * PAD) } else { 1 }
        };
        for (name, target) in TARGETS {
            let mut add = |plan: &'static str, Planned { plan: made_plan, ports }: Planned<RowPorts>| {
                made.add(library, (name, plan), &made_plan, &row_ports(&ports))
            };
            add("decode", plans::decode(network, target, 1))?;
            add("decode_many", plans::decode(network, target, within(MANY)))?;
            add("judge", plans::judge(network, target, within(DRAWS), true))?;
            add("strangeness", plans::strangeness(network, target, 1))?;
            add("map", plans::judge(network, target, within(MAPPED), false))?;
            if network.config.family().prior.is_some() {
                add("sample", plans::sample(network, target, within(MANY), 1.0))?;
            }
        }
        Ok(made)
    }

    /// Adds a plan that differs by target.
    ///
    /// # Errors
    /// As [`Plans::new`].
    pub fn add_each<P>(
        &mut self,
        library: &mut Library,
        name: &'static str,
        plan: impl Fn(Target) -> Planned<P>,
        ports: impl Fn(&P) -> Vec<(&'static str, crate::plan::Tensor)>,
    ) -> Result<()> {
        for (target_name, target) in TARGETS {
            let planned = plan(target);
            self.add(library, (target_name, name), &planned.plan, &ports(&planned.ports))?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        library: &mut Library,
        (target, name): (&'static str, &'static str),
        plan: &Plan,
        ports: &[(&'static str, crate::plan::Tensor)],
    ) -> Result<()> {
        Limits::EVERYWHERE.check(plan, "some browsers allow only")?;
        self.0.entry(target).or_default().insert(name, library.add(plan, ports));
        Ok(())
    }
}
