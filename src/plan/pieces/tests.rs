use super::*;
use crate::kernels::activation::{self, Activation};
use crate::plan::{BufferId, Element, Role};

/// Appends parts of `to` = tanh of something, each so many words from an offset.
fn writes(plan: &mut Plan, to: BufferId, parts: &[(usize, usize)]) {
    for (number, (offset, cols)) in parts.iter().enumerate() {
        let x = plan.tensor(format!("x{number}"), 1, *cols);
        let y = Tensor { buffer: to, offset: *offset, rows: 1, cols: *cols, stride: *cols };
        activation::forward(plan, "tanh", Activation::Tanh, x, y);
    }
}

/// A buffer whose parts are written from its end to its beginning, the last of them twice.
fn plan() -> (Plan, Tensor) {
    let mut plan = Plan::new("backward");
    let to = plan.buffer("gradients", 1024, Element::F32, Role::Shared);
    writes(&mut plan, to, &[(960, 64), (512, 448), (512, 64), (128, 384), (0, 128)]);
    (plan, Tensor { buffer: to, offset: 0, rows: 1, cols: 1024, stride: 1024 })
}

fn found(plan: &Plan, of: Tensor, most: usize) -> Vec<(Range<usize>, usize)> {
    plan.buckets(of, most).into_iter().map(|bucket| (bucket.words, bucket.after)).collect()
}

#[test]
fn buckets_end_at_borders_and_wait_for_their_last_writer() {
    let (plan, of) = plan();
    assert_eq!(found(&plan, of, 1024), [(0..1024, 5)]);
    assert_eq!(found(&plan, of, 5000), [(0..1024, 5)]);
    assert_eq!(found(&plan, of, 600), [(512..1024, 3), (0..512, 5)]);
    // What is larger than a bucket is cut.
    let cut = [
        (960..1024, 1),
        (760..960, 2),
        (560..760, 3),
        (512..560, 3),
        (312..512, 4),
        (128..312, 4),
        (0..128, 5),
    ];
    assert_eq!(found(&plan, of, 200), cut);
    // Of a part of the buffer.
    let rest = Tensor { offset: 512, cols: 448, stride: 448, ..of };
    assert_eq!(found(&plan, rest, 448), [(512..960, 3)]);
}

#[test]
fn every_word_is_in_one_bucket_that_is_not_too_large() {
    let (plan, of) = plan();
    for most in [1, 7, 63, 64, 65, 500, 1023] {
        let mut all = found(&plan, of, most);
        assert!(all.is_sorted_by_key(|(_, after)| *after), "{most}");
        all.sort_by_key(|(words, _)| words.start);
        assert!(all.iter().all(|(words, _)| (1..=most).contains(&words.len())), "{most}");
        assert!(all.windows(2).all(|pair| pair[0].0.end == pair[1].0.start), "{most}");
        assert_eq!((all[0].0.start, all[all.len() - 1].0.end), (0, 1024), "{most}");
    }
}

/// What the host reads at a pause lives until then, and what it writes there is copied to its image anew.
#[test]
fn pauses_keep_memory_and_are_shown() {
    let mut plan = Plan::new("pause");
    let [x, a, b] = ["x", "a", "b"].map(|name| plan.tensor(name, 8, 16));
    let tanh = |plan: &mut Plan, from, to| activation::forward(plan, "tanh", Activation::Tanh, from, to);
    tanh(&mut plan, x, a);
    tanh(&mut plan, x, b);
    let all = plan.tensor("all", 16, 16);
    plan.exchange(a, all, 2);
    let y = plan.tensor("y", 8, 16);
    tanh(&mut plan, all.slice_rows(0, 8), y);
    let text = plan.to_string();
    assert!(text.contains("a[8,16] -> all[16,16]"), "{text}");
    assert_eq!(plan.exchanges(), [Exchange { after: 2, from: a, to: all }]);
    plan.share_memory(&[x.buffer]);
    assert_eq!(plan.home(b.buffer), b.buffer);
    assert_eq!(plan.home(all.buffer), all.buffer);
}
