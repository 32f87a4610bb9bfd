//! How far a figure would have been another with other rows: percentile-bootstrap intervals (Efron 1979).
//!
//! A resample draws as many rows as there are, with replacement; it is kept as how often each row was drawn. Resample `b`
//! is a function of (seed, b), so the intervals have the same bits at any number of threads.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use taper_lstm::Philox;

/// The stream of random numbers that draws rows.
const STREAM: u32 = 0x3000;

/// How intervals are made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Resampling {
    /// Resamples; without any there are no intervals.
    pub resamples: u32,
    /// The share of resamples that an interval holds.
    pub confidence: f64,
    /// Decides which rows are drawn.
    pub seed: u64,
}

impl Default for Resampling {
    /// 1,000 resamples, 95 %.
    fn default() -> Self {
        Self { resamples: 1000, confidence: 0.95, seed: 0 }
    }
}

impl Resampling {
    /// The interval of every statistic that `of` computes from how often each row counts. Resamples where one is NaN
    /// (undefined) do not count for it; `None` where none is left.
    pub fn intervals(
        self,
        rows: usize,
        of: impl Fn(&[u32]) -> Vec<f64> + Sync,
    ) -> Vec<Option<[f64; 2]>> {
        self.resampled(rows, of).iter().map(|values| self.interval(values)).collect()
    }

    /// What every statistic comes to over the resamples, sorted; NaN left out.
    pub(super) fn resampled(
        self,
        rows: usize,
        of: impl Fn(&[u32]) -> Vec<f64> + Sync,
    ) -> Vec<Vec<f64>> {
        let drawn: Vec<Vec<f64>> = (0..self.resamples)
            .into_par_iter()
            .map_init(
                || vec![0; rows],
                |weights, resample| {
                    self.draw(resample, weights);
                    of(weights)
                },
            )
            .collect();
        let statistics = drawn.first().map_or(0, Vec::len);
        (0..statistics)
            .map(|statistic| {
                let values = drawn.iter().map(|values| values[statistic]);
                let mut values: Vec<f64> = values.filter(|value| !value.is_nan()).collect();
                values.sort_by(f64::total_cmp);
                values
            })
            .collect()
    }

    /// The percentiles of a statistic's sorted values.
    pub(super) fn interval(self, sorted: &[f64]) -> Option<[f64; 2]> {
        let tail = (1.0 - self.confidence) / 2.0;
        Some([percentile(sorted, tail)?, percentile(sorted, 1.0 - tail)?])
    }

    /// The interval of a share that resampling biases, whose value on the rows themselves is `value`: the sorted values
    /// are shifted so that their mean is that, and what lies outside of 0 to 1 is moved to these ends. It holds the value.
    pub(super) fn interval_about(self, value: f64, sorted: &[f64]) -> Option<[f64; 2]> {
        let shift = value - sorted.iter().sum::<f64>() / sorted.len() as f64;
        let [low, high] = self.interval(sorted)?.map(|end| (end + shift).clamp(0.0, 1.0));
        // A mean can lie beyond the percentiles: that of many zeros and a few ones.
        Some([low.min(value), high.max(value)])
    }

    /// The interval of a mean.
    pub fn mean(self, values: &[f64]) -> Option<[f64; 2]> {
        let mean = |weights: &[u32]| {
            let sum: f64 = values.iter().zip(weights).map(|(v, w)| v * f64::from(*w)).sum();
            vec![sum / values.len() as f64]
        };
        self.intervals(values.len(), mean)
            .into_iter()
            .next()
            .flatten()
            .filter(|_| !values.is_empty())
    }

    /// How often each row is drawn.
    fn draw(self, resample: u32, weights: &mut [u32]) {
        weights.fill(0);
        let (numbers, rows) = (Philox::new(self.seed, STREAM, resample), weights.len() as u64);
        for block in 0..rows.div_ceil(4) {
            let left = (rows - 4 * block).min(4) as usize;
            for word in &numbers.block(block)[..left] {
                // A row's chance is off by no more than rows / 2^32 of itself.
                weights[((u64::from(*word) * rows) >> 32) as usize] += 1;
            }
        }
    }
}

/// Between the two nearest of sorted values, as NumPy's `percentile` does it.
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * (sorted.len().checked_sub(1)? as f64);
    let (low, high) = (sorted.get(place.floor() as usize)?, sorted.get(place.ceil() as usize)?);
    Some(low + (high - low) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coin(rows: usize) -> Vec<f64> {
        (0..rows).map(|row| f64::from(u8::from(row % 5 != 0))).collect()
    }

    #[test]
    fn an_interval_is_about_two_standard_errors_to_each_side() {
        let [low, high] = Resampling::default().mean(&coin(10_000)).unwrap();
        let deviation = (0.8f64 * 0.2 / 10_000.0).sqrt();
        assert!((low - (0.8 - 1.96 * deviation)).abs() < 0.1 * deviation * 1.96, "{low}");
        assert!((high - (0.8 + 1.96 * deviation)).abs() < 0.1 * deviation * 1.96, "{high}");
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let values: Vec<f64> = (0..997u32).map(|row| f64::from(row).sin()).collect();
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Resampling::default().mean(&values).unwrap().map(f64::to_bits))
        };
        assert_eq!(with(1), with(2));
        assert_eq!(with(1), with(7));
        let other = Resampling { seed: 1, ..Resampling::default() };
        assert_ne!(other.mean(&values).unwrap().map(f64::to_bits), with(1));
    }

    #[test]
    fn every_draw_is_counted() {
        for rows in [1, 2, 3, 4, 5, 1001] {
            let mut weights = vec![9; rows];
            Resampling::default().draw(3, &mut weights);
            assert_eq!(weights.iter().sum::<u32>() as usize, rows);
        }
        // Over many resamples each row is drawn about once a resample.
        let (mut sum, mut weights) = (vec![0; 10], vec![0; 10]);
        for resample in 0..10_000 {
            Resampling::default().draw(resample, &mut weights);
            sum.iter_mut().zip(&weights).for_each(|(sum, weight)| *sum += weight);
        }
        assert!(sum.iter().all(|drawn| (9_600..10_400).contains(drawn)), "{sum:?}");
    }

    #[test]
    fn percentiles_are_numpys() {
        // numpy.percentile([1, 2, 4, 8], [0, 10, 50, 97.5, 100])
        let shares = [(0.0, 1.0), (0.1, 1.3), (0.5, 3.0), (0.975, 7.7), (1.0, 8.0)];
        for (share, expected) in shares {
            let found = percentile(&[1.0, 2.0, 4.0, 8.0], share).unwrap();
            assert!((found - expected).abs() < 1e-12, "{share}: {found}");
        }
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn an_interval_about_a_value_holds_it_and_keeps_its_width() {
        let resampling = Resampling::default();
        let sorted: Vec<f64> = (0..1001).map(|row| 0.2 + f64::from(row) / 10_000.0).collect();
        let [low, high] = resampling.interval(&sorted).unwrap();
        let [shifted_low, shifted_high] = resampling.interval_about(0.15, &sorted).unwrap();
        assert!(low > 0.15 && shifted_low < 0.15 && 0.15 < shifted_high);
        assert!(((shifted_high - shifted_low) - (high - low)).abs() < 1e-12);
        // No share is below 0 or above 1.
        let [low, high] = resampling.interval_about(0.01, &sorted).unwrap();
        assert!(low.abs() < 1e-12 && (high - (0.01 + 0.0475)).abs() < 1e-9, "{low} {high}");
        let rare: Vec<f64> = (0..1000).map(|row| f64::from(u8::from(row >= 980))).collect();
        let [low, high] = resampling.interval_about(0.02, &rare).unwrap();
        assert!(low <= 0.02 && 0.02 <= high, "{low} {high}");
        assert_eq!(resampling.interval_about(0.5, &[]), None);
    }

    #[test]
    fn without_rows_or_resamples_there_is_no_interval() {
        assert_eq!(Resampling::default().mean(&[]), None);
        let none = Resampling { resamples: 0, ..Resampling::default() };
        assert_eq!(none.mean(&[1.0]), None);
        let undefined = Resampling::default().intervals(3, |_| vec![f64::NAN, 1.0]);
        assert_eq!(undefined, [None, Some([1.0, 1.0])]);
    }
}
