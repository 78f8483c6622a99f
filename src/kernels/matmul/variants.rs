//! The ways to multiply: shaders and their tile sizes.

use super::operation::{ACCUMULATES, Epilogue, Layout, Params};
use super::reference::reference;
use crate::kernels::{ROUNDS, shader};
use crate::plan::{Const, Graph, Kernel, Needs, Part, Shader, Slot, Target, Unfit, read, read_image, write};

/// One way to multiply: a shader and the sizes of its tile.
#[derive(Debug)]
pub struct Variant {
    /// Its name in tests, benches and tables.
    pub name: &'static str,
    /// The shader.
    pub kernel: &'static Kernel,
    /// The subgroup size that it needs, if it uses subgroups.
    pub lanes: Option<u32>,
    /// Rows of c that a workgroup computes.
    pub tile_rows: u32,
    /// Columns of c that a workgroup computes.
    pub tile_columns: u32,
    consts: [Const; 3],
    /// Whether it multiplies and adds by `fma`, which most drivers round once, and llvmpipe twice before Mesa 26, or else by
    /// `a * b + c`. All 32-bit variants add up a sum in the same order.
    fused: bool,
}

impl Variant {
    /// Each invocation computes `rows` rows and `columns` vec4 of columns.
    const fn portable(name: &'static str, workgroup: u32, rows: u32, columns: u32) -> Variant {
        let consts = [("WORKGROUP", workgroup), ("ROWS", rows), ("COLUMNS", columns)];
        let tile_columns = 4 * workgroup * columns;
        Variant { name, kernel: &PORTABLE, lanes: None, tile_rows: rows, tile_columns, consts, fused: true }
    }

    /// The same for few rows: none beside them is computed.
    const fn rows(name: &'static str, workgroup: u32, rows: u32, columns: u32) -> Variant {
        Variant { kernel: &ROWS, ..Variant::portable(name, workgroup, rows, columns) }
    }

    /// Each lane computes `rows` rows and `columns` vec4 of columns.
    const fn subgroup(name: &'static str, lanes: u32, rows: u32, columns: u32) -> Variant {
        let consts = [("LANES", lanes), ("ROWS", rows), ("COLUMNS", columns)];
        let tile_columns = 4 * lanes * columns;
        let lanes = Some(lanes);
        Variant { name, kernel: &SUBGROUP, lanes, tile_rows: rows, tile_columns, consts, fused: true }
    }

    /// The same variant with operands in images.
    const fn with_images(self) -> Variant {
        let kernel = if self.lanes.is_some() { &SUBGROUP_IMAGES } else { &PORTABLE_IMAGES };
        Variant { kernel, ..self }
    }

    /// The same variant without `fma`.
    const fn unfused(self) -> Variant {
        Variant { fused: false, ..self }
    }

    /// `side` x `side` invocations compute `blocks` x `blocks` blocks of 4 x 4 each. A round takes as many vectors of k as let each
    /// invocation fetch one vector of either operand.
    const fn tiled(name: &'static str, kernel: &'static Kernel, side: u32, blocks: u32) -> Variant {
        let consts = [("SIDE", side), ("BLOCKS", blocks), ("K_QUADS", side / (4 * blocks))];
        let tile = 4 * side * blocks;
        Variant { name, kernel, lanes: None, tile_rows: tile, tile_columns: tile, consts, fused: true }
    }

    /// Two parts a side, each of `blocks` x `blocks` cooperative matrices of `size` x `size`, 8 or 16.
    const fn of_matrices(name: &'static str, size: u32, blocks: u32) -> Variant {
        let kernel = if size == 8 { &COOPERATIVE_8 } else { &COOPERATIVE_16 };
        let consts = [("BLOCKS", blocks), ("K_TILE", 16), ("WORKGROUP", 128)];
        let tile = 2 * blocks * size;
        Variant { name, kernel, lanes: None, tile_rows: tile, tile_columns: tile, consts, fused: true }
    }

    /// Whether this variant runs on `target` and supports `layout`.
    pub fn fits(&self, target: &Target, layout: Layout) -> bool {
        let lanes = self.lanes.is_none_or(|lanes| target.subgroup == Some(lanes));
        let cooperative = self.cooperative().is_none_or(|size| target.cooperative == Some(size));
        let images = target.images || !self.reads_images();
        self.supports(layout) && lanes && cooperative && images && (target.f16 || !self.is_f16())
    }

    /// Whether it reads its operands from images.
    pub fn reads_images(&self) -> bool {
        self.runs(&SUBGROUP_IMAGES) || self.runs(&PORTABLE_IMAGES)
    }

    /// Whether it writes `fma` rather than `a * b + c`.
    pub(super) fn fuses(&self) -> bool {
        self.fused
    }

    /// Rows and columns of its cooperative matrices, if it uses them.
    pub fn cooperative(&self) -> Option<u32> {
        if let Needs::Cooperative(size) = self.kernel.needs { Some(size) } else { None }
    }

    /// Whether it rounds its operands to 16 bits.
    pub fn is_f16(&self) -> bool {
        self.cooperative().is_some() || self.runs(&TILED_F16)
    }

    /// Whether operands pass through workgroup memory, with a barrier per round.
    pub fn uses_workgroup_memory(&self) -> bool {
        self.is_f16() || self.runs(&TILED)
    }

    /// Whether it can compute the parts of divided sums: the smallest tile of each kind for cards. Sums are divided where tiles
    /// are few, or where they are too long for any tile.
    pub(crate) fn divides(&self, layout: Layout) -> bool {
        self.uses_workgroup_memory() && self.tile_rows == TILED_32.tile_rows && layout != Layout::TN
    }

    /// The terms of a sum that it takes each round.
    pub(super) fn terms_a_round(&self) -> usize {
        let constant = |wanted| self.consts.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let tile = constant("K_TILE").or(constant("K_QUADS").map(|quads| 4 * quads));
        tile.unwrap_or(4) as usize
    }

    /// The most terms of a sum that a software adapter adds up.
    pub(crate) fn most_terms(&self) -> usize {
        ROUNDS * self.terms_a_round()
    }

    /// Whether its tile suits the layout: in TN a lane loads four rows at once, so a subgroup shares the rows of a tile
    /// only if they are a multiple of 4 LANES.
    pub(super) fn supports(&self, layout: Layout) -> bool {
        layout != Layout::TN || self.tile_rows.is_multiple_of(4 * self.lanes.unwrap_or(1))
    }

    /// The constants of the shader for one product.
    pub(super) fn specialise<T>(&self, layout: Layout, epilogue: &Epilogue<T>) -> Vec<Const> {
        let fused: &[Const] = if self.runs(&SUBGROUP_IMAGES) { &[("FUSED", self.fused as u32)] } else { &[] };
        [&self.consts[..], fused, &[("LAYOUT", layout as u32)], &epilogue.constants()].concat()
    }

    /// Workgroups in x (columns) and y (rows) for a result [m, n].
    pub(super) fn workgroups(&self, m: usize, n: usize) -> [u32; 3] {
        let x = n.div_ceil(self.tile_columns as usize);
        [x as u32, m.div_ceil(self.tile_rows as usize) as u32, 1]
    }

    fn runs(&self, kernel: &'static Kernel) -> bool {
        std::ptr::eq(self.kernel, kernel)
    }
}

/// Declares the variants, each a static of its own, and the table of them all.
macro_rules! variants {
    ($($variant:ident = $value:expr;)+) => {
        $(pub(super) static $variant: Variant = $value;)+

        /// Every variant.
        pub static VARIANTS: &[&Variant] = &[$(&$variant),+];
    };
}

variants! {
    SUBGROUP16_64X1 = Variant::subgroup("subgroup16-64x1", 16, 64, 1);
    SUBGROUP16_32X1 = Variant::subgroup("subgroup16-32x1", 16, 32, 1);
    SUBGROUP16_24X1 = Variant::subgroup("subgroup16-24x1", 16, 24, 1);
    SUBGROUP16_20X1 = Variant::subgroup("subgroup16-20x1", 16, 20, 1);
    SUBGROUP16_16X1 = Variant::subgroup("subgroup16-16x1", 16, 16, 1);
    SUBGROUP8_32X1 = Variant::subgroup("subgroup8-32x1", 8, 32, 1);
    SUBGROUP8_32X2 = Variant::subgroup("subgroup8-32x2", 8, 32, 2);
    SUBGROUP8_24X1 = Variant::subgroup("subgroup8-24x1", 8, 24, 1);
    SUBGROUP8_20X1 = Variant::subgroup("subgroup8-20x1", 8, 20, 1);
    SUBGROUP8_16X1 = Variant::subgroup("subgroup8-16x1", 8, 16, 1);
    SUBGROUP8_16X2 = Variant::subgroup("subgroup8-16x2", 8, 16, 2);
    SUBGROUP8_8X1 = Variant::subgroup("subgroup8-8x1", 8, 8, 1);
    SUBGROUP8_8X2 = Variant::subgroup("subgroup8-8x2", 8, 8, 2);
    SUBGROUP4_16X1 = Variant::subgroup("subgroup4-16x1", 4, 16, 1);
    SUBGROUP4_16X2 = Variant::subgroup("subgroup4-16x2", 4, 16, 2);
    SUBGROUP4_8X2 = Variant::subgroup("subgroup4-8x2", 4, 8, 2);
    PORTABLE_8X2 = Variant::portable("portable-8x2", 8, 8, 2);
    ROWS_1X1 = Variant::rows("rows-1x1", 16, 1, 1);
    PORTABLE_4X1 = Variant::portable("portable-4x1", 32, 4, 1);
    IMAGES8_32X1 = Variant::subgroup("images8-32x1", 8, 32, 1).with_images().unfused();
    FUSED8_32X1 = Variant::subgroup("fused8-32x1", 8, 32, 1).with_images();
    IMAGES8_24X1 = Variant::subgroup("images8-24x1", 8, 24, 1).with_images().unfused();
    FUSED8_24X1 = Variant::subgroup("fused8-24x1", 8, 24, 1).with_images();
    IMAGES8_20X1 = Variant::subgroup("images8-20x1", 8, 20, 1).with_images().unfused();
    FUSED8_20X1 = Variant::subgroup("fused8-20x1", 8, 20, 1).with_images();
    IMAGES8_16X1 = Variant::subgroup("images8-16x1", 8, 16, 1).with_images().unfused();
    FUSED8_16X1 = Variant::subgroup("fused8-16x1", 8, 16, 1).with_images();
    IMAGES8_8X1 = Variant::subgroup("images8-8x1", 8, 8, 1).with_images().unfused();
    FUSED8_8X1 = Variant::subgroup("fused8-8x1", 8, 8, 1).with_images();
    IMAGES4_32X1 = Variant::subgroup("images4-32x1", 4, 32, 1).with_images().unfused();
    IMAGES4_16X1 = Variant::subgroup("images4-16x1", 4, 16, 1).with_images().unfused();
    IMAGES_8X2 = Variant::portable("images-8x2", 8, 8, 2).with_images();
    TILED_32 = Variant::tiled("tiled-32", &TILED, 8, 1);
    TILED_64 = Variant::tiled("tiled-64", &TILED, 16, 1);
    TILED_128 = Variant::tiled("tiled-128", &TILED, 16, 2);
    TILED_32_F16 = Variant::tiled("tiled-32-f16", &TILED_F16, 8, 1);
    TILED_64_F16 = Variant::tiled("tiled-64-f16", &TILED_F16, 16, 1);
    TILED_128_F16 = Variant::tiled("tiled-128-f16", &TILED_F16, 16, 2);
    COOPERATIVE8_32_F16 = Variant::of_matrices("cooperative8-32-f16", 8, 2);
    COOPERATIVE8_64_F16 = Variant::of_matrices("cooperative8-64-f16", 8, 4);
    COOPERATIVE16_32_F16 = Variant::of_matrices("cooperative16-32-f16", 16, 1);
    COOPERATIVE16_64_F16 = Variant::of_matrices("cooperative16-64-f16", 16, 2);
    COOPERATIVE16_128_F16 = Variant::of_matrices("cooperative16-128-f16", 16, 4);
}

/// The variant of that name: tunings on disk hold names.
pub fn named(name: &str) -> Option<&'static Variant> {
    VARIANTS.iter().copied().find(|v| v.name == name)
}

/// The variants that a plan for `target` may use in a layout, with operands of as many bits.
pub fn fitting(target: &Target, layout: Layout) -> impl Iterator<Item = &'static Variant> {
    VARIANTS.iter().copied().filter(move |v| v.fits(target, layout) && v.is_f16() == target.f16)
}

/// The shaders of the variants.
pub(crate) const KERNELS: [&Kernel; 9] = [
    &PORTABLE,
    &PORTABLE_IMAGES,
    &ROWS,
    &SUBGROUP,
    &SUBGROUP_IMAGES,
    &TILED,
    &TILED_F16,
    &COOPERATIVE_8,
    &COOPERATIVE_16,
];

const SLOTS: &[Slot] =
    &[read(1, "a"), read(2, "b"), read(3, "extra"), write(4, "c").updated_where(ACCUMULATES)];

const IMAGE_SLOTS: &[Slot] = &[
    read_image(1, "a"),
    read_image(2, "b"),
    read_image(3, "extra"),
    write(4, "c").updated_where(ACCUMULATES),
];

const fn kernel(
    shader: Shader,
    needs: Needs,
    slots: &'static [Slot],
    variants: fn() -> Vec<Vec<Const>>,
) -> Kernel {
    Kernel::new(shader, "main", Params::FIELDS, slots, reference)
        .needing(needs)
        .in_variants(variants)
        .with_nodes(nodes)
}

static PORTABLE: Kernel =
    kernel(shader!("matmul/portable"), Needs::Nothing, SLOTS, || specialisations(&PORTABLE));

static PORTABLE_IMAGES: Kernel =
    kernel(shader!("matmul/portable_images"), Needs::Nothing, IMAGE_SLOTS, || {
        specialisations(&PORTABLE_IMAGES)
    });

static ROWS: Kernel = kernel(shader!("matmul/rows"), Needs::Nothing, SLOTS, || specialisations(&ROWS));

static SUBGROUP: Kernel =
    kernel(shader!("matmul/subgroup"), Needs::Lanes, SLOTS, || specialisations(&SUBGROUP));

static SUBGROUP_IMAGES: Kernel = kernel(shader!("matmul/subgroup_images"), Needs::Lanes, IMAGE_SLOTS, || {
    specialisations(&SUBGROUP_IMAGES)
});

static TILED: Kernel = kernel(shader!("matmul/tiled"), Needs::Nothing, SLOTS, || specialisations(&TILED));

static TILED_F16: Kernel =
    kernel(shader!("matmul/tiled_f16"), Needs::Nothing, SLOTS, || specialisations(&TILED_F16));

static COOPERATIVE_8: Kernel =
    kernel(shader!("matmul/cooperative8"), Needs::Cooperative(8), SLOTS, || specialisations(&COOPERATIVE_8));

static COOPERATIVE_16: Kernel =
    kernel(shader!("matmul/cooperative16"), Needs::Cooperative(16), SLOTS, || {
        specialisations(&COOPERATIVE_16)
    });

/// Products of the forward pass, one for each parameter that lies in the weight.
fn nodes(graph: &mut dyn Graph) -> Result<(), Unfit> {
    let [a, b, extra, c] = [0, 1, 2, 3];
    let layout = Layout::from_u32(graph.constant("LAYOUT"));
    let epilogue = Epilogue::from_constants(|name| graph.constant(name));
    let (Layout::NT, Epilogue::Forward(activation, ())) = (layout, epilogue) else {
        return Err(format!("it is a product {layout:?} with {epilogue:?}, not one of the forward pass"));
    };
    let x = graph.get(a)?;
    let (weights, biases) = (graph.parts(b)?, graph.parts(extra)?);
    let places = |parts: &[Part]| parts.iter().map(|part| (part.first, part.width)).collect::<Vec<_>>();
    if places(&weights) != places(&biases) {
        return Err("its weights and biases do not go together".into());
    }
    let mut sums = Vec::new();
    for (weight, bias) in weights.iter().zip(&biases) {
        let sum = graph.apply_with("Gemm", &[x, weight.value, bias.value], &[("transB", 1)]);
        sums.push(Part { value: activation.nodes(graph, sum), ..*weight });
    }
    graph.put(c, sums);
    Ok(())
}

/// Every variant of a shader, in every layout that it supports, with every epilogue that a plan may ask for.
fn specialisations(kernel: &'static Kernel) -> Vec<Vec<Const>> {
    let epilogues = Epilogue::all();
    let mut all = Vec::new();
    for variant in VARIANTS.iter().filter(|v| v.runs(kernel)) {
        for layout in Layout::ALL.into_iter().filter(|layout| variant.supports(*layout)) {
            all.extend(epilogues.iter().map(|epilogue| variant.specialise(layout, epilogue)));
            if layout == Layout::TN {
                all.push(variant.specialise(layout, &Epilogue::Gradient(())));
            }
            if variant.divides(layout) {
                all.push(variant.specialise(layout, &Epilogue::<()>::Divided));
            }
        }
    }
    all
}
