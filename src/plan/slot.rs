//! The bindings of a kernel.

use super::tensor::Element;

/// A named constant and its value in one specialisation of a shader: the line `const NAME: u32 = ..;`.
pub type Const = (&'static str, u32);

/// Whether a kernel only reads a binding or also writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `var<storage, read>`.
    Read,
    /// `var<storage, read_write>`.
    Write,
}

/// How a kernel sees the words of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `var<storage>` of a runtime-sized array: the words themselves.
    Buffer,
    /// `texture_storage_2d<rgba32float, read>`: a copy of the words, made before the dispatch. See [`super::Plan::copies`].
    Image,
}

/// One storage binding of a kernel in group 0. Binding 0 is Params.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// `@binding(N)` in the shader.
    pub binding: u32,
    /// The variable's name in the shader.
    pub name: &'static str,
    /// Read or written.
    pub access: Access,
    /// The type of its words.
    pub element: Element,
    /// A buffer, or an image of one.
    pub form: Form,
    /// If the kernel writes: whether it needs the words that were there before.
    pub before: Before,
}

/// Whether a kernel needs the words that it finds in a binding that it writes.
#[derive(Clone, Copy, Debug)]
pub enum Before {
    /// It overwrites them unread.
    Lost,
    /// It reads them, or leaves some as they were.
    Kept,
    /// It needs them if a dispatch sets this constant, and overwrites them otherwise.
    KeptWhere(Const),
}

impl Slot {
    /// The same slot of a kernel that reads the words there, or leaves some as they are.
    pub const fn updated(self) -> Slot {
        Slot { before: Before::Kept, ..self }
    }

    /// The same slot of a kernel that does so if a dispatch sets this constant.
    pub const fn updated_where(self, constant: Const) -> Slot {
        Slot { before: Before::KeptWhere(constant), ..self }
    }

    /// Whether a dispatch with these constants needs what the binding held before.
    pub fn keeps(&self, consts: &[Const]) -> bool {
        match self.before {
            Before::Lost => false,
            Before::Kept => true,
            Before::KeptWhere(constant) => consts.contains(&constant),
        }
    }
}

const fn slot(binding: u32, name: &'static str, access: Access, element: Element) -> Slot {
    Slot { binding, name, access, element, form: Form::Buffer, before: Before::Lost }
}

/// A slot of floats that the kernel reads.
pub const fn read(binding: u32, name: &'static str) -> Slot {
    slot(binding, name, Access::Read, Element::F32)
}

/// A slot of floats that the kernel reads from an image of their buffer.
pub const fn read_image(binding: u32, name: &'static str) -> Slot {
    Slot { form: Form::Image, ..read(binding, name) }
}

/// A slot of floats that the kernel writes; [`Slot::updated`] if it needs the words that were there before.
pub const fn write(binding: u32, name: &'static str) -> Slot {
    slot(binding, name, Access::Write, Element::F32)
}

/// A slot of integers that the kernel reads.
pub const fn read_u32(binding: u32, name: &'static str) -> Slot {
    slot(binding, name, Access::Read, Element::U32)
}

/// A slot of integers that the kernel writes.
pub const fn write_u32(binding: u32, name: &'static str) -> Slot {
    slot(binding, name, Access::Write, Element::U32)
}
