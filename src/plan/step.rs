//! The scalars that change from one run of a plan to the next.

use super::field::Field;

/// The scalars of one training step: group 1 binding 0 of every kernel that asks for it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Step {
    /// Low half of the seed of the counter-based generator.
    pub seed_lo: u32,
    /// High half of the seed.
    pub seed_hi: u32,
    /// Counter of the generator: the step, counted from 1 in training.
    pub step: u32,
    /// Added to a kernel's random stream: training and evaluation never share draws.
    pub stream: u32,
    /// Position of the batch's first row in the epoch's order.
    pub first_row: u32,
    /// Rows of the batch that carry data; the rest have weight zero.
    pub valid_rows: u32,
    /// The row of the history that this step's loss terms go to.
    pub history_row: u32,
    /// Learning rate of Adam (alpha).
    pub learning_rate: f32,
    /// 1 / (1 - beta1^t) of Adam.
    pub correction1: f32,
    /// 1 / (1 - beta2^t) of Adam.
    pub correction2: f32,
    /// Weight of the KL term in the objective (beta).
    pub kl_weight: f32,
    /// In importance sampling: rounds of samples of the same rows before this one.
    pub round: u32,
    /// Of a batch that is divided: the place of this part's first row in it. Draws belong to places in the whole batch.
    pub first_place: u32,
    /// Rows of the batch in its other parts: means are over the whole batch.
    pub rows_beside: u32,
    /// Nothing: a block of uniforms is a multiple of 16 bytes.
    pub reserved_x: u32,
    /// Nothing.
    pub reserved_y: u32,
}

impl Step {
    /// Rows of the whole batch.
    pub fn batch_rows(&self) -> u32 {
        self.valid_rows + self.rows_beside
    }

    /// The layout that a shader's `struct Step` must have.
    pub const FIELDS: &'static [Field] = &[
        Field { name: "seed_lo", offset: 0, ty: "u32" },
        Field { name: "seed_hi", offset: 4, ty: "u32" },
        Field { name: "step", offset: 8, ty: "u32" },
        Field { name: "stream", offset: 12, ty: "u32" },
        Field { name: "first_row", offset: 16, ty: "u32" },
        Field { name: "valid_rows", offset: 20, ty: "u32" },
        Field { name: "history_row", offset: 24, ty: "u32" },
        Field { name: "learning_rate", offset: 28, ty: "f32" },
        Field { name: "correction1", offset: 32, ty: "f32" },
        Field { name: "correction2", offset: 36, ty: "f32" },
        Field { name: "kl_weight", offset: 40, ty: "f32" },
        Field { name: "round", offset: 44, ty: "u32" },
        Field { name: "first_place", offset: 48, ty: "u32" },
        Field { name: "rows_beside", offset: 52, ty: "u32" },
        Field { name: "reserved_x", offset: 56, ty: "u32" },
        Field { name: "reserved_y", offset: 60, ty: "u32" },
    ];
}

/// How far the scalars of a [`Step`] may reach into the buffers of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepBounds {
    /// The most rows of a batch.
    pub batch: usize,
    /// Positions of the epoch's order.
    pub order: usize,
    /// Rows of the history, of which a step writes one.
    pub history: usize,
    /// Rows of results, of which a step writes one per datum.
    pub results: usize,
}

impl StepBounds {
    /// For a plan into whose buffers no step reaches.
    pub const ANY: StepBounds =
        StepBounds { batch: usize::MAX, order: usize::MAX, history: usize::MAX, results: usize::MAX };

    /// The tighter of both bounds, field by field.
    pub fn and(self, other: StepBounds) -> StepBounds {
        StepBounds {
            batch: self.batch.min(other.batch),
            order: self.order.min(other.order),
            history: self.history.min(other.history),
            results: self.results.min(other.results),
        }
    }

    /// Whether the step stays within it.
    pub fn allows(self, step: &Step) -> bool {
        let [first, valid, row] = [step.first_row, step.valid_rows, step.history_row].map(|n| n as usize);
        valid <= self.batch
            && first.saturating_add(valid) <= self.order
            && row < self.history
            && (self.results == usize::MAX || row.saturating_add(valid) <= self.results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_reaches_as_far_as_it_may_and_no_further() {
        let reach = StepBounds { batch: 4, order: 6, ..StepBounds::ANY }.and(StepBounds {
            history: 2,
            results: 5,
            ..StepBounds::ANY
        });
        let step = |first_row, valid_rows, history_row| Step {
            first_row,
            valid_rows,
            history_row,
            ..Step::default()
        };
        assert!(reach.allows(&step(2, 4, 1)) && reach.allows(&step(6, 0, 0)));
        for (first, valid, row) in [(3, 4, 1), (0, 5, 0), (0, 1, 2), (u32::MAX, 4, 0), (0, 4, u32::MAX)] {
            assert!(!reach.allows(&step(first, valid, row)), "{first} {valid} {row}");
        }
        assert!(!StepBounds { history: usize::MAX, ..reach }.allows(&step(0, 4, 2)), "results");
        assert!(StepBounds::ANY.allows(&step(u32::MAX, u32::MAX, u32::MAX)));
    }
}
