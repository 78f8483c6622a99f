//! Mean, deviation and range of each column.

/// Statistics of each column; for bytes, of v / 255.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Rows.
    pub count: u64,
    /// Mean of each column.
    pub mean: Vec<f64>,
    /// Standard deviation of each column, over `count`.
    pub std: Vec<f64>,
    /// Smallest value of each column.
    pub min: Vec<f64>,
    /// Largest value of each column.
    pub max: Vec<f64>,
    /// Whether all values of a column are whole numbers.
    pub whole: Vec<bool>,
    /// The first row, which is subtracted before summing so that large means cost no digits.
    origin: Vec<f64>,
    /// The first NaN or infinite value: row and column, from 0.
    pub(super) bad: Option<(u64, usize)>,
}

impl Summary {
    /// An empty summary of `dim` columns. While rows are added, `mean` and `std` hold sums of differences and of
    /// squares.
    pub(super) fn new(dim: usize) -> Summary {
        Summary {
            mean: vec![0.0; dim],
            std: vec![0.0; dim],
            min: vec![f64::INFINITY; dim],
            max: vec![f64::NEG_INFINITY; dim],
            whole: vec![true; dim],
            ..Summary::default()
        }
    }

    pub(super) fn add(&mut self, row: &[f32]) {
        if self.count == 0 {
            self.origin = row.iter().map(|v| f64::from(*v)).collect();
        }
        let mut finite = true;
        let sums = self.mean.iter_mut().zip(&mut self.std).zip(self.min.iter_mut().zip(&mut self.max));
        for ((v, origin), ((sum, squares), (min, max))) in row.iter().zip(&self.origin).zip(sums) {
            finite &= v.is_finite();
            let v = f64::from(*v);
            let difference = v - origin;
            *sum += difference;
            *squares += difference * difference;
            *min = if v < *min { v } else { *min };
            *max = if v > *max { v } else { *max };
        }
        // Few columns stay whole by chance: most are not looked at again.
        for (whole, v) in self.whole.iter_mut().zip(row).filter(|(whole, _)| **whole) {
            *whole = v.fract() == 0.0;
        }
        if !finite && self.bad.is_none() {
            self.bad = row.iter().position(|v| !v.is_finite()).map(|column| (self.count, column));
        }
        self.count += 1;
    }

    /// Turns the sums into means and deviations.
    pub(super) fn finish(mut self) -> Summary {
        let n = self.count.max(1) as f64;
        for ((mean, std), origin) in self.mean.iter_mut().zip(&mut self.std).zip(&self.origin) {
            let shift = *mean / n;
            *std = (*std / n - shift * shift).max(0.0).sqrt();
            *mean = origin + shift;
        }
        // A constant column has deviation zero, whatever rounding says.
        for (std, (min, max)) in self.std.iter_mut().zip(self.min.iter().zip(&self.max)) {
            *std = if min == max { 0.0 } else { *std };
        }
        self
    }

    /// Appends the summary of the rows that follow, both finished (Chan, Golub & LeVeque 1979).
    pub(super) fn join(&mut self, next: Summary) {
        if self.count == 0 {
            *self = next;
            return;
        }
        let (a, b) = (self.count as f64, next.count as f64);
        let n = a + b;
        for i in 0..self.mean.len() {
            let delta = next.mean[i] - self.mean[i];
            let squares = a * self.std[i].powi(2) + b * next.std[i].powi(2) + delta * delta * a * b / n;
            self.mean[i] += delta * b / n;
            self.std[i] = (squares / n).sqrt();
            self.min[i] = self.min[i].min(next.min[i]);
            self.max[i] = self.max[i].max(next.max[i]);
            self.whole[i] &= next.whole[i];
        }
        self.bad = self.bad.or(next.bad.map(|(row, column)| (self.count + row, column)));
        self.count += next.count;
    }

    /// The summary of all columns together, as one column.
    pub fn pooled(&self) -> Summary {
        let mut all = Summary::default();
        for i in 0..self.mean.len() {
            all.join(Summary {
                count: self.count,
                mean: vec![self.mean[i]],
                std: vec![self.std[i]],
                min: vec![self.min[i]],
                max: vec![self.max[i]],
                whole: vec![self.whole[i]],
                ..Summary::default()
            });
        }
        all
    }

    /// The smallest and largest value of all.
    pub fn range(&self) -> (f64, f64) {
        let min = self.min.iter().copied().fold(f64::INFINITY, f64::min);
        (min, self.max.iter().copied().fold(f64::NEG_INFINITY, f64::max))
    }
}
