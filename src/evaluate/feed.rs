//! How rows of a data set reach the gather kernel: all at once where they fit on the device, else a submission's rows at a
//! time, while the device works on those before.

use crate::data::Split;
use crate::error::Result;
use crate::gpu::{Gpu, Program};
use crate::kernels::gather::Binarize;
use crate::model::plans::{BatchPlan, DeviceData};
use crate::plan::{Step, Tensor};

/// Bytes of rows that are streamed with one submission at most, unless a single batch is larger.
const WINDOW: usize = 32 << 20;

/// Bytes of rows that are uploaded at once.
const CHUNK: usize = 4 << 20;

/// Steps of a submission at most: more would not fit the ring of steps.
const MAX_STEPS: usize = 64;

/// Rows of one data set on their way to one plan. The bits that training gives do not depend on the way.
pub struct Feed {
    /// The data, where it is streamed.
    source: Option<Split>,
    /// Steps whose rows fit on the device at once.
    steps: usize,
    packed: Vec<u32>,
}

impl Feed {
    /// Where the rows of `split` go, and what the plan must know of it. Streams if the data does not fit
    /// the adapter's limits, or if `stream` asks for it.
    pub fn plan(
        gpu: &Gpu,
        split: &Split,
        name: &str,
        binarize: Binarize,
        batch: usize,
        stream: bool,
    ) -> DeviceData {
        let row = 4 * split.dim().div_ceil(4);
        let streamed = stream || split.count as u64 * row as u64 > gpu.max_storage_bytes();
        let steps = (WINDOW / (batch * row).max(1)).clamp(1, MAX_STEPS);
        let count = if streamed { steps * batch } else { split.count };
        DeviceData { name: name.to_owned(), count, labels: split.count, binarize, streamed }
    }

    /// Uploads `split` if it stays on the device.
    pub fn new(
        program: &Program,
        handles: &BatchPlan,
        data: &DeviceData,
        split: &Split,
        batch: usize,
    ) -> Result<Feed> {
        if let (Some(tensor), Some(labels)) = (handles.labels, &split.labels) {
            program.write_u32(tensor, &labels.iter().map(|label| u32::from(*label)).collect::<Vec<_>>());
        }
        if data.streamed {
            let source = Some(split.clone());
            return Ok(Feed { source, steps: data.count / batch, packed: Vec::new() });
        }
        // A chunk at a time: the whole would lie in memory three times over.
        let chunk = (CHUNK / (4 * handles.data.stride)).max(1);
        let mut packed = Vec::new();
        for first in (0..split.count).step_by(chunk) {
            let rows = chunk.min(split.count - first);
            packed.clear();
            (first..first + rows).for_each(|row| pack(&mut packed, split.row(row)));
            program.write_u32(handles.data.slice_rows(first, rows), &packed);
            program.flush()?;
        }
        Ok(Feed { source: None, steps: MAX_STEPS, packed: Vec::new() })
    }

    /// Steps that may go into one submission.
    pub fn max_steps(&self) -> usize {
        self.steps
    }

    /// Writes the order of an epoch, where the device visits the rows by itself.
    pub fn write_order(&self, program: &Program, handles: &BatchPlan, order: &[u32]) {
        if self.source.is_none() {
            program.write_u32(handles.order, order);
        }
    }

    /// Submits `steps`, whose rows are `order` from the first one's `first_row` on; streamed rows go with them.
    pub fn submit(
        &mut self,
        program: &mut Program,
        handles: &BatchPlan,
        steps: &mut [Step],
        order: &[u32],
    ) -> Result<()> {
        if let (Some(split), Some(first), Some(last)) = (&self.source, steps.first(), steps.last()) {
            let begin = first.first_row;
            let ids = &order[begin as usize..(last.first_row + last.valid_rows) as usize];
            self.packed.clear();
            ids.iter().for_each(|id| pack(&mut self.packed, split.row(*id as usize)));
            program.write_u32(handles.data.slice_rows(0, ids.len()), &self.packed);
            program.write_u32(Tensor { cols: ids.len(), ..handles.order }, ids);
            steps.iter_mut().for_each(|step| step.first_row -= begin);
        }
        program.submit(steps)
    }
}

/// Appends a row of bytes as whole words.
fn pack(words: &mut Vec<u32>, row: &[u8]) {
    words.extend(row.chunks(4).map(|bytes| {
        let mut word = [0; 4];
        word[..bytes.len()].copy_from_slice(bytes);
        u32::from_le_bytes(word)
    }));
}
