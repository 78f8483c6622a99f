//! Measured choices of matmul variants, which override `matmul::choose`.

use std::collections::BTreeMap;

use super::matmul::{self, Layout, Variant};
use crate::plan::{Plan, Target};

/// The variants that measured fastest, by product, among those that give the same bits. Among those of 16 bits, cooperative
/// matrices add in an order of their own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tuning {
    /// From `NT 128x784x400`, or `NT 128x784x400 f16` for operands of 16 bits, to the name of a variant.
    choices: BTreeMap<String, String>,
}

impl Tuning {
    /// From pairs of a product, such as `NT 128x784x400` (m, k, n), and a variant's name. Unknown names are ignored.
    pub fn from_choices(choices: impl IntoIterator<Item = (String, String)>) -> Tuning {
        let choices = choices.into_iter().filter(|(_, name)| matmul::named(name).is_some()).collect();
        Tuning { choices }
    }

    /// The pairs of products and variants' names.
    pub fn choices(&self) -> &BTreeMap<String, String> {
        &self.choices
    }

    /// Remembers the variant of a product.
    #[doc(hidden)]
    pub fn insert(&mut self, layout: Layout, mkn: [usize; 3], variant: &Variant) {
        self.choices.insert(key(layout, mkn, variant.is_f16()), variant.name.to_owned());
    }

    /// Adds what another tuning knows.
    #[doc(hidden)]
    pub fn extend(&mut self, other: Tuning) {
        self.choices.extend(other.choices);
    }

    /// Gives every product of a plan for `target` its fastest known variant, if that runs there.
    #[doc(hidden)]
    pub fn apply(&self, plan: &mut Plan, target: &Target) {
        for number in 0..plan.dispatches.len() {
            let dispatch = &plan.dispatches[number];
            let Some((layout, mkn)) = matmul::product_of(dispatch) else { continue };
            let target = Target { images: target.images && matmul::images_fit(plan, dispatch), ..*target };
            let choice = self.choices.get(&key(layout, mkn, target.f16)).and_then(|name| matmul::named(name));
            let allowed =
                |variant: &&Variant| matmul::alike(&target, layout, mkn).any(|v| v.name == variant.name);
            if let Some(variant) = choice.filter(allowed) {
                matmul::set_variant(&mut plan.dispatches[number], variant);
            }
        }
    }
}

fn key(layout: Layout, [m, k, n]: [usize; 3], f16: bool) -> String {
    format!("{layout:?} {m}x{k}x{n}{}", if f16 { F16 } else { "" })
}

/// The end of the key of a product of 16-bit operands.
pub const F16: &str = " f16";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::division::Parts;
    use crate::kernels::matmul::{Epilogue, matmul_with};

    fn plan(variant: &str) -> Plan {
        let mut plan = Plan::new("test");
        let (a, b) = (plan.tensor("a", 128, 784), plan.tensor("b", 400, 784));
        let c = plan.tensor("c", 128, 400);
        let variant = matmul::named(variant).unwrap();
        matmul_with(&mut plan, variant, "product", Layout::NT, (a, b, c), Epilogue::Store, Parts::whole(784));
        plan
    }

    #[test]
    fn a_tuning_changes_the_variant_and_nothing_else() {
        let mut tuned = plan("tiled-64");
        let mut tuning = Tuning::default();
        tuning.insert(Layout::NT, [128, 784, 400], matmul::named("portable-8x2").unwrap());
        tuning.apply(&mut tuned, &Target::PORTABLE);
        assert_eq!(format!("{tuned:?}"), format!("{:?}", plan("portable-8x2")));
    }

    #[test]
    fn a_variant_that_the_target_cannot_run_is_passed_over() {
        for name in ["subgroup8-32x1", "tiled-64-f16", "cooperative16-64-f16"] {
            let mut tuned = plan("tiled-64");
            let choices = [("NT 128x784x400".to_owned(), name.to_owned())];
            Tuning::from_choices(choices).apply(&mut tuned, &Target::PORTABLE);
            assert_eq!(format!("{tuned:?}"), format!("{:?}", plan("tiled-64")), "{name}");
        }
    }

    #[test]
    fn products_of_16_bit_operands_are_kept_apart() {
        let mut tuning = Tuning::default();
        for name in ["tiled-128", "tiled-128-f16"] {
            tuning.insert(Layout::NT, [128, 784, 400], matmul::named(name).unwrap());
        }
        for (before, target, after) in [
            ("tiled-64", Target::PORTABLE, "tiled-128"),
            ("tiled-64-f16", Target { f16: true, ..Target::PORTABLE }, "tiled-128-f16"),
        ] {
            let mut tuned = plan(before);
            tuning.apply(&mut tuned, &target);
            assert_eq!(format!("{tuned:?}"), format!("{:?}", plan(after)));
        }
    }

    #[test]
    fn other_products_and_unknown_variants_are_left_alone() {
        let mut tuned = plan("tiled-64");
        let choices = [("NT 128x784x401", "portable-8x2"), ("NT 128x784x400", "no-such")];
        Tuning::from_choices(choices.map(|(a, b)| (a.to_owned(), b.to_owned())))
            .apply(&mut tuned, &Target::PORTABLE);
        assert_eq!(format!("{tuned:?}"), format!("{:?}", plan("tiled-64")));
    }
}
