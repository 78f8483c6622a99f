//! Between rows and pictures whose positions are padded (`shaders/picture.wgsl`).

use super::extent::Extent;
use super::{elementwise, params, shader};
use crate::plan::{
    self, Call, Dispatch, Graph, Kernel, PAD, Part, Plan, Reference, Slot, Tensor, Value, linear_grid, pod,
    read, round_up, write,
};

params! {
    /// See `shaders/picture.wgsl`.
    struct Params {
        vectors: u32,
        height: u32,
        width: u32,
        channels: u32,
        row_words: u32,
        column: u32,
        picture_words: u32,
        channel: u32,
        part_vectors: u32,
    }
}

const fn kernel(entry: &'static str, slots: &'static [Slot], reference: Reference) -> Kernel {
    Kernel::new(shader!("picture"), entry, Params::FIELDS, slots, reference)
}

impl Params {
    fn extent(&self) -> Extent {
        let [height, width, channels] = [self.height, self.width, self.channels].map(|side| side as usize);
        Extent { height, width, channels }
    }
}

/// A part of rows becomes channels of a picture.
pub static SPREAD: Kernel =
    kernel("spread", &[read(1, "rows"), write(3, "to_picture").updated()], |call: &dyn Call| {
        let p: Params = plan::params(call);
        let [rows, picture] = call.slots();
        let (positions, channels) = (p.extent().positions(), p.extent().channels);
        for at in 0..picture.shape().rows {
            let (row, position) = (at / positions, at % positions);
            for channel in 0..round_up(channels, PAD) {
                let from = p.column as usize + position * channels + channel;
                let value = if channel < channels { rows.get(row, from) } else { 0.0 };
                picture.put(at, p.channel as usize + channel, value);
            }
        }
    })
    .with_nodes(|graph| {
        let [rows, picture] = [0, 1];
        let Extent { height, width, channels } = pod::<Params>(graph.params()).extent();
        let from = graph.get(rows)?;
        let value = permuted(graph, from, [height, width, channels], [0, 3, 1, 2]);
        graph.set(picture, value);
        Ok(())
    });

/// Channels of a picture become a part of rows.
pub static COLLECT: Kernel =
    kernel("collect", &[read(2, "picture"), write(4, "to_rows").updated()], |call: &dyn Call| {
        let p: Params = plan::params(call);
        let [picture, rows] = call.slots();
        let (positions, channels) = (p.extent().positions(), p.extent().channels);
        for row in 0..rows.shape().rows {
            for i in 0..round_up(positions * channels, PAD) {
                let (position, channel) = (i / channels, i % channels);
                let value = if position < positions {
                    picture.get(row * positions + position, p.channel as usize + channel)
                } else {
                    0.0
                };
                rows.put(row, p.column as usize + i, value);
            }
        }
    })
    .with_nodes(|graph| {
        let [picture, rows] = [0, 1];
        let p: Params = pod(graph.params());
        let Extent { height, width, channels } = p.extent();
        let (first, column) = (p.channel as usize, p.column as usize);
        let part = graph.parts(picture)?.into_iter().find(|part| part.first == first);
        let Part { value, .. } = part.ok_or_else(|| format!("no value begins at channel {first}"))?;
        let value = permuted(graph, value, [channels, height, width], [0, 2, 3, 1]);
        let mut parts = if column == 0 { Vec::new() } else { graph.parts(rows)? };
        parts.push(Part { first: column, width: height * width * channels, value });
        graph.put(rows, parts);
        Ok(())
    });

/// The numbers of each row in another order: as [N, a, b, c], its axes permuted, and flat again.
fn permuted(graph: &mut dyn Graph, value: Value, axes: [usize; 3], order: [i64; 4]) -> Value {
    let [a, b, c] = axes.map(|size| size as i64);
    let shape = graph.shape(&[-1, a, b, c]);
    let whole = graph.apply("Reshape", &[value, shape]);
    let turned = graph.apply_lists("Transpose", &[whole], &[("perm", &order)]);
    let shape = graph.shape(&[-1, a * b * c]);
    graph.apply("Reshape", &[turned, shape])
}

/// Where the numbers of a part lie: from a column of rows [B, ..], and from a channel of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// The first column.
    pub column: usize,
    /// The first channel.
    pub channel: usize,
}

/// Appends picture [B P, ..] from rows [B, ..], in channels as `extent` says.
pub(crate) fn spread(
    plan: &mut Plan,
    label: &str,
    (rows, picture): (Tensor, Tensor),
    extent: Extent,
    at: Places,
) {
    let vectors = extent.channels.div_ceil(PAD);
    push(plan, &SPREAD, label, ([rows, picture], [rows, picture]), extent, at, (picture.rows, vectors));
}

/// Appends rows [B, ..] from a picture [B P, ..].
pub(crate) fn collect(
    plan: &mut Plan,
    label: &str,
    (picture, rows): (Tensor, Tensor),
    extent: Extent,
    at: Places,
) {
    let vectors = extent.len().div_ceil(PAD);
    push(plan, &COLLECT, label, ([rows, picture], [picture, rows]), extent, at, (rows.rows, vectors));
}

fn push(
    plan: &mut Plan,
    kernel: &'static Kernel,
    label: &str,
    ([rows, picture], tensors): ([Tensor; 2], [Tensor; 2]),
    extent: Extent,
    Places { column, channel }: Places,
    (written, part_vectors): (usize, usize),
) {
    assert_eq!(rows.rows * extent.positions(), picture.rows, "{label}: rows and positions");
    assert!(column + extent.len() <= rows.cols, "{label}: columns of a part");
    assert!(channel + extent.channels <= picture.cols, "{label}: channels of a part");
    assert!(column.is_multiple_of(PAD) && channel.is_multiple_of(PAD), "{label}: whole vectors");
    let params = Params {
        vectors: (written * part_vectors) as u32,
        height: extent.height as u32,
        width: extent.width as u32,
        channels: extent.channels as u32,
        row_words: rows.stride as u32,
        column: column as u32,
        picture_words: picture.stride as u32,
        channel: channel as u32,
        part_vectors: part_vectors as u32,
    };
    plan.push(Dispatch {
        kernel,
        label: label.into(),
        consts: vec![],
        params: params.to_bytes(),
        workgroups: linear_grid(written * part_vectors, super::WORKGROUP),
        cost: elementwise(0, &tensors),
        tensors: tensors.to_vec(),
    });
}
