//! What a model said of texts that may have several labels, and the figures of it.

use super::bootstrap::Resampling;
use super::confusion::Retrieval;
use super::figures::Figures;
use super::ranking::Ranking;
use crate::loss::{labels_of, probability};
use crate::{Error, Result};

/// Which labels each text has, and what a model gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelScores {
    rows: usize,
    labels: usize,
    /// `[rows, labels]`, row-major, as the others.
    has: Vec<bool>,
    given: Vec<bool>,
    probabilities: Vec<f64>,
}

impl LabelScores {
    /// A text is given the labels whose probability is at least `threshold`.
    ///
    /// # Shapes
    /// `sets`: the labels of each text; `probabilities`: `[rows, labels]`, row-major
    ///
    /// # Errors
    /// If the shapes do not fit, or a text has a label that there is not.
    pub fn new(
        sets: &[&[u32]],
        probabilities: Vec<f64>,
        labels: usize,
        threshold: f64,
    ) -> Result<Self> {
        let refuse =
            |message: String| Err(Error::Dataset { dataset: "scores".to_owned(), message });
        if labels == 0 || probabilities.len() != sets.len() * labels {
            let (rows, numbers) = (sets.len(), probabilities.len());
            return refuse(format!("{numbers} probabilities for {rows} rows of {labels} labels"));
        }
        let mut has = vec![false; probabilities.len()];
        for (row, set) in sets.iter().enumerate() {
            for &label in *set {
                if label as usize >= labels {
                    return refuse(format!("row {row} has label {label}; there are {labels}"));
                }
                has[row * labels + label as usize] = true;
            }
        }
        let given = probabilities.iter().map(|probability| *probability >= threshold).collect();
        Ok(Self { rows: sets.len(), labels, has, given, probabilities })
    }

    /// Of the logistic function of `logits`, in f64.
    ///
    /// # Shapes
    /// `sets`: the labels of each text; `logits`: `[rows, labels]`, row-major
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_logits(
        sets: &[&[u32]],
        logits: &[f32],
        labels: usize,
        threshold: f64,
    ) -> Result<Self> {
        let probabilities = logits.iter().map(|logit| probability(*logit)).collect();
        let mut scores = Self::new(sets, probabilities, labels, threshold)?;
        scores.given.fill(false);
        for (row, logits) in logits.chunks_exact(labels).enumerate() {
            for label in labels_of(logits, threshold) {
                scores.given[row * labels + label as usize] = true;
            }
        }
        Ok(scores)
    }

    /// Number of labels.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// What a text is given: its labels, and the probability of every label.
    pub fn rows(&self) -> impl Iterator<Item = (Vec<u32>, &[f64])> + '_ {
        let labels = |row: &[bool]| -> Vec<u32> {
            (0..).zip(row).filter(|(_, given)| **given).map(|(label, _)| label).collect()
        };
        let given = self.given.chunks_exact(self.labels).map(labels);
        given.zip(self.probabilities.chunks_exact(self.labels))
    }

    /// Whether all labels of a row are right.
    pub fn right(&self) -> Vec<bool> {
        let rows = self.has.chunks_exact(self.labels).zip(self.given.chunks_exact(self.labels));
        rows.map(|(has, given)| has == given).collect()
    }

    /// Whether each row is rightly given a label, or rightly not.
    pub fn right_about(&self, label: usize) -> Vec<bool> {
        let rows = self.of_label(&self.has, label).zip(self.of_label(&self.given, label));
        rows.map(|(has, given)| has == given).collect()
    }

    /// Of each row, how many of its labels it is given, and how many labels it has and is given in all: what F1 over all
    /// labels is made of.
    pub fn hits(&self) -> Vec<[u64; 2]> {
        let rows = self.has.chunks_exact(self.labels).zip(self.given.chunks_exact(self.labels));
        let hits = |(has, given): (&[bool], &[bool])| {
            let of = |wanted: &dyn Fn(bool, bool) -> usize| -> u64 {
                has.iter().zip(given).map(|(has, given)| wanted(*has, *given)).sum::<usize>() as u64
            };
            let both = of(&|has, given| usize::from(has && given));
            [both, of(&|has, given| usize::from(has) + usize::from(given))]
        };
        rows.map(hits).collect()
    }

    /// The rows by the probability of a label; `None` where one is NaN.
    pub fn ranking(&self, label: usize) -> Option<Ranking> {
        let scores: Vec<f64> = self.of_label(&self.probabilities, label).collect();
        let has: Vec<bool> = self.of_label(&self.has, label).collect();
        Ranking::new(&scores, &has)
    }

    /// All figures, as scikit-learn has them for indicator matrices: accuracy is that of whole sets; areas are means over
    /// the labels; so are log loss and Brier score. Balanced accuracy, Matthews' coefficient and the calibration error are
    /// of one class a text, and absent.
    pub fn figures(&self, label_names: &[String], resampling: Resampling) -> Figures {
        let count = |label| self.of_label(&self.has, label).filter(|has| *has).count() as u64;
        let supports: Vec<u64> = (0..self.labels).map(count).collect();
        let rankings: Vec<_> = (0..self.labels).map(|label| self.ranking(label)).collect();
        let (right, distances) = (self.right(), self.distances());
        let of = |weights: &[u32]| self.values(weights, &right, &rankings, distances.as_ref());
        Figures::estimate(self.rows, &supports, label_names, resampling, of)
    }

    fn of_label<'a, T: Copy>(
        &self,
        all: &'a [T],
        label: usize,
    ) -> impl Iterator<Item = T> + use<'a, T> {
        all.iter().copied().skip(label).step_by(self.labels)
    }

    /// Log loss and squared distance of each row, a mean over its labels; `None` where a probability is no number.
    fn distances(&self) -> Option<[Vec<f64>; 2]> {
        if self.probabilities.iter().any(|probability| !probability.is_finite()) {
            return None;
        }
        let of_row = |of: fn(f64) -> f64| -> Vec<f64> {
            let of_label = |(p, has): (&f64, &bool)| of(if *has { *p } else { 1.0 - p });
            let rows = self.probabilities.chunks_exact(self.labels);
            let rows = rows.zip(self.has.chunks_exact(self.labels));
            rows.map(|(p, has)| p.iter().zip(has).map(of_label).sum::<f64>() / self.labels as f64)
                .collect()
        };
        let log_loss = of_row(|p| -p.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln());
        Some([log_loss, of_row(|p| (1.0 - p) * (1.0 - p))])
    }

    /// In the order of `Sorted::values`; NaN where undefined.
    fn values(
        &self,
        weights: &[u32],
        right: &[bool],
        rankings: &[Option<Ranking>],
        distances: Option<&[Vec<f64>; 2]>,
    ) -> Vec<f64> {
        let rows: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let mean = |values: &mut dyn Iterator<Item = f64>| {
            let sum: f64 =
                values.zip(weights).map(|(value, weight)| value * f64::from(*weight)).sum();
            (rows > 0).then(|| sum / rows as f64)
        };
        let counts: Vec<Counts> =
            (0..self.labels).map(|label| self.counts(label, weights)).collect();
        let wrong: u64 = counts.iter().map(|of| of.has + of.given - 2 * of.right).sum();
        let cells = (rows * self.labels as u64) as f64;
        let areas = |area: fn(&Ranking, &[u32]) -> Option<f64>| -> Vec<Option<f64>> {
            rankings.iter().map(|ranking| area(ranking.as_ref()?, weights)).collect()
        };
        let over_labels = |areas: &[Option<f64>]| {
            areas.iter().copied().sum::<Option<f64>>().map(|sum| sum / areas.len() as f64)
        };
        let (roc, precision) = (areas(Ranking::roc_auc), areas(Ranking::average_precision));
        let retrieval = |figures: Retrieval| {
            [figures.precision, figures.recall, figures.f1]
                .map(|figure| (rows > 0).then_some(figure))
        };
        let mut values: Vec<Option<f64>> = Vec::with_capacity(18 + 5 * self.labels);
        values.extend(retrieval(average(&counts, |_| 1)));
        values.extend(retrieval(Counts::sum(&counts).retrieval()));
        values.extend(retrieval(average(&counts, |of| of.has)));
        values.push(mean(&mut right.iter().map(|right| f64::from(u8::from(*right)))));
        values.extend([None, None]);
        for kind in 0..2 {
            let of_rows = distances.map(|distances| &distances[kind]);
            values.push(of_rows.and_then(|of_rows| mean(&mut of_rows.iter().copied())));
        }
        values.push(None);
        values.extend([over_labels(&roc), over_labels(&precision)]);
        values.push((rows > 0).then(|| wrong as f64 / cells));
        for (label, of) in counts.iter().enumerate() {
            values.extend(retrieval(of.retrieval()));
            values.extend([roc[label], precision[label]]);
        }
        values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect()
    }

    fn counts(&self, label: usize, weights: &[u32]) -> Counts {
        let mut counts = Counts::default();
        let rows = self.of_label(&self.has, label).zip(self.of_label(&self.given, label));
        for ((has, given), weight) in rows.zip(weights) {
            let weight = u64::from(*weight);
            counts.has += weight * u64::from(has);
            counts.given += weight * u64::from(given);
            counts.right += weight * u64::from(has && given);
        }
        counts
    }
}

/// Rows that have a label, that are given it, and both.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    has: u64,
    given: u64,
    right: u64,
}

impl Counts {
    fn sum(all: &[Self]) -> Self {
        let add = |sum: Self, of: &Self| Self {
            has: sum.has + of.has,
            given: sum.given + of.given,
            right: sum.right + of.right,
        };
        all.iter().fold(Self::default(), add)
    }

    fn retrieval(self) -> Retrieval {
        let share = |whole: u64| if whole == 0 { 0.0 } else { self.right as f64 / whole as f64 };
        let f1 = 2.0 * share(self.has + self.given);
        Retrieval { precision: share(self.given), recall: share(self.has), f1 }
    }
}

/// A weighted mean over labels; 0 where all weights are.
fn average(counts: &[Counts], weight: impl Fn(&Counts) -> u64) -> Retrieval {
    let (mut sum, mut total) = (Retrieval::default(), 0.0);
    for of in counts {
        let (figures, weight) = (of.retrieval(), weight(of) as f64);
        sum.precision += weight * figures.precision;
        sum.recall += weight * figures.recall;
        sum.f1 += weight * figures.f1;
        total += weight;
    }
    let of_total = |figure: f64| if total == 0.0 { 0.0 } else { figure / total };
    Retrieval {
        precision: of_total(sum.precision),
        recall: of_total(sum.recall),
        f1: of_total(sum.f1),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, clippy::unwrap_used)]
    use super::*;

    fn of(sets: &[&[u32]], probabilities: &[f64]) -> Figures {
        let labels = probabilities.len() / sets.len().max(1);
        let scores = LabelScores::new(sets, probabilities.to_vec(), labels.max(1), 0.5).unwrap();
        scores.figures(&[], Resampling { resamples: 50, ..Resampling::default() })
    }

    #[test]
    fn a_set_is_right_as_a_whole_and_labels_each() {
        let figures = of(&[&[0], &[], &[0, 1]], &[0.9, 0.1, 0.2, 0.5, 0.6, 0.4]);
        assert_eq!(figures.accuracy.unwrap().value, 1.0 / 3.0);
        assert_eq!(figures.hamming_loss.unwrap().value, 2.0 / 6.0);
        assert_eq!(figures.micro_average.f1.unwrap().value, 4.0 / 6.0);
        assert_eq!(figures.macro_average.f1.unwrap().value, 0.5);
        assert_eq!((figures.classes[0].support, figures.classes[1].support), (2, 1));
        assert_eq!((figures.matthews, figures.calibration_error), (None, None));
        let accuracy = figures.accuracy.unwrap();
        assert!(
            accuracy.low.unwrap() <= accuracy.value && accuracy.value <= accuracy.high.unwrap()
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_and_what_is_undefined_absent() {
        let message = |sets: &[&[u32]], probabilities: &[f64], labels| {
            LabelScores::new(sets, probabilities.to_vec(), labels, 0.5).unwrap_err().to_string()
        };
        assert!(message(&[&[0]], &[0.5], 2).contains("1 probabilities for 1 rows of 2 labels"));
        assert!(message(&[&[2]], &[0.5, 0.5], 2).contains("row 0 has label 2; there are 2"));
        let none = of(&[], &[]);
        assert_eq!((none.accuracy, none.hamming_loss, none.micro_average.f1), (None, None, None));
        let nan = of(&[&[0], &[]], &[f64::NAN, 0.1]);
        assert_eq!((nan.roc_auc, nan.log_loss, nan.brier), (None, None, None));
        assert_eq!(nan.accuracy.unwrap().value, 0.5);
    }

    #[test]
    fn logits_decide_what_is_given() {
        let scores = LabelScores::of_logits(&[&[], &[0]], &[-1e-9, 0.0], 1, 0.5).unwrap();
        assert_eq!(scores.right(), [true, true]);
        let given: Vec<Vec<u32>> = scores.rows().map(|row| row.0).collect();
        assert_eq!(given, [vec![], vec![0]]);
    }
}
