//! The reference executor: runs a [`Plan`] with plain loops in f64 on the host.

use std::collections::HashMap;

use crate::plan::{Access, Call, Dispatch, Element, Plan, Slot, Step, Tensor};

/// The words of one buffer on the host. Floats are f64, so that finite differences through a whole model are
/// exact to many digits.
#[derive(Clone, Debug, PartialEq)]
pub enum HostBuffer {
    /// Floats.
    F32(Vec<f64>),
    /// Integers.
    U32(Vec<u32>),
}

/// The buffers of a plan on the host.
#[derive(Clone, Debug)]
pub struct Memory {
    /// One for each of the plan's buffers, in their order.
    pub buffers: Vec<HostBuffer>,
    /// For each buffer, which of its words a reference has put, with whatever value.
    pub written: Vec<Vec<bool>>,
}

impl Memory {
    /// Zeroed buffers for `plan`.
    pub fn new(plan: &Plan) -> Self {
        let buffers = plan
            .buffers
            .iter()
            .map(|b| match b.element {
                Element::F32 => HostBuffer::F32(vec![0.0; b.words]),
                Element::U32 => HostBuffer::U32(vec![0; b.words]),
            })
            .collect();
        Memory { buffers, written: plan.buffers.iter().map(|b| vec![false; b.words]).collect() }
    }

    /// The floats of a buffer; panics on a buffer of integers.
    pub fn floats(&mut self, tensor: Tensor) -> &mut [f64] {
        match &mut self.buffers[tensor.buffer.0] {
            HostBuffer::F32(values) => &mut values[tensor.offset..],
            HostBuffer::U32(_) => panic!("a buffer of integers"),
        }
    }

    /// The integers of a buffer; panics on a buffer of floats.
    pub fn integers(&mut self, tensor: Tensor) -> &mut [u32] {
        match &mut self.buffers[tensor.buffer.0] {
            HostBuffer::U32(values) => &mut values[tensor.offset..],
            HostBuffer::F32(_) => panic!("a buffer of floats"),
        }
    }

    /// Runs every dispatch of `plan` once.
    pub fn run(&mut self, plan: &Plan, step: &Step) {
        for dispatch in &plan.dispatches {
            self.dispatch(dispatch, step);
        }
    }

    /// Runs one dispatch.
    pub fn dispatch(&mut self, dispatch: &Dispatch, step: &Step) {
        let consts = dispatch.consts.iter().copied().collect();
        (dispatch.kernel.reference)(&mut HostCall { memory: self, dispatch, consts, step });
    }
}

struct HostCall<'a> {
    memory: &'a mut Memory,
    dispatch: &'a Dispatch,
    consts: HashMap<&'static str, u32>,
    step: &'a Step,
}

impl HostCall<'_> {
    fn index(&self, slot: usize, row: usize, col: usize) -> (usize, usize) {
        let t = self.dispatch.tensors[slot];
        assert!(col < t.stride, "column {col} of a row of {} words", t.stride);
        (t.buffer.0, t.offset + row * t.stride + col)
    }

    /// The index of an element that is about to be put, which must be in a slot that the kernel writes.
    fn written(&mut self, slot: usize, row: usize, col: usize) -> (usize, usize) {
        let Slot { access, name, .. } = &self.dispatch.kernel.slots[slot];
        assert_eq!(*access, Access::Write, "{name} is read-only");
        let (buffer, at) = self.index(slot, row, col);
        self.memory.written[buffer][at] = true;
        (buffer, at)
    }
}

impl Call for HostCall<'_> {
    fn params(&self) -> &[u8] {
        &self.dispatch.params
    }

    fn constant(&self, name: &str) -> u32 {
        *self.consts.get(name).unwrap_or_else(|| panic!("{} sets no {name}", self.dispatch.label))
    }

    fn step(&self) -> &Step {
        self.step
    }

    fn tensor(&self, slot: usize) -> Tensor {
        self.dispatch.tensors[slot]
    }

    fn get(&self, slot: usize, row: usize, col: usize) -> f64 {
        let (buffer, at) = self.index(slot, row, col);
        match &self.memory.buffers[buffer] {
            HostBuffer::F32(values) => values[at],
            HostBuffer::U32(_) => panic!("slot {slot} holds integers"),
        }
    }

    fn get_u32(&self, slot: usize, row: usize, col: usize) -> u32 {
        let (buffer, at) = self.index(slot, row, col);
        match &self.memory.buffers[buffer] {
            HostBuffer::U32(values) => values[at],
            HostBuffer::F32(_) => panic!("slot {slot} holds floats"),
        }
    }

    fn put(&mut self, slot: usize, row: usize, col: usize, value: f64) {
        let (buffer, at) = self.written(slot, row, col);
        match &mut self.memory.buffers[buffer] {
            HostBuffer::F32(values) => values[at] = value,
            HostBuffer::U32(_) => panic!("slot {slot} holds integers"),
        }
    }

    fn put_u32(&mut self, slot: usize, row: usize, col: usize, value: u32) {
        let (buffer, at) = self.written(slot, row, col);
        match &mut self.memory.buffers[buffer] {
            HostBuffer::U32(values) => values[at] = value,
            HostBuffer::F32(_) => panic!("slot {slot} holds floats"),
        }
    }
}
