//! Two runs on the same rows: is one better, by more than chance, and where do they differ?

mod labels;
mod pairs;
mod said;

pub use labels::{LabelComparison, LabelTest};
pub use said::{Named, Verdict};

use said::{Said, truth};
use serde::{Deserialize, Serialize};

use crate::artifacts::Prepared;
use crate::assess::read_rows;
use crate::evaluate::Scored;
use crate::metrics::{Estimate, Figures, McNemar, Resampling};
use crate::model::ModelConfig;
use crate::{Error, Result};

/// One of the two: a model, the data it was trained with, and what it said of a split of them.
#[derive(Debug, Clone, Copy)]
pub struct Contender<'a> {
    /// What to call it: its folder.
    pub name: &'a str,
    /// The model.
    pub config: &'a ModelConfig,
    /// The data.
    pub prepared: &'a Prepared,
    /// What it said of the split.
    pub scored: &'a Scored,
}

/// Two models on the same rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The split.
    pub split: String,
    /// Its labelled rows.
    pub rows: u64,
    /// Names of the classes, in order.
    pub class_names: Vec<String>,
    /// How the intervals were made.
    pub resampling: Resampling,
    /// The first model.
    pub first: Contestant,
    /// The second.
    pub second: Contestant,
    /// Accuracy of the second less that of the first; the interval is of resamples of pairs. Where a text has any number
    /// of labels, it is right if all of them are.
    pub accuracy_difference: Estimate,
    /// Whether the difference is more than chance.
    pub mcnemar: McNemar,
    /// Where a text has any number of labels: each of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_label: Option<LabelComparison>,
    /// Rows that the first has right and the second wrong: those first of which the second is surest.
    pub lost: Vec<Flip>,
    /// Rows that the second has right and the first wrong: those first of which the first is surest.
    pub won: Vec<Flip>,
}

/// A model's part in a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contestant {
    /// Its name.
    pub name: String,
    /// Rows it has right.
    pub correct: u64,
    /// All its figures.
    pub figures: Figures,
}

/// A row that one model has right and the other wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flip {
    /// Its name in the first's data.
    pub id: String,
    /// Its class, or its labels.
    pub label: Named,
    /// What the first says.
    pub first: Verdict,
    /// What the second says.
    pub second: Verdict,
    /// The text.
    pub text: String,
}

/// Compares two models. Their data may be prepared in different ways, and lie in different order: rows are paired by text,
/// label and id. At most `flips` rows each way come with their text.
///
/// # Errors
/// If the two were not given the same texts with the same labels of the same classes: the message says how they differ.
pub fn compare(
    first: Contender,
    second: Contender,
    flips: usize,
    resampling: Resampling,
) -> Result<Comparison> {
    let split = &first.scored.split;
    check(first, second)?;
    let pairs = pairs::of(
        (first.scored, &read_rows(first.prepared, split)?),
        (second.scored, &read_rows(second.prepared, &second.scored.split)?),
    )
    .map_err(|message| Error::Dataset { dataset: format!("split `{split}`"), message })?;
    let said = [Said::of(first)?, Said::of(second)?];
    let right = [said[0].right(), said[1].right()];
    let class_names = &first.config.class_names;
    let by_label = match &said {
        [Said::Labels(one), Said::Labels(other)] => {
            Some(labels::compare(one, other, &pairs, class_names, resampling))
        }
        _ => None,
    };
    let outcome = |pair: &(usize, usize)| (right[0][pair.0], right[1][pair.1]);
    let gain = |pair| match outcome(pair) {
        (true, false) => -1.0,
        (false, true) => 1.0,
        _ => 0.0,
    };
    let gains: Vec<f64> = pairs.iter().map(gain).collect();
    let interval = resampling.mean(&gains);
    let differ = |wanted| -> Vec<(usize, usize)> {
        pairs.iter().filter(|pair| outcome(pair) == wanted).copied().collect()
    };
    let (lost, won) = (differ((true, false)), differ((false, true)));
    let mcnemar = McNemar::new(lost.len() as u64, won.len() as u64);
    let verdicts = [said[0].verdicts(class_names), said[1].verdicts(class_names)];
    let shown = |pairs, surest| flipped([first, second], &verdicts, pairs, surest, flips);
    let contestant = |contender: Contender, said: &Said| Contestant {
        name: contender.name.to_owned(),
        correct: said.right().iter().filter(|right| **right).count() as u64,
        figures: said.figures(class_names, resampling),
    };
    Ok(Comparison {
        split: split.clone(),
        rows: pairs.len() as u64,
        class_names: class_names.clone(),
        resampling,
        accuracy_difference: Estimate {
            value: gains.iter().sum::<f64>() / pairs.len() as f64,
            low: interval.map(|ends| ends[0]),
            high: interval.map(|ends| ends[1]),
        },
        mcnemar,
        by_label,
        lost: shown(lost, 1)?,
        won: shown(won, 0)?,
        first: contestant(first, &said[0]),
        second: contestant(second, &said[1]),
    })
}

/// Whether both know the same classes in the same order, and both splits hold the same texts with the same labels.
fn check(first: Contender, second: Contender) -> Result<()> {
    let several = [first, second].map(|contender| contender.config.threshold.is_some());
    if several[0] != several[1] {
        let (one, any) = if several[1] { (first, second) } else { (second, first) };
        return Err(Error::Dataset {
            dataset: format!("{} and {}", first.name, second.name),
            message: format!(
                "{} gives a text one class, {} any number of labels: what is right for the one is not for the other",
                one.name, any.name
            ),
        });
    }
    let classes = [first, second].map(|contender| contender.config.class_names.join(", "));
    if classes[0] != classes[1] {
        return Err(Error::Dataset {
            dataset: format!("{} and {}", first.name, second.name),
            message: format!(
                "their classes differ ({} and {}); only models of the same classes can be compared",
                classes[0], classes[1]
            ),
        });
    }
    Ok(())
}

/// The pairs of which model `surest` is most certain, with their texts.
fn flipped(
    contenders: [Contender; 2],
    verdicts: &[Vec<Verdict>; 2],
    mut pairs: Vec<(usize, usize)>,
    surest: usize,
    count: usize,
) -> Result<Vec<Flip>> {
    let of_pair = |model: usize, pair: &(usize, usize)| {
        &verdicts[model][if model == 0 { pair.0 } else { pair.1 }]
    };
    let key = |pair: &(usize, usize)| of_pair(surest, pair).probability;
    pairs.sort_by(|left, right| key(right).total_cmp(&key(left)).then(left.cmp(right)));
    pairs.truncate(count);
    let [first, second] = contenders;
    let places: Vec<usize> = pairs.iter().map(|pair| first.scored.rows[pair.0].row).collect();
    let records = first.prepared.records(&first.scored.split, &places)?;
    let flip = |(pair, record): (&(usize, usize), taper_corpus::Record)| Flip {
        id: record.id,
        label: truth(second, &second.scored.rows[pair.1]),
        first: of_pair(0, pair).clone(),
        second: of_pair(1, pair).clone(),
        text: record.text,
    };
    Ok(pairs.iter().zip(records).map(flip).collect())
}
