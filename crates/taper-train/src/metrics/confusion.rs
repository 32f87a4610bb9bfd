//! Which class was taken for which, and what follows from those counts alone.
//!
//! Where a share would be nothing of nothing it is 0, as with scikit-learn's `zero_division=0`.

use serde::{Deserialize, Serialize};

/// `counts[label][predicted]`: rows of one class that were taken for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Confusion {
    counts: Vec<Vec<u64>>,
}

/// Precision, recall and F1: of one class, or averaged over classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Retrieval {
    /// Of the rows taken for the class, those that are of it.
    pub precision: f64,
    /// Of the rows of the class, those taken for it.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
}

impl Confusion {
    /// Counts row `i` `weights[i]` times.
    ///
    /// # Shapes
    /// all: `[rows]`
    pub fn new(labels: &[u32], predicted: &[u32], weights: &[u32], classes: usize) -> Self {
        let mut flat = vec![0u64; classes * classes];
        for ((label, predicted), weight) in labels.iter().zip(predicted).zip(weights) {
            flat[*label as usize * classes + *predicted as usize] += u64::from(*weight);
        }
        Self { counts: flat.chunks(classes.max(1)).map(<[u64]>::to_vec).collect() }
    }

    /// `[classes][classes]`: by label, then by prediction.
    pub fn counts(&self) -> &[Vec<u64>] {
        &self.counts
    }

    /// Rows.
    pub fn rows(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Rows taken for what they are.
    pub fn correct(&self) -> u64 {
        (0..self.counts.len()).map(|class| self.counts[class][class]).sum()
    }

    /// Correct over total; `None` of no rows.
    pub fn accuracy(&self) -> Option<f64> {
        let rows = self.rows();
        (rows > 0).then(|| self.correct() as f64 / rows as f64)
    }

    /// Mean recall of the classes that have rows; `None` of no rows.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let present = (0..self.counts.len()).filter(|class| self.support(*class) > 0);
        let recalls: Vec<f64> = present.map(|class| self.class(class).recall).collect();
        (!recalls.is_empty()).then(|| recalls.iter().sum::<f64>() / recalls.len() as f64)
    }

    /// Rows of a class.
    pub fn support(&self, class: usize) -> u64 {
        self.counts[class].iter().sum()
    }

    /// Rows taken for a class.
    pub fn taken_for(&self, class: usize) -> u64 {
        self.counts.iter().map(|row| row[class]).sum()
    }

    /// Figures of one class.
    pub fn class(&self, class: usize) -> Retrieval {
        let hits = self.counts[class][class];
        let (support, taken) = (self.support(class), self.taken_for(class));
        Retrieval {
            precision: share(hits, taken),
            recall: share(hits, support),
            f1: share(2 * hits, support + taken),
        }
    }

    /// Mean over the classes, all of one weight.
    pub fn macro_average(&self) -> Retrieval {
        self.average(|_| 1)
    }

    /// Mean over the classes, weighted by their rows.
    pub fn weighted_average(&self) -> Retrieval {
        self.average(|class| self.support(class))
    }

    /// Over all rows at once; where each has one label, all three are the accuracy.
    pub fn micro_average(&self) -> Retrieval {
        let accuracy = self.accuracy().unwrap_or(0.0);
        Retrieval { precision: accuracy, recall: accuracy, f1: accuracy }
    }

    fn average(&self, weight: impl Fn(usize) -> u64) -> Retrieval {
        let mut sum = Retrieval::default();
        let mut total = 0.0;
        for class in 0..self.counts.len() {
            let (figures, weight) = (self.class(class), weight(class) as f64);
            sum.precision += weight * figures.precision;
            sum.recall += weight * figures.recall;
            sum.f1 += weight * figures.f1;
            total += weight;
        }
        if total == 0.0 {
            return Retrieval::default();
        }
        Retrieval {
            precision: sum.precision / total,
            recall: sum.recall / total,
            f1: sum.f1 / total,
        }
    }

    /// The correlation of label and prediction (Matthews 1975; for more classes Gorodkin 2004), from -1 to 1: 0 where
    /// either is one class throughout. `None` of no rows.
    pub fn matthews(&self) -> Option<f64> {
        let rows = self.rows() as f64;
        if rows == 0.0 {
            return None;
        }
        let classes = 0..self.counts.len();
        let (mut both, mut labels, mut predictions) = (0.0, 0.0, 0.0);
        for class in classes {
            let (support, taken) = (self.support(class) as f64, self.taken_for(class) as f64);
            both += support * taken;
            labels += support * support;
            predictions += taken * taken;
        }
        let covariance = self.correct() as f64 * rows - both;
        let spread = (rows * rows - labels) * (rows * rows - predictions);
        Some(if spread == 0.0 { 0.0 } else { covariance / spread.sqrt() })
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
