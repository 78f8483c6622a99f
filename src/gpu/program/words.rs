//! Words on their way to the buffers of a program, and back.

use super::super::read_back::Reading;
use super::Program;
use crate::error::Result;
use crate::plan::Tensor;

impl Program {
    /// Writes floats [rows, cols], without padding.
    pub fn write_f32(&self, tensor: Tensor, values: &[f32]) {
        self.write(tensor, bytemuck::cast_slice(values));
    }

    /// Writes integers [rows, cols], without padding.
    pub fn write_u32(&self, tensor: Tensor, values: &[u32]) {
        self.write(tensor, values);
    }

    /// Waits until all writes have arrived, so that the memory that staged them is free again.
    pub fn flush(&self) -> Result<()> {
        self.gpu.queue.submit([]);
        self.gpu.wait()
    }

    fn write(&self, tensor: Tensor, values: &[u32]) {
        assert_eq!(values.len(), tensor.rows * tensor.cols, "elements of {tensor:?}");
        let buffer = &self.buffers[tensor.buffer.0];
        let at = 4 * tensor.offset as u64;
        if tensor.cols == tensor.stride {
            self.gpu.queue.write_buffer(buffer, at, bytemuck::cast_slice(values));
        } else {
            let mut padded = vec![0u32; tensor.words()];
            for (to, from) in padded.chunks_exact_mut(tensor.stride).zip(values.chunks_exact(tensor.cols)) {
                to[..tensor.cols].copy_from_slice(from);
            }
            self.gpu.queue.write_buffer(buffer, at, bytemuck::cast_slice(&padded));
        }
    }

    /// Waits, and reads floats [rows, cols], without padding.
    pub fn read_f32(&self, tensor: Tensor) -> Result<Vec<f32>> {
        let words = self.read_words(tensor.buffer.0, tensor.offset, tensor.words())?;
        let rows = words.chunks_exact(tensor.stride);
        Ok(rows.flat_map(|row| row[..tensor.cols].iter().map(|w| f32::from_bits(*w))).collect())
    }

    /// Waits, and reads words of a buffer, padding and guard included.
    pub fn read_words(&self, buffer: usize, offset: usize, words: usize) -> Result<Vec<u32>> {
        let reading = self.begin_read(buffer, offset, words)?;
        self.gpu.wait()?;
        reading.finish()
    }

    /// Starts to read words of a buffer, as they will be when everything submitted so far is done. Waits only until few
    /// enough submissions are in flight. The staging buffer serves the next reading of the same size.
    pub fn begin_read(&self, buffer: usize, offset: usize, words: usize) -> Result<Reading> {
        let bytes = 4 * words;
        let staging = self.staging.take(&self.gpu, bytes)?;
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let (from, at) = (&self.buffers[buffer], 4 * offset as u64);
        encoder.copy_buffer_to_buffer(from, at, &staging, 0, bytes as u64);
        let ticket = self.gpu.submit_copy(encoder.finish())?;
        Ok(Reading::begin(staging, bytes, ticket, &self.staging))
    }

    /// Waits until the words of a reading have arrived.
    pub fn wait_for(&self, reading: &Reading) -> Result<()> {
        self.gpu.wait_until(reading.ticket())
    }

    /// Waits, and takes the words of a reading in place of what `values` holds.
    pub fn take(&self, reading: Reading, values: &mut Vec<f32>) -> Result<()> {
        self.wait_for(&reading)?;
        reading.finish_into(values)
    }

    /// Fills a buffer's words, padding and guard included.
    pub fn write_words(&self, buffer: usize, words: &[u32]) {
        self.gpu.queue.write_buffer(&self.buffers[buffer], 0, bytemuck::cast_slice(words));
    }
}
