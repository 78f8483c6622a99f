//! The likelihood of a run that names none: what fits the data.

use super::{AUTO, Config};
use crate::data::{Dataset, Row};
use crate::error::Result;
use crate::kernels::gather::Binarize;
use crate::kernels::likelihood::Variance;
use crate::kernels::likelihood::bernoulli::BERNOULLI;
use crate::kernels::likelihood::gaussian_learned::GAUSSIAN_LEARNED;

/// A likelihood that was chosen by the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fitting {
    /// Its name.
    pub likelihood: &'static str,
    /// Where its variance comes from, if it has one.
    pub variance: Option<Variance>,
    /// What the data is that it fits.
    pub why: &'static str,
}

/// Most rows that are looked at, evenly spread over the training part, and most values of them.
const LOOKED_AT: usize = 1000;
const VALUES: usize = 1 << 24;
/// A value is black or white if it is this near to 0 or 1.
const NEAR_THE_END: f32 = 0.1;
/// The share of grey values from which on they are no edges of black and white: MNIST has 0.09, Fashion-MNIST 0.40.
const GREY: f64 = 1.0 / 3.0;
/// The least share of either end: drawings have both, and pictures that are dark throughout have no white. MNIST has 0.09.
const LEAST: f64 = 0.005;

/// The variance of a Gaussian where none is named: one for all values, in closed form. Learned, its log moves by the learning
/// rate in a step, and needs thousands of steps from 1 to what pictures have: on the 10,000 shapes of `--data shapes`, the third
/// epoch reaches +2410 nats with this one and the thirteenth -1594 with a learned one.
const USUAL: Variance = Variance::Optimal;

/// How many values there are, are neither 0 nor 1, are not near them, and are near 1.
#[derive(Default)]
struct Values {
    count: u64,
    between: u64,
    grey: u64,
    white: u64,
}

impl Values {
    fn of(dataset: &Dataset) -> Result<Values> {
        let (rows, dim) = (dataset.train.count, dataset.shape.dim().max(1));
        let every = rows.div_ceil(LOOKED_AT.min(VALUES / dim).max(1)).max(1);
        let mut values = Values::default();
        dataset.train.each((0..rows).step_by(every), &mut |row| match row {
            Row::Bytes(row) => row.iter().for_each(|v| values.add(f32::from(*v) / 255.0)),
            Row::Floats(row) => row.iter().for_each(|x| values.add(*x)),
        })?;
        Ok(values)
    }

    fn add(&mut self, x: f32) {
        self.count += 1;
        self.between += u64::from(x != 0.0 && x != 1.0);
        self.grey += u64::from((NEAR_THE_END..=1.0 - NEAR_THE_END).contains(&x));
        self.white += u64::from(x > 1.0 - NEAR_THE_END);
    }

    /// Whether they are as ink on paper. Rows of a table may be pictures too, but then most values are 0 or 1: columns that
    /// are small throughout are not.
    fn is_ink(&self, is_table: bool) -> bool {
        let share = |part: u64| part as f64 / self.count as f64;
        let black = self.count - self.grey - self.white;
        let both = share(self.white.min(black)) >= LEAST;
        share(self.grey) < GREY && both && !(is_table && share(self.between) > 0.5)
    }
}

#[doc(hidden)]
impl Config {
    /// The likelihood that fits the data, where none is named: Bernoulli for zeros and ones, for data that are almost that,
    /// as MNIST's pictures, and where values are to be binarised; else, and where a variance is named, a Gaussian with that
    /// variance or one for all values. Columns that were scaled into 0..1 are no ink on paper, however skewed they are.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`] if the data is in a file that can no longer be read.
    pub fn fitting(&self, dataset: &Dataset) -> Result<Option<Fitting>> {
        if self.model.likelihood != AUTO {
            return Ok(None);
        }
        let bernoulli = |why| Ok(Some(Fitting { likelihood: BERNOULLI.name, variance: None, why }));
        let variance = Some(self.model.variance.unwrap_or(USUAL));
        let gaussian = |why| Ok(Some(Fitting { likelihood: GAUSSIAN_LEARNED.name, variance, why }));
        let binarize = self.train.binarize;
        if self.model.variance.is_some() {
            return gaussian("a variance is named");
        }
        if binarize.is_some_and(|binarize| binarize != Binarize::None) {
            return bernoulli("the values are binarised");
        }
        let is_table = dataset.shape.is_table();
        let may_be_ink = binarize.is_none() && !(is_table && dataset.scaling.is_some());
        match (dataset.unit, is_table) {
            (false, true) => return gaussian("columns whose values reach beyond 0..1"),
            (false, false) => return gaussian("pictures whose values reach beyond 0..1"),
            (true, _) => {}
        }
        let values = Values::of(dataset)?;
        if values.between == 0 {
            bernoulli("every value is 0 or 1")
        } else if dataset.shape.channels > 1 {
            gaussian("pictures in colour")
        } else if may_be_ink && values.is_ink(is_table) {
            bernoulli("values that are almost all 0 or 1, as ink on paper")
        } else if is_table {
            gaussian("columns of values between 0 and 1")
        } else {
            gaussian("grey pictures")
        }
    }

    /// Takes over the likelihood that fits the data, where none is named.
    pub(super) fn fit(&mut self, dataset: &Dataset) -> Result<()> {
        if let Some(Fitting { likelihood, variance, .. }) = self.fitting(dataset)? {
            self.model.likelihood = likelihood.into();
            self.model.variance = variance.or(self.model.variance);
            self.resolve();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Scaling, Shape, Split};

    const PICTURE: Shape = Shape { width: 2, height: 2, channels: 1 };

    fn chosen(config: &Config, shape: Shape, bytes: &[u8]) -> (&'static str, Option<Variance>) {
        let split = Split::new(bytes.to_vec(), shape.dim(), None);
        let fitting = config.fitting(&Dataset::new("x", shape, split.clone(), split)).unwrap().unwrap();
        (fitting.likelihood, fitting.variance)
    }

    #[test]
    fn the_data_choose() {
        let config = Config::default();
        let (bernoulli, gaussian) = (("bernoulli", None), ("gaussian-learned", Some(Variance::Optimal)));
        let black_and_white = [0, 255, 255, 0].repeat(3);
        let grey = [0, 100, 255, 120].repeat(3);
        // A quarter is grey, then a half.
        let ink = [0, 0, 255, 130].repeat(3);
        let painted = [0, 130, 255, 130].repeat(3);
        // As pictures of 12 bits in 16 are, and their negatives.
        let (dark, bright) = ([0, 9, 16, 3].repeat(3), [255, 240, 250, 251].repeat(3));
        let colour = Shape { width: 2, height: 1, channels: 2 };
        for (shape, bytes, expected) in [
            (PICTURE, &black_and_white, bernoulli),
            (colour, &black_and_white, bernoulli),
            (Shape::table(4), &black_and_white, bernoulli),
            (PICTURE, &ink, bernoulli),
            (Shape::table(4), &ink, bernoulli),
            (colour, &ink, gaussian),
            (PICTURE, &painted, gaussian),
            (PICTURE, &dark, gaussian),
            (PICTURE, &bright, gaussian),
            (PICTURE, &grey, gaussian),
            (colour, &grey, gaussian),
            (Shape::table(4), &grey, gaussian),
        ] {
            assert_eq!(chosen(&config, shape, bytes), expected, "{shape} {bytes:?}");
        }
        let mut binarised = Config::default();
        binarised.train.binarize = Some(Binarize::Dynamic);
        assert_eq!(chosen(&binarised, PICTURE, &grey), bernoulli);
        let mut pixel = Config::default();
        pixel.model.variance = Some(Variance::Pixel);
        // A variance is of a Gaussian, whatever the data are.
        for bytes in [&grey, &ink, &black_and_white] {
            assert_eq!(chosen(&pixel, PICTURE, bytes), ("gaussian-learned", Some(Variance::Pixel)));
        }
        // What is not to be binarised is no ink either, unless it is black and white.
        let mut plain = Config::default();
        plain.train.binarize = Some(Binarize::None);
        assert_eq!(chosen(&plain, PICTURE, &ink), gaussian);
        assert_eq!(chosen(&plain, PICTURE, &black_and_white), bernoulli);
    }

    #[test]
    fn skewed_columns_that_were_scaled_are_no_ink() {
        // As incomes are: most near the smallest, one far above.
        let dataset = |values: [f32; 6], shape: Shape, is_scaled: bool| {
            let split = Split::from_floats(values.repeat(4), 2);
            let scaling = Scaling { shift: vec![3.0, -7.0], scale: vec![900.0, 20.0], fill: Vec::new() };
            let scaling = is_scaled.then_some(scaling);
            Dataset { scaling, ..Dataset::new("x", shape, split.clone(), split) }
        };
        let (skewed, sparse) = ([0.0, 0.01, 0.02, 0.03, 0.05, 1.0], [0.0, 0.0, 0.02, 0.0, 0.5, 1.0]);
        let (table, picture) = (Shape::table(2), Shape { width: 1, height: 2, channels: 1 });
        for (values, shape, is_scaled, expected) in [
            (skewed, table, true, "gaussian-learned"),
            (sparse, table, true, "gaussian-learned"),
            (skewed, table, false, "gaussian-learned"),
            // As rows of a picture are, and pictures with an offset.
            (sparse, table, false, "bernoulli"),
            (skewed, picture, false, "bernoulli"),
            (skewed, picture, true, "bernoulli"),
        ] {
            let fitting = Config::default().fitting(&dataset(values, shape, is_scaled)).unwrap().unwrap();
            assert_eq!(fitting.likelihood, expected, "{values:?} {shape} {is_scaled}");
        }
    }

    #[test]
    fn values_beyond_one_are_no_probabilities() {
        let split = Split::from_floats(vec![0.0, 2.0, -1.0, 0.5], 2);
        let dataset = Dataset { unit: false, ..Dataset::new("x", Shape::table(2), split.clone(), split) };
        let fitting = Config::default().fitting(&dataset).unwrap().unwrap();
        assert_eq!((fitting.likelihood, fitting.variance), ("gaussian-learned", Some(Variance::Optimal)));
    }

    #[test]
    fn what_is_named_stays_and_what_is_chosen_is_written_down() {
        let grey = Split::new([0, 100, 255, 120].repeat(3), 4, None);
        let dataset = Dataset::new("x", PICTURE, grey.clone(), grey);
        let mut config = Config::default();
        config.adopt(&dataset).unwrap();
        assert_eq!(config.model.likelihood, "gaussian-learned");
        assert_eq!(config.model.variance, Some(Variance::Optimal));
        assert_eq!(config.train.binarize, Some(Binarize::None));
        assert_eq!(config.fitting(&dataset).unwrap(), None);

        let mut named = Config::default();
        named.model.likelihood = "categorical".into();
        named.adopt(&dataset).unwrap();
        assert_eq!((named.model.likelihood.as_str(), named.model.variance), ("categorical", None));
    }

    #[test]
    fn only_pictures_can_be_mirrored() {
        let mut config = Config::default();
        config.train.flip = true;
        let split = Split::new(vec![0, 255, 255, 0], 2, None);
        let of = |shape| Dataset::new("x", shape, split.clone(), split.clone());
        let message = config.check_data(&of(Shape::table(2))).unwrap_err().to_string();
        assert!(message.contains("`train.flip` is for pictures"), "{message}");
        let shape = Shape { width: 1, height: 2, channels: 1 };
        config.check_data(&of(shape)).unwrap();
        // Rows of an array may be pictures to a model that is of such.
        let pictures = Config { shape: Some([1, 2, 1]), ..config.clone() };
        pictures.check_data(&of(Shape::table(2))).unwrap();
        let mirror = config.recipe(shape).flip.unwrap();
        assert_eq!((mirror.width, mirror.channels), (1, 1));
    }

    /// The README's figures of MNIST stand on it.
    #[test]
    fn mnist_stays_bernoulli() {
        let mut config = Config::default();
        config.adopt(&crate::data::open("mnist").unwrap()).unwrap();
        assert_eq!(config.model.likelihood, "bernoulli");
        assert_eq!(config.train.binarize, Some(Binarize::Dynamic));
    }
}
