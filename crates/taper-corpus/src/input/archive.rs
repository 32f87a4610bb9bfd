//! Members of zip archives, as if these were folders: `reviews.zip/train.csv`.
//!
//! An archive is refused as a whole where a member leads out of it, is a link or encrypted, or shares bytes with
//! another; nothing is ever written under a member's name.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::CrcReader;
use flate2::read::DeflateDecoder;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::error::{Error, Place, Result};

/// Members of an archive, folders included; one of more is a folder of texts, to be unpacked.
const MOST: usize = 10_000;

/// What a zip file begins with (an empty one otherwise, which has nothing to read).
pub(crate) const MARK: &[u8] = b"PK\x03\x04";

/// Why an archive of them is refused.
pub(crate) const CLASS_FOLDERS: &str = "a folder per class is not read from an archive: unpack it";

/// Whether a path is a file that begins as zip files do.
pub(crate) fn is_zip(path: &Path) -> bool {
    if !path.is_file() {
        return false;
    }
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(4).read_to_end(&mut start));
    read.is_ok() && start == MARK
}

/// The archive and the member that a path leads to, where it goes on within a zip file.
pub(crate) fn within(path: &Path) -> Option<(PathBuf, String)> {
    let archive = path.ancestors().skip(1).find(|ancestor| ancestor.exists())?;
    let inner = path.strip_prefix(archive).ok()?.to_str()?;
    (archive.is_file() && is_zip(archive)).then(|| (archive.to_owned(), inner.replace('\\', "/")))
}

/// The paths of the files in an archive, in the order of their names, without hidden ones.
///
/// # Errors
/// A damaged archive, and a hostile one.
pub(crate) fn members(archive: &Path) -> Result<Vec<PathBuf>> {
    let hidden =
        |name: &str| name.split('/').any(|part| part.starts_with('.') || part == "__MACOSX");
    let mut names = checked(archive)?.1;
    names.retain(|(name, _)| !hidden(name) && !name.ends_with('/'));
    names.sort();
    Ok(names.into_iter().map(|(name, _)| archive.join(name)).collect())
}

/// A member's content, and its bytes as they are packed.
pub(crate) struct Member {
    pub(crate) content: Box<dyn Read>,
    pub(crate) packed: u64,
}

/// # Errors
/// No such member; a way of packing other than deflate; what [`members`] refuses.
pub(crate) fn open(archive: &Path, member: &str) -> Result<Member> {
    let (mut zip, names) = checked(archive)?;
    let Some(&(_, index)) = names.iter().find(|(name, _)| name == member) else {
        let source = io::Error::new(io::ErrorKind::NotFound, "the archive has no such member");
        return Err(Error::io("open", &archive.join(member))(source));
    };
    let entry = zip.by_index_raw(index).map_err(|error| damaged(archive, error))?;
    let (packed, crc, method) = (entry.compressed_size(), entry.crc32(), entry.compression());
    let start = entry.data_start().unwrap_or(0);
    drop(entry);
    let mut file = zip.into_inner();
    file.seek(SeekFrom::Start(start)).map_err(Error::io("read", archive))?;
    let raw = file.take(packed);
    let content: Box<dyn Read> = match method {
        CompressionMethod::Stored => Box::new(raw),
        CompressionMethod::Deflated => Box::new(DeflateDecoder::new(raw)),
        other => {
            let problem = format!("is packed by {other}; unpack the archive first");
            return Err(refused(archive, member, problem));
        }
    };
    Ok(Member { content: Box::new(Checked { inner: CrcReader::new(content), crc }), packed })
}

/// A member as a file without a name, for formats that are not read from front to back; of at most `most` bytes.
///
/// # Errors
/// As [`open`]; a full disk.
pub(crate) fn unpack(path: &Path, member: Member, most: u64) -> Result<File> {
    let mut file = tempfile::tempfile().map_err(Error::io("unpack", path))?;
    let written = io::copy(&mut member.content.take(most.saturating_add(1)), &mut file);
    let written = written.map_err(Error::io("unpack", path))?;
    if written > most {
        return Err(too_large(Place::file(path), most));
    }
    file.seek(SeekFrom::Start(0)).map_err(Error::io("unpack", path))?;
    Ok(file)
}

pub(crate) fn too_large(place: Place, most: u64) -> Error {
    Error::TooLarge {
        place,
        found: "unpacks to".to_owned(),
        limit: format!("{most} bytes, many times its size; unpack it first if it is meant to"),
    }
}

/// An archive that is fit to be read, and the names of its members with their places in it.
type Fit = (ZipArchive<BufReader<File>>, Vec<(String, usize)>);

fn checked(path: &Path) -> Result<Fit> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(path, error))?;
    if zip.len() > MOST {
        let problem = format!("holds {} members, more than {MOST}; unpack it first", zip.len());
        return Err(Error::Malformed { place: Place::file(path), problem });
    }
    if zip.has_duplicate_names()
        || zip.has_overlapping_files().map_err(|error| damaged(path, error))?
    {
        let problem = "holds members that share a name or bytes: no tool packs so".to_owned();
        return Err(Error::Malformed { place: Place::file(path), problem });
    }
    let mut names = Vec::with_capacity(zip.len());
    for index in 0..zip.len() {
        let entry = zip.by_index_data(index).map_err(|error| damaged(path, error))?;
        let name = entry.name().map_err(|error| damaged(path, error))?.replace('\\', "/");
        let outside = name.starts_with('/') || name.split('/').any(|part| part == "..");
        let what = match () {
            () if outside => "is a path that leads out of the archive",
            () if entry.is_symlink() => "is a link; expected files, whose content is here",
            () if entry.encrypted() => "is encrypted; unpack the archive first",
            () => {
                names.push((name, index));
                continue;
            }
        };
        return Err(refused(path, &name, what.to_owned()));
    }
    Ok((zip, names))
}

fn refused(archive: &Path, member: &str, problem: String) -> Error {
    Error::Malformed { place: Place::member(archive, member), problem }
}

fn damaged(path: &Path, error: ZipError) -> Error {
    let source = match error {
        ZipError::Io(source) if source.raw_os_error().is_some() => {
            return Error::io("read", path)(source);
        }
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    };
    Error::Damaged { place: Place::file(path), source }
}

/// Whether the path names something that can be opened: a file, or a member of an archive.
pub(crate) fn is_file(path: &Path) -> bool {
    let holds = |(archive, member): (PathBuf, String)| {
        checked(&archive).is_ok_and(|(_, names)| names.iter().any(|(name, _)| *name == member))
    };
    match fs::metadata(path) {
        Ok(found) => found.is_file(),
        Err(_) => within(path).is_some_and(holds),
    }
}

/// Holds what was read to the checksum, once all of it was.
struct Checked {
    inner: CrcReader<Box<dyn Read>>,
    crc: u32,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if read == 0 && !buffer.is_empty() && self.inner.crc().sum() != self.crc {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum does not match"));
        }
        Ok(read)
    }
}
