//! Where the bytes come from: a file, or a zip, gzip or Zstandard file around it, told by the first bytes.

use std::fs::File;
use std::io::{BufReader, Error as IoError, ErrorKind, Read, Seek as _, SeekFrom};
use std::path::Path;

use super::archive;
use crate::error::{Error, LineProblem, Result};

/// Bytes read at a time: large enough that the decoder, not the calls, takes the time.
pub(super) const BUFFER: usize = 1 << 20;

/// What errors name.
pub(super) struct Origin<'a> {
    pub(super) path: &'a Path,
    pub(super) member: Option<&'a str>,
}

impl Origin<'_> {
    pub(super) fn line(&self, line: u64, problem: LineProblem) -> Error {
        let (path, member) = self.names();
        Error::VectorLine { path, member, line, problem }
    }

    pub(super) fn row(&self, row: u64, problem: LineProblem) -> Error {
        let (path, member) = self.names();
        Error::VectorRow { path, member, row, problem }
    }

    pub(super) fn whole(&self, found: impl Into<String>, expected: impl Into<String>) -> Error {
        let (path, member) = self.names();
        Error::VectorFile { path, member, found: found.into(), expected: expected.into() }
    }

    fn names(&self) -> (std::path::PathBuf, Option<String>) {
        (self.path.to_owned(), self.member.map(str::to_owned))
    }
}

/// What is around the vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    None,
    Zip,
    Gzip,
    Zstandard,
}

impl Container {
    fn of(start: &[u8]) -> Container {
        match start {
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Container::Zip,
            [0x1f, 0x8b, ..] => Container::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Container::Zstandard,
            _ => Container::None,
        }
    }
}

/// Opens a file. Anything else is not even opened: a pipe would wait for whoever writes to it.
pub(super) fn open(origin: &Origin<'_>) -> Result<File> {
    let failed = |source: IoError| Error::Io { path: origin.path.to_owned(), source };
    let found = std::fs::metadata(origin.path).map_err(failed)?;
    if !found.is_file() {
        let found = if found.is_dir() { "a folder" } else { "a pipe or a device" };
        return Err(origin.whole(found, "a file of word vectors"));
    }
    File::open(origin.path).map_err(failed)
}

/// The first `length` bytes of a file, or all it has; the file is then at its start again.
pub(super) fn start(file: &mut File, length: u64, path: &Path) -> Result<Vec<u8>> {
    let failed = |source: IoError| Error::Io { path: path.to_owned(), source };
    let mut start = Vec::new();
    file.take(length).read_to_end(&mut start).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    Ok(start)
}

/// Unpacks the file, if it is packed, and hands the bytes to `visit`.
pub(super) fn unpack(
    mut file: File,
    origin: &Origin<'_>,
    member: Option<&str>,
    dimensions: usize,
    visit: &mut dyn FnMut(&mut dyn Read, &Origin<'_>) -> Result<()>,
) -> Result<()> {
    let failed = |source: IoError| Error::Io { path: origin.path.to_owned(), source };
    let size = file.metadata().map_err(failed)?.len();
    let container = Container::of(&start(&mut file, 4, origin.path)?);
    if let (Some(member), false) = (member, container == Container::Zip) {
        let expected = format!("one, since the member {member} is asked for");
        return Err(origin.whole("no zip file", expected));
    }
    match container {
        Container::None => visit(&mut file, origin),
        // One .gz may hold several streams after one another.
        Container::Gzip => {
            let file = BufReader::with_capacity(BUFFER, file);
            visit(&mut Bounded::new(flate2::bufread::MultiGzDecoder::new(file), size), origin)
        }
        Container::Zstandard => {
            visit(&mut Bounded::new(zstd::Decoder::new(file).map_err(failed)?, size), origin)
        }
        Container::Zip => archive::read(file, origin, member, dimensions, &mut |entry, origin| {
            visit(&mut Bounded::new(entry, size), origin)
        }),
    }
}

/// A stream that ends in an error when it unpacks to far more than vectors could.
struct Bounded<R> {
    stream: R,
    left: u64,
}

impl<R: Read> Bounded<R> {
    /// Numbers in text pack to a third; a hundred times the packed size is no vector file.
    const RATIO: u64 = 100;
    /// So much is always allowed, in bytes.
    const LEAST: u64 = 16 << 20;

    fn new(stream: R, packed: u64) -> Bounded<R> {
        let left = packed.saturating_mul(Self::RATIO).max(Self::LEAST);
        Bounded { stream, left }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or(ErrorKind::FileTooLarge)?;
        Ok(read)
    }
}
