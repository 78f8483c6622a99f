use super::*;
use crate::kernels::activation::{self, Activation};
use crate::plan::StepBounds;

fn too_far() -> Step {
    Step { valid_rows: 4, first_row: 3, ..Step::default() }
}

fn program() -> Program {
    let mut plan = Plan::new("plan");
    plan.keep_within(StepBounds { batch: 4, order: 6, history: 2, ..StepBounds::ANY });
    Program::new(&Gpu::noop(), plan, &mut Shared::default()).unwrap()
}

/// A device's memory is not asked for in the loop: neither for readings that are waited for nor for dropped ones.
#[test]
fn readings_share_the_memory_that_they_come_through() {
    let mut plan = Plan::new("read");
    let x = plan.tensor("x", 8, 16);
    let program = Program::new(&Gpu::noop(), plan, &mut Shared::default()).unwrap();
    let read = |words| program.read_words(x.buffer.0, 0, words).unwrap().len();
    for _ in 0..5 {
        assert_eq!(read(128), 128);
    }
    assert_eq!(program.staging.made(), 1);
    for _ in 0..5 {
        drop(program.begin_read(x.buffer.0, 0, 128).unwrap());
        let mut reading = program.begin_read(x.buffer.0, 0, 128).unwrap();
        program.gpu.wait().unwrap();
        assert_eq!(reading.try_finish().unwrap().map(|words| words.len()), Some(128));
    }
    assert_eq!(program.staging.made(), 1);
    // Two at once need two, and another size another.
    let both = [64, 64].map(|words| program.begin_read(x.buffer.0, 0, words).unwrap());
    assert_eq!(program.staging.made(), 3);
    drop(both);
    assert_eq!((read(64), read(128), program.staging.made()), (64, 128, 3));
    program.gpu.check("reading").unwrap();
}

#[test]
fn buffers_that_share_memory_are_one_buffer() {
    let mut plan = Plan::new("chain");
    let tensors = ["x", "a", "b", "c", "y"].map(|name| plan.tensor(name, 8, 16));
    for pair in tensors.windows(2) {
        activation::forward(&mut plan, "f", Activation::Tanh, pair[0], pair[1]);
    }
    plan.share_memory(&[tensors[0].buffer, tensors[4].buffer]);
    let mut program = Program::new(&Gpu::noop(), plan, &mut Shared::default()).unwrap();
    let same = |a: usize, b: usize| program.buffers[a] == program.buffers[b];
    assert!(same(1, 3) && !same(1, 2) && !same(0, 4));
    program.submit(&[Step::default()]).unwrap();
    program.gpu.wait().unwrap();
}

/// A plan of four dispatches, its tensors, and a program of it.
fn chain() -> (Program, [Tensor; 5]) {
    let mut plan = Plan::new("chain");
    let tensors = ["x", "a", "b", "c", "y"].map(|name| plan.tensor(name, 8, 16));
    for pair in tensors.windows(2) {
        activation::forward(&mut plan, "f", Activation::Tanh, pair[0], pair[1]);
    }
    (Program::new(&Gpu::noop(), plan, &mut Shared::default()).unwrap(), tensors)
}

#[test]
fn the_pieces_of_a_step_are_read_while_others_follow() {
    let (mut program, [_, a, b, c, y]) = chain();
    let room = 2 * a.words();
    for _ in 0..3 {
        let mut readings = Vec::new();
        // One of them has no dispatches, and another is longer than what may be in flight.
        for (piece, tensors) in [(0..1, vec![a]), (1..1, vec![a]), (1..2, vec![b]), (2..4, vec![c, y])] {
            readings.push(program.submit_piece(&Step::default(), piece, &tensors, room).unwrap());
        }
        let mut words = Vec::new();
        for (reading, expected) in readings.into_iter().zip([1, 1, 1, 2]) {
            program.wait_for(&reading).unwrap();
            program.take(reading, &mut words).unwrap();
            assert_eq!(words.len(), expected * a.words());
        }
    }
    assert_eq!(program.staging.made(), 4);
    program.gpu.check("reading").unwrap();
}

#[test]
#[should_panic(expected = "pauses for other processes")]
fn a_plan_that_pauses_is_submitted_in_pieces() {
    let mut plan = Plan::new("pause");
    let [x, y] = ["x", "y"].map(|name| plan.tensor(name, 8, 16));
    let all = plan.tensor("all", 16, 16);
    plan.exchange(x, all, 2);
    activation::forward(&mut plan, "f", Activation::Tanh, all.slice_rows(8, 8), y);
    let mut program = Program::new(&Gpu::noop(), plan, &mut Shared::default()).unwrap();
    program.submit(&[Step::default()]).unwrap();
}

#[test]
fn a_step_within_reach_is_submitted() {
    let step = Step { valid_rows: 4, first_row: 2, history_row: 1, ..Step::default() };
    program().submit(&[step]).unwrap();
    program().profile(&step, 1).unwrap();
}

#[test]
#[should_panic(expected = "passes StepBounds")]
fn a_step_that_reaches_too_far_is_refused() {
    program().submit(&[too_far()]).unwrap();
}

#[test]
#[should_panic(expected = "passes StepBounds")]
fn a_step_that_reaches_too_far_is_not_profiled() {
    program().profile(&too_far(), 1).unwrap();
}
