//! What a product computes: c = epilogue(A B), with the operands in one of three layouts.

use crate::kernels::activation::Activation;
use crate::kernels::params;
use crate::plan::{Const, Matrix};
use crate::settings::Named;

/// How the operands of c[m, n] = sum_k A(m, k) B(k, n) are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Layout {
    /// a [M, K], b [K, N]: the gradient by a layer's input.
    NN = 0,
    /// a [M, K], b [N, K]: the forward pass.
    NT = 1,
    /// a [K, M], b [K, N]: the gradient by a layer's weights.
    TN = 2,
}

impl Layout {
    /// All three.
    pub const ALL: [Layout; 3] = [Layout::NN, Layout::NT, Layout::TN];

    /// The layout with this number in the shaders; panics on a number that stands for none.
    pub fn from_u32(value: u32) -> Layout {
        match value {
            0 => Layout::NN,
            1 => Layout::NT,
            2 => Layout::TN,
            _ => panic!("{value} is not the number of a layout"),
        }
    }

    /// Rows and columns of a and b for a result [m, n] of sums of k products.
    pub fn operands(self, [m, k, n]: [usize; 3]) -> [(usize, usize); 2] {
        match self {
            Layout::NN => [(m, k), (k, n)],
            Layout::NT => [(m, k), (n, k)],
            Layout::TN => [(k, m), (k, n)],
        }
    }
}

/// What happens to a sum before it is stored. `T` is how the one extra tensor is held: a [`Tensor`] in a plan, a
/// [`Matrix`](crate::plan::Matrix) in the reference, `()` where only the kind of epilogue matters.
///
/// [`Tensor`]: crate::plan::Tensor
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Epilogue<T = crate::plan::Tensor> {
    /// c = sum.
    Store,
    /// c = activation(sum + bias), with bias [1, N].
    Forward(Activation, T),
    /// c = sum * activation'(kept), with kept [M, N] as the forward pass left it.
    Backward(Activation, T),
    /// c = c + sum.
    Accumulate,
    /// c = sum, and d_bias [1, M] = the sums of A's rows: the gradients of a layer's weights and of its bias, which
    /// follows them in the same buffer. In TN only.
    Gradient(T),
    /// c = the sums over parts of k, each part's rows below those of the one before. In NN and NT, for the kernel that joins them.
    Divided,
}

impl Epilogue<()> {
    /// Every epilogue that a plan may ask of a product in any layout, of a convolution, and of the join of divided sums.
    pub(crate) fn all() -> Vec<Epilogue<()>> {
        let fused = Activation::ALL.iter().copied().filter(|f| !f.keeps_input());
        let mut all = vec![Epilogue::Store, Epilogue::Accumulate];
        all.extend(fused.map(|f| Epilogue::Forward(f, ())));
        all.extend(Activation::HIDDEN.map(|f| Epilogue::Backward(f, ())));
        all
    }

    /// The epilogue of a dispatch, from the constants of its shader; panics on a number that stands for none.
    pub fn from_constants(constant: impl Fn(&str) -> u32) -> Epilogue<()> {
        let activation = || Activation::from_u32(constant("ACTIVATION"));
        match constant("EPILOGUE") {
            0 => Epilogue::Store,
            1 => Epilogue::Forward(activation(), ()),
            2 => Epilogue::Backward(activation(), ()),
            3 => Epilogue::Accumulate,
            4 => Epilogue::Gradient(()),
            5 => Epilogue::Divided,
            other => panic!("{other} is not the number of an epilogue"),
        }
    }
}

impl Epilogue {
    /// Panics where its tensor does not suit a result [rows, cols]: a mistake of ours in a plan.
    pub(in crate::kernels) fn check(self, label: &str, [rows, cols]: [usize; 2]) {
        match self {
            Epilogue::Forward(activation, bias) => {
                assert_eq!((bias.rows, bias.cols), (1, cols), "{label}: shape of the bias");
                assert!(!activation.keeps_input(), "{label}: this activation needs a kernel of its own");
            }
            Epilogue::Backward(_, kept) => {
                assert_eq!((kept.rows, kept.cols), (rows, cols), "{label}: shape of kept");
            }
            Epilogue::Store | Epilogue::Accumulate | Epilogue::Gradient(_) | Epilogue::Divided => {}
        }
    }
}

impl<T> Epilogue<T> {
    /// The tensor that it reads, if it reads one.
    pub fn extra(self) -> Option<T> {
        match self {
            Epilogue::Forward(_, extra) | Epilogue::Backward(_, extra) => Some(extra),
            Epilogue::Store | Epilogue::Accumulate | Epilogue::Gradient(_) | Epilogue::Divided => None,
        }
    }

    /// The same epilogue with its tensor held in another way.
    pub fn map<U>(self, of: impl FnOnce(T) -> U) -> Epilogue<U> {
        match self {
            Epilogue::Store => Epilogue::Store,
            Epilogue::Forward(activation, bias) => Epilogue::Forward(activation, of(bias)),
            Epilogue::Backward(activation, kept) => Epilogue::Backward(activation, of(kept)),
            Epilogue::Accumulate => Epilogue::Accumulate,
            Epilogue::Gradient(d_bias) => Epilogue::Gradient(of(d_bias)),
            Epilogue::Divided => Epilogue::Divided,
        }
    }

    /// Its number in the shaders (`shaders/shared/epilogue.wgsl`).
    pub const fn number(&self) -> u32 {
        match self {
            Epilogue::Store => 0,
            Epilogue::Forward(..) => 1,
            Epilogue::Backward(..) => 2,
            Epilogue::Accumulate => 3,
            Epilogue::Gradient(_) => 4,
            Epilogue::Divided => 5,
        }
    }

    /// The function that it applies.
    pub(crate) fn activation(&self) -> Activation {
        match self {
            Epilogue::Forward(activation, _) | Epilogue::Backward(activation, _) => *activation,
            _ => Activation::Identity,
        }
    }

    /// The constants of the shader: what [`Epilogue::from_constants`] reads.
    pub(in crate::kernels) fn constants(&self) -> [Const; 2] {
        [("EPILOGUE", self.number()), ("ACTIVATION", self.activation() as u32)]
    }
}

impl Epilogue<Matrix<'_>> {
    /// What becomes of the sum of c[m, n].
    pub(in crate::kernels) fn finish(self, sum: f64, c: Matrix, m: usize, n: usize) -> f64 {
        match self {
            Epilogue::Store | Epilogue::Divided | Epilogue::Gradient(_) => sum,
            Epilogue::Forward(f, bias) => f.apply(sum + bias.at(n)),
            Epilogue::Backward(f, kept) => sum * f.derivative(kept.get(m, n)),
            Epilogue::Accumulate => c.get(m, n) + sum,
        }
    }
}

/// The constant of a product that reads c before it writes it.
pub(in crate::kernels) const ACCUMULATES: Const = ("EPILOGUE", Epilogue::<()>::Accumulate.number());

params! {
    /// See `shaders/shared/matmul.wgsl`.
    pub(super) struct Params {
        m: u32,
        n: u32,
        k: u32,
        a_stride: u32,
        b_stride: u32,
        c_stride: u32,
        extra_stride: u32,
        bias_at: u32,
        a_first: u32,
        b_first: u32,
        extra_first: u32,
        part_quads: u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_stand_for_what_they_were_made_of() {
        let f = Activation::Tanh;
        for epilogue in [
            Epilogue::Store,
            Epilogue::Forward(f, ()),
            Epilogue::Backward(f, ()),
            Epilogue::Accumulate,
            Epilogue::Gradient(()),
            Epilogue::Divided,
        ] {
            let constants = epilogue.constants();
            let constant = |wanted: &str| constants.iter().find(|(name, _)| *name == wanted).unwrap().1;
            assert_eq!(Epilogue::from_constants(constant), epilogue);
            assert_eq!(constants.contains(&ACCUMULATES), epilogue == Epilogue::Accumulate);
        }
        assert_eq!(Layout::ALL.map(|layout| Layout::from_u32(layout as u32)), Layout::ALL);
    }

    #[test]
    #[should_panic(expected = "6 is not the number of an epilogue")]
    fn an_unknown_epilogue_is_refused() {
        Epilogue::from_constants(|_| 6);
    }
}
