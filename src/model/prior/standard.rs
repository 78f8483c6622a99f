//! p(z) = N(0, I).

use super::density::Prior;
use crate::kernels::prior::prior;
use crate::model::tape::{Tape, Value};

/// See the module.
pub(in crate::model) struct Standard;

/// See the module.
pub(in crate::model) static STANDARD: Standard = Standard;

impl Prior for Standard {
    fn name(&self) -> &'static str {
        "standard"
    }

    fn sample(&self, tape: &mut Tape, latent: usize, temperature: f32) -> Value {
        let z = tape.plan.tensor("z", tape.batch, latent);
        prior(&mut tape.plan, temperature, z);
        tape.data("z", z)
    }
}
