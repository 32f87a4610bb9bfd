//! Which files belong to which split: as told, or by their names.
//!
//! ```text
//! a file                  all of it, `train`; plain text has no labels and is `unsupervised`
//! a glob                  its files, as below
//! a folder of files       by a word in each name: train | test | validation, valid, val, dev |
//!                         unsupervised, unsup, unlabelled, unlabeled. Where some names have such a word,
//!                         the others are passed over (but TREC_10.label beside a train file of TREC, which is
//!                         `test`); where none has, all are `train`
//! a zip archive           as a folder of files; a word may stand in a member's folder too; a single member is
//!                         data whatever it is called; ARCHIVE/MEMBER is that member, and may be a glob
//! a folder of folders     with such words as names: splits, of files or of classes; else classes
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::error::{Error, Place, Result};
use crate::format::{class_folders, extension};
use crate::input::archive;
use crate::layout::{check_split_name, split_in, split_of};
use crate::settings::{Format, SourceSettings};

/// Files by split (`None`: not told by the name), and what was passed over.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<(Option<String>, PathBuf)>,
    /// Folders of classes, by split.
    pub(super) classes: Vec<(String, PathBuf)>,
    pub(super) notes: Vec<String>,
}

/// The endings of files that are data, before `.gz` and `.zst`.
const DATA: [&str; 10] =
    ["csv", "tsv", "tab", "psv", "jsonl", "ndjson", "json", "parquet", "label", "ft"];

/// # Errors
/// Nothing there; a pattern that no file matches.
pub(super) fn find(path: &Path, settings: &SourceSettings) -> Result<Found> {
    if !settings.files.is_empty() {
        return told(path, &settings.files);
    }
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => folder(path, settings),
        Ok(_) if archive::is_zip(path) => zip(path),
        Ok(_) => Ok(Found { files: vec![(None, path.to_owned())], ..Found::default() }),
        Err(error) => match archive::within(path) {
            Some((archive, inner)) => named_members(path, &archive, &inner),
            None if !is_pattern(path) => Err(Error::io("open", path)(error)),
            None => match matches(path)? {
                files if files.is_empty() => Err(Error::io("open", path)(error)),
                files => Ok(by_name(files)),
            },
        },
    }
}

/// Whether a path is meant as a glob.
pub(super) fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

fn told(root: &Path, told: &BTreeMap<String, Vec<String>>) -> Result<Found> {
    let mut found = Found::default();
    for (split, patterns) in told {
        check_split_name(split)?;
        for pattern in patterns {
            let path = root.join(pattern);
            let files = match archive::within(&path) {
                _ if archive::is_file(&path) => vec![path],
                Some((archive, inner)) => members_like(&archive, &inner)?,
                None => matches(&escaped(root).join(pattern))?,
            };
            if files.is_empty() {
                return Err(Error::NotASource {
                    path: root.to_owned(),
                    found: format!("no file matches `{pattern}`, given for the split `{split}`"),
                });
            }
            found.files.extend(files.into_iter().map(|file| (Some(split.clone()), file)));
        }
    }
    let mut known: Vec<&PathBuf> = found.files.iter().map(|file| &file.1).collect();
    known.sort();
    if let Some(twice) = known.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::Settings {
            key: "files",
            problem: format!("{} is given twice; a file belongs to one split", twice[0].display()),
        });
    }
    Ok(found)
}

/// The members of an archive that match, as files of a folder would.
fn members_like(root: &Path, pattern: &str) -> Result<Vec<PathBuf>> {
    let wrong = |error| Error::Settings { key: "files", problem: format!("`{pattern}`: {error}") };
    let wanted = Pattern::new(pattern).map_err(wrong)?;
    let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
    let fits = |name: &Path| wanted.matches_path_with(name, options);
    let mut members = archive::members(root)?;
    members.retain(|path| path.strip_prefix(root).is_ok_and(fits));
    Ok(members)
}

/// The member that a path names, or those that match.
fn named_members(path: &Path, archive: &Path, inner: &str) -> Result<Found> {
    if archive::is_file(path) {
        return Ok(Found { files: vec![(None, path.to_owned())], ..Found::default() });
    }
    if is_pattern(Path::new(inner)) {
        let members = members_like(archive, inner)?;
        if !members.is_empty() {
            let split = |member: PathBuf| (split_of_member(archive, &member), member);
            return Ok(by_split(members.into_iter().map(split).collect()));
        }
    }
    let names: Vec<String> = archive::members(archive)?
        .iter()
        .map(|member| in_archive(archive, member).display().to_string())
        .collect();
    Err(Error::NotASource {
        path: path.to_owned(),
        found: format!("the archive has no such member; {}", super::describe_entries(&names)),
    })
}

/// A member's path within its archive.
fn in_archive<'m>(archive: &Path, member: &'m Path) -> &'m Path {
    member.strip_prefix(archive).unwrap_or(member)
}

/// The split that a member's name or one of its folders tells.
fn split_of_member(archive: &Path, member: &Path) -> Option<&'static str> {
    let inner = in_archive(archive, member);
    split_in(inner).or_else(|| inner.iter().find_map(|part| split_in(Path::new(part))))
}

/// Whether an archive has no tables, but texts in two folders or more of which neither name nor folder tells a split.
fn holds_class_folders(archive: &Path, members: &[PathBuf]) -> bool {
    let class = |member: &PathBuf| {
        let inner = in_archive(archive, member);
        let is_text = ["txt", "text", ""].contains(&extension(inner).as_str());
        let folder = inner.parent().filter(|folder| folder.file_name().is_some())?;
        let told = split_in(inner).or_else(|| split_in(folder)).is_some();
        (is_text && !told).then(|| folder.to_owned())
    };
    let classes: BTreeSet<PathBuf> = members.iter().filter_map(class).collect();
    classes.len() > 1 && !members.iter().any(|member| is_data(member))
}

/// The members of an archive that are data.
fn zip(path: &Path) -> Result<Found> {
    let members = archive::members(path)?;
    if let [only] = members.as_slice() {
        return Ok(Found { files: vec![(None, only.clone())], ..Found::default() });
    }
    let split = |member: &Path| split_of_member(path, member);
    if holds_class_folders(path, &members) {
        return Err(Error::Malformed {
            place: Place::file(path),
            problem: archive::CLASS_FOLDERS.to_owned(),
        });
    }
    let (data, rest): (Vec<PathBuf>, Vec<PathBuf>) =
        members.into_iter().partition(|member| is_data(member) || is_text(member, split(member)));
    if data.is_empty() {
        let names: Vec<String> =
            rest.iter().map(|member| in_archive(path, member).display().to_string()).collect();
        return Err(Error::NotASource {
            path: path.to_owned(),
            found: format!("a zip archive; {}", super::describe_entries(&names)),
        });
    }
    Ok(by_split(data.into_iter().map(|member| (split(&member), member)).collect()))
}

/// A folder whose own name is no pattern.
fn escaped(folder: &Path) -> PathBuf {
    folder.to_str().map_or_else(|| folder.to_owned(), |name| Pattern::escape(name).into())
}

/// Files that match, in the order of their names; hidden ones only where the pattern says so.
fn matches(pattern: &Path) -> Result<Vec<PathBuf>> {
    let wrong = |problem: String| Error::Settings { key: "files", problem };
    let text =
        pattern.to_str().ok_or_else(|| wrong(format!("{} is not UTF-8", pattern.display())))?;
    let options = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::new() };
    let paths =
        glob::glob_with(text, options).map_err(|error| wrong(format!("`{text}`: {error}")))?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| {
            let path = error.path().to_owned();
            Error::io("list", &path)(error.into())
        })?;
        if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

fn by_name(files: Vec<PathBuf>) -> Found {
    by_split(files.into_iter().map(|path| (split_in(&path), path)).collect())
}

/// TREC's test file tells its split by the train file beside it: `train_5500.label`, `TREC_10.label`.
fn name_trecs_test(files: &mut [(Option<&'static str>, PathBuf)]) {
    let is_trec = |path: &Path| extension(path) == "label";
    let has = |wanted, trec: bool| {
        files.iter().any(|(split, path)| *split == Some(wanted) && (!trec || is_trec(path)))
    };
    if !has("train", true) || has("test", false) {
        return;
    }
    for (split, path) in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if split.is_none() && is_trec(path) && name.starts_with("trec_10.") {
            *split = Some("test");
        }
    }
}

/// Where some names tell a split, those that tell none are passed over.
fn by_split(mut files: Vec<(Option<&'static str>, PathBuf)>) -> Found {
    name_trecs_test(&mut files);
    let mut found = Found::default();
    if files.iter().all(|(split, _)| split.is_none()) {
        found.files = files.into_iter().map(|(_, path)| (None, path)).collect();
        return found;
    }
    for (split, path) in files {
        match split {
            Some(split) => found.files.push((Some(split.to_owned()), path)),
            None => found.notes.push(format!(
                "{} is passed over: its name tells no split",
                path.file_name().unwrap_or_default().to_string_lossy()
            )),
        }
    }
    found
}

fn is_data(path: &Path) -> bool {
    DATA.contains(&extension(path).as_str())
}

/// Those of a folder's files that are data, in the order of their names.
pub(super) fn data_files(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    files.retain(|path| is_data(path) || is_text(path, split_in(path)));
    files.sort();
    files
}

/// A text file is data where its name tells a split; else it is somebody's README.
fn is_text(path: &Path, split: Option<&str>) -> bool {
    ["txt", "text"].contains(&extension(path).as_str()) && split.is_some()
}

fn folder(dir: &Path, settings: &SourceSettings) -> Result<Found> {
    let mut found = Found::default();
    let (mut names, mut files, mut folders) = (Vec::new(), Vec::new(), Vec::new());
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let path = entry.map_err(Error::io("list", dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            folders.push(path);
        } else {
            files.push(path);
        }
        names.push(name);
    }
    names.sort();
    folders.sort();
    let files = data_files(files);
    let told_folders = settings.format == Some(Format::Folders);
    if !told_folders && !files.is_empty() {
        let mut found = by_name(files);
        if !folders.is_empty() {
            let names = folders.iter().filter_map(|path| Some(path.file_name()?.to_string_lossy()));
            found.notes.push(format!(
                "files of data stand beside folders, which are passed over ({}); a folder per class is read with \
                 `data.format` = \"folders\"",
                names.collect::<Vec<_>>().join(", ")
            ));
        }
        return Ok(found);
    }
    let splits: Vec<(&str, &PathBuf)> = folders
        .iter()
        .filter_map(|path| Some((split_of(&path.file_name()?.to_string_lossy())?, path)))
        .collect();
    if splits.is_empty() {
        let classes = class_folders(dir)?.unwrap_or_default();
        found.classes = classes.into_iter().map(|class| ("train".to_owned(), class)).collect();
    }
    for (split, path) in splits {
        if let Some(classes) = class_folders(path)? {
            found.classes.extend(classes.into_iter().map(|class| (split.to_owned(), class)));
        } else {
            let inner = matches(&escaped(path).join("*"))?;
            let inner =
                inner.into_iter().filter(|path| is_data(path) || is_text(path, split_in(path)));
            found.files.extend(inner.map(|path| (Some(split.to_owned()), path)));
        }
    }
    if found.classes.is_empty() && found.files.is_empty() {
        return Err(Error::NotASource {
            path: dir.to_owned(),
            found: super::describe_entries(&names),
        });
    }
    if let (Some((_, class)), Some((_, file))) = (found.classes.first(), found.files.first()) {
        return Err(Error::Malformed {
            place: Place::file(file),
            problem: format!(
                "a file of a split, where {} is a folder of a class; give every split the same form",
                class.display()
            ),
        });
    }
    Ok(found)
}
