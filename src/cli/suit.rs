//! What a training says of its data before it begins.

use super::flags::spelled;
use super::output::talk;
use super::source;
use crate::data::Dataset;
use crate::error::Result;
use crate::train::Config;
use crate::train::config::Net;

/// Suits a configuration to its data, and says what was chosen where nothing was said. `is_batch_given` keeps its batches.
pub fn suit(config: &mut Config, dataset: &Dataset, is_batch_given: bool, is_quiet: bool) -> Result<()> {
    let fitting = config.fitting(dataset)?;
    let unnamed = config.model.net == Net::Auto && config.model.encoder.is_none();
    config.adopt(dataset)?;
    if let (true, Some(layers), false) = (unnamed, &config.model.encoder, is_quiet) {
        talk(format_args!(
            "a convolutional network for images of {}: {layers} (--net mlp for linear layers)",
            dataset.shape
        ));
    }
    config.check_data(dataset)?;
    if let (Some(fitting), false) = (fitting, is_quiet) {
        talk(format_args!(
            "fitting  {}: {}; `vae-gpu data` says more",
            source::fitting_flags(&fitting),
            fitting.why
        ));
    }
    config.train.check_valid(dataset)?;
    if !is_batch_given
        && let Some(line) = config.fit_batch(dataset)?
        && !is_quiet
    {
        talk(format_args!("batch    {}", spelled(&line)));
    }
    Ok(())
}
