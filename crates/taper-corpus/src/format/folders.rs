//! A folder per class, a file per text.
//!
//! ```text
//! ROOT/[SPLIT/]CLASS/NAME     a text in UTF-8, whole, packed or not; hidden files are passed over
//! ```
//! Files come in the order of their names; a folder within a class is refused.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Raw, Row, Rows, bad};
use crate::error::{Error, Place, Result};
use crate::input::Input;
use crate::settings::Limits;

/// The texts of one class. The names of its files are held, not their texts.
pub(super) struct FolderRows {
    class: String,
    files: std::vec::IntoIter<PathBuf>,
    current: PathBuf,
    limits: Limits,
}

impl FolderRows {
    pub(super) fn open(folder: &Path, limits: Limits) -> Result<Self> {
        let (mut files, folders) = entries(folder)?;
        if let Some(inner) = folders.first() {
            return Err(nested(inner));
        }
        files.sort();
        let class =
            folder.file_name().unwrap_or_default().to_str().ok_or_else(|| not_utf8(folder))?;
        let class = class.to_owned();
        let files = files.into_iter();
        Ok(Self { class, files, current: folder.to_owned(), limits })
    }

    fn read(&self, path: &Path) -> Result<Raw> {
        let bytes = Input::open(path, &self.limits)?.whole(self.limits.row_bytes)?;
        let text = String::from_utf8(bytes).map_err(|error| Error::NotUtf8 {
            place: Place::file(path),
            offset: error.utf8_error().valid_up_to(),
        })?;
        // The split's name is put before it by whoever knows it.
        let file = path.file_name().unwrap_or_default().to_str().ok_or_else(|| not_utf8(path))?;
        let id = format!("{}/{file}", self.class);
        Ok(Raw { text, label: Some(self.class.clone()), id: Some(id), ..Raw::default() })
    }
}

impl Rows for FolderRows {
    fn next(&mut self) -> Result<Option<Row>> {
        let Some(path) = self.files.next() else {
            return Ok(None);
        };
        self.current.clone_from(&path);
        let raw = match self.read(&path) {
            // A disk that refuses is no matter of this row.
            Err(error @ Error::Io { .. }) => return Err(error),
            read => read.map_err(|error| bad(error, b"")),
        };
        Ok(Some(Row { position: None, raw }))
    }

    fn path(&self) -> &Path {
        &self.current
    }
}

/// The folders of classes directly within a folder, in the order of their names; `None` where no folder
/// there holds a file.
///
/// # Errors
/// One class without a text among others that have some.
pub(crate) fn class_folders(folder: &Path) -> Result<Option<Vec<PathBuf>>> {
    let (_, mut folders) = entries(folder)?;
    folders.sort();
    let mut hollow = Vec::new();
    for class in &folders {
        if entries(class)?.0.is_empty() {
            hollow.push(class);
        }
    }
    match hollow.first() {
        _ if hollow.len() == folders.len() => Ok(None),
        Some(class) => match entries(class)?.1.first() {
            Some(inner) => Err(nested(inner)),
            None => Err(Error::NoRows { place: Place::file(class), split: None }),
        },
        None => Ok(Some(folders)),
    }
}

/// The visible files and folders directly within a folder.
fn entries(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let path = entry.map_err(Error::io("list", folder))?.path();
        if name(&path).starts_with('.') {
            continue;
        }
        let metadata = fs::metadata(&path).map_err(Error::io("open", &path))?;
        if metadata.is_dir() { folders.push(path) } else { files.push(path) }
    }
    Ok((files, folders))
}

fn nested(folder: &Path) -> Error {
    let problem = "a folder within the folder of a class; expected files alone".to_owned();
    Error::Malformed { place: Place::file(folder), problem }
}

/// Two names that differ in such bytes alone would be one.
fn not_utf8(path: &Path) -> Error {
    let problem =
        "its name is not UTF-8, and classes and ids are made of names; rename it".to_owned();
    Error::Malformed { place: Place::file(path), problem }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
