//! From rows of data or of z to pictures, and from pictures to rows of the likelihood's parts. Configuration names neither.

use super::kind::{Extent, Layer};
use crate::kernels::likelihood::Output;
use crate::kernels::picture::{Places, collect, spread};
use crate::model::tape::{Tape, Value};
use crate::plan::{PAD, round_up};

/// Rows as pictures, in front of an encoder or a decoder that reads pictures.
#[derive(Debug)]
pub(in crate::model) struct Spread {
    /// The picture's shape.
    pub extent: Extent,
}

impl Layer for Spread {
    fn forward(&self, tape: &mut Tape, x: Value) -> Value {
        if tape.wants(x) {
            // Its gradient counts.
            tape.read(x);
        }
        let rows = tape.peek(x);
        let name = format!("{} picture", tape.name(x));
        let picture = tape.plan.picture(&name, rows.rows, self.extent.positions(), self.extent.channels);
        let extent = self.extent;
        spread(&mut tape.plan, "picture", (rows, picture), extent, Places::default());
        if !tape.wants(x) {
            return tape.data(&name, picture);
        }
        let y = tape.value(&name, picture);
        tape.record(move |tape| {
            let (Some(d), Some(to)) = (tape.gradient(y), tape.store_sink(x)) else { return };
            collect(&mut tape.plan, &format!("{name} d_x"), (d, to), extent, Places::default());
        });
        y
    }

    fn multiply_adds(&self) -> usize {
        0
    }
}

/// A picture of a likelihood's parts as rows of them.
#[derive(Debug)]
pub(in crate::model) struct Collect {
    name: String,
    columns: usize,
    /// The shape of each part, and where it lies.
    parts: Vec<(Extent, Places)>,
}

impl Collect {
    /// Of a picture with the positions of `picture`.
    pub fn new(name: String, output: &Output, picture: Extent) -> Collect {
        let (mut parts, mut at) = (Vec::new(), Places::default());
        for (_, width) in &output.heads {
            let channels = width / picture.positions();
            parts.push((Extent { channels, ..picture }, at));
            at.column += round_up(*width, PAD);
            at.channel += round_up(channels, PAD);
        }
        Collect { name, columns: output.columns(), parts }
    }
}

impl Layer for Collect {
    fn forward(&self, tape: &mut Tape, x: Value) -> Value {
        let picture = tape.read(x);
        let count = picture.rows / self.parts[0].0.positions();
        let rows = tape.plan.tensor(&self.name, count, self.columns);
        for (extent, at) in &self.parts {
            collect(&mut tape.plan, &self.name, (picture, rows), *extent, *at);
        }
        let y = tape.value(&self.name, rows);
        let (name, parts) = (self.name.clone(), self.parts.clone());
        tape.record(move |tape| {
            let (Some(d), Some(to)) = (tape.gradient(y), tape.store_sink(x)) else { return };
            for (extent, at) in &parts {
                spread(&mut tape.plan, &format!("{name} d_x"), (d, to), *extent, *at);
            }
        });
        y
    }

    fn multiply_adds(&self) -> usize {
        0
    }
}
