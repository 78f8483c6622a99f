//! Flags that several commands have.

use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::flags::{Flags, Keys};
use crate::error::Result;
use crate::gpu::{DeviceOptions, Gpu, Selection};
use crate::train::config::RunSection;

/// The settings of a run that say which device it has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DeviceKeys;

impl Keys for DeviceKeys {
    const KEYS: Option<&'static [&'static str]> = Some(&["device", "checked_shaders"]);
}

#[derive(Clone, Debug, Default, Args)]
pub struct DeviceArgs {
    #[command(flatten)]
    run: Flags<RunSection, DeviceKeys>,
}

impl DeviceArgs {
    /// The flags that are given.
    pub fn given(&self) -> Vec<String> {
        self.run.given_but(&[])
    }

    /// Opens the adapter.
    pub fn open(&self) -> Result<Arc<Gpu>> {
        self.open_in_turn(0)
    }

    /// Opens the adapter or, of several equal cards, the one whose turn it is.
    pub fn open_in_turn(&self, turn: usize) -> Result<Arc<Gpu>> {
        let mut run = RunSection::default();
        self.run.apply(&mut run);
        open_device(&run, turn)
    }
}

/// Opens the adapter that a run asks for; of several equal cards, the one whose turn it is.
pub fn open_device(run: &RunSection, turn: usize) -> Result<Arc<Gpu>> {
    let Ok(selection) = run.device.as_deref().unwrap_or("auto").parse::<Selection>();
    Gpu::open(&DeviceOptions {
        selection,
        turn,
        checked_shaders: run.checked_shaders,
        spread_workers: true,
        ..DeviceOptions::default()
    })
}

/// A part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SplitArg {
    /// What training sees
    Train,
    /// What training held out (--valid)
    Valid,
    /// What the model is judged by
    Test,
    /// All of data that has no parts
    #[value(skip)]
    All,
}

/// What is taken of p(x|z).
#[derive(Clone, Copy, Debug, Args)]
pub struct KindArgs {
    /// Draw x from p(x|z)
    #[arg(long, conflicts_with = "mean")]
    pub draw: bool,
    /// Take the mean E[x|z]
    #[arg(long)]
    pub mean: bool,
    /// Round columns of a table that held whole numbers in training, and keep all within their range there
    #[arg(long)]
    pub round: bool,
}
