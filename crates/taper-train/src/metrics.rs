//! How well a model does: figures from what it said of labelled rows, and the sums of a pass over a split.
//!
//! Figures are those of scikit-learn (`zero_division=0`), to 1e-9 (`tests/golden/metrics.py`), and where they are undefined
//! they are absent. Functions take `weights`, how often each row counts: all ones, or a resample's.

mod bootstrap;
mod calibration;
mod confusion;
mod figures;
mod label_scores;
mod mcnemar;
mod ranking;
mod scores;
mod temperature;

pub use bootstrap::Resampling;
pub use calibration::{
    RELIABILITY_BINS, ReliabilityBin, brier, calibration_error, log_loss, reliability,
};
pub use confusion::{Confusion, Retrieval};
pub use figures::{Averages, ClassFigures, Estimate, Figures, ranking};
pub use label_scores::LabelScores;
pub use mcnemar::{McNemar, holm};
pub use ranking::{CurvePoint, Ranking, thinned};
pub use scores::Scores;
pub use temperature::fit_temperature;

use serde::{Deserialize, Serialize};

/// Sums over batches; their order is the only thing that floating point makes matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Texts seen.
    pub rows: u64,
    /// Texts whose most probable class is their label.
    pub correct: u64,
    /// Tokens read.
    pub tokens: u64,
    /// Sum of the texts' losses, in nats.
    pub loss_sum: f64,
    /// Batches seen.
    pub batches: u64,
    /// Sum of the batches' accuracies: what the tutorial averages.
    pub batch_accuracy_sum: f64,
}

impl Tally {
    /// Adds a batch with its mean loss.
    pub fn add(&mut self, rows: usize, correct: usize, tokens: usize, loss: f64) {
        self.rows += rows as u64;
        self.correct += correct as u64;
        self.tokens += tokens as u64;
        self.loss_sum += loss * rows as f64;
        self.batches += 1;
        self.batch_accuracy_sum += correct as f64 / rows as f64;
    }

    /// Correct over total.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.rows as f64
    }

    /// Mean of the batches' accuracies, in which the rows of a smaller last batch count for more.
    pub fn mean_batch_accuracy(&self) -> f64 {
        self.batch_accuracy_sum / self.batches as f64
    }

    /// Mean loss of a text, in nats.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.rows as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tutorials_mean_is_not_the_accuracy() {
        let mut tally = Tally::default();
        tally.add(30, 15, 300, 1.0);
        tally.add(10, 10, 50, 0.2);
        assert!((tally.accuracy() - 25.0 / 40.0).abs() < 1e-12);
        assert!((tally.mean_batch_accuracy() - 0.75).abs() < 1e-12);
        assert!((tally.loss() - 32.0 / 40.0).abs() < 1e-12);
    }
}
