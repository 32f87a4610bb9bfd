//! Which of a repository's Parquet files are read: those told, or those of one configuration.

use std::collections::BTreeMap;

use glob::{MatchOptions, Pattern};

use super::layout::{DEFAULT, told};
use crate::error::{Error, Result};
use crate::layout::check_split_name;

/// Split -> its files.
pub(super) type Splits = BTreeMap<String, Vec<String>>;

/// The configuration `wanted`, or the one there is, or `default`; its name and files.
///
/// # Errors
/// None of that name, or several; the names there are come with it, as a sentence.
pub(super) fn by_path(
    paths: &[&str],
    wanted: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<(String, Splits), String> {
    let mut configs: BTreeMap<String, Vec<(&str, Option<String>)>> = BTreeMap::new();
    let mut partial = Vec::new();
    for &path in paths {
        let told = told(path);
        if told.partial {
            partial.push(path);
        }
        configs.entry(told.config).or_default().push((path, told.split));
    }
    let names: Vec<&str> = configs.keys().map(String::as_str).collect();
    let there_are = format!("there are {}", names.join(", "));
    let name = match (wanted, names.as_slice()) {
        (Some(wanted), names) => {
            let near = names
                .iter()
                .map(|name| (strsim::jaro_winkler(name, wanted), name))
                .filter(|(similarity, _)| *similarity > 0.75)
                .max_by(|left, right| left.0.total_cmp(&right.0));
            let near =
                near.map_or_else(String::new, |(_, name)| format!(" (did you mean `{name}`?)"));
            let unknown = || format!("it has no configuration `{wanted}`{near}; {there_are}");
            names.iter().find(|&&name| name == wanted).copied().ok_or_else(unknown)?
        }
        (None, [only]) => only,
        (None, names) if names.contains(&DEFAULT) => {
            notes.push(format!("of the configurations `{DEFAULT}` is read; {there_are}"));
            DEFAULT
        }
        (None, _) => return Err(format!("it has several configurations; name one: {there_are}")),
    }
    .to_owned();
    let files = configs.remove(&name).unwrap_or_default();
    let any_told = files.iter().any(|(_, split)| split.is_some());
    let mut splits = Splits::new();
    for (path, split) in files {
        if partial.contains(&path) {
            notes.push(format!("{path} is of a split that the Hub converted only in part"));
        }
        match split {
            Some(split) => splits.entry(split).or_default().push(path.to_owned()),
            None if any_told => {
                notes.push(format!("{path} is passed over: its name tells no split"));
            }
            None => splits.entry("train".to_owned()).or_default().push(path.to_owned()),
        }
    }
    Ok((name, splits))
}

/// The files that were told, as names or globs within the repository.
///
/// # Errors
/// A pattern that is none, or that no file matches; a file given twice.
pub(super) fn as_told(
    repository: &str,
    paths: &[&str],
    files: &BTreeMap<String, Vec<String>>,
) -> Result<Splits> {
    let wrong = |problem: String| Error::Settings { key: "files", problem };
    let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
    let mut splits = Splits::new();
    for (split, patterns) in files {
        check_split_name(split)?;
        for pattern in patterns {
            let glob =
                Pattern::new(pattern).map_err(|error| wrong(format!("`{pattern}`: {error}")))?;
            let matching =
                |path: &&&str| **path == pattern.as_str() || glob.matches_with(path, options);
            let found: Vec<&str> = paths.iter().filter(matching).copied().collect();
            if found.is_empty() {
                return Err(wrong(format!(
                    "no Parquet file of {repository} matches `{pattern}`, given for the split `{split}`; there are {}",
                    some_of(paths)
                )));
            }
            for path in found {
                if splits.values().flatten().any(|known| known == path) {
                    let problem = format!("{path} is given twice; a file belongs to one split");
                    return Err(wrong(problem));
                }
                splits.entry(split.clone()).or_default().push(path.to_owned());
            }
        }
    }
    Ok(splits)
}

/// Some names of many.
pub(super) fn some_of(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}
