//! Principal components of codes.

/// Most sweeps of Jacobi's method: each doubles the correct digits, so a dozen are plenty.
const SWEEPS: usize = 60;

/// The directions in which codes vary most.
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    /// The mean of each dimension.
    pub mean: Vec<f64>,
    /// Unit vectors, the direction of the largest variance first.
    pub components: Vec<Vec<f64>>,
    /// The share of the total variance along each.
    pub explained: Vec<f64>,
}

impl Pca {
    /// All components of those of the codes [N, `dim`] that are finite. The entry of largest magnitude in each is positive, so that pictures do not
    /// flip.
    ///
    /// # Panics
    /// If `codes` is empty, or not a whole number of rows.
    pub fn of(codes: &[f32], dim: usize) -> Pca {
        assert!(dim > 0 && !codes.is_empty() && codes.len().is_multiple_of(dim), "rows of {dim} numbers");
        let known = || codes.chunks_exact(dim).filter(|code| code.iter().all(|v| v.is_finite()));
        let count = known().count() as f64;
        let mut mean = vec![0.0; dim];
        known().flatten().enumerate().for_each(|(i, v)| mean[i % dim] += f64::from(*v) / count);
        let mut covariance = vec![vec![0.0; dim]; dim];
        for row in known() {
            let row: Vec<f64> = row.iter().zip(&mean).map(|(v, mean)| f64::from(*v) - mean).collect();
            for (sums, a) in covariance.iter_mut().zip(&row) {
                sums.iter_mut().zip(&row).for_each(|(sum, b)| *sum += a * b / count);
            }
        }
        let (variances, mut vectors) = eigen(covariance);
        for vector in &mut vectors {
            let largest = vector.iter().fold(0.0f64, |most, v| if v.abs() > most.abs() { *v } else { most });
            vector.iter_mut().for_each(|v| *v *= if largest < 0.0 { -1.0 } else { 1.0 });
        }
        let mut order: Vec<usize> = (0..dim).collect();
        order.sort_by(|a, b| variances[*b].total_cmp(&variances[*a]));
        let whole = variances.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        Pca {
            mean,
            explained: order.iter().map(|i| variances[*i].max(0.0) / whole).collect(),
            components: order.iter().map(|i| std::mem::take(&mut vectors[*i])).collect(),
        }
    }

    /// The coordinate of a code along component `number`.
    pub fn project(&self, code: &[f32], number: usize) -> f64 {
        let parts = code.iter().zip(&self.mean).zip(&self.components[number]);
        parts.map(|((v, mean), component)| (f64::from(*v) - mean) * component).sum()
    }
}

/// Eigenvalues and eigenvectors of a symmetric matrix by Jacobi's rotations (Golub & Van Loan, section 8.5).
fn eigen(mut a: Vec<Vec<f64>>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = a.len();
    // Row i becomes eigenvector i.
    let mut v: Vec<Vec<f64>> =
        (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    let whole: f64 = a.iter().flatten().map(|x| x * x).sum();
    for _ in 0..SWEEPS {
        let beside: f64 =
            (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i][j].powi(2)).sum();
        if beside <= whole * f64::EPSILON * f64::EPSILON {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q] == 0.0 {
                    continue;
                }
                let tau = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let t = if tau < 0.0 { -1.0 } else { 1.0 } / (tau.abs() + tau.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                let s = t * c;
                let rotate = |x: &mut f64, y: &mut f64| (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
                for row in &mut a {
                    let (left, right) = row.split_at_mut(q);
                    rotate(&mut left[p], &mut right[0]);
                }
                for matrix in [&mut a, &mut v] {
                    let (upper, lower) = matrix.split_at_mut(q);
                    upper[p].iter_mut().zip(&mut lower[0]).for_each(|(x, y)| rotate(x, y));
                }
            }
        }
    }
    ((0..n).map(|i| a[i][i]).collect(), v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_direction_of_the_largest_variance_comes_first() {
        // 3 along (0.6, 0.8) and 1 across, about (10, -5); nothing in the third dimension.
        let code = |a: f32, b: f32| [10.0 + 0.6 * a - 0.8 * b, -5.0 + 0.8 * a + 0.6 * b, 7.0];
        let codes = [code(3.0, 0.0), code(-3.0, 0.0), code(0.0, 1.0), code(0.0, -1.0)];
        let pca = Pca::of(codes.as_flattened(), 3);
        for (got, want) in [
            (&pca.mean[..], [10.0, -5.0, 7.0]),
            (&pca.explained, [0.9, 0.1, 0.0]),
            (&pca.components[0], [0.6, 0.8, 0.0]),
            (&pca.components[1], [0.8, -0.6, 0.0]),
        ] {
            let near = got.len() == 3 && got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-6);
            assert!(near, "{got:?} is not {want:?}");
        }
        assert!((pca.project(&codes[1], 0) + 3.0).abs() < 1e-6 && pca.project(&codes[1], 1).abs() < 1e-6);
    }

    #[test]
    fn components_are_orthogonal_eigenvectors() {
        // Correlated numbers without a pattern.
        let codes: Vec<f32> = (0..40 * 7).map(|i| ((i * i * 31 + i / 7 * 13) % 101) as f32 / 10.0).collect();
        let pca = Pca::of(&codes, 7);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let places: Vec<Vec<f64>> =
            (0..7).map(|k| codes.chunks(7).map(|code| pca.project(code, k)).collect()).collect();
        for i in 0..7 {
            for j in 0..i {
                assert!(dot(&pca.components[i], &pca.components[j]).abs() < 1e-10);
                assert!(dot(&places[i], &places[j]).abs() < 1e-6, "{i} and {j} are correlated");
            }
            assert!((dot(&pca.components[i], &pca.components[i]) - 1.0).abs() < 1e-10);
        }
        assert!(pca.explained.is_sorted_by(|a, b| a >= b));
        assert!((pca.explained.iter().sum::<f64>() - 1.0).abs() < 1e-10);
    }

    #[test]
    fn codes_that_do_not_vary_have_components_too() {
        let pca = Pca::of(&[1.0, 2.0, 1.0, 2.0], 2);
        assert_eq!((pca.explained, pca.components.len()), (vec![0.0, 0.0], 2));
    }
}
