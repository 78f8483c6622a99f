//! Every variant of matmul, in the shapes of the default model.

use std::sync::Arc;

use serde::Serialize;

use super::ceilings::Ceilings;
use super::timing::{Effort, Timed};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernels::matmul::{self, Layout, Variant, choose, fitting};
use crate::plan::{Plan, Step, Target};

/// A product c[m, n] = sum_k A(m, k) B(k, n).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// How the operands are stored.
    pub layout: Layout,
    /// Rows of the result.
    pub m: usize,
    /// Terms per sum.
    pub k: usize,
    /// Columns of the result.
    pub n: usize,
}

const fn product(layout: Layout, m: usize, k: usize, n: usize) -> Product {
    Product { layout, m, k, n }
}

/// The shapes: first the largest one of each layout in a step of 784-400-20 at batch 128.
const SHAPES: &[Product] = &[
    product(Layout::NT, 128, 784, 400),
    product(Layout::NN, 128, 784, 400),
    product(Layout::TN, 784, 128, 400),
    product(Layout::NT, 512, 512, 512),
    product(Layout::NN, 512, 512, 512),
    product(Layout::TN, 512, 512, 512),
    product(Layout::NT, 128, 400, 40),
    product(Layout::NT, 128, 20, 400),
    product(Layout::NT, 128, 400, 784),
    product(Layout::NN, 128, 400, 20),
    product(Layout::TN, 400, 128, 784),
    product(Layout::TN, 400, 128, 20),
    product(Layout::TN, 40, 128, 400),
];

/// Shapes at the start of [`SHAPES`]: the largest of each layout.
const LAYOUTS: usize = 3;

impl Product {
    /// The largest product of each layout in a training step of the default model.
    pub fn largest() -> &'static [Product] {
        &SHAPES[..LAYOUTS]
    }

    /// Floating-point operations.
    pub fn flops(&self) -> u64 {
        2 * (self.m * self.k * self.n) as u64
    }

    /// `m x k x n`.
    pub fn shape(&self) -> String {
        format!("{}x{}x{}", self.m, self.k, self.n)
    }

    /// A plan of this product alone, by one variant: in TN with the bias gradient, as in training.
    pub fn plan(&self, variant: &'static Variant) -> Plan {
        matmul::single_product(variant, self.layout, [self.m, self.k, self.n]).plan
    }

    fn choice(&self, target: &Target) -> &'static Variant {
        choose(target, self.layout, [self.m, self.k, self.n])
    }
}

/// The speed of a variant on a product.
#[derive(Clone, Debug, Serialize)]
pub struct MatmulTime {
    /// `NN`, `NT` or `TN`.
    pub layout: String,
    /// Rows of the result.
    pub m: usize,
    /// Terms per sum.
    pub k: usize,
    /// Columns of the result.
    pub n: usize,
    /// The variant.
    pub variant: &'static str,
    /// 10^9 floating-point operations per second; zero if the variant is wrong.
    pub gflops: f64,
    /// Share of the arithmetic ceiling.
    pub share: f64,
    /// Whether `kernels::matmul::choose` picks it here.
    pub chosen: bool,
    /// Whether it disagreed with the reference and so was not timed.
    pub wrong: bool,
}

/// Every layout with every variant that fits it.
pub(super) fn pairs(target: &Target) -> Vec<(Layout, &'static Variant)> {
    let layouts = Product::largest().iter().map(|product| product.layout);
    layouts.flat_map(|layout| fitting(target, layout).map(move |v| (layout, v))).collect()
}

/// Every shape with every variant that fits it; one shape per layout in a quick run.
pub(super) fn cells(target: &Target, effort: Effort) -> Vec<(Product, &'static Variant)> {
    let shapes = if effort == Effort::Quick { Product::largest() } else { SHAPES };
    shapes.iter().flat_map(|product| fitting(target, product.layout).map(|v| (*product, v))).collect()
}

/// Times the cells, except those of a (layout, variant) that failed its check.
pub(super) fn measure(
    gpu: &Arc<Gpu>,
    target: &Target,
    failed: &[(Layout, &'static Variant)],
    cells: &[(Product, &'static Variant)],
    ceilings: &Ceilings,
    effort: Effort,
    tick: &dyn Fn(),
) -> Result<Vec<MatmulTime>> {
    let is_wrong = |layout: Layout, variant: &Variant| {
        failed.iter().any(|(l, v)| *l == layout && v.name == variant.name)
    };
    let time = |(product, variant): &(Product, &'static Variant)| {
        let wrong = is_wrong(product.layout, variant);
        let gflops = match wrong {
            true => 0.0,
            false => {
                let seconds = Timed::new(gpu, &product.plan(variant), Step::default())?.one(effort)?;
                product.flops() as f64 / seconds / 1e9
            }
        };
        tick();
        let Product { layout, m, k, n } = *product;
        Ok(MatmulTime {
            layout: format!("{layout:?}"),
            m,
            k,
            n,
            variant: variant.name,
            gflops,
            share: gflops / ceilings.gflops,
            chosen: product.choice(target).name == variant.name,
            wrong,
        })
    };
    cells.iter().map(time).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_among_the_cells_of_its_shape() {
        let f16 = Target { f16: true, ..Target::PORTABLE };
        let targets = [
            Target::PORTABLE,
            Target::SOFTWARE,
            Target { subgroup: Some(4), ..Target::SOFTWARE },
            Target { subgroup: Some(8), ..Target::SOFTWARE },
            Target { subgroup: Some(16), ..Target::SOFTWARE },
            f16,
            Target { f16: true, cooperative: Some(8), ..Target::SOFTWARE },
            Target { cooperative: Some(8), ..f16 },
            Target { cooperative: Some(16), ..f16 },
        ];
        for target in targets {
            let cells = cells(&target, Effort::Full);
            for product in SHAPES {
                let choice = product.choice(&target).name;
                assert!(cells.iter().any(|(p, v)| p == product && v.name == choice), "{product:?} {choice}");
            }
        }
    }

    #[test]
    fn the_first_shapes_stand_for_the_layouts() {
        assert_eq!(Product::largest().iter().map(|p| p.layout as u32).collect::<Vec<_>>(), [1, 0, 2]);
    }
}
