//! How structs lie in uniform buffers.

/// One field of a Params struct, as the host lays it out; a test compares it with the shader's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name, the same on both sides.
    pub name: &'static str,
    /// Offset in bytes.
    pub offset: usize,
    /// `"u32"` or `"f32"`.
    pub ty: &'static str,
}
