//! Matrix multiplication in the three layouts of a linear layer (`shaders/matmul/`, `shaders/shared/matmul.wgsl`).

mod choose;
mod operation;
mod parts;
mod reference;
mod variants;

pub use choose::{alike, choose};
pub(super) use operation::ACCUMULATES;
use operation::Params;
pub use operation::{Epilogue, Layout};
pub(crate) use parts::JOIN;
pub(crate) use variants::KERNELS;
pub use variants::{VARIANTS, Variant, fitting, named};

use super::bytes;
use super::division::Parts;
use crate::plan::{BINDING_ALIGN, Cost, Dispatch, Element, PAD, Plan, Role, Target, Tensor, round_up};

/// Layout and (m, k, n) of a dispatch, if it is a product whose sums are not divided: one that may get another variant.
pub fn product_of(dispatch: &Dispatch) -> Option<(Layout, [usize; 3])> {
    let product = shape_of(dispatch)?;
    (Epilogue::from_constants(|name| dispatch.constant(name)) != Epilogue::Divided).then_some(product)
}

/// Layout and (m, k, n) of a dispatch, if it is a product, in parts or not.
pub fn shape_of(dispatch: &Dispatch) -> Option<(Layout, [usize; 3])> {
    KERNELS.iter().find(|kernel| std::ptr::eq(**kernel, dispatch.kernel))?;
    let p: Params = bytemuck::pod_read_unaligned(&dispatch.params[..size_of::<Params>()]);
    let layout = Layout::from_u32(dispatch.constant("LAYOUT"));
    Some((layout, [p.m, p.k, p.n].map(|dim| dim as usize)))
}

/// Whether the operands of a product are small enough for images.
pub(crate) fn images_fit(plan: &Plan, product: &Dispatch) -> bool {
    product.tensors[..3].iter().all(|tensor| plan.fits_image(tensor))
}

/// Gives a product another variant; the result is the same.
pub fn set_variant(dispatch: &mut Dispatch, variant: &'static Variant) {
    let Some((layout, [m, _, n])) = product_of(dispatch) else {
        panic!("{} is not a product", dispatch.label);
    };
    assert!(variant.supports(layout), "{}: {} does not support {layout:?}", dispatch.label, variant.name);
    let epilogue = Epilogue::from_constants(|name| dispatch.constant(name));
    dispatch.consts = variant.specialise(layout, &epilogue);
    dispatch.kernel = variant.kernel;
    dispatch.workgroups = variant.workgroups(m, n);
}

/// A plan of one product, for tests and benches.
#[derive(Clone, Debug)]
pub struct SingleProduct {
    /// The plan.
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

/// A plan of the product [m, n] of sums over k, by one variant; in TN with the gradient of the bias, as in training.
pub fn single_product(variant: &'static Variant, layout: Layout, [m, k, n]: [usize; 3]) -> SingleProduct {
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
    matmul_with(&mut plan, variant, "product", layout, (a, b, c), epilogue, Parts::whole(k));
    SingleProduct { plan, a, b, c, d_bias }
}

/// A plan of c [m, n] by the tiles and in the parts that a card gets in training.
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only benchmarks time it"))]
pub(crate) fn spread_product(layout: Layout, [m, k, n]: [usize; 3]) -> Plan {
    let mut plan = Plan::new("product");
    let [a, b] = layout.operands([m, k, n]);
    let (a, b) = (plan.tensor("a", a.0, a.1), plan.tensor("b", b.0, b.1));
    let c = plan.tensor("c", m, n);
    matmul(&mut plan, &Target::PORTABLE, true, "product", layout, (a, b, c), Epilogue::Store);
    plan
}

/// c [m, n] followed by d_bias [1, m] in one buffer, as a layer's gradients are.
pub(crate) fn gradients(plan: &mut Plan, m: usize, n: usize) -> (Tensor, Tensor) {
    let [rows, stride] = [m, n].map(|length| round_up(length, PAD));
    let offset = round_up(rows * stride, BINDING_ALIGN);
    let buffer = plan.buffer("c", offset + rows, Element::F32, Role::Private);
    let c = Tensor { buffer, offset: 0, rows: m, cols: n, stride };
    let d_bias = Tensor { buffer, offset, rows: 1, cols: m, stride: rows };
    (c, d_bias)
}

/// Appends c = epilogue(A B) with the variant that [`choose`] picks. With `spread`, which only plans of training may ask for, a
/// card's sums are divided where its cores would lack work: a row's result then depends on how many rows there are.
pub(crate) fn matmul(
    plan: &mut Plan,
    target: &Target,
    spread: bool,
    label: &str,
    layout: Layout,
    (a, b, c): (Tensor, Tensor, Tensor),
    epilogue: Epilogue,
) {
    let operands = [Some(a), Some(b), epilogue.extra()];
    let images = target.images && operands.iter().flatten().all(|tensor| plan.fits_image(tensor));
    let target = Target { images, ..*target };
    let shape = shape_of_operands(label, layout, a, b);
    let variant = choose(&target, layout, shape);
    let parts = parts::parts_of(&target, spread, variant, layout, shape);
    matmul_with(plan, variant, label, layout, (a, b, c), epilogue, parts);
}

/// m, k, n.
fn shape_of_operands(label: &str, layout: Layout, a: Tensor, b: Tensor) -> [usize; 3] {
    let (m, k) = if layout == Layout::TN { (a.cols, a.rows) } else { (a.rows, a.cols) };
    let (n, b_k) = if layout == Layout::NT { (b.rows, b.cols) } else { (b.cols, b.rows) };
    assert_eq!(k, b_k, "{label}: inner dimensions of a {a:?} and b {b:?}");
    [m, k, n]
}

/// Appends c = epilogue(A B) with a given variant, its sums over k in these parts.
pub(crate) fn matmul_with(
    plan: &mut Plan,
    variant: &Variant,
    label: &str,
    layout: Layout,
    (a, b, c): (Tensor, Tensor, Tensor),
    epilogue: Epilogue,
    parts: Parts,
) {
    let [m, k, n] = shape_of_operands(label, layout, a, b);
    assert_eq!([m, n], [c.rows, c.cols], "{label}: shape of c");
    assert!(parts.hold(k), "{label}: {parts:?} of {k} terms");
    assert!(!matches!(epilogue, Epilogue::Divided), "{label}: parts are no result");
    epilogue.check(label, [m, n]);
    if parts.count == 1 {
        return push(plan, variant, label, layout, (a, b, c), epilogue, parts);
    }
    assert!(
        parts.length.is_multiple_of(variant.terms_a_round()),
        "{label}: rounds reach into the next of {parts:?}"
    );
    assert!(variant.divides(layout), "{label}: {} computes no parts in {layout:?}", variant.name);
    assert!(!matches!(epilogue, Epilogue::Gradient(_)), "{label}: a gradient's sums are not divided");
    let label_of_parts = format!("{label} parts");
    let sums = plan.tensor(&label_of_parts, parts.count * m, n);
    push(plan, variant, &label_of_parts, layout, (a, b, sums), Epilogue::Divided, parts);
    parts::join(plan, label, sums, c, epilogue);
}

/// Appends the dispatch of a product, with its result or that of its parts in `c`.
fn push(
    plan: &mut Plan,
    variant: &Variant,
    label: &str,
    layout: Layout,
    (a, b, c): (Tensor, Tensor, Tensor),
    epilogue: Epilogue,
    parts: Parts,
) {
    let [m, k, n] = shape_of_operands(label, layout, a, b);
    // The slot must be bound to something.
    let extra = epilogue.extra().unwrap_or(a);
    let mut cost = Cost { flops: 2 * (m * n * k) as u64, bytes: bytes(&[a, b, c]) };
    let (mut bound, mut bias_at) = (c, 0);
    if let Epilogue::Gradient(d_bias) = epilogue {
        assert_eq!(layout, Layout::TN, "{label}: rows of A are summed in TN");
        assert_eq!((d_bias.buffer, d_bias.rows, d_bias.cols), (c.buffer, 1, m), "{label}: shape of d_bias");
        assert!(d_bias.offset >= c.offset + round_up(m, PAD) * c.stride, "{label}: d_bias follows c");
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
        a_first: a.first_vector(),
        b_first: b.first_vector(),
        extra_first: extra.first_vector(),
        part_quads: parts.length.div_ceil(PAD) as u32,
    };
    let [x, y, _] = variant.workgroups(m, n);
    plan.push(Dispatch {
        kernel: variant.kernel,
        label: label.into(),
        consts: variant.specialise(layout, &epilogue),
        params: params.to_bytes(),
        tensors: vec![a, b, extra, bound],
        workgroups: [x, y, parts.count as u32],
        cost,
    });
}
