//! Opening a trained run for the commands that use it.

use std::path::Path;
use std::sync::Arc;

use super::args::DeviceArgs;
use super::output::talk;
use super::source;
use crate::data::{Dataset, Shape};
use crate::error::{Error, Result};
use crate::evaluate::Pictures;
use crate::gpu::{Gpu, Shared};
use crate::model::ModelConfig;
use crate::run::RunDir;
use crate::train::{Config, files};

/// A trained model and its device.
pub struct Saved {
    pub config: Config,
    pub model: ModelConfig,
    pub shape: Shape,
    pub parameters: Vec<f32>,
    pub gpu: Arc<Gpu>,
}

impl Saved {
    /// Loads the model of a run and opens the device.
    pub fn open(run: &Path, device: &DeviceArgs) -> Result<Saved> {
        let path = RunDir::open(run)?.model();
        let (config, _, parameters) = files::load_model(&path)?;
        let shape = config.image_shape().ok_or_else(|| {
            Error::file(&path, "does not name the data's shape", "train again with this version of vae-gpu")
        })?;
        let model = config.model_config(shape);
        let gpu = device.open()?;
        Ok(Saved { config, model, shape, parameters, gpu })
    }

    /// The plans that make pictures, with this model's weights.
    pub fn pictures(&self) -> Result<Pictures> {
        let pictures = Pictures::new(&self.gpu, &mut Shared::default(), &self.model)?;
        pictures.write_parameters(&self.parameters);
        Ok(pictures)
    }

    /// The data that the model was trained on; it must still have the same shape.
    pub fn dataset(&self) -> Result<Dataset> {
        let dataset = source::open(&self.config.data, &self.config.source, true)?;
        if dataset.shape != self.shape {
            return Err(Error::Usage(format!(
                "the model was trained on {} values, but {} now holds {}",
                self.shape, self.config.data, dataset.shape
            )));
        }
        Ok(dataset)
    }
}

/// Names the adapter, and warns of a software one.
pub fn announce(gpu: &Gpu) {
    let report = gpu.report();
    let driver = format!("{} {}", report.driver, report.driver_info);
    talk(format_args!("adapter  {} | driver {}", report.title(), driver.trim()));
    if report.is_software() {
        talk(format_args!(
            "warning: this is a software adapter: the CPU does the work. `vae-gpu devices` lists all adapters."
        ));
    }
}
