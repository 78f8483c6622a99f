//! Matrix multiplication in the three layouts of a linear layer (`shaders/matmul/`, `shaders/shared/matmul.wgsl`).

use super::activation::Activation;
use super::{bytes, params, shader};
use crate::plan::{
    BINDING_ALIGN, Call, Const, Cost, Dispatch, Element, Kernel, Needs, PAD, Plan, Role, Target, Tensor,
    Trusted, read, round_up, write,
};

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
    /// Rows and columns of a and b for a result [m, n] of sums of k products.
    pub fn operands(self, [m, k, n]: [usize; 3]) -> [(usize, usize); 2] {
        match self {
            Layout::NN => [(m, k), (k, n)],
            Layout::NT => [(m, k), (n, k)],
            Layout::TN => [(k, m), (k, n)],
        }
    }
}

/// What happens to a sum before it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Epilogue {
    /// c = sum.
    Store,
    /// c = activation(sum + bias), with bias [1, N].
    Forward(Activation, Tensor),
    /// c = sum * activation'(kept), with kept [M, N] what the forward pass kept.
    Backward(Activation, Tensor),
    /// c = c + sum.
    Accumulate,
    /// c = sum, and d_bias [1, M] = the sums of A's rows: the gradients of a layer's weights and of its bias, which lies
    /// behind them in one buffer. In TN.
    Gradient(Tensor),
}

impl Epilogue {
    fn number(&self) -> u32 {
        match self {
            Epilogue::Store => 0,
            Epilogue::Forward(..) => 1,
            Epilogue::Backward(..) => 2,
            Epilogue::Accumulate => 3,
            Epilogue::Gradient(..) => 4,
        }
    }
}

params! {
    /// See `shaders/shared/matmul.wgsl`.
    struct Params {
        m: u32,
        n: u32,
        k: u32,
        a_stride: u32,
        b_stride: u32,
        c_stride: u32,
        extra_stride: u32,
        bias_at: u32,
    }
}

/// One way to multiply: a shader and the sizes of its tile.
#[derive(Debug)]
pub struct Variant {
    /// Its name in tests, benches and tables.
    pub name: &'static str,
    /// The shader.
    pub kernel: &'static Kernel,
    /// Subgroup size that it is for; none where it uses no subgroups.
    pub lanes: Option<u32>,
    /// Rows of c that a workgroup computes.
    pub tile_rows: u32,
    /// Columns of c that a workgroup computes.
    pub tile_columns: u32,
    consts: [Const; 3],
}

impl Variant {
    /// Each invocation computes `rows` rows and `columns` vec4 of columns.
    const fn portable(name: &'static str, workgroup: u32, rows: u32, columns: u32) -> Variant {
        let consts = [("WORKGROUP", workgroup), ("ROWS", rows), ("COLUMNS", columns)];
        let tile_columns = 4 * workgroup * columns;
        Variant { name, kernel: &PORTABLE, lanes: None, tile_rows: rows, tile_columns, consts }
    }

    /// Each lane computes `rows` rows and `columns` vec4 of columns.
    const fn subgroup(name: &'static str, lanes: u32, rows: u32, columns: u32) -> Variant {
        let consts = [("LANES", lanes), ("ROWS", rows), ("COLUMNS", columns)];
        let tile_columns = 4 * lanes * columns;
        let lanes = Some(lanes);
        Variant { name, kernel: &SUBGROUP, lanes, tile_rows: rows, tile_columns, consts }
    }

    /// `side` x `side` invocations compute `blocks` x `blocks` blocks of 4 x 4 each.
    const fn tiled(name: &'static str, kernel: &'static Kernel, side: u32, blocks: u32) -> Variant {
        let consts = [("SIDE", side), ("BLOCKS", blocks), ("K_QUADS", 4 / blocks)];
        let tile = 4 * side * blocks;
        Variant { name, kernel, lanes: None, tile_rows: tile, tile_columns: tile, consts }
    }

    /// Two parts a side, each of `blocks` x `blocks` cooperative matrices of 8 x 8 or 16 x 16.
    const fn of_matrices(name: &'static str, size: u32, blocks: u32) -> Variant {
        let kernel = if size == 8 { &COOPERATIVE_8 } else { &COOPERATIVE_16 };
        let consts = [("BLOCKS", blocks), ("K_TILE", 16), ("WORKGROUP", 128)];
        let tile = 2 * blocks * size;
        Variant { name, kernel, lanes: None, tile_rows: tile, tile_columns: tile, consts }
    }

    /// Whether this variant runs on `target` and can do `layout`.
    pub fn fits(&self, target: &Target, layout: Layout) -> bool {
        let lanes = self.lanes.is_none_or(|lanes| target.subgroup == Some(lanes));
        let cooperative = self.cooperative().is_none_or(|size| target.cooperative == Some(size));
        self.divides(layout) && lanes && cooperative && (target.f16 || !self.is_f16())
    }

    /// Rows and columns of the cooperative matrices that it is made of; none where it uses none.
    pub fn cooperative(&self) -> Option<u32> {
        if let Needs::Cooperative(size) = self.kernel.needs { Some(size) } else { None }
    }

    /// Whether it rounds its operands to 16 bits.
    pub fn is_f16(&self) -> bool {
        self.cooperative().is_some() || self.kernel.name == TILED_F16.name
    }

    /// Whether operands pass through workgroup memory, with a barrier a round.
    pub fn uses_workgroup_memory(&self) -> bool {
        self.cooperative().is_some() || [TILED.name, TILED_F16.name].contains(&self.kernel.name)
    }

    /// Whether the rows divide among the lanes: in TN they are handed round in quads.
    fn divides(&self, layout: Layout) -> bool {
        layout != Layout::TN || self.tile_rows.is_multiple_of(4 * self.lanes.unwrap_or(1))
    }

    fn specialise(&self, layout: Layout, epilogue: u32, activation: Activation) -> Vec<Const> {
        let mut consts = self.consts.to_vec();
        consts.extend([("LAYOUT", layout as u32), ("EPILOGUE", epilogue), ("ACTIVATION", activation as u32)]);
        consts
    }

    /// Workgroups in x (columns) and y (rows) for a result [m, n].
    fn workgroups(&self, m: usize, n: usize) -> [u32; 3] {
        let x = n.div_ceil(self.tile_columns as usize);
        [x as u32, m.div_ceil(self.tile_rows as usize) as u32, 1]
    }
}

/// Every variant.
pub static VARIANTS: &[Variant] = &[
    Variant::subgroup("subgroup16-64x1", 16, 64, 1),
    Variant::subgroup("subgroup16-32x1", 16, 32, 1),
    Variant::subgroup("subgroup16-24x1", 16, 24, 1),
    Variant::subgroup("subgroup16-20x1", 16, 20, 1),
    Variant::subgroup("subgroup16-16x1", 16, 16, 1),
    Variant::subgroup("subgroup8-32x1", 8, 32, 1),
    Variant::subgroup("subgroup8-32x2", 8, 32, 2),
    Variant::subgroup("subgroup8-24x1", 8, 24, 1),
    Variant::subgroup("subgroup8-20x1", 8, 20, 1),
    Variant::subgroup("subgroup8-16x1", 8, 16, 1),
    Variant::subgroup("subgroup8-16x2", 8, 16, 2),
    Variant::subgroup("subgroup8-8x1", 8, 8, 1),
    Variant::subgroup("subgroup8-8x2", 8, 8, 2),
    Variant::subgroup("subgroup4-16x1", 4, 16, 1),
    Variant::subgroup("subgroup4-16x2", 4, 16, 2),
    Variant::subgroup("subgroup4-8x2", 4, 8, 2),
    Variant::portable("portable-8x2", 8, 8, 2),
    Variant::portable("portable-4x1", 32, 4, 1),
    Variant::tiled("tiled-32", &TILED, 8, 1),
    Variant::tiled("tiled-64", &TILED, 16, 1),
    Variant::tiled("tiled-128", &TILED, 16, 2),
    Variant::tiled("tiled-32-f16", &TILED_F16, 8, 1),
    Variant::tiled("tiled-64-f16", &TILED_F16, 16, 1),
    Variant::tiled("tiled-128-f16", &TILED_F16, 16, 2),
    Variant::of_matrices("cooperative8-32-f16", 8, 2),
    Variant::of_matrices("cooperative8-64-f16", 8, 4),
    Variant::of_matrices("cooperative16-32-f16", 16, 1),
    Variant::of_matrices("cooperative16-64-f16", 16, 2),
    Variant::of_matrices("cooperative16-128-f16", 16, 4),
];

/// The variant for a result [m, n] on `target`: a pure function, good enough to start at once.
pub fn choose(target: &Target, layout: Layout, m: usize, n: usize) -> &'static Variant {
    // A real card wants workgroups for all its cores before it wants large tiles.
    let tile = if m * n >= 128 * LARGE { 2 } else { usize::from(m * n >= 32 * LARGE) };
    let name = match (target.software, target.subgroup) {
        // A software adapter has nothing that multiplies matrices faster than its own arithmetic.
        (false, _) if target.cooperative == Some(16) => {
            ["cooperative16-32-f16", "cooperative16-64-f16", "cooperative16-128-f16"][tile]
        }
        (false, _) if target.cooperative == Some(8) => {
            ["cooperative8-32-f16", "cooperative8-64-f16"][tile.min(1)]
        }
        _ if target.f16 => ["tiled-32-f16", "tiled-64-f16", "tiled-128-f16"][tile],
        // Tiles with no more rows than the result has; TN needs 4 LANES rows.
        (true, Some(16)) if layout == Layout::TN || m > 32 => "subgroup16-64x1",
        (true, Some(16)) if m > 24 => "subgroup16-32x1",
        (true, Some(16)) if m > 20 => "subgroup16-24x1",
        (true, Some(16)) if m > 16 => "subgroup16-20x1",
        (true, Some(16)) => "subgroup16-16x1",
        (true, Some(8)) if layout == Layout::TN || m > 24 => "subgroup8-32x1",
        (true, Some(8)) if m > 20 => "subgroup8-24x1",
        (true, Some(8)) if m > 16 => "subgroup8-20x1",
        (true, Some(8)) if m > 8 => "subgroup8-16x1",
        (true, Some(8)) => "subgroup8-8x1",
        (true, Some(4)) => "subgroup4-16x2",
        (true, _) => "portable-8x2",
        (false, _) => ["tiled-32", "tiled-64", "tiled-128"][tile],
    };
    named(name).expect("the table has every name that is chosen")
}

/// The variants that a plan for `target` may use in a layout, with operands of as many bits.
pub fn fitting(target: &Target, layout: Layout) -> impl Iterator<Item = &'static Variant> {
    VARIANTS.iter().filter(move |v| v.fits(target, layout) && v.is_f16() == target.f16)
}

/// Elements of a tile of 128 x 128.
const LARGE: usize = 128 * 128;

/// The variant of that name.
pub fn named(name: &str) -> Option<&'static Variant> {
    VARIANTS.iter().find(|v| v.name == name)
}

const SLOTS: &[crate::plan::Slot] =
    &[read(1, "a"), read(2, "b"), read(3, "extra"), write(4, "c").updated_where(("EPILOGUE", 3))];
const A: usize = 0;
const B: usize = 1;
const EXTRA: usize = 2;
const C: usize = 3;

/// The shaders of the variants.
pub(super) const KERNELS: [&Kernel; 6] =
    [&PORTABLE, &SUBGROUP, &TILED, &TILED_F16, &COOPERATIVE_8, &COOPERATIVE_16];

const fn kernel(
    name: &'static str,
    source: &'static str,
    needs: Needs,
    variants: fn() -> Vec<Vec<Const>>,
) -> Kernel {
    Kernel {
        name,
        entry: "main",
        source,
        params: Params::FIELDS,
        slots: SLOTS,
        step: false,
        needs,
        trusted: Trusted,
        variants,
        reference,
    }
}

static PORTABLE: Kernel = kernel("matmul/portable", shader!("matmul/portable"), Needs::Nothing, || {
    specialisations("matmul/portable")
});
static SUBGROUP: Kernel = kernel("matmul/subgroup", shader!("matmul/subgroup"), Needs::Lanes, || {
    specialisations("matmul/subgroup")
});
static TILED: Kernel =
    kernel("matmul/tiled", shader!("matmul/tiled"), Needs::Nothing, || specialisations("matmul/tiled"));

static TILED_F16: Kernel = kernel("matmul/tiled_f16", shader!("matmul/tiled_f16"), Needs::Nothing, || {
    specialisations("matmul/tiled_f16")
});

static COOPERATIVE_8: Kernel =
    kernel("matmul/cooperative8", shader!("matmul/cooperative8"), Needs::Cooperative(8), || {
        specialisations("matmul/cooperative8")
    });
static COOPERATIVE_16: Kernel =
    kernel("matmul/cooperative16", shader!("matmul/cooperative16"), Needs::Cooperative(16), || {
        specialisations("matmul/cooperative16")
    });

/// Every variant of a shader, in every layout that it can do, with every epilogue that a plan may ask for.
fn specialisations(shader: &str) -> Vec<Vec<Const>> {
    use Activation::{Identity, Relu, Silu, Softplus, Tanh};
    let forward = [Identity, Relu, Tanh, Softplus].map(|activation| (1, activation));
    let backward = [Relu, Tanh, Softplus, Silu].map(|activation| (2, activation));
    let epilogues = [&[(0, Identity), (3, Identity)], &forward[..], &backward[..]].concat();
    let mut all = Vec::new();
    for variant in VARIANTS.iter().filter(|v| v.kernel.name == shader) {
        for layout in [Layout::NN, Layout::NT, Layout::TN].into_iter().filter(|l| variant.divides(*l)) {
            for (epilogue, activation) in &epilogues {
                all.push(variant.specialise(layout, *epilogue, *activation));
            }
            if layout == Layout::TN {
                all.push(variant.specialise(layout, 4, Identity));
            }
        }
    }
    all
}

fn reference(call: &mut dyn Call) {
    let p: Params = crate::plan::params(call);
    let (layout, epilogue) = (call.constant("LAYOUT"), call.constant("EPILOGUE"));
    let activation = Activation::from_u32(call.constant("ACTIVATION"));
    for m in 0..p.m as usize {
        for n in 0..p.n as usize {
            let mut sum = 0.0;
            for k in 0..p.k as usize {
                sum += match layout {
                    0 => call.get(A, m, k) * call.get(B, k, n),
                    1 => call.get(A, m, k) * call.get(B, n, k),
                    _ => call.get(A, k, m) * call.get(B, k, n),
                };
            }
            let value = match epilogue {
                1 => activation.apply(sum + call.get(EXTRA, 0, n)),
                2 => sum * activation.derivative(call.get(EXTRA, m, n)),
                3 => sum + call.get(C, m, n),
                _ => sum,
            };
            // With d_bias behind it, c is all in one row.
            let (row, col) = if epilogue == 4 { (0, 4 * m * p.c_stride as usize + n) } else { (m, n) };
            call.put(C, row, col, value);
        }
        if epilogue == 4 {
            let sum = (0..p.k as usize).map(|k| call.get(A, k, m)).sum();
            call.put(C, 0, 4 * p.bias_at as usize + m, sum);
        }
    }
}

/// Layout and (m, k, n) of a dispatch, if it is a product.
pub fn product_of(dispatch: &Dispatch) -> Option<(Layout, [usize; 3])> {
    KERNELS.iter().find(|kernel| kernel.name == dispatch.kernel.name)?;
    let p: Params = bytemuck::pod_read_unaligned(&dispatch.params[..size_of::<Params>()]);
    let (_, number) = dispatch.consts.iter().find(|(name, _)| *name == "LAYOUT")?;
    let layout = [Layout::NN, Layout::NT, Layout::TN].into_iter().find(|l| *l as u32 == *number)?;
    Some((layout, [p.m, p.k, p.n].map(|dim| dim as usize)))
}

/// Lets another variant do a product; the result is the same.
pub fn set_variant(dispatch: &mut Dispatch, variant: &'static Variant) {
    let Some((layout, [m, _, n])) = product_of(dispatch) else {
        panic!("{} is no product", dispatch.label);
    };
    assert!(variant.divides(layout), "{}: {} cannot do {layout:?}", dispatch.label, variant.name);
    let constant = |wanted| dispatch.consts.iter().find(|(name, _)| *name == wanted).map_or(0, |c| c.1);
    let activation = Activation::from_u32(constant("ACTIVATION"));
    dispatch.consts = variant.specialise(layout, constant("EPILOGUE"), activation);
    dispatch.kernel = variant.kernel;
    dispatch.workgroups = variant.workgroups(m, n);
}

/// A product by itself.
#[derive(Clone, Debug)]
pub struct Alone {
    /// Its one dispatch.
    pub plan: Plan,
    /// The left operand.
    pub a: Tensor,
    /// The right operand.
    pub b: Tensor,
    /// The result [m, n].
    pub c: Tensor,
    /// In TN the sums of A's rows [1, m]: the gradient of a bias.
    pub d_bias: Option<Tensor>,
}

/// The product of a result [m, n] from sums of k, by one variant: in TN as a layer's gradients are computed.
pub fn alone(variant: &'static Variant, layout: Layout, [m, k, n]: [usize; 3]) -> Alone {
    let mut plan = Plan::new("product");
    let [a, b] = layout.operands([m, k, n]);
    let (a, b) = (plan.tensor("a", a.0, a.1), plan.tensor("b", b.0, b.1));
    let (c, d_bias) = match layout {
        Layout::NN | Layout::NT => (plan.tensor("c", m, n), None),
        Layout::TN => {
            let (c, d_bias) = gradients(&mut plan, m, n);
            (c, Some(d_bias))
        }
    };
    let epilogue = d_bias.map_or(Epilogue::Store, Epilogue::Gradient);
    matmul_with(&mut plan, variant, "product", layout, (a, b, c), epilogue);
    Alone { plan, a, b, c, d_bias }
}

/// c [m, n] and d_bias [1, m] behind it, as a layer's gradients lie in one buffer.
pub(crate) fn gradients(plan: &mut Plan, m: usize, n: usize) -> (Tensor, Tensor) {
    let [rows, stride] = [m, n].map(|length| round_up(length, PAD));
    let offset = round_up(rows * stride, BINDING_ALIGN);
    let buffer = plan.buffer("c", offset + rows, Element::F32, Role::Private);
    let c = Tensor { buffer, offset: 0, rows: m, cols: n, stride };
    let d_bias = Tensor { buffer, offset, rows: 1, cols: m, stride: rows };
    (c, d_bias)
}

/// Appends c = epilogue(A B) with the variant that [`choose`] names.
pub(crate) fn matmul(
    plan: &mut Plan,
    target: &Target,
    label: &str,
    layout: Layout,
    (a, b, c): (Tensor, Tensor, Tensor),
    epilogue: Epilogue,
) {
    let variant = choose(target, layout, c.rows, c.cols);
    matmul_with(plan, variant, label, layout, (a, b, c), epilogue);
}

/// Appends c = epilogue(A B) with a given variant.
pub(crate) fn matmul_with(
    plan: &mut Plan,
    variant: &Variant,
    label: &str,
    layout: Layout,
    (a, b, c): (Tensor, Tensor, Tensor),
    epilogue: Epilogue,
) {
    let (m, k) = if layout == Layout::TN { (a.cols, a.rows) } else { (a.rows, a.cols) };
    let (n, b_k) = if layout == Layout::NT { (b.rows, b.cols) } else { (b.cols, b.rows) };
    assert_eq!(k, b_k, "{label}: inner dimensions of a {a:?} and b {b:?}");
    assert_eq!((m, n), (c.rows, c.cols), "{label}: shape of c");
    let (activation, extra) = match epilogue {
        Epilogue::Store | Epilogue::Accumulate | Epilogue::Gradient(_) => (Activation::Identity, a),
        Epilogue::Forward(activation, bias) => {
            assert_eq!((bias.rows, bias.cols), (1, n), "{label}: shape of the bias");
            assert!(!activation.keeps_input(), "{label}: this activation needs a kernel of its own");
            (activation, bias)
        }
        Epilogue::Backward(activation, kept) => {
            assert_eq!((kept.rows, kept.cols), (m, n), "{label}: shape of what was kept");
            (activation, kept)
        }
    };
    let mut cost = Cost { flops: 2 * (m * n * k) as u64, bytes: bytes(&[a, b, c]) };
    let (mut bound, mut bias_at) = (c, 0);
    if let Epilogue::Gradient(d_bias) = epilogue {
        assert_eq!(layout, Layout::TN, "{label}: rows of A are summed in TN");
        assert_eq!((d_bias.buffer, d_bias.rows, d_bias.cols), (c.buffer, 1, m), "{label}: shape of d_bias");
        assert!(d_bias.offset >= c.offset + round_up(m, PAD) * c.stride, "{label}: d_bias lies behind c");
        bias_at = (d_bias.offset - c.offset) / PAD;
        let words = d_bias.offset + d_bias.stride - c.offset;
        bound = Tensor { rows: 1, cols: words, stride: words, ..c };
        cost.bytes += bytes(&[d_bias]);
    }
    let params = Params {
        m: m as u32,
        n: n as u32,
        k: k as u32,
        a_stride: a.vectors(),
        b_stride: b.vectors(),
        c_stride: c.vectors(),
        extra_stride: extra.vectors(),
        bias_at: bias_at as u32,
    };
    plan.push(Dispatch {
        kernel: variant.kernel,
        label: label.into(),
        consts: variant.specialise(layout, epilogue.number(), activation),
        params: params.to_bytes(),
        tensors: vec![a, b, extra, bound],
        workgroups: variant.workgroups(m, n),
        cost,
    });
}
