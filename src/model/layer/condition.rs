//! The label of a conditional model, appended to x as a one-hot vector (Sohn et al. 2015).

use super::kind::Layer;
use crate::kernels::condition::condition;
use crate::model::tape::{Tape, Value};

/// (x, one-hot label). It precedes the first layer of encoder and decoder; configuration does not name it.
#[derive(Debug)]
pub(in crate::model) struct Condition {
    /// C.
    pub classes: usize,
    /// Positions of x, each of which gets the label.
    pub positions: usize,
}

impl Layer for Condition {
    fn forward(&self, tape: &mut Tape, x: Value) -> Value {
        let from = tape.read(x);
        let name = format!("{}, label", tape.name(x));
        let count = from.rows / self.positions;
        let to = tape.plan.picture(&name, count, self.positions, from.cols + self.classes);
        let labels = tape.labels.expect("a conditional model reads labels");
        condition(&mut tape.plan, from.rows / tape.batch, from, labels, to);
        // The label needs no gradient.
        tape.widened(&name, to, x)
    }

    fn multiply_adds(&self) -> usize {
        0
    }
}
