//! A file's bytes, whatever it is packed in: gzip or Zstandard by its first bytes, not by its name; or a member of a zip
//! archive, which may be packed once more.
//!
//! ```text
//! 1f 8b            gzip (several members count as one)
//! 28 b5 2f fd      Zstandard (several frames count as one)
//! ef bb bf         UTF-8's byte-order mark: passed over
//! ff fe | fe ff    UTF-16's (or UTF-32's): refused
//! ```

pub(crate) mod archive;
mod frame;

use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::mem;
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

pub(crate) use frame::{Frame, Frames, Problem, named_separator};

use crate::error::{Error, Place, Result};
use crate::settings::Limits;

const BUFFER: usize = 1 << 17;

/// Up to here any ratio is fine: small files of repeated rows pack very well.
pub(crate) const FREE_BYTES: u64 = 64 << 20;

/// The largest window a Zstandard file may ask for: 128 MiB, the default of its own tool.
const ZSTD_WINDOW_LOG: u32 = 27;

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
    /// Nothing but a zip archive's member.
    Member,
}

/// A file's unpacked bytes, without their byte-order mark.
pub(crate) struct Input {
    path: PathBuf,
    packing: Packing,
    reader: Box<dyn BufRead>,
}

impl Input {
    /// # Errors
    /// An empty file; a pipe; UTF-16, by its byte-order mark.
    pub(crate) fn open(path: &Path, limits: &Limits) -> Result<Self> {
        if let Some((archive, member)) = archive::within(path) {
            let member = archive::open(&archive, &member)?;
            let most = member.packed.saturating_mul(limits.expansion);
            return Self::unpacked(path, Packing::Member, member.content, most);
        }
        let size = regular(path)?.len();
        let file = File::open(path).map_err(Error::io("open", path))?;
        let most = size.saturating_mul(limits.expansion);
        Self::unpacked(path, Packing::Plain, Box::new(file), most)
    }

    /// A stream that is no file; `name` is what errors call it.
    pub(crate) fn stream(name: &Path, reader: Box<dyn Read>) -> Result<Self> {
        Self::unpacked(name, Packing::Plain, reader, u64::MAX)
    }

    /// Gives no more than `most` bytes where they are packed; `outer` is what the reader already unpacks.
    fn unpacked(path: &Path, outer: Packing, reader: Box<dyn Read>, most: u64) -> Result<Self> {
        let mut file = BufReader::with_capacity(BUFFER, reader);
        let start = file.fill_buf().map_err(Error::io("read", path))?;
        let (packing, reader): (_, Box<dyn Read>) = match start {
            [] => return Err(Error::Empty { place: Place::file(path) }),
            [0x1f, 0x8b, ..] => (Packing::Gzip, Box::new(MultiGzDecoder::new(file))),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => return Err(packed(path, "xz")),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] => return Err(packed(path, "bzip2")),
            [b'7', b'z', 0xbc, 0xaf, ..] => return Err(packed(path, "7-Zip")),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(file)
                    .map_err(Error::io("unpack", path))?;
                decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(Error::io("unpack", path))?;
                (Packing::Zstd, Box::new(decoder))
            }
            _ => (outer, Box::new(file)),
        };
        let most = match packing {
            Packing::Plain => u64::MAX,
            _ => most.max(FREE_BYTES),
        };
        let reader = Bounded { inner: reader, left: most, most };
        let reader = Box::new(BufReader::with_capacity(BUFFER, reader));
        Self { path: path.to_owned(), packing, reader }.without_mark()
    }

    /// Bytes that were read before, such as a sample.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let reader = Box::new(Cursor::new(bytes.to_vec()));
        Self { path: PathBuf::new(), packing: Packing::Plain, reader }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The first bytes, up to `most`, and whether these are all. They are still there to be read: a stream cannot be
    /// opened once more.
    pub(crate) fn head(&mut self, most: usize) -> Result<(Vec<u8>, bool)> {
        let (bytes, complete) = self.take(most)?;
        let rest = mem::replace(&mut self.reader, Box::new(io::empty()));
        self.reader = Box::new(Cursor::new(bytes.clone()).chain(rest));
        Ok((bytes, complete))
    }

    fn take(&mut self, most: usize) -> Result<(Vec<u8>, bool)> {
        let mut bytes = Vec::new();
        let read = (&mut self.reader).take(most as u64).read_to_end(&mut bytes);
        read.map_err(|error| self.fault(error, 0))?;
        let rest = self.reader.fill_buf().map(<[u8]>::is_empty);
        let complete = rest.map_err(|error| self.fault(error, 0))?;
        Ok((bytes, complete))
    }

    /// Everything, as long as it is no more than `most` bytes.
    pub(crate) fn whole(mut self, most: usize) -> Result<Vec<u8>> {
        let (bytes, complete) = self.take(most)?;
        if !complete {
            return Err(Error::too_long(Place::file(&self.path), most));
        }
        Ok(bytes)
    }

    fn without_mark(self) -> Result<Self> {
        let Self { path, packing, mut reader } = self;
        let mut start = Vec::new();
        let read = (&mut reader).take(3).read_to_end(&mut start);
        let mut input = Self { path, packing, reader };
        read.map_err(|error| input.fault(error, 0))?;
        if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] = start.as_slice() {
            return Err(Error::Malformed {
                place: Place::file(&input.path),
                problem: "begins with UTF-16's byte-order mark; convert it to UTF-8".to_owned(),
            });
        }
        if start.starts_with(b"\xef\xbb\xbf") {
            start.clear();
        }
        input.reader = Box::new(Cursor::new(start).chain(input.reader));
        Ok(input)
    }

    /// What a failed read means: the disk's refusal, a damaged archive, or one that unpacks without end.
    fn fault(&self, error: io::Error, line: u64) -> Error {
        let place = Place::file(&self.path);
        let place = if line == 0 { place } else { place.at_line(line) };
        if let Some(most) = bomb(&error) {
            return archive::too_large(place, most);
        }
        if self.packing == Packing::Zstd && error.to_string().contains("too much memory") {
            let problem =
                "asks for more than 128 MiB to be unpacked; pack it again without `--long`"
                    .to_owned();
            return Error::Malformed { place, problem };
        }
        if self.packing == Packing::Plain || error.raw_os_error().is_some() {
            return Error::io("read", &self.path)(error);
        }
        Error::Damaged { place, source: error }
    }
}

fn packed(path: &Path, by: &str) -> Error {
    let problem = format!("is packed by {by}; unpack it, or pack it with gzip or Zstandard");
    Error::Malformed { place: Place::file(path), problem }
}

/// Looks at a file before it is opened: opening a pipe waits for whoever writes to it.
///
/// # Errors
/// What is neither a file nor a folder.
pub(crate) fn regular(path: &Path) -> Result<Metadata> {
    let found = fs::metadata(path).map_err(Error::io("open", path))?;
    if found.is_file() || found.is_dir() {
        return Ok(found);
    }
    Err(Error::NotRegular { path: path.to_owned() })
}

/// What a decompressor gives of `size` packed bytes, as far as `limits` let it; [`bomb`] tells where they did not.
pub(crate) fn bounded(decoder: Box<dyn Read>, size: u64, limits: &Limits) -> impl Read {
    let most = size.saturating_mul(limits.expansion).max(FREE_BYTES);
    Bounded { inner: decoder, left: most, most }
}

/// The limit that was reached, where that is what an error is about, within whatever others made of it.
pub(crate) fn bomb(mut error: &io::Error) -> Option<u64> {
    loop {
        let inner = error.get_ref()?;
        if let Some(Bomb { most }) = inner.downcast_ref() {
            return Some(*most);
        }
        error = inner.source()?.downcast_ref()?;
    }
}

/// Counts what a decompressor gives, and stops it.
struct Bounded {
    inner: Box<dyn Read>,
    left: u64,
    most: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("more than {most} bytes")]
struct Bomb {
    most: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let Some(left) = self.left.checked_sub(read as u64) else {
            return Err(io::Error::other(Bomb { most: self.most }));
        };
        self.left = left;
        Ok(read)
    }
}
