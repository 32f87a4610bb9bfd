//! What a model said of labelled rows: the one thing every figure is computed from.

use crate::{Error, Result};

/// Labels, and what a model gave each class of each row.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    labels: Vec<u32>,
    predicted: Vec<u32>,
    probabilities: Vec<f64>,
    classes: usize,
}

impl Scores {
    /// The predicted class is the most probable one; of equal ones the first.
    ///
    /// # Shapes
    /// `labels`: `[rows]`; `probabilities`: `[rows, classes]`, row-major
    ///
    /// # Errors
    /// If the shapes do not fit, or a label is no class.
    pub fn new(labels: Vec<u32>, probabilities: Vec<f64>, classes: usize) -> Result<Self> {
        let refuse =
            |message: String| Err(Error::Dataset { dataset: "scores".to_owned(), message });
        if classes == 0 || probabilities.len() != labels.len() * classes {
            let (rows, numbers) = (labels.len(), probabilities.len());
            return refuse(format!("{numbers} probabilities for {rows} rows of {classes} classes"));
        }
        let wrong = labels.iter().enumerate().find(|(_, label)| **label as usize >= classes);
        if let Some((row, label)) = wrong {
            return refuse(format!("row {row} has label {label}; there are {classes} classes"));
        }
        let predicted = probabilities.chunks_exact(classes).map(largest).collect();
        Ok(Self { labels, predicted, probabilities, classes })
    }

    /// The softmax of `logits`, divided by `temperature` first; in f64.
    ///
    /// # Shapes
    /// `labels`: `[rows]`; `logits`: `[rows, classes]`, row-major
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_logits(
        labels: Vec<u32>,
        logits: &[f32],
        classes: usize,
        temperature: f64,
    ) -> Result<Self> {
        let rows = || logits.chunks_exact(classes.max(1));
        let probabilities = rows().flat_map(|row| softmax(row, 1.0 / temperature)).collect();
        let mut scores = Self::new(labels, probabilities, classes)?;
        // Logits that differ in their last digits give equal probabilities.
        scores.predicted = rows().map(largest).collect();
        Ok(scores)
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The label of every row.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The most probable class of every row.
    pub fn predicted(&self) -> &[u32] {
        &self.predicted
    }

    /// Probability of every class of every row, row-major.
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// Probabilities and label, row by row.
    pub fn rows(&self) -> impl Iterator<Item = (&[f64], u32)> + '_ {
        self.probabilities.chunks_exact(self.classes).zip(self.labels.iter().copied())
    }

    /// Whether every row's most probable class is its label.
    pub fn right(&self) -> Vec<bool> {
        self.predicted
            .iter()
            .zip(&self.labels)
            .map(|(predicted, label)| predicted == label)
            .collect()
    }

    /// Whether all probabilities are numbers.
    pub(super) fn are_finite(&self) -> bool {
        self.probabilities.iter().all(|probability| probability.is_finite())
    }
}

/// The place of the largest number; of equal ones the first.
fn largest<T: PartialOrd>(row: &[T]) -> u32 {
    let best = (0u32..).zip(row).reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map_or(0, |(class, _)| class)
}

/// `softmax(row * scale)`, without overflow.
pub(super) fn softmax(row: &[f32], scale: f64) -> Vec<f64> {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> =
        row.iter().map(|logit| ((f64::from(*logit) - f64::from(highest)) * scale).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        let message = |labels: &[u32], probabilities: &[f64], classes| {
            Scores::new(labels.to_vec(), probabilities.to_vec(), classes).unwrap_err().to_string()
        };
        assert!(message(&[0], &[0.5], 2).contains("1 probabilities for 1 rows of 2 classes"));
        assert!(message(&[], &[], 0).contains("0 classes"));
        assert!(message(&[0, 2], &[0.5; 4], 2).contains("row 1 has label 2"));
        assert!(Scores::new(Vec::new(), Vec::new(), 2).is_ok());
    }

    #[test]
    fn logits_of_any_size_and_ties() {
        let logits = [1000.0, -1000.0, 0.0, 2.0, 3.0, 3.0];
        let scores = Scores::of_logits(vec![0, 1, 1], &logits, 2, 2.0).unwrap();
        assert_eq!(scores.predicted(), [0, 1, 0]);
        assert!((scores.probabilities()[3] - 1.0 / (1.0 + (-1.0f64).exp())).abs() < 1e-15);
        assert_eq!(scores.probabilities()[..2], [1.0, 0.0]);
        assert_eq!(scores.right(), [true, true, false]);
    }
}
