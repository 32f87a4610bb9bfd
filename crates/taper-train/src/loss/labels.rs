//! Texts that may have several labels: each label is a binary classifier of one logit.

use candle_core::{D, Device, Tensor};

use super::{Verdict, class_logits};
use crate::Result;

/// Where the recipe says nothing else: the least probability at which a text has a label.
pub const THRESHOLD: f64 = 0.5;

/// Binary cross-entropy in nats: its sum over texts and labels, over `total * labels`. With `total` texts in the batch
/// it is `torch.nn.BCEWithLogitsLoss(pos_weight=positive)`. Smoothed, a label that a text has counts as one that it has by
/// `1 - smoothing / 2`, and one that it has not, by `smoothing / 2`.
///
/// # Shapes
/// `logits`: `[texts, labels]`; `sets`: the labels of each text, ascending; result: a scalar
pub(super) fn binary_cross_entropy(
    logits: &Tensor,
    sets: &[&[u32]],
    positive: Option<&[f64]>,
    smoothing: f64,
    total: f64,
) -> Result<Tensor> {
    let (texts, labels) = logits.dims2()?;
    let each = class_logits(&logits.reshape((texts * labels, 1))?)?;
    let log_probabilities = candle_nn::ops::log_softmax(&each, D::Minus1)?;
    // What the log-probabilities of having and of not having each label count for.
    let mut targets = Vec::with_capacity(2 * texts * labels);
    for set in sets {
        for label in 0..labels {
            let has = f64::from(u8::from(set.binary_search(&(label as u32)).is_ok()));
            let has = has * (1.0 - smoothing) + smoothing / 2.0;
            targets.push(1.0 - has);
            targets.push(has * positive.map_or(1.0, |weights| weights[label]));
        }
    }
    let targets = Tensor::from_vec(targets, (texts * labels, 2), &Device::Cpu)?
        .to_dtype(logits.dtype())?
        .to_device(logits.device())?;
    let sum = (log_probabilities * targets)?.sum_all()?;
    Ok((sum * (-1.0 / (total * labels as f64)))?)
}

/// What a label's texts weigh beside the others, so that together both weigh the same: PyTorch's `pos_weight`. 1 for a
/// label that no text has, or every one.
pub(super) fn positive_weights(counts: &[u64], texts: u64) -> Vec<f64> {
    let weight = |&count: &u64| match count {
        count if count == 0 || count >= texts => 1.0,
        count => (texts - count) as f64 / count as f64,
    };
    counts.iter().map(weight).collect()
}

/// The probability of a label from its logit.
pub fn probability(logit: f32) -> f64 {
    1.0 / (1.0 + (-f64::from(logit)).exp())
}

/// The labels whose probability is at least `threshold`, between 0 and 1.
pub fn labels_of(logits: &[f32], threshold: f64) -> Vec<u32> {
    // The logits decide: probabilities near 0 and 1 are all the same.
    let least = (threshold / (1.0 - threshold)).ln();
    let labels = (0..).zip(logits).filter(|(_, logit)| f64::from(**logit) >= least);
    labels.map(|(label, _)| label).collect()
}

/// Of each text, the mean over the labels of the probability that it has them, or has not, as is right; and whether all
/// are right at the [`THRESHOLD`].
pub(super) fn verdicts(logits: &Tensor, sets: &[&[u32]]) -> Result<Vec<Verdict>> {
    let rows: Vec<Vec<f32>> = logits.to_vec2()?;
    let verdict = |(row, set): (&Vec<f32>, &&[u32])| {
        let given = (0..).zip(row).map(|(label, &logit)| {
            let has = probability(logit);
            if set.binary_search(&label).is_ok() { has } else { 1.0 - has }
        });
        let mean = given.sum::<f64>() / row.len() as f64;
        Verdict { probability: mean as f32, correct: labels_of(row, THRESHOLD) == **set }
    };
    Ok(rows.iter().zip(sets).map(verdict).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use candle_core::Var;

    use super::*;

    const LOGITS: [[f64; 3]; 4] =
        [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75], [-2.0, 0.0, 40.0], [0.1, -60.0, 0.3]];
    const SETS: [&[u32]; 4] = [&[0, 2], &[], &[1], &[0, 1, 2]];

    fn loss(positive: Option<&[f64]>, smoothing: f64) -> f64 {
        let logits = Tensor::new(&LOGITS, &Device::Cpu).unwrap();
        let loss = binary_cross_entropy(&logits, &SETS, positive, smoothing, 4.0).unwrap();
        loss.to_scalar().unwrap()
    }

    /// `torch.nn.BCEWithLogitsLoss(pos_weight=…)` of `PyTorch` 2.15, in f64; smoothed, of targets
    /// `0.9 * y + 0.05`.
    #[test]
    fn values_are_pytorchs() {
        let weights = [1.0, 2.0, 0.5];
        for (positive, smoothing, expected) in [
            (None, 0.0, 8.820_609_790_238_567),
            (Some(&weights[..]), 0.0, 13.849_985_252_972_251),
            (None, 0.1, 8.424_359_790_238_567),
            (Some(&weights[..]), 0.1, 13.207_769_669_853_649),
        ] {
            let found = loss(positive, smoothing);
            assert!((found - expected).abs() < 1e-12, "{found}, expected {expected}");
        }
    }

    #[test]
    fn the_gradient_is_probability_less_truth() {
        let logits = Var::from_tensor(&Tensor::new(&LOGITS, &Device::Cpu).unwrap()).unwrap();
        let loss = binary_cross_entropy(&logits, &SETS, None, 0.0, 4.0).unwrap();
        let gradient: Vec<Vec<f64>> =
            loss.backward().unwrap().get(&logits).unwrap().to_vec2().unwrap();
        for ((gradient, logits), set) in gradient.iter().zip(LOGITS).zip(SETS) {
            for (label, (found, logit)) in (0..).zip(gradient.iter().zip(logits)) {
                let truth = f64::from(u8::from(set.contains(&label)));
                let expected = (1.0 / (1.0 + (-logit).exp()) - truth) / 12.0;
                assert!((found - expected).abs() < 1e-12, "{found}, expected {expected}");
            }
        }
    }

    #[test]
    fn two_batches_of_a_step_add_up() {
        let part = |from: usize| {
            let logits = Tensor::new(&LOGITS, &Device::Cpu).unwrap().narrow(0, from, 2).unwrap();
            let loss = binary_cross_entropy(&logits, &SETS[from..from + 2], None, 0.0, 4.0);
            loss.unwrap().to_scalar::<f64>().unwrap()
        };
        assert!((part(0) + part(2) - loss(None, 0.0)).abs() < 1e-12);
    }

    #[test]
    fn labels_reach_the_threshold() {
        assert_eq!(labels_of(&[0.0, -1e-9, 3.0, -20.0], 0.5), [0, 2]);
        assert_eq!(labels_of(&[0.0, 1.0, 3.0], 0.9), [2]);
        assert_eq!(labels_of(&[-2.0, -3.0], 0.1), [0]);
        assert_eq!(labels_of(&[-9.0], 0.5), [] as [u32; 0]);
        assert_eq!(positive_weights(&[10, 0, 40], 40), [3.0, 1.0, 1.0]);
    }

    #[test]
    fn a_text_is_right_where_every_label_is() {
        let logits = Tensor::new(&[[2f32, -2.0], [2.0, 2.0], [-2.0, -2.0]], &Device::Cpu).unwrap();
        let found = verdicts(&logits, &[&[0], &[0], &[]]).unwrap();
        assert_eq!(found.iter().map(|v| v.correct).collect::<Vec<_>>(), [true, false, true]);
        let sure = 1.0 / (1.0 + (-2.0f32).exp());
        assert!((found[0].probability - sure).abs() < 1e-6);
        assert!((found[1].probability - 0.5).abs() < 1e-6);
    }
}
