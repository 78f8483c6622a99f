//! Models and checkpoints as files.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::config::Config;
use super::history::Sums;
use super::state::{Arenas, State};
use crate::error::{Error, Result};
use crate::model::{LayerRow, Network, Parameters};
use crate::run::store::{NamedTensor, read_tensors, write_tensors, write_tensors_keeping};

const MOMENT1: &str = "adam.m.";
const MOMENT2: &str = "adam.v.";

/// Writes the weights under PyTorch's names and shapes, with the configuration in the metadata.
pub fn save_model(path: &Path, config: &Config, parameters: &Parameters, weights: &[f32]) -> Result<()> {
    let metadata = BTreeMap::from([("config".to_owned(), config.portable().to_toml())]);
    write_tensors(path, &named("", parameters, weights), &metadata)
}

/// Reads a model: its configuration, and the arena of its weights.
pub fn load_model(path: &Path) -> Result<(Config, Parameters, Vec<f32>)> {
    let (tensors, metadata) = read_tensors(path)?;
    let (config, parameters) = described(path, &metadata)?;
    let weights = arena("", &parameters, path, tensors)?;
    Ok((config, parameters, weights))
}

/// Which weights a model took from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inherited {
    /// How many tensors it took.
    pub taken: usize,
    /// Its other tensors, each with the reason.
    pub left: Vec<String>,
    /// In what both differ though names and shapes agree, so that the weights may mean something else.
    pub differs: Vec<String>,
}

/// Tensors that a line names.
const NAMED: usize = 4;

impl fmt::Display for Inherited {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} of {} tensors", self.taken, self.taken + self.left.len())?;
        if self.left.is_empty() {
            return Ok(());
        }
        let more = if self.left.len() > NAMED { ", .." } else { "" };
        write!(f, " (not {}{more})", self.left[..self.left.len().min(NAMED)].join(", "))
    }
}

/// Puts the tensors of a model file into an arena where name and shape agree.
pub(super) fn inherit(
    path: &Path,
    config: &Config,
    parameters: &Parameters,
    arena: &mut [f32],
) -> Result<Inherited> {
    let (tensors, metadata) = read_tensors(path)?;
    // Files of other programs have no configuration to compare.
    let theirs = described(path, &metadata).ok();
    let differs = theirs.map_or_else(Vec::new, |(theirs, _)| differences(&theirs, config));
    let mut inherited = Inherited { taken: 0, left: Vec::new(), differs };
    for parameter in parameters {
        match tensors.iter().find(|tensor| tensor.name == parameter.name) {
            Some(tensor) if tensor.shape == parameter.shape => {
                parameter.insert(arena, &tensor.values);
                inherited.taken += 1;
            }
            Some(tensor) => {
                let NamedTensor { name, shape, .. } = tensor;
                inherited
                    .left
                    .push(format!("{name}, which is {shape:?} there and {:?} here", parameter.shape));
            }
            None => inherited.left.push(format!("{}, which is not there", parameter.name)),
        }
    }
    match inherited.taken {
        0 => Err(Error::file(
            path,
            format!("no tensor has the name and shape of one of this model: {inherited}"),
            "name a run with layers of the same widths, or give this one those of that run",
        )),
        _ => Ok(inherited),
    }
}

/// In what a model differs from another one of the same tensors: the order of its columns and classes, its activations, its
/// likelihood.
fn differences(theirs: &Config, ours: &Config) -> Vec<String> {
    let differ = |what: String, theirs: &str, ours: &str| {
        format!("{what} is `{}` there and `{}` here", theirs.escape_debug(), ours.escape_debug())
    };
    // Of other numbers of columns or classes the tensors have other shapes.
    let names = |what: &str, first: usize, theirs: &[String], ours: &[String]| {
        let mut pairs = theirs.iter().zip(ours).enumerate();
        let (number, (theirs, ours)) = pairs.find(|(_, (a, b))| theirs.len() == ours.len() && a != b)?;
        Some(differ(format!("{what} {}", number + first), theirs, ours))
    };
    let mut found: Vec<String> = [
        names("column", 1, &theirs.columns, &ours.columns),
        names("class", 0, &theirs.class_names, &ours.class_names),
    ]
    .into_iter()
    .flatten()
    .collect();
    let model = |config: &Config| Some(config.model_config(config.image_shape()?));
    let (Some(theirs), Some(ours)) = (model(theirs), model(ours)) else { return found };
    if let (Ok(theirs), Ok(ours)) = (Network::new(&theirs), Network::new(&ours)) {
        let mut pairs = theirs.rows().zip(ours.rows());
        let same = |a: &LayerRow, b: &LayerRow| {
            (&a.name, a.output, a.parameters) == (&b.name, b.output, b.parameters)
        };
        if let Some((a, b)) = pairs.find(|(a, b)| same(a, b) && a.text != b.text) {
            found.push(differ(format!("layer {}", a.name), &a.text, &b.text));
        }
    }
    if theirs.decoder() != ours.decoder() {
        found.push(differ("the likelihood".into(), &theirs.decoder(), &ours.decoder()));
    }
    found
}

/// Writes everything that training needs to continue with the same bits. The checkpoint that was at `path` is kept as
/// `previous`.
pub fn save_checkpoint(
    (path, previous): (&Path, &Path),
    config: &Config,
    parameters: &Parameters,
    arenas: &Arenas,
    state: &State,
) -> Result<()> {
    let State { step, sums, seconds, best_elbo, best_epoch, train_count } = state;
    // Floats are written with all their digits: `{:?}` round-trips.
    let metadata = BTreeMap::from([
        ("config".to_owned(), config.portable().to_toml()),
        ("step".to_owned(), step.to_string()),
        ("seed".to_owned(), config.train.seed.to_string()),
        ("epoch_recon".to_owned(), format!("{:?}", sums.recon)),
        ("epoch_kl".to_owned(), format!("{:?}", sums.kl)),
        ("epoch_objective".to_owned(), format!("{:?}", sums.objective)),
        ("epoch_rows".to_owned(), sums.rows.to_string()),
        ("epoch_seconds".to_owned(), format!("{seconds:?}")),
        ("best_elbo".to_owned(), format!("{best_elbo:?}")),
        ("best_epoch".to_owned(), best_epoch.to_string()),
        ("train_count".to_owned(), train_count.to_string()),
    ]);
    let mut tensors = named("", parameters, &arenas.parameters);
    tensors.extend(named(MOMENT1, parameters, &arenas.moment1));
    tensors.extend(named(MOMENT2, parameters, &arenas.moment2));
    write_tensors_keeping(path, previous, &tensors, &metadata)
}

/// Reads a checkpoint.
pub fn load_checkpoint(path: &Path) -> Result<(Config, Arenas, State)> {
    let (tensors, metadata) = read_tensors(path)?;
    let (config, layout) = described(path, &metadata)?;
    let mut parts: [Vec<NamedTensor>; 3] = Default::default();
    for mut tensor in tensors {
        let part = [MOMENT1, MOMENT2].iter().position(|prefix| tensor.name.starts_with(prefix));
        if part.is_some() {
            tensor.name.drain(..MOMENT1.len());
        }
        parts[part.map_or(0, |p| p + 1)].push(tensor);
    }
    let [parameters, moment1, moment2] = parts;
    let arenas = Arenas {
        parameters: arena("", &layout, path, parameters)?,
        moment1: arena(MOMENT1, &layout, path, moment1)?,
        moment2: arena(MOMENT2, &layout, path, moment2)?,
    };
    let state = State {
        step: number(path, &metadata, "step")?,
        sums: Sums {
            recon: number(path, &metadata, "epoch_recon")?,
            kl: number(path, &metadata, "epoch_kl")?,
            objective: number(path, &metadata, "epoch_objective")?,
            // A data set has less than 2^32 data.
            rows: number::<u32>(path, &metadata, "epoch_rows")?.into(),
        },
        seconds: number(path, &metadata, "epoch_seconds")?,
        best_elbo: number(path, &metadata, "best_elbo")?,
        best_epoch: number(path, &metadata, "best_epoch")?,
        train_count: number(path, &metadata, "train_count")?,
    };
    Ok((config, arenas, state))
}

fn named(prefix: &str, parameters: &Parameters, arena: &[f32]) -> Vec<NamedTensor> {
    let tensor = |p: &crate::model::Parameter| NamedTensor {
        name: format!("{prefix}{}", p.name),
        shape: p.shape.clone(),
        values: p.extract(arena),
    };
    parameters.iter().map(tensor).collect()
}

fn foreign(path: &Path, problem: String) -> Error {
    Error::file(path, problem, "use a file that this version of vae-gpu wrote, or train again")
}

/// The configuration in the metadata, and the parameters that it makes.
fn described(path: &Path, metadata: &BTreeMap<String, String>) -> Result<(Config, Parameters)> {
    let text = metadata.get("config").ok_or_else(|| foreign(path, "holds no configuration".into()))?;
    let config = Config::parse(text).map_err(|e| foreign(path, format!("bad configuration: {e}")))?;
    let shape = config.image_shape().ok_or_else(|| foreign(path, "does not name the data's shape".into()))?;
    let model = config.model_config(shape);
    let network = Network::new(&model).map_err(|e| foreign(path, e.to_string()))?;
    if let Some(scaling) = &config.source.scaling {
        scaling.validate(shape.dim()).map_err(|e| foreign(path, e.to_string()))?;
    }
    if config.schema.as_ref().is_some_and(|schema| !schema.fits(shape.dim())) {
        return Err(foreign(path, format!("its schema is not of {} columns", shape.dim())));
    }
    if !config.columns.is_empty() && config.columns.len() != shape.dim() {
        let problem = format!("it names {} columns for {} values", config.columns.len(), shape.dim());
        return Err(foreign(path, problem));
    }
    Ok((config, network.parameters))
}

/// The arena with `tensors`, each of which must be there in its shape, and no other.
fn arena(prefix: &str, parameters: &Parameters, path: &Path, tensors: Vec<NamedTensor>) -> Result<Vec<f32>> {
    let mut tensors: BTreeMap<_, _> = tensors.into_iter().map(|t| (t.name.clone(), t)).collect();
    // The arena is made once every value is at hand: a configuration that lies about its size allocates nothing.
    let mut found = Vec::new();
    for parameter in parameters {
        let name = format!("{prefix}{}", parameter.name);
        let tensor =
            tensors.remove(&parameter.name).ok_or_else(|| foreign(path, format!("has no tensor {name}")))?;
        if tensor.shape != parameter.shape {
            let problem =
                format!("tensor {name} is {:?}, the model's is {:?}", tensor.shape, parameter.shape);
            return Err(foreign(path, problem));
        }
        found.push((parameter, tensor.values));
    }
    if let Some((name, _)) = tensors.first_key_value() {
        return Err(foreign(path, format!("has a tensor {prefix}{name} that the model has not")));
    }
    let mut arena = vec![0.0; parameters.words()];
    for (parameter, values) in found {
        parameter.insert(&mut arena, &values);
    }
    Ok(arena)
}

fn number<T: std::str::FromStr>(path: &Path, metadata: &BTreeMap<String, String>, key: &str) -> Result<T> {
    metadata
        .get(key)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| foreign(path, format!("has no number {key:?} in its metadata: it is no checkpoint")))
}
