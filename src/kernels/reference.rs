//! The reference executor: runs a [`Plan`] with plain loops in f64 on the host.

use std::cell::Cell;
use std::collections::HashMap;

use crate::plan::{Access, BufferId, Call, Dispatch, Element, Plan, Slot, Step, Tensor};

/// The words of one buffer on the host. Floats are f64, so that finite differences through a whole model keep many digits.
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
    /// The plan's buffers, in their order; empty where a buffer lies in the memory of another.
    pub buffers: Vec<HostBuffer>,
    /// The buffer in whose memory each lies.
    homes: Vec<usize>,
    /// For each buffer, which of its words a reference has put, with whatever value.
    pub written: Vec<Vec<bool>>,
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
        Memory { buffers, homes, written: plan.buffers.iter().map(|b| vec![false; b.words]).collect() }
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
        let buffers = self.buffers.iter_mut().map(Words::of).collect();
        let cells = |words| Cell::from_mut(words).as_slice_of_cells();
        let written = self.written.iter_mut().map(|words| cells(words.as_mut_slice())).collect();
        let consts = dispatch.consts.iter().copied().collect();
        (dispatch.kernel.reference)(&mut HostCall {
            buffers,
            homes: &self.homes,
            written,
            dispatch,
            consts,
            step,
        });
    }
}

/// The words of a buffer, behind cells so that one call can read some of them while it writes others.
enum Words<'a> {
    F32(&'a [Cell<f64>]),
    U32(&'a [Cell<u32>]),
}

impl Words<'_> {
    fn of(buffer: &mut HostBuffer) -> Words<'_> {
        match buffer {
            HostBuffer::F32(values) => Words::F32(Cell::from_mut(values.as_mut_slice()).as_slice_of_cells()),
            HostBuffer::U32(values) => Words::U32(Cell::from_mut(values.as_mut_slice()).as_slice_of_cells()),
        }
    }
}

struct HostCall<'a> {
    buffers: Vec<Words<'a>>,
    homes: &'a [usize],
    written: Vec<&'a [Cell<bool>]>,
    dispatch: &'a Dispatch,
    consts: HashMap<&'static str, u32>,
    step: &'a Step,
}

impl HostCall<'_> {
    fn index(&self, slot: usize, row: usize, col: usize) -> (usize, usize) {
        let t = self.dispatch.tensors[slot];
        assert!(col < t.stride, "column {col} of a row of {} words", t.stride);
        (self.homes[t.buffer.0], t.offset + row * t.stride + col)
    }

    /// What is written may be read only where the kernel says that it needs what was there before.
    fn readable(&self, slot: usize) {
        let slot = &self.dispatch.kernel.slots[slot];
        let reads = slot.access == Access::Read || slot.keeps(&self.dispatch.consts);
        assert!(reads, "{} of {} is only written", slot.name, self.dispatch.label);
    }

    fn float(&self, slot: usize, row: usize, col: usize) -> &Cell<f64> {
        let (buffer, at) = self.index(slot, row, col);
        match self.buffers[buffer] {
            Words::F32(values) => &values[at],
            Words::U32(_) => panic!("slot {slot} holds integers"),
        }
    }

    fn integer(&self, slot: usize, row: usize, col: usize) -> &Cell<u32> {
        let (buffer, at) = self.index(slot, row, col);
        match self.buffers[buffer] {
            Words::U32(values) => &values[at],
            Words::F32(_) => panic!("slot {slot} holds floats"),
        }
    }

    /// Marks an element as written; its slot must be one that the kernel writes.
    fn mark(&self, slot: usize, row: usize, col: usize) {
        let Slot { access, name, .. } = &self.dispatch.kernel.slots[slot];
        assert_eq!(*access, Access::Write, "{name} is read-only");
        let (buffer, at) = self.index(slot, row, col);
        self.written[buffer][at].set(true);
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

    fn slot_count(&self) -> usize {
        self.dispatch.kernel.slots.len()
    }

    fn tensor(&self, slot: usize) -> Tensor {
        self.dispatch.tensors[slot]
    }

    fn get(&self, slot: usize, row: usize, col: usize) -> f64 {
        self.readable(slot);
        self.float(slot, row, col).get()
    }

    fn get_u32(&self, slot: usize, row: usize, col: usize) -> u32 {
        self.readable(slot);
        self.integer(slot, row, col).get()
    }

    fn put(&self, slot: usize, row: usize, col: usize, value: f64) {
        self.mark(slot, row, col);
        self.float(slot, row, col).set(value);
    }

    fn put_u32(&self, slot: usize, row: usize, col: usize, value: u32) {
        self.mark(slot, row, col);
        self.integer(slot, row, col).set(value);
    }
}
