//! The parameters of a model: their names and shapes as stored in files, and their places in the flat arena, whose
//! layout weights, gradients and Adam's moments share.

use crate::kernels::adam;
use crate::plan::{BINDING_ALIGN, BufferId, PAD, Tensor, round_up};

/// A matrix in the arena, as kernels see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Word of the first value, in the part of the arena that it lies in.
    offset: usize,
    rows: usize,
    cols: usize,
    part: Part,
}

/// A part of the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// What gradients move.
    Trained,
    /// What a step measures, such as running means: it lies behind the others, where Adam does not come.
    Measured,
}

impl Place {
    /// Words from one row to the next.
    pub fn stride(&self) -> usize {
        round_up(self.cols, PAD)
    }
}

/// A parameter as stored in files: PyTorch's name and shape, and the place of its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Such as `encoder.0.weight`.
    pub name: String,
    /// [out, in] of a linear layer's weight, \[out\] of a bias.
    pub shape: Vec<usize>,
    /// Inputs of the layer, by which PyTorch scales initial values. A parameter with None starts at `start`.
    pub fan_in: Option<usize>,
    /// See `fan_in`.
    pub start: f32,
    /// Word of the first value, in its part of the arena until [`Parameters::finish`], then in the whole.
    offset: usize,
    part: Part,
    /// The axes along which its values lie in the arena, in the order of files: an axis of the shape may run along several.
    axes: Vec<Axis>,
    /// Outputs of the layer.
    outputs: usize,
}

/// Values that lie evenly spaced in an arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// How many.
    pub size: usize,
    /// Words from one to the next.
    pub stride: usize,
}

impl Parameter {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no values; never true.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether gradients move it; a step measures what they do not.
    pub fn is_trained(&self) -> bool {
        self.part == Part::Trained
    }

    /// Whether it multiplies its layer's input, as opposed to a bias.
    pub fn is_weight(&self) -> bool {
        self.shape.len() > 1
    }

    /// Outputs of the layer that this parameter gives: rows of a linear layer's weight, channels of a convolution's.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Values that an output's initial distribution looks at beside [`Self::fan_in`]: outputs times the positions of each.
    pub fn fan_out(&self) -> usize {
        self.shape[0] * self.shape.iter().skip(2).product::<usize>()
    }

    /// The row or column of a matrix of the arena in which it begins, if it lies in it: rows of a weight, columns of a bias.
    pub fn place_in(&self, matrix: Tensor) -> Option<usize> {
        let from = self.offset.checked_sub(matrix.offset)?;
        let last = from + self.axes.iter().map(|axis| (axis.size - 1) * axis.stride).sum::<usize>();
        let [first, last] = [from, last].map(|at| (at / matrix.stride, at % matrix.stride));
        let inside = last.0 < matrix.rows && last.1 < matrix.cols && first.1 <= last.1;
        (inside && (first.0 == 0 || first.1 == 0)).then_some(first.0 + first.1)
    }

    /// The positions of its values in an arena, in the order of files: row major.
    pub fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.len()).map(|mut i| {
            self.axes.iter().rev().fold(self.offset, |at, Axis { size, stride }| {
                let index = i % size;
                i /= size;
                at + index * stride
            })
        })
    }

    /// Copies the parameter's values out of an arena.
    pub fn extract(&self, arena: &[f32]) -> Vec<f32> {
        self.positions().map(|at| arena[at]).collect()
    }

    /// Copies the parameter's values into an arena.
    pub fn insert(&self, arena: &mut [f32], values: &[f32]) {
        for (at, value) in self.positions().zip(values) {
            arena[at] = *value;
        }
    }
}

/// All parameters of a model.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    list: Vec<Parameter>,
    /// Words of what is trained, and of what is measured.
    trained: usize,
    measured: usize,
    finished: bool,
}

impl Parameters {
    /// Every parameter, in the order of the files.
    pub fn iter(&self) -> std::slice::Iter<'_, Parameter> {
        self.list.iter()
    }

    /// The parameter of that name.
    pub fn find(&self, name: &str) -> Option<&Parameter> {
        self.list.iter().find(|parameter| parameter.name == name)
    }

    /// Number of trained values, padding not counted.
    pub fn count(&self) -> usize {
        self.list.iter().filter(|parameter| parameter.is_trained()).map(Parameter::len).sum()
    }

    /// Size of the arena.
    pub fn words(&self) -> usize {
        self.trained_words() + round_up(self.measured, adam::WORDS)
    }

    /// Size of its first part, which is trained: whole workgroups of Adam.
    pub fn trained_words(&self) -> usize {
        round_up(self.trained, adam::WORDS)
    }

    /// The matrix of a place in an arena.
    pub(super) fn tensor(&self, place: Place, arena: BufferId) -> Tensor {
        assert!(self.finished, "places are known when all have been allocated");
        let Place { rows, cols, part, .. } = place;
        let offset = place.offset + self.begin(part);
        Tensor { buffer: arena, offset, rows, cols, stride: place.stride() }
    }

    fn begin(&self, part: Part) -> usize {
        if part == Part::Trained { 0 } else { self.trained_words() }
    }

    /// Ends the list: what is measured now has its place behind what is trained.
    pub(super) fn finish(&mut self) {
        assert!(!self.finished, "the parameters are finished");
        let begin = self.begin(Part::Measured);
        for parameter in self.list.iter_mut().filter(|parameter| !parameter.is_trained()) {
            parameter.offset += begin;
        }
        self.finished = true;
    }

    /// Allocates a matrix of parameters.
    pub(super) fn allocate(&mut self, rows: usize, cols: usize) -> Place {
        self.allocate_in(Part::Trained, rows, cols)
    }

    /// Allocates a matrix in a part of the arena.
    pub(super) fn allocate_in(&mut self, part: Part, rows: usize, cols: usize) -> Place {
        assert!(!self.finished, "the parameters are finished");
        let words = match part {
            Part::Trained => &mut self.trained,
            Part::Measured => &mut self.measured,
        };
        let offset = *words;
        *words += round_up(round_up(rows, PAD) * round_up(cols, PAD), BINDING_ALIGN);
        Place { offset, rows, cols, part }
    }

    /// Adds a parameter of one or two axes whose first value is element (`row`, `col`) of a place; its last axis runs
    /// along the row.
    pub(super) fn add(
        &mut self,
        name: String,
        shape: &[usize],
        fan_in: Option<usize>,
        place: Place,
        (row, col): (usize, usize),
    ) {
        assert!((1..=2).contains(&shape.len()), "{name}: axes");
        let strides = &[place.stride(), 1][2 - shape.len()..];
        let axes = shape.iter().zip(strides).map(|(&size, &stride)| Axis { size, stride }).collect();
        self.add_along(
            Stored { name, shape: shape.to_vec(), fan_in, start: 0.0, outputs: shape[0] },
            place,
            (row, col),
            axes,
        );
    }

    /// Adds a parameter whose values lie along these axes, in the order of files, from element (`row`, `col`) of a place.
    pub(super) fn add_along(
        &mut self,
        Stored { name, shape, fan_in, start, outputs }: Stored,
        place: Place,
        (row, col): (usize, usize),
        axes: Vec<Axis>,
    ) {
        let count: usize = axes.iter().map(|axis| axis.size).product();
        assert_eq!(count, shape.iter().product::<usize>(), "{name}: values");
        let offset = place.offset + row * place.stride() + col;
        self.list.push(Parameter { name, shape, fan_in, start, offset, part: place.part, axes, outputs });
    }
}

/// How files see a parameter.
pub(super) struct Stored {
    /// PyTorch's name.
    pub name: String,
    /// PyTorch's shape.
    pub shape: Vec<usize>,
    /// See [`Parameter::fan_in`].
    pub fan_in: Option<usize>,
    /// See [`Parameter::start`].
    pub start: f32,
    /// See [`Parameter::outputs`].
    pub outputs: usize,
}

impl<'a> IntoIterator for &'a Parameters {
    type Item = &'a Parameter;
    type IntoIter = std::slice::Iter<'a, Parameter>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
