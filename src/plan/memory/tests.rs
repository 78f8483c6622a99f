use proptest::prelude::*;

use super::*;
use crate::kernels::activation::{self, Activation};
use crate::kernels::division::Parts;
use crate::kernels::matmul::{self, Epilogue, Layout, matmul};
use crate::kernels::micro;
use crate::kernels::reference::{HostBuffer, Memory};
use crate::plan::{Step, Target};

fn tanh(plan: &mut Plan, x: Tensor, y: Tensor) {
    activation::forward(plan, "tanh", Activation::Tanh, x, y);
}

/// A chain of such dispatches from `first`, one tensor a name. Returns all of them.
fn chain(plan: &mut Plan, first: Tensor, names: &[&str]) -> Vec<Tensor> {
    let mut tensors = vec![first];
    for name in names {
        let x = tensors[tensors.len() - 1];
        let y = plan.tensor(*name, x.rows, x.cols);
        tanh(plan, x, y);
        tensors.push(y);
    }
    tensors
}

fn homes(plan: &Plan) -> Vec<(&str, &str)> {
    let named = |b: &Buffer| b.home.map(|home| plan.buffers[home.0].name.as_str());
    plan.buffers.iter().filter_map(|b| Some((b.name.as_str(), named(b)?))).collect()
}

fn ids(tensors: &[Tensor]) -> Vec<BufferId> {
    tensors.iter().map(|tensor| tensor.buffer).collect()
}

#[test]
fn lives_that_touch_overlap() {
    let life = |first, last| Life { first, last };
    assert!(life(0, 1).overlaps(life(1, 2)) && life(1, 2).overlaps(life(0, 1)));
    assert!(life(0, 5).overlaps(life(2, 3)) && life(2, 3).overlaps(life(0, 5)));
    assert!(!life(0, 1).overlaps(life(2, 3)) && !life(2, 3).overlaps(life(0, 1)));
}

#[test]
fn every_second_buffer_of_a_chain_lies_in_the_memory_of_the_one_before_last() {
    let mut plan = Plan::new("chain");
    let x = plan.tensor("x", 8, 16);
    let all = chain(&mut plan, x, &["a", "b", "c", "d", "e"]);
    let before = plan.memory();
    assert_eq!(plan.share_memory(&ids(&[all[0], all[5]])), 2 * 8 * 16);
    assert_eq!(homes(&plan), [("c", "a"), ("d", "b")]);
    assert_eq!((plan.memory(), plan.saved_words()), (before - 4 * 2 * 8 * 16, 256));
    // Whoever looks for a buffer finds it as before, and so does whoever prints the plan.
    assert_eq!(plan.find("c"), Some(all[3].buffer));
    assert_eq!((plan.home(all[3].buffer), plan.home(all[1].buffer)), (all[1].buffer, all[1].buffer));
    assert!(plan.to_string().contains("c[8,16] -> d[8,16]"), "{plan}");
}

#[test]
fn what_is_kept_stays_alone() {
    let mut plan = Plan::new("chain");
    let x = plan.tensor("x", 8, 16);
    let all = chain(&mut plan, x, &["a", "b", "c", "d", "e"]);
    let mut kept = plan.clone();
    assert_eq!(kept.share_memory(&ids(&all)), 0);
    kept = plan.clone();
    kept.share_memory(&ids(&[x, all[3], all[5]]));
    assert_eq!(homes(&kept), [("d", "b")]);
    kept = plan.clone();
    kept.share_memory(&ids(&[x, all[1], all[5]]));
    assert_eq!(homes(&kept), [("d", "b")]);
}

#[test]
fn the_same_plan_is_always_shared_in_the_same_way() {
    let shared = || {
        let mut plan = Plan::new("widths");
        let mut last = plan.tensor("x", 8, 16);
        for (i, cols) in [16, 8, 16, 32, 8, 8, 16, 64, 4].into_iter().enumerate() {
            let x = last;
            let w = plan.matrix(format!("w{i}"), cols, x.cols, Element::F32, Role::Shared);
            last = plan.tensor(format!("y{i}"), 8, cols);
            matmul(&mut plan, &Target::PORTABLE, false, "y", Layout::NT, (x, w, last), Epilogue::Store);
        }
        plan.share_memory(&[last.buffer]);
        homes(&plan).iter().map(|(a, b)| format!("{a} {b}")).collect::<Vec<_>>()
    };
    let expected = shared();
    assert!(!expected.is_empty());
    for _ in 0..5 {
        assert_eq!(shared(), expected);
    }
    // A small one goes where it wastes least.
    assert!(expected.iter().any(|pair| pair == "y4 y1"), "{expected:?}");
}

/// Zeros in the padding of one buffer must not be where another has data, in whichever order they come.
#[test]
fn padding_shares_memory_with_padding_of_the_same_place_only() {
    let shared = |shapes: [[usize; 2]; 2]| {
        let mut plan = Plan::new("padding");
        let pairs = shapes.map(|[rows, cols]| {
            let number = plan.buffers.len();
            let [x, y, z] = ["x", "y", "z"].map(|name| plan.tensor(format!("{name} {number}"), rows, cols));
            tanh(&mut plan, x, y);
            tanh(&mut plan, y, z);
            [x.buffer, z.buffer]
        });
        plan.share_memory(&pairs.concat()) > 0
    };
    assert!(shared([[8, 8], [8, 8]]) && shared([[8, 8], [4, 4]]) && shared([[4, 4], [16, 8]]));
    assert!(shared([[5, 3], [5, 3]]));
    for (one, other) in [
        ([5, 3], [8, 4]),
        ([5, 3], [8, 3]),
        ([5, 4], [8, 4]),
        ([5, 3], [5, 4]),
        ([6, 8], [5, 8]),
        ([8, 7], [8, 6]),
    ] {
        assert!(!shared([one, other]) && !shared([other, one]), "{one:?} {other:?}");
    }
}

/// Only a buffer that its first dispatch writes as a whole has words that nobody relies on before.
#[test]
fn what_is_not_written_first_and_as_a_whole_stays_alone() {
    let alone = |append: &dyn Fn(&mut Plan, Tensor, Tensor)| {
        let mut plan = Plan::new("first");
        let x = plan.tensor("x", 8, 16);
        let subject = plan.tensor("subject", 8, 16);
        append(&mut plan, x, subject);
        // Others of its size, before which it has no more life.
        let all = chain(&mut plan, x, &["a", "b", "c"]);
        plan.share_memory(&ids(&[x, all[3]]));
        homes(&plan).iter().all(|(a, b)| ![*a, *b].contains(&"subject"))
    };
    let product = |plan: &mut Plan, x: Tensor, c: Tensor, epilogue| {
        let w = plan.matrix("w", 16, 16, Element::F32, Role::Shared);
        matmul(plan, &Target::PORTABLE, false, "c", Layout::NT, (x, w, c), epilogue);
    };
    assert!(!alone(&|plan, x, subject| tanh(plan, x, subject)), "written as a whole");
    assert!(!alone(&|plan, x, subject| product(plan, x, subject, Epilogue::Store)), "written as a whole");
    assert!(alone(&|_, _, _| {}), "never touched");
    assert!(alone(&|plan, x, subject| tanh(plan, subject, x)), "read first");
    assert!(alone(&|plan, x, subject| product(plan, x, subject, Epilogue::Accumulate)), "added to");
    let half = |t: Tensor| t.slice_rows(4, 4);
    assert!(alone(&|plan, x, subject| tanh(plan, half(x), half(subject))), "written in part");
}

#[test]
fn the_parts_of_a_divided_sum_share_memory() {
    let mut plan = Plan::new("parts");
    let (x, w) = (plan.tensor("x", 8, 100), plan.tensor("w", 16, 100));
    let c = plan.tensor("c", 8, 16);
    let (tile, parts) = (matmul::named("tiled-32").unwrap(), Parts::of(100, 3, 16));
    matmul::matmul_with(&mut plan, tile, "c", Layout::NT, (x, w, c), Epilogue::Store, parts);
    let last = chain(&mut plan, c, &["d", "e", "f"])[3];
    plan.share_memory(&ids(&[x, w, last]));
    let shared = homes(&plan);
    assert!(shared.iter().any(|(a, b)| [*a, *b].contains(&"c parts")), "{shared:?}");
}

#[test]
fn vectors_integers_and_buffers_of_several_plans_stay_alone() {
    let mut plan = Plan::new("alone");
    let x = plan.tensor("x", 1, 16);
    let vectors = chain(&mut plan, x, &["a", "b", "c", "d", "e"]);
    assert_eq!(plan.share_memory(&ids(&[x, vectors[5]])), 0);

    let mut plan = Plan::new("alone");
    let mut last = plan.tensor("x", 8, 16);
    for i in 0..5 {
        let y = plan.matrix(format!("y{i}"), 8, 16, Element::F32, Role::Shared);
        tanh(&mut plan, last, y);
        last = y;
    }
    assert_eq!(plan.share_memory(&[]), 0);
}

#[test]
#[should_panic(expected = "memory was shared")]
fn a_plan_whose_memory_is_shared_is_finished() {
    let mut plan = Plan::new("chain");
    let x = plan.tensor("x", 8, 16);
    let all = chain(&mut plan, x, &["a", "b", "c", "d"]);
    plan.share_memory(&ids(&[x, all[4]]));
    tanh(&mut plan, x, all[1]);
}

/// One more dispatch of a random plan; numbers choose among the tensors there are.
#[derive(Clone, Debug)]
enum Op {
    Copy(usize),
    Tanh(usize),
    /// A layer with so many outputs.
    Linear(usize, usize),
    /// a^T b, whose sums go over rows: up to whole vectors of them, on a device.
    Transposed(usize, usize),
    /// A product added to what is there.
    Add(usize, usize),
}

fn op() -> impl Strategy<Value = Op> {
    let any = 0..64usize;
    prop_oneof![
        any.clone().prop_map(Op::Copy),
        any.clone().prop_map(Op::Tanh),
        (any.clone(), prop::sample::select(vec![3, 4, 7, 8, 16])).prop_map(|(x, n)| Op::Linear(x, n)),
        (any.clone(), any.clone()).prop_map(|(a, b)| Op::Transposed(a, b)),
        (any.clone(), any).prop_map(|(x, to)| Op::Add(x, to)),
    ]
}

struct Random {
    plan: Plan,
    inputs: Vec<Tensor>,
    results: Vec<Tensor>,
}

impl Random {
    /// A plan of such dispatches on batches of `rows` rows.
    fn new(rows: usize, ops: &[Op]) -> Random {
        let mut plan = Plan::new("random");
        let inputs = vec![plan.tensor("input 0", rows, 8), plan.tensor("input 1", rows, 5)];
        let mut random = Random { plan, inputs: inputs.clone(), results: Vec::new() };
        for op in ops {
            random.append(op);
        }
        random
    }

    fn pick(&self, number: usize) -> Tensor {
        let recent: Vec<Tensor> = self.inputs.iter().chain(&self.results).copied().rev().take(5).collect();
        recent[number % recent.len()]
    }

    fn append(&mut self, op: &Op) {
        let name = format!("{} {op:?}", self.plan.dispatches.len());
        match *op {
            Op::Copy(x) => {
                let x = self.pick(x);
                let y = self.plan.tensor(name, x.rows, x.cols);
                micro::copy(&mut self.plan, x, y);
                self.results.push(y);
            }
            Op::Tanh(x) => {
                let x = self.pick(x);
                let y = self.plan.tensor(name, x.rows, x.cols);
                tanh(&mut self.plan, x, y);
                self.results.push(y);
            }
            Op::Linear(x, outputs) => {
                let x = self.pick(x);
                let y = self.plan.tensor(name, x.rows, outputs);
                self.layer(x, y, Epilogue::Store);
                self.results.push(y);
            }
            Op::Transposed(a, b) => {
                let (a, b) = (self.pick(a), self.pick(b));
                if a.rows == b.rows {
                    let c = self.plan.tensor(name, a.cols, b.cols);
                    matmul(
                        &mut self.plan,
                        &Target::PORTABLE,
                        false,
                        "sums",
                        Layout::TN,
                        (a, b, c),
                        Epilogue::Store,
                    );
                    self.results.push(c);
                }
            }
            Op::Add(x, to) => {
                let (x, y) = (self.pick(x), self.pick(to));
                let result = self.results.iter().any(|result| result.buffer == y.buffer);
                if result && x.rows == y.rows && x.buffer != y.buffer {
                    self.layer(x, y, Epilogue::Accumulate);
                }
            }
        }
    }

    /// y = x W^T with a weight of its own.
    fn layer(&mut self, x: Tensor, y: Tensor, epilogue: Epilogue) {
        let name = format!("weight {}", self.plan.buffers.len());
        let weight = self.plan.matrix(name, y.cols, x.cols, Element::F32, Role::Shared);
        matmul(&mut self.plan, &Target::PORTABLE, false, "layer", Layout::NT, (x, weight, y), epilogue);
    }

    /// What the host writes.
    fn memory(&self, plan: &Plan) -> Memory {
        let mut memory = Memory::new(plan);
        for (id, buffer) in plan.buffers.iter().enumerate() {
            let written = buffer.name.starts_with("weight") || buffer.name.starts_with("input");
            let Some([rows, cols]) = buffer.shape.filter(|_| written) else { continue };
            let stride = round_up(cols, PAD);
            let tensor = Tensor { buffer: BufferId(id), offset: 0, rows, cols, stride };
            for (r, c) in (0..rows).flat_map(|r| (0..cols).map(move |c| (r, c))) {
                memory.floats(tensor)[r * stride + c] = ((7 * id + 5 * r + 3 * c) % 11) as f64 / 10.0 - 0.5;
            }
        }
        memory
    }

    /// Runs the steps one by one and looks before each dispatch at the padding that it reads.
    fn run(&self, plan: &Plan, keep: &[Tensor]) -> Vec<Vec<u64>> {
        let mut memory = self.memory(plan);
        let mut seen = Vec::new();
        for _ in 0..2 {
            for dispatch in &plan.dispatches {
                for tensor in &dispatch.tensors {
                    assert_padding(plan, &mut memory, *tensor);
                }
                memory.dispatch(dispatch, &Step::default());
            }
            for tensor in keep {
                let words = tensor.words();
                seen.push(memory.floats(*tensor)[..words].iter().map(|v| v.to_bits()).collect());
            }
        }
        seen
    }
}

/// The padding of a matrix is zero whenever a dispatch binds it.
fn assert_padding(plan: &Plan, memory: &mut Memory, tensor: Tensor) {
    let buffer = &plan.buffers[tensor.buffer.0];
    let Some([rows, cols]) = buffer.shape else { return };
    let stride = round_up(cols, PAD);
    let whole = Tensor { offset: 0, rows, cols, stride, ..tensor };
    for (at, value) in memory.floats(whole)[..buffer.words].iter().enumerate() {
        let inside = at / stride < rows && at % stride < cols;
        assert!(inside || *value == 0.0, "word {at} of {} [{rows}, {cols}] is {value}", buffer.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn sharing_changes_no_bit_of_what_is_kept(
        rows in prop::sample::select(vec![2, 4, 5, 8]),
        ops in prop::collection::vec(op(), 2..24),
    ) {
        let random = Random::new(rows, &ops);
        let results = &random.results;
        let last: Vec<Tensor> = results.iter().rev().take(2).copied().collect();
        let mut keep = ids(&last);
        keep.extend(ids(&random.inputs));
        let mut shared = random.plan.clone();
        let saved = shared.share_memory(&keep);
        prop_assert_eq!(shared.memory() + 4 * saved as u64, random.plan.memory());
        prop_assert_eq!(random.run(&random.plan, &last), random.run(&shared, &last));
        // Nobody lives where another does.
        let memory = Memory::new(&shared);
        for (buffer, words) in shared.buffers.iter().zip(&memory.buffers) {
            let HostBuffer::F32(words) = words else { continue };
            prop_assert_eq!(words.len(), if buffer.home.is_some() { 0 } else { buffer.words });
        }
    }
}
