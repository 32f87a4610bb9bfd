//! Which columns hold what: as told, by name or number, or by the names that such columns usually have.

use std::path::Path;

use crate::error::{Error, Place, Result};
use crate::settings::ColumnSettings;

/// What a column of texts is usually called, the likelier first.
const TEXTS: [&str; 12] = [
    "text",
    "review",
    "sentence",
    "content",
    "body",
    "comment",
    "tweet",
    "question",
    "document",
    "utterance",
    "message",
    "description",
];

/// What a column of classes is usually called.
const LABELS: [&str; 14] = [
    "label",
    "class",
    "category",
    "sentiment",
    "target",
    "polarity",
    "topic",
    "intent",
    "emotion",
    "stars",
    "rating",
    "coarse_label",
    "label_text",
    "labels",
];

/// Whether columns of texts or classes are often called so.
pub(super) fn is_usual(name: &str) -> bool {
    TEXTS.iter().chain(&LABELS).any(|usual| name.trim().eq_ignore_ascii_case(usual))
}

/// Whether a column of this name says what rows are called or what they share: nothing that is read or learned.
pub(super) fn names_rows(name: &str) -> bool {
    ["id", "group"].iter().any(|usual| name.trim().eq_ignore_ascii_case(usual))
}

/// What becomes of the label of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LabelUse {
    /// Each row needs one.
    Required,
    /// A file may go without the column; else it is found as where each row needs one.
    Expected,
    /// It is read where there is one.
    Optional,
    /// Texts are to be predicted: neither label nor group is looked at, whatever stands there.
    Ignored,
}

/// The places of the columns that are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Picks {
    pub(crate) text: Vec<usize>,
    pub(crate) label: Option<usize>,
    pub(crate) group: Option<usize>,
    pub(crate) id: Option<usize>,
}

impl Picks {
    /// Every place once, in order.
    pub(super) fn all(&self) -> Vec<usize> {
        let rest = [self.label, self.group, self.id];
        let mut all: Vec<usize> =
            self.text.iter().copied().chain(rest.into_iter().flatten()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// Finds the columns among `names`; what is not told is guessed, as long as the names leave one answer.
///
/// # Errors
/// A column that is not there, with the nearest name; a name that stands there twice; no column that
/// could be the text, or (where rows need one) the label.
pub(crate) fn pick(
    path: &Path,
    names: &[String],
    told: &ColumnSettings,
    label: LabelUse,
) -> Result<Picks> {
    let find = |column: &String| find(path, names, column);
    let mut picks = Picks {
        text: told.text.iter().map(find).collect::<Result<_>>()?,
        label: match told.label.as_ref().map(find).transpose() {
            Err(Error::MissingColumn { .. }) if label != LabelUse::Required => None,
            found => found?,
        },
        group: told.group.as_ref().map(find).transpose()?,
        id: told.id.as_ref().map(find).transpose()?,
    };
    let known = |candidates: &[&str], taken: &[Option<usize>]| {
        let free = |at: usize| !taken.contains(&Some(at));
        let named = |candidate: &&str| {
            let mut columns = names.iter().enumerate();
            columns.find(|(at, name)| free(*at) && name.trim().eq_ignore_ascii_case(candidate))
        };
        candidates.iter().find_map(named).map(|(_, name)| name)
    };
    // By name again: two columns called `text` are no answer.
    let guess = |candidates: &[&str]| known(candidates, &[]).map(find).transpose();
    if picks.text.is_empty() {
        let taken = [picks.label, picks.group, picks.id];
        picks.text.extend(known(&TEXTS, &taken).map(find).transpose()?);
    }
    if picks.label.is_none() {
        let taken = [picks.group, picks.id];
        picks.label =
            guess(&LABELS)?.filter(|at| !picks.text.contains(at) && !taken.contains(&Some(*at)));
    }
    picks.group = if picks.group.is_none() { guess(&["group"])? } else { picks.group };
    picks.id = if picks.id.is_none() { guess(&["id"])? } else { picks.id };
    // Of two columns, what the one is not the other is; a name or a group is neither text nor class.
    let taken = [picks.group, picks.id];
    let free = |at: usize| !taken.contains(&Some(at));
    match (picks.text.as_slice(), picks.label, names.len()) {
        ([], None, 1) => picks.text.push(0),
        ([], Some(label), 2) if free(1 - label) => picks.text.push(1 - label),
        ([], None, 2) if label == LabelUse::Ignored => {
            picks.text.extend((0..2).filter(|&at| free(at) && !free(1 - at)));
        }
        ([text], None, 2)
            if matches!(label, LabelUse::Required | LabelUse::Expected) && free(1 - text) =>
        {
            picks.label = Some(1 - text);
        }
        _ => {}
    }
    let missing = |what: &str| {
        Err(Error::MissingColumn {
            path: path.to_owned(),
            column: what.to_owned(),
            suggestion: None,
            known: names.to_vec(),
        })
    };
    if picks.text.is_empty() {
        return missing("that is known to hold the text; name it or give its number");
    }
    if label == LabelUse::Required && picks.label.is_none() {
        return missing(
            "that is known to hold the label; name it or give its number (without labels a text \
             belongs to the split `unsupervised`)",
        );
    }
    if label == LabelUse::Ignored {
        (picks.label, picks.group) = (None, None);
    }
    Ok(picks)
}

/// A column by its name, else by its number from 1.
fn find(path: &Path, names: &[String], column: &String) -> Result<usize> {
    let mut named = (0..names.len()).filter(|&at| names[at].trim() == column.trim());
    match (named.next(), named.next()) {
        (Some(at), None) => return Ok(at),
        (Some(one), Some(other)) => {
            return Err(Error::Malformed {
                place: Place::file(path),
                problem: format!(
                    "columns {} and {} are both called `{column}`; name one of them otherwise",
                    one + 1,
                    other + 1
                ),
            });
        }
        _ => {}
    }
    if let Some(number) = column.parse::<usize>().ok().filter(|&n| (1..=names.len()).contains(&n)) {
        return Ok(number - 1);
    }
    let near = names
        .iter()
        .map(|name| (strsim::jaro_winkler(&name.to_lowercase(), &column.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity > 0.75)
        .max_by(|left, right| left.0.total_cmp(&right.0));
    Err(Error::MissingColumn {
        path: path.to_owned(),
        column: format!("`{column}`"),
        suggestion: near.map(|(_, name)| name.clone()),
        known: names.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_column_that_is_told_to_be_something_else_is_not_the_text() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let told = |role: &str, column: &str| {
            let told = |name| (role == name).then(|| column.to_owned());
            ColumnSettings {
                label: told("label"),
                group: told("group"),
                id: told("id"),
                ..ColumnSettings::default()
            }
        };
        let path = Path::new("x.csv");
        let picks = pick(
            path,
            &names(&["review", "comment"]),
            &told("label", "review"),
            LabelUse::Required,
        );
        let picks = picks.unwrap();
        assert_eq!((picks.text, picks.label), (vec![1], Some(0)));
        let answers = names(&["question", "answer", "label"]);
        for role in ["group", "id"] {
            let error = pick(path, &answers, &told(role, "question"), LabelUse::Required);
            let message = error.unwrap_err().to_string();
            assert!(message.contains("known to hold the text"), "{message}");
        }
    }
}
