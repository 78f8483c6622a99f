//! What the comparison must detect, and what it must accept.

use super::*;
use crate::kernels::division::Parts;

/// A buffer of 52 words of -77; the reference writes the last four as 1, 2, 3, 4.
const WRITTEN: Range<usize> = 48..52;

/// The result of comparing 52 floats after `change`.
fn compare(change: impl Fn(&mut [f32])) -> (f64, Option<String>) {
    let mut after = vec![-77.0; 52];
    after[WRITTEN].copy_from_slice(&[1.0, 2.0, 3.0, 4.0]);
    let mut got: Vec<f32> = after.iter().map(|value| *value as f32).collect();
    change(&mut got);
    let got: Vec<u32> = got.iter().map(|value| value.to_bits()).collect();
    let before = [(-77.0f32).to_bits(); 52];
    let written: Vec<bool> = (0..52).map(|at| WRITTEN.contains(&at)).collect();
    let expected = Expected { before: &before, after: &HostBuffer::F32(after), written: &written };
    expected.compare(0..52, &got, 2e-5)
}

#[test]
fn the_references_own_result_has_no_error() {
    assert_eq!(compare(|_| ()), (0.0, None));
}

#[test]
fn a_small_error_is_measured_by_the_words_that_are_written() {
    let (error, problem) = compare(|got| got[WRITTEN].iter_mut().for_each(|value| *value *= 1.0001));
    assert!((error / 1e-4 - 1.0).abs() < 0.01 && problem.is_none(), "{error} {problem:?}");
    // One of the four is off by 2e-3; their norm is sqrt(30).
    let (error, problem) = compare(|got| got[51] += 2e-3);
    assert!((error / (2e-3 / 30f64.sqrt()) - 1.0).abs() < 0.01 && problem.is_none(), "{error} {problem:?}");
}

#[test]
fn one_bit_of_a_word_that_nothing_writes_is_found() {
    let (error, problem) = compare(|got| got[7] = f32::from_bits(got[7].to_bits() ^ 1));
    assert_eq!(error, 1.0);
    assert!(problem.unwrap().starts_with("word 7 was 0xc29a0000, which nothing writes: 0xc29a0001"));
}

#[test]
fn padding_stays_zero_of_either_sign() {
    let (floats, integers) = (HostBuffer::F32(vec![0.0; 4]), HostBuffer::U32(vec![0; 4]));
    let compare = |after: &HostBuffer, before: u32, got: u32| {
        let expected = Expected { before: &[before; 4], after, written: &[false; 4] };
        expected.compare(0..4, &[before, before, got, before], 1.0).1.is_none()
    };
    let negative = (-0.0f32).to_bits();
    assert!(compare(&floats, 0, 0) && compare(&floats, 0, negative));
    assert!(
        !compare(&floats, 0, 1)
            && !compare(&floats, 0, negative + 1)
            && !compare(&floats, 0, f32::NAN.to_bits())
    );
    assert!(!compare(&floats, negative, 0) && !compare(&integers, 0, negative));
}

#[test]
fn numbers_that_are_none_and_zeros_that_are_not_are_found() {
    let (error, problem) = compare(|got| got[49] = f32::NAN);
    assert!(error == f64::INFINITY && problem.unwrap().contains("element 49 is NaN, expected 2"));
    let zero = HostBuffer::F32(vec![0.0, 1e6]);
    let expected = Expected { before: &[0; 2], after: &zero, written: &[true; 2] };
    let of = |value: f32| expected.compare(0..2, &[value.to_bits(), 1e6f32.to_bits()], 2e-6);
    assert!(of(9e-5).1.is_none());
    assert_eq!(of(2e-4).0, 1.0);
}

#[test]
fn integers_are_compared_bit_by_bit() {
    let after = HostBuffer::U32(vec![1, 2]);
    let expected = |written| Expected { before: &[1, 9], after: &after, written };
    assert_eq!(expected(&[true; 2]).compare(0..2, &[1, 2], 1.0), (0.0, None));
    assert_eq!(expected(&[true; 2]).compare(0..2, &[1, 3], 1.0).0, 1.0);
    assert_eq!(expected(&[true, false]).compare(0..2, &[1, 3], 1.0).0, 1.0);
}

#[test]
fn tensors_that_share_a_buffer_have_norms_of_their_own() {
    let mut case = Case::new("check", "two in one buffer");
    let (c, d_bias) = case.gradients(3, 5);
    assert_eq!(c.buffer, d_bias.buffer);
    let [a, b] = matmul::Layout::TN.operands([3, 2, 5]);
    let a = case.tensor("a", a.0, a.1, Fill::Normal(1.0));
    let b = case.tensor("b", b.0, b.1, Fill::Normal(1.0));
    let variant = &matmul::VARIANTS[0];
    let epilogue = matmul::Epilogue::Gradient(d_bias);
    matmul::matmul_with(
        &mut case.plan,
        variant,
        "check",
        matmul::Layout::TN,
        (a, b, c),
        epilogue,
        Parts::whole(2),
    );
    let words = case.plan.buffers[c.buffer.0].words;
    assert_eq!(case.outputs(c.buffer.0), [0..d_bias.offset, d_bias.offset..words]);
}

#[test]
fn the_reference_knows_what_it_wrote() {
    let mut case = Case::new("check", "a relu");
    let x = case.tensor("x", 2, 5, Fill::Normal(1.0));
    let y = case.output("y", 2, 5);
    crate::kernels::activation::forward(
        &mut case.plan,
        "y",
        crate::kernels::activation::Activation::Relu,
        x,
        y,
    );
    let mut memory = case.inputs();
    assert!(memory.written.iter().flatten().all(|written| !written));
    memory.run(&case.plan, &case.step);
    assert!(memory.written[x.buffer.0].iter().all(|written| !written));
    let written = &memory.written[y.buffer.0];
    assert!((0..2).all(|row| (0..5).all(|col| written[row * y.stride + col])), "{written:?}");
}
