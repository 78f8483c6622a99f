//! Training compared with PyTorch: `golden/*.safetensors`, written by `golden/make_golden.py`, against the GPU and the
//! reference executor.

mod common;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::model::{Engine, Problem, Report, Shape, step, values};
use safetensors::tensor::{Dtype, SafeTensors};
use vae_gpu::kernels::adam;
use vae_gpu::kernels::gather::Binarize;
use vae_gpu::kernels::likelihood::LikelihoodSettings;
use vae_gpu::kernels::philox::{normals, philox, uniform};
use vae_gpu::model::plans::Recipe;
use vae_gpu::model::{Extent, ModelConfig, Network, Parameter};
use vae_gpu::plan::{Step, Target};

/// A file of golden values.
struct Golden {
    name: String,
    meta: HashMap<String, String>,
    tensors: HashMap<String, Vec<f64>>,
}

impl Golden {
    fn open(path: &Path) -> Golden {
        let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors =
            file.iter().map(|(name, tensor)| (name.to_owned(), numbers(tensor.dtype(), tensor.data())));
        Golden {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            meta: header.metadata().clone().unwrap_or_default(),
            tensors: tensors.collect(),
        }
    }

    fn get(&self, name: &str) -> &[f64] {
        self.tensors.get(name).unwrap_or_else(|| panic!("{} has no tensor {name}", self.name))
    }

    fn words(&self, name: &str) -> Vec<u32> {
        self.get(name).iter().map(|v| *v as u32).collect()
    }

    fn text(&self, key: &str) -> &str {
        self.meta.get(key).unwrap_or_else(|| panic!("{} does not say its {key}", self.name))
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> T {
        self.text(key).parse().unwrap_or_else(|_| panic!("{}: {key} is {}", self.name, self.text(key)))
    }

    /// A value from the configuration.
    fn named<T: serde::de::DeserializeOwned>(&self, key: &str) -> T {
        serde_json::from_value(self.text(key).into())
            .unwrap_or_else(|e| panic!("{}: {key} is {}: {e}", self.name, self.text(key)))
    }

    fn config(&self) -> ModelConfig {
        let numbers = |key: &str| -> Vec<usize> {
            self.text(key).split(',').filter(|n| !n.is_empty()).map(|n| n.parse().unwrap()).collect()
        };
        let layers = |key: &str| self.meta.get(key).map(|text| text.parse().unwrap());
        let picture = self.meta.get("picture").map(|_| {
            let [height, width, channels] = numbers("picture")[..] else { panic!("the shape of a picture") };
            Extent { height, width, channels }
        });
        ModelConfig {
            latent_picture: None,
            input: self.number("input"),
            picture,
            encoder: layers("encoder"),
            decoder: layers("decoder"),
            hidden: numbers("hidden"),
            latent: self.number("latent"),
            activation: self.named("activation"),
            likelihood: self.text("likelihood").into(),
            settings: LikelihoodSettings {
                levels: self.number("levels"),
                variance: self.named("variance"),
                components: self.meta.get("components").map_or(10, |_| self.number("components")),
                channels: self.meta.get("channels").map_or(1, |_| self.number("channels")),
            },
            kind: self.named("kind"),
            classes: self.number("classes"),
        }
    }

    fn shape(&self) -> Shape {
        let adam = adam::Hyperparameters {
            epsilon: self.number("epsilon"),
            weight_decay: self.number("weight_decay"),
        };
        let recipe = Recipe {
            free_bits: self.number("free_bits"),
            clip_norm: self.number("clip_norm"),
            adam,
            ..Recipe::default()
        };
        let (batch, samples) = (self.number("batch"), self.number("samples"));
        Shape { batch, samples, binarize: self.named("binarize"), recipe }
    }

    fn problem(&self, target: Target) -> Problem {
        let config = self.config();
        let parameters = Network::new(&config).unwrap().parameters;
        let mut weights = vec![0.0; parameters.words()];
        for parameter in &parameters {
            let values = self.parameter("param", parameter);
            parameter.positions().zip(values).for_each(|(at, value)| weights[at] = *value as f32);
        }
        let bytes: Vec<u8> = self.get("data").iter().map(|v| *v as u8).collect();
        let rows = (&bytes[..], &self.words("order")[..]);
        let mut problem = Problem::new(&config, target, self.shape(), self.number("steps"), rows, weights);
        if config.classes > 0 {
            problem.labels = self.words("labels");
        }
        problem
    }

    fn parameter(&self, prefix: &str, parameter: &Parameter) -> &[f64] {
        let values = self.get(&format!("{prefix}.{}", parameter.name));
        assert_eq!(values.len(), parameter.len(), "{}: values of {prefix}.{}", self.name, parameter.name);
        values
    }

    fn step(&self, t: u32) -> Step {
        let step = step(self.number("seed"), t, self.number("batch"), self.number("lr"));
        Step { kl_weight: self.number("beta"), ..step }
    }
}

fn numbers(dtype: Dtype, data: &[u8]) -> Vec<f64> {
    let four = || data.chunks_exact(4).map(|b| <[u8; 4]>::try_from(b).unwrap());
    match dtype {
        Dtype::F32 => four().map(|b| f64::from(f32::from_le_bytes(b))).collect(),
        Dtype::U32 => four().map(|b| f64::from(u32::from_le_bytes(b))).collect(),
        Dtype::I32 => four().map(|b| f64::from(i32::from_le_bytes(b))).collect(),
        Dtype::U8 => data.iter().map(|b| f64::from(*b)).collect(),
        other => panic!("golden values of type {other:?}"),
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Every training run, by name.
fn runs() -> Vec<Golden> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("train-"));
    paths.sort();
    assert!(paths.len() >= 19, "only {} runs in {}", paths.len(), folder().display());
    paths.iter().map(|path| Golden::open(path)).collect()
}

/// The largest relative error for each kind of tensor.
struct Bounds {
    /// Each row's recon and KL, and the loss of every step.
    terms: f64,
    /// Of each parameter's gradient in the first step.
    gradients: f64,
    /// After the last step.
    weights: f64,
    /// The weights after the last step minus the initial ones, beyond the cost of rounding. Weights hardly move in ten
    /// steps, so a wrong Adam would hide in the weights, but not here.
    movement: f64,
}

/// Runs the steps of `golden` on an engine and compares everything that PyTorch stored.
fn compare(
    golden: &Golden,
    problem: &Problem,
    engine: &mut impl Engine,
    bounds: &Bounds,
    report: &mut Report,
) {
    let case = &golden.name;
    let train = &problem.train;
    let Shape { batch, samples, binarize, recipe } = golden.shape();
    let config = golden.config();
    let initial = engine.read(train.ports.parameters);

    engine.run(&golden.step(1));
    let (x, want) = (engine.read(problem.tensor("x", batch, config.input)), golden.get("step1.x"));
    if binarize == Binarize::None {
        report.compare(case, "row term", "x", (&x, want), bounds.terms);
    } else {
        report.require(x == want, || format!("{case}: x is not bit for bit PyTorch's"));
    }
    let mut terms = vec![("recon", "log_p", batch * samples), ("kl", "kl", batch)];
    if config.kind == "iwae" {
        terms.push(("bound", "bound", batch));
    }
    if recipe.free_bits > 0.0 {
        terms.push(("floor_kl", "floor_kl", config.latent));
    }
    for (name, buffer, len) in terms {
        let got = engine.read(problem.tensor(buffer, 1, len));
        report.compare(case, "row term", name, (&got, golden.get(&format!("step1.{name}"))), bounds.terms);
    }
    let gradients = engine.read(train.ports.gradients);
    for parameter in &problem.parameters {
        let (got, want) = (values(parameter, &gradients), golden.parameter("step1.grad", parameter));
        report.compare(case, "gradient", &parameter.name, (&got, want), bounds.gradients);
        // Of pixels that are always black, and relus that are off for the whole batch.
        let exact = got.iter().zip(want).all(|(got, want)| *want != 0.0 || *got == 0.0);
        report.require(exact, || format!("{case}: {}: a gradient is not exactly zero", parameter.name));
    }

    let steps: u32 = golden.number("steps");
    for t in 1..=steps {
        if t > 1 {
            engine.run(&golden.step(t));
        }
        if recipe.clip_norm > 0.0 {
            let scale = engine.read(problem.tensor("gradient scale", 1, 4));
            let want = &golden.get("norms")[t as usize - 1..t as usize];
            report.compare(case, "norm", "of the gradient", (&scale[1..2], want), bounds.gradients);
        }
    }
    let terms = engine.read(train.ports.history);
    let losses: Vec<f64> = terms.chunks_exact(4).map(|row| -row[2] / batch as f64).collect();
    report.compare(case, "loss", "of all steps", (&losses, golden.get("losses")), bounds.terms);
    report.compare(case, "loss", "of step 1", (&losses[..1], golden.get("step1.loss")), bounds.terms);
    let weights = engine.read(train.ports.parameters);
    for parameter in &problem.parameters {
        let (before, after) = (values(parameter, &initial), values(parameter, &weights));
        let want = golden.parameter(&format!("step{steps}.param"), parameter);
        // What a step measures over the batch is as far off as the terms of its rows are.
        let bound = if parameter.is_trained() { bounds.weights } else { bounds.terms };
        report.compare(case, "weight", &parameter.name, (&after, want), bound);
        let moved = |after: &[f64]| after.iter().zip(&before).map(|(a, b)| a - b).collect::<Vec<_>>();
        let (got, want_moved) = (moved(&after), moved(want));
        // Weights far from zero are rounded more coarsely.
        let rounding = f64::from(f32::EPSILON) * norm(want) / norm(&want_moved);
        let bound = bounds.movement + rounding;
        report.compare(case, "movement", &parameter.name, (&got, &want_moved), bound);
    }
}

#[test]
fn the_reference_trains_as_pytorch_does() {
    // The files hold f32, accurate to 6e-8.
    let bounds = Bounds { terms: 1e-7, gradients: 1e-7, weights: 1e-7, movement: 1e-6 };
    let mut report = Report::default();
    for golden in runs() {
        let problem = golden.problem(Target::PORTABLE);
        compare(&golden, &problem, &mut problem.host(), &bounds, &mut report);
    }
    report.finish();
}

#[test]
fn the_gpu_trains_as_pytorch_does() {
    // Measured on llvmpipe: 2.7e-6, 2.5e-6, 5e-7 and 1.2e-5, or 1.1e-4 where weights are far from zero. PyTorch in f32
    // loses as much of the movement: Adam divides by sqrt(v), so a small gradient's rounding error moves its weight as
    // far as a large one's. The rest allows for other orders of summation and faster exp and log.
    let bounds = Bounds { terms: 1e-5, gradients: 1e-5, weights: 1e-6, movement: 5e-5 };
    let gpu = common::gpu();
    let mut report = Report::default();
    for golden in runs() {
        let problem = golden.problem(gpu.target());
        compare(&golden, &problem, &mut problem.device(&gpu), &bounds, &mut report);
    }
    report.finish();
}

#[test]
fn the_host_draws_what_numpy_draws() {
    let golden = Golden::open(&folder().join("rng.safetensors"));
    let table = |name: &str| golden.words(name);
    let (counters, keys, words) = (table("counter"), table("key"), table("words"));
    let four = |values: &[u32]| <[u32; 4]>::try_from(values).unwrap();
    let calls = counters.len() / 4;
    assert!(calls >= 100 && keys.len() == 2 * calls && words.len() == 4 * calls, "{calls} calls");
    for call in 0..calls {
        let at = 4 * call..4 * call + 4;
        let (counter, key) = (four(&counters[at.clone()]), [keys[2 * call], keys[2 * call + 1]]);
        let drawn = philox(counter, key);
        assert_eq!(drawn, four(&words[at.clone()]), "words of counter {counter:x?}, key {key:x?}");
        assert_eq!(drawn.map(uniform), golden.get("uniforms")[at.clone()], "uniforms of {drawn:x?}");
        for (got, want) in normals(drawn).into_iter().zip(&golden.get("normals")[at]) {
            // The file's values are rounded to f32.
            assert!((got - want).abs() <= 1e-7 * want.abs(), "normals of {drawn:x?}: {got}, not {want}");
        }
    }
}

#[test]
fn the_latent_noise_is_numpys() {
    // An autoencoder draws nothing.
    for golden in runs().into_iter().filter(|golden| golden.config().kind != "ae") {
        let (seed, latent) = (golden.number::<u64>("seed"), golden.number::<usize>("latent"));
        for (at, want) in golden.get("step1.eps").iter().enumerate() {
            let (row, column) = (at / latent, at % latent);
            let words = philox([1, row as u32, column as u32 / 4, 0], [seed as u32, (seed >> 32) as u32]);
            let got = normals(words)[column % 4];
            assert!(
                (got - want).abs() <= 1e-7 * want.abs(),
                "{}: eps[{row}, {column}] {got}, not {want}",
                golden.name
            );
        }
    }
}
