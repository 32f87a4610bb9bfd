//! How a model does on a split: correct over total, the mean loss, and, where wanted, every row's logits.

mod scored;

use candle_core::{DType, Tensor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::artifacts::EncodedSplit;
use crate::batch::{View, sorted_batches};
use crate::inference::Inference;
use crate::label_sets::LabelSets;
use crate::loss::{Objective, labels_of, predicted_classes};
use crate::metrics::Tally;
use crate::recipe::Train;
use crate::{Error, Result};

pub use scored::{Scored, ScoredRow, score};

/// The figures of a split.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The split.
    pub split: String,
    /// Labelled texts of the split.
    pub rows: u64,
    /// Texts whose most probable class is their label; where they may have several, texts of which all labels are right.
    pub correct: u64,
    /// Correct over total.
    pub accuracy: f64,
    /// Mean of the batches' accuracies, as the tutorial prints it.
    pub mean_batch_accuracy: f64,
    /// Mean loss of a text, in nats.
    #[serde(deserialize_with = "or_nan")]
    pub loss: f64,
    /// F1 over all labels of all texts, where a text may have several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_f1: Option<f64>,
}

impl Evaluation {
    /// What makes one evaluation better than another: accuracy, or micro F1 where a text may have several labels.
    pub fn score(&self) -> f64 {
        self.micro_f1.unwrap_or(self.accuracy)
    }
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
    check_kind(model, labelled, name)?;
    let several = labelled.split.label_sets().zip(model.threshold());
    let objective = Objective::plain(labelled.split.label_sets());
    let mut hits = Hits::default();
    let mut tally = Tally::default();
    for batch in sorted_batches(&labelled.lengths(view), batch_size) {
        let (texts, labels) = labelled.batch(&batch);
        let tokens = view.batch(&texts)?;
        let logits = model.logits(&tokens)?;
        keep(&batch, &logits)?;
        let loss = objective.loss(&logits, &labels, labels.len() as f64)?.to_scalar::<f32>()?;
        let correct = match several {
            Some((sets, threshold)) => hits.add(&logits, &labels, sets, threshold)?,
            None => count_correct(&predicted_classes(&logits)?, &labels),
        };
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
        micro_f1: model.threshold().map(|_| hits.f1()),
    }))
}

/// Whether model and texts agree on how many labels a text has.
fn check_kind(model: &Inference, labelled: &Labelled, name: &str) -> Result<()> {
    let message = match (model.threshold(), labelled.split.label_sets()) {
        (None, Some(_)) => {
            "its texts have any number of labels, and the model gives each one class"
        }
        (Some(_), None) => "its texts have one label each, and the model gives any number",
        _ => return Ok(()),
    };
    Err(Error::Dataset { dataset: format!("split `{name}`"), message: message.to_owned() })
}

/// Labels found, over all texts.
#[derive(Default)]
struct Hits {
    /// That a text has and is given.
    right: u64,
    /// That it has, and that it is given.
    either: u64,
}

impl Hits {
    /// Adds a batch; gives the texts of which all labels are right.
    fn add(
        &mut self,
        logits: &Tensor,
        labels: &[u32],
        sets: &LabelSets,
        threshold: f64,
    ) -> Result<usize> {
        let mut correct = 0;
        for (row, &label) in logits.to_dtype(DType::F32)?.to_vec2::<f32>()?.iter().zip(labels) {
            let (found, truth) = (labels_of(row, threshold), sets.get(label));
            let right = found.iter().filter(|label| truth.binary_search(label).is_ok()).count();
            self.right += right as u64;
            self.either += (found.len() + truth.len()) as u64;
            correct += usize::from(found == truth);
        }
        Ok(correct)
    }

    /// 0 where there are no labels at all.
    fn f1(&self) -> f64 {
        2.0 * self.right as f64 / (self.either as f64).max(1.0)
    }
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

    /// What training lowers on these texts.
    pub(crate) fn objective(&self, recipe: &Train, class_names: &[String]) -> Objective {
        let mut counts = vec![0; class_names.len()];
        let Some(sets) = self.split.label_sets() else {
            for &(_, label) in &self.rows {
                counts[label as usize] += 1;
            }
            return Objective::new(recipe, &counts);
        };
        for label in self.rows.iter().flat_map(|&(_, number)| sets.get(number)) {
            counts[*label as usize] += 1;
        }
        Objective::of_label_sets(recipe, &counts, self.rows.len() as u64, sets.clone())
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
