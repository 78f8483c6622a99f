//! How rows of a data set reach the gather kernel: all at once if they fit on the device, else one submission's rows at
//! a time, while the device works on earlier ones.

use crate::data::{Element, Row, Split};
use crate::error::Result;
use crate::gpu::{Gpu, Limits, Program};
use crate::kernels::gather::{Binarize, Packing};
use crate::model::plans::{DeviceData, Source};
use crate::plan::{PAD, Step, Tensor};

/// Most bytes of rows streamed with one submission, unless a single batch is larger.
const WINDOW: usize = 32 << 20;

/// Data in a file above this many bytes stays there on software adapters, where device memory is host memory.
const LEFT_IN_FILE: u64 = 256 << 20;

/// Bytes of rows uploaded in one write.
const CHUNK: usize = 4 << 20;

/// Most steps in one submission: more would not fit the ring of steps.
const MAX_STEPS: usize = 64;

/// Rows of one data set on their way to one plan. Training gives the same bits whichever way they take.
pub struct Upload {
    /// Where the rows go.
    to: Source,
    /// The data, if it is streamed.
    streamed: Option<Split>,
    /// Steps whose rows fit on the device together.
    steps: usize,
    packed: Vec<u32>,
}

impl Upload {
    /// Decides where the rows of `split` go. They are streamed if they exceed the adapter's limits, if they are large
    /// and in a file on a software adapter, or if `stream` is set.
    pub fn plan(
        gpu: &Gpu,
        split: &Split,
        name: &str,
        binarize: Binarize,
        batch: usize,
        stream: bool,
    ) -> DeviceData {
        let bytes = split.count as u64 * row_bytes(split) as u64;
        let in_file = split.is_in_file() && gpu.report().is_software() && bytes > LEFT_IN_FILE;
        Upload::plan_within(gpu.limits(), split, name, binarize, batch, stream || in_file)
    }

    /// [`Upload::plan`] for a device known only by its limits.
    pub fn plan_within(
        limits: Limits,
        split: &Split,
        name: &str,
        binarize: Binarize,
        batch: usize,
        stream: bool,
    ) -> DeviceData {
        let packing = packing(split);
        // The order [1, N] is padded to PAD rows, so it takes 4 PAD bytes per datum.
        let row = row_bytes(split).max(4 * PAD);
        let most = limits.storage();
        let streamed = stream || split.count as u64 * row as u64 > most;
        let window = (WINDOW as u64).min(most) as usize;
        let steps = (window / (batch * row)).clamp(1, MAX_STEPS);
        let count = if streamed { steps * batch } else { split.count };
        DeviceData { name: name.to_owned(), count, labels: split.count, binarize, packing, streamed }
    }

    /// Uploads `split` if it stays on the device.
    pub fn new(
        program: &Program,
        to: Source,
        data: &DeviceData,
        split: &Split,
        batch: usize,
    ) -> Result<Upload> {
        if let (Some(tensor), Some(labels)) = (to.labels, &split.labels) {
            program.write_u32(tensor, labels);
        }
        if data.streamed {
            let streamed = Some(split.clone());
            return Ok(Upload { to, streamed, steps: data.count / batch, packed: Vec::new() });
        }
        // Chunk by chunk: all at once would hold the data in memory three times.
        let chunk = (CHUNK / (4 * to.data.stride)).max(1);
        let mut packed = Vec::new();
        for first in (0..split.count).step_by(chunk) {
            let rows = chunk.min(split.count - first);
            packed.clear();
            split.each(first..first + rows, &mut |row| pack(&mut packed, row))?;
            program.write_u32(to.data.slice_rows(first, rows), &packed);
            program.flush()?;
        }
        Ok(Upload { to, streamed: None, steps: MAX_STEPS, packed: Vec::new() })
    }

    /// Most steps in one submission.
    pub fn max_steps(&self) -> usize {
        self.steps
    }

    /// Writes the order of an epoch if the data is resident, so that the device looks rows up itself.
    pub fn write_order(&self, program: &Program, order: &[u32]) {
        if self.streamed.is_none() {
            program.write_u32(self.to.order, order);
        }
    }

    /// Makes the rows of `steps` ready; `order` holds their numbers, starting at the first step's `first_row`. Streamed
    /// rows are written here, and the steps then count from the first of them.
    ///
    /// # Errors
    /// As [`Split::each`].
    pub fn load(&mut self, program: &Program, steps: &mut [Step], order: &[u32]) -> Result<()> {
        if let (Some(split), Some(first), Some(last)) = (&self.streamed, steps.first(), steps.last()) {
            let begin = first.first_row;
            let ids = &order[begin as usize..(last.first_row + last.valid_rows) as usize];
            self.packed.clear();
            let packed = &mut self.packed;
            split.each(ids.iter().map(|id| *id as usize), &mut |row| pack(packed, row))?;
            program.write_u32(self.to.data.slice_rows(0, ids.len()), &self.packed);
            program.write_u32(Tensor { cols: ids.len(), ..self.to.order }, ids);
            steps.iter_mut().for_each(|step| step.first_row -= begin);
        }
        Ok(())
    }
}

/// Bytes of a row on the device.
fn row_bytes(split: &Split) -> usize {
    4 * packing(split).words(split.dim())
}

/// How the device stores such rows.
pub fn packing(split: &Split) -> Packing {
    match split.element() {
        Element::Bytes => Packing::Bytes,
        Element::Floats => Packing::Floats,
    }
}

/// All rows, as they lie on the device.
#[cfg(feature = "cli")]
pub(crate) fn packed(split: &Split) -> Result<Vec<u32>> {
    let mut words = Vec::new();
    split.each(0..split.count, &mut |row| pack(&mut words, row))?;
    Ok(words)
}

/// Appends a row as whole words, padded with zeros to a multiple of four values.
fn pack(words: &mut Vec<u32>, row: Row) {
    match row {
        Row::Bytes(bytes) => {
            let (whole, rest) = bytes.as_chunks::<4>();
            words.extend(whole.iter().map(|bytes| u32::from_le_bytes(*bytes)));
            if !rest.is_empty() {
                let mut word = [0; 4];
                word[..rest.len()].copy_from_slice(rest);
                words.push(u32::from_le_bytes(word));
            }
        }
        Row::Floats(values) => {
            words.extend(values.iter().map(|value| value.to_bits()));
            let padded = words.len() + values.len().next_multiple_of(4) - values.len();
            words.resize(padded, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_padded_to_four_values() {
        let mut words = Vec::new();
        pack(&mut words, Row::Bytes(&[1, 2, 3, 4, 5]));
        assert_eq!(words, [0x0403_0201, 5]);
        words.clear();
        pack(&mut words, Row::Floats(&[1.0, 2.0, 3.0, 4.0, 5.0]));
        assert_eq!(words.iter().map(|w| f32::from_bits(*w)).sum::<f32>(), 15.0);
        assert_eq!((words.len(), words[4..].to_vec()), (8, vec![5f32.to_bits(), 0, 0, 0]));
        words.clear();
        pack(&mut words, Row::Floats(&[1.0; 4]));
        assert_eq!(words.len(), 4);
    }
}
