//! What a model said of the rows that two are compared on: a class each, or any number of labels.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Contender;
use crate::Result;
use crate::evaluate::ScoredRow;
use crate::metrics::{Figures, LabelScores, Resampling, Scores};

/// The name of a class, or those of the labels a text has or is given; as JSON a string or a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Named {
    /// Of models that give a text a class.
    Class(String),
    /// Of models that give a text any number of labels.
    Labels(Vec<String>),
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class(name) => f.write_str(name),
            Self::Labels(names) if names.is_empty() => f.write_str("no label"),
            Self::Labels(names) => f.write_str(&names.join(" | ")),
        }
    }
}

/// A class or labels, and how sure a model is of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The class, or the labels.
    pub predicted: Named,
    /// The class's probability at the model's temperature. Of labels, that of having these and no others, each by itself:
    /// the product over all labels.
    pub probability: f64,
}

/// One model's scores.
pub(super) enum Said {
    Classes(Scores),
    Labels(LabelScores),
}

impl Said {
    pub(super) fn of(contender: Contender) -> Result<Self> {
        let Contender { config, scored, .. } = contender;
        Ok(match config.threshold {
            None => Self::Classes(scored.scores(config.temperature)?),
            Some(threshold) => Self::Labels(scored.label_scores(threshold)?),
        })
    }

    /// Whether a row's class is right, or all its labels are.
    pub(super) fn right(&self) -> Vec<bool> {
        match self {
            Self::Classes(scores) => scores.right(),
            Self::Labels(scores) => scores.right(),
        }
    }

    pub(super) fn figures(&self, names: &[String], resampling: Resampling) -> Figures {
        match self {
            Self::Classes(scores) => Figures::new(scores, names, resampling),
            Self::Labels(scores) => scores.figures(names, resampling),
        }
    }

    /// Of every row.
    pub(super) fn verdicts(&self, names: &[String]) -> Vec<Verdict> {
        match self {
            Self::Classes(scores) => {
                let verdict = |((probabilities, _), predicted): ((&[f64], u32), &u32)| Verdict {
                    predicted: Named::Class(named(names, *predicted)),
                    probability: probabilities.iter().copied().fold(0.0, f64::max),
                };
                scores.rows().zip(scores.predicted()).map(verdict).collect()
            }
            Self::Labels(scores) => {
                let verdict = |(given, probabilities): (Vec<u32>, &[f64])| {
                    let has = |label: u32| given.binary_search(&label).is_ok();
                    let each = (0..).zip(probabilities);
                    let each = each.map(|(label, &p)| if has(label) { p } else { 1.0 - p });
                    Verdict { probability: each.product(), predicted: labels(names, &given) }
                };
                scores.rows().map(verdict).collect()
            }
        }
    }
}

/// What is right for a row.
pub(super) fn truth(contender: Contender, row: &ScoredRow) -> Named {
    let names = &contender.config.class_names;
    match contender.config.threshold {
        None => Named::Class(named(names, row.label)),
        Some(_) => labels(names, contender.scored.labels_of(row.label)),
    }
}

fn named(names: &[String], class: u32) -> String {
    names.get(class as usize).cloned().unwrap_or_default()
}

fn labels(names: &[String], of: &[u32]) -> Named {
    Named::Labels(of.iter().map(|&label| named(names, label)).collect())
}
