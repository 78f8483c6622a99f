//! Pictures of other sizes by whole factors (`shaders/resize.wgsl`).

use super::extent::Extent;
use super::{elementwise, params, shader};
use crate::plan::{
    self, Call, Dispatch, Graph, Kernel, Plan, Reference, Slot, Tensor, Unfit, linear_grid, pod, read, write,
};

params! {
    /// See `shaders/resize.wgsl`.
    struct Params {
        vectors: u32,
        channels: u32,
        height: u32,
        width: u32,
        large_height: u32,
        large_width: u32,
        rows: u32,
        columns: u32,
        scale: f32,
    }
}

const fn kernel(entry: &'static str, slots: &'static [Slot], reference: Reference) -> Kernel {
    Kernel::new(shader!("resize"), entry, Params::FIELDS, slots, reference)
}

/// Each position as a rectangle of equal ones.
pub static GROW: Kernel = kernel("grow", &[read(1, "small"), write(4, "to_large")], |call: &dyn Call| {
    let p: Params = plan::params(call);
    let [small, large] = call.slots();
    let [height, width, rows, columns] = [p.height, p.width, p.rows, p.columns].map(|side| side as usize);
    let [large_height, large_width] = [p.large_height, p.large_width].map(|side| side as usize);
    let Tensor { rows: positions, stride, .. } = large.shape();
    for position in 0..positions {
        let (row, column) = (position / large_width % large_height / rows, position % large_width / columns);
        let image = position / (large_height * large_width);
        for channel in 0..stride {
            let inside = row < height && column < width;
            let value =
                if inside { small.get((image * height + row) * width + column, channel) } else { 0.0 };
            large.put(position, channel, f64::from(p.scale) * value);
        }
    }
})
.with_nodes(|graph| nodes(graph, true));

/// The sum of each rectangle.
pub static SHRINK: Kernel = kernel("shrink", &[read(2, "large"), write(3, "to_small")], |call: &dyn Call| {
    let p: Params = plan::params(call);
    let [large, small] = call.slots();
    let [height, width, rows, columns] = [p.height, p.width, p.rows, p.columns].map(|side| side as usize);
    let [large_height, large_width] = [p.large_height, p.large_width].map(|side| side as usize);
    let Tensor { rows: positions, stride, .. } = small.shape();
    for position in 0..positions {
        let (row, column) = (position / width % height * rows, position % width * columns);
        let image = position / (height * width);
        for channel in 0..stride {
            let mut sum = 0.0;
            for i in 0..rows {
                for j in 0..columns {
                    let at = (image * large_height + row + i) * large_width + column + j;
                    sum += large.get(at, channel);
                }
            }
            small.put(position, channel, f64::from(p.scale) * sum);
        }
    }
})
.with_nodes(|graph| nodes(graph, false));

/// What the forward passes do: grow as it is, and average.
fn nodes(graph: &mut dyn Graph, grows: bool) -> Result<(), Unfit> {
    let [source, result] = [0, 1];
    let p: Params = pod(graph.params());
    let channels = graph.tensor(source).cols as i64;
    let [height, width, large_height, large_width, rows, columns] =
        [p.height, p.width, p.large_height, p.large_width, p.rows, p.columns].map(i64::from);
    let value = graph.get(source)?;
    let sum = if grows {
        // Each position as rows x columns of a picture of its own, and these side by side.
        let shape = graph.shape(&[-1, channels, height, 1, width, 1]);
        let apart = graph.apply("Reshape", &[value, shape]);
        let whole = graph.shape(&[1, 1, 1, rows, 1, columns]);
        graph.apply("Expand", &[apart, whole])
    } else {
        let shape = graph.shape(&[-1, channels, large_height, large_width]);
        let whole = graph.apply("Reshape", &[value, shape]);
        let sides = [rows, columns];
        graph.apply_lists("AveragePool", &[whole], &[("kernel_shape", &sides), ("strides", &sides)])
    };
    let size = if grows { large_height * large_width } else { height * width };
    let shape = graph.shape(&[-1, channels * size]);
    let flat = graph.apply("Reshape", &[sum, shape]);
    graph.set(result, flat);
    Ok(())
}

/// Appends large = scale small, each position `factors` times down and to the right.
pub(crate) fn grow(
    plan: &mut Plan,
    label: &str,
    (small, large): (Tensor, Tensor),
    extents: [Extent; 2],
    factors: [usize; 2],
    scale: f32,
) {
    push(plan, &GROW, label, [small, large], extents, factors, scale);
}

/// Appends small = scale times the sums of `factors` positions of large.
pub(crate) fn shrink(
    plan: &mut Plan,
    label: &str,
    (large, small): (Tensor, Tensor),
    [of_large, of_small]: [Extent; 2],
    factors: [usize; 2],
    scale: f32,
) {
    push(plan, &SHRINK, label, [large, small], [of_small, of_large], factors, scale);
}

fn push(
    plan: &mut Plan,
    kernel: &'static Kernel,
    label: &str,
    tensors: [Tensor; 2],
    [small, large]: [Extent; 2],
    [rows, columns]: [usize; 2],
    scale: f32,
) {
    let to = tensors[1];
    assert!(rows * small.height <= large.height && columns * small.width <= large.width, "{label}: factors");
    assert_eq!(tensors[0].stride, to.stride, "{label}: channels");
    let pixels = if std::ptr::eq(kernel, &GROW) { [small, large] } else { [large, small] };
    let counts = [0, 1].map(|i| tensors[i].rows / pixels[i].positions());
    assert!(counts[0] == counts[1] && to.rows == counts[1] * pixels[1].positions(), "{label}: positions");
    let params = Params {
        vectors: to.rows as u32 * to.vectors(),
        channels: to.vectors(),
        height: small.height as u32,
        width: small.width as u32,
        large_height: large.height as u32,
        large_width: large.width as u32,
        rows: rows as u32,
        columns: columns as u32,
        scale,
    };
    plan.push(Dispatch {
        kernel,
        label: label.into(),
        consts: vec![],
        params: params.to_bytes(),
        workgroups: linear_grid(params.vectors as usize, super::WORKGROUP),
        cost: elementwise(1, &tensors),
        tensors: tensors.to_vec(),
    });
}
