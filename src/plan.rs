//! Plain data: tensors, dispatches, and the [`Plan`] that lists them. Independent of any GPU.
//!
//! A plan is built once per (model, batch shape). It can be printed, checked and executed by plain loops
//! (`kernels::reference`), or recorded for a device and replayed every step (`gpu::Program`).

mod call;
mod exchange;
mod field;
mod graph;
mod images;
mod kernel;
#[cfg_attr(not(test), allow(dead_code, reason = "no model shares memory yet"))]
mod memory;
mod pieces;
mod slot;
mod step;
mod tensor;

use std::fmt;

pub use call::{Call, Matrix, Reference, params, pod};
pub use exchange::Exchange;
pub use field::Field;
pub use graph::{Formula, Graph, Nodes, Part, Unfit, Value};
pub use images::{IMAGE_HEIGHT, IMAGE_WIDTH, IMAGE_WORDS};
pub(crate) use kernel::Trusted;
pub use kernel::{Kernel, Needs, Shader};
pub use pieces::Bucket;
pub use slot::{Access, Before, Const, Form, Slot, read, read_image, read_u32, write, write_u32};
pub use step::{Step, StepBounds};
pub use tensor::{BINDING_ALIGN, Buffer, BufferId, Element, PAD, Role, Tensor, round_up};

/// The work of a dispatch, for `explain` and the benches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations; a multiply-add counts two.
    pub flops: u64,
    /// Bytes that must move: each input read once, each output written once.
    pub bytes: u64,
}

/// One kernel launch.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// The kernel.
    pub kernel: &'static Kernel,
    /// Its purpose in this plan, such as `encoder.0`.
    pub label: String,
    /// Values of the shader's constants.
    pub consts: Vec<Const>,
    /// The bytes of Params.
    pub params: Vec<u8>,
    /// The tensors, in the order of the kernel's slots.
    pub tensors: Vec<Tensor>,
    /// Workgroups in x, y, z.
    pub workgroups: [u32; 3],
    /// Its work.
    pub cost: Cost,
}

impl Dispatch {
    /// The value of a constant of its shader.
    ///
    /// # Panics
    /// If it sets none of that name.
    pub fn constant(&self, wanted: &str) -> u32 {
        let constant = self.consts.iter().find(|(name, _)| *name == wanted);
        constant.unwrap_or_else(|| panic!("{} sets no {wanted}", self.label)).1
    }
}

/// The maker of an adapter, where kernels choose their variants by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// AMD.
    Amd,
    /// NVIDIA.
    Nvidia,
    /// Apple.
    Apple,
    /// Intel.
    Intel,
    /// Qualcomm.
    Qualcomm,
    /// Another one, or not known.
    #[default]
    Other,
}

/// The properties of a device by which kernels choose their variants when a plan is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// A software adapter: loads and barriers are slow, cores are few.
    pub software: bool,
    /// The size of the adapter's subgroups, if it has them and the size is fixed.
    pub subgroup: Option<u32>,
    /// Products and convolutions may round their operands to 16 bits: the user asked for it, the adapter can and, where a plan
    /// trains, is expected to gain by it.
    pub f16: bool,
    /// Rows and columns of the cooperative matrices that such products may use, if the adapter has them.
    pub cooperative: Option<u32>,
    /// Kernels read faster from an image than from a buffer, and images may have [`IMAGE_HEIGHT`] rows.
    pub images: bool,
    /// Adam reads buffers even if other kernels read images, whose copies cost it more than they gain. Measured with AVX-512 (Mesa
    /// 22.3.6 and 26.2.6), and nowhere else.
    pub adam_in_buffers: bool,
    /// Products that read images multiply and add by `fma` rather than by `a * b + c`. Measured on Intel's processors with Mesa 26,
    /// where it is faster; on AMD's it is slower.
    pub fused: bool,
    /// The maker of a card, whose compiler decides how large a tile may be.
    pub vendor: Vendor,
}

impl Target {
    /// The target whose kernels run on every adapter.
    pub const PORTABLE: Target = Target {
        software: false,
        subgroup: None,
        f16: false,
        cooperative: None,
        images: false,
        adam_in_buffers: false,
        fused: false,
        vendor: Vendor::Other,
    };

    /// A software adapter of which nothing more is known, as in a browser without a card.
    pub const SOFTWARE: Target = Target { software: true, ..Target::PORTABLE };

    /// Whether a card that adds in 32 bits is expected to gain by tiles of 16 bits: they are half as large in its workgroup memory,
    /// and that is all. By the compilers' estimates (tests/compilers) AMD's RDNA then holds up to twice as many waves and Apple's
    /// cards up to a third more, but NVIDIA's, and AMD's before RDNA, which have waves of 64 alone, at most one.
    pub(crate) fn gains_by_smaller_tiles(&self) -> bool {
        let before_rdna = self.vendor == Vendor::Amd && self.subgroup == Some(64);
        !before_rdna && self.vendor != Vendor::Nvidia
    }
}

/// A list of buffers and a list of dispatches. Only this crate can make one, which is why unchecked shaders are sound.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The purpose of the plan: `train`, `evaluate`, ...
    pub name: String,
    /// Every buffer.
    pub(crate) buffers: Vec<Buffer>,
    /// Every launch, in order.
    pub(crate) dispatches: Vec<Dispatch>,
    /// Its pauses, in order.
    pub(crate) exchanges: Vec<Exchange>,
    /// The bounds of the steps that run it.
    reach: StepBounds,
}

impl Plan {
    /// An empty plan.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        let (buffers, dispatches, exchanges) = (Vec::new(), Vec::new(), Vec::new());
        Plan { name: name.into(), buffers, dispatches, exchanges, reach: StepBounds::ANY }
    }

    /// Every buffer.
    pub fn buffers(&self) -> &[Buffer] {
        &self.buffers
    }

    /// Every launch, in order.
    pub fn dispatches(&self) -> &[Dispatch] {
        &self.dispatches
    }

    /// How far a step may reach.
    pub fn reach(&self) -> StepBounds {
        self.reach
    }

    /// Tightens the bounds of its steps by `reach`.
    pub(crate) fn keep_within(&mut self, reach: StepBounds) {
        self.reach = self.reach.and(reach);
    }

    /// Adds a buffer of `words` words and returns its index.
    pub(crate) fn buffer(
        &mut self,
        name: impl Into<String>,
        words: usize,
        element: Element,
        role: Role,
    ) -> BufferId {
        let name = name.into();
        assert!(words > 0, "buffer {name} is empty");
        assert!(self.find(&name).is_none(), "two buffers are named {name}");
        self.buffers.push(Buffer { name, words, guard: 0, element, role, shape: None, home: None });
        BufferId(self.buffers.len() - 1)
    }

    /// Adds a private matrix of floats `[rows, cols]` in a buffer of its own.
    pub(crate) fn tensor(&mut self, name: impl Into<String>, rows: usize, cols: usize) -> Tensor {
        self.matrix(name, rows, cols, Element::F32, Role::Private)
    }

    /// Adds a matrix in a buffer of its own, padded.
    pub(crate) fn matrix(
        &mut self,
        name: impl Into<String>,
        rows: usize,
        cols: usize,
        element: Element,
        role: Role,
    ) -> Tensor {
        let stride = round_up(cols, PAD);
        let words = round_up(rows, PAD).checked_mul(stride).expect("a matrix that can be counted");
        let buffer = self.buffer(name, words, element, role);
        self.buffers[buffer.0].shape = Some([rows, cols]);
        Tensor { buffer, offset: 0, rows, cols, stride }
    }

    /// Adds a private matrix of floats like another one: of its shape, and with as much room after its rows.
    pub(crate) fn like(&mut self, name: impl Into<String>, other: Tensor) -> Tensor {
        let Buffer { words, shape, .. } = self.buffers[other.buffer.0];
        let same = shape == Some([other.rows, other.cols]);
        self.roomy(name, other.rows, other.cols, if same { words } else { 0 })
    }

    /// Adds a private matrix of floats with room for rows of `count` data, a multiple of [`PAD`] of them, `rows` each: it can
    /// also be seen as a matrix with one row per datum.
    pub(crate) fn picture(
        &mut self,
        name: impl Into<String>,
        count: usize,
        rows: usize,
        cols: usize,
    ) -> Tensor {
        let words = round_up(count, PAD) * rows * round_up(cols, PAD);
        self.roomy(name, count * rows, cols, words)
    }

    fn roomy(&mut self, name: impl Into<String>, rows: usize, cols: usize, words: usize) -> Tensor {
        let tensor = self.tensor(name, rows, cols);
        let buffer = &mut self.buffers[tensor.buffer.0];
        buffer.words = buffer.words.max(words);
        tensor
    }

    /// The buffer of that name.
    pub fn find(&self, name: &str) -> Option<BufferId> {
        self.buffers.iter().position(|b| b.name == name).map(BufferId)
    }

    /// Checks a dispatch against its kernel, which is why unchecked shaders are sound, and appends it.
    pub(crate) fn push(&mut self, dispatch: Dispatch) {
        let Dispatch { kernel, label, tensors, .. } = &dispatch;
        assert_eq!(self.saved_words(), 0, "{label}: memory was shared as if the plan were finished");
        let at = || format!("{} ({label})", kernel.label());
        assert_eq!(tensors.len(), kernel.slots.len(), "{}: one tensor a slot", at());
        for (tensor, slot) in tensors.iter().zip(kernel.slots) {
            let buffer = &self.buffers[tensor.buffer.0];
            assert_eq!(buffer.element, slot.element, "{}: element of {}", at(), slot.name);
            assert!(tensor.cols <= tensor.stride, "{}: stride of {}", at(), slot.name);
            assert!(tensor.rows > 0 && tensor.cols > 0, "{}: {} is empty", at(), slot.name);
            assert!(tensor.rows.max(tensor.stride) <= buffer.words, "{}: size of {}", at(), slot.name);
            match slot.form {
                Form::Buffer => {
                    assert_eq!(tensor.offset % BINDING_ALIGN, 0, "{}: alignment of {}", at(), slot.name);
                }
                Form::Image => {
                    assert_eq!(tensor.offset % PAD, 0, "{}: alignment of {}", at(), slot.name);
                    assert!(self.fits_image(tensor), "{}: {} is too large for an image", at(), slot.name);
                }
            }
            let end = tensor.offset.checked_add(tensor.words());
            assert!(
                end.is_some_and(|end| end <= buffer.words),
                "{}: {} [{}, {}] passes the end of {}",
                at(),
                slot.name,
                tensor.rows,
                tensor.cols,
                buffer.name
            );
        }
        for (i, a) in tensors.iter().enumerate() {
            for (j, b) in tensors.iter().enumerate().skip(i + 1) {
                let slots = [&kernel.slots[i], &kernel.slots[j]];
                // An image is memory of its own.
                let written = slots.iter().any(|slot| slot.access == Access::Write)
                    && slots.iter().all(|slot| slot.form == Form::Buffer);
                assert!(
                    !(written && a.buffer == b.buffer),
                    "{}: {} and {} are in one buffer and one is written",
                    at(),
                    kernel.slots[i].name,
                    kernel.slots[j].name
                );
            }
        }
        let size = kernel.params.last().map_or(0, |f| f.offset + 4);
        assert_eq!(dispatch.params.len(), round_up(size, 16), "{}: size of Params", at());
        assert!(dispatch.workgroups.iter().all(|&n| n > 0), "{}: no workgroups", at());
        self.dispatches.push(dispatch);
    }

    /// Words of the buffer that the binding of `tensor` covers: its rows, the rows of padding that follow, and the guard.
    pub fn span(&self, tensor: Tensor) -> usize {
        let buffer = &self.buffers[tensor.buffer.0];
        let padded = tensor.offset.saturating_add(round_up(tensor.rows, PAD).saturating_mul(tensor.stride));
        let end = if padded >= buffer.words { buffer.words + buffer.guard } else { padded };
        end - tensor.offset
    }

    /// The sum of all dispatches' work.
    pub fn cost(&self) -> Cost {
        self.dispatches.iter().fold(Cost::default(), |sum, d| Cost {
            flops: sum.flops + d.cost.flops,
            bytes: sum.bytes + d.cost.bytes,
        })
    }

    /// Bytes of all buffers, each once where several share memory.
    pub fn memory(&self) -> u64 {
        self.buffers.iter().filter(|b| b.home.is_none()).map(|b| 4 * b.words as u64).sum()
    }
}

/// Workgroups for `items` invocations, `size` per workgroup. A dimension is limited to 65,535, so large grids are folded
/// into y, which `linear_index` undoes in the shaders.
pub fn linear_grid(items: usize, size: u32) -> [u32; 3] {
    const MAX_X: usize = 65_535;
    let groups = items.div_ceil(size as usize).max(1);
    let y = groups.div_ceil(MAX_X);
    [groups.div_ceil(y) as u32, y as u32, 1]
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<24} {:<28} {:>10} {:>9} {:>9}  tensors of plan `{}`",
            "dispatch", "kernel", "workgroups", "MFLOP", "KiB", self.name
        )?;
        for (number, (dispatch, copies)) in self.dispatches.iter().zip(self.copies()).enumerate() {
            for Exchange { from, to, .. } in self.exchanges.iter().filter(|exchange| exchange.after == number)
            {
                let name = |tensor: &Tensor| {
                    format!("{}[{},{}]", self.buffers[tensor.buffer.0].name, tensor.rows, tensor.cols)
                };
                let kib = 4.0 * from.words() as f64 / 1024.0;
                let (from, to) = (name(from), name(to));
                writeln!(
                    f,
                    "{:<24} {:<28} {:>10} {:>9} {kib:>9.1}  {from} -> {to}",
                    "exchange", "between processes", "", ""
                )?;
            }
            for BufferId(id) in copies {
                let Buffer { name, words, .. } = &self.buffers[id];
                let kib = 4.0 * *words as f64 / 1024.0;
                writeln!(
                    f,
                    "{:<24} {:<28} {:>10} {:>9} {kib:>9.1}  {name}[1,{words}]",
                    "copy", "to image", "", ""
                )?;
            }
            let tensors = dispatch.kernel.slots.iter().zip(&dispatch.tensors).map(|(slot, t)| {
                let arrow = if slot.access == Access::Write { "-> " } else { "" };
                format!("{arrow}{}[{},{}]", self.buffers[t.buffer.0].name, t.rows, t.cols)
            });
            let [x, y, z] = dispatch.workgroups;
            writeln!(
                f,
                "{:<24} {:<28} {:>10} {:>9.2} {:>9.1}  {}",
                dispatch.label,
                dispatch.kernel.label(),
                format!("{x}x{y}x{z}"),
                dispatch.cost.flops as f64 / 1e6,
                dispatch.cost.bytes as f64 / 1024.0,
                tensors.collect::<Vec<_>>().join(" ")
            )?;
        }
        Ok(())
    }
}
