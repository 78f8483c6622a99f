//! Nodes compute what their kernel does: its reference against a calculator of ONNX's operators. A draw's nodes, whose
//! numbers come from outside, are compared in `tests/export.rs`.

use std::collections::HashMap;

use super::activation::Activation;
use super::likelihood::{Pass, TABLE};
use super::matmul::{Epilogue, Layout, matmul};
use super::reference::Memory;
use super::{activation, add, condition};
use crate::plan::{
    BufferId, Dispatch, Element, Formula, Graph, PAD, Part, Plan, Role, Step, Target, Tensor, Unfit, Value,
    round_up,
};

const ROWS: usize = 6;

/// Computes what is written down: values, and the length of their rows.
struct Calculator<'a> {
    values: Vec<(Vec<f64>, usize)>,
    /// The parts of each buffer.
    parts: HashMap<BufferId, Vec<Part>>,
    dispatch: &'a Dispatch,
}

impl<'a> Calculator<'a> {
    fn of(dispatch: &'a Dispatch) -> Self {
        Calculator { values: Vec::new(), parts: HashMap::new(), dispatch }
    }

    fn keep(&mut self, values: Vec<f64>, cols: usize) -> Value {
        self.values.push((values, cols));
        Value(self.values.len() - 1)
    }

    /// Makes columns of a tensor a value.
    fn know(&mut self, tensor: Tensor, widths: &[usize], words: &[f64]) {
        let mut first = 0;
        for &width in widths {
            let rows = words.chunks(tensor.stride).take(tensor.rows);
            let value = self.keep(rows.flat_map(|row| &row[first..first + width]).copied().collect(), width);
            self.parts.entry(tensor.buffer).or_default().push(Part { first, width, value });
            first += round_up(width, PAD);
        }
    }

    /// Value by value. A single one goes with all, and a single row with every row.
    fn each(&mut self, inputs: &[Value], of: impl Fn(&[f64]) -> f64) -> Value {
        let inputs: Vec<&(Vec<f64>, usize)> = inputs.iter().map(|value| &self.values[value.0]).collect();
        let (longest, cols) = inputs.iter().max_by_key(|(values, _)| values.len()).expect("an input");
        let at = |i: usize| -> Vec<f64> { inputs.iter().map(|(v, _)| v[i % v.len()]).collect() };
        let (result, cols) = ((0..longest.len()).map(|i| of(&at(i))).collect(), *cols);
        self.keep(result, cols)
    }
}

impl Formula for Calculator<'_> {
    fn apply_with(
        &mut self,
        operator: &'static str,
        inputs: &[Value],
        attributes: &[(&'static str, i64)],
    ) -> Value {
        let truth = |holds: bool| f64::from(u8::from(holds));
        let (values, cols) = self.values[inputs[0].0].clone();
        match (operator, attributes) {
            ("Gemm", [("transB", 1)]) => {
                let [(weight, inner), (bias, outputs)] = [1, 2].map(|i| self.values[inputs[i].0].clone());
                assert_eq!(cols, inner, "the weight's columns");
                let sum = |row: &[f64], o: usize| {
                    let weight = &weight[o * inner..(o + 1) * inner];
                    row.iter().zip(weight).map(|(x, w)| x * w).sum::<f64>() + bias[o]
                };
                let rows = values.chunks(cols);
                self.keep(rows.flat_map(|row| (0..outputs).map(move |o| sum(row, o))).collect(), outputs)
            }
            ("Concat", [("axis", 1)]) => {
                let (right, width) = self.values[inputs[1].0].clone();
                let rows = values.chunks(cols).zip(right.chunks(width));
                self.keep(rows.flat_map(|(a, b)| [a, b].concat()).collect(), cols + width)
            }
            (_, [_, ..]) => panic!("the test does not know {operator} with {attributes:?}"),
            ("Relu", _) => self.each(inputs, |v| v[0].max(0.0)),
            ("Tanh", _) => self.each(inputs, |v| v[0].tanh()),
            ("Elu", _) => self.each(inputs, |v| v[0].max(0.0) + v[0].min(0.0).exp_m1()),
            ("Softplus", _) => self.each(inputs, |v| v[0].max(0.0) + (-v[0].abs()).exp().ln_1p()),
            ("Sigmoid", _) => self.each(inputs, |v| 1.0 / (1.0 + (-v[0]).exp())),
            ("Exp", _) => self.each(inputs, |v| v[0].exp()),
            ("Neg", _) => self.each(inputs, |v| -v[0]),
            ("Abs", _) => self.each(inputs, |v| v[0].abs()),
            ("Add", _) => self.each(inputs, |v| v[0] + v[1]),
            ("Sub", _) => self.each(inputs, |v| v[0] - v[1]),
            ("Mul", _) => self.each(inputs, |v| v[0] * v[1]),
            ("Div", _) => self.each(inputs, |v| v[0] / v[1]),
            ("Min", _) => self.each(inputs, |v| v[0].min(v[1])),
            ("Max", _) => self.each(inputs, |v| v[0].max(v[1])),
            ("Greater", _) => self.each(inputs, |v| truth(v[0] > v[1])),
            ("Less", _) => self.each(inputs, |v| truth(v[0] < v[1])),
            ("Where", _) => self.each(inputs, |v| if v[0] != 0.0 { v[1] } else { v[2] }),
            ("Reshape", _) => {
                let cols = *self.values[inputs[1].0].0.last().expect("a shape") as usize;
                self.keep(values, cols)
            }
            ("Softmax", _) => {
                let row = |row: &[f64]| {
                    let sum: f64 = row.iter().map(|v| v.exp()).sum();
                    row.iter().map(|v| v.exp() / sum).collect::<Vec<_>>()
                };
                self.keep(values.chunks(cols).flat_map(row).collect(), cols)
            }
            ("MatMul", _) => {
                let (matrix, width) = self.values[inputs[1].0].clone();
                assert_eq!(matrix.len(), cols * width, "rows of the matrix");
                let column = |j: usize| matrix[j..].iter().step_by(width);
                let dot = |row: &[f64], j| row.iter().zip(column(j)).map(|(a, b)| a * b).sum::<f64>();
                let rows = values.chunks(cols);
                self.keep(
                    rows.flat_map(|row| (0..width).map(|j| dot(row, j)).collect::<Vec<_>>()).collect(),
                    width,
                )
            }
            _ => panic!("the test does not know {operator}"),
        }
    }

    fn apply_lists(&mut self, operator: &'static str, _: &[Value], _: &[(&'static str, &[i64])]) -> Value {
        panic!("the test does not know {operator} of pictures: tests/export.rs runs it")
    }

    fn number(&mut self, value: f64) -> Value {
        self.keep(vec![value], 1)
    }

    fn matrix(&mut self, values: &[f64], cols: usize) -> Value {
        self.keep(values.to_vec(), cols)
    }

    fn shape(&mut self, dims: &[i64]) -> Value {
        self.keep(dims.iter().map(|size| *size as f64).collect(), dims.len())
    }
}

impl Graph for Calculator<'_> {
    fn constant(&self, name: &str) -> u32 {
        self.dispatch.constant(name)
    }

    fn params(&self) -> &[u8] {
        &self.dispatch.params
    }

    fn tensor(&self, slot: usize) -> Tensor {
        self.dispatch.tensors[slot]
    }

    fn parts(&mut self, slot: usize) -> Result<Vec<Part>, Unfit> {
        let buffer = self.dispatch.tensors[slot].buffer;
        self.parts.get(&buffer).cloned().ok_or_else(|| format!("slot {slot} has no value"))
    }

    fn put(&mut self, slot: usize, parts: Vec<Part>) {
        self.parts.insert(self.dispatch.tensors[slot].buffer, parts);
    }

    fn input(&mut self, name: &str, _: usize, _: &str) -> Value {
        panic!("the test has no input {name}")
    }
}

/// Runs the reference of the plan's one dispatch, and its nodes, from the same `inputs` with parts of these widths. Both must
/// agree on `output`; `adjust` may do more to the calculator before.
fn compare(
    plan: &Plan,
    inputs: &[(Tensor, &[usize])],
    output: Tensor,
    mut memory: Memory,
    adjust: impl FnOnce(&mut Calculator, &mut Memory),
) {
    let [dispatch] = plan.dispatches() else { panic!("one dispatch") };
    let mut calculator = Calculator::of(dispatch);
    for (number, (tensor, widths)) in inputs.iter().enumerate() {
        let words = memory.floats(*tensor);
        // From -9 to 9, with numbers near zero; the padding is zero.
        for (i, word) in words.iter_mut().enumerate() {
            let col = i % tensor.stride;
            let mut first = 0;
            let inside = widths.iter().any(|width| {
                let here = (first..first + width).contains(&col);
                first += round_up(*width, PAD);
                here
            });
            let within = inside && i / tensor.stride < tensor.rows;
            *word = if within { (((i + 5 * number) * 37 % 61) as f64 - 30.0) * 0.3 } else { 0.0 };
        }
        let words = words.to_vec();
        calculator.know(*tensor, widths, &words);
    }
    adjust(&mut calculator, &mut memory);
    memory.run(plan, &Step { valid_rows: ROWS as u32, ..Step::default() });
    let name = format!("{} {:?}", dispatch.kernel.label(), dispatch.consts);
    let nodes = dispatch.kernel.nodes.unwrap_or_else(|| panic!("{name} has no nodes"));
    nodes(&mut calculator).unwrap_or_else(|problem| panic!("{name}: {problem}"));
    for part in calculator.parts[&output.buffer].clone() {
        let (found, cols) = &calculator.values[part.value.0];
        assert_eq!((found.len(), *cols), (output.rows * part.width, part.width), "{name}: shape");
        let rows = memory.floats(output).chunks(output.stride).take(output.rows);
        let wanted = rows.flat_map(|row| &row[part.first..part.first + part.width]);
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-7, "{name}: {found} is not {wanted}");
        }
    }
    let columns: usize = calculator.parts[&output.buffer].iter().map(|part| part.width).sum();
    assert!(output.cols - columns < PAD, "{name}: {columns} columns of {}", output.cols);
}

fn nothing(_: &mut Calculator, _: &mut Memory) {}

#[test]
fn means_of_likelihoods() {
    const DIM: usize = 6;
    for (likelihood, settings) in TABLE.iter().flat_map(|l| l.settings.iter().map(move |s| (l, s))) {
        let output = (likelihood.output)(DIM, settings);
        let mut plan = Plan::new("mean");
        let out = plan.tensor("out", ROWS, output.columns());
        let mean = plan.tensor("mean", ROWS, DIM);
        likelihood.append(&mut plan, &Target::PORTABLE, settings, Pass::Mean { out, mean });
        let widths: Vec<usize> = output.heads.iter().map(|(_, width)| *width).collect();
        let memory = Memory::new(&plan);
        compare(&plan, &[(out, &widths)], mean, memory, nothing);
    }
}

#[test]
fn products_activations_and_sums() {
    for function in [&[Activation::Identity], &Activation::HIDDEN[..]].concat() {
        if function.keeps_input() {
            continue;
        }
        let mut plan = Plan::new("linear");
        let (x, weight) = (plan.tensor("x", ROWS, 7), plan.tensor("weight", 5, 7));
        let (bias, y) = (plan.tensor("bias", 1, 5), plan.tensor("y", ROWS, 5));
        let epilogue = Epilogue::Forward(function, bias);
        matmul(&mut plan, &Target::PORTABLE, false, "y", Layout::NT, (x, weight, y), epilogue);
        let memory = Memory::new(&plan);
        // A weight's one part is all its rows.
        let adjust = |calculator: &mut Calculator, _: &mut Memory| {
            calculator.parts.get_mut(&weight.buffer).expect("the weight")[0].width = 5;
        };
        compare(&plan, &[(x, &[7]), (weight, &[7]), (bias, &[5])], y, memory, adjust);
    }
    for function in Activation::HIDDEN {
        let mut plan = Plan::new("activation");
        let (x, y) = (plan.tensor("x", ROWS, 7), plan.tensor("y", ROWS, 7));
        activation::forward(&mut plan, "y", function, x, y);
        let memory = Memory::new(&plan);
        compare(&plan, &[(x, &[7])], y, memory, nothing);
    }
    let mut plan = Plan::new("sum");
    let [a, b, y] = ["a", "b", "y"].map(|name| plan.tensor(name, ROWS, 7));
    add::sum(&mut plan, "y", a, b, y);
    let memory = Memory::new(&plan);
    compare(&plan, &[(a, &[7]), (b, &[7])], y, memory, nothing);
}

#[test]
fn labels() {
    const CLASSES: usize = 3;
    let mut plan = Plan::new("condition");
    let (x, out) = (plan.tensor("x", ROWS, 5), plan.tensor("out", ROWS, 5 + CLASSES));
    let [labels, order] =
        ["labels", "order"].map(|name| plan.matrix(name, 1, ROWS, Element::U32, Role::Private));
    condition::condition(&mut plan, 1, x, condition::Labels { labels, order }, out);
    let memory = Memory::new(&plan);
    compare(&plan, &[(x, &[5])], out, memory, |calculator, memory| {
        let classes: Vec<u32> = (0..ROWS as u32).map(|row| row * 2 % CLASSES as u32).collect();
        memory.integers(labels)[..ROWS].copy_from_slice(&classes);
        memory.integers(order)[..ROWS].copy_from_slice(&[0, 1, 2, 3, 4, 5]);
        let one_hot = classes.iter().flat_map(|&hot| (0..CLASSES as u32).map(move |c| f64::from(c == hot)));
        let value = calculator.keep(one_hot.collect(), CLASSES);
        calculator.parts.insert(labels.buffer, vec![Part { first: 0, width: 1, value }]);
    });
}
