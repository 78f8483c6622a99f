//! What the script of a page knows of its model and data.

use serde::Serialize;

use super::plans::Plans;
use super::serial::{Library, step_fields};
use super::thumbs::Thumbs;
use super::training::Training;
use crate::data::{Scaling, Schema, Shape};
use crate::evaluate::STREAM;
use crate::kernels::gather::Binarize;
use crate::model::Network;
use crate::plan::{PAD, round_up};
use crate::train::Config;

/// A column of a table.
#[derive(Clone, Debug, Serialize)]
struct Column {
    /// Its name, or its number.
    name: String,
    /// Smallest and largest value in training, in its own units, where they are known.
    range: Option<[f32; 2]>,
    /// Whether all its values were whole numbers of steps.
    whole: bool,
    /// What stands in for a missing value.
    fill: Option<f32>,
}

/// Data of the map.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Points {
    /// Number of data.
    pub count: usize,
    /// Which data they are, in words.
    pub what: String,
    /// Their pictures, in the element `thumbs`.
    pub thumbs: Option<Thumbs>,
    /// Whether they have labels, in the element `labels`.
    pub labelled: bool,
    /// The perplexity of their places by t-SNE, in the element `tsne`.
    pub tsne: Option<f64>,
}

/// See the module.
#[derive(Debug, Serialize)]
pub struct Content {
    /// Whether a datum can be drawn.
    picture: bool,
    width: usize,
    height: usize,
    channels: usize,
    /// D.
    dim: usize,
    /// Z.
    latent: usize,
    /// The column of a row of the encoder's head in which log sigma^2 begins; none where z is a point.
    log_var: Option<usize>,
    /// Whether the encoder reads x > 1/2 in place of x.
    threshold: bool,
    /// Whether the weights have 16 bits.
    half: bool,
    /// Number of classes that the model is told; 0 if it is told none.
    conditional: usize,
    /// Names of the labels, where they have names.
    classes: Vec<String>,
    columns: Vec<Column>,
    /// Steps of a whole column that make 1.
    steps: u32,
    scaling: Option<Scaling>,
    /// The KL of each dimension in nats, as the points have it; empty where z is a point.
    pub kl: Vec<f64>,
    /// The data of the map.
    pub points: Points,
    /// The fields of a Step, and the stream of the draws that judge data.
    step: Vec<(&'static str, &'static str)>,
    stream: u32,
    plans: Plans,
    /// In a page that trains.
    training: Option<Training>,
    #[serde(flatten)]
    library: Library,
}

impl Content {
    /// The content for a model, whose plans use the shaders of `library`; `half` tells that its weights have 16 bits.
    pub fn new(
        config: &Config,
        network: &Network,
        half: bool,
        (plans, library): (Plans, Library),
        training: Option<Training>,
    ) -> Content {
        let model = &network.config;
        let shape = config.image_shape().unwrap_or(Shape::table(model.input));
        let binarize = config.train.binarize(model).without_chance();
        Content {
            picture: shape.is_picture(),
            width: shape.width,
            height: shape.height,
            channels: shape.channels,
            dim: model.input,
            latent: model.latent,
            log_var: model.has_kl().then(|| round_up(model.latent, PAD)),
            threshold: binarize == Binarize::Threshold,
            half,
            conditional: model.classes,
            classes: config.class_names.clone(),
            columns: if shape.is_picture() { Vec::new() } else { columns(config, model.input) },
            steps: config.schema.as_ref().map_or(1, |schema| schema.steps.max(1)),
            scaling: config.source.scaling.clone(),
            kl: Vec::new(),
            points: Points::default(),
            step: step_fields(),
            stream: STREAM,
            plans,
            training,
            library,
        }
    }

    /// Names of the data's labels, where the model is not told them and knows none.
    pub fn name_classes(&mut self, classes: Vec<String>) {
        if self.classes.is_empty() {
            self.classes = classes;
        }
    }
}

fn columns(config: &Config, dim: usize) -> Vec<Column> {
    let schema = config.schema.as_ref().filter(|schema| schema.fits(dim));
    let fill = config.source.scaling.as_ref().map(|scaling| &scaling.fill[..]).unwrap_or_default();
    let column = |i: usize| Column {
        name: config.columns.get(i).cloned().unwrap_or_else(|| i.to_string()),
        range: schema.map(|Schema { min, max, .. }| [min[i], max[i]]),
        whole: schema.is_some_and(|schema| schema.whole[i]),
        fill: fill.get(i).copied(),
    };
    (0..dim).map(column).collect()
}
