//! A kernel: its shader and its description on the host.

use super::call::Reference;
use super::field::Field;
use super::graph::Nodes;
use super::slot::{Const, Slot};

/// A feature that a kernel needs and some adapters lack, [16-bit floats](super::Target::f16) aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// Subgroups of `LANES` invocations.
    Lanes,
    /// Cooperative matrices of 16-bit floats with this many rows and columns, and subgroups of any size.
    Cooperative(u32),
}

/// A hand-written kernel: one entry point of one WGSL file, with its CPU reference.
#[derive(Debug)]
pub struct Kernel {
    /// The stem of the file below `shaders/`, such as `likelihood/bernoulli`.
    pub name: &'static str,
    /// The entry point in that file.
    pub entry: &'static str,
    /// The text of the file, imports unresolved.
    pub source: &'static str,
    /// The fields of its Params.
    pub params: &'static [Field],
    /// Its storage bindings, in the order in which a dispatch names its tensors.
    pub slots: &'static [Slot],
    /// Whether it reads the [`Step`](super::Step), in group 1.
    pub step: bool,
    /// The feature that it needs and some adapters lack.
    pub needs: Needs,
    /// Every set of constants that a plan may ask for. The shader tests walk them.
    pub variants: fn() -> Vec<Vec<Const>>,
    /// Plain loops, with which tests and `vae-gpu check` compare the kernel.
    pub reference: Reference,
    /// What it is in the operators of ONNX, if it can stand in an exported model.
    pub nodes: Option<Nodes>,
    /// Only this crate makes kernels: their shaders run without bounds checks.
    pub(crate) trusted: Trusted,
}

/// Vouches that a kernel's shader stays within its bindings; see [`crate::soundness`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trusted;

/// A file of WGSL: its stem below `shaders/`, and its text with imports unresolved.
pub type Shader = (&'static str, &'static str);

impl Kernel {
    /// A kernel that reads no Step, needs nothing, has no constants to set, and cannot stand in an exported model.
    pub(crate) const fn new(
        (name, source): Shader,
        entry: &'static str,
        params: &'static [Field],
        slots: &'static [Slot],
        reference: Reference,
    ) -> Kernel {
        Kernel {
            name,
            entry,
            source,
            params,
            slots,
            step: false,
            needs: Needs::Nothing,
            variants: || vec![Vec::new()],
            reference,
            nodes: None,
            trusted: Trusted,
        }
    }

    /// The same kernel, which also reads the Step.
    pub(crate) const fn stepping(self) -> Kernel {
        Kernel { step: true, ..self }
    }

    /// The same kernel, which needs this.
    pub(crate) const fn needing(self, needs: Needs) -> Kernel {
        Kernel { needs, ..self }
    }

    /// The same kernel in these specialisations.
    pub(crate) const fn in_variants(self, variants: fn() -> Vec<Vec<Const>>) -> Kernel {
        Kernel { variants, ..self }
    }

    /// The same kernel with its nodes.
    pub(crate) const fn with_nodes(self, nodes: Nodes) -> Kernel {
        Kernel { nodes: Some(nodes), ..self }
    }

    /// `name` or, where a file has several entry points, `name:entry`.
    pub fn label(&self) -> String {
        if self.entry == "main" { self.name.to_owned() } else { format!("{}:{}", self.name, self.entry) }
    }
}
