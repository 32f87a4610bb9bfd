//! What the epochs say of each row: how sure, how steady, how often right (Swayamdipta et al. 2020, "Dataset Cartography"),
//! and how often forgotten (Toneva et al. 2019).

use super::EpochDynamics;
use crate::loss::Verdict;

/// A training row over the epochs in which it was learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowDynamics {
    /// Its place in the training split.
    pub row: usize,
    /// Epochs in which it was learned.
    pub epochs: u32,
    /// Mean probability of its label.
    pub confidence: f64,
    /// Standard deviation of that probability over the epochs (of a population, as in the paper).
    pub variability: f64,
    /// The share of the epochs in which it was right.
    pub correctness: f64,
    /// How often it was right in one epoch and wrong in the next.
    pub forgotten: u32,
}

impl RowDynamics {
    /// Whether it was right in any epoch; one that never was cannot be forgotten.
    pub fn was_learned(&self) -> bool {
        self.correctness > 0.0
    }
}

/// Every row that was learned at least once, in order.
pub fn summarise(epochs: &[EpochDynamics]) -> Vec<RowDynamics> {
    let rows = epochs.iter().map(EpochDynamics::len).max().unwrap_or(0);
    let of = |row| of_row(row, epochs.iter().filter_map(|epoch| epoch.get(row)));
    (0..rows).filter_map(of).collect()
}

fn of_row(row: usize, verdicts: impl Iterator<Item = Verdict>) -> Option<RowDynamics> {
    let verdicts: Vec<Verdict> = verdicts.collect();
    let epochs = verdicts.len() as f64;
    let sum: f64 = verdicts.iter().map(|verdict| f64::from(verdict.probability)).sum();
    let confidence = sum / epochs;
    let square = |verdict: &Verdict| (f64::from(verdict.probability) - confidence).powi(2);
    let variance = verdicts.iter().map(square).sum::<f64>() / epochs;
    let right = verdicts.iter().filter(|verdict| verdict.correct).count();
    let forgotten = verdicts.windows(2).filter(|pair| pair[0].correct && !pair[1].correct).count();
    (!verdicts.is_empty()).then_some(RowDynamics {
        row,
        epochs: verdicts.len() as u32,
        confidence,
        variability: variance.sqrt(),
        correctness: right as f64 / epochs,
        forgotten: forgotten as u32,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_the_papers() {
        let mut epochs = vec![EpochDynamics::new(3); 4];
        // Row 0: learned, forgotten, learned, forgotten; row 2: never right; row 1: never seen.
        for (epoch, probability) in epochs.iter_mut().zip([0.9, 0.4, 0.6, 0.1]) {
            let first = Verdict { probability, correct: probability > 0.5 };
            let last = Verdict { probability: 0.25, correct: false };
            epoch.record([0, 2].into_iter(), &[first, last]);
        }
        let found = summarise(&epochs);
        assert_eq!(found.iter().map(|row| row.row).collect::<Vec<_>>(), [0, 2]);
        let row = found[0];
        assert_eq!((row.epochs, row.forgotten, row.was_learned()), (4, 2, true));
        assert!((row.confidence - 0.5).abs() < 1e-6 && (row.correctness - 0.5).abs() < 1e-12);
        // numpy.std([.9, .4, .6, .1])
        assert!((row.variability - 0.291_547_6).abs() < 1e-6, "{row:?}");
        let row = found[1];
        assert_eq!((row.forgotten, row.was_learned(), row.variability), (0, false, 0.0));
        assert!(summarise(&[]).is_empty());
    }
}
