//! Whether all ranks train the same.

use twox_hash::XxHash3_64;

use super::Trainer;
use crate::error::Result;
use crate::ranks::agree;
use crate::train::config::Config;
use crate::train::state::State;

/// Steps between two checks that all ranks have the same parameters.
const CHECK_EVERY: u64 = 100;

#[doc(hidden)]
impl Trainer {
    /// Checks that all ranks train the same: before the first step, and now and then. The same sums move the same parameters,
    /// unless a device computes something different. One of several ranks may call it before it asks whether the training is done.
    ///
    /// # Errors
    /// [`crate::error::Error::Ranks`], on all of them, where they differ.
    pub fn compare_ranks(&mut self) -> Result<()> {
        if self.ranks.size() == 1 || self.compared && !self.state.step.is_multiple_of(CHECK_EVERY) {
            return Ok(());
        }
        if !self.compared {
            // Folders may have other names on other machines.
            let mut config = Config { data: String::new(), ..self.config.clone() };
            (config.source.test_data, config.train.init_from) = (None, None);
            // The time that it took is each rank's own.
            let state = State { seconds: 0.0, ..self.state };
            let text = format!("{}{}{state:?}", config.to_toml(), self.train_count);
            let digest = XxHash3_64::oneshot(text.as_bytes());
            let next = "start all of them with the same arguments, program, data and checkpoint";
            agree(&*self.ranks, digest, "the configuration and data", next)?;
            let digest = XxHash3_64::oneshot(
                format!("{}{}", self.gpu.report().title(), self.gpu.report().driver_info).as_bytes(),
            );
            agree(
                &*self.ranks,
                digest,
                "the adapter and driver",
                "name adapters of one kind with `run.device`",
            )?;
            self.compared = true;
        }
        let parameters = self.stepper.program().read_f32(self.stepper.ports().parameters)?;
        let digest = XxHash3_64::oneshot(bytemuck::cast_slice(&parameters));
        let what = format!("after step {}, the parameters", self.state.step);
        let next = "its device computes something different: give all ranks the same adapter and driver, and continue with `resume`";
        agree(&*self.ranks, digest, &what, next)
    }
}
