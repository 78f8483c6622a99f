//! A plan recorded for a device: its buffers and bind groups, ready to be replayed every step.

mod profile;
mod words;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::adapter::AdapterReport;
use super::allocate::{allocate, create};
use super::device::{Gpu, Ticket, lock};
use super::images::Image;
use super::limits::{advice, bytes_of, is_data};
use super::pacer::{MAX_STEPS, Pacer, Portion, divide, weight};
use super::read_back::{Reading, Staging};
use crate::error::Result;
use crate::plan::{Buffer, BufferId, Dispatch, Form, Needs, Plan, Role, Step, Tensor};

/// Distance between the slots of the Step ring and of the Params buffer: the largest alignment of dynamic offsets that
/// WebGPU lets an adapter ask for.
const SLOT: usize = 256;

/// The buffers that plans share, by name.
#[derive(Default)]
pub struct Shared {
    buffers: HashMap<String, (wgpu::Buffer, usize)>,
}

/// A plan on a device.
pub struct Program {
    gpu: Arc<Gpu>,
    plan: Plan,
    buffers: Vec<wgpu::Buffer>,
    launches: Vec<Launch>,
    /// The weight of each launch when a step is divided.
    weights: Vec<u64>,
    step_ring: wgpu::Buffer,
    step_group: wgpu::BindGroup,
    ring_bytes: Vec<u8>,
    pacer: Arc<Mutex<Pacer>>,
    staging: Arc<Staging>,
}

struct Launch {
    /// Images that it reads and that must be copied before.
    copies: Vec<Arc<Image>>,
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    step: bool,
    workgroups: [u32; 3],
}

impl Launch {
    /// Records it. What is bound stays so from one launch of a pass to the next: `bound` is the slot of the Step that the pass has.
    fn encode(
        &self,
        pass: &mut wgpu::ComputePass,
        step_group: &wgpu::BindGroup,
        slot: usize,
        bound: &mut Option<usize>,
    ) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        if self.step && bound.replace(slot) != Some(slot) {
            pass.set_bind_group(1, step_group, &[(slot * SLOT) as u32]);
        }
        let [x, y, z] = self.workgroups;
        pass.dispatch_workgroups(x, y, z);
    }
}

/// Records launches, and the copies between them: as few passes as the copies allow.
struct Recorder<'a> {
    /// Dropped before the encoder is used for something else.
    pass: Option<wgpu::ComputePass<'static>>,
    bound: Option<usize>,
    encoder: &'a mut wgpu::CommandEncoder,
    step_group: &'a wgpu::BindGroup,
}

impl<'a> Recorder<'a> {
    fn new(encoder: &'a mut wgpu::CommandEncoder, step_group: &'a wgpu::BindGroup) -> Self {
        Recorder { pass: None, bound: None, encoder, step_group }
    }

    fn record(&mut self, launch: &Launch, slot: usize) {
        if !launch.copies.is_empty() {
            (self.pass, self.bound) = (None, None);
        }
        for image in &launch.copies {
            image.copy(self.encoder);
        }
        let begin = || self.encoder.begin_compute_pass(&Default::default()).forget_lifetime();
        launch.encode(self.pass.get_or_insert_with(begin), self.step_group, slot, &mut self.bound);
    }
}

impl Program {
    /// Makes the plan's buffers (shared ones are taken from `shared`, or put there), its pipelines and its bind groups:
    /// everything that the step loop must not make.
    ///
    /// # Errors
    /// [`crate::error::Error::Limit`] if the plan exceeds a limit of the device, before anything is made; [`crate::error::Error::Device`].
    pub fn new(gpu: &Arc<Gpu>, plan: Plan, shared: &mut Shared) -> Result<Program> {
        gpu.check("preparing a plan")?;
        gpu.limits().check(&plan, "the adapter allows")?;
        check_needs(&plan, gpu.report());
        let buffers = make_buffers(gpu, &plan, shared)?;
        compile_all(gpu, &plan.dispatches);
        let launches = launches(gpu, &plan, &buffers)?;
        let step_ring = create(gpu, "step ring", MAX_STEPS * SLOT, wgpu::BufferUsages::UNIFORM)?;
        let step_group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("step"),
            layout: &gpu.step_layout,
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: binding(&step_ring, 0, size_of::<Step>()),
            }],
        });
        gpu.check(&format!("preparing the plan {:?}", plan.name))?;
        let ring_bytes = vec![0; MAX_STEPS * SLOT];
        let weights = plan.dispatches.iter().map(|dispatch| weight(dispatch.cost)).collect();
        let gpu = gpu.clone();
        Ok(Program {
            gpu,
            plan,
            buffers,
            launches,
            weights,
            step_ring,
            step_group,
            ring_bytes,
            pacer: Arc::default(),
            staging: Arc::default(),
        })
    }

    /// The plan that was recorded.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How many steps the caller should submit at once.
    pub fn steps_at_once(&self) -> usize {
        lock(&self.pacer).steps()
    }

    /// Submits the plan once per step, for no more steps than [`Program::steps_at_once`] can return. A single step that is too
    /// long for one submission is submitted in parts. Waits only until few enough submissions are in flight.
    ///
    /// # Panics
    /// If the plan pauses for other processes: then [`Program::submit_piece`] does it.
    pub fn submit(&mut self, steps: &[Step]) -> Result<()> {
        assert!(steps.len() <= MAX_STEPS, "{} steps in one submission", steps.len());
        assert!(self.plan.exchanges.is_empty(), "{:?} pauses for other processes", self.plan.name);
        self.check_reach(steps);
        for (step, slot) in steps.iter().zip(self.ring_bytes.chunks_exact_mut(SLOT)) {
            slot[..size_of::<Step>()].copy_from_slice(bytemuck::bytes_of(step));
        }
        self.gpu.queue.write_buffer(&self.step_ring, 0, &self.ring_bytes[..steps.len() * SLOT]);
        let parts = if steps.len() == 1 { lock(&self.pacer).parts() } else { 1 };
        for part in divide(&self.weights, parts) {
            let encoder = self.encode(&part, steps.len());
            self.submit_work(encoder, &part, steps.len())?;
        }
        Ok(())
    }

    /// Submits these dispatches of a step, and starts to read `tensors`, one behind the other, as they will be after them. The pieces
    /// of a step come in order. Waits only until few enough submissions are in flight. The staging buffer has room for `room` words,
    /// and serves the next reading with as much.
    pub fn submit_piece(
        &mut self,
        step: &Step,
        dispatches: Range<usize>,
        tensors: &[Tensor],
        room: usize,
    ) -> Result<Reading> {
        self.check_reach(&[*step]);
        let words: usize = tensors.iter().map(Tensor::words).sum();
        let staging = self.staging.take(&self.gpu, 4 * room.max(words))?;
        self.gpu.queue.write_buffer(&self.step_ring, 0, bytemuck::bytes_of(step));
        let parts = lock(&self.pacer).parts();
        let within = |part: Range<usize>| part.start.max(dispatches.start)..part.end.min(dispatches.end);
        let mut parts = divide(&self.weights, parts).into_iter().map(within).filter(|part| !part.is_empty());
        let mut part = parts.next().unwrap_or(dispatches.clone());
        for next in parts {
            let encoder = self.encode(&part, 1);
            self.submit_work(encoder, &part, 1)?;
            part = next;
        }
        let mut encoder = self.encode(&part, 1);
        let mut to = 0;
        for tensor in tensors {
            let (from, at) = (&self.buffers[tensor.buffer.0], 4 * tensor.offset as u64);
            let size = 4 * tensor.words() as u64;
            encoder.copy_buffer_to_buffer(from, at, &staging, to, size);
            to += size;
        }
        let ticket = match part.is_empty() {
            true => self.gpu.submit_copy(encoder.finish())?,
            false => self.submit_work(encoder, &part, 1)?,
        };
        Ok(Reading::begin(staging, 4 * words, ticket, &self.staging))
    }

    /// Records these dispatches, for each of so many steps.
    fn encode(&self, part: &Range<usize>, steps: usize) -> wgpu::CommandEncoder {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let mut recorder = Recorder::new(&mut encoder, &self.step_group);
        for slot in 0..steps {
            for launch in &self.launches[part.clone()] {
                recorder.record(launch, slot);
            }
        }
        drop(recorder);
        encoder
    }

    /// Submits what was recorded of these dispatches of so many steps.
    fn submit_work(
        &self,
        encoder: wgpu::CommandEncoder,
        part: &Range<usize>,
        steps: usize,
    ) -> Result<Ticket> {
        let ends = if part.end == self.launches.len() { steps } else { 0 };
        let portion = Portion { begins: part.start == 0, ends };
        self.gpu.submit(encoder.finish(), Some((self.pacer.clone(), portion)))
    }

    /// Submits one dispatch of the plan by itself, for a look at what each of them writes.
    pub fn submit_dispatch(&mut self, step: &Step, dispatch: usize) -> Result<()> {
        self.check_reach(&[*step]);
        self.gpu.queue.write_buffer(&self.step_ring, 0, bytemuck::bytes_of(step));
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        Recorder::new(&mut encoder, &self.step_group).record(&self.launches[dispatch], 0);
        self.gpu.submit(encoder.finish(), None).map(|_| ())
    }

    /// Shaders without run-time checks trust the step.
    fn check_reach(&self, steps: &[Step]) {
        let reach = self.plan.reach();
        let within = steps.iter().all(|step| reach.allows(step));
        assert!(within, "a step of {:?} passes {reach:?}", self.plan.name);
    }
}

/// Compiles the pipelines of all dispatches, on one thread per core: on software adapters this is most of the time to the
/// first step.
fn compile_all(gpu: &Gpu, dispatches: &[Dispatch]) {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(dispatches.len());
    let next = Mutex::new(dispatches.iter());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let dispatch = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                    match dispatch {
                        Some(dispatch) => drop(gpu.pipeline(dispatch)),
                        None => break,
                    }
                }
            });
        }
    });
}

/// Shaders without run-time checks trust the adapter: kernels that shuffle values between lanes compute lane numbers from
/// the subgroup size in their constants.
fn check_needs(plan: &Plan, report: &AdapterReport) {
    let (subgroup, cooperative) = (report.target().subgroup, report.cooperative);
    for Dispatch { kernel, consts, label, .. } in &plan.dispatches {
        match kernel.needs {
            Needs::Nothing => {}
            Needs::Lanes => {
                let lanes = consts.iter().find(|(name, _)| *name == "LANES").map(|(_, lanes)| *lanes);
                assert!(lanes == subgroup, "{label}: for subgroups of {lanes:?}, not {subgroup:?}");
            }
            Needs::Cooperative(size) => {
                assert!(cooperative == Some(size), "{label}: for matrices of {size}, not {cooperative:?}");
            }
        }
    }
}

fn launches(gpu: &Gpu, plan: &Plan, buffers: &[wgpu::Buffer]) -> Result<Vec<Launch>> {
    let size = plan.dispatches.len().max(1) * SLOT;
    let params = create(gpu, "params", size, wgpu::BufferUsages::UNIFORM)?;
    let mut bytes = vec![0u8; size];
    for (dispatch, slot) in plan.dispatches.iter().zip(bytes.chunks_exact_mut(SLOT)) {
        slot[..dispatch.params.len()].copy_from_slice(&dispatch.params);
    }
    gpu.queue.write_buffer(&params, 0, &bytes);
    let images = make_images(gpu, plan, buffers)?;
    let image_of =
        |id: BufferId| images[plan.home(id).0].as_ref().expect("a buffer that is read as an image has one");
    let record = |(index, (dispatch, copies)): (usize, (&Dispatch, Vec<BufferId>))| {
        let pipeline = gpu.pipeline(dispatch);
        let mut entries = vec![wgpu::BindGroupEntry {
            binding: 0,
            resource: binding(&params, index * SLOT, dispatch.params.len()),
        }];
        entries.extend(dispatch.kernel.slots.iter().zip(&dispatch.tensors).map(|(slot, tensor)| {
            let buffer = &buffers[tensor.buffer.0];
            let resource = match slot.form {
                Form::Buffer => binding(buffer, 4 * tensor.offset, 4 * plan.span(*tensor)),
                Form::Image => wgpu::BindingResource::TextureView(&image_of(tensor.buffer).view),
            };
            wgpu::BindGroupEntry { binding: slot.binding, resource }
        }));
        let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(&dispatch.label),
            layout: &pipeline.layout,
            entries: &entries,
        });
        let step = dispatch.kernel.step;
        let copies = copies.into_iter().map(|id| image_of(id).clone()).collect();
        Launch { copies, pipeline: pipeline.pipeline, group, step, workgroups: dispatch.workgroups }
    };
    Ok(plan.dispatches.iter().zip(plan.copies()).enumerate().map(record).collect())
}

/// An image for each buffer that some dispatch copies to one.
fn make_images(gpu: &Gpu, plan: &Plan, buffers: &[wgpu::Buffer]) -> Result<Vec<Option<Arc<Image>>>> {
    let mut images: Vec<Option<Arc<Image>>> = vec![None; buffers.len()];
    for BufferId(id) in plan.copies().into_iter().flatten() {
        if images[id].is_none() {
            let buffer = &plan.buffers[id];
            images[id] = Some(Arc::new(Image::new(gpu, buffer, &buffers[id], advice(buffer))?));
        }
    }
    Ok(images)
}

fn binding(buffer: &wgpu::Buffer, offset: usize, size: usize) -> wgpu::BindingResource<'_> {
    wgpu::BindingResource::Buffer(wgpu::BufferBinding {
        buffer,
        offset: offset as u64,
        size: wgpu::BufferSize::new(size as u64),
    })
}

/// The plan's buffers, in their order. One that lies in the memory of another is that other's buffer. They are zeroed at once: wgpu
/// would ask at each launch whether that is still to be done, of each buffer that was not yet when its group was made.
fn make_buffers(gpu: &Gpu, plan: &Plan, shared: &mut Shared) -> Result<Vec<wgpu::Buffer>> {
    let mut made: Vec<Option<wgpu::Buffer>> = Vec::new();
    let mut zeros = gpu.device.create_command_encoder(&Default::default());
    for buffer in &plan.buffers {
        let made_now = match buffer.home {
            Some(_) => None,
            None => Some(make_buffer(gpu, buffer, shared, &mut zeros)?),
        };
        made.push(made_now);
    }
    gpu.queue.submit([zeros.finish()]);
    let of = |id| made[plan.home(BufferId(id)).0].clone().expect("a home has memory of its own");
    Ok((0..made.len()).map(of).collect())
}

fn make_buffer(
    gpu: &Gpu,
    buffer: &Buffer,
    shared: &mut Shared,
    zeros: &mut wgpu::CommandEncoder,
) -> Result<wgpu::Buffer> {
    let bytes = bytes_of(buffer) as usize;
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let mut make = || {
        let made = allocate(gpu, &buffer.name, bytes, usage, advice(buffer))?;
        if !is_data(buffer) {
            zeros.clear_buffer(&made, 0, None);
        }
        Ok(made)
    };
    if buffer.role == Role::Private {
        return make();
    }
    if let Some((found, size)) = shared.buffers.get(&buffer.name) {
        assert_eq!(*size, bytes, "two plans share {} at different sizes", buffer.name);
        return Ok(found.clone());
    }
    let made = make()?;
    shared.buffers.insert(buffer.name.clone(), (made.clone(), bytes));
    Ok(made)
}

#[cfg(test)]
mod tests;
