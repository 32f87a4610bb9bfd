//! An evaluation that keeps what the model said of every row: all other figures follow from it.

use candle_core::{DType, Tensor};

use super::{Evaluation, Labelled, pass};
use crate::Result;
use crate::artifacts::EncodedSplit;
use crate::inference::Inference;
use crate::label_sets::LabelSets;
use crate::metrics::{LabelScores, Scores};

/// Every labelled row of a split, in order, and the model's logits.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// The split.
    pub split: String,
    /// Classes.
    pub classes: usize,
    /// The labelled rows.
    pub rows: Vec<ScoredRow>,
    /// `[rows, classes]`, row-major. Of a binary classifier's one logit, class 0 has 0 and class 1 the logit.
    pub logits: Vec<f32>,
    /// Where a text may have several labels: the sets that the rows' labels are numbers of.
    pub label_sets: Option<LabelSets>,
}

/// A labelled row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoredRow {
    /// Its place in the split, unlabelled rows counted.
    pub row: usize,
    /// Its class, or the number of its set of labels.
    pub label: u32,
    /// Tokens of the text.
    pub tokens: usize,
    /// Tokens the model read; 1 of a text without tokens.
    pub read: usize,
    /// Those of them that the vocabulary does not have.
    pub unknown: usize,
}

impl ScoredRow {
    /// Whether the text was longer than the model reads.
    pub fn truncated(&self) -> bool {
        self.read < self.tokens
    }

    /// The share of unknown tokens among those read.
    pub fn unknown_share(&self) -> f64 {
        self.unknown as f64 / self.read as f64
    }
}

/// As [`evaluate`](super::evaluate()), and keeps every row's logits.
///
/// # Errors
/// If the split has no labelled text. A stopped evaluation is `None`.
pub fn score(
    model: &Inference,
    split: &EncodedSplit,
    name: &str,
    batch_size: usize,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Option<(Evaluation, Scored)>> {
    let labelled = Labelled::new(split, name)?;
    let mut logits: Vec<Vec<f32>> = vec![Vec::new(); labelled.rows.len()];
    let keep = &mut |batch: &[usize], found: &Tensor| {
        for (place, row) in batch.iter().zip(found.to_dtype(DType::F32)?.to_vec2::<f32>()?) {
            let binary = row.len() == 1 && split.label_sets().is_none();
            logits[*place] = if binary { vec![0.0, row[0]] } else { row };
        }
        Ok(())
    };
    let Some(evaluation) = pass(model, &labelled, name, batch_size, progress, keep)? else {
        return Ok(None);
    };
    let view = model.view();
    let row = |&(row, label): &(usize, u32)| {
        let read = view.tokens(split.tokens(row));
        let unknown = read.iter().filter(|&&id| Some(id) == view.specials.unknown).count();
        ScoredRow { row, label, tokens: split.length(row), read: read.len(), unknown }
    };
    let scored = Scored {
        split: name.to_owned(),
        classes: logits.first().map_or(0, Vec::len),
        rows: labelled.rows.iter().map(row).collect(),
        logits: logits.concat(),
        label_sets: split.label_sets().cloned(),
    };
    Ok(Some((evaluation, scored)))
}

impl Scored {
    /// Every row's label.
    pub fn labels(&self) -> Vec<u32> {
        self.rows.iter().map(|row| row.label).collect()
    }

    /// The labels of a row of this label; none where a text has one class.
    pub fn labels_of(&self, label: u32) -> &[u32] {
        self.label_sets.as_ref().map_or(&[], |sets| sets.get(label))
    }

    /// What a model that takes a text to have every label of at least this probability says, where texts may have several.
    ///
    /// # Errors
    /// As [`LabelScores::of_logits`].
    pub fn label_scores(&self, threshold: f64) -> Result<LabelScores> {
        let sets: Vec<&[u32]> = self.rows.iter().map(|row| self.labels_of(row.label)).collect();
        LabelScores::of_logits(&sets, &self.logits, self.classes, threshold)
    }

    /// Probabilities as a model with this temperature gives them; `None` is 1.
    pub fn scores(&self, temperature: Option<f64>) -> Result<Scores> {
        Scores::of_logits(self.labels(), &self.logits, self.classes, temperature.unwrap_or(1.0))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::evaluate::evaluate;
    use crate::model::{Model, ModelConfig};
    use candle_core::Device;
    use taper_lstm::Quantization;

    fn model(classes: usize) -> Inference {
        let table = crate::recipe::Model { hidden_size: 3, ..crate::recipe::Model::default() };
        let config = ModelConfig {
            format: ModelConfig::FORMAT,
            taper: String::new(),
            class_names: (0..classes).map(|class| class.to_string()).collect(),
            vocabulary_size: 10,
            dimensions: 4,
            specials: taper_text::Specials::default(),
            max_length: Some(5),
            model: table,
            truncate: crate::recipe::Truncate::default(),
            weights_blake3: None,
            tokenizer_blake3: String::new(),
            temperature: Some(3.0),
            threshold: None,
        };
        let model = Model::new(config, 1, None, &Device::Cpu).unwrap();
        Inference::new(&model, Quantization::F32).unwrap()
    }

    fn split() -> EncodedSplit {
        let mut split = EncodedSplit::default();
        split.push(&[2, 0, 3], Some(1));
        split.push(&[4, 4], None);
        split.push(&[], Some(0));
        split.push(&[2, 0, 3, 4, 5, 0, 0], Some(1));
        split
    }

    #[test]
    fn rows_come_in_the_splits_order_with_what_was_read() {
        for classes in [2, 3] {
            let (model, split) = (model(classes), split());
            let (evaluation, scored) =
                score(&model, &split, "test", 2, &mut |_, _| true).unwrap().unwrap();
            let light = evaluate(&model, &split, "test", 2, &mut |_, _| true).unwrap().unwrap();
            assert_eq!(evaluation, light);
            assert_eq!((scored.classes, scored.logits.len()), (classes, 3 * classes));
            let row =
                |row, label, tokens, read, unknown| ScoredRow { row, label, tokens, read, unknown };
            let expected = [row(0, 1, 3, 3, 1), row(2, 0, 0, 1, 1), row(3, 1, 7, 5, 1)];
            assert_eq!(scored.rows, expected);
            let truncated: Vec<bool> = scored.rows.iter().map(ScoredRow::truncated).collect();
            assert_eq!(truncated, [false, false, true]);
            // What is kept is what was counted, logits that no temperature has touched.
            let scores = scored.scores(None).unwrap();
            let right = scores.right().iter().filter(|right| **right).count();
            assert_eq!(right as u64, evaluation.correct);
            let loss = crate::metrics::log_loss(&scores).unwrap();
            assert!((loss - evaluation.loss).abs() < 1e-6, "{loss} {}", evaluation.loss);
            let alone = model.logits(&model.view().batch(&[split.tokens(3)]).unwrap()).unwrap();
            let alone: Vec<f32> = alone.flatten_all().unwrap().to_vec1().unwrap();
            let kept = &scored.logits[scored.logits.len() - alone.len()..];
            assert!(
                kept.iter().zip(&alone).all(|(a, b)| (a - b).abs() < 1e-6),
                "{kept:?} {alone:?}"
            );
        }
    }

    #[test]
    fn a_stopped_one_is_none() {
        let stopped = score(&model(2), &split(), "test", 1, &mut |rows, _| rows < 2).unwrap();
        assert_eq!(stopped, None);
        let none = EncodedSplit::default();
        assert!(score(&model(2), &none, "test", 1, &mut |_, _| true).is_err());
    }
}
