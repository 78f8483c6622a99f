use super::*;
use crate::kernels::activation::{self, Activation};
use crate::kernels::division::Parts;
use crate::kernels::matmul::{self, Epilogue, Layout};
use crate::plan::{Element, Role, Target};

const TARGET: Target = Target { subgroup: Some(8), images: true, ..Target::SOFTWARE };

/// Appends y = x W^T, whose operands are images.
fn linear(plan: &mut Plan, name: &str, x: Tensor, weight: Tensor) -> Tensor {
    let y = plan.tensor(name, x.rows, weight.rows);
    matmul::matmul(plan, &TARGET, false, name, Layout::NT, (x, weight, y), Epilogue::Store);
    y
}

fn names(plan: &Plan) -> Vec<Vec<&str>> {
    let name = |id: BufferId| plan.buffers[id.0].name.as_str();
    plan.copies().into_iter().map(|copies| copies.into_iter().map(name).collect()).collect()
}

#[test]
fn a_buffer_is_copied_before_it_is_first_read_and_once_more_after_each_write() {
    let mut plan = Plan::new("copies");
    let (x, weight) = (plan.tensor("x", 8, 16), plan.tensor("w", 16, 16));
    let y = linear(&mut plan, "y", x, weight);
    let z = linear(&mut plan, "z", y, weight);
    activation::forward(&mut plan, "tanh", Activation::Tanh, z, x);
    linear(&mut plan, "again", x, weight);
    // The extra slot of a product that only stores is bound to its first operand.
    assert_eq!(names(&plan), [vec!["x", "w"], vec!["y"], vec![], vec!["x"]]);
    let text = plan.to_string();
    assert!(text.lines().filter(|line| line.contains("to image")).count() == 4, "{text}");
}

#[test]
fn buffers_that_share_memory_share_an_image() {
    let mut plan = Plan::new("shared");
    let (x, weight) = (plan.tensor("x", 8, 16), plan.tensor("w", 16, 16));
    let mut last = x;
    for name in ["a", "b", "c", "d"] {
        last = linear(&mut plan, name, last, weight);
    }
    plan.share_memory(&[x.buffer, weight.buffer, last.buffer]);
    assert_eq!(names(&plan), [vec!["x", "w"], vec!["a"], vec!["b"], vec!["a"]]);
}

#[test]
fn a_product_of_a_buffer_that_no_image_holds_reads_buffers() {
    let variant = |words| {
        let mut plan = Plan::new("large");
        let large = plan.buffer("parameters", words, Element::F32, Role::Shared);
        let weight = Tensor { buffer: large, offset: 0, rows: 4, cols: 4, stride: 4 };
        let x = plan.tensor("x", 4, 4);
        linear(&mut plan, "y", x, weight);
        plan.dispatches[0].kernel.name
    };
    assert_eq!(variant(IMAGE_WORDS), "matmul/subgroup_images");
    assert_eq!(variant(IMAGE_WORDS + 4), "matmul/subgroup");
}

#[test]
#[should_panic(expected = "is too large for an image")]
fn an_image_of_too_large_a_buffer_is_refused() {
    let mut plan = Plan::new("large");
    let large = plan.buffer("parameters", IMAGE_WORDS + 4, Element::F32, Role::Shared);
    let weight = Tensor { buffer: large, offset: 0, rows: 4, cols: 4, stride: 4 };
    let (x, y) = (plan.tensor("x", 4, 4), plan.tensor("y", 4, 4));
    let (variant, parts) = (matmul::named("images8-8x1").unwrap(), Parts::whole(4));
    matmul::matmul_with(&mut plan, variant, "y", Layout::NT, (x, weight, y), Epilogue::Store, parts);
}
