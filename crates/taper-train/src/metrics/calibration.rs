//! Whether a probability means what it says: log loss, Brier score, reliability.

use serde::{Deserialize, Serialize};

use super::scores::Scores;

/// Bins of the reliability diagram, of equal width: (0, 1/15], (1/15, 2/15], …
pub const RELIABILITY_BINS: usize = 15;

/// What each row adds to the figures, so that a resample only needs a weighted sum.
#[derive(Debug, Clone)]
pub(super) struct Deviations {
    log_loss: Vec<f64>,
    brier: Vec<f64>,
    bin: Vec<u8>,
    confidence: Vec<f64>,
    right: Vec<bool>,
}

/// Rows whose confidence (the probability of the predicted class) lies in one bin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Above this confidence.
    pub above: f64,
    /// Up to and with this one.
    pub to: f64,
    /// Rows.
    pub rows: u64,
    /// Their mean confidence; 0 of none.
    pub confidence: f64,
    /// The share of them that is right; 0 of none.
    pub accuracy: f64,
}

impl Deviations {
    /// `None` where a probability is not a finite number.
    pub(super) fn new(scores: &Scores) -> Option<Self> {
        if !scores.are_finite() {
            return None;
        }
        let confidence: Vec<f64> =
            scores.rows().map(|(row, _)| row.iter().copied().fold(0.0, f64::max)).collect();
        let bin = |confidence: &f64| {
            let bin = (confidence * RELIABILITY_BINS as f64).ceil() - 1.0;
            bin.clamp(0.0, RELIABILITY_BINS as f64 - 1.0) as u8
        };
        Some(Self {
            log_loss: scores.rows().map(|(row, label)| log_loss_of(row, label)).collect(),
            brier: scores.rows().map(|(row, label)| brier_of(row, label)).collect(),
            bin: confidence.iter().map(bin).collect(),
            confidence,
            right: scores.right(),
        })
    }

    pub(super) fn log_loss(&self, weights: &[u32]) -> Option<f64> {
        mean(&self.log_loss, weights)
    }

    pub(super) fn brier(&self, weights: &[u32]) -> Option<f64> {
        mean(&self.brier, weights)
    }

    pub(super) fn calibration_error(&self, weights: &[u32]) -> Option<f64> {
        let (mut rows, mut gaps) = (0, [0.0; RELIABILITY_BINS]);
        for (row, weight) in weights.iter().enumerate() {
            rows += u64::from(*weight);
            gaps[usize::from(self.bin[row])] +=
                f64::from(*weight) * (f64::from(u8::from(self.right[row])) - self.confidence[row]);
        }
        (rows > 0).then(|| gaps.iter().map(|gap| gap.abs()).sum::<f64>() / rows as f64)
    }

    pub(super) fn reliability(&self) -> Vec<ReliabilityBin> {
        let mut bins: Vec<ReliabilityBin> = (0..RELIABILITY_BINS)
            .map(|bin| ReliabilityBin {
                above: bin as f64 / RELIABILITY_BINS as f64,
                to: (bin + 1) as f64 / RELIABILITY_BINS as f64,
                ..ReliabilityBin::default()
            })
            .collect();
        for (row, bin) in self.bin.iter().enumerate() {
            let bin = &mut bins[usize::from(*bin)];
            bin.rows += 1;
            bin.confidence += self.confidence[row];
            bin.accuracy += f64::from(u8::from(self.right[row]));
        }
        for bin in &mut bins {
            bin.confidence /= (bin.rows as f64).max(1.0);
            bin.accuracy /= (bin.rows as f64).max(1.0);
        }
        bins
    }
}

/// Mean of `-ln(probability of the label)`, in nats. A probability counts as no less than the spacing of f64 at 1
/// and no more than 1 less that, as in scikit-learn. `None` of no rows, and where a probability is not finite.
pub fn log_loss(scores: &Scores) -> Option<f64> {
    Deviations::new(scores)?.log_loss(&vec![1; scores.len()])
}

/// Mean of squared differences from what happened. Two classes: of the second class's probability alone, so from 0 to
/// 1; more: summed over the classes, so from 0 to 2 (Brier 1950; scikit-learn's default). `None` as [`log_loss`].
pub fn brier(scores: &Scores) -> Option<f64> {
    Deviations::new(scores)?.brier(&vec![1; scores.len()])
}

/// Expected calibration error (Guo et al. 2017): over [`RELIABILITY_BINS`] bins of the predicted class's probability, the
/// mean distance of accuracy and mean confidence, weighted by rows. `None` as [`log_loss`].
pub fn calibration_error(scores: &Scores) -> Option<f64> {
    Deviations::new(scores)?.calibration_error(&vec![1; scores.len()])
}

/// The points of a reliability diagram, bin by bin; none where a probability is not finite.
pub fn reliability(scores: &Scores) -> Vec<ReliabilityBin> {
    Deviations::new(scores).map(|deviations| deviations.reliability()).unwrap_or_default()
}

fn log_loss_of(row: &[f64], label: u32) -> f64 {
    -row[label as usize].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

fn brier_of(row: &[f64], label: u32) -> f64 {
    let squares = row.iter().zip(0..).map(|(probability, class)| {
        let happened = f64::from(u8::from(class == label));
        (probability - happened) * (probability - happened)
    });
    if row.len() == 2 { squares.skip(1).sum() } else { squares.sum() }
}

fn mean(values: &[f64], weights: &[u32]) -> Option<f64> {
    let (mut rows, mut sum) = (0, 0.0);
    for (value, weight) in values.iter().zip(weights) {
        rows += u64::from(*weight);
        sum += value * f64::from(*weight);
    }
    (rows > 0).then(|| sum / rows as f64)
}
