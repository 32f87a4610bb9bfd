//! Two runs on the same rows: is one better, by more than chance, and where do they differ?

mod pairs;

use serde::{Deserialize, Serialize};

use crate::artifacts::Prepared;
use crate::assess::read_rows;
use crate::evaluate::Scored;
use crate::metrics::{Estimate, Figures, McNemar, Resampling, Scores};
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
    /// Accuracy of the second less that of the first; the interval is of resamples of pairs.
    pub accuracy_difference: Estimate,
    /// Whether the difference is more than chance.
    pub mcnemar: McNemar,
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
    /// The name of its class.
    pub label: String,
    /// What the first says.
    pub first: Verdict,
    /// What the second says.
    pub second: Verdict,
    /// The text.
    pub text: String,
}

/// A class and how sure a model is of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The class.
    pub predicted: String,
    /// Its probability, at the model's temperature.
    pub probability: f64,
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
    for Contender { name, config, .. } in [first, second] {
        if config.threshold.is_some() {
            let message =
                "gives a text any number of labels; only models that give one are compared";
            return Err(Error::Dataset { dataset: name.to_owned(), message: message.to_owned() });
        }
    }
    check(first, second)?;
    let pairs = pairs::of(
        (first.scored, &read_rows(first.prepared, split)?),
        (second.scored, &read_rows(second.prepared, &second.scored.split)?),
    )
    .map_err(|message| Error::Dataset { dataset: format!("split `{split}`"), message })?;
    let scores = [scores(first)?, scores(second)?];
    let right = [scores[0].right(), scores[1].right()];
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
    let shown = |pairs, surest| flipped([first, second], &scores, pairs, surest, flips);
    let contestant = |contender: Contender, scores: &Scores| Contestant {
        name: contender.name.to_owned(),
        correct: scores.right().iter().filter(|right| **right).count() as u64,
        figures: Figures::new(scores, &contender.config.class_names, resampling),
    };
    Ok(Comparison {
        split: split.clone(),
        rows: pairs.len() as u64,
        class_names: first.config.class_names.clone(),
        resampling,
        accuracy_difference: Estimate {
            value: gains.iter().sum::<f64>() / pairs.len() as f64,
            low: interval.map(|ends| ends[0]),
            high: interval.map(|ends| ends[1]),
        },
        mcnemar,
        lost: shown(lost, 1)?,
        won: shown(won, 0)?,
        first: contestant(first, &scores[0]),
        second: contestant(second, &scores[1]),
    })
}

fn scores(contender: Contender) -> Result<Scores> {
    contender.scored.scores(contender.config.temperature)
}

/// Whether both know the same classes in the same order, and both splits hold the same texts with the same labels.
fn check(first: Contender, second: Contender) -> Result<()> {
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
    scores: &[Scores; 2],
    mut pairs: Vec<(usize, usize)>,
    surest: usize,
    count: usize,
) -> Result<Vec<Flip>> {
    let probability = |model: usize, row: usize| -> f64 {
        let classes = scores[model].classes();
        let of_row = &scores[model].probabilities()[row * classes..(row + 1) * classes];
        of_row.iter().copied().fold(0.0, f64::max)
    };
    let key =
        |pair: &(usize, usize)| probability(surest, if surest == 0 { pair.0 } else { pair.1 });
    pairs.sort_by(|left, right| key(right).total_cmp(&key(left)).then(left.cmp(right)));
    pairs.truncate(count);
    let [first, second] = contenders;
    let places: Vec<usize> = pairs.iter().map(|pair| first.scored.rows[pair.0].row).collect();
    let records = first.prepared.records(&first.scored.split, &places)?;
    let name =
        |class: u32| first.config.class_names.get(class as usize).cloned().unwrap_or_default();
    let verdict = |model: usize, row: usize| Verdict {
        predicted: name(scores[model].predicted()[row]),
        probability: probability(model, row),
    };
    let flip = |(pair, record): (&(usize, usize), taper_corpus::Record)| Flip {
        id: record.id,
        label: name(second.scored.rows[pair.1].label),
        first: verdict(0, pair.0),
        second: verdict(1, pair.1),
        text: record.text,
    };
    Ok(pairs.iter().zip(records).map(flip).collect())
}
