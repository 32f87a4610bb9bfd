//! Where labelled texts come from: one [`Source`], a format behind each variant.

mod acl_archive;
mod acl_folder;
mod acl_imdb;
mod files;
mod find;
mod hub_layout;
mod plan;
mod seen;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

pub use acl_archive::AclImdbArchive;
pub use acl_folder::AclImdbFolder;
pub use files::FileSource;
pub use hub_layout::HubLayout;

use crate::columns::is_corpus_like;
use crate::error::{Error, Result};
use crate::input::{Input, archive};
use crate::layout::{ShardSets, shard_sets};
use crate::origin::Origin;
use crate::record::Record;
use crate::reject::Rejected;
use crate::settings::{Limits, SourceSettings};
use find::Found;

/// What a stream of records is handed to: the split's name and the record.
pub type Visit<'a> = dyn FnMut(&str, Record) -> Result<()> + 'a;

/// As [`Visit`], with where the record stands.
pub type VisitFrom<'a> = dyn FnMut(&str, Record, Origin) -> Result<()> + 'a;

/// What rows that were passed over are handed to; see [`OnError::Skip`](crate::OnError::Skip).
pub type Reject<'a> = dyn FnMut(Rejected) -> Result<()> + 'a;

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
    /// Tables, lines and folders whose format and columns were told or detected.
    Files(Box<FileSource>),
}

impl Source {
    /// Detects the format of a file, a glob or a folder, and what its columns hold: the layouts of
    /// IMDB first (a folder of `<split>-00000-of-0000N.parquet`, a folder with one such folder in it,
    /// an aclImdb tree or `.tar.gz`), then [`FileSource`]'s formats.
    ///
    /// # Errors
    /// Says what was found and what is accepted; footers of Parquet files are checked here.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, &SourceSettings::default())
    }

    /// As [`Self::open`], with what is told instead of detected.
    ///
    /// # Errors
    /// Settings that cannot be, or that do not apply to what was found.
    pub fn open_with(path: &Path, settings: &SourceSettings) -> Result<Self> {
        settings.check()?;
        let told =
            SourceSettings { limits: settings.limits, ..SourceSettings::default() } != *settings;
        match fs::metadata(path) {
            Ok(found)
                if found.is_dir() && settings.files.is_empty() && settings.format.is_none() =>
            {
                open_folder(path, settings, told)
            }
            Ok(found) if found.is_file() && is_archive(path, &settings.limits)? => {
                not_told(told, "an aclImdb archive")?;
                Ok(Self::AclImdbArchive(AclImdbArchive::new(path, settings.limits)))
            }
            _ => Ok(Self::Files(Box::new(FileSource::open(path, settings)?))),
        }
    }

    /// Files whose splits are known.
    ///
    /// # Errors
    /// As [`Self::open_with`].
    pub(crate) fn of_files(
        root: &Path,
        files: Vec<(String, PathBuf)>,
        notes: Vec<String>,
        settings: &SourceSettings,
    ) -> Result<Self> {
        settings.check()?;
        let files = files.into_iter().map(|(split, path)| (Some(split), path)).collect();
        let found = Found { files, notes, ..Found::default() };
        Ok(Self::Files(Box::new(FileSource::of(root, found, settings)?)))
    }

    /// Whether a path is meant as a glob: it holds `*`, `?` or `[`.
    pub fn is_pattern(path: &Path) -> bool {
        find::is_pattern(path)
    }

    /// Whether a path goes on within a zip archive, where members have theirs: `reviews.zip/train.csv`.
    pub fn is_within_archive(path: &Path) -> bool {
        archive::within(path).is_some()
    }

    /// The class names, in the order of their numbers: `["neg", "pos"]`.
    ///
    /// # Errors
    /// Where only the rows tell them, as [`Self::for_each`].
    pub fn class_names(&self) -> Result<Vec<String>> {
        Ok(match self {
            Self::HubLayout(hub) => hub.class_names().to_vec(),
            Self::AclImdbFolder(_) | Self::AclImdbArchive(_) => acl_imdb::class_names(),
            Self::Files(files) => files.class_names()?,
        })
    }

    /// The format, for people: `Hub-layout Parquet`.
    pub fn describe(&self) -> String {
        match self {
            Self::HubLayout(_) => "Hub-layout Parquet".to_owned(),
            Self::AclImdbFolder(_) => "aclImdb folder".to_owned(),
            Self::AclImdbArchive(_) => "aclImdb archive".to_owned(),
            Self::Files(files) => plan::format(files),
        }
    }

    /// Streams all records, each with the name of its split, in an order that is the same each
    /// time. Memory does not grow with the texts (of aclImdb, eight bytes a review are kept).
    ///
    /// # Errors
    /// The first record that is not as it should be, by file and row or member; an error of
    /// `visit` ends the stream and is passed on.
    pub fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        self.for_each_rejecting(visit, &mut |_| Ok(()))
    }

    /// As [`Self::for_each`], and hands what [`OnError::Skip`](crate::OnError::Skip) passes over to `reject`.
    pub fn for_each_rejecting(&self, visit: &mut Visit<'_>, reject: &mut Reject<'_>) -> Result<()> {
        self.for_each_from(&mut |split, record, _| visit(split, record), reject)
    }

    /// As [`Self::for_each_rejecting`], and says where each record stands.
    pub fn for_each_from(&self, visit: &mut VisitFrom<'_>, reject: &mut Reject<'_>) -> Result<()> {
        match self {
            Self::Files(files) => files.for_each(visit, reject),
            Self::HubLayout(hub) => hub.for_each(visit),
            Self::AclImdbFolder(folder) => folder.for_each(visit),
            Self::AclImdbArchive(archive) => archive.for_each(visit),
        }
    }

    /// A hash of the content (not of paths or times): 64 hexadecimal digits. [`Source::Files`] hashes
    /// its rows and class names, so that the same rows in another format have the same one; the others
    /// hash their files' bytes.
    pub fn fingerprint(&self) -> Result<String> {
        let mut hasher = blake3::Hasher::new_derive_key("taper-corpus 2026 bytes of a source");
        if let Self::Files(files) = self {
            return files.fingerprint();
        }
        hasher.update(self.describe().as_bytes());
        match self {
            Self::Files(_) => {}
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
            Self::AclImdbFolder(folder) => folder.for_each(&mut |split, record, _| {
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

    /// Of where the records stand, which [`Self::fingerprint`] does not tell: names of files below what was opened, lines,
    /// rows. 64 hexadecimal digits; where the content is the same and this is too, so is every [`Origin`]
    /// (but for ratings in the names of aclImdb's reviews).
    ///
    /// # Errors
    /// As [`Self::for_each`].
    pub fn origins_fingerprint(&self) -> Result<String> {
        let mut hasher = blake3::Hasher::new_derive_key("taper-corpus 2026 origins of records");
        let names: Vec<&Path> = match self {
            Self::Files(files) => return files.origins_fingerprint(),
            Self::HubLayout(hub) => {
                hub.splits().iter().flat_map(|(_, files)| files).map(PathBuf::as_path).collect()
            }
            Self::AclImdbArchive(archive) => vec![archive.path()],
            // There an id is a file's name but for its rating.
            Self::AclImdbFolder(_) => Vec::new(),
        };
        for name in names {
            seen::framed(&mut hasher, &name.file_name().unwrap_or_default().to_string_lossy());
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

/// aclImdb's archive, by its name or by tar's mark in what it unpacks to.
fn is_archive(path: &Path, limits: &Limits) -> Result<bool> {
    const MARK: std::ops::Range<usize> = 257..262;
    let mut magic = Vec::new();
    let file = File::open(path).map_err(Error::io("open", path))?;
    file.take(2).read_to_end(&mut magic).map_err(Error::io("read", path))?;
    if magic != [0x1f, 0x8b] {
        return Ok(false);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    if [".tar.gz", ".tgz"].iter().any(|ending| name.ends_with(ending)) {
        return Ok(true);
    }
    let (start, _) = Input::open(path, limits)?.head(MARK.end)?;
    Ok(start.get(MARK) == Some(b"ustar"))
}

/// Settings do not apply to formats that have nothing to tell.
fn not_told(told: bool, format: &str) -> Result<()> {
    if told {
        return Err(Error::Settings {
            key: "format",
            problem: format!(
                "{format} has its columns, classes and splits by itself and is read whole; leave out what \
                 is set of format, files, columns, classes, dialect and bad rows"
            ),
        });
    }
    Ok(())
}

fn open_folder(dir: &Path, settings: &SourceSettings, told: bool) -> Result<Source> {
    let sets = shard_sets(dir)?;
    if !sets.is_empty() {
        return open_shards(dir, sets, settings, told);
    }
    for root in [dir.to_owned(), dir.join("aclImdb")] {
        if AclImdbFolder::looks_like_one(&root)? {
            not_told(told, "an aclImdb folder")?;
            return Ok(Source::AclImdbFolder(AclImdbFolder::new(&root)));
        }
    }
    let (files, folders) = list(dir)?;
    let mut candidates = Vec::new();
    for folder in folders {
        let sets = shard_sets(&folder)?;
        if !sets.is_empty() {
            candidates.push((folder, sets));
        }
    }
    let several: Vec<String> =
        candidates.iter().map(|(folder, _)| folder.display().to_string()).collect();
    let beside = find::data_files(files.iter().map(|name| dir.join(name)).collect());
    match (candidates.pop(), several.len()) {
        (Some((folder, _)), _) if let Some(file) = beside.first() => Err(Error::NotASource {
            path: dir.to_owned(),
            found: format!(
                "it holds a data set ({}) and data beside it ({}); name one",
                folder.display(),
                file.display()
            ),
        }),
        (Some((folder, sets)), 1) => open_shards(&folder, sets, settings, told),
        (Some(_), _) => Err(Error::NotASource {
            path: dir.to_owned(),
            found: format!("it holds several data sets ({}); name one", several.join(", ")),
        }),
        (None, _) => Ok(Source::Files(Box::new(FileSource::open(dir, settings)?))),
    }
}

/// Shards with the columns of a corpus are one; with other columns they are Parquet like any other.
fn open_shards(
    dir: &Path,
    sets: ShardSets,
    settings: &SourceSettings,
    told: bool,
) -> Result<Source> {
    if !told && is_corpus_like(&sets)? {
        return HubLayout::new(sets).map(Source::HubLayout);
    }
    let named = |(split, files): (String, Vec<PathBuf>)| {
        files.into_iter().map(move |path| (Some(split.clone()), path))
    };
    let files = sets.into_iter().flat_map(named).collect();
    let found = Found { files, ..Found::default() };
    Ok(Source::Files(Box::new(FileSource::of(dir, found, settings)?)))
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
