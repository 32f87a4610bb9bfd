//! Accuracy on parts of a split: where the errors are.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::artifacts::Prepared;
use crate::doctor::{Twin, twins_in_training};
use crate::evaluate::Scored;
use crate::metrics::{Estimate, Resampling};

/// Bins a split is cut into; fewer where many rows have the same value.
const BINS: usize = 5;

/// Accuracy on the rows whose value lies in a range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// The least value of its rows.
    pub from: f64,
    /// The greatest.
    pub to: f64,
    /// Rows.
    pub rows: u64,
    /// Rows that the model has right.
    pub correct: u64,
    /// Correct over total.
    pub accuracy: Estimate,
}

/// Accuracy apart for rows whose text the training split has, too: there the model may remember instead of judge.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Contamination {
    /// Rows whose text is in train, byte by byte.
    pub identical: u64,
    /// Rows of which train has a near-duplicate.
    pub near: u64,
    /// Accuracy on both kinds; `None` where there are none.
    pub contaminated: Option<Estimate>,
    /// Accuracy on all others.
    pub clean: Option<Estimate>,
}

/// Bins of about as many rows by value; rows of one value share a bin.
pub(super) fn by_quantile(values: &[f64], right: &[bool], resampling: Resampling) -> Vec<Slice> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|left, right| values[*left].total_cmp(&values[*right]).then(left.cmp(right)));
    let mut slices = Vec::new();
    let mut start = 0;
    for bin in 1..=BINS {
        let mut end = bin * order.len() / BINS;
        while end > 0 && end < order.len() && values[order[end]] <= values[order[end - 1]] {
            end += 1;
        }
        let Some((first, last)) = order.get(start..end).and_then(|bin| bin.first().zip(bin.last()))
        else {
            continue;
        };
        let of_bin: Vec<bool> = order[start..end].iter().map(|row| right[*row]).collect();
        let Some(accuracy) = accuracy(&of_bin, resampling) else { continue };
        slices.push(Slice {
            from: values[*first],
            to: values[*last],
            rows: of_bin.len() as u64,
            correct: of_bin.iter().filter(|right| **right).count() as u64,
            accuracy,
        });
        start = end;
    }
    slices
}

/// `None` for the training split, which has all its texts.
pub(super) fn contamination(
    prepared: &Prepared,
    scored: &Scored,
    right: &[bool],
    resampling: Resampling,
) -> Result<Option<Contamination>> {
    if scored.split == "train" || !prepared.manifest().splits.contains_key("train") {
        return Ok(None);
    }
    let all = twins_in_training(prepared, &scored.split)?;
    let twins: Vec<Twin> =
        scored.rows.iter().map(|row| all.get(row.row).copied().unwrap_or(Twin::None)).collect();
    let count = |kind| twins.iter().filter(|twin| **twin == kind).count() as u64;
    let on = |contaminated: bool| {
        let rows = twins.iter().zip(right);
        let rows = rows.filter(|(twin, _)| (**twin != Twin::None) == contaminated);
        accuracy(&rows.map(|(_, right)| *right).collect::<Vec<_>>(), resampling)
    };
    Ok(Some(Contamination {
        identical: count(Twin::Identical),
        near: count(Twin::Near),
        contaminated: on(true),
        clean: on(false),
    }))
}

fn accuracy(right: &[bool], resampling: Resampling) -> Option<Estimate> {
    let values: Vec<f64> = right.iter().map(|right| f64::from(u8::from(*right))).collect();
    let interval = resampling.mean(&values);
    let (low, high) = (interval.map(|ends| ends[0]), interval.map(|ends| ends[1]));
    let value = values.iter().sum::<f64>() / values.len() as f64;
    (!values.is_empty()).then_some(Estimate { value, low, high })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_all_rows_once_and_keep_equal_values_together() {
        let values: Vec<f64> = (0..103).map(|row| f64::from(row * 7 % 50)).collect();
        let right: Vec<bool> = (0..103).map(|row| row % 3 > 0).collect();
        let slices = by_quantile(&values, &right, Resampling::default());
        assert_eq!(slices.len(), 5);
        assert_eq!(slices.iter().map(|slice| slice.rows).sum::<u64>(), 103);
        let hits = right.iter().filter(|right| **right).count() as u64;
        assert_eq!(slices.iter().map(|slice| slice.correct).sum::<u64>(), hits);
        assert!(slices.windows(2).all(|pair| pair[0].to < pair[1].from), "{slices:?}");
        assert!(slices.iter().all(|slice| (18..=24).contains(&slice.rows)), "{slices:?}");
    }

    #[test]
    fn one_value_is_one_bin_and_no_rows_are_none() {
        let slices = by_quantile(&[0.0; 40], &[true; 40], Resampling::default());
        assert_eq!((slices.len(), slices[0].rows), (1, 40));
        assert_eq!(slices[0].accuracy, Estimate { value: 1.0, low: Some(1.0), high: Some(1.0) });
        // Most rows alike, a few beyond.
        let values: Vec<f64> = (0..40).map(|row: i32| f64::from((row - 35).max(0))).collect();
        let slices = by_quantile(&values, &[false; 40], Resampling::default());
        assert_eq!(slices.iter().map(|slice| slice.rows).collect::<Vec<_>>(), [36, 4]);
        assert!(by_quantile(&[], &[], Resampling::default()).is_empty());
    }
}
