//! Files of somebody else's in the folder to prepare: refused before a stage is built, each time.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::workspace::{BUILDING, REPLACED};
use crate::manifest::{Manifest, Stage};
use crate::{Error, Result};

/// What a version of the manifest that is not read any more, or a damaged one, is known by.
const MARK: &[u8] = b"\"taper\"";

/// What file managers leave everywhere.
const LITTER: &str = ".DS_Store";

/// Looks through all that preparation would replace.
///
/// # Errors
/// If something there was not written by it, by name.
pub(super) fn refuse(folder: &Path) -> Result<()> {
    let building = folder.join(BUILDING);
    let mut known = BTreeSet::new();
    let mut all_known = true;
    for (path, own) in [
        (folder.join(Manifest::FILE), true),
        (building.join(Manifest::FILE), false),
        (building.join(REPLACED), false),
    ] {
        match Manifest::read(&path) {
            Ok(Some(manifest)) => {
                let files = manifest.stages.into_values().flat_map(|record| record.files);
                known.extend(files.map(|(name, _)| name));
            }
            // A manifest of another version, or one that was cut: the files are ours, but which ones is not known.
            Err(Error::Prepared { .. }) if is_ours(&path) => all_known = false,
            Err(Error::Prepared { .. }) if own => return Err(error(&path)),
            Ok(None) | Err(Error::Prepared { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let outputs = || Stage::ALL.iter().flat_map(|stage| stage.outputs());
    for name in outputs().filter(|_| all_known) {
        look(&folder.join(name), name, &known)?;
    }
    // There, unfinished files are of any name within the outputs.
    let ours =
        |name: &OsStr| outputs().chain(&[Manifest::FILE, REPLACED]).any(|known| name == *known);
    let Ok(entries) = fs::read_dir(&building) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !ours(&name) && !name.to_string_lossy().starts_with(".taper-") {
            return Err(error(&entry.path()));
        }
    }
    Ok(())
}

fn is_ours(path: &Path) -> bool {
    let bytes = fs::read(path).unwrap_or_default();
    bytes.windows(MARK.len()).any(|part| part == MARK)
}

/// `name` is that of the path in manifests.
fn look(path: &Path, name: &str, known: &BTreeSet<String>) -> Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if metadata.is_dir() {
        for entry in fs::read_dir(path).map_err(Error::io(path, "list"))? {
            let entry = entry.map_err(Error::io(path, "list"))?;
            let file = entry.file_name().to_string_lossy().into_owned();
            if file != LITTER {
                look(&entry.path(), &format!("{name}/{file}"), known)?;
            }
        }
        return Ok(());
    }
    if known.contains(name) { Ok(()) } else { Err(error(path)) }
}

fn error(path: &Path) -> Error {
    let message = "would be replaced, and no manifest.json beside it says that `prepare` wrote it: move it away, or prepare \
                   into another folder";
    Error::prepared(path, message)
}
