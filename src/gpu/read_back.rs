//! Words on their way from the device, and the memory that they come through.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use super::allocate::create;
use super::device::{Gpu, HANG, device_error, lock};
use crate::error::{Error, Result};

/// Buffers that a program keeps for its next readings: those of the losses, of the parameters and of a few more sizes.
const MAX_KEPT: usize = 6;

/// The buffers that a program reads through. Each is used again for as many words.
#[derive(Default)]
pub(super) struct Staging {
    /// Those that no reading uses, and their bytes.
    free: Mutex<Vec<(wgpu::Buffer, usize)>>,
    made: AtomicUsize,
}

impl Staging {
    /// A buffer of so many bytes that the host can read.
    pub fn take(&self, gpu: &Gpu, bytes: usize) -> Result<wgpu::Buffer> {
        let mut free = lock(&self.free);
        if let Some(found) = free.iter().position(|(_, size)| *size == bytes) {
            return Ok(free.remove(found).0);
        }
        self.made.fetch_add(1, Ordering::Relaxed);
        create(gpu, "read-back", bytes, wgpu::BufferUsages::MAP_READ)
    }

    /// Keeps an unmapped buffer for the next reading, and forgets the one that waited longest if there are too many.
    fn put(&self, buffer: wgpu::Buffer) {
        let mut free = lock(&self.free);
        if free.len() == MAX_KEPT {
            free.remove(0);
        }
        let bytes = buffer.size() as usize;
        free.push((buffer, bytes));
    }

    /// Buffers that were made so far.
    #[cfg(test)]
    pub fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }
}

type Mapped = std::result::Result<(), wgpu::BufferAsyncError>;

/// Words on their way from the device. See [`super::Program::begin_read`].
pub struct Reading {
    /// None once mapping it failed.
    buffer: Option<wgpu::Buffer>,
    receive: mpsc::Receiver<Mapped>,
    home: Arc<Staging>,
}

impl Reading {
    /// Asks for what was copied to `buffer` by the submissions so far; it goes to `home` afterwards.
    pub(super) fn begin(buffer: wgpu::Buffer, home: &Arc<Staging>) -> Reading {
        let (send, receive) = mpsc::channel();
        buffer.map_async(wgpu::MapMode::Read, .., move |result| {
            // Nobody listens any more if the reading was dropped.
            let _ = send.send(result);
        });
        Reading { buffer: Some(buffer), receive, home: home.clone() }
    }

    /// The words, if they have arrived; to be called once after that.
    pub fn try_finish(&mut self) -> Result<Option<Vec<u32>>> {
        match self.receive.try_recv() {
            Err(mpsc::TryRecvError::Empty) => Ok(None),
            Err(error) => Err(failed(error)),
            Ok(mapped) => self.words(mapped).map(Some),
        }
    }

    /// The words, once the device is idle. It is perhaps another thread that hears of it and has yet to say so.
    pub(super) fn finish(mut self) -> Result<Vec<u32>> {
        let mapped = self.receive.recv_timeout(HANG).map_err(failed)?;
        self.words(mapped)
    }

    fn words(&mut self, mapped: Mapped) -> Result<Vec<u32>> {
        if mapped.is_err() {
            self.buffer = None;
        }
        mapped.map_err(failed)?;
        let buffer = self.buffer.as_ref().ok_or_else(|| failed("the words were taken before"))?;
        let view = buffer.get_mapped_range(..).map_err(failed)?;
        Ok(bytemuck::pod_collect_to_vec(&view))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // A buffer that could not be mapped is not unmapped, nor used again.
        if matches!(self.receive.try_recv(), Ok(Err(_))) {
            return;
        }
        if let Some(buffer) = self.buffer.take() {
            // Calls the mapping off, if it is still to come.
            buffer.unmap();
            self.home.put(buffer);
        }
    }
}

fn failed(problem: impl ToString) -> Error {
    device_error("reading back", problem.to_string())
}
