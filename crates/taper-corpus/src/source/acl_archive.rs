//! The aclImdb archive, read as a stream: twice, since the URL lists may come after the reviews.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType, PaxExtensions};

use crate::error::{Error, Place, Result};
use crate::input::{archive, bomb, bounded, regular};
use crate::origin::Origin;
use crate::settings::Limits;
use crate::source::VisitFrom;
use crate::source::acl_imdb::{FOLDERS, Folder, MOST_BYTES, Movies, SETS, Tally, review_id};

/// Bytes of what stands before a member to say more of it, such as a long name.
const MOST_PREFACE: u64 = 1 << 16;

/// `aclImdb_v1.tar.gz`. Reviews come in the archive's order.
#[derive(Debug, Clone)]
pub struct AclImdbArchive {
    path: PathBuf,
    limits: Limits,
}

/// What a member is, by its name.
enum Member {
    Review(Folder, u32),
    UrlList(Folder),
    Other,
}

/// Called with a file's name, what it is, and its content; says whether to go on.
type Each<'a> = dyn FnMut(&str, Member, &mut dyn Read) -> Result<ControlFlow<()>> + 'a;

impl AclImdbArchive {
    pub(super) fn new(path: &Path, limits: Limits) -> Self {
        Self { path: path.to_owned(), limits }
    }

    /// The archive.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn for_each(&self, visit: &mut VisitFrom<'_>) -> Result<()> {
        let movies = self.movies()?;
        let mut tally = Tally::default();
        let archive = Path::new(self.path.file_name().unwrap_or_default());
        self.scan(&mut |name, member, content| {
            if let Member::Review(folder, id) = member {
                let place = Place::member(&self.path, name);
                let record = movies.record(folder, id, self.read(name, content)?, place)?;
                tally.count(folder);
                visit(folder.split(), record, Origin::new(&archive.join(name), None))?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        tally.check(&self.path)
    }

    /// The first pass: the lists alone, and no further than the last of them.
    fn movies(&self) -> Result<Movies> {
        let mut movies = Movies::default();
        self.scan(&mut |name, member, content| {
            if let Member::UrlList(folder) = member {
                let list = self.read(name, content)?;
                movies.add(folder, Place::member(&self.path, name), &list)?;
            }
            Ok(if movies.complete() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(movies)
    }

    /// Hands every file to `each`, then reads on to the end, where gzip keeps its checksum.
    fn scan(&self, each: &mut Each<'_>) -> Result<()> {
        let size = regular(&self.path)?.len();
        let file = File::open(&self.path).map_err(Error::io("open", &self.path))?;
        let decoder = MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file));
        let mut archive = Archive::new(bounded(Box::new(decoder), size, &self.limits));
        let (mut last, mut reviews, mut long_name) = (String::new(), false, None);
        // Raw, since what stands before a member is read into memory otherwise, however long it is.
        let start = archive.entries().map_err(|error| self.damaged(&last, error))?.raw(true);
        for entry in start {
            let mut entry = entry.map_err(|error| self.damaged(&last, error))?;
            let kind = entry.header().entry_type();
            if kind.is_gnu_longname() || kind.is_pax_local_extensions() {
                long_name = self.long_name(&mut entry, &last)?.or(long_name);
                continue;
            }
            let name = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
            last = String::from_utf8_lossy(&name).into_owned();
            if kind.is_hard_link() || kind.is_symlink() || kind.is_gnu_sparse() {
                let what = "a link or a sparse file; expected files, whose content is here";
                return Err(self.hostile(&last, what));
            }
            if ![EntryType::Regular, EntryType::Continuous].contains(&kind) {
                continue;
            }
            if last.starts_with('/') || last.split('/').any(|part| part == "..") {
                return Err(self.hostile(&last, "a path that leads out of the archive"));
            }
            let member = match self.classify(&last) {
                Err(_) if !reviews => return Err(self.not_imdbs()),
                member => member?,
            };
            reviews |= matches!(member, Member::Review(..));
            if !matches!(member, Member::Other) && entry.size() > MOST_BYTES {
                let place = Place::member(&self.path, &last);
                return Err(Error::too_long(place, MOST_BYTES as usize));
            }
            if each(&last, member, &mut entry)?.is_break() {
                return Ok(());
            }
        }
        io::copy(&mut archive.into_inner(), &mut io::sink())
            .map_err(|error| self.damaged(&last, error))?;
        // One that holds nothing is told as such.
        if reviews || last.is_empty() { Ok(()) } else { Err(self.not_imdbs()) }
    }

    /// What an entry says of the name of the next one: GNU tar's long name, or one among POSIX's properties.
    fn long_name(&self, entry: &mut Entry<'_, impl Read>, last: &str) -> Result<Option<Vec<u8>>> {
        if entry.size() > MOST_PREFACE {
            let what = format!("followed by a name or properties of {} bytes", entry.size());
            return Err(self.hostile(last, &what));
        }
        let mut bytes = self.read(last, entry)?;
        if entry.header().entry_type().is_gnu_longname() {
            bytes.truncate(bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len()));
            return Ok(Some(bytes));
        }
        let mut name = None;
        for property in PaxExtensions::new(&bytes) {
            let property = property.map_err(|error| self.damaged(last, error))?;
            if property.key_bytes() == b"path" {
                name = Some(property.value_bytes().to_vec());
            }
        }
        Ok(name)
    }

    /// `aclImdb/train/pos/0_9.txt`, with or without the first part.
    fn classify(&self, name: &str) -> Result<Member> {
        let parts: Vec<&str> = name.split('/').filter(|&part| part != ".").collect();
        let parts = match parts.as_slice() {
            [first, rest @ ..] if !SETS.contains(first) => rest,
            all => all,
        };
        let place = || Place::member(&self.path, name);
        Ok(match *parts {
            [set, class, file] if SETS.contains(&set) => {
                let folder = Folder::find(set, class, place)?;
                review_id(file, place)?.map_or(Member::Other, |id| Member::Review(folder, id))
            }
            [set, file] => FOLDERS
                .into_iter()
                .find(|folder| folder.set == set && folder.url_list() == file)
                .map_or(Member::Other, Member::UrlList),
            _ => Member::Other,
        })
    }

    fn read(&self, name: &str, content: &mut dyn Read) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(|error| self.damaged(name, error))?;
        Ok(bytes)
    }

    fn not_imdbs(&self) -> Error {
        let problem =
            format!("is a tar archive without aclImdb's reviews; {}", archive::CLASS_FOLDERS);
        Error::Malformed { place: Place::file(&self.path), problem }
    }

    fn hostile(&self, member: &str, what: &str) -> Error {
        let place = Place::member(&self.path, member);
        Error::Malformed { place, problem: format!("{what}; this archive is not aclImdb's") }
    }

    fn damaged(&self, member: &str, source: io::Error) -> Error {
        let place = if member.is_empty() {
            Place::file(&self.path)
        } else {
            Place::member(&self.path, member)
        };
        match bomb(&source) {
            Some(most) => archive::too_large(Place::file(&self.path), most),
            None => Error::Damaged { place, source },
        }
    }
}
