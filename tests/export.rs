//! ONNX files: their content, and Python's results from them and from `model.safetensors`.
//!
//! The messages are parsed by field number alone, so that an error in the declarations does not cancel out.

#[path = "common/onnx.rs"]
mod onnx;
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

use onnx::{Array, Message};
use scratch::Scratch;
use vae_gpu::evaluate::Rows;
use vae_gpu::kernels::activation::Activation;
use vae_gpu::kernels::likelihood;
use vae_gpu::run::store::{NamedTensor, write_tensors};
use vae_gpu::train::Config;
use vae_gpu::{Onnx, Vae};

const TRAIN: &str = "train --data tiny --hidden 16 --latent 3 --batch-size 64 --epochs 1 -q";

/// The models whose files are compared: every likelihood and activation, an autoencoder, labels, layers of their own.
const MODELS: [(&str, &str); 26] = [
    ("bernoulli", ""),
    ("continuous", "--likelihood continuous-bernoulli --activation tanh --lr 0.02"),
    ("gaussian", "--likelihood gaussian --activation softplus"),
    ("global", "--likelihood gaussian-learned --activation silu"),
    ("pixel", "--likelihood gaussian-learned --variance pixel"),
    ("shared", "--likelihood gaussian-learned --variance shared"),
    ("optimal", "--likelihood gaussian-learned --variance optimal"),
    ("categorical", "--likelihood categorical --levels 5"),
    ("logistic", "--likelihood logistic"),
    ("mixture", "--likelihood logistic-mixture --components 3"),
    ("deep", "--hidden 12,10,9 --activation elu"),
    ("layers", "--encoder linear 9 tanh, residual(linear 7, linear 9 identity), silu, linear 8 softplus"),
    ("conditional-layers", "--condition labels --encoder linear 9 silu, residual(residual(linear 9), relu)"),
    ("conv", "--encoder conv 4x4/2, conv 5x3/2 tanh, linear 9"),
    (
        "conv-ragged",
        "--likelihood gaussian --encoder conv 3x5/3, residual(conv 3x3 silu), conv 6x2 pad 1 softplus",
    ),
    (
        "conditional-conv",
        "--condition labels --likelihood gaussian-learned --variance pixel --encoder conv 3x3 silu, conv 4x4/2 relu",
    ),
    ("conv-categorical", "--likelihood categorical --levels 5 --encoder deconv 2x3/2, conv 3x4/2"),
    (
        "norm",
        "--encoder conv 8x3 identity, norm group 2, relu, pool 2, conv 3x3 identity, norm layer, upsample 3, pool, norm layer",
    ),
    ("batch-norm", "--encoder conv 4x4/2 identity, norm batch, elu, linear 9 tanh"),
    (
        "conv-residual",
        "--encoder conv 3x3, residual(conv 4x4/2 identity, norm batch, conv 6x3 identity), elu, linear 9",
    ),
    ("latent-picture", "--latent-size 4x4 --encoder conv 5x4/2"),
    (
        "conditional-latent-picture",
        "--condition labels --latent-size 4x4 --encoder conv 5x4/2 silu, conv 6x3",
    ),
    ("iwae", "--model iwae --samples 2"),
    ("ae", "--model ae"),
    ("conditional", "--condition labels"),
    ("conditional-ae", "--condition labels --model ae --likelihood gaussian"),
];

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
        // The run's configuration, without folders of this machine.
        let config = Config::parse(&String::from_utf8(scratch.read("run/config.toml")).unwrap()).unwrap();
        assert_eq!(metadata.text(2), config.portable().to_toml());
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
    let decoder = graph_of("--likelihood gaussian-learned --variance shared", "decoder");
    assert_eq!(described(&decoder, 12), ["mean Nx64", "out Nx64", "log_var 1x1"]);
    let decoder = graph_of("--likelihood logistic", "decoder");
    assert_eq!(described(&decoder, 12), ["mean Nx64", "mu Nx64", "log_scale Nx64"]);
}

#[test]
fn a_run_and_its_model_give_the_same_graphs_to_command_and_library() {
    let scratch = Scratch::new();
    scratch.succeed(&format!("{TRAIN} --out run"));
    scratch.succeed("export run --onnx of-run");
    scratch.succeed("export run/model.safetensors --onnx of-model");
    let Onnx { encoder, decoder } = Vae::onnx(scratch.path("run")).unwrap();
    for folder in ["of-run", "of-model"] {
        assert!(scratch.read(&format!("{folder}/encoder.onnx")) == encoder, "{folder}");
        assert!(scratch.read(&format!("{folder}/decoder.onnx")) == decoder, "{folder}");
    }
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

/// Inputs of a model's two graphs, and what this program makes of them.
struct Case {
    x: Vec<f32>,
    eps: Vec<f32>,
    z: Vec<f32>,
    one_hot: Vec<f32>,
    mu: Vec<f32>,
    log_var: Vec<f32>,
    mean: Vec<f32>,
    dim: usize,
    latent: usize,
    classes: usize,
}

impl Case {
    const ROWS: usize = 5;

    /// Of rows in the data's own units, with the scaling of the run.
    fn of(run: &Path, x: Vec<f32>) -> Case {
        const ROWS: usize = Case::ROWS;
        let mut vae = Vae::load(run).unwrap();
        let (dim, latent, classes) = (vae.model().input, vae.model().latent, vae.model().classes);
        let labels: Vec<u32> = (0..ROWS).filter(|_| classes > 0).map(|i| (3 * i % 10) as u32).collect();
        // Also far from the data: sixteen times the codes of the first row reach the limits of the likelihoods.
        let wide = |i: usize| (i as f32 - 7.0) * if i < latent { 16.0 } else { 0.7 };
        let z: Vec<f32> = (0..ROWS * latent).map(wide).collect();
        let eps: Vec<f32> = (0..ROWS * latent).map(|i| (i * 7 % 11) as f32 * 0.3 - 1.5).collect();
        let scaling = vae.config().source.scaling.clone();
        let mut scaled = x.clone();
        let codes = {
            scaling.iter().for_each(|scaling| scaling.apply(&mut scaled));
            vae.encode(Rows { values: &scaled, labels: &labels }).unwrap()
        };
        let mut mean = vae.decode(Rows { values: &z, labels: &labels }).unwrap();
        scaling.iter().for_each(|scaling| scaling.undo(&mut mean));
        let one_hot = labels
            .iter()
            .flat_map(|label| (0..classes).map(move |c| f32::from(u8::from(c == *label as usize))));
        let one_hot = one_hot.collect();
        Case { x, eps, z, one_hot, mu: codes.mu, log_var: codes.log_var, mean, dim, latent, classes }
    }

    /// Runs both graphs of a folder, compares what this program computes too, and gives the outputs of the decoder.
    fn compare(&self, folder: &Path) -> BTreeMap<String, Array> {
        let label = || ("label", Array::rows(&self.one_hot, self.classes.max(1)));
        let is_conditional = self.classes > 0;
        let mut inputs = vec![("x", Array::rows(&self.x, self.dim))];
        inputs.extend(is_conditional.then(label));
        let is_distribution = !self.log_var.is_empty();
        inputs.extend(is_distribution.then(|| ("eps", Array::rows(&self.eps, self.latent))));
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
        let encoded = onnx::run(&read("encoder.onnx"), &inputs);
        let drawn = |((mu, log_var), eps): ((&f32, &f32), &f32)| mu + (log_var / 2.0).exp() * eps;
        let z: Vec<f32> = match is_distribution {
            true => self.mu.iter().zip(&self.log_var).zip(&self.eps).map(drawn).collect(),
            false => self.mu.clone(),
        };
        let mut expected = vec![("z", &z)];
        if is_distribution {
            expected.extend([("mu", &self.mu), ("log_var", &self.log_var)]);
        }
        assert_eq!(encoded.len(), expected.len(), "{:?}", encoded.keys());
        for (name, values) in expected {
            assert_near(name, &encoded[name], &Array::rows(values, self.latent));
        }
        let mut inputs = vec![("z", Array::rows(&self.z, self.latent))];
        inputs.extend(is_conditional.then(label));
        let decoded = onnx::run(&read("decoder.onnx"), &inputs);
        assert_near("mean", &decoded["mean"], &Array::rows(&self.mean, self.dim));
        decoded
    }

    /// Writes it for `check_onnx.py`.
    fn write(self, folder: &Path) {
        let tensors = [
            ("x", self.x, self.dim),
            ("z", self.z, self.latent),
            ("mu", self.mu, self.latent),
            ("mean", self.mean, self.dim),
            ("log_var", self.log_var, self.latent),
            ("label", self.one_hot, self.classes),
        ];
        let tensors: Vec<NamedTensor> = tensors
            .into_iter()
            .filter(|(_, values, _)| !values.is_empty())
            .map(|(name, values, width)| NamedTensor {
                name: name.into(),
                shape: vec![Case::ROWS, width],
                values,
            })
            .collect();
        write_tensors(&folder.join("case.safetensors"), &tensors, &BTreeMap::new()).unwrap();
    }
}

#[track_caller]
fn assert_near(name: &str, found: &Array, wanted: &Array) {
    assert_eq!(found.dims, wanted.dims, "shape of {name}");
    for (found, wanted) in found.values.iter().zip(&wanted.values) {
        let error = (found - wanted).abs() / wanted.abs().max(1.0);
        assert!(error < 1e-4, "{name}: {found} is not {wanted}");
    }
}

/// Trains a model on pictures and exports it into its own run directory.
fn trained(scratch: &Scratch, name: &str, flags: &str) -> std::path::PathBuf {
    // The text of layers has spaces, and stands last.
    let (flags, layers) =
        flags.split_once("--encoder ").map_or((flags, None), |(f, layers)| (f, Some(layers)));
    let named = flags.contains("--hidden") || layers.is_some();
    let train = if named { TRAIN.replace("--hidden 16 ", "") } else { TRAIN.into() };
    let mut command = scratch.command(&format!("{train} {flags} --out cases/{name}"));
    command.args(layers.into_iter().flat_map(|layers| ["--encoder", layers])).assert().success();
    scratch.succeed(&format!("export cases/{name} --onnx cases/{name}"));
    scratch.path(&format!("cases/{name}"))
}

fn pictures() -> Vec<f32> {
    tiny::images(Case::ROWS).into_iter().map(|v| f32::from(v) / 255.0).collect()
}

#[test]
fn graphs_compute_what_this_program_does() {
    let scratch = Scratch::new();
    for (name, flags) in MODELS {
        let run = trained(&scratch, name, flags);
        println!("{name}");
        Case::of(&run, pictures()).compare(&run);
    }
}

/// A table whose columns have units of their own, far apart, and its first rows. The last never changes.
fn table(scratch: &Scratch) -> Vec<f32> {
    let row = |i: usize| {
        [1000.0 + (i * 7 % 13) as f32 * 20.0, (i * 5 % 11) as f32 * 0.01, (i % 3) as f32 - 50.0, 5.0]
    };
    scratch.write("table.csv", csv((0..200).flat_map(row).collect::<Vec<f32>>().as_slice()));
    (0..Case::ROWS).flat_map(row).collect()
}

fn csv(rows: &[f32]) -> String {
    let line = |row: &[f32]| row.iter().map(f32::to_string).collect::<Vec<_>>().join(",");
    let lines: Vec<String> = rows.chunks(COLUMNS).map(line).collect();
    format!("mass,width,shift,constant\n{}\n", lines.join("\n"))
}

const COLUMNS: usize = 4;
const TABLE: &str = "train --data table.csv --hidden 8 --latent 2 --batch-size 32 --epochs 2 -q";

#[test]
fn graphs_of_a_table_have_its_own_units() {
    let scratch = Scratch::new();
    let rows = table(&scratch);
    for (name, flags) in [
        ("gaussian", "--likelihood gaussian"),
        ("global", "--likelihood gaussian-learned"),
        ("pixel", "--likelihood gaussian-learned --variance pixel"),
        ("shared", "--likelihood gaussian-learned --variance shared"),
        ("minmax", "--likelihood continuous-bernoulli --scaling minmax"),
    ] {
        scratch.succeed(&format!("{TABLE} {flags} --out {name}"));
        scratch.succeed(&format!("export {name} --onnx {name}"));
        let run = scratch.path(name);
        let case = Case::of(&run, rows.clone());
        let decoded = case.compare(&run);
        let scaling = Vae::load(&run).unwrap().config().source.scaling.clone().expect("a scaled table");
        match name {
            "gaussian" | "global" | "shared" => assert_near("out", &decoded["out"], &decoded["mean"]),
            "pixel" => assert_near("mu", &decoded["mu"], &decoded["mean"]),
            _ => assert!(decoded["out"] != decoded["mean"], "a logit has no units"),
        }
        // log sigma^2 of x, of which the likelihood reads what lies in -7..7, and twice the log of the scale.
        let shifts: Vec<f64> = scaling.scale.iter().map(|scale| 2.0 * f64::from(*scale).ln()).collect();
        let of_x = decoded.get("log_var").map(|log_var| {
            log_var.values.iter().enumerate().map(|(i, s)| s - shifts[i % COLUMNS]).collect::<Vec<f64>>()
        });
        if name == "global" {
            let weights = scratch.read("global/model.safetensors");
            let weights = safetensors::SafeTensors::deserialize(&weights).unwrap();
            let bytes = weights.tensor("decoder.log_var").unwrap();
            let own = bytes.data().as_chunks().0.iter().map(|v| f64::from(f32::from_le_bytes(*v)));
            let own = Array { dims: vec![1, COLUMNS], values: own.map(|s| s.clamp(-7.0, 7.0)).collect() };
            assert_near("log_var", &Array { dims: vec![1, COLUMNS], values: of_x.clone().unwrap() }, &own);
        }
        if name == "shared" {
            // In x it is the same for every column.
            let of_x = of_x.as_ref().unwrap();
            assert!(of_x.len() == COLUMNS && of_x.iter().all(|s| (s - of_x[0]).abs() < 1e-5), "{of_x:?}");
        }
        if name == "pixel" {
            let least = of_x.unwrap().into_iter().fold(0.0, f64::min);
            assert!((least + 7.0).abs() < 1e-5, "the constant column is clamped: {least}");
        }
        for part in ["encoder", "decoder"] {
            let about = Message::parse(&scratch.read(&format!("{name}/{part}.onnx"))).text(6);
            assert!(about.contains("own units"), "{about}");
        }
    }
    // A raw row through the graph is what `encode` says of that row.
    scratch.write("rows.csv", csv(&rows));
    let told = scratch.succeed("encode gaussian --data rows.csv --out -");
    let mu: Vec<f32> =
        told.lines().skip(1).flat_map(|line| line.split(',').skip(1)).map(|v| v.parse().unwrap()).collect();
    let case = Case::of(&scratch.path("gaussian"), rows);
    let inputs = [("x", Array::rows(&case.x, COLUMNS)), ("eps", Array::rows(&case.eps, 2))];
    let encoded = onnx::run(&scratch.read("gaussian/encoder.onnx"), &inputs);
    assert_near("mu", &encoded["mu"], &Array::rows(&mu, 2));
    assert!(mu.iter().all(|v| v.abs() < 20.0), "{mu:?}");
}

#[test]
fn graphs_fill_in_missing_values_as_training_did() {
    let scratch = Scratch::new();
    table(&scratch);
    let text = String::from_utf8(scratch.read("table.csv")).unwrap();
    scratch.write("table.csv", text.replacen("1140,", ",", 3));
    scratch.succeed(&format!("{TABLE} --likelihood gaussian --missing mean --out filled"));
    scratch.succeed("export filled --onnx filled");
    let config = Vae::load(scratch.path("filled")).unwrap().config().clone();
    let fill = config.source.scaling.expect("a scaled table").fill;
    let encoder = scratch.read("filled/encoder.onnx");
    let mu = |first: f32| {
        let x = Array::rows(&[first, 0.05, -49.0, 5.0], COLUMNS);
        onnx::run(&encoder, &[("x", x), ("eps", Array::rows(&[0.0, 0.0], 2))])["mu"].clone()
    };
    assert!(mu(f32::NAN).values.iter().all(|v| v.is_finite()));
    assert_near("mu", &mu(f32::NAN), &mu(fill[0]));
}

#[test]
fn onnxruntime_and_pytorch_agree_with_this_program() {
    let Some(python) = python::find() else { return };
    let scratch = Scratch::new();
    for (name, flags) in MODELS {
        let run = trained(&scratch, name, flags);
        Case::of(&run, pictures()).write(&run);
    }
    let rows = table(&scratch);
    scratch.succeed(&format!("{TABLE} --likelihood gaussian-learned --out cases/table"));
    scratch.succeed("export cases/table --onnx cases/table");
    let run = scratch.path("cases/table");
    Case::of(&run, rows).write(&run);
    for script in ["check_onnx.py", "check_torch.py"] {
        let told = python::run(&python, script, &[&scratch.path("cases")]);
        let agreed = told.lines().filter(|line| line.contains("agrees")).count();
        let expected = if script == "check_onnx.py" { MODELS.len() + 1 } else { 1 };
        assert_eq!(agreed, expected, "{told}");
    }
}
