//! How a model does on a split: correct over total, the mean loss, and, where wanted, every row's logits.

mod scored;

use candle_core::Tensor;
use serde::{Deserialize, Deserializer, Serialize};

use crate::artifacts::EncodedSplit;
use crate::batch::{View, sorted_batches};
use crate::inference::Inference;
use crate::loss::{cross_entropy, predicted_classes};
use crate::metrics::Tally;
use crate::{Error, Result};

pub use scored::{Scored, ScoredRow, score};

/// The figures of a split.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The split.
    pub split: String,
    /// Labelled texts of the split.
    pub rows: u64,
    /// Texts whose most probable class is their label.
    pub correct: u64,
    /// Correct over total.
    pub accuracy: f64,
    /// Mean of the batches' accuracies, as the tutorial prints it.
    pub mean_batch_accuracy: f64,
    /// Mean loss of a text, in nats.
    #[serde(deserialize_with = "or_nan")]
    pub loss: f64,
}

/// JSON has no infinity and no NaN: they are written as null.
fn or_nan<'de, D: Deserializer<'de>>(number: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(number)?.unwrap_or(f64::NAN))
}

/// Evaluates every labelled text of a split; `progress` hears the rows done and the rows in all, and
/// stops the evaluation by saying `false`.
///
/// # Errors
/// If the split has no labelled text. A stopped evaluation is `None`.
pub fn evaluate(
    model: &Inference,
    split: &EncodedSplit,
    name: &str,
    batch_size: usize,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Option<Evaluation>> {
    let labelled = Labelled::new(split, name)?;
    pass(model, &labelled, name, batch_size, progress, &mut |_, _| Ok(()))
}

/// Reads every labelled text, and hands over the logits of a batch with its places among them.
fn pass(
    model: &Inference,
    labelled: &Labelled,
    name: &str,
    batch_size: usize,
    progress: &mut dyn FnMut(u64, u64) -> bool,
    keep: &mut dyn FnMut(&[usize], &Tensor) -> Result<()>,
) -> Result<Option<Evaluation>> {
    let view = model.view();
    let mut tally = Tally::default();
    for batch in sorted_batches(&labelled.lengths(view), batch_size) {
        let (texts, labels) = labelled.batch(&batch);
        let tokens = view.batch(&texts)?;
        let logits = model.logits(&tokens)?;
        keep(&batch, &logits)?;
        let loss = cross_entropy(&logits, &labels)?.to_scalar::<f32>()?;
        let correct = count_correct(&predicted_classes(&logits)?, &labels);
        tally.add(batch.len(), correct, tokens.packing().total(), f64::from(loss));
        if !progress(tally.rows, labelled.rows.len() as u64) {
            return Ok(None);
        }
    }
    Ok(Some(Evaluation {
        split: name.to_owned(),
        rows: tally.rows,
        correct: tally.correct,
        accuracy: tally.accuracy(),
        mean_batch_accuracy: tally.mean_batch_accuracy(),
        loss: tally.loss(),
    }))
}

/// The labelled texts of a split.
pub(crate) struct Labelled<'a> {
    split: &'a EncodedSplit,
    rows: Vec<(usize, u32)>,
}

impl<'a> Labelled<'a> {
    pub(crate) fn new(split: &'a EncodedSplit, name: &str) -> Result<Self> {
        let labels = split.labels().iter().enumerate();
        let rows: Vec<_> = labels.filter_map(|(row, label)| Some((row, (*label)?))).collect();
        if rows.is_empty() {
            return Err(Error::Dataset {
                dataset: format!("split `{name}`"),
                message: format!(
                    "{} texts and no label among them: they can be predicted, not evaluated",
                    split.len()
                ),
            });
        }
        Ok(Self { split, rows })
    }

    /// Every text's length as the model reads it.
    pub(crate) fn lengths(&self, view: View) -> Vec<usize> {
        let all = view.lengths(self.split);
        self.rows.iter().map(|&(row, _)| all[row]).collect()
    }

    /// How many texts each class has.
    pub(crate) fn counts(&self, class_names: &[String]) -> Vec<u64> {
        let mut counts = vec![0; class_names.len()];
        for &(_, label) in &self.rows {
            counts[label as usize] += 1;
        }
        counts
    }

    /// The split's row of the labelled text `at`.
    pub(crate) fn row(&self, at: usize) -> usize {
        self.rows[at].0
    }

    /// Token ids and labels of a batch.
    pub(crate) fn batch(&self, batch: &[usize]) -> (Vec<&'a [u32]>, Vec<u32>) {
        batch.iter().map(|&at| (self.split.tokens(self.rows[at].0), self.rows[at].1)).unzip()
    }
}

pub(crate) fn count_correct(predicted: &[u32], labels: &[u32]) -> usize {
    predicted.iter().zip(labels).filter(|(predicted, label)| predicted == label).count()
}
