//! Where labelled texts come from: one [`Source`], a format behind each variant.

mod acl_archive;
mod acl_folder;
mod acl_imdb;
mod hub_layout;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

pub use acl_archive::AclImdbArchive;
pub use acl_folder::AclImdbFolder;
pub use hub_layout::HubLayout;

use crate::error::{Error, Place, Result};
use crate::layout::shard_sets;
use crate::record::Record;

/// What a stream of records is handed to: the split's name and the record.
pub type Visit<'a> = dyn FnMut(&str, Record) -> Result<()> + 'a;

/// A data set in one of the formats this crate reads.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Source {
    /// Parquet files named as on the Hub; also what [`CorpusWriter`](crate::CorpusWriter) writes.
    HubLayout(HubLayout),
    /// An unpacked `aclImdb` tree.
    AclImdbFolder(AclImdbFolder),
    /// `aclImdb_v1.tar.gz`, read without unpacking.
    AclImdbArchive(AclImdbArchive),
}

impl Source {
    /// Detects the format of a folder or file: a folder of `<split>-00000-of-0000N.parquet`, a
    /// folder with one such folder in it (the Hub's `<config>/`), an aclImdb tree (or the folder it
    /// was unpacked in), or an aclImdb `.tar.gz`.
    ///
    /// # Errors
    /// Says what was found and what is accepted; footers of Parquet files are checked here.
    pub fn open(path: &Path) -> Result<Self> {
        let metadata = fs::metadata(path).map_err(Error::io("open", path))?;
        if metadata.is_dir() { open_folder(path) } else { open_file(path, metadata.len()) }
    }

    /// The class names, in the order of their numbers: `["neg", "pos"]`.
    pub fn class_names(&self) -> Result<Vec<String>> {
        Ok(match self {
            Self::HubLayout(hub) => hub.class_names().to_vec(),
            Self::AclImdbFolder(_) | Self::AclImdbArchive(_) => acl_imdb::class_names(),
        })
    }

    /// The format, for people: `Hub-layout Parquet`.
    pub fn describe(&self) -> String {
        match self {
            Self::HubLayout(_) => "Hub-layout Parquet",
            Self::AclImdbFolder(_) => "aclImdb folder",
            Self::AclImdbArchive(_) => "aclImdb archive",
        }
        .to_owned()
    }

    /// Streams all records, each with the name of its split, in an order that is the same each
    /// time. Memory does not grow with the texts (of aclImdb, eight bytes a review are kept).
    ///
    /// # Errors
    /// The first record that is not as it should be, by file and row or member; an error of
    /// `visit` ends the stream and is passed on.
    pub fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        match self {
            Self::HubLayout(hub) => hub.for_each(visit),
            Self::AclImdbFolder(folder) => folder.for_each(visit),
            Self::AclImdbArchive(archive) => archive.for_each(visit),
        }
    }

    /// A hash of the source's bytes (not of its path or times): 64 hexadecimal digits. The same
    /// data in another format has another one.
    pub fn fingerprint(&self) -> Result<String> {
        let mut hasher = blake3::Hasher::new_derive_key("taper-corpus 2026 bytes of a source");
        hasher.update(self.describe().as_bytes());
        match self {
            Self::HubLayout(hub) => {
                for (split, files) in hub.splits() {
                    hasher.update(split.as_bytes());
                    for path in files {
                        hasher.update(hash_file(path)?.as_bytes());
                    }
                }
            }
            Self::AclImdbArchive(archive) => {
                hasher.update(hash_file(archive.path())?.as_bytes());
            }
            Self::AclImdbFolder(folder) => folder.for_each(&mut |split, record| {
                for part in [split, &record.id, record.group.as_deref().unwrap_or(""), &record.text]
                {
                    hasher.update(&(part.len() as u64).to_le_bytes());
                    hasher.update(part.as_bytes());
                }
                Ok(())
            })?,
        }
        Ok(hasher.finalize().to_hex().to_string())
    }
}

fn hash_file(path: &Path) -> Result<blake3::Hash> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).map_err(Error::io("read", path))?;
    Ok(hasher.finalize())
}

fn open_file(path: &Path, bytes: u64) -> Result<Source> {
    if bytes == 0 {
        return Err(Error::Empty { place: Place::file(path) });
    }
    let mut magic = Vec::new();
    let file = File::open(path).map_err(Error::io("open", path))?;
    file.take(4).read_to_end(&mut magic).map_err(Error::io("read", path))?;
    let found = match magic.as_slice() {
        [0x1f, 0x8b, ..] => {
            return Ok(Source::AclImdbArchive(AclImdbArchive::new(path)));
        }
        b"PAR1" => "a single Parquet file (name the folder it lies in)".to_owned(),
        [b'P', b'K', ..] => "a zip file".to_owned(),
        _ => format!("a file of {bytes} bytes that is not gzip"),
    };
    Err(Error::NotASource { path: path.to_owned(), found })
}

fn open_folder(dir: &Path) -> Result<Source> {
    let sets = shard_sets(dir)?;
    if !sets.is_empty() {
        return HubLayout::new(sets).map(Source::HubLayout);
    }
    for root in [dir.to_owned(), dir.join("aclImdb")] {
        if AclImdbFolder::looks_like_one(&root) {
            return Ok(Source::AclImdbFolder(AclImdbFolder::new(&root)));
        }
    }
    let (names, folders) = list(dir)?;
    let mut candidates = Vec::new();
    for folder in folders {
        let sets = shard_sets(&folder)?;
        if !sets.is_empty() {
            candidates.push((folder, sets));
        }
    }
    let several: Vec<String> =
        candidates.iter().map(|(folder, _)| folder.display().to_string()).collect();
    match (candidates.pop(), several.len()) {
        (Some((_, sets)), 1) => HubLayout::new(sets).map(Source::HubLayout),
        (Some(_), _) => Err(Error::NotASource {
            path: dir.to_owned(),
            found: format!("it holds several data sets ({}); name one", several.join(", ")),
        }),
        (None, _) => {
            Err(Error::NotASource { path: dir.to_owned(), found: describe_entries(&names) })
        }
    }
}

/// The visible entries of a folder by name, and those that are folders.
fn list(dir: &Path) -> Result<(Vec<String>, Vec<PathBuf>)> {
    let (mut names, mut folders) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let entry = entry.map_err(Error::io("list", dir))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if entry.path().is_dir() {
            folders.push(entry.path());
        }
        names.push(name);
    }
    names.sort();
    folders.sort();
    Ok((names, folders))
}

fn describe_entries(names: &[String]) -> String {
    const SHOWN: usize = 6;
    match names.len() {
        0 => "the folder is empty".to_owned(),
        n if n <= SHOWN => format!("it holds {}", names.join(", ")),
        n => format!("it holds {} and {} more", names[..SHOWN].join(", "), n - SHOWN),
    }
}
