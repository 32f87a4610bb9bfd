//! Whether two models that were given the same rows differ by more than chance (McNemar 1947).

use serde::{Deserialize, Serialize};

/// McNemar's test: of the rows that one model has right and the other wrong, is either side larger than a coin would
/// make it?
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Rows that the first has right and the second wrong.
    pub only_first: u64,
    /// Rows that the second has right and the first wrong.
    pub only_second: u64,
    /// Two-sided p-value of the exact (binomial) test.
    pub exact_p: f64,
    /// Chi-squared with one degree of freedom and continuity correction, `(|b - c| - 1)^2 / (b + c)`; `None` where the two
    /// differ in no row.
    pub chi_squared: Option<f64>,
    /// Its p-value.
    pub chi_squared_p: Option<f64>,
}

impl McNemar {
    /// From the rows on which the two differ.
    pub fn new(only_first: u64, only_second: u64) -> Self {
        let differ = only_first + only_second;
        let difference = only_first.abs_diff(only_second) as f64;
        let chi_squared =
            (differ > 0).then(|| (difference - 1.0) * (difference - 1.0) / differ as f64);
        Self {
            only_first,
            only_second,
            exact_p: binomial_p(only_first.min(only_second), differ),
            chi_squared,
            chi_squared_p: chi_squared.map(|statistic| libm::erfc((statistic / 2.0).sqrt())),
        }
    }
}

/// P-values of several tests, each as large as makes it unlikely that any of them is small by chance: Holm's step-down
/// correction (1979). In the order given.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&one, &other| p_values[one].total_cmp(&p_values[other]));
    let (mut corrected, mut largest) = (vec![0.0; p_values.len()], 0.0);
    for (rank, &at) in order.iter().enumerate() {
        let left = (p_values.len() - rank) as f64;
        largest = f64::max(largest, (left * p_values[at]).min(1.0));
        corrected[at] = largest;
    }
    corrected
}

/// Twice the chance of `least` heads or fewer in `tosses` of a fair coin; no more than 1.
fn binomial_p(least: u64, tosses: u64) -> f64 {
    let (heads, tosses) = (least as f64, tosses as f64);
    let factorial = |n: f64| libm::lgamma(n + 1.0);
    let largest = factorial(tosses)
        - factorial(heads)
        - factorial(tosses - heads)
        - tosses * std::f64::consts::LN_2;
    // Each term from the one above it, down to where they no longer count.
    let (mut term, mut sum, mut k) = (1.0, 1.0, heads);
    while k > 0.0 && term > f64::EPSILON * sum / (k + 1.0) {
        term *= k / (tosses - k + 1.0);
        sum += term;
        k -= 1.0;
    }
    (2.0 * sum * largest.exp()).min(1.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    #[test]
    fn by_hand() {
        // One head or none in five: 6 / 32, twice.
        assert!((McNemar::new(1, 4).exact_p - 0.375).abs() < 1e-14);
        assert!((McNemar::new(4, 1).exact_p - 0.375).abs() < 1e-14);
        assert_eq!(McNemar::new(3, 3).exact_p, 1.0);
        let none = McNemar::new(0, 0);
        assert_eq!((none.exact_p, none.chi_squared, none.chi_squared_p), (1.0, None, None));
        assert!(McNemar::new(0, 100_000).exact_p < 1e-300);
    }

    /// Those of `statsmodels.stats.multitest.multipletests(method="holm")`.
    #[test]
    fn several_tests_are_corrected() {
        let found = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in found.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - expected).abs() < 1e-15, "{found}, expected {expected}");
        }
        assert_eq!(holm(&[0.6, 1.0]), [1.0, 1.0]);
        assert_eq!(holm(&[0.2]), [0.2]);
        assert!(holm(&[]).is_empty());
    }
}
