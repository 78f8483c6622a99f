//! Sums of matrices (`shaders/add.wgsl`).

use super::{elementwise, params, shader};
use crate::plan::{Call, Dispatch, Kernel, Matrix, Plan, Reference, Slot, Tensor, linear_grid, read, write};

params! {
    /// See `shaders/add.wgsl`.
    struct Params {
        vectors: u32,
        columns: u32,
        a_stride: u32,
        b_stride: u32,
        y_stride: u32,
    }
}

const fn kernel(entry: &'static str, slots: &'static [Slot], reference: Reference) -> Kernel {
    Kernel::new(shader!("add"), entry, Params::FIELDS, slots, reference)
}

/// y = a + b.
pub static SUM: Kernel = kernel("sum", &[read(1, "a"), read(2, "b"), write(3, "y")], |call: &dyn Call| {
    let [a, b, y] = call.slots();
    each(y, |row, col| a.get(row, col) + b.get(row, col));
})
.with_nodes(|graph| {
    let [a, b, y] = [0, 1, 2];
    let terms = [graph.get(a)?, graph.get(b)?];
    let sum = graph.apply("Add", &terms);
    graph.set(y, sum);
    Ok(())
});

/// y = a.
pub static COPY: Kernel = kernel("copy", &[read(1, "a"), write(3, "y")], |call: &dyn Call| {
    let [a, y] = call.slots();
    each(y, |row, col| a.get(row, col));
});

/// y = y + a.
pub static ACCUMULATE: Kernel =
    kernel("accumulate", &[read(1, "a"), write(3, "y").updated()], |call: &dyn Call| {
        let [a, y] = call.slots();
        each(y, |row, col| y.get(row, col) + a.get(row, col));
    });

/// Sets each element of y; zero in the padding.
fn each(y: Matrix, of: impl Fn(usize, usize) -> f64) {
    let Tensor { rows, cols, stride, .. } = y.shape();
    for row in 0..rows {
        for col in 0..stride {
            let value = if col < cols { of(row, col) } else { 0.0 };
            y.put(row, col, value);
        }
    }
}

/// Appends y = a + b, each [R, N].
pub(crate) fn sum(plan: &mut Plan, label: &str, a: Tensor, b: Tensor, y: Tensor) {
    assert_eq!((a.rows, a.cols), (b.rows, b.cols), "{label}: shapes of a and b");
    push(plan, &SUM, label, vec![a, b, y]);
}

/// Appends y = a, for as many columns as y has.
pub(crate) fn copy(plan: &mut Plan, label: &str, a: Tensor, y: Tensor) {
    push(plan, &COPY, label, vec![a, y]);
}

/// Appends y = y + a, for as many columns as y has.
pub(crate) fn accumulate(plan: &mut Plan, label: &str, a: Tensor, y: Tensor) {
    push(plan, &ACCUMULATE, label, vec![a, y]);
}

fn push(plan: &mut Plan, kernel: &'static Kernel, label: &str, tensors: Vec<Tensor>) {
    let (a, y) = (tensors[0], tensors[tensors.len() - 1]);
    let b = tensors[tensors.len() - 2];
    assert!(a.rows == y.rows && a.cols >= y.cols && b.cols >= y.cols, "{label}: shapes of a and y");
    let params = Params {
        vectors: y.rows as u32 * y.vectors(),
        columns: y.cols as u32,
        a_stride: a.vectors(),
        b_stride: b.vectors(),
        y_stride: y.vectors(),
    };
    plan.push(Dispatch {
        kernel,
        label: label.into(),
        consts: vec![],
        params: params.to_bytes(),
        workgroups: linear_grid(y.words() / 4, super::WORKGROUP),
        cost: elementwise(1, &tensors),
        tensors,
    });
}
