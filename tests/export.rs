//! ONNX files: their content, and Python's results from them and from `model.safetensors`.
//!
//! The messages are parsed by field number alone, so that an error in the declarations does not cancel out.

#[path = "common/python.rs"]
mod python;
#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/skip.rs"]
mod skip;
#[path = "common/tiny.rs"]
mod tiny;

use std::collections::BTreeMap;
use std::path::Path;

use scratch::Scratch;
use vae_gpu::Vae;
use vae_gpu::evaluate::Rows;
use vae_gpu::kernels::activation::Activation;
use vae_gpu::kernels::likelihood;
use vae_gpu::run::store::{NamedTensor, write_tensors};

const TRAIN: &str = "train --data tiny --hidden 16 --latent 3 --batch-size 64 --epochs 1 -q";

/// The models to compare: every likelihood and activation, an autoencoder, labels.
const MODELS: [(&str, &str); 11] = [
    ("bernoulli", ""),
    ("continuous", "--likelihood continuous-bernoulli --activation tanh --lr 0.02"),
    ("gaussian", "--likelihood gaussian --activation softplus"),
    ("global", "--likelihood gaussian-learned --activation silu"),
    ("pixel", "--likelihood gaussian-learned --variance pixel"),
    ("categorical", "--likelihood categorical --levels 5"),
    ("deep", "--hidden 12,10,9"),
    ("iwae", "--model iwae --samples 2"),
    ("ae", "--model ae"),
    ("conditional", "--condition labels"),
    ("conditional-ae", "--condition labels --model ae --likelihood gaussian"),
];

/// The fields of a message by number: integers, and bytes.
#[derive(Default)]
struct Message {
    numbers: BTreeMap<u64, u64>,
    bytes: BTreeMap<u64, Vec<Vec<u8>>>,
}

impl Message {
    fn parse(mut bytes: &[u8]) -> Message {
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

    fn all(&self, field: u64) -> impl Iterator<Item = Message> + '_ {
        self.bytes.get(&field).into_iter().flatten().map(|bytes| Message::parse(bytes))
    }

    fn one(&self, field: u64) -> Message {
        self.all(field).next().unwrap_or_else(|| panic!("no field {field}"))
    }

    fn texts(&self, field: u64) -> Vec<String> {
        let texts = self.bytes.get(&field).into_iter().flatten();
        texts.map(|bytes| String::from_utf8(bytes.clone()).unwrap()).collect()
    }

    fn text(&self, field: u64) -> String {
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

/// Name and dimensions of each input (field 11) or output (12).
fn described(graph: &Message, field: u64) -> Vec<String> {
    let show = |value: Message| {
        let shape = value.one(2).one(1).one(2);
        let size = |dim: Message| dim.numbers.get(&1).map_or(dim.text(2), u64::to_string);
        format!("{} {}", value.text(1), shape.all(1).map(size).collect::<Vec<_>>().join("x"))
    };
    graph.all(field).map(show).collect()
}

/// Each input of a node is an input of the graph, a constant, or the output of an earlier node.
fn assert_can_be_run(graph: &Message) {
    let constants = graph.all(5).map(|tensor| tensor.text(8));
    let mut known: Vec<String> = graph.all(11).map(|input| input.text(1)).chain(constants).collect();
    for node in graph.all(1) {
        let missing = node.texts(1).into_iter().find(|input| !known.contains(input));
        assert_eq!(missing, None, "what {} reads", node.text(3));
        for output in node.texts(2) {
            assert!(!known.contains(&output), "{output} is written twice");
            known.push(output);
        }
    }
    assert!(graph.all(12).all(|output| known.contains(&output.text(1))));
}

#[test]
fn graphs_have_the_inputs_outputs_and_weights_of_the_model() {
    let scratch = Scratch::new();
    let graph_of = |flags: &str, part: &str| {
        scratch.succeed(&format!("{TRAIN} {flags} --out run --force"));
        scratch.succeed("export run --onnx made/onnx");
        let model = Message::parse(&scratch.read(&format!("made/onnx/{part}.onnx")));
        assert_eq!((model.numbers[&1], model.one(8).numbers[&2], model.text(2)), (8, 17, "vae-gpu".into()));
        let metadata = model.one(14);
        assert_eq!(metadata.text(1), "config");
        assert_eq!(metadata.text(2).into_bytes(), scratch.read("run/config.toml"));
        let graph = model.one(7);
        assert_can_be_run(&graph);
        graph
    };
    let encoder = graph_of("", "encoder");
    assert_eq!(described(&encoder, 11), ["x Nx64", "eps Nx3"]);
    assert_eq!(described(&encoder, 12), ["mu Nx3", "log_var Nx3", "z Nx3"]);
    let weights = scratch.read("run/model.safetensors");
    let weights = safetensors::SafeTensors::deserialize(&weights).unwrap();
    let stored = encoder.all(5).find(|tensor| tensor.text(8) == "encoder.0.weight").unwrap();
    // Packed integers, each below 128.
    assert_eq!((&stored.bytes[&1][0][..], stored.numbers[&2]), (&[16, 64][..], 1));
    assert_eq!(stored.bytes[&9][0], weights.tensor("encoder.0.weight").unwrap().data());

    let encoder = graph_of("--condition labels", "encoder");
    assert_eq!(described(&encoder, 11), ["x Nx64", "label Nx10", "eps Nx3"]);
    let encoder = graph_of("--model ae", "encoder");
    assert_eq!(
        (described(&encoder, 11), described(&encoder, 12)),
        (vec!["x Nx64".into()], vec!["z Nx3".into()])
    );
    let decoder = graph_of("--likelihood categorical --levels 5 --condition labels", "decoder");
    assert_eq!(described(&decoder, 11), ["z Nx3", "label Nx10"]);
    assert_eq!(described(&decoder, 12), ["mean Nx64", "out Nx320"]);
    let decoder = graph_of("--likelihood gaussian-learned", "decoder");
    assert_eq!(described(&decoder, 12), ["mean Nx64", "out Nx64", "log_var 1x64"]);
    let decoder = graph_of("--likelihood gaussian-learned --variance pixel", "decoder");
    assert_eq!(described(&decoder, 12), ["mean Nx64", "mu Nx64", "log_var Nx64"]);
}

#[test]
fn every_likelihood_and_activation_is_among_the_models() {
    let is_there = |flag: String| MODELS.iter().any(|(_, flags)| flags.contains(&flag));
    for likelihood in likelihood::TABLE.iter().filter(|l| l.name != "bernoulli") {
        assert!(is_there(format!("--likelihood {}", likelihood.name)), "{}", likelihood.name);
    }
    for activation in Activation::HIDDEN.into_iter().filter(|a| *a != Activation::Relu) {
        let name = format!("{activation:?}").to_lowercase();
        assert!(is_there(format!("--activation {name}")), "{name}");
    }
}

#[test]
fn a_missing_run_is_refused_and_leaves_nothing() {
    let scratch = Scratch::new();
    scratch.fail("export nowhere --onnx made", 1, "no such run directory");
    assert!(!scratch.path("made").exists());
    scratch.fail("export nowhere", 2, "--onnx");
}

/// Writes the case for `check.py`: inputs, and this program's outputs.
fn write_case(folder: &Path) {
    const ROWS: usize = 5;
    let mut vae = Vae::load(folder).unwrap();
    let (dim, latent, classes) = (vae.model().input, vae.model().latent, vae.model().classes);
    let x: Vec<f32> = tiny::images(ROWS).into_iter().map(|v| f32::from(v) / 255.0).collect();
    let labels: Vec<u32> = (0..ROWS).filter(|_| classes > 0).map(|i| (3 * i % 10) as u32).collect();
    // Also far from the data: sixteen times the codes of the first row reach the limits of the likelihoods.
    let wide = |i: usize| (i as f32 - 7.0) * if i < latent { 16.0 } else { 0.7 };
    let z: Vec<f32> = (0..ROWS * latent).map(wide).collect();
    let codes = vae.encode(Rows { values: &x, labels: &labels }).unwrap();
    let mean = vae.decode(Rows { values: &z, labels: &labels }).unwrap();
    let one_hot = labels.iter().flat_map(|label| (0..classes).map(move |c| f32::from(c == *label as usize)));
    let one_hot: Vec<f32> = one_hot.collect();
    let tensors = [("x", x, dim), ("z", z, latent), ("mu", codes.mu, latent), ("mean", mean, dim)];
    let tensors =
        tensors.into_iter().chain([("log_var", codes.log_var, latent), ("label", one_hot, classes)]);
    let tensors: Vec<NamedTensor> = tensors
        .filter(|(_, values, _)| !values.is_empty())
        .map(|(name, values, width)| NamedTensor { name: name.into(), shape: vec![ROWS, width], values })
        .collect();
    write_tensors(&folder.join("case.safetensors"), &tensors, &BTreeMap::new()).unwrap();
}

#[test]
fn onnxruntime_and_pytorch_agree_with_this_program() {
    let Some(python) = python::find() else { return };
    let scratch = Scratch::new();
    for (name, flags) in MODELS {
        let train = if flags.contains("--hidden") { TRAIN.replace("--hidden 16 ", "") } else { TRAIN.into() };
        scratch.succeed(&format!("{train} {flags} --out cases/{name}"));
        scratch.succeed(&format!("export cases/{name} --onnx cases/{name}"));
        write_case(&scratch.path(&format!("cases/{name}")));
    }
    for script in ["check_onnx.py", "check_torch.py"] {
        let told = python::run(&python, script, &[&scratch.path("cases")]);
        let agreed = told.lines().filter(|line| line.contains("agrees")).count();
        let expected = if script == "check_onnx.py" { MODELS.len() } else { 1 };
        assert_eq!(agreed, expected, "{told}");
    }
}
