//! The configurations that a data set's README declares in the YAML at its top, as the Hub reads them.
//!
//! ```yaml
//! configs:
//! - config_name: en
//!   default: true
//!   data_dir: en                       # what patterns are within
//!   data_files:                        # one pattern, or several: `train`
//!   - {split: train, path: "a/*"}      # also a mapping: split -> patterns
//!   - {split: test, path: [b/1.parquet, b/2.parquet]}
//! ```
//! A configuration without `data_files` has its splits by the paths of what is in its `data_dir`.

use std::collections::BTreeMap;

use glob::{MatchOptions, Pattern};
use serde::Deserialize;

use super::choose::{Splits, by_path};
use super::layout::DEFAULT;
use crate::layout::{check_split_name, split_of};

/// The most of a README that is looked at, in bytes.
pub(super) const MOST: u64 = 4 << 20;

#[derive(Debug, Deserialize)]
struct Card {
    #[serde(default)]
    configs: Vec<Config>,
}

/// A configuration as it is declared.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    #[serde(rename = "config_name")]
    name: Option<String>,
    data_files: Option<DataFiles>,
    data_dir: Option<String>,
    #[serde(default)]
    default: bool,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum DataFiles {
    One(String),
    Several(Vec<Entry>),
    BySplit(BTreeMap<String, Patterns>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    Train(String),
    Of { split: String, path: Patterns },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Patterns {
    One(String),
    Several(Vec<String>),
}

/// The configurations of a README, in its order; none where it has no YAML.
///
/// # Errors
/// YAML that cannot be read, as a sentence.
pub(super) fn configs(readme: &str) -> Result<Vec<Config>, String> {
    let Some(yaml) = front_matter(readme) else { return Ok(Vec::new()) };
    let card: Card = serde_saphyr::from_str(&yaml).map_err(|error| {
        let error = error.to_string();
        error.lines().next().unwrap_or_default().to_owned()
    })?;
    Ok(card.configs)
}

/// What stands between two lines `---`, the first of which is the first line.
fn front_matter(readme: &str) -> Option<String> {
    let mut lines = readme.trim_start_matches('\u{feff}').lines();
    let mark = |line: &str| line.trim_end() == "---";
    lines.next().filter(|line| mark(line))?;
    let mut yaml = String::new();
    for line in lines {
        if mark(line) {
            return Some(yaml);
        }
        yaml.push_str(line);
        yaml.push('\n');
    }
    None
}

/// The configuration `wanted`, or the one there is, or the one that is the default; its name and files among `paths`.
/// `None` where none is declared that has such files, or none of that name.
///
/// # Errors
/// Several, of which none is the default; a pattern or the name of a split that is none. As a sentence.
pub(super) fn choose(
    configs: &[Config],
    paths: &[&str],
    wanted: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<Option<(String, Splits)>, String> {
    let mut found: Vec<(&str, bool, Splits)> = Vec::new();
    for config in configs {
        let name = config.name.as_deref().unwrap_or(DEFAULT);
        let splits = config.splits(paths).map_err(|problem| {
            format!("its README declares the configuration `{name}` with {problem}")
        })?;
        if !splits.is_empty() {
            found.push((name, config.default || name == DEFAULT, splits));
        }
    }
    let names: Vec<&str> = found.iter().map(|config| config.0).collect();
    let there_are = format!("there are {} (declared in its README)", names.join(", "));
    let (at, chosen) = match (wanted, found.len()) {
        (_, 0) => return Ok(None),
        (Some(wanted), _) => (found.iter().position(|config| config.0 == wanted), false),
        (None, 1) => (Some(0), false),
        (None, _) => match found.iter().position(|config| config.1) {
            None => {
                return Err(format!("it has several configurations; name one: {there_are}"));
            }
            default => (default, true),
        },
    };
    let Some((name, _, splits)) = at.map(|at| found.swap_remove(at)) else { return Ok(None) };
    if chosen {
        notes.push(format!("of the configurations `{name}` is read; {there_are}"));
    }
    Ok(Some((name.to_owned(), splits)))
}

/// The names of all configurations that are declared.
pub(super) fn names(configs: &[Config]) -> Vec<&str> {
    configs.iter().map(|config| config.name.as_deref().unwrap_or(DEFAULT)).collect()
}

impl Config {
    fn splits(&self, paths: &[&str]) -> Result<Splits, String> {
        let folder = self.data_dir.as_deref().unwrap_or_default().trim_matches('/');
        let folder = folder.strip_prefix("./").unwrap_or(folder);
        let within = |path: &&&str| {
            folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
        };
        let paths: Vec<&str> = paths.iter().filter(within).copied().collect();
        let mut splits = Splits::new();
        for (split, patterns) in self.patterns() {
            let split = split_of(split).unwrap_or(split);
            check_split_name(split).map_err(|error| error.to_string())?;
            let files = splits.entry(split.to_owned()).or_default();
            for pattern in patterns {
                for path in matching(&paths, folder, pattern)? {
                    if !files.iter().any(|known| known == path) {
                        files.push(path.to_owned());
                    }
                }
            }
        }
        splits.retain(|_, files| !files.is_empty());
        if self.data_files.is_none() && !paths.is_empty() {
            // Its folder is no part of what paths say of configurations.
            let cut = if folder.is_empty() { 0 } else { folder.len() + 1 };
            let inner: Vec<&str> = paths.iter().map(|path| &path[cut..]).collect();
            let (_, told) = by_path(&inner, None, &mut Vec::new())?;
            let whole = |path: String| {
                paths[inner.iter().position(|one| *one == path).unwrap_or(0)].to_owned()
            };
            splits = told
                .into_iter()
                .map(|(split, files)| (split, files.into_iter().map(whole).collect()))
                .collect();
        }
        Ok(splits)
    }

    fn patterns(&self) -> Vec<(&str, Vec<&str>)> {
        let train = "train";
        match &self.data_files {
            None => Vec::new(),
            Some(DataFiles::One(pattern)) => vec![(train, vec![pattern])],
            Some(DataFiles::Several(entries)) => entries
                .iter()
                .map(|entry| match entry {
                    Entry::Train(pattern) => (train, vec![pattern.as_str()]),
                    Entry::Of { split, path } => (split.as_str(), path.all()),
                })
                .collect(),
            Some(DataFiles::BySplit(splits)) => {
                splits.iter().map(|(split, path)| (split.as_str(), path.all())).collect()
            }
        }
    }
}

impl Patterns {
    fn all(&self) -> Vec<&str> {
        match self {
            Patterns::One(pattern) => vec![pattern],
            Patterns::Several(patterns) => patterns.iter().map(String::as_str).collect(),
        }
    }
}

fn matching<'p>(paths: &[&'p str], folder: &str, pattern: &str) -> Result<Vec<&'p str>, String> {
    let relative = pattern.strip_prefix("./").unwrap_or(pattern);
    let whole =
        if folder.is_empty() { relative.to_owned() } else { format!("{folder}/{relative}") };
    let wanted =
        Pattern::new(&whole).map_err(|error| format!("the pattern `{pattern}`: {error}"))?;
    let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
    let fits = |path: &&&str| **path == whole || wanted.matches_with(path, options);
    Ok(paths.iter().filter(fits).copied().collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PATHS: [&str; 5] =
        ["a/train-1.parquet", "a/train-2.parquet", "b/x.parquet", "b/deep/y.parquet", "c.parquet"];

    fn chosen(yaml: &str, wanted: Option<&str>) -> Result<Option<(String, Splits)>, String> {
        let configs = configs(&format!("---\n{yaml}\n---\n# A data set\n"))?;
        choose(&configs, &PATHS, wanted, &mut Vec::new())
    }

    /// `NAME split=file,file split=…`
    fn shown(yaml: &str, wanted: Option<&str>) -> String {
        let (mut shown, splits) = chosen(yaml, wanted).unwrap().unwrap();
        for (split, files) in splits {
            shown.extend([" ", &split, "=", &files.join(",")]);
        }
        shown
    }

    #[test]
    fn files_are_declared_in_many_ways() {
        for (files, expected) in [
            ("c.parquet", "train=c.parquet"),
            ("'a/*'", "train=a/train-1.parquet,a/train-2.parquet"),
            ("[c.parquet, 'b/*']", "train=c.parquet,b/x.parquet"),
            ("'b/**'", "train=b/x.parquet,b/deep/y.parquet"),
            ("{train: c.parquet, dev: ['b/*']}", "train=c.parquet validation=b/x.parquet"),
            (
                "\n  - split: train\n    path: a/train-*\n  - split: test\n    path: [./c.parquet, c.parquet]",
                "test=c.parquet train=a/train-1.parquet,a/train-2.parquet",
            ),
        ] {
            let yaml = format!("license: mit\nconfigs:\n- config_name: en\n  data_files: {files}");
            assert_eq!(shown(&yaml, None), format!("en {expected}"), "{files}");
        }
        let by_folder = "configs:\n- config_name: en\n  data_dir: a";
        assert_eq!(shown(by_folder, None), "en train=a/train-1.parquet,a/train-2.parquet");
        let within = "configs:\n- data_dir: b\n  data_files: '*.parquet'";
        assert_eq!(shown(within, None), "default train=b/x.parquet");
    }

    #[test]
    fn one_of_several_is_named_or_the_default() {
        let two = "configs:\n- config_name: x\n  data_files: c.parquet\n- config_name: y\n  data_files: 'a/*'";
        assert!(shown(two, Some("y")).starts_with("y train=a/"));
        assert!(chosen(two, None).unwrap_err().contains("name one: there are x, y"));
        assert!(shown(&format!("{two}\n  default: true"), None).starts_with("y "));
        assert!(chosen(two, Some("z")).unwrap().is_none());
        // One whose files are no Parquet is none.
        let other = "configs:\n- config_name: x\n  data_files: c.csv";
        assert!(chosen(other, None).unwrap().is_none());
    }

    #[test]
    fn what_is_no_declaration_is_told_or_passed_over() {
        for none in
            ["# A data set", "---\nlicense: mit\n---\n", "---\nconfigs: []\n---\n", "---\nopen", ""]
        {
            assert!(configs(none).unwrap().is_empty(), "{none}");
        }
        let laughs: Vec<String> =
            (1..40).map(|n| format!("a{n}: &a{n} [*a{p}, *a{p}, *a{p}]\n", p = n - 1)).collect();
        let laughs = laughs.concat();
        for bad in [
            "---\nconfigs: 5\n---\n".to_owned(),
            "---\n{{{\n---\n".to_owned(),
            "---\nconfigs: [{config_name: x, data_files: 5}]\n---\n".to_owned(),
            format!("---\nconfigs: {}\n---\n", "[".repeat(100_000)),
            format!("---\na0: &a0 x\n{laughs}configs: *a39\n---\n"),
        ] {
            assert!(configs(&bad).is_err(), "{}", &bad[..30]);
        }
        let split = "configs:\n- data_files: {'../x': c.parquet}";
        assert!(chosen(split, None).unwrap_err().contains("`default`"));
        let pattern = "configs:\n- data_files: 'a/***'";
        assert!(chosen(pattern, None).unwrap_err().contains("the pattern `a/***`"));
    }
}
