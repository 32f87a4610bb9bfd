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
    Confusion, CurvePoint, Figures, Ranking, ReliabilityBin, Resampling, ranking, reliability,
    thinned,
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
    /// The least probability of a label that a text is given, where it may have several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Of the probabilities that the model gives, its temperature applied.
    pub figures: Figures,
    /// Of the probabilities without a temperature, where it has one.
    pub without_temperature: Option<Fit>,
    /// Rows by label, then by predicted class; not where a text may have several labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Confusion>,
    /// By tokens of the text, in bins of about as many rows.
    pub by_length: Vec<Slice>,
    /// By the share of unknown tokens among those read, in bins of about as many rows.
    pub by_unknown_share: Vec<Slice>,
    /// With and without rows whose text the training split has, too; `None` for that split itself.
    pub contamination: Option<Contamination>,
    /// Of each class; thinned to at most 201 points each.
    pub curves: Vec<ClassCurves>,
    /// The reliability diagram of those probabilities; none where a text may have several labels.
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
    let class_names = &config.class_names;
    let said = match config.threshold {
        None => Said::of_classes(config, scored, resampling)?,
        Some(threshold) => {
            let scores = scored.label_scores(threshold)?;
            Said {
                figures: scores.figures(class_names, resampling),
                right: scores.right(),
                rankings: (0..scores.labels()).map(|label| scores.ranking(label)).collect(),
                without_temperature: None,
                confusion: None,
                reliability: Vec::new(),
            }
        }
    };
    let right = &said.right;
    let lengths: Vec<f64> = scored.rows.iter().map(|row| row.tokens as f64).collect();
    let unknown: Vec<f64> = scored.rows.iter().map(ScoredRow::unknown_share).collect();
    let curves = said.rankings.into_iter().enumerate().map(|(class, ranking)| {
        let curve =
            |points: Option<Vec<CurvePoint>>| thinned(&points.unwrap_or_default(), CURVE_POINTS);
        ClassCurves {
            class: class_names.get(class).cloned().unwrap_or_default(),
            roc: curve(ranking.as_ref().map(Ranking::roc_curve)),
            precision_recall: curve(ranking.map(|ranking| ranking.precision_recall_curve())),
        }
    });
    Ok(Assessment {
        class_names: class_names.clone(),
        resampling,
        temperature: config.temperature,
        threshold: config.threshold,
        figures: said.figures,
        without_temperature: said.without_temperature,
        confusion: said.confusion,
        by_length: slices::by_quantile(&lengths, right, resampling),
        by_unknown_share: slices::by_quantile(&unknown, right, resampling),
        contamination: slices::contamination(prepared, scored, right, resampling)?,
        curves: curves.collect(),
        reliability: said.reliability,
        evaluation,
    })
}

/// What is computed from the scores of one class a text, or of its labels.
struct Said {
    figures: Figures,
    right: Vec<bool>,
    rankings: Vec<Option<Ranking>>,
    without_temperature: Option<Fit>,
    confusion: Option<Confusion>,
    reliability: Vec<ReliabilityBin>,
}

impl Said {
    fn of_classes(config: &ModelConfig, scored: &Scored, resampling: Resampling) -> Result<Self> {
        let scores = scored.scores(config.temperature)?;
        let once = vec![1; scores.len()];
        let (labels, classes) = (scores.labels(), scores.classes());
        Ok(Self {
            figures: Figures::new(&scores, &config.class_names, resampling),
            right: scores.right(),
            rankings: (0..classes).map(|class| ranking(&scores, class)).collect(),
            without_temperature: match config.temperature {
                Some(_) => Some(Fit::of(&scored.scores(None)?)),
                None => None,
            },
            confusion: Some(Confusion::new(labels, scores.predicted(), &once, classes)),
            reliability: reliability(&scores),
        })
    }
}
