//! Buffers of words, and the matrices in them.

/// The length of a row and the number of rows are padded to a multiple of this, so that kernels load and store `vec4` and
/// tiles of four rows. The padding is zero and stays zero.
pub const PAD: usize = 4;

/// A binding must begin at a multiple of this many words of its buffer. WebGPU's largest value of
/// `min_storage_buffer_offset_alignment` is 256 bytes.
pub const BINDING_ALIGN: usize = 64;

/// Rounds `n` up to a multiple of `to`.
pub const fn round_up(n: usize, to: usize) -> usize {
    n.div_ceil(to) * to
}

/// The type of a buffer's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floats.
    F32,
    /// 32-bit unsigned integers, or four packed bytes per word.
    U32,
}

/// The purpose of a buffer, which decides how an engine makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Outlives the plan and is found by name: parameters, Adam's moments, the data set, the history.
    Shared,
    /// Private to the plan: activations and their gradients.
    Private,
}

/// A buffer of words, zero at first.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// Unique within the plan.
    pub name: String,
    /// Size in 32-bit words.
    pub words: usize,
    /// Words past the end that no kernel may touch. Only checks set it.
    pub guard: usize,
    /// The type of its words.
    pub element: Element,
    /// Shared between plans, or private.
    pub role: Role,
    /// Rows and columns of the matrix that it was made for, if it was made for one.
    pub shape: Option<[usize; 2]>,
    /// The buffer in whose memory it lies, while neither needs what the other holds; none where it has memory of its own.
    pub home: Option<BufferId>,
}

/// Index of a [`Buffer`] in its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BufferId(pub usize);

/// A matrix `[rows, cols]` in a buffer: element (r, c) is word `offset + r * stride + c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// The buffer that holds it.
    pub buffer: BufferId,
    /// First word.
    pub offset: usize,
    /// Rows that carry data.
    pub rows: usize,
    /// Columns that carry data.
    pub cols: usize,
    /// Words from one row to the next, a multiple of [`PAD`].
    pub stride: usize,
}

impl Tensor {
    /// Words from the beginning of the first row to the end of the last.
    pub fn words(&self) -> usize {
        self.rows.checked_mul(self.stride).expect("a matrix of more words than can be counted")
    }

    /// Vectors of four floats in a row, padding included.
    pub fn vectors(&self) -> u32 {
        (self.stride / PAD) as u32
    }

    /// The vector of its buffer with which it begins, of four floats each.
    pub fn first_vector(&self) -> u32 {
        (self.offset / PAD) as u32
    }

    /// The same words as one row, for element-wise kernels. It includes the padding of rows, which is zero.
    pub fn flat(&self) -> Tensor {
        Tensor { rows: 1, cols: self.words(), stride: self.words(), ..*self }
    }

    /// The same words in rows of another length, which divides them.
    pub fn in_rows_of(&self, stride: usize) -> Tensor {
        let words = self.words();
        assert!(stride > 0 && words.is_multiple_of(stride), "{words} words in rows of {stride}");
        Tensor { rows: words / stride, cols: stride, stride, ..*self }
    }

    /// Rows `first..first + rows` of this matrix.
    pub fn slice_rows(&self, first: usize, rows: usize) -> Tensor {
        assert!(first + rows <= self.rows, "rows {first}..{} of {}", first + rows, self.rows);
        Tensor { offset: self.offset + first * self.stride, rows, ..*self }
    }
}
