//! E[x|z] as a formula for other programs: what the `mean` kernel computes, in the operators of ONNX.

/// A value of a [`Formula`]; it means something to the formula that gave it only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(pub usize);

/// Where a formula is written down.
pub trait Formula {
    /// What the ONNX operator of that name makes of `inputs`, with its default attributes.
    fn apply(&mut self, operator: &'static str, inputs: &[Value]) -> Value;
    /// A number that goes with values of any shape.
    fn number(&mut self, value: f64) -> Value;
    /// A constant column [N, 1].
    fn column(&mut self, values: &[f64]) -> Value;
    /// A shape, where -1 stands for what is left over.
    fn shape(&mut self, dims: &[i64]) -> Value;
}

/// The mean out of the parts of the decoder's last layer, of `dim` values each row.
pub type Expectation = fn(&mut dyn Formula, heads: &[Value], dim: usize, settings: &super::Settings) -> Value;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::likelihood::{Pass, TABLE};
    use crate::kernels::reference::Memory;
    use crate::plan::{PAD, Plan, Step, Target, round_up};

    /// Computes what is written down: values, and the length of their rows.
    #[derive(Default)]
    struct Calculator {
        values: Vec<(Vec<f64>, usize)>,
    }

    impl Calculator {
        fn keep(&mut self, values: Vec<f64>, cols: usize) -> Value {
            self.values.push((values, cols));
            Value(self.values.len() - 1)
        }

        /// Value by value, where a single one goes with all.
        fn each(&mut self, inputs: &[Value], of: impl Fn(&[f64]) -> f64) -> Value {
            let inputs: Vec<&(Vec<f64>, usize)> = inputs.iter().map(|value| &self.values[value.0]).collect();
            let (longest, cols) = inputs.iter().max_by_key(|(values, _)| values.len()).expect("an input");
            let at = |i: usize| -> Vec<f64> { inputs.iter().map(|(v, _)| v[i % v.len()]).collect() };
            let (result, cols) = ((0..longest.len()).map(|i| of(&at(i))).collect(), *cols);
            self.keep(result, cols)
        }
    }

    impl Formula for Calculator {
        fn apply(&mut self, operator: &'static str, inputs: &[Value]) -> Value {
            let truth = |holds: bool| f64::from(u8::from(holds));
            let (values, cols) = self.values[inputs[0].0].clone();
            match operator {
                "Sigmoid" => self.each(inputs, |v| 1.0 / (1.0 + (-v[0]).exp())),
                "Exp" => self.each(inputs, |v| v[0].exp()),
                "Neg" => self.each(inputs, |v| -v[0]),
                "Abs" => self.each(inputs, |v| v[0].abs()),
                "Add" => self.each(inputs, |v| v[0] + v[1]),
                "Sub" => self.each(inputs, |v| v[0] - v[1]),
                "Mul" => self.each(inputs, |v| v[0] * v[1]),
                "Div" => self.each(inputs, |v| v[0] / v[1]),
                "Max" => self.each(inputs, |v| v[0].max(v[1])),
                "Greater" => self.each(inputs, |v| truth(v[0] > v[1])),
                "Less" => self.each(inputs, |v| truth(v[0] < v[1])),
                "Where" => self.each(inputs, |v| if v[0] != 0.0 { v[1] } else { v[2] }),
                "Reshape" => {
                    let cols = *self.values[inputs[1].0].0.last().expect("a shape") as usize;
                    self.keep(values, cols)
                }
                "Softmax" => {
                    let row = |row: &[f64]| {
                        let sum: f64 = row.iter().map(|v| v.exp()).sum();
                        row.iter().map(|v| v.exp() / sum).collect::<Vec<_>>()
                    };
                    self.keep(values.chunks(cols).flat_map(row).collect(), cols)
                }
                "MatMul" => {
                    let (column, one) = self.values[inputs[1].0].clone();
                    assert_eq!((column.len(), one), (cols, 1), "a column");
                    let dot = |row: &[f64]| row.iter().zip(&column).map(|(a, b)| a * b).sum();
                    self.keep(values.chunks(cols).map(dot).collect(), 1)
                }
                other => panic!("the test does not know {other}"),
            }
        }

        fn number(&mut self, value: f64) -> Value {
            self.keep(vec![value], 1)
        }

        fn column(&mut self, values: &[f64]) -> Value {
            self.keep(values.to_vec(), 1)
        }

        fn shape(&mut self, dims: &[i64]) -> Value {
            self.keep(dims.iter().map(|size| *size as f64).collect(), dims.len())
        }
    }

    #[test]
    fn every_formula_is_the_mean_of_its_kernel() {
        const DIM: usize = 5;
        const ROWS: usize = 6;
        for (likelihood, settings) in TABLE.iter().flat_map(|l| l.settings.iter().map(move |s| (l, s))) {
            let output = (likelihood.output)(DIM, settings);
            let mut plan = Plan::new("mean");
            let out = plan.tensor("out", ROWS, output.columns());
            let mean = plan.tensor("mean", ROWS, DIM);
            let target = Target::PORTABLE;
            (likelihood.append)(&mut plan, &target, settings, Pass::Mean { out, mean });
            let mut memory = Memory::new(&plan);
            // From -9 to 9, with numbers near zero.
            let outputs = memory.floats(out);
            outputs.iter_mut().enumerate().for_each(|(i, v)| *v = ((i * 37 % 61) as f64 - 30.0) * 0.3);
            let outputs = outputs.to_vec();

            let mut calculator = Calculator::default();
            let mut first = 0;
            let mut heads = Vec::new();
            for (_, width) in &output.heads {
                let part = outputs.chunks(out.stride).take(ROWS).flat_map(|row| &row[first..first + width]);
                heads.push(calculator.keep(part.copied().collect(), *width));
                first += round_up(*width, PAD);
            }
            let result = (likelihood.expectation)(&mut calculator, &heads, DIM, settings);
            memory.run(&plan, &Step::default());
            let wanted = memory.floats(mean).chunks(mean.stride).take(ROWS).flat_map(|row| &row[..DIM]);
            let (found, name) = (&calculator.values[result.0].0, likelihood.name);
            assert_eq!(found.len(), ROWS * DIM, "{name}");
            for (found, wanted) in found.iter().zip(wanted) {
                assert!((found - wanted).abs() < 1e-7, "{name} {settings:?}: {found} is not {wanted}");
            }
        }
    }
}
