//! Models and checkpoints as files: they survive a round trip, and none is trusted.

#[path = "common/tiny.rs"]
mod tiny;

use std::collections::BTreeMap;
use std::path::PathBuf;

use tempfile::TempDir;
use vae_gpu::error::Error;
use vae_gpu::model::Network;
use vae_gpu::model::init::{Init, initial_weights};
use vae_gpu::run::store::{NamedTensor, read_tensors, write_tensors};
use vae_gpu::train::ModelSection;
use vae_gpu::train::history::Sums;
use vae_gpu::train::{Arenas, Config, State, files};

type Metadata = BTreeMap<String, String>;

/// A model and a checkpoint of 64-7-3-7-64 on disk, and their content.
struct Saved {
    _folder: TempDir,
    model: PathBuf,
    checkpoint: PathBuf,
    config: Config,
    arenas: Arenas,
    state: State,
}

fn saved() -> Saved {
    let folder = tempfile::tempdir().unwrap();
    let (model, checkpoint) = (folder.path().join("model.st"), folder.path().join("checkpoint.st"));
    let section = ModelSection { hidden: vec![7], latent: 3, ..ModelSection::default() };
    let config = Config { shape: Some([tiny::SIDE, tiny::SIDE, 1]), model: section, ..Config::default() };
    let network = Network::new(&config.model_config(config.image_shape().unwrap())).unwrap();
    let layout = network.parameters;
    let [parameters, moment1, moment2] = [1, 2, 3].map(|seed| initial_weights(&layout, Init::Pytorch, seed));
    let arenas = Arenas { parameters, moment1, moment2 };
    let sums = Sums { recon: -1.0 / 3.0, kl: 1e-300, objective: -7.1, rows: u64::from(u32::MAX) };
    let state = State {
        step: 1 << 40,
        sums,
        seconds: 0.1,
        best_elbo: f64::NEG_INFINITY,
        best_epoch: 0,
        train_count: 77,
    };
    files::save_model(&model, &config, &layout, &arenas.parameters).unwrap();
    files::save_checkpoint(
        (&checkpoint, &checkpoint.with_extension("previous")),
        &config,
        &layout,
        &arenas,
        &state,
    )
    .unwrap();
    Saved { _folder: folder, model, checkpoint, config, arenas, state }
}

impl Saved {
    /// The error messages for both files after a change of their content.
    #[track_caller]
    fn refusals(&self, change: impl Fn(&mut Vec<NamedTensor>, &mut Metadata)) -> [String; 2] {
        let load = |path: &PathBuf, load: &dyn Fn() -> Result<(), Error>| {
            let (mut tensors, mut metadata) = read_tensors(path).unwrap();
            let sound = (tensors.clone(), metadata.clone());
            change(&mut tensors, &mut metadata);
            write_tensors(path, &tensors, &metadata).unwrap();
            let error = load().expect_err("a changed file was accepted");
            write_tensors(path, &sound.0, &sound.1).unwrap();
            assert!(matches!(&error, Error::File { path: blamed, .. } if blamed == path), "{error}");
            error.to_string()
        };
        [
            load(&self.model, &|| files::load_model(&self.model).map(drop)),
            load(&self.checkpoint, &|| files::load_checkpoint(&self.checkpoint).map(drop)),
        ]
    }

    /// Both files must be refused, with `words` in the message.
    #[track_caller]
    fn refuse(&self, words: &str, change: impl Fn(&mut Vec<NamedTensor>, &mut Metadata)) {
        for message in self.refusals(change) {
            assert!(message.contains(words), "{message}\nsays nothing of\n{words}");
        }
    }

    /// The same after replacing this line of the configuration.
    #[track_caller]
    fn refuse_config(&self, words: &str, line: &str, by: &str) {
        self.refuse(words, |_, metadata| {
            let config = metadata.get_mut("config").unwrap();
            assert!(config.contains(line), "{line} in {config}");
            *config = config.replace(line, by);
        });
    }
}

#[test]
fn what_is_saved_is_loaded() {
    let saved = saved();
    let (config, layout, parameters) = files::load_model(&saved.model).unwrap();
    assert_eq!((config, parameters), (saved.config.clone(), saved.arenas.parameters.clone()));
    assert_eq!(layout.count(), 64 * 7 + 7 + 2 * (7 * 3 + 3) + 3 * 7 + 7 + 7 * 64 + 64);
    let expected = (saved.config, saved.arenas, saved.state);
    assert_eq!(files::load_checkpoint(&saved.checkpoint).unwrap(), expected);
}

#[test]
fn each_file_has_its_own_reader() {
    let saved = saved();
    let message = files::load_model(&saved.checkpoint).unwrap_err().to_string();
    assert!(message.contains("has a tensor adam.m."), "{message}");
    let message = files::load_checkpoint(&saved.model).unwrap_err().to_string();
    assert!(message.contains("has no tensor adam.m.encoder.0.weight"), "{message}");
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let saved = saved();
    let at = |tensors: &[NamedTensor], name: &str| tensors.iter().position(|t| t.name == name).unwrap();
    saved.refuse("has no tensor encoder.mu.weight", |tensors, _| {
        tensors.remove(at(tensors, "encoder.mu.weight"));
    });
    saved.refuse("has a tensor decoder.9.weight that the model has not", |tensors, _| {
        tensors.push(NamedTensor { name: "decoder.9.weight".into(), shape: vec![1], values: vec![0.0] });
    });
    saved.refuse("tensor encoder.0.weight is [64, 7], the model's is [7, 64]", |tensors, _| {
        let i = at(tensors, "encoder.0.weight");
        tensors[i].shape.reverse();
    });
    saved.refuse("tensor encoder.0.bias is [7, 1], the model's is [7]", |tensors, _| {
        let i = at(tensors, "encoder.0.bias");
        tensors[i].shape.push(1);
    });
    saved.refuse("tensor decoder.out.bias is [], the model's is [64]", |tensors, _| {
        let i = at(tensors, "decoder.out.bias");
        tensors[i] = NamedTensor { name: "decoder.out.bias".into(), shape: vec![], values: vec![0.0] };
    });
    saved.refuse("has no tensor encoder.0.weight", |tensors, _| tensors.clear());

    let moment = "adam.v.decoder.0.weight";
    let [_, message] = saved.refusals(|tensors, _| match tensors.iter().position(|t| t.name == moment) {
        Some(i) => drop(tensors.remove(i)),
        None => tensors.clear(),
    });
    assert!(message.contains(&format!("has no tensor {moment}")), "{message}");
}

/// Sizes beyond any memory are refused before anything of that size is allocated.
#[test]
fn a_configuration_that_lies_about_its_size_is_refused() {
    let saved = saved();
    let shape = "shape = [8, 8, 1]";
    for hostile in [
        "shape = [4294967295, 4294967295, 255]",
        "shape = [9223372036854775807, 9223372036854775807, 9223372036854775807]",
        // 2^64 values, which wraps to 0.
        "shape = [4294967296, 4294967296, 1]",
        "shape = [0, 8, 1]",
        "shape = [65537, 1, 1]",
    ] {
        saved.refuse_config("the number of values per datum", shape, hostile);
    }
    saved.refuse_config(
        "tensor encoder.0.weight is [7, 64], the model's is [7, 65536]",
        shape,
        "shape = [256, 256, 1]",
    );
    for bad in ["shape = [-1, 8, 1]", "shape = [8, 8]", "shape = 64", "shape = [99999999999999999999, 1, 1]"]
    {
        saved.refuse_config("bad configuration", shape, bad);
    }
    saved.refuse_config("does not name the data's shape", shape, "");
    saved.refuse_config(
        "it names 2 columns for 64 values",
        shape,
        &format!("{shape}\ncolumns = [\"a\", \"b\"]"),
    );

    let layers = |count: usize| format!("hidden = [{}]", vec!["65536"; count].join(", "));
    saved.refuse_config("the model's is [65536, 64]", "hidden = [7]", &layers(1));
    saved.refuse_config("the model's is [65536, 64]", "hidden = [7]", &layers(64));
    saved.refuse_config("`model.hidden` names 65 layers", "hidden = [7]", &layers(65));
    saved.refuse_config("`model.hidden` names 1000000 layers", "hidden = [7]", &layers(1_000_000));
    saved.refuse_config("u64 value was too large", "hidden = [7]", "hidden = [18446744073709551615]");
    saved.refuse_config("`model.hidden`: name at least one", "hidden = [7]", "hidden = []");
    saved.refuse_config("`model.latent` = 65537", "latent = 3", "latent = 65537");
    saved.refuse_config("tensor encoder.mu.weight is [3, 7]", "latent = 3", "latent = 65536");
    saved.refuse_config("`train.batch_size`", "batch_size = 128", "batch_size = 9223372036854775807");
    saved.refuse_config("unknown likelihood", "likelihood = \"auto\"", "likelihood = \"poisson\"");
    saved.refuse_config("unknown field `depth`", "latent = 3", "latent = 3\ndepth = 1");
    saved.refuse("holds no configuration", |_, metadata| metadata.clear());
}

#[test]
fn a_checkpoint_without_its_numbers_is_refused() {
    let saved = saved();
    let refusal = |key: &str, value: Option<&str>| {
        let [_, message] = saved.refusals(|tensors, metadata| {
            // The model lacks these numbers, so it is damaged in another way.
            if metadata.remove(key).is_none() {
                tensors.clear();
            } else if let Some(value) = value {
                metadata.insert(key.to_owned(), value.to_owned());
            }
        });
        assert!(message.contains(&format!("no number {key:?}")), "{message}");
    };
    for key in [
        "step",
        "epoch_recon",
        "epoch_kl",
        "epoch_objective",
        "epoch_rows",
        "epoch_seconds",
        "best_elbo",
        "best_epoch",
    ] {
        refusal(key, None);
        refusal(key, Some("many"));
        refusal(key, Some(""));
    }
    refusal("step", Some("-1"));
    refusal("step", Some("18446744073709551616"));
    refusal("epoch_rows", Some("18446744073709551615"));
}
