//! Opens a device, and asks it a question with a known answer: some drivers compile everything and compute nothing (null
//! devices, which serve developers of compilers), and a model would learn nothing there, with a loss of 0.

use std::sync::Arc;

use super::adapter::{self, Selection};
use super::allocate::create;
use super::device::{Gpu, lowered};
use super::limits::Limits;
use super::read_back::{Reading, Staging};
use super::workers::Threads;
use crate::error::{Error, Result};

/// How a device is opened.
#[derive(Clone, Debug, Default)]
pub struct DeviceOptions {
    /// Which adapter.
    pub selection: Selection,
    /// Which of several equal cards, for processes of one machine that share them: the first for 0, and round again after the last.
    /// A selection by number is meant as it is, and software adapters are all one processor.
    pub turn: usize,
    /// Keep wgpu's bounds checks in the shaders: slower, for hunting a bug.
    pub checked_shaders: bool,
    /// Give each thread with which Mesa's software adapter computes a processor of its own, on Linux: short dispatches are faster by it.
    /// For programs that start no thread of their own while the device is opened, and have the processors for themselves.
    pub spread_workers: bool,
    /// Limits below the adapter's own, for tests of smaller adapters.
    #[doc(hidden)]
    pub limits: Limits,
}

/// Words of the answer.
const WORDS: u32 = 64;
/// Knuth's multiplicative hash: the answer looks like nothing that happens to lie in memory.
const FACTOR: u32 = 2_654_435_761;

/// The question.
const SHADER: &str = "
@group(0) @binding(0) var<storage, read_write> words: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    words[id.x] = (id.x + 1u) * 2654435761u;
}
";

fn expected() -> Vec<u32> {
    (1..=WORDS).map(|i| i.wrapping_mul(FACTOR)).collect()
}

impl Gpu {
    /// Opens the adapter that `options` names.
    pub fn open(options: &DeviceOptions) -> Result<Arc<Gpu>> {
        let before = options.spread_workers.then(Threads::now);
        let gpu = Gpu::open_unasked(options)?;
        if gpu.answer()? == expected() {
            // By now the driver has its workers: that of OpenGL starts them for the first dispatch.
            if let Some(threads) = before {
                threads.spread_later_workers();
            }
            return Ok(gpu);
        }
        Err(Error::Adapter(format!(
            "{} computes nothing: its driver is one for compilers' developers, or broken\n  try another adapter of `vae-gpu devices` with `run.device`",
            gpu.report().title()
        )))
    }

    /// A device that may compute or not.
    fn open_unasked(options: &DeviceOptions) -> Result<Arc<Gpu>> {
        let mut adapters = adapter::candidates(&options.selection)?;
        let reports: Vec<_> = adapters.iter().map(|(_, report)| report.clone()).collect();
        let (adapter, report) =
            adapters.swap_remove(adapter::select_turn(&reports, &options.selection, options.turn)?);
        let mut wanted =
            wgpu::Features::SUBGROUP | wgpu::Features::SHADER_F16 | wgpu::Features::TIMESTAMP_QUERY;
        let mut experimental_features = wgpu::ExperimentalFeatures::disabled();
        if report.cooperative.is_some() {
            wanted |= wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
            // SAFETY: wgpu does not yet check everything that such shaders do. Only this crate's run on the device, and the page
            // `soundness` of the documentation explains why they stay within their memory.
            experimental_features = unsafe { wgpu::ExperimentalFeatures::enabled() };
        }
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("vae-gpu"),
            required_features: adapter.features() & wanted,
            required_limits: lowered(adapter.limits(), options.limits),
            experimental_features,
            ..Default::default()
        }))
        .map_err(|error| {
            Error::Adapter(format!(
                "{} could not be opened: {error}\n  try another adapter of `vae-gpu devices` with `run.device`",
                report.title()
            ))
        })?;
        Ok(Self::new(device, queue, report, options.checked_shaders))
    }

    /// What the device answers.
    fn answer(self: &Arc<Gpu>) -> Result<Vec<u32>> {
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("probe"),
            source: wgpu::ShaderSource::Wgsl(SHADER.into()),
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("probe"),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        let bytes = 4 * WORDS as usize;
        let words = create(self, "probe", bytes, wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC)?;
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("probe"),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: words.as_entire_binding() }],
        });
        let home = Arc::<Staging>::default();
        let staging = home.take(self, bytes)?;
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(1, 1, 1);
        drop(pass);
        encoder.copy_buffer_to_buffer(&words, 0, &staging, 0, bytes as u64);
        let ticket = self.submit_copy(encoder.finish())?;
        let reading = Reading::begin(staging, bytes, ticket, &home);
        self.wait()?;
        reading.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_computes_nothing_gives_another_answer() {
        assert_ne!(Gpu::noop().answer().unwrap(), expected());
    }
}
