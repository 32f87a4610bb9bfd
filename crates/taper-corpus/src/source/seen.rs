//! A row on its way out of a source: where it stands, and how it counts in the fingerprint.

use std::path::Path;

use crate::error::{Place, Position, Result};
use crate::format::{BadRow, Raw};
use crate::origin::Origin;

/// What stands in the fingerprint for a row that is passed over.
pub(super) const BAD: &[u8] = b"a row that is not as it should be";

/// A row on its way.
pub(super) struct Seen<'a> {
    pub(super) split: &'a str,
    /// Its place in the split, from 0.
    pub(super) number: u64,
    pub(super) path: &'a Path,
    /// Whether it is the file of a class folder.
    pub(super) folder: bool,
    pub(super) position: Option<Position>,
    pub(super) raw: Result<Raw, Box<BadRow>>,
}

impl Seen<'_> {
    pub(super) fn place(&self) -> Place {
        Place { position: self.position, ..Place::file(self.path) }
    }

    /// As [`Self::place`], by a path below `base`, that is the same on every machine.
    pub(super) fn origin(&self, base: &Path) -> Origin {
        let below = plain(self.path).strip_prefix(base).ok();
        let file = below.or_else(|| self.path.file_name().map(Path::new)).unwrap_or(Path::new(""));
        Origin::new(file, self.position)
    }
}

/// Without `./` before it, which a glob leaves out.
pub(super) fn plain(path: &Path) -> &Path {
    path.strip_prefix(".").unwrap_or(path)
}

/// Adds a row, and gives its id.
pub(super) fn hash(hasher: &mut blake3::Hasher, seen: &Seen<'_>, raw: &Raw) -> String {
    let id = match &raw.id {
        Some(id) if seen.folder => format!("{}/{id}", seen.split),
        Some(id) => id.clone(),
        None => format!("{}/{}", seen.split, seen.number),
    };
    framed(hasher, seen.split);
    framed(hasher, &id);
    framed(hasher, &raw.text);
    for word in [&raw.label, &raw.group] {
        hasher.update(&[u8::from(word.is_some())]);
        framed(hasher, word.as_deref().unwrap_or(""));
    }
    if let Some(labels) = &raw.labels {
        hasher.update(b"labels");
        hasher.update(&(labels.len() as u64).to_le_bytes());
        for label in labels {
            framed(hasher, label);
        }
    }
    id
}

/// Adds where a row stands.
pub(super) fn hash_origin(hasher: &mut blake3::Hasher, origin: &Origin) {
    framed(hasher, &origin.file);
    for number in [origin.line, origin.row] {
        hasher.update(&number.unwrap_or(u64::MAX).to_le_bytes());
    }
}

/// The length goes first, so that no two rows share a byte string.
pub(super) fn framed(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}
