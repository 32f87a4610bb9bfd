//! How wrong the logits are, and which class they choose.

mod labels;

use candle_core::{D, Device, Tensor};

pub use labels::{THRESHOLD, labels_of, probability};

use crate::Result;
use crate::label_sets::LabelSets;
use crate::recipe::{ClassWeights, Train};

/// Mean cross-entropy over a batch, in nats.
///
/// One logit is a binary classifier: it is the log-odds of class 1, and class 0 gets a logit of 0;
/// this is binary cross-entropy with logits, without its overflow.
///
/// # Shapes
/// `logits`: `[batch, num_logits]`; result: a scalar
pub fn cross_entropy(logits: &Tensor, labels: &[u32]) -> Result<Tensor> {
    let labels = Tensor::new(labels, logits.device())?;
    Ok(candle_nn::loss::cross_entropy(&class_logits(logits)?, &labels)?)
}

/// The loss that training lowers: cross-entropy, with weights for classes and smoothed labels if the recipe says so. Where
/// a text may have several labels, the binary cross-entropy of each.
#[derive(Debug, Clone, Default)]
pub struct Objective {
    /// A weight for each class, or for each label where a text has it; without them all count the same.
    weights: Option<Vec<f64>>,
    smoothing: f64,
    /// The sets that numbers stand for, where a text may have several labels.
    sets: Option<LabelSets>,
}

impl Objective {
    /// As the recipe has it; `counts` are the texts of each class in the training split.
    pub fn new(recipe: &Train, counts: &[u64]) -> Self {
        let total: u64 = counts.iter().sum();
        let classes = counts.iter().filter(|&&count| count > 0).count();
        let balanced = |&count: &u64| total as f64 / (classes as f64 * count.max(1) as f64);
        let weights = match recipe.class_weights {
            ClassWeights::None => None,
            ClassWeights::Balanced => Some(counts.iter().map(balanced).collect()),
        };
        Self { weights, smoothing: recipe.label_smoothing, sets: None }
    }

    /// Without weights and smoothing; with the sets that labels are numbers of, where a text may have several.
    pub fn plain(sets: Option<&LabelSets>) -> Self {
        Self { sets: sets.cloned(), ..Self::default() }
    }

    /// As [`Self::new`], where a text may have several labels: labels are numbers of `sets`, `counts` the texts of each
    /// label among `texts`. Balanced, a label's texts weigh as much as all others together.
    pub fn of_label_sets(recipe: &Train, counts: &[u64], texts: u64, sets: LabelSets) -> Self {
        let weights = match recipe.class_weights {
            ClassWeights::None => None,
            ClassWeights::Balanced => Some(labels::positive_weights(counts, texts)),
        };
        Self { weights, smoothing: recipe.label_smoothing, sets: Some(sets) }
    }

    /// The sum of the labels' weights: what the losses of one step are divided by.
    pub fn weight(&self, labels: &[u32]) -> f64 {
        match &self.weights {
            Some(weights) if self.sets.is_none() => {
                labels.iter().map(|&label| weights[label as usize]).sum()
            }
            _ => labels.len() as f64,
        }
    }

    /// A batch's part of a step's mean loss, in nats: its sum over `total`, the weight of all labels of the step.
    /// With one batch a step it is `torch.nn.CrossEntropyLoss(weight, label_smoothing)`; where a text may have several
    /// labels, `torch.nn.BCEWithLogitsLoss(pos_weight)`, a mean over texts and labels.
    ///
    /// # Shapes
    /// `logits`: `[batch, num_logits]`; result: a scalar
    pub fn loss(&self, logits: &Tensor, labels: &[u32], total: f64) -> Result<Tensor> {
        if let Some(sets) = &self.sets {
            let sets: Vec<&[u32]> = labels.iter().map(|&label| sets.get(label)).collect();
            let weights = self.weights.as_deref();
            return labels::binary_cross_entropy(logits, &sets, weights, self.smoothing, total);
        }
        if self.weights.is_none() && self.smoothing == 0.0 {
            let mean = cross_entropy(logits, labels)?;
            let share = labels.len() as f64 / total;
            return if share < 1.0 { Ok((mean * share)?) } else { Ok(mean) };
        }
        let log_probabilities = candle_nn::ops::log_softmax(&class_logits(logits)?, D::Minus1)?;
        let classes = log_probabilities.dim(D::Minus1)?;
        // What each class's log-probability counts for.
        let spread = self.smoothing / classes as f64;
        let mut targets = vec![0f64; labels.len() * classes];
        for (row, &label) in targets.chunks_exact_mut(classes).zip(labels) {
            for (class, target) in row.iter_mut().enumerate() {
                let hit = if class == label as usize { 1.0 - self.smoothing } else { 0.0 };
                *target =
                    (hit + spread) * self.weights.as_ref().map_or(1.0, |weights| weights[class]);
            }
        }
        let targets = Tensor::from_vec(targets, (labels.len(), classes), &Device::Cpu)?
            .to_dtype(logits.dtype())?
            .to_device(logits.device())?;
        Ok(((log_probabilities * targets)?.sum_all()? * (-1.0 / total))?)
    }

    /// What every row's label, or set of labels, was given.
    pub fn verdicts(&self, logits: &Tensor, labels: &[u32]) -> Result<Vec<Verdict>> {
        let Some(sets) = &self.sets else { return verdicts(logits, labels) };
        let sets: Vec<&[u32]> = labels.iter().map(|&label| sets.get(label)).collect();
        labels::verdicts(logits, &sets)
    }
}

/// What a model gave a text's label, or labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Probability of the label; where a text may have several, the mean over the labels of what is right of each.
    pub probability: f32,
    /// Whether the label is the most probable class; or whether of every label it is right if the text has it.
    pub correct: bool,
}

/// What every row's label was given.
pub fn verdicts(logits: &Tensor, labels: &[u32]) -> Result<Vec<Verdict>> {
    let rows: Vec<Vec<f32>> = class_logits(logits)?.to_vec2()?;
    let verdict = |(row, &label): (&Vec<f32>, &u32)| {
        let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = row.iter().map(|logit| (logit - highest).exp()).sum();
        let probability = (row[label as usize] - highest).exp() / sum;
        Verdict { probability, correct: largest(row) == label }
    };
    Ok(rows.iter().zip(labels).map(verdict).collect())
}

/// Probability of every class, `[batch, classes]`: together they are 1.
pub fn probabilities(logits: &Tensor) -> Result<Vec<Vec<f32>>> {
    Ok(candle_nn::ops::softmax(&class_logits(logits)?, D::Minus1)?.to_vec2()?)
}

/// The most probable class of every row; of equal ones the first.
pub fn predicted_classes(logits: &Tensor) -> Result<Vec<u32>> {
    let rows: Vec<Vec<f32>> = class_logits(logits)?.to_vec2()?;
    Ok(rows.iter().map(|row| largest(row)).collect())
}

/// The place of the largest number; of equal ones the first.
pub(crate) fn largest(row: &[f32]) -> u32 {
    let best = (0u32..).zip(row).reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map_or(0, |(class, _)| class)
}

/// A logit for every class.
fn class_logits(logits: &Tensor) -> Result<Tensor> {
    if logits.dim(D::Minus1)? > 1 {
        return Ok(logits.clone());
    }
    Ok(Tensor::cat(&[&logits.zeros_like()?, logits], D::Minus1)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_lossless)]
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn one_logit_is_binary_cross_entropy() {
        let (values, labels) = ([0.0f64, 2.0, -3.0, 800.0, -800.0], [1u32, 0, 0, 1, 1]);
        let logits = Var::from_tensor(&Tensor::new(&values, &Device::Cpu).unwrap()).unwrap();
        let loss = cross_entropy(&logits.reshape((5, 1)).unwrap(), &labels).unwrap();
        // max(x, 0) - x y + log(1 + exp(-|x|)), the stable form of PyTorch's documentation.
        let expected: f64 = values
            .iter()
            .zip(labels)
            .map(|(&x, y)| x.max(0.0) - x * y as f64 + (-x.abs()).exp().ln_1p())
            .sum();
        assert!((loss.to_scalar::<f64>().unwrap() - expected / 5.0).abs() < 1e-12);
        let gradient: Vec<f64> = loss.backward().unwrap().get(&logits).unwrap().to_vec1().unwrap();
        for ((g, x), y) in gradient.iter().zip(values).zip(labels) {
            let expected = (1.0 / (1.0 + (-x).exp()) - y as f64) / 5.0;
            assert!((g - expected).abs() < 1e-12, "{g} at {x}, {y}");
        }
    }

    /// `torch.nn.CrossEntropyLoss(weight=[1, 2, 0.5], label_smoothing=0.1)` of `PyTorch` 2.15, in f64.
    #[test]
    fn weighted_and_smoothed_as_in_pytorch() {
        let logits = [[0.5f64, -1.0, 2.0], [1.5, 0.25, -0.75], [-2.0, 0.5, 0.0], [0.1, 0.2, 0.3]];
        let logits = Tensor::new(&logits, &Device::Cpu).unwrap();
        let labels = [2, 0, 1, 1];
        let weights = Some(vec![1.0, 2.0, 0.5]);
        let objective = Objective { weights, smoothing: 0.1, sets: None };
        let total = objective.weight(&labels);
        let loss = objective.loss(&logits, &labels, total).unwrap().to_scalar::<f64>().unwrap();
        assert!((loss - 0.736_965_400_809_807_4).abs() < 1e-12, "{loss}");
        // In two batches, the same.
        let part = |from: usize| {
            let logits = logits.narrow(0, from, 2).unwrap();
            let loss = objective.loss(&logits, &labels[from..from + 2], total).unwrap();
            loss.to_scalar::<f64>().unwrap()
        };
        assert!((part(0) + part(2) - loss).abs() < 1e-12);
        let plain = Objective::default();
        let whole = plain.loss(&logits, &labels, 4.0).unwrap().to_scalar::<f64>().unwrap();
        let half = |from: usize| {
            let logits = logits.narrow(0, from, 2).unwrap();
            let loss = plain.loss(&logits, &labels[from..from + 2], 4.0).unwrap();
            loss.to_scalar::<f64>().unwrap()
        };
        assert!((half(0) + half(2) - whole).abs() < 1e-12);
    }

    #[test]
    fn balanced_classes_weigh_the_same_together() {
        let recipe = Train { class_weights: ClassWeights::Balanced, ..Train::default() };
        let objective = Objective::new(&recipe, &[30, 10, 0]);
        assert_eq!(objective.weights.as_deref().unwrap()[..2], [40.0 / 60.0, 2.0]);
        assert!((objective.weight(&[0, 0, 0, 1]) - 4.0).abs() < 1e-12);
    }

    #[test]
    fn classes() {
        let one = Tensor::new(&[[-0.5f32], [0.5], [0.0]], &Device::Cpu).unwrap();
        assert_eq!(predicted_classes(&one).unwrap(), [0, 1, 0]);
        let three = Tensor::new(&[[0f32, 2.0, 1.0], [3.0, 2.0, 1.0]], &Device::Cpu).unwrap();
        assert_eq!(predicted_classes(&three).unwrap(), [1, 0]);
        let probabilities = probabilities(&one).unwrap();
        assert!((probabilities[1][1] - 0.622_459_3).abs() < 1e-6);
        let found = verdicts(&one, &[1, 1, 0]).unwrap();
        assert_eq!(
            found.iter().map(|verdict| verdict.correct).collect::<Vec<_>>(),
            [false, true, true]
        );
        assert!(
            (found[1].probability - 0.622_459_3).abs() < 1e-6
                && (found[2].probability - 0.5).abs() < 1e-6
        );
    }
}
