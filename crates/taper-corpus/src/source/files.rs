//! A data set of files whose format and columns were told or detected: any number of them, in splits.
//!
//! All rows are read twice. The first time they are counted and fingerprinted, and the classes are
//! learned from the first split (`train`, where there is one); the second time they are handed out. What
//! is kept between the two are class names and counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Place, Result};
use crate::format::{
    BadRow, DataFile, LabelUse, Raw, Reading, Row, check_several, class_names, detect,
};
use crate::labels::Labels;
use crate::layout::{UNSUPERVISED, may_lack_labels, split_rank};
use crate::record::Record;
use crate::reject::Rejected;
use crate::settings::{ColumnSettings, OnError, SourceSettings};
use crate::source::find::{self, Found};
use crate::source::seen::{BAD, Seen, framed, hash, hash_origin, plain};
use crate::source::{Reject, VisitFrom};

/// Files of labelled texts: CSV and its kin, JSON lines, Parquet, fastText's and TREC's lines, plain
/// text, or a folder per class.
///
/// Splits come in the order train, validation, test, unsupervised, others. Each row has a label, but for those of
/// `unsupervised`, and of a split other than train and validation in which no row has one. The row of a split that has
/// no `id` is called by its place, `train/17`; the text of a class folder `train/CLASS/FILE`.
#[derive(Debug, Clone)]
pub struct FileSource {
    root: PathBuf,
    /// The folder that its files are named in.
    base: PathBuf,
    settings: SourceSettings,
    pub(super) splits: Vec<(String, Vec<DataFile>)>,
    pub(super) notes: Vec<String>,
    survey: Arc<OnceLock<Survey>>,
}

/// What the first reading finds.
#[derive(Debug)]
struct Survey {
    labels: Labels,
    /// The splits in which a row has a label: there each row needs one.
    labelled: BTreeSet<String>,
    records: String,
    /// Of where all rows stand.
    origins: String,
}

impl FileSource {
    /// # Errors
    /// Nothing that can be read there; see [`find`].
    pub(super) fn open(path: &Path, settings: &SourceSettings) -> Result<Self> {
        Self::of(path, find::find(path, settings)?, settings)
    }

    pub(super) fn of(root: &Path, found: Found, settings: &SourceSettings) -> Result<Self> {
        let mut splits: Vec<(String, Vec<DataFile>)> = Vec::new();
        let mut add = |split: &str, file| match splits.iter_mut().find(|known| known.0 == split) {
            Some((_, files)) => files.push(file),
            None => splits.push((split.to_owned(), vec![file])),
        };
        // Files of a split with the same ending are written alike; the first one tells how.
        let mut looks = HashMap::new();
        for (split, path) in found.files {
            let key = (split.clone(), crate::format::extension(&path));
            if !looks.contains_key(&key) {
                looks.insert(key.clone(), detect(&path, settings)?);
            }
            let detected = &looks[&key];
            let default = if detected.reading == Reading::Text { UNSUPERVISED } else { "train" };
            let split = split.unwrap_or_else(|| default.to_owned());
            let file = DataFile {
                path,
                reading: detected.reading.clone(),
                names: detected.names.clone(),
                columns: detected.columns.clone(),
                header_told: settings.dialect.header == Some(true),
                label: match split.as_str() {
                    UNSUPERVISED => LabelUse::Optional,
                    split if may_lack_labels(split) => LabelUse::Expected,
                    _ => LabelUse::Required,
                },
                separator: settings.label_separator.clone(),
            };
            add(&split, file);
        }
        if !found.classes.is_empty() && settings.columns != ColumnSettings::default() {
            return Err(Error::Settings {
                key: "columns",
                problem: "a folder per class has no columns".to_owned(),
            });
        }
        for (split, path) in found.classes {
            let (reading, columns) = (Reading::Folder, ColumnSettings::default());
            let file = DataFile {
                path,
                reading,
                names: Vec::new(),
                columns,
                header_told: false,
                label: LabelUse::Required,
                separator: settings.label_separator.clone(),
            };
            add(&split, file);
        }
        splits.iter().flat_map(|(_, files)| files).try_for_each(check_several)?;
        splits.sort_by(|a, b| (split_rank(&a.0), &a.0).cmp(&(split_rank(&b.0), &b.0)));
        let mut settings = settings.clone();
        if settings.label_names.is_empty() {
            settings.label_names = named_by_parquet(&splits)?;
        }
        // A file, an archive, a member of one, a pattern: what comes before them is a folder.
        let base = root.ancestors().find(|part| part.is_dir()).unwrap_or(Path::new(""));
        let (root, base, notes) = (root.to_owned(), plain(base).to_owned(), found.notes);
        Ok(Self { root, base, settings, splits, notes, survey: Arc::default() })
    }

    /// What was opened.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The settings, with the class names that Parquet files bring.
    pub(super) fn settings(&self) -> &SourceSettings {
        &self.settings
    }

    /// # Errors
    /// As [`Self::for_each`]: the names are known once all rows of the first split are read.
    pub(super) fn class_names(&self) -> Result<Vec<String>> {
        Ok(self.survey()?.labels.names().to_vec())
    }

    /// Of the rows and class names, whatever they were written in.
    pub(super) fn fingerprint(&self) -> Result<String> {
        let survey = self.survey()?;
        let mut hasher = blake3::Hasher::new_derive_key("taper-corpus 2026 rows of files");
        hasher.update(survey.records.as_bytes());
        for name in survey.labels.names() {
            framed(&mut hasher, name);
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// Of the files' names and the lines or rows that records stand on.
    pub(super) fn origins_fingerprint(&self) -> Result<String> {
        Ok(self.survey()?.origins.clone())
    }

    pub(super) fn for_each(
        &self,
        visit: &mut VisitFrom<'_>,
        reject: &mut Reject<'_>,
    ) -> Result<()> {
        let survey = self.survey()?;
        let mut records = blake3::Hasher::new();
        self.rows(&mut |mut seen| {
            let raw = std::mem::replace(&mut seen.raw, Ok(Raw::default()));
            let raw = match raw {
                Ok(raw) => raw,
                Err(bad) => {
                    records.update(BAD);
                    return self.refuse(&seen, *bad, reject);
                }
            };
            let id = hash(&mut records, &seen, &raw);
            if !raw.is_labelled() && survey.labelled.contains(seen.split) {
                let error = self.missing_label(seen.split, seen.place());
                return self.refuse(&seen, BadRow { error, content: raw.text }, reject);
            }
            match numbers(&survey.labels, &raw, || seen.place()) {
                Ok((label, labels)) => {
                    let Raw { text, group, .. } = raw;
                    let record = Record { id, text, label, labels, group };
                    visit(seen.split, record, seen.origin(&self.base))
                }
                Err(error) => {
                    let content = raw.words().unwrap_or_default();
                    self.refuse(&seen, BadRow { error, content }, reject)
                }
            }
        })?;
        if records.finalize().to_hex().as_str() != survey.records {
            return Err(Error::Changed { path: self.root.clone() });
        }
        Ok(())
    }

    /// Reads everything once, and only once.
    fn survey(&self) -> Result<&Survey> {
        if let Some(survey) = self.survey.get() {
            return Ok(survey);
        }
        let mut labels = Labels::new(&self.settings.label_names);
        let (mut records, mut origins) = (blake3::Hasher::new(), blake3::Hasher::new());
        let (mut accepted, mut settled) = (0_u64, false);
        let mut first_problem: Option<String> = None;
        let mut labelled = BTreeSet::new();
        let mut unlabelled: BTreeMap<String, Place> = BTreeMap::new();
        let first = self.splits.first().map_or("", |split| split.0.as_str());
        self.rows(&mut |mut seen| {
            let raw = match std::mem::replace(&mut seen.raw, Ok(Raw::default())) {
                Ok(raw) => raw,
                Err(bad) => {
                    records.update(BAD);
                    first_problem.get_or_insert_with(|| bad.error.to_string());
                    return self.refuse(&seen, *bad, &mut |_| Ok(()));
                }
            };
            hash(&mut records, &seen, &raw);
            hash_origin(&mut origins, &seen.origin(&self.base));
            if seen.split != first && !settled {
                labels.settle()?;
                settled = true;
            }
            let place = || seen.place();
            if seen.split != UNSUPERVISED {
                if raw.is_labelled() {
                    if !labelled.contains(seen.split) {
                        labelled.insert(seen.split.to_owned());
                    }
                } else if !unlabelled.contains_key(seen.split) {
                    unlabelled.insert(seen.split.to_owned(), place());
                }
            }
            let known = match (&raw.label, &raw.labels) {
                _ if settled => numbers(&labels, &raw, place).map(|_| ()),
                (Some(label), _) => labels.learn(label, place),
                (None, Some(words)) => labels.learn_all(words, place),
                (None, None) => Ok(()),
            };
            if let Err(error) = known {
                first_problem.get_or_insert_with(|| error.to_string());
                return self
                    .refuse(&seen, BadRow { error, content: String::new() }, &mut |_| Ok(()));
            }
            accepted += u64::from(seen.split == first);
            Ok(())
        })?;
        if !settled {
            labels.settle()?;
        }
        let mixed = unlabelled.into_iter().find(|(split, _)| labelled.contains(split));
        if let Some((split, place)) = mixed.filter(|_| self.settings.on_error == OnError::Stop) {
            return Err(self.missing_label(&split, place));
        }
        if accepted == 0 {
            let (place, split) = (Place::file(&self.root), Some(first.to_owned()));
            if let Some(problem) = first_problem {
                let problem =
                    format!("no row of the split `{first}` can be used; the first: {problem}");
                return Err(Error::Malformed { place, problem });
            }
            return Err(Error::NoRows { place, split });
        }
        let [records, origins] =
            [records, origins].map(|hasher| hasher.finalize().to_hex().to_string());
        Ok(self.survey.get_or_init(|| Survey { labels, labelled, records, origins }))
    }

    /// Hands out every row, in order, and no other than those of a text that can be used.
    fn rows(&self, handle: &mut dyn FnMut(Seen<'_>) -> Result<()>) -> Result<()> {
        for (split, files) in &self.splits {
            let mut number = 0;
            for file in files {
                let mut rows = file.open(&self.settings.limits)?;
                while let Some(row) = rows.next()? {
                    let path = rows.path();
                    let folder = file.reading == Reading::Folder;
                    handle(self.seen(split, number, path, folder, row))?;
                    number += 1;
                }
            }
            if number == 0 {
                let path = files.first().map_or(&self.root, |file| &file.path);
                let (place, split) = (Place::file(path), Some(split.clone()));
                return Err(Error::NoRows { place, split });
            }
        }
        Ok(())
    }

    /// The first rows, at most `most`, bad ones among them.
    pub(super) fn first_rows(&self, most: usize) -> Result<Vec<(String, Result<Raw, String>)>> {
        let mut first = Vec::new();
        for (split, files) in &self.splits {
            for file in files {
                let mut rows = file.open(&self.settings.limits)?;
                while first.len() < most
                    && let Some(row) = rows.next()?
                {
                    let seen = self.seen(split, 0, rows.path(), false, row);
                    first.push((split.clone(), seen.raw.map_err(|bad| bad.error.to_string())));
                }
            }
        }
        Ok(first)
    }

    fn seen<'a>(
        &self,
        split: &'a str,
        number: u64,
        path: &'a Path,
        folder: bool,
        row: Row,
    ) -> Seen<'a> {
        let mut seen = Seen { split, number, path, folder, position: row.position, raw: row.raw };
        if let Ok(raw) = &mut seen.raw
            && split == UNSUPERVISED
        {
            // There, no labels are not known to be none.
            raw.labels.take_if(|labels| labels.is_empty());
        }
        if let Ok(raw) = &seen.raw
            && let Some(error) = self.unusable(&seen, raw)
        {
            let content = raw.text.chars().take(256).collect();
            seen.raw = Err(Box::new(BadRow { error, content }));
        }
        seen
    }

    fn unusable(&self, seen: &Seen<'_>, raw: &Raw) -> Option<Error> {
        let most = self.settings.limits.row_bytes;
        if raw.text.len() > most {
            return Some(Error::too_long(seen.place(), most));
        }
        if memchr::memchr(0, raw.text.as_bytes()).is_some() {
            return Some(Error::nul(seen.place()));
        }
        let missing = !raw.is_labelled() && !may_lack_labels(seen.split);
        missing.then(|| self.missing_label(seen.split, seen.place()))
    }

    fn missing_label(&self, split: &str, place: Place) -> Error {
        let (split, classes) = (split.to_owned(), self.settings.label_names.clone());
        Error::MissingLabel { place, split, classes }
    }

    /// The splits in which the first row has no label, `unsupervised` aside.
    pub(super) fn without_labels(&self) -> Result<Vec<&str>> {
        let mut without = Vec::new();
        for (split, files) in self.splits.iter().filter(|(split, _)| may_lack_labels(split)) {
            let Some(file) = files.first().filter(|_| split != UNSUPERVISED) else { continue };
            let first = file.open(&self.settings.limits)?.next()?.and_then(|row| row.raw.ok());
            without.extend(first.filter(|raw| !raw.is_labelled()).map(|_| split.as_str()));
        }
        Ok(without)
    }

    fn refuse(&self, seen: &Seen<'_>, bad: BadRow, reject: &mut Reject<'_>) -> Result<()> {
        if self.settings.on_error == OnError::Stop {
            return Err(bad.error);
        }
        reject(Rejected::new(seen.split, &seen.origin(&self.base), &bad.error, bad.content))
    }
}

/// The number of a row's label, or those of its labels.
fn numbers(
    labels: &Labels,
    raw: &Raw,
    place: impl Fn() -> Place + Copy,
) -> Result<(Option<u32>, Option<Vec<u32>>)> {
    let one = raw.label.as_ref().map(|label| labels.number(label, place)).transpose()?;
    let several = raw.labels.as_ref().map(|words| labels.numbers(words, place)).transpose()?;
    Ok((one, several))
}

/// The class names that Parquet files bring.
///
/// # Errors
/// Files that disagree.
fn named_by_parquet(splits: &[(String, Vec<DataFile>)]) -> Result<Vec<String>> {
    let mut named: Option<Vec<String>> = None;
    let files = splits.iter().flat_map(|(_, files)| files);
    for file in files.filter(|file| file.reading == Reading::Parquet) {
        let Some(names) = class_names(file)? else {
            continue;
        };
        if let Some(earlier) = named.as_ref().filter(|earlier| **earlier != names) {
            return Err(Error::Malformed {
                place: Place::file(&file.path),
                problem: format!(
                    "names the classes {}, but another file of the data set {}; they must agree",
                    names.join(", "),
                    earlier.join(", ")
                ),
            });
        }
        named = Some(names);
    }
    Ok(named.unwrap_or_default())
}
