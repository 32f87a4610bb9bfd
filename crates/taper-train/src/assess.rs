//! Everything that can be said of a model on a split: figures with intervals, calibration, and where its errors lie.

mod predictions;
mod rows;
mod slices;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::artifacts::Prepared;
use crate::calibrate::Fit;
use crate::evaluate::{Evaluation, Scored, ScoredRow};
use crate::metrics::{
    Confusion, CurvePoint, Figures, ReliabilityBin, Resampling, ranking, reliability, thinned,
};
use crate::model::ModelConfig;

pub use predictions::write_predictions;
pub(crate) use rows::{CorpusRow, read_rows};
pub use slices::{Contamination, Slice};

/// Points of a curve: enough to draw it on any screen.
const CURVE_POINTS: usize = 201;

/// What is known of a model on a split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// As training counts it; its loss is that of the logits as they come.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// Names of the classes, in order.
    pub class_names: Vec<String>,
    /// How the intervals were made.
    pub resampling: Resampling,
    /// What the model's logits are divided by.
    pub temperature: Option<f64>,
    /// Of the probabilities that the model gives, its temperature applied.
    pub figures: Figures,
    /// Of the probabilities without a temperature, where it has one.
    pub without_temperature: Option<Fit>,
    /// Rows by label, then by predicted class.
    pub confusion: Confusion,
    /// By tokens of the text, in bins of about as many rows.
    pub by_length: Vec<Slice>,
    /// By the share of unknown tokens among those read, in bins of about as many rows.
    pub by_unknown_share: Vec<Slice>,
    /// With and without rows whose text the training split has, too; `None` for that split itself.
    pub contamination: Option<Contamination>,
    /// Of each class; thinned to at most 201 points each.
    pub curves: Vec<ClassCurves>,
    /// The reliability diagram of those probabilities.
    pub reliability: Vec<ReliabilityBin>,
}

/// One class against the rest; empty where a curve is undefined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassCurves {
    /// The class.
    pub class: String,
    /// False-positive rate and true-positive rate.
    pub roc: Vec<CurvePoint>,
    /// Recall and precision.
    pub precision_recall: Vec<CurvePoint>,
}

/// Computes everything from what [`score`](crate::score()) kept. `prepared` is the data that the split is of: its texts
/// tell which rows the training split has, too.
///
/// # Errors
/// If the data are [not the model's](ModelConfig::check_data), or cannot be read.
pub fn assess(
    prepared: &Prepared,
    config: &ModelConfig,
    evaluation: Evaluation,
    scored: &Scored,
    resampling: Resampling,
) -> Result<Assessment> {
    config.check_data(prepared)?;
    let temperature = config.temperature;
    let scores = scored.scores(temperature)?;
    let class_names = &config.class_names;
    let right = scores.right();
    let lengths: Vec<f64> = scored.rows.iter().map(|row| row.tokens as f64).collect();
    let unknown: Vec<f64> = scored.rows.iter().map(ScoredRow::unknown_share).collect();
    let curves = (0..scores.classes()).map(|class| {
        let ranking = ranking(&scores, class);
        let curve =
            |points: Option<Vec<CurvePoint>>| thinned(&points.unwrap_or_default(), CURVE_POINTS);
        ClassCurves {
            class: class_names.get(class).cloned().unwrap_or_default(),
            roc: curve(ranking.as_ref().map(crate::metrics::Ranking::roc_curve)),
            precision_recall: curve(ranking.map(|ranking| ranking.precision_recall_curve())),
        }
    });
    let once = vec![1; scores.len()];
    Ok(Assessment {
        class_names: class_names.clone(),
        resampling,
        temperature,
        figures: Figures::new(&scores, class_names, resampling),
        without_temperature: match temperature {
            Some(_) => Some(Fit::of(&scored.scores(None)?)),
            None => None,
        },
        confusion: Confusion::new(scores.labels(), scores.predicted(), &once, scores.classes()),
        by_length: slices::by_quantile(&lengths, &right, resampling),
        by_unknown_share: slices::by_quantile(&unknown, &right, resampling),
        contamination: slices::contamination(prepared, scored, &right, resampling)?,
        curves: curves.collect(),
        reliability: reliability(&scores),
        evaluation,
    })
}
