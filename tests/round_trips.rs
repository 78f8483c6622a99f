//! Everything written can be read back, to the last bit: every format that this program writes and reads.

#[path = "round_trips/config.rs"]
mod config;
#[path = "common/foreign.rs"]
mod foreign;
#[path = "common/tiny.rs"]
mod tiny;

use std::collections::BTreeMap;
use std::fs;

use config::config;
use proptest::prelude::*;
use tempfile::TempDir;
use vae_gpu::data::columns::{self, Column};
use vae_gpu::data::write::Matrix;
use vae_gpu::data::{self, Element, ReadOptions, Row, Shape, Split};
use vae_gpu::gpu::Gpu;
use vae_gpu::kernels::tuning::Tuning;
use vae_gpu::model::Network;
use vae_gpu::run::store::{NamedTensor, read_tensors, write_tensors};
use vae_gpu::run::{EpochMetrics, metrics, picture, tensorboard};
use vae_gpu::train::Condition;
use vae_gpu::train::history::Sums;
use vae_gpu::train::{Arenas, Config, State, files};
use vae_gpu::tune;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// A matrix of arbitrary floats, with its number of columns.
fn matrix(value: impl Strategy<Value = f32> + 'static) -> impl Strategy<Value = (usize, Vec<f32>)> {
    let value = value.boxed();
    (1usize..9, 1usize..9)
        .prop_flat_map(move |(rows, dim)| (Just(dim), prop::collection::vec(value.clone(), rows * dim)))
}

/// Finite floats of every magnitude, with zeros of both signs.
fn finite() -> impl Strategy<Value = f32> {
    any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |value| value.is_finite())
}

fn any_double() -> impl Strategy<Value = f64> {
    any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite())
}

/// Writes a matrix and reads its rows back.
fn there_and_back(format: Matrix, name: &str, names: &[String], dim: usize, values: &[f32]) -> Split {
    let (folder, mut bytes) = (folder(), Vec::new());
    format.write(&mut bytes, names, dim, values).unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    data::rows(path.to_str().unwrap(), &ReadOptions::default()).unwrap().split
}

fn floats(split: &Split) -> Vec<f32> {
    let mut found = Vec::new();
    let each = split.each(0..split.count, &mut |row| match row {
        Row::Floats(values) => found.extend_from_slice(values),
        Row::Bytes(values) => found.extend(values.iter().map(|value| f32::from(*value))),
    });
    each.unwrap();
    found
}

/// A column name that is not a number, with every character special to CSV.
fn column_name() -> impl Strategy<Value = String> {
    "x[ -~\n\r\té]{0,8}y"
}

fn row() -> impl Strategy<Value = EpochMetrics> {
    let doubles = prop::array::uniform9(any_double());
    let valid = prop::option::of(prop::array::uniform3(any_double()));
    (any::<u32>(), any::<u64>(), doubles, valid).prop_map(|(epoch, step, d, valid)| EpochMetrics {
        epoch,
        step,
        train_elbo: d[0],
        train_recon: d[1],
        train_kl: d[2],
        train_objective: d[3],
        test_elbo: d[4],
        test_recon: d[5],
        test_kl: d[6],
        valid_elbo: valid.map(|v| v[0]),
        valid_recon: valid.map(|v| v[1]),
        valid_kl: valid.map(|v| v[2]),
        images_per_second: d[7],
        seconds: d[8],
    })
}

/// The text of a number gives back its bits: `{:?}` prints floats exactly, with the signs of zeros.
fn told(rows: &[EpochMetrics]) -> String {
    format!("{rows:?}")
}

/// An event as its readers see it: the fields of TensorFlow's `event.proto` that matter here.
#[derive(Clone, PartialEq, prost::Message)]
struct Event {
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, tag = "2")]
    simple_value: f32,
}

/// The content of each record of an event file; both checksums must hold.
fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    fn checked(bytes: &[u8], crc: &[u8]) {
        let crc = u32::from_le_bytes(crc.try_into().unwrap());
        assert_eq!(crc.wrapping_sub(0xa282_ead8).rotate_left(15), crc32c::crc32c(bytes));
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        checked(&bytes[..8], &bytes[8..12]);
        checked(&bytes[12..12 + length], &bytes[12 + length..16 + length]);
        found.push(bytes[12..12 + length].to_vec());
        bytes = &bytes[16 + length..];
    }
    found
}

/// The value, or 0 in place of what readers of tables refuse.
fn readable(value: f32) -> f32 {
    if value.is_finite() { value } else { 0.0 }
}

/// The same for doubles, which are read as 32-bit floats.
fn in_range(value: f64) -> f64 {
    if (value as f32).is_finite() { value } else { 0.0 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn npy((dim, values) in matrix(any::<u32>().prop_map(f32::from_bits))) {
        let split = there_and_back(Matrix::Npy, "m.npy", &[], dim, &values);
        prop_assert_eq!((split.dim(), bits(&floats(&split))), (dim, bits(&values)));
    }

    /// The reading half; this program does not write such files.
    #[test]
    fn npz((dim, values) in matrix(any::<u32>().prop_map(f32::from_bits))) {
        let mut array = Vec::new();
        Matrix::Npy.write(&mut array, &[], dim, &values).unwrap();
        let labels: Vec<u8> = (0..values.len() / dim).map(|row| (row * 37 % 256) as u8).collect();
        let y = foreign::npy("|u1", &format!("{},", labels.len()), &labels);
        let (folder, path) = { let folder = folder(); let path = folder.path().join("m.npz"); (folder, path) };
        fs::write(&path, foreign::npz(&[("x", array), ("y", y)])).unwrap();
        let split = data::rows(path.to_str().unwrap(), &ReadOptions::default()).unwrap().split;
        prop_assert_eq!(bits(&floats(&split)), bits(&values));
        let found: Vec<u8> = split.labels.as_deref().unwrap().iter().map(|label| *label as u8).collect();
        prop_assert_eq!(found, labels);
        drop(folder);
    }

    #[test]
    fn csv((dim, values) in matrix(finite())) {
        let split = there_and_back(Matrix::Csv, "m.csv", &[], dim, &values);
        prop_assert_eq!((split.dim(), bits(&floats(&split))), (dim, bits(&values)));
    }

    #[test]
    fn names_of_columns(names in prop::collection::btree_set(column_name(), 1..5)) {
        let names = Vec::from_iter(names);
        let values: Vec<f32> = (0..3 * names.len()).map(|i| i as f32).collect();
        for (format, file) in [(Matrix::Csv, "m.csv"), (Matrix::Parquet, "m.parquet")] {
            let (folder, mut bytes) = (folder(), Vec::new());
            format.write(&mut bytes, &names, names.len(), &values).unwrap();
            let path = folder.path().join(file);
            fs::write(&path, bytes).unwrap();
            let dataset = data::open(path.to_str().unwrap()).unwrap();
            prop_assert_eq!(&dataset.columns, &names);
        }
    }

    #[test]
    fn parquet((dim, values) in matrix(any::<u32>().prop_map(f32::from_bits).prop_map(readable))) {
        let split = there_and_back(Matrix::Parquet, "m.parquet", &[], dim, &values);
        prop_assert_eq!((split.dim(), bits(&floats(&split))), (dim, bits(&values)));
    }

    /// Scores: integers and doubles, which data readers take as floats.
    #[test]
    fn columns_of_numbers(rows in prop::collection::vec((any::<i32>(), any_double().prop_map(in_range)), 1..9)) {
        let (whole, real): (Vec<i64>, Vec<f64>) = rows.iter().map(|(n, x)| (i64::from(*n), *x)).unzip();
        let expected: Vec<f32> = rows.iter().flat_map(|(n, x)| [*n as f32, *x as f32]).collect();
        let table = [("datum", Column::Whole(whole)), ("score", Column::Real(real.clone()))];
        let folder = folder();
        let path = folder.path().join("s.parquet");
        columns::write_parquet(&mut fs::File::create(&path).unwrap(), &table).unwrap();
        let split = data::rows(path.to_str().unwrap(), &ReadOptions::default()).unwrap().split;
        prop_assert_eq!(bits(&floats(&split)), bits(&expected));
        let mut text = Vec::new();
        columns::write_csv(&mut text, &table).unwrap();
        let text = String::from_utf8(text).unwrap();
        let last = |line: &str| line.rsplit(',').next().unwrap().parse::<f64>().unwrap().to_bits();
        let found: Vec<u64> = text.lines().skip(1).map(last).collect();
        prop_assert_eq!(found, real.iter().map(|x| x.to_bits()).collect::<Vec<_>>());
    }

    #[test]
    fn idx(count in 1usize..9, width in 1usize..6, height in 1usize..6, packed in any::<bool>(), seed in any::<u8>()) {
        // Of 0 and 1 alone they would be bits.
        let values: Vec<u8> = (0..count * width * height).map(|i| ((i as u8).wrapping_mul(31) ^ seed) | 2).collect();
        let labels: Vec<u8> = (0..count).map(|i| (i as u8).wrapping_add(seed)).collect();
        let folder = folder();
        for part in ["train", "t10k"] {
            let pack = |bytes: Vec<u8>| if packed { foreign::gzip(&bytes) } else { bytes };
            let images = pack(tiny::idx(&[count, height, width], &values));
            fs::write(folder.path().join(format!("{part}-images-idx3-ubyte")), images).unwrap();
            fs::write(folder.path().join(format!("{part}-labels-idx1-ubyte")), pack(tiny::idx(&[count], &labels))).unwrap();
        }
        let dataset = data::open(folder.path().to_str().unwrap()).unwrap();
        prop_assert_eq!(dataset.shape, Shape { width, height, channels: 1 });
        prop_assert_eq!(dataset.train.element(), Element::Bytes);
        let expected: Vec<f32> = values.iter().map(|v| f32::from(*v)).collect();
        prop_assert_eq!(floats(&dataset.train), expected.clone());
        prop_assert_eq!(floats(&dataset.test), expected);
        let expected: Vec<u32> = labels.iter().map(|label| u32::from(*label)).collect();
        prop_assert_eq!(dataset.train.labels.as_deref(), Some(&expected[..]));
    }

    #[test]
    fn pictures(width in 2usize..9, height in 2usize..9, colour in any::<bool>(), seed in any::<u64>()) {
        let shape = Shape { width, height, channels: if colour { 3 } else { 1 } };
        let byte = |i: usize| (seed.wrapping_mul(2 * i as u64 + 1) >> 32) as u8;
        let values: Vec<u8> = (0..shape.dim()).map(byte).collect();
        let x: Vec<f32> = values.iter().map(|v| f32::from(*v) / 255.0).collect();
        let folder = folder();
        let path = folder.path().join("a.png");
        fs::write(&path, picture::image_png(&x, shape).unwrap()).unwrap();
        prop_assert_eq!(data::picture(&path, shape).unwrap(), x);
    }

    #[test]
    fn tensors(
        tensors in prop::collection::btree_map(
            ".{1,12}",
            prop::collection::vec(1usize..4, 0..4).prop_flat_map(|shape| {
                let count = shape.iter().product::<usize>();
                (Just(shape), prop::collection::vec(any::<u32>().prop_map(f32::from_bits), count))
            }),
            0..5,
        ),
        metadata in prop::collection::btree_map("[^c]{0,8}", any::<String>(), 0..4),
    ) {
        prop_assume!(!tensors.contains_key("__metadata__") && !metadata.contains_key("written_by"));
        let tensors: Vec<NamedTensor> =
            tensors.into_iter().map(|(name, (shape, values))| NamedTensor { name, shape, values }).collect();
        let folder = folder();
        let path = folder.path().join("t.safetensors");
        write_tensors(&path, &tensors, &metadata).unwrap();
        let (found, told) = read_tensors(&path).unwrap();
        let plain = |tensors: &[NamedTensor]| -> Vec<(String, Vec<usize>, Vec<u32>)> {
            tensors.iter().map(|t| (t.name.clone(), t.shape.clone(), bits(&t.values))).collect()
        };
        prop_assert_eq!((plain(&found), told), (plain(&tensors), metadata));
    }

    #[test]
    fn configurations(config in config()) {
        let text = config.to_toml();
        prop_assert_eq!(Config::parse(&text).map_err(|e| format!("{e}\n{text}")).unwrap(), config);
    }

    #[test]
    fn models_and_checkpoints(
        config in config(),
        seed in any::<u32>(),
        state in (any::<[u64; 2]>(), prop::array::uniform5(any::<u64>()), any::<[u32; 2]>()),
    ) {
        let mut config = config;
        // Small enough to be written many times.
        config.model.hidden = vec![1 + seed as usize % 5];
        (config.model.latent, config.model.latent_size) = (1 + seed as usize % 3, None);
        config.classes = (config.model.condition == Condition::Labels).then_some(2);
        config.source.scaling = None;
        let layout = Network::new(&config.model_config(config.image_shape().unwrap())).unwrap().parameters;
        let arena = |salt: u32| {
            let mut arena = vec![0.0; layout.words()];
            let mut word = seed ^ salt;
            for parameter in &layout {
                let values: Vec<f32> = (0..parameter.len()).map(|_| {
                    word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    f32::from_bits(word)
                }).collect();
                parameter.insert(&mut arena, &values);
            }
            arena
        };
        let arenas = Arenas { parameters: arena(1), moment1: arena(2), moment2: arena(3) };
        let ([step, train_count], doubles, [rows, best_epoch]) = state;
        let [recon, kl, objective, seconds, best_elbo] = doubles.map(f64::from_bits);
        let sums = Sums { recon, kl, objective, rows: u64::from(rows) };
        let state = State { step, sums, seconds, best_elbo, best_epoch, train_count };
        let folder = folder();
        let (model, checkpoint) = (folder.path().join("m"), folder.path().join("c"));
        files::save_model(&model, &config, &layout, &arenas.parameters).unwrap();
        files::save_checkpoint((&checkpoint, &folder.path().join("p")), &config, &layout, &arenas, &state).unwrap();
        // Files that are given away name no folder.
        let portable = config.portable();
        let (found, _, parameters) = files::load_model(&model).unwrap();
        prop_assert_eq!((&found, bits(&parameters)), (&portable, bits(&arenas.parameters)));
        let (found, loaded, read) = files::load_checkpoint(&checkpoint).unwrap();
        prop_assert_eq!(&found, &portable);
        for (a, b) in [(&loaded.parameters, &arenas.parameters), (&loaded.moment1, &arenas.moment1), (&loaded.moment2, &arenas.moment2)] {
            prop_assert_eq!(bits(a), bits(b));
        }
        // The text of a NaN does not preserve its bits.
        prop_assert_eq!(format!("{read:?}"), format!("{state:?}"));
    }

    #[test]
    fn metrics_of_epochs(rows in prop::collection::vec(row(), 1..4)) {
        let folder = folder();
        let (table, lines) = (folder.path().join("m.csv"), folder.path().join("m.jsonl"));
        for row in &rows {
            metrics::append(&table, row).unwrap();
            metrics::append_json(&lines, row).unwrap();
        }
        prop_assert_eq!(told(&metrics::read(&table).unwrap()), told(&rows));
        let text = fs::read_to_string(&lines).unwrap();
        let found: Vec<EpochMetrics> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        prop_assert_eq!(told(&found), told(&rows));
    }

    #[test]
    fn tunings(choices in prop::collection::btree_map(
        "(NN|NT|TN) [1-9][0-9]{0,4}x[1-9][0-9]{0,4}x[1-9][0-9]{0,4}",
        prop::sample::select(vec!["tiled-64".to_owned(), "tiled-32".to_owned()]),
        1..9,
    )) {
        let (folder, gpu) = (folder(), Gpu::noop());
        let tuning = Tuning::from_choices(choices);
        tune::save(folder.path(), gpu.report(), &tuning).unwrap();
        prop_assert_eq!(tune::load(folder.path(), gpu.report()), tuning);
    }

    #[test]
    fn events(told in prop::collection::vec((any::<u32>(), prop::collection::vec((any::<String>(), any_double()), 0..4)), 0..5)) {
        use prost::Message;
        let folder = folder();
        let mut file = tensorboard::EventFile::create(folder.path(), 7).unwrap();
        for (step, scalars) in &told {
            let mut all = tensorboard::Scalars::default();
            scalars.iter().for_each(|(tag, value)| all.scalar(tag, *value));
            file.add(u64::from(*step), all).unwrap();
        }
        let path = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let found = records(&fs::read(path).unwrap());
        // After the version and the start of a session.
        let found: Vec<Event> = found.iter().skip(2).map(|event| Event::decode(&event[..]).unwrap()).collect();
        let expected: Vec<Event> = told.iter().map(|(step, scalars)| {
            let value = |(tag, value): &(String, f64)| Value { tag: tag.clone(), simple_value: *value as f32 };
            let summary = Some(Summary { value: scalars.iter().map(value).collect() });
            Event { step: i64::from(*step), summary }
        }).collect();
        prop_assert_eq!(found, expected);
    }

    /// Other programs read a model's metadata; this is what they see.
    #[test]
    fn the_configuration_in_a_model_is_its_toml(data in any::<String>()) {
        let mut config = Config { shape: Some([2, 1, 1]), data, ..Config::default() };
        config.model.hidden = vec![2];
        let layout = Network::new(&config.model_config(config.image_shape().unwrap())).unwrap().parameters;
        let folder = folder();
        let path = folder.path().join("m");
        files::save_model(&path, &config, &layout, &vec![0.0; layout.words()]).unwrap();
        let bytes = fs::read(&path).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let told: BTreeMap<String, String> = header.metadata().clone().unwrap().into_iter().collect();
        let found: toml::Table = told["config"].parse().unwrap();
        prop_assert_eq!(found["data"].as_str(), Some(&config.portable().data[..]));
    }
}
