//! A source as a [`Plan`]: what was told and detected, and its first rows.

use std::path::PathBuf;

use super::{FileSource, Source};
use crate::error::{Error, Result};
use crate::format::{Dialect, Reading, pick};
use crate::plan::{Plan, PlannedColumn, PlannedRow, PlannedSplit};

/// Ends a stream that has given enough.
#[derive(Debug, thiserror::Error)]
#[error("enough")]
struct Enough;

impl Source {
    /// What will be read, with the first `rows` rows. Opens every file, so that one without a column is
    /// told early, and reads no further than these rows.
    ///
    /// # Errors
    /// A file that cannot be opened; rows that are not as they should be stand in the plan.
    pub fn plan(&self, rows: usize) -> Result<Plan> {
        if let Self::Files(files) = self {
            return of_files(files, rows);
        }
        let file = |path: &std::path::Path| vec![path.to_owned()];
        let all = |files| vec![PlannedSplit { name: "all".to_owned(), files }];
        let splits = match self {
            Self::HubLayout(hub) => {
                let split = |(name, files): &(String, Vec<PathBuf>)| PlannedSplit {
                    name: name.clone(),
                    files: files.clone(),
                };
                hub.splits().iter().map(split).collect()
            }
            Self::AclImdbFolder(folder) => all(file(folder.path())),
            Self::AclImdbArchive(archive) => all(file(archive.path())),
            Self::Files(_) => Vec::new(),
        };
        let names = self.class_names()?;
        Ok(Plan {
            format: self.describe(),
            splits,
            columns: Vec::new(),
            classes: names.join(", "),
            notes: match self {
                Self::HubLayout(hub) => hub.without_labels()?.into_iter().map(unlabelled).collect(),
                _ => Vec::new(),
            },
            rows: self.first_rows(rows, &names)?,
        })
    }

    fn first_rows(&self, most: usize, names: &[String]) -> Result<Vec<PlannedRow>> {
        let mut rows = Vec::new();
        if most == 0 {
            return Ok(rows);
        }
        let read = self.for_each(&mut |split, record| {
            let label = record.label.and_then(|label| names.get(label as usize).cloned());
            rows.push(PlannedRow {
                split: split.to_owned(),
                label,
                group: record.group,
                text: record.text,
                problem: None,
            });
            if rows.len() == most { Err(Error::Visitor(Box::new(Enough))) } else { Ok(()) }
        });
        match read {
            Err(Error::Visitor(error)) if error.is::<Enough>() => Ok(rows),
            other => other.map(|()| rows),
        }
    }
}

fn unlabelled(split: &str) -> String {
    format!(
        "the split `{split}` begins without a label: if no row of it has one, its texts are kept to be predicted, and \
         nothing is evaluated on it"
    )
}

fn of_files(files: &FileSource, rows: usize) -> Result<Plan> {
    let without_labels = files.without_labels()?.into_iter().map(unlabelled);
    let split = |(name, files): &(String, Vec<crate::format::DataFile>)| PlannedSplit {
        name: name.clone(),
        files: files.iter().map(|file| file.path.clone()).collect(),
    };
    let row = |(split, raw): (String, Result<crate::format::Raw, String>)| match raw {
        Ok(raw) => {
            let label = raw.words();
            PlannedRow { split, label, group: raw.group, text: raw.text, problem: None }
        }
        Err(problem) => PlannedRow {
            split,
            label: None,
            group: None,
            text: String::new(),
            problem: Some(problem),
        },
    };
    let given = &files.settings().label_names;
    Ok(Plan {
        format: format(files),
        splits: files.splits.iter().map(split).collect(),
        columns: columns(files)?,
        classes: if given.is_empty() {
            "the labels of the first split, in the order of first use; whole numbers in that of size, false before true"
                .to_owned()
        } else {
            given.join(", ")
        },
        notes: files.notes.iter().cloned().chain(without_labels).collect(),
        rows: files.first_rows(rows)?.into_iter().map(row).collect(),
    })
}

fn columns(files: &FileSource) -> Result<Vec<PlannedColumn>> {
    let Some(file) = files.splits.first().and_then(|(_, files)| files.first()) else {
        return Ok(Vec::new());
    };
    if matches!(file.reading, Reading::Folder) {
        return Ok(Vec::new());
    }
    let mut told = file.columns.clone();
    if file.reading == Reading::Trec && told.label.is_none() {
        told.label = Some("coarse".to_owned());
    }
    let picks = pick(&file.path, &file.names, &told, file.label)?;
    let role = |at: usize| {
        let is = |pick: Option<usize>| pick == Some(at);
        match () {
            () if picks.text.contains(&at) => Some("text"),
            () if is(picks.label) => Some("label"),
            () if is(picks.group) => Some("group"),
            () if is(picks.id) => Some("id"),
            () => None,
        }
    };
    let columns = file.names.iter().enumerate();
    Ok(columns
        .map(|(at, name)| PlannedColumn { number: at + 1, name: name.clone(), role: role(at) })
        .collect())
}

/// The format of the first file, for people.
pub(super) fn format(files: &FileSource) -> String {
    let Some(file) = files.splits.first().and_then(|(_, files)| files.first()) else {
        return String::new();
    };
    match &file.reading {
        Reading::Csv(dialect) => table(*dialect),
        Reading::Jsonl => "JSON lines".to_owned(),
        Reading::Parquet => "Parquet".to_owned(),
        Reading::Folder => "a folder per class".to_owned(),
        Reading::FastText => "fastText's lines".to_owned(),
        Reading::Trec => "TREC's lines".to_owned(),
        Reading::Text => "plain text, one a line, without labels".to_owned(),
    }
}

fn table(dialect: Dialect) -> String {
    let shown = |byte: u8| match byte {
        b'\t' => "tab".to_owned(),
        byte => format!("`{}`", char::from(byte)),
    };
    let quote = dialect
        .quote
        .map_or_else(|| "nothing quoted".to_owned(), |quote| format!("quoted by {}", shown(quote)));
    let header = if dialect.header { "with" } else { "without" };
    format!("CSV ({} between fields, {quote}, {header} a header)", shown(dialect.delimiter))
}
