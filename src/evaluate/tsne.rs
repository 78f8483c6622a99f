//! Maps of codes by t-SNE (van der Maaten & Hinton 2008), with the forces of Barnes and Hut (van der Maaten 2014).

use bhtsne::{Neighbor, tSNE};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

use super::Pca;
use crate::error::{Error, Result};

/// Neighbours of a datum that attract it, for each of its perplexity.
const NEIGHBOURS: f64 = 3.0;
/// Cells of the plane that are this small from where a datum lies, their width over their distance, push it as one.
const THETA: f32 = 0.5;
/// Steps of the descent, of which the first quarter pulls harder: with the size of a step, those of scikit-learn 1.
const STEPS: usize = 1000;
/// The most neighbours of all data together: a gigabyte of them.
const MOST_NEIGHBOURS: f64 = 6.4e7;
/// The deviation with which the first principal component begins.
const START: f64 = 1e-4;

/// The settings of a map by t-SNE.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tsne {
    /// About how many neighbours of a datum count; those of the data are at least three times as many.
    pub perplexity: f64,
}

impl Default for Tsne {
    fn default() -> Tsne {
        Tsne { perplexity: 30.0 }
    }
}

impl Tsne {
    /// Steps of [`Tsne::map`].
    pub const STEPS: usize = STEPS;

    /// The usual settings or, for few data, the largest perplexity that they have; none where they are hardly any.
    pub fn usual(count: usize) -> Option<Tsne> {
        let perplexity = Tsne::default().perplexity.min(Tsne::most_perplexity(count) as f64);
        (perplexity >= 1.0).then_some(Tsne { perplexity })
    }

    /// The largest perplexity for so many data.
    pub fn most_perplexity(count: usize) -> usize {
        count.saturating_sub(1) / NEIGHBOURS as usize
    }

    /// Places [N, 2] of codes [N, `dim`] in the plane, about its origin, such that neighbours stay neighbours; far data
    /// may lie anywhere far. They begin at the two principal components, and there is no chance in it: the same codes are the
    /// same bits, on any number of threads. A code that is not finite is nowhere, at NaN. `after` is called after each of
    /// [`Tsne::STEPS`] steps with the number of those that are done.
    ///
    /// # Errors
    /// [`Error::Setting`] where the perplexity is below 1 or above [`Tsne::most_perplexity`] of the finite codes;
    /// [`Error::Usage`] where no thread can be started.
    ///
    /// # Panics
    /// If `codes` is not a whole number of rows.
    pub fn map(self, codes: &[f32], dim: usize, after: impl FnMut(usize) + Send) -> Result<Vec<[f64; 2]>> {
        assert!(dim > 0 && codes.len().is_multiple_of(dim), "rows of {dim} numbers");
        let is_known = |row: &&[f32]| row.iter().all(|v| v.is_finite());
        let mut known = codes.chunks_exact(dim).filter(is_known).collect::<Vec<_>>().concat();
        self.check(known.len() / dim)?;
        // Only proportions count: the descent computes with 32 bits.
        let largest = known.iter().fold(0.0f32, |most, v| most.max(v.abs())).max(f32::MIN_POSITIVE);
        known.iter_mut().for_each(|v| *v /= largest);
        let rows: Vec<&[f32]> = known.chunks_exact(dim).collect();
        let found = match rows.iter().all(|row| row == &rows[0]) {
            true => vec![0.0; 2 * rows.len()],
            false => self.descend(&rows, dim, after)?,
        };
        let mut found = found.as_chunks::<2>().0.iter().map(|place| place.map(f64::from));
        let place =
            |row: &[f32]| if is_known(&row) { found.next().expect("a place a code") } else { [f64::NAN; 2] };
        Ok(codes.chunks_exact(dim).map(place).collect())
    }

    /// Places [N, 2] of rows [N, `dim`].
    fn descend(self, rows: &[&[f32]], dim: usize, mut after: impl FnMut(usize) + Send) -> Result<Vec<f32>> {
        let neighbours = neighbours(rows, (NEIGHBOURS * self.perplexity) as usize);
        let start = start(rows, dim);
        let descend = || {
            let mut descent = tSNE::<f32, &[f32]>::new(rows);
            descent.perplexity(self.perplexity as f32).epochs(STEPS).initial_embedding(start);
            descent.epoch_callback(|done, _| after(done + 1));
            descent.barnes_hut_with_neighbors(THETA, &neighbours).embedding()
        };
        // Several threads would add in the order in which they end.
        let pool = ThreadPoolBuilder::new().num_threads(1).build();
        let pool = pool.map_err(|error| Error::Usage(format!("t-SNE needs a thread: {error}")))?;
        Ok(pool.install(descend))
    }

    fn check(self, count: usize) -> Result<()> {
        let (given, most) = (self.perplexity, Tsne::most_perplexity(count));
        if (1.0..=most as f64).contains(&given) {
            let most = (MOST_NEIGHBOURS / NEIGHBOURS / count as f64).floor();
            if given <= most {
                return Ok(());
            }
            let next = format!(
                "its neighbours of {count} data would take gigabytes: use {most} or less, or fewer data"
            );
            return Err(Error::value("perplexity", given, next));
        }
        let next = match most {
            0 => "use 4 data or more".to_owned(),
            1 if given >= 1.0 => "use 1, or more data".to_owned(),
            most if given >= 1.0 => format!("use {most} or less, or more data"),
            _ => "use 1 or more".to_owned(),
        };
        let next =
            format!("t-SNE looks at three times as many neighbours of each of the {count} data: {next}");
        Err(Error::value("perplexity", given, next))
    }
}

/// The `count` nearest rows of each row, the nearest first; of those at the same distance, the first ones.
fn neighbours(rows: &[&[f32]], count: usize) -> Vec<Vec<Neighbor<f32>>> {
    let of = |(number, row): (usize, &&[f32])| {
        let squares = |other: &[f32]| {
            row.iter().zip(other).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>()
        };
        let mut others: Vec<(f64, usize)> = rows
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != number)
            .map(|(i, other)| (squares(other), i))
            .collect();
        let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        if count < others.len() {
            others.select_nth_unstable_by(count, order);
            others.truncate(count);
        }
        others.sort_unstable_by(order);
        others.into_iter().map(|(square, index)| Neighbor { index, distance: square.sqrt() as f32 }).collect()
    };
    rows.par_iter().enumerate().map(of).collect()
}

/// The first two principal components of rows [N, `dim`], small.
fn start(rows: &[&[f32]], dim: usize) -> Vec<f32> {
    let pca = Pca::of(&rows.concat(), dim);
    let places = |row: &&[f32]| [0, 1].map(|k| if k < dim { pca.project(row, k) } else { 0.0 });
    let places: Vec<[f64; 2]> = rows.iter().map(places).collect();
    let variance = places.iter().map(|[first, _]| first * first).sum::<f64>() / rows.len() as f64;
    let scale = START / variance.sqrt().max(f64::MIN_POSITIVE);
    places.as_flattened().iter().map(|v| (v * scale) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes in ten dimensions about the ends of its axes, both of each: 20 clusters, as far from each other as can be, of which a plane
    /// can hold a few.
    fn clusters(each: usize) -> (Vec<f32>, Vec<usize>) {
        const DIM: usize = 10;
        let noise = |i: usize| ((i * i * 31 + i * 17 + i / 7 * 13) % 101) as f32 / 101.0 - 0.5;
        let labels: Vec<usize> = (0..each * 2 * DIM).map(|i| i % (2 * DIM)).collect();
        let code = |(row, label): (usize, &usize)| {
            let at = move |k: usize| match k == label % DIM {
                true => {
                    if *label < DIM {
                        4.0
                    } else {
                        -4.0
                    }
                }
                false => 0.0,
            };
            (0..DIM).map(move |k| at(k) + noise(row * DIM + k)).collect::<Vec<_>>()
        };
        (labels.iter().enumerate().flat_map(code).collect(), labels)
    }

    /// The share of places whose nearest other one has the same label.
    fn agreement(places: &[[f64; 2]], labels: &[usize]) -> f64 {
        let places: Vec<f32> = places.as_flattened().iter().map(|v| *v as f32).collect();
        let rows: Vec<&[f32]> = places.chunks_exact(2).collect();
        let nearest = neighbours(&rows, 1);
        let same = nearest.iter().zip(labels).filter(|(near, label)| labels[near[0].index] == **label);
        same.count() as f64 / labels.len() as f64
    }

    #[test]
    fn more_clusters_than_a_plane_holds_stay_apart() {
        let (codes, labels) = clusters(20);
        let pca = Pca::of(&codes, 10);
        let plane: Vec<[f64; 2]> =
            codes.chunks_exact(10).map(|code| [pca.project(code, 0), pca.project(code, 1)]).collect();
        let mut steps = 0;
        let places = Tsne::default().map(&codes, 10, |done| steps = done).unwrap();
        assert_eq!((places.len(), steps), (labels.len(), Tsne::STEPS));
        let (of_plane, of_map) = (agreement(&plane, &labels), agreement(&places, &labels));
        assert!(of_map > 0.97 && of_plane < 0.7, "{of_map} and {of_plane}");
    }

    #[test]
    fn the_same_codes_are_the_same_bits_on_any_number_of_threads() {
        let (codes, _) = clusters(75);
        let map = || {
            let places = Tsne { perplexity: 5.0 }.map(&codes, 10, |_| {}).unwrap();
            places.as_flattened().iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        };
        let first = map();
        for threads in [1, 3] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert!(pool.install(map) == first, "{threads} threads");
        }
    }

    #[test]
    fn codes_that_are_none_or_all_the_same_do_no_harm() {
        let (mut codes, _) = clusters(2);
        codes[35] = f32::NAN;
        let places = Tsne { perplexity: 10.0 }.map(&codes, 10, |_| {}).unwrap();
        let is_known = |place: &[f64; 2]| place.iter().all(|v| v.is_finite());
        assert_eq!(places.iter().filter(|place| !is_known(place)).count(), 1);
        assert!(!is_known(&places[3]));
        let same = Tsne { perplexity: 10.0 }.map(&[0.25; 3 * 50], 3, |_| {}).unwrap();
        assert!(same.iter().all(is_known));
        // Two places with twenty data each, and codes as large and as small as they come.
        for scale in [1e-38, 1e-20, 1.0, 3e38] {
            let codes: Vec<f32> = (0..40).flat_map(|i| [scale * (i % 2) as f32, 0.0, 0.0]).collect();
            let places = Tsne { perplexity: 5.0 }.map(&codes, 3, |_| {}).unwrap();
            assert!(places.iter().all(is_known), "{scale}");
        }
    }

    #[test]
    fn a_perplexity_needs_three_times_as_many_others() {
        let refusal = |perplexity: f64, count: usize| {
            let codes: Vec<f32> = (0..3 * count).map(|i| (i * i % 17) as f32).collect();
            Tsne { perplexity }.map(&codes, 3, |_| {}).map_err(|error| error.to_string())
        };
        assert_eq!(Tsne::most_perplexity(91), 30);
        assert_eq!(refusal(30.0, 91).unwrap().len(), 91);
        let told = refusal(30.0, 90).unwrap_err();
        assert_eq!(
            told,
            "`perplexity` = 30: t-SNE looks at three times as many neighbours of each of the 90 data: use 29 or less, or more data"
        );
        assert!(refusal(0.5, 90).unwrap_err().ends_with("use 1 or more"));
        assert!(refusal(f64::NAN, 90).unwrap_err().ends_with("use 1 or more"));
        assert!(refusal(30.0, 3).unwrap_err().ends_with("use 4 data or more"));
        assert!(refusal(1.0, 4).is_ok());
    }

    #[test]
    fn the_nearest_come_first_and_of_equals_the_first() {
        let rows: [&[f32]; 5] = [&[0.0], &[3.0], &[1.0], &[-1.0], &[1.0]];
        let found = neighbours(&rows, 3);
        let near = |of: usize| found[of].iter().map(|n| (n.index, n.distance)).collect::<Vec<_>>();
        assert_eq!(near(0), [(2, 1.0), (3, 1.0), (4, 1.0)]);
        assert_eq!(near(1), [(2, 2.0), (4, 2.0), (0, 3.0)]);
        assert_eq!(near(2), [(4, 0.0), (0, 1.0), (1, 2.0)]);
    }
}
