//! Ranks that train one model: as threads here, each with its own device; `tests/mpi.rs` does it with processes.

mod common;
#[path = "common/tiny.rs"]
mod tiny;

use std::ops::ControlFlow;
use std::sync::Arc;

use vae_gpu::Error;
use vae_gpu::data::Dataset;
use vae_gpu::kernels::likelihood::Variance;
use vae_gpu::kernels::tuning::Tuning;
use vae_gpu::model::Network;
use vae_gpu::ranks::{Alone, Ranks, Threads, threads};
use vae_gpu::train::history::Sums;
use vae_gpu::train::{Arenas, Config, Scores, State, Trainer};
use vae_gpu::train::{Condition, ModelSection, TrainSection};

/// The shards of every batch, and the numbers of ranks that share them.
const SHARDS: u32 = 8;
const SIZES: [usize; 3] = [2, 4, 8];

/// Largest relative difference between gradients of a batch in one piece and in shards.
const ROUNDING: f64 = 1e-5;

/// The last batch of an epoch has two rows: fewer than there are shards.
fn dataset() -> Dataset {
    let mut dataset = tiny::dataset(50, 300);
    for split in [&mut dataset.train, &mut dataset.test] {
        split.labels = Some((0..split.count).map(|i| (i % 10) as u32).collect());
    }
    dataset
}

fn config(change: &dyn Fn(&mut Config)) -> Config {
    let model = ModelSection { hidden: vec![16], latent: 3, ..ModelSection::default() };
    let shards = SHARDS.try_into().ok();
    let train = TrainSection { batch_size: 16, lr: 0.01, epochs: 2, shards, ..TrainSection::default() };
    let mut config = Config { model, train, ..Config::default() };
    change(&mut config);
    config
}

fn layers<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

type Change = &'static dyn Fn(&mut Config);

/// Models whose gradient of a batch is the sum of its rows' ones.
const BY_ROW: &[(&str, Change)] = &[
    ("vae", &|_| ()),
    ("streamed", &|c| c.train.stream = true),
    ("several samples", &|c| c.train.samples = 3),
    ("iwae", &|c| (c.model.kind, c.train.samples) = ("iwae".into(), 3)),
    ("ae", &|c| c.model.kind = "ae".into()),
    ("conditional", &|c| c.model.condition = Condition::Labels),
    ("mirrored pictures", &|c| c.train.flip = true),
    ("clipping", &|c| (c.train.clip_norm, c.train.weight_decay) = (1.0, 0.1)),
    ("convolutions", &|c| c.model.encoder = layers("conv 4x3/2, linear 9")),
    ("warm-up of a grey model", &|c| {
        c.model.likelihood = "gaussian-learned".into();
        (c.train.beta, c.train.kl_warmup) = (0.5, 1.0);
    }),
];

/// Models that also measure something over the rows of a shard.
const BY_SHARD: &[(&str, Change)] = &[
    ("batch norm", &|c| {
        c.model.encoder = layers("conv 4x3/2, norm batch, linear 9");
    }),
    ("free bits", &|c| c.train.free_bits = 0.1),
    ("a variance in closed form", &|c| {
        (c.model.likelihood, c.model.variance) = ("gaussian-learned".into(), Some(Variance::Optimal));
    }),
];

/// A trainer as one of these ranks.
fn trainer(ranks: &Arc<dyn Ranks>, dataset: &Dataset, config: &Config) -> Trainer {
    Trainer::among(ranks, &common::gpu(), dataset, config.clone(), &Tuning::default()).unwrap()
}

/// Trains to the end.
fn train(trainer: &mut Trainer) -> (Arenas, State, Scores) {
    let mut scores = None;
    while !trainer.is_done() {
        trainer.epoch(&mut |_| ControlFlow::Continue(())).unwrap().unwrap();
        scores = Some(trainer.evaluate().unwrap());
    }
    let state = State { seconds: 0.0, ..trainer.state() };
    (trainer.arenas().unwrap(), state, scores.unwrap())
}

fn bits((arenas, state, scores): &(Arenas, State, Scores)) -> (Vec<u32>, String) {
    let Arenas { parameters, moment1, moment2 } = arenas;
    let all = [parameters, moment1, moment2];
    let bits = all.iter().flat_map(|arena| arena.iter().map(|value| value.to_bits())).collect();
    (bits, format!("{state:?} {scores:?}"))
}

fn among(ranks: &Threads) -> Arc<dyn Ranks> {
    Arc::new(ranks.clone())
}

/// Weights, moments, sums of losses and evaluations.
#[test]
fn any_number_of_ranks_gives_the_bits_of_one() {
    let dataset = dataset();
    for (name, change) in BY_ROW.iter().chain(BY_SHARD) {
        let config = config(change);
        let alone = bits(&train(&mut trainer(&Alone::ranks(), &dataset, &config)));
        // The larger numbers for some of them: each rank opens a device.
        for size in if *name == "vae" || *name == "batch norm" { &SIZES[..] } else { &SIZES[..1] } {
            let all = threads(*size, |ranks| bits(&train(&mut trainer(&among(&ranks), &dataset, &config))));
            for (rank, found) in all.iter().enumerate() {
                assert_eq!(found.1, alone.1, "{name}: rank {rank} of {size}");
                assert!(found.0 == alone.0, "{name}: rank {rank} of {size} has other bits");
            }
        }
    }
}

/// Gradients travel in buckets while the device goes on: whatever their size, and with several shards a rank.
#[test]
fn buckets_of_any_size_give_the_same_bits() {
    let dataset = dataset();
    let models = BY_ROW.iter().chain(BY_SHARD);
    let models: Vec<_> =
        models.filter(|(name, _)| ["vae", "batch norm", "streamed"].contains(name)).collect();
    for (name, change) in models {
        let config = config(change);
        let expected = bits(&train(&mut trainer(&Alone::ranks(), &dataset, &config)));
        // More buckets than dispatches, a few, and one that is all but a word of the gradients.
        for (size, bucket) in [(1, 100), (2, 64), (2, 1000), (4, 777)] {
            let all = threads(size, |ranks| {
                let mut trainer = trainer(&among(&ranks), &dataset, &config);
                trainer.cut_gradients(bucket);
                bits(&train(&mut trainer))
            });
            assert!(all.iter().all(|found| *found == expected), "{name}: {size} ranks, buckets of {bucket}");
        }
    }
}

/// One step after `done` of them: a tenth of each gradient, since that is the first moment after a step from zero; what the step
/// measured; and the sums of losses.
fn step_after(ranks: &Arc<dyn Ranks>, dataset: &Dataset, config: &Config, done: u64) -> OneStep {
    let mut trainer = trainer(ranks, dataset, config);
    let (arenas, state) = (trainer.arenas().unwrap(), trainer.state());
    trainer.restore(&arenas, State { step: done, ..state });
    trainer.epoch_until(done + 1, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(trainer.state().step, done + 1);
    let network = Network::new(trainer.model()).unwrap();
    let arenas = trainer.arenas().unwrap();
    let of = |trained: bool, arena: &[f32]| {
        let parameters = network.parameters.iter().filter(|parameter| parameter.is_trained() == trained);
        parameters.map(|of| (of.name.clone(), of.extract(arena))).collect()
    };
    (of(true, &arenas.moment1), of(false, &arenas.parameters), trainer.state().sums)
}

type Tensors = Vec<(String, Vec<f32>)>;
type OneStep = (Tensors, Tensors, Sums);

fn norm(values: &mut dyn Iterator<Item = f64>) -> f64 {
    values.map(|x| x * x).sum::<f64>().sqrt()
}

fn size(tensor: &[f32]) -> f64 {
    norm(&mut tensor.iter().map(|a| f64::from(*a)))
}

fn apart(a: &[f32], b: &[f32]) -> f64 {
    norm(&mut a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b)))
}

#[test]
fn shards_have_the_gradient_of_the_batch() {
    let dataset = dataset();
    let step_after = |config: &Config, done| step_after(&Alone::ranks(), &dataset, config, done);
    // Parts of two rows, and of unequal ones: the kernels of three rows are others, but the rows are the same.
    for (name, change) in BY_ROW {
        // The first batch is whole, the fourth has two rows.
        for (shards, done) in [(8, 0), (5, 0), (8, 3), (5, 3)] {
            let mut whole = config(change);
            whole.train.shards = None;
            let mut divided = whole.clone();
            divided.train.shards = u32::try_into(shards).ok();
            let ((whole, _, sums), (divided, _, parts)) =
                (step_after(&whole, done), step_after(&divided, done));
            for ((tensor, whole), (_, divided)) in whole.iter().zip(&divided) {
                let (apart, size) = (apart(whole, divided), size(whole));
                assert!(
                    size > 0.0 && apart <= ROUNDING * size,
                    "{name}: {tensor} in {shards} after {done}: {}",
                    apart / size
                );
            }
            let apart = ((sums.objective - parts.objective) / sums.objective).abs();
            assert!(apart < ROUNDING && sums.rows == parts.rows, "{name}: {sums:?} {parts:?}");
        }
    }
}

/// Batch norm over all ranks: gradients and running means of one process that has the whole batch, in a batch that divides, in one that
/// does not, and in one with fewer rows than ranks.
#[test]
fn ranks_that_measure_together_have_the_gradient_of_the_batch() {
    let dataset = dataset();
    let models: [(&str, Change); 4] = [
        ("pictures", &|c| c.model.encoder = layers("conv 4x3/2, norm batch, conv 6x3, norm batch, linear 9")),
        ("rows", &|c| c.model.encoder = layers("linear 9 tanh, norm batch, linear 8")),
        ("several samples", &|c| {
            c.model.encoder = layers("linear 9, norm batch");
            c.model.decoder = layers("linear 7, norm batch, relu");
            c.train.samples = 3;
        }),
        ("a norm of the data", &|c| {
            (c.model.encoder, c.model.decoder) = (layers("norm batch, linear 9"), layers("linear 7"));
        }),
    ];
    for (name, change) in models {
        // The last batch of 15 has five rows.
        for (batch, done, sizes) in [(16, 0, [2, 4]), (15, 0, [2, 4]), (15, 3, [4, 8])] {
            let mut whole = config(change);
            (whole.train.batch_size, whole.train.shards) = (batch, None);
            let mut together = whole.clone();
            together.train.sync_norm = true;
            let (gradients, measured, sums) = step_after(&Alone::ranks(), &dataset, &whole, done);
            // A shift before a norm over the batch changes next to nothing, and so does all before one of few rows: terms cancel in these
            // gradients, and what is left has the rounding of the others.
            let of_all = gradients.iter().map(|(_, tensor)| size(tensor)).fold(0.0, f64::max);
            for ranks in sizes {
                let found = threads(ranks, |ranks| step_after(&among(&ranks), &dataset, &together, done));
                for (rank, (theirs, running, parts)) in found.iter().enumerate() {
                    let at = format!("{name}: rank {rank} of {ranks}, batch {batch} after {done}");
                    for ((tensor, whole), (_, divided)) in gradients.iter().zip(theirs) {
                        let cancels = tensor.ends_with(".bias") || done > 0;
                        let bound = ROUNDING * if cancels { of_all } else { size(whole) };
                        let apart = apart(whole, divided);
                        assert!(apart <= bound, "{at}: {tensor} {} of {of_all}", apart / size(whole));
                    }
                    assert!(!measured.is_empty(), "{at}");
                    for ((tensor, whole), (_, divided)) in measured.iter().zip(running) {
                        let apart = apart(whole, divided) / size(whole);
                        assert!(apart <= ROUNDING, "{at}: {tensor} {apart}");
                    }
                    let apart = ((sums.objective - parts.objective) / sums.objective).abs();
                    assert!(apart < ROUNDING && sums.rows == parts.rows, "{at}: {sums:?} {parts:?}");
                }
            }
        }
    }
}

/// The same over epochs, in buckets and not, resumed and not: the same bits for a number of ranks.
#[test]
fn ranks_that_measure_together_repeat_themselves() {
    let dataset = dataset();
    let config = config(&|c| {
        c.model.encoder = layers("conv 4x3/2, norm batch, linear 9");
        (c.train.shards, c.train.sync_norm) = (None, true);
    });
    let whole = threads(4, |ranks| bits(&train(&mut trainer(&among(&ranks), &dataset, &config))));
    assert!(whole.iter().all(|found| *found == whole[0]));
    let again = threads(4, |ranks| {
        let mut trainer = trainer(&among(&ranks), &dataset, &config);
        trainer.cut_gradients(200);
        assert!(trainer.epoch(&mut |_| ControlFlow::Break(())).unwrap().is_none());
        let (arenas, state) = (trainer.arenas().unwrap(), trainer.state());
        trainer.restore(&arenas, state);
        bits(&train(&mut trainer))
    });
    assert!(again.iter().all(|found| *found == whole[0]));
}

/// From a checkpoint of four ranks, two go on: the same bits as without a stop.
#[test]
fn another_number_of_ranks_goes_on_where_the_others_stopped() {
    let (dataset, config) = (dataset(), config(&|_| ()));
    let expected = bits(&train(&mut trainer(&Alone::ranks(), &dataset, &config)));
    let stopped = threads(4, |ranks| {
        let mut trainer = trainer(&among(&ranks), &dataset, &config);
        // One of them wants to stop after the first step; all of them do, after the second.
        let wants = ranks.rank() == 2;
        let mut observe = |_: &_| if wants { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        assert!(trainer.epoch(&mut observe).unwrap().is_none());
        (trainer.arenas().unwrap(), trainer.state())
    });
    for (arenas, state) in &stopped {
        assert_eq!(state.step, 2);
        assert!(arenas.parameters == stopped[0].0.parameters);
    }
    let (arenas, state) = &stopped[0];
    let resumed = threads(2, |ranks| {
        let mut trainer = trainer(&among(&ranks), &dataset, &config);
        trainer.restore(arenas, *state);
        bits(&train(&mut trainer))
    });
    assert!(resumed.iter().all(|found| *found == expected));
}

#[test]
fn ranks_that_train_something_else_are_named_before_the_first_step() {
    let dataset = dataset();
    let errors = threads(3, |ranks| {
        let mut config = config(&|c| c.train.shards = None);
        if ranks.rank() == 1 {
            config.train.lr = 0.5;
        }
        let mut trainer = trainer(&among(&ranks), &dataset, &config);
        trainer.epoch(&mut |_| ControlFlow::Continue(())).unwrap_err()
    });
    for error in errors {
        assert!(matches!(error, Error::Ranks { .. }), "{error}");
        assert!(error.to_string().starts_with("the configuration and data of rank 1 differ"), "{error}");
    }
}

#[test]
fn parameters_that_part_are_noticed() {
    let (dataset, config) = (dataset(), config(&|_| ()));
    let errors = threads(2, |ranks| {
        let mut trainer = trainer(&among(&ranks), &dataset, &config);
        let mut arenas = trainer.arenas().unwrap();
        arenas.parameters[0] += ranks.rank() as f32;
        trainer.restore(&arenas, State { train_count: 50, ..State::default() });
        trainer.epoch(&mut |_| ControlFlow::Continue(())).unwrap_err()
    });
    for error in errors {
        assert!(error.to_string().starts_with("after step 0, the parameters of rank 1 differ"), "{error}");
    }
}

#[test]
fn a_loss_that_is_no_number_ends_all_ranks_alike() {
    let (dataset, config) = (dataset(), config(&|c| c.train.lr = f32::MAX));
    let errors = threads(2, |ranks| {
        let mut trainer = trainer(&among(&ranks), &dataset, &config);
        trainer.run(|_| ControlFlow::Continue(())).unwrap_err()
    });
    assert!(matches!(errors[0], Error::Diverged { .. }), "{}", errors[0]);
    assert_eq!(errors[0].to_string(), errors[1].to_string());
}

#[test]
fn shards_that_cannot_be_are_refused() {
    let dataset = dataset();
    let refused = |shards: u32, size: usize, change: Change| {
        let mut config = config(change);
        config.train.shards = shards.try_into().ok();
        let errors = threads(size, |ranks| {
            let made =
                Trainer::among(&among(&ranks), &common::gpu(), &dataset, config.clone(), &Tuning::default());
            made.err().expect("it is refused").to_string()
        });
        errors[0].clone()
    };
    let error = refused(6, 2, &|_| ());
    assert!(
        error.starts_with("`train.shards` = 6: they cannot be divided among 2 ranks; start 1 or 3 or 6"),
        "{error}"
    );
    let error = refused(17, 1, &|_| ());
    assert!(
        error.starts_with("`train.shards` = 17: a batch of 16 rows has fewer; use 16 or fewer"),
        "{error}"
    );
    let error = refused(9, 1, &|c| c.model.encoder = layers("linear 9, norm batch"));
    assert!(error.contains("has one for some of them") && error.contains("use 8 or fewer"), "{error}");
    let error = refused(8, 2, &|c| {
        c.model.encoder = layers("linear 9, norm batch");
        c.train.sync_norm = true;
    });
    assert!(
        error.starts_with(
            "`train.sync_norm` = true: it needs one shard a rank, and 2 ranks would have 4 of 8 each"
        ),
        "{error}"
    );
    assert!(error.ends_with("start 8 ranks, or use `train.shards` = 2"), "{error}");
    let error = refused(2, 2, &|c| c.train.sync_norm = true);
    assert!(
        error.starts_with("`train.sync_norm` = true: no layer of the model is a `norm batch`"),
        "{error}"
    );
}
