//! Which variant of matmul each product of a plan gets: measured choices that override `matmul::choose`.

use std::collections::BTreeMap;

use super::matmul::{self, Layout, Variant};
use crate::plan::Plan;

/// The variants that measured fastest, by product. Every variant adds up a sum in the same order, so a
/// tuned plan gives the same bits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tuning {
    /// From `NT 128x784x400` to a name in the table of variants.
    choices: BTreeMap<String, String>,
}

impl Tuning {
    /// From pairs of a product, such as `NT 128x784x400` (m, k, n), and a variant's name; unknown names are passed over.
    pub fn from_choices(choices: impl IntoIterator<Item = (String, String)>) -> Tuning {
        let choices = choices.into_iter().filter(|(_, name)| matmul::named(name).is_some()).collect();
        Tuning { choices }
    }

    /// The pairs.
    pub fn choices(&self) -> &BTreeMap<String, String> {
        &self.choices
    }

    /// Remembers the variant of a product.
    pub fn insert(&mut self, layout: Layout, mkn: [usize; 3], variant: &Variant) {
        self.choices.insert(key(layout, mkn), variant.name.to_owned());
    }

    /// Adds what another tuning knows.
    pub fn extend(&mut self, other: Tuning) {
        self.choices.extend(other.choices);
    }

    /// Gives every product of the plan its fastest variant, where one is known.
    pub fn apply(&self, plan: &mut Plan) {
        for dispatch in &mut plan.dispatches {
            let Some((layout, mkn)) = matmul::product_of(dispatch) else { continue };
            if let Some(variant) = self.choices.get(&key(layout, mkn)).and_then(|name| matmul::named(name)) {
                matmul::set_variant(dispatch, variant);
            }
        }
    }
}

fn key(layout: Layout, [m, k, n]: [usize; 3]) -> String {
    format!("{layout:?} {m}x{k}x{n}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::matmul::{Epilogue, matmul_with};

    fn plan(variant: &str) -> Plan {
        let mut plan = Plan::new("test");
        let (a, b) = (plan.tensor("a", 128, 784), plan.tensor("b", 400, 784));
        let c = plan.tensor("c", 128, 400);
        let variant = matmul::named(variant).unwrap();
        matmul_with(&mut plan, variant, "product", Layout::NT, (a, b, c), Epilogue::Store);
        plan
    }

    #[test]
    fn a_tuning_changes_the_variant_and_nothing_else() {
        let mut tuned = plan("tiled-64");
        let mut tuning = Tuning::default();
        tuning.insert(Layout::NT, [128, 784, 400], matmul::named("portable-8x2").unwrap());
        tuning.apply(&mut tuned);
        assert_eq!(format!("{tuned:?}"), format!("{:?}", plan("portable-8x2")));
    }

    #[test]
    fn other_products_and_unknown_variants_are_left_alone() {
        let mut tuned = plan("tiled-64");
        let choices = [("NT 128x784x401", "portable-8x2"), ("NT 128x784x400", "no-such")];
        Tuning::from_choices(choices.map(|(a, b)| (a.to_owned(), b.to_owned()))).apply(&mut tuned);
        assert_eq!(format!("{tuned:?}"), format!("{:?}", plan("tiled-64")));
    }
}
