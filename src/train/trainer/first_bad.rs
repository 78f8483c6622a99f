//! Where numbers first stopped being finite.

use super::Trainer;
use crate::error::Result;
use crate::plan::{Access, Element, Step};
use crate::train::state::{Arenas, State};

#[doc(hidden)]
impl Trainer {
    /// Looks for the first tensor that was not finite in step `bad`: trains again from `state`, whose arenas are given or are
    /// those of the start, and reads what that step wrote. None where it does not happen again. Training cannot go on
    /// after this but by [`Trainer::restore`].
    pub fn find_first_bad(&mut self, from: Option<(&Arenas, State)>, bad: u64) -> Result<Option<String>> {
        if self.ranks.size() > 1 {
            return Ok(None);
        }
        let mut state = State::default();
        match from {
            Some((arenas, before)) => {
                self.restore(arenas, before);
                state = before;
            }
            None => {
                let zeros = vec![0.0; self.parameters.words()];
                let parameters = self.initial.clone();
                self.restore(&Arenas { parameters, moment1: zeros.clone(), moment2: zeros }, state);
            }
        }
        while state.step + 1 < bad {
            state.step += self.stepper.submit(state.step, bad - 1 - state.step)?;
        }
        for shard in self.stepper.shards().own() {
            let step = self.stepper.ready_shard(state.step, shard)?;
            if step.valid_rows == 0 {
                continue;
            }
            if let Some(found) = self.first_bad_of(&step)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The first tensor that is not finite when the plan has run with these scalars.
    fn first_bad_of(&mut self, step: &Step) -> Result<Option<String>> {
        let plan = self.stepper.plan().clone();
        // One dispatch at a time: a later one may use the memory of an earlier one's result.
        for (number, dispatch) in plan.dispatches.iter().enumerate() {
            let program = self.stepper.program_mut();
            program.submit_dispatch(step, number)?;
            let slots = dispatch.kernel.slots.iter().zip(&dispatch.tensors);
            let written =
                slots.filter(|(slot, _)| slot.access == Access::Write && slot.element == Element::F32);
            for (_, tensor) in written {
                if program.read_f32(*tensor)?.iter().any(|value| !value.is_finite()) {
                    let name = &plan.buffers[tensor.buffer.0].name;
                    let (rows, cols) = (tensor.rows, tensor.cols);
                    return Ok(Some(format!("{name} [{rows}, {cols}], written by `{}`", dispatch.label)));
                }
            }
        }
        Ok(None)
    }
}
