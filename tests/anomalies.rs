//! Defects in pictures: the score finds the pictures, and the map of nats finds the place.

mod common;

use vae_gpu::data::{self, Dataset, Split};
use vae_gpu::evaluate::Rows;
use vae_gpu::kernels::philox::{philox, uniform};
use vae_gpu::run::picture::nats_of_pixels;
use vae_gpu::train::{Config, Trainer};

/// Pixels per side of a picture and of a defect.
const SIDE: usize = 32;
const DEFECT: usize = 5;
const CHANNELS: usize = 3;
const DIM: usize = SIDE * SIDE * CHANNELS;

const TRAINED: usize = 4000;
const JUDGED: usize = 300;

/// A picture of shapes of which each second one has a white square, and where that is.
fn judged(shapes: &Dataset) -> (Vec<f32>, Vec<Option<(usize, usize)>>) {
    let mut x = shapes.test.x(0..JUDGED).unwrap();
    let place = |number: usize| {
        let words = philox([number as u32, 0, 0, 0], [5, 6]);
        let at = |word: u32| (uniform(word) * (SIDE - DEFECT + 1) as f64) as usize;
        (number % 2 == 1).then(|| (at(words[0]), at(words[1])))
    };
    let places: Vec<_> = (0..JUDGED).map(place).collect();
    for (picture, place) in x.chunks_mut(DIM).zip(&places) {
        let Some((left, top)) = place else { continue };
        for row in *top..top + DEFECT {
            let first = (row * SIDE + left) * CHANNELS;
            picture[first..first + DEFECT * CHANNELS].fill(1.0);
        }
    }
    (x, places)
}

/// The chance that a picture with a defect has a higher score than one without.
fn auroc(scores: &[f64], is_bad: impl Fn(usize) -> bool) -> f64 {
    let (bad, good): (Vec<_>, Vec<_>) = (0..scores.len()).partition(|i| is_bad(*i));
    let wins = bad.iter().map(|b| good.iter().filter(|g| scores[*b] > scores[**g]).count()).sum::<usize>();
    wins as f64 / (bad.len() * good.len()) as f64
}

#[test]
fn a_defect_is_found_and_so_is_its_place() {
    let gpu = common::gpu();
    let shapes = data::open("shapes").unwrap();
    let part = |split: &Split, count| Split::from_floats(split.x(0..count).unwrap(), DIM);
    let dataset = Dataset::new("shapes", shapes.shape, part(&shapes.train, TRAINED), part(&shapes.test, 100));
    let mut config = Config::default();
    (config.model.hidden, config.model.latent, config.train.epochs) = (vec![128], 16, 10);
    let mut trainer = Trainer::new(&gpu, &dataset, config).unwrap();
    assert_eq!(trainer.config().model.likelihood, "gaussian-learned", "as for all pictures in colour");
    trainer.run(|_| std::ops::ControlFlow::Continue(())).unwrap();

    let (x, places) = judged(&shapes);
    let rows = || Rows { values: &x, labels: &[] };
    let terms = trainer.inference().terms(rows(), 0).unwrap();
    let scores: Vec<f64> = terms.iter().map(|terms| -terms.elbo()).collect();
    let auroc = auroc(&scores, |number| places[number].is_some());
    assert!(auroc >= 0.95, "AUROC {auroc}");

    let (means, nats) = trainer.inference().strangeness(rows()).unwrap();
    assert_eq!((means.len(), nats.len()), (x.len(), x.len()));
    let mut found = Vec::new();
    for (nats, place) in nats.chunks(DIM).zip(&places) {
        let Some((left, top)) = *place else { continue };
        let pixels = nats_of_pixels(nats, CHANNELS);
        let peak = (0..pixels.len()).max_by(|a, b| pixels[*a].total_cmp(&pixels[*b])).unwrap();
        let inside = |at: usize, first: usize| (first..first + DEFECT).contains(&at);
        found.push(inside(peak % SIDE, left) && inside(peak / SIDE, top));
    }
    let share = found.iter().filter(|found| **found).count() as f64 / found.len() as f64;
    println!("AUROC {auroc:.4}, peaks within the defect {share:.3}");
    assert!(share >= 0.9, "the peak lies in {share} of the defects");
}
