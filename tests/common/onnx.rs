//! ONNX files, read by the field numbers of `onnx.proto` alone, and run by plain loops.

use std::collections::BTreeMap;

/// The fields of a message by number: integers, and bytes.
#[derive(Default)]
pub struct Message {
    pub numbers: BTreeMap<u64, u64>,
    pub bytes: BTreeMap<u64, Vec<Vec<u8>>>,
}

impl Message {
    pub fn parse(mut bytes: &[u8]) -> Message {
        let mut message = Message::default();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            match key & 7 {
                0 => {
                    message.numbers.insert(key >> 3, varint(&mut bytes));
                }
                2 => {
                    let length = varint(&mut bytes) as usize;
                    let (field, rest) = bytes.split_at(length);
                    message.bytes.entry(key >> 3).or_default().push(field.to_vec());
                    bytes = rest;
                }
                other => panic!("wire type {other}"),
            }
        }
        message
    }

    pub fn all(&self, field: u64) -> impl Iterator<Item = Message> + '_ {
        self.bytes.get(&field).into_iter().flatten().map(|bytes| Message::parse(bytes))
    }

    pub fn one(&self, field: u64) -> Message {
        self.all(field).next().unwrap_or_else(|| panic!("no field {field}"))
    }

    pub fn texts(&self, field: u64) -> Vec<String> {
        let texts = self.bytes.get(&field).into_iter().flatten();
        texts.map(|bytes| String::from_utf8(bytes.clone()).unwrap()).collect()
    }

    pub fn text(&self, field: u64) -> String {
        self.texts(field).concat()
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().expect("a whole number");
        *bytes = rest;
        value |= u64::from(first & 127) << shift;
        if first & 128 == 0 {
            break;
        }
    }
    value
}

/// Numbers in a shape, outermost axis first.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub dims: Vec<usize>,
    pub values: Vec<f64>,
}

impl Array {
    /// A matrix of so many columns.
    pub fn rows(values: &[f32], cols: usize) -> Array {
        let dims = vec![values.len() / cols, cols];
        Array { dims, values: values.iter().map(|v| f64::from(*v)).collect() }
    }

    fn of(dims: Vec<usize>, values: Vec<f64>) -> Array {
        assert_eq!(dims.iter().product::<usize>(), values.len(), "{dims:?}");
        Array { dims, values }
    }

    /// The length of the last axis.
    fn last(&self) -> usize {
        *self.dims.last().expect("an axis")
    }

    fn matrix(&self) -> (usize, usize) {
        let [rows, cols] = self.dims[..] else { panic!("a matrix, not {:?}", self.dims) };
        (rows, cols)
    }
}

/// Runs the graph of a file, and gives its outputs by name.
pub fn run(file: &[u8], inputs: &[(&str, Array)]) -> BTreeMap<String, Array> {
    let graph = Message::parse(file).one(7);
    let mut values: BTreeMap<String, Array> = graph.all(5).map(|t| (t.text(8), constant(&t))).collect();
    let wanted: Vec<String> = graph.all(11).map(|input| input.text(1)).collect();
    assert_eq!(wanted, inputs.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "inputs");
    values.extend(inputs.iter().map(|(name, array)| ((*name).to_owned(), array.clone())));
    for node in graph.all(1) {
        let inputs: Vec<&Array> = node.texts(1).iter().map(|name| &values[name]).collect();
        let attributes: Vec<(String, Vec<u64>)> = node.all(5).map(|a| (a.text(1), numbers(&a))).collect();
        let result = apply(&node.text(4), &inputs, &attributes);
        values.insert(node.text(2), result);
    }
    graph.all(12).map(|output| (output.text(1), values[&output.text(1)].clone())).collect()
}

/// The number of an attribute, or its list of numbers, as its type says.
fn numbers(attribute: &Message) -> Vec<u64> {
    match attribute.numbers[&20] {
        2 => vec![attribute.numbers.get(&3).copied().unwrap_or(0)],
        7 => packed(attribute, 8),
        other => panic!("attribute of type {other}"),
    }
}

fn packed(message: &Message, field: u64) -> Vec<u64> {
    let mut bytes: &[u8] = message.bytes.get(&field).map_or(&[], |bytes| &bytes[0]);
    let mut numbers = Vec::new();
    while !bytes.is_empty() {
        numbers.push(varint(&mut bytes));
    }
    numbers
}

fn constant(tensor: &Message) -> Array {
    let dims: Vec<usize> = packed(tensor, 1).into_iter().map(|size| size as usize).collect();
    let raw = &tensor.bytes[&9][0];
    let values = match tensor.numbers[&2] {
        1 => raw.as_chunks().0.iter().map(|v| f64::from(f32::from_le_bytes(*v))).collect(),
        7 => raw.as_chunks().0.iter().map(|v| i64::from_le_bytes(*v) as f64).collect(),
        other => panic!("data type {other}"),
    };
    Array::of(dims, values)
}

/// The four lengths of a picture's value, or of a convolution's weights.
fn picture(array: &Array) -> [usize; 4] {
    array.dims[..].try_into().unwrap_or_else(|_| panic!("a picture, not {:?}", array.dims))
}

/// What the operator of that name computes.
fn apply(operator: &str, inputs: &[&Array], attributes: &[(String, Vec<u64>)]) -> Array {
    let (first, rest) = inputs.split_first().expect("an input");
    let truth = |holds: bool| f64::from(u8::from(holds));
    let attributes: Vec<(&str, &[u64])> =
        attributes.iter().map(|(name, value)| (&**name, &**value)).collect();
    match (operator, &attributes[..], rest) {
        ("Gemm", [("transB", [1])], [weight, bias]) => {
            let ((rows, inner), (outputs, k)) = (first.matrix(), weight.matrix());
            assert_eq!((inner, &bias.dims[..]), (k, &[outputs][..]), "shapes of a product");
            let sum = |row: usize, output: usize| {
                let row = &first.values[row * inner..][..inner];
                let weights = &weight.values[output * inner..][..inner];
                row.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>() + bias.values[output]
            };
            let values = (0..rows).flat_map(|row| (0..outputs).map(move |output| sum(row, output)));
            Array::of(vec![rows, outputs], values.collect())
        }
        ("Concat", [("axis", [1])], [right]) => {
            let ((rows, left), (right_rows, width)) = (first.matrix(), right.matrix());
            assert_eq!(rows, right_rows, "rows");
            let both = first.values.chunks(left).zip(right.values.chunks(width));
            Array::of(vec![rows, left + width], both.flat_map(|(a, b)| [a, b].concat()).collect())
        }
        ("Conv", [("kernel_shape", [k, _]), ("strides", [s, _]), ("pads", pads)], [weight, bias]) => {
            let [n, c, h, w] = picture(first);
            let [outputs, inputs, kernel, _] = picture(weight);
            let (stride, pad) = (*s as usize, pads[0] as usize);
            assert_eq!((c, kernel, pads.len()), (inputs, *k as usize, 4), "a convolution's shapes");
            let [height, width] = [h, w].map(|side| (side + 2 * pad - kernel) / stride + 1);
            let mut sums = Vec::new();
            for at in 0..n * outputs * height * width {
                let (image, output) = (at / (outputs * height * width), at / (height * width) % outputs);
                let (y, x) = (at / width % height, at % width);
                let mut sum = bias.values[output];
                for tap in 0..inputs * kernel * kernel {
                    let (input, i, j) = (tap / (kernel * kernel), tap / kernel % kernel, tap % kernel);
                    let [y, x] = [(y, i), (x, j)].map(|(at, tap)| (at * stride + tap).wrapping_sub(pad));
                    if y < h && x < w {
                        let value = first.values[((image * inputs + input) * h + y) * w + x];
                        sum += value * weight.values[output * inputs * kernel * kernel + tap];
                    }
                }
                sums.push(sum);
            }
            Array::of(vec![n, outputs, height, width], sums)
        }
        (
            "ConvTranspose",
            [("kernel_shape", [k, _]), ("strides", [s, _]), ("pads", pads), ("output_padding", more)],
            [weight, bias],
        ) => {
            let [n, c, h, w] = picture(first);
            let [inputs, outputs, kernel, _] = picture(weight);
            let (stride, pad) = (*s as usize, pads[0] as usize);
            assert_eq!((c, kernel, pads.len()), (inputs, *k as usize, 4), "a convolution's shapes");
            let side = |side: usize, more: u64| (side - 1) * stride + kernel + more as usize - 2 * pad;
            let (height, width) = (side(h, more[0]), side(w, more[1]));
            let channel = |at: usize| bias.values[at / (height * width) % outputs];
            let mut sums: Vec<f64> = (0..n * outputs * height * width).map(channel).collect();
            for (at, value) in first.values.iter().enumerate() {
                let (image, input) = (at / (c * h * w), at / (h * w) % c);
                let (y, x) = (at / w % h, at % w);
                for tap in 0..outputs * kernel * kernel {
                    let (output, i, j) = (tap / (kernel * kernel), tap / kernel % kernel, tap % kernel);
                    let [y, x] = [(y, i), (x, j)].map(|(at, tap)| (at * stride + tap).wrapping_sub(pad));
                    if y < height && x < width {
                        let to = ((image * outputs + output) * height + y) * width + x;
                        sums[to] += value * weight.values[input * outputs * kernel * kernel + tap];
                    }
                }
            }
            Array::of(vec![n, outputs, height, width], sums)
        }
        ("AveragePool", [("kernel_shape", [rows, columns]), ("strides", _)], []) => {
            let [n, c, h, w] = picture(first);
            let (rows, columns) = (*rows as usize, *columns as usize);
            let (height, width) = (h / rows, w / columns);
            let mut means = Vec::new();
            for at in 0..n * c * height * width {
                let (whole, y, x) = (at / (height * width), at / width % height, at % width);
                let window = (0..rows * columns).map(|i| (y * rows + i / columns, x * columns + i % columns));
                let sum: f64 = window.map(|(y, x)| first.values[(whole * h + y) * w + x]).sum();
                means.push(sum / (rows * columns) as f64);
            }
            Array::of(vec![n, c, height, width], means)
        }
        ("ReduceMean", [("axes", [2])], []) => {
            let [a, b, length] = first.dims[..] else { panic!("three axes, not {:?}", first.dims) };
            let mean = |values: &[f64]| values.iter().sum::<f64>() / length as f64;
            Array::of(vec![a, b, 1], first.values.chunks(length).map(mean).collect())
        }
        ("Transpose", [("perm", order)], []) => {
            let order: Vec<usize> = order.iter().map(|axis| *axis as usize).collect();
            let dims: Vec<usize> = order.iter().map(|axis| first.dims[*axis]).collect();
            let mut values = Vec::new();
            for mut at in 0..first.values.len() {
                let mut index = vec![0; dims.len()];
                for (axis, size) in dims.iter().enumerate().rev() {
                    index[order[axis]] = at % size;
                    at /= size;
                }
                let from = index.iter().zip(&first.dims).fold(0, |from, (index, size)| from * size + index);
                values.push(first.values[from]);
            }
            Array::of(dims, values)
        }
        (_, [_, ..], _) => panic!("{operator} with {attributes:?}"),
        ("Expand", _, [shape]) => {
            let dims = shape.values.iter().map(|size| *size as usize).collect::<Vec<_>>();
            let ones = Array::of(dims.clone(), vec![1.0; dims.iter().product()]);
            each(&[first, &ones], |v| v[0])
        }
        ("MatMul", _, [matrix]) => {
            let (inner, width) = matrix.matrix();
            assert_eq!(inner, first.last(), "rows of the matrix");
            let dims = [&first.dims[..first.dims.len() - 1], &[width]].concat();
            let column = |j: usize| matrix.values[j..].iter().step_by(width);
            let dot = |row: &[f64], j| row.iter().zip(column(j)).map(|(a, b)| a * b).sum::<f64>();
            let rows = first.values.chunks(inner);
            Array::of(dims, rows.flat_map(|row| (0..width).map(move |j| dot(row, j))).collect())
        }
        ("Reshape", _, [shape]) => {
            let known: f64 = shape.values.iter().filter(|size| **size > 0.0).product();
            let size = |v: &f64| if *v < 0.0 { first.values.len() / known as usize } else { *v as usize };
            Array::of(shape.values.iter().map(size).collect(), first.values.clone())
        }
        ("Softmax", _, []) => {
            let row = |row: &[f64]| {
                let most = row.iter().copied().fold(f64::MIN, f64::max);
                let sum: f64 = row.iter().map(|v| (v - most).exp()).sum();
                row.iter().map(|v| (v - most).exp() / sum).collect::<Vec<_>>()
            };
            Array::of(first.dims.clone(), first.values.chunks(first.last()).flat_map(row).collect())
        }
        ("Identity", _, []) => (*first).clone(),
        ("Relu", _, []) => each(inputs, |v| v[0].max(0.0)),
        ("Tanh", _, []) => each(inputs, |v| v[0].tanh()),
        ("Elu", _, []) => each(inputs, |v| v[0].max(0.0) + v[0].min(0.0).exp_m1()),
        ("Softplus", _, []) => each(inputs, |v| v[0].max(0.0) + (-v[0].abs()).exp().ln_1p()),
        ("Sigmoid", _, []) => each(inputs, |v| 1.0 / (1.0 + (-v[0]).exp())),
        ("Sqrt", _, []) => each(inputs, |v| v[0].sqrt()),
        ("Exp", _, []) => each(inputs, |v| v[0].exp()),
        ("Neg", _, []) => each(inputs, |v| -v[0]),
        ("Abs", _, []) => each(inputs, |v| v[0].abs()),
        ("Add", _, [_]) => each(inputs, |v| v[0] + v[1]),
        ("Sub", _, [_]) => each(inputs, |v| v[0] - v[1]),
        ("Mul", _, [_]) => each(inputs, |v| v[0] * v[1]),
        ("Div", _, [_]) => each(inputs, |v| v[0] / v[1]),
        ("Max", _, [_]) => each(inputs, |v| v[0].max(v[1])),
        ("Min", _, [_]) => each(inputs, |v| v[0].min(v[1])),
        ("Greater", _, [_]) => each(inputs, |v| truth(v[0] > v[1])),
        ("Less", _, [_]) => each(inputs, |v| truth(v[0] < v[1])),
        ("IsNaN", _, []) => each(inputs, |v| truth(v[0].is_nan())),
        ("Where", _, [_, _]) => each(inputs, |v| if v[0] != 0.0 { v[1] } else { v[2] }),
        _ => panic!("{operator} of {} inputs", inputs.len()),
    }
}

/// Value by value. An axis of length 1, or a missing one, goes with any.
fn each(inputs: &[&Array], of: impl Fn(&[f64]) -> f64) -> Array {
    let axes = inputs.iter().map(|input| input.dims.len()).max().expect("an input");
    let padded = |input: &Array| [vec![1; axes - input.dims.len()], input.dims.clone()].concat();
    let shapes: Vec<Vec<usize>> = inputs.iter().map(|input| padded(input)).collect();
    let dims: Vec<usize> = (0..axes).map(|axis| shapes.iter().map(|s| s[axis]).max().unwrap()).collect();
    for shape in &shapes {
        assert!(shape.iter().zip(&dims).all(|(size, whole)| *size == 1 || size == whole), "{shapes:?}");
    }
    let at = |mut i: usize, shape: &[usize]| {
        let (mut index, mut stride) = (0, 1);
        for (size, whole) in shape.iter().zip(&dims).rev() {
            index += if *size == 1 { 0 } else { i % whole * stride };
            i /= whole;
            stride *= size;
        }
        index
    };
    let value = |i: usize| {
        let here: Vec<f64> =
            inputs.iter().zip(&shapes).map(|(input, shape)| input.values[at(i, shape)]).collect();
        of(&here)
    };
    Array::of(dims.clone(), (0..dims.iter().product()).map(value).collect())
}
