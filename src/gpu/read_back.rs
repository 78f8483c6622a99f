//! Words on their way from the device, and the staging buffers that they pass through.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use super::allocate::create;
use super::device::{Gpu, HANG, Ticket, device_error, lock};
use crate::error::{Error, Result};

/// Buffers that a program keeps for later readings: for the losses, the parameters, gradients on their way, and a few more sizes.
const MAX_KEPT: usize = 8;

/// The staging buffers of a program. Each serves again for a reading of the same size.
#[derive(Default)]
pub(super) struct Staging {
    /// The buffers that no reading uses, with their sizes in bytes.
    free: Mutex<Vec<(wgpu::Buffer, usize)>>,
    made: AtomicUsize,
}

impl Staging {
    /// A buffer of this many bytes that the host can read.
    pub fn take(&self, gpu: &Gpu, bytes: usize) -> Result<wgpu::Buffer> {
        let mut free = lock(&self.free);
        if let Some(found) = free.iter().position(|(_, size)| *size == bytes) {
            return Ok(free.remove(found).0);
        }
        self.made.fetch_add(1, Ordering::Relaxed);
        create(gpu, "read-back", bytes, wgpu::BufferUsages::MAP_READ)
    }

    /// Keeps an unmapped buffer for a later reading, and drops the one that waited longest if there are too many.
    fn put(&self, buffer: wgpu::Buffer) {
        let mut free = lock(&self.free);
        if free.len() == MAX_KEPT {
            free.remove(0);
        }
        let bytes = buffer.size() as usize;
        free.push((buffer, bytes));
    }

    /// Buffers made so far.
    #[cfg(test)]
    pub fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }
}

type Mapped = std::result::Result<(), wgpu::BufferAsyncError>;

/// Words on their way from the device. See [`super::Program::begin_read`].
pub struct Reading {
    /// None after mapping has failed.
    buffer: Option<wgpu::Buffer>,
    /// Of the buffer, from its beginning.
    bytes: u64,
    /// The submission that copies them.
    ticket: Ticket,
    receive: mpsc::Receiver<Mapped>,
    home: Arc<Staging>,
}

impl Reading {
    /// Asks for the first bytes of `buffer`, to which that submission copies them; it goes to `home` afterwards.
    pub(super) fn begin(buffer: wgpu::Buffer, bytes: usize, ticket: Ticket, home: &Arc<Staging>) -> Reading {
        let (send, receive) = mpsc::channel();
        let bytes = bytes as u64;
        buffer.map_async(wgpu::MapMode::Read, ..bytes, move |result| {
            // Nobody listens any more if the reading was dropped.
            let _ = send.send(result);
        });
        Reading { buffer: Some(buffer), bytes, ticket, receive, home: home.clone() }
    }

    /// The submission that copies the words.
    pub(super) fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// The words, if they have arrived. Must not be called again after it returned them.
    pub fn try_finish(&mut self) -> Result<Option<Vec<u32>>> {
        match self.receive.try_recv() {
            Err(mpsc::TryRecvError::Empty) => Ok(None),
            Err(error) => Err(failed(error)),
            Ok(mapped) => self.words(mapped).map(Some),
        }
    }

    /// The words, once the device is idle. Another thread may run the callback, and may not have done so yet.
    pub(super) fn finish(self) -> Result<Vec<u32>> {
        let mut words = Vec::new();
        self.finish_into(&mut words)?;
        Ok(words)
    }

    /// The same in place of what `words` holds.
    pub(super) fn finish_into<T: bytemuck::Pod>(mut self, words: &mut Vec<T>) -> Result<()> {
        let mapped = self.receive.recv_timeout(HANG).map_err(failed)?;
        self.copy(mapped, words)
    }

    fn words(&mut self, mapped: Mapped) -> Result<Vec<u32>> {
        let mut words = Vec::new();
        self.copy(mapped, &mut words)?;
        Ok(words)
    }

    fn copy<T: bytemuck::Pod>(&mut self, mapped: Mapped, words: &mut Vec<T>) -> Result<()> {
        if mapped.is_err() {
            self.buffer = None;
        }
        mapped.map_err(failed)?;
        let buffer = self.buffer.as_ref().ok_or_else(|| failed("the words were taken before"))?;
        let view = buffer.get_mapped_range(..self.bytes).map_err(failed)?;
        words.clear();
        match bytemuck::try_cast_slice(&view) {
            Ok(found) => words.extend_from_slice(found),
            // A mapping may begin where no word can.
            Err(_) => *words = bytemuck::pod_collect_to_vec(&view),
        }
        Ok(())
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // A buffer whose mapping failed must not be unmapped or used again.
        if matches!(self.receive.try_recv(), Ok(Err(_))) {
            return;
        }
        if let Some(buffer) = self.buffer.take() {
            // Cancels a mapping that is still pending.
            buffer.unmap();
            self.home.put(buffer);
        }
    }
}

fn failed(problem: impl ToString) -> Error {
    device_error("reading back", problem.to_string())
}
