//! The reference executor: runs a [`Plan`] with plain loops in f64 on the host.

use std::collections::HashMap;

use crate::plan::{Access, BufferId, Call, Dispatch, Element, Plan, Step, Tensor};

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
    /// One for each of the plan's buffers, in their order; empty where a buffer lies in the memory of another.
    pub buffers: Vec<HostBuffer>,
    /// The buffer in whose memory each lies.
    homes: Vec<usize>,
}

impl Memory {
    /// Zeroed buffers for `plan`.
    pub fn new(plan: &Plan) -> Self {
        let buffers = plan
            .buffers
            .iter()
            .map(|b| (b.element, if b.home.is_none() { b.words } else { 0 }))
            .map(|(element, words)| match element {
                Element::F32 => HostBuffer::F32(vec![0.0; words]),
                Element::U32 => HostBuffer::U32(vec![0; words]),
            })
            .collect();
        let homes = (0..plan.buffers.len()).map(|id| plan.home(BufferId(id)).0).collect();
        Memory { buffers, homes }
    }

    /// The floats of a buffer; panics on a buffer of integers.
    pub fn floats(&mut self, tensor: Tensor) -> &mut [f64] {
        match &mut self.buffers[self.homes[tensor.buffer.0]] {
            HostBuffer::F32(values) => &mut values[tensor.offset..],
            HostBuffer::U32(_) => panic!("a buffer of integers"),
        }
    }

    /// The integers of a buffer; panics on a buffer of floats.
    pub fn integers(&mut self, tensor: Tensor) -> &mut [u32] {
        match &mut self.buffers[self.homes[tensor.buffer.0]] {
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
        (self.memory.homes[t.buffer.0], t.offset + row * t.stride + col)
    }

    /// What is written may be read only where the kernel says that it needs what was there before.
    fn readable(&self, slot: usize) {
        let slot = &self.dispatch.kernel.slots[slot];
        let reads = slot.access == Access::Read || slot.keeps(&self.dispatch.consts);
        assert!(reads, "{} of {} is only written", slot.name, self.dispatch.label);
    }

    fn writable(&self, slot: usize) {
        let slot = &self.dispatch.kernel.slots[slot];
        assert_eq!(slot.access, Access::Write, "{} is read-only", slot.name);
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
        self.readable(slot);
        let (buffer, at) = self.index(slot, row, col);
        match &self.memory.buffers[buffer] {
            HostBuffer::F32(values) => values[at],
            HostBuffer::U32(_) => panic!("slot {slot} holds integers"),
        }
    }

    fn get_u32(&self, slot: usize, row: usize, col: usize) -> u32 {
        self.readable(slot);
        let (buffer, at) = self.index(slot, row, col);
        match &self.memory.buffers[buffer] {
            HostBuffer::U32(values) => values[at],
            HostBuffer::F32(_) => panic!("slot {slot} holds floats"),
        }
    }

    fn put(&mut self, slot: usize, row: usize, col: usize, value: f64) {
        self.writable(slot);
        let (buffer, at) = self.index(slot, row, col);
        match &mut self.memory.buffers[buffer] {
            HostBuffer::F32(values) => values[at] = value,
            HostBuffer::U32(_) => panic!("slot {slot} holds integers"),
        }
    }

    fn put_u32(&mut self, slot: usize, row: usize, col: usize, value: u32) {
        self.writable(slot);
        let (buffer, at) = self.index(slot, row, col);
        match &mut self.memory.buffers[buffer] {
            HostBuffer::U32(values) => values[at] = value,
            HostBuffer::F32(_) => panic!("slot {slot} holds floats"),
        }
    }
}
