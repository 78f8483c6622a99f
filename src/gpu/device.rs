//! A device with its queue, its pipelines and its errors.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::adapter::AdapterReport;
use super::clock::Clock;
use super::durations::Durations;
use super::limits::Limits;
use super::pacer::{Pacer, Portion};
use super::shader;
use crate::error::{Error, Result};
use crate::plan::{Access, Const, Dispatch, Form, Kernel, Step, Target, Trusted};

/// Submissions of work in flight before the host waits for the oldest.
const MAX_WORKING: usize = 2;
/// Submissions of any kind in flight: a copy fits between two that work, so that the device need not wait for the host.
const MAX_IN_FLIGHT: usize = MAX_WORKING + 1;

/// Texels of the images that kernels read: four floats.
pub(super) const IMAGE_FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba32Float;

/// How long the host waits for a submission before it calls the device hung.
pub(super) const HANG: Duration = Duration::from_secs(120);

/// An open device. Pipelines are made once and kept.
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    report: AdapterReport,
    target: Target,
    limits: Limits,
    checked_shaders: bool,
    pipelines: Mutex<HashMap<PipelineKey, Pipeline>>,
    pub(super) step_layout: wgpu::BindGroupLayout,
    failures: Failures,
    in_flight: Mutex<InFlight>,
    pub(super) clock: OnceLock<Clock>,
}

/// The first failure of a device.
#[derive(Clone)]
struct Failure {
    problem: String,
    lost: bool,
}

/// Where wgpu's callbacks leave failures.
#[derive(Clone, Default)]
struct Failures(Arc<Mutex<Option<Failure>>>);

impl Failures {
    /// The first error is the cause of those that follow.
    fn error(&self, problem: String) {
        lock(&self.0).get_or_insert(Failure { problem, lost: false });
    }

    /// A loss explains the errors that it causes, even if they are reported before it.
    fn loss(&self, problem: String) {
        *lock(&self.0) = Some(Failure { problem, lost: true });
    }

    fn check(&self, doing: &str) -> Result<()> {
        match lock(&self.0).clone() {
            None => Ok(()),
            Some(Failure { problem, lost: false }) => Err(device_error(doing, problem)),
            Some(Failure { problem, lost: true }) => Err(Error::Lost {
                doing: doing.to_owned(),
                problem,
                next: "look at the driver's log; `run.recover` goes on with a new device".into(),
            }),
        }
    }
}

type PipelineKey = (&'static str, &'static str, Vec<Const>);

#[derive(Clone)]
pub(super) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

struct Submission {
    ticket: Ticket,
    index: wgpu::SubmissionIndex,
    kind: Submitted,
}

/// The number of a submission: a later one has a larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// The kind of a submission.
enum Submitted {
    /// Work, and the pacer that learns how long it took.
    Work(Option<Learner>),
    /// A copy for the host.
    Copy,
}

/// The pacer of a program, and the part of its steps that a submission holds.
pub(super) type Learner = (Arc<Mutex<Pacer>>, Portion);

#[derive(Default)]
struct InFlight {
    queue: VecDeque<Submission>,
    /// Submissions so far.
    count: u64,
    /// When the last wait ended.
    last_done: Option<Instant>,
    /// Of the submissions that were waited for.
    durations: Durations,
}

impl InFlight {
    /// Whether one more of this kind would be too many.
    fn is_full(&self, kind: &Submitted) -> bool {
        let is_work = |kind: &Submitted| matches!(kind, Submitted::Work(_));
        let working = self.queue.iter().filter(|submission| is_work(&submission.kind)).count();
        self.queue.len() >= MAX_IN_FLIGHT || (is_work(kind) && working >= MAX_WORKING)
    }

    /// Records that the oldest is done: the device was busy with it since the one before.
    fn done(&mut self, kind: Submitted) {
        let now = Instant::now();
        let Some(before) = self.last_done.replace(now) else { return };
        let Submitted::Work(learner) = kind else { return };
        self.durations.add(now - before);
        if let Some((pacer, portion)) = learner {
            lock(&pacer).learn(portion, now - before);
        }
    }
}

/// A panic while the lock was held is a bug, but the data behind it is still whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gpu {
    /// A device that does nothing: for tests, and to measure the host's share of a step.
    pub fn noop() -> Arc<Gpu> {
        Self::noop_of(Limits::default())
    }

    /// The same, with limits below WebGPU's.
    #[cfg(feature = "faults")]
    #[doc(hidden)]
    pub fn noop_within(limits: Limits) -> Arc<Gpu> {
        Self::noop_of(limits)
    }

    fn noop_of(limits: Limits) -> Arc<Gpu> {
        let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor {
            required_limits: lowered(wgpu::Limits::default(), limits),
            ..Default::default()
        });
        let limits = device.limits();
        let report = AdapterReport {
            name: "noop".into(),
            backend: "noop".into(),
            kind: "other".into(),
            max_buffer_size: limits.max_buffer_size,
            max_binding_size: limits.max_storage_buffer_binding_size,
            max_image_rows: limits.max_texture_dimension_2d,
            max_workgroup_memory: limits.max_compute_workgroup_storage_size,
            max_workgroup_invocations: limits.max_compute_invocations_per_workgroup,
            ..AdapterReport::default()
        };
        Self::new(device, queue, report, true)
    }

    /// Takes over an open device.
    pub(super) fn new(
        device: wgpu::Device,
        queue: wgpu::Queue,
        report: AdapterReport,
        checked_shaders: bool,
    ) -> Arc<Gpu> {
        let failures = Failures::default();
        // wgpu's own handlers would panic.
        let (on_error, on_loss) = (failures.clone(), failures.clone());
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| on_error.error(error.to_string())));
        device.set_device_lost_callback(move |reason, text| on_loss.loss(format!("{text} ({reason:?})")));
        let step_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("step"),
            entries: &[layout_entry(0, buffer_type(wgpu::BufferBindingType::Uniform, true))],
        });
        let (target, limits) = (report.target(), limits_of(&device.limits()));
        Arc::new(Gpu {
            device,
            queue,
            report,
            target,
            limits,
            checked_shaders,
            pipelines: Mutex::default(),
            step_layout,
            failures,
            in_flight: Mutex::default(),
            clock: OnceLock::new(),
        })
    }

    /// The adapter's properties.
    pub fn report(&self) -> &AdapterReport {
        &self.report
    }

    /// What kernels need to know to choose their variants.
    #[doc(hidden)]
    pub fn target(&self) -> Target {
        self.target
    }

    /// The limits for plans.
    #[doc(hidden)]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The clock of profiles; the wall clock before the first profile.
    #[doc(hidden)]
    pub fn clock(&self) -> Clock {
        self.clock.get().copied().unwrap_or(Clock::Wall)
    }

    /// The first failure since the device was opened, as an error.
    #[doc(hidden)]
    pub fn check(&self, doing: &str) -> Result<()> {
        self.failures.check(doing)
    }

    /// Destroys the device, for tests: the same happens when a driver resets or a card is unplugged. From now on every use of
    /// the device is an [`Error::Lost`].
    #[cfg(feature = "faults")]
    #[doc(hidden)]
    pub fn lose(&self) {
        self.device.destroy();
        // Lets the callback run.
        let _ = self.device.poll(wgpu::PollType::Poll);
    }

    /// The pipeline of a dispatch, made on first use.
    pub(super) fn pipeline(&self, dispatch: &Dispatch) -> Pipeline {
        let kernel = dispatch.kernel;
        let key = (kernel.name, kernel.entry, dispatch.consts.clone());
        if let Some(pipeline) = lock(&self.pipelines).get(&key) {
            return pipeline.clone();
        }
        // Not under the lock: several threads may compile at once.
        let pipeline = self.compile(kernel, &dispatch.consts);
        lock(&self.pipelines).entry(key).or_insert(pipeline).clone()
    }

    fn compile(&self, kernel: &'static Kernel, consts: &[Const]) -> Pipeline {
        let label = kernel.label();
        let text = shader::compose(kernel.source, consts).unwrap_or_else(|e| panic!("{label}: {e}"));
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(&label),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        };
        let checks = if self.checked_shaders {
            wgpu::ShaderRuntimeChecks::checked()
        } else {
            wgpu::ShaderRuntimeChecks::unchecked()
        };
        // Only this crate can make a kernel that has this field.
        let Trusted = kernel.trusted;
        // SAFETY: without the checks a shader could read or write outside its bindings, or loop for ever. The page
        // `soundness` of the documentation explains why no kernel of this crate does.
        let module = unsafe { self.device.create_shader_module_trusted(descriptor, checks) };
        let mut entries = vec![layout_entry(0, buffer_type(wgpu::BufferBindingType::Uniform, false))];
        entries.extend(kernel.slots.iter().map(|slot| {
            let read_only = slot.access == Access::Read;
            let ty = match slot.form {
                Form::Buffer => buffer_type(wgpu::BufferBindingType::Storage { read_only }, false),
                Form::Image => wgpu::BindingType::StorageTexture {
                    access: wgpu::StorageTextureAccess::ReadOnly,
                    format: IMAGE_FORMAT,
                    view_dimension: wgpu::TextureViewDimension::D2,
                },
            };
            layout_entry(slot.binding, ty)
        }));
        let layout = self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(&label),
            entries: &entries,
        });
        let groups = [Some(&layout), Some(&self.step_layout)];
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(&label),
            bind_group_layouts: if kernel.step { &groups } else { &groups[..1] },
            immediate_size: 0,
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&label),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(kernel.entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Kernels write workgroup memory before they read it.
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        Pipeline { pipeline, layout }
    }

    /// Waits until few enough submissions are in flight, then submits commands. `learner` learns how long the device took for
    /// them when somebody waits for them.
    pub(super) fn submit(&self, commands: wgpu::CommandBuffer, learner: Option<Learner>) -> Result<Ticket> {
        self.submit_as(commands, Submitted::Work(learner))
    }

    /// Submits a copy for the host, in the same way.
    pub(super) fn submit_copy(&self, commands: wgpu::CommandBuffer) -> Result<Ticket> {
        self.submit_as(commands, Submitted::Copy)
    }

    fn submit_as(&self, commands: wgpu::CommandBuffer, kind: Submitted) -> Result<Ticket> {
        let mut in_flight = lock(&self.in_flight);
        while in_flight.is_full(&kind) {
            self.wait_for_oldest(&mut in_flight)?;
        }
        if in_flight.queue.is_empty() {
            in_flight.last_done = Some(Instant::now());
        }
        in_flight.count += 1;
        let ticket = Ticket(in_flight.count);
        let index = self.queue.submit([commands]);
        in_flight.queue.push_back(Submission { ticket, index, kind });
        drop(in_flight);
        self.check("submitting work")?;
        Ok(ticket)
    }

    /// Waits until this submission, and what was submitted before it, is done.
    pub(super) fn wait_until(&self, last: Ticket) -> Result<()> {
        let mut in_flight = lock(&self.in_flight);
        while in_flight.queue.front().is_some_and(|submission| submission.ticket <= last) {
            self.wait_for_oldest(&mut in_flight)?;
        }
        drop(in_flight);
        // Somebody else may have waited for it before its words were asked for.
        let polled = self.device.poll(wgpu::PollType::Poll);
        self.check("waiting for the device")?;
        polled.map(|_| ()).map_err(|error| device_error("waiting for the device", error.to_string()))
    }

    /// Waits until everything submitted is done.
    #[doc(hidden)]
    pub fn wait(&self) -> Result<()> {
        let mut in_flight = lock(&self.in_flight);
        while !in_flight.queue.is_empty() {
            self.wait_for_oldest(&mut in_flight)?;
        }
        self.wait_for(None)?;
        self.check("waiting for the device")
    }

    fn wait_for_oldest(&self, in_flight: &mut InFlight) -> Result<()> {
        if let Some(Submission { index, kind, .. }) = in_flight.queue.pop_front() {
            self.wait_for(Some(index))?;
            in_flight.done(kind);
        }
        Ok(())
    }

    /// How long submissions took since the device was opened or since the last call.
    #[doc(hidden)]
    pub fn take_durations(&self) -> Durations {
        std::mem::take(&mut lock(&self.in_flight).durations)
    }

    fn wait_for(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let poll = wgpu::PollType::Wait { submission_index, timeout: Some(HANG) };
        let polled = self.device.poll(poll);
        self.check("waiting for the device")?;
        polled.map(|_| ()).map_err(|error| device_error("waiting for the device", error.to_string()))
    }
}

fn limits_of(limits: &wgpu::Limits) -> Limits {
    Limits {
        buffer: limits.max_buffer_size,
        binding: limits.max_storage_buffer_binding_size,
        workgroups: limits.max_compute_workgroups_per_dimension,
    }
}

/// These limits, lowered to those of `most`.
pub(super) fn lowered(limits: wgpu::Limits, most: Limits) -> wgpu::Limits {
    let Limits { buffer, binding, workgroups } = limits_of(&limits).min(most);
    wgpu::Limits {
        max_buffer_size: buffer,
        max_storage_buffer_binding_size: binding,
        max_compute_workgroups_per_dimension: workgroups,
        ..limits
    }
}

pub(super) fn device_error(doing: &str, problem: String) -> Error {
    Error::Device {
        doing: doing.to_owned(),
        problem,
        next: "check the driver with `vae-gpu check`, or choose another adapter with `run.device`".into(),
    }
}

fn layout_entry(binding: u32, ty: wgpu::BindingType) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry { binding, visibility: wgpu::ShaderStages::COMPUTE, ty, count: None }
}

/// A buffer; with a dynamic offset, one that holds a [`Step`].
fn buffer_type(ty: wgpu::BufferBindingType, dynamic: bool) -> wgpu::BindingType {
    let min_binding_size = if dynamic { wgpu::BufferSize::new(size_of::<Step>() as u64) } else { None };
    wgpu::BindingType::Buffer { ty, has_dynamic_offset: dynamic, min_binding_size }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A driver's reset as it looks from here: errors of work under way, and the callback with the loss, in any order.
    #[test]
    fn a_loss_explains_the_errors_around_it() {
        let gpu = Gpu::noop();
        assert!(gpu.check("testing").is_ok());
        gpu.failures.error("a buffer is invalid".into());
        gpu.failures.error("another".into());
        let error = gpu.check("testing").unwrap_err();
        assert!(
            matches!(&error, Error::Device { problem, .. } if problem == "a buffer is invalid"),
            "{error}"
        );
        gpu.failures.loss("the driver was reset (Unknown)".into());
        gpu.failures.error("a queue is invalid".into());
        // The next caller learns of it.
        for error in [gpu.check("testing"), gpu.wait()].map(Result::unwrap_err) {
            assert!(matches!(&error, Error::Lost { problem, .. } if problem.contains("reset")), "{error}");
        }
    }
}
