//! The Hub's cache on disk: where a file lies, who may write it now, how a bad copy goes.
//!
//! ```text
//! <cache>/datasets--<owner>--<name>/blobs/<tag>            the bytes (<tag>.part while they come)
//!                                  /refs/<revision>        the commit a revision meant
//!                                  /snapshots/<commit>/<path> -> ../../blobs/<tag>
//!                                  /.taper/<commit>.json   which files there are at a commit
//! <cache>/.locks/taper/<repository>/<hash>.lock            held while we fetch
//! ```

use std::fs::{self, File};
use std::io::{self, Write};
#[cfg(unix)]
use std::os::unix::fs::symlink;
#[cfg(windows)]
use std::os::windows::fs::symlink_file as symlink;
use std::path::{Path, PathBuf};

use tempfile::Builder;

use crate::error::{Error, Result};
use crate::hub::config::HubConfig;
use crate::hub::file::{HubFile, HubRepo, Listing};

/// The cache, as far as it concerns one file.
pub(super) struct Cache {
    root: PathBuf,
    file: HubFile,
}

impl Cache {
    pub(super) fn new(config: &HubConfig, file: &HubFile) -> Self {
        Self { root: config.cache_dir.clone(), file: file.clone() }
    }

    fn folder(&self) -> PathBuf {
        self.root.join(self.file.repo.folder())
    }

    /// A snapshot may be filed under the revision itself (as Python files a commit) or under the
    /// commit that a mirror said it stands for.
    pub(super) fn looked_for(&self) -> Vec<PathBuf> {
        let snapshots = self.folder().join("snapshots");
        let mut places = vec![snapshots.join(&self.file.revision).join(&self.file.path)];
        if let Some(commit) = noted_commit(&self.folder(), &self.file.revision) {
            let place = snapshots.join(commit).join(&self.file.path);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }

    pub(super) fn find(&self) -> Option<PathBuf> {
        self.looked_for().into_iter().find(|path| path.is_file())
    }

    pub(super) fn blob(&self, tag: &str) -> PathBuf {
        self.folder().join("blobs").join(tag)
    }

    /// The bytes while they come.
    pub(super) fn part(&self, tag: &str) -> Result<PathBuf> {
        let part = self.folder().join("blobs").join(format!("{tag}.part"));
        parent(&part)?;
        Ok(part)
    }

    fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder().join("snapshots").join(commit).join(&self.file.path)
    }

    /// Files a blob under its name and commit, and notes what commit the revision stands for.
    pub(super) fn link(&self, tag: &str, commit: &str) -> Result<PathBuf> {
        let path = self.snapshot(commit);
        let dir = parent(&path)?;
        let blob = self.blob(tag);
        let up = "../".repeat(2 + self.file.path.matches('/').count());
        place_link(&format!("{up}blobs/{tag}"), &blob, &path, dir)
            .map_err(Error::io("link", &path))?;
        if self.file.revision != commit {
            write(&reference(&self.folder(), &self.file.revision), commit.as_bytes())?;
        }
        Ok(path)
    }

    /// Removes the link and the bytes behind it, or a link whose bytes are gone.
    pub(super) fn discard(&self, path: &Path) -> Result<()> {
        let blob = tag(path).map(|tag| self.blob(&tag));
        for path in blob.iter().map(PathBuf::as_path).chain([path]) {
            if fs::symlink_metadata(path).is_ok() {
                fs::remove_file(path).map_err(Error::io("remove", path))?;
            }
        }
        Ok(())
    }

    /// Waits until no other process fetches this file.
    pub(super) fn lock(&self) -> Result<File> {
        let dir = self.root.join(".locks").join("taper").join(self.file.repo.folder());
        let name = blake3::hash(self.file.describe().as_bytes()).to_hex();
        hold(&dir.join(format!("{name}.lock")))
    }

    /// Waits until no other process writes these bytes: another file may be the same, and Python's
    /// client takes this lock too.
    pub(super) fn lock_blob(&self, tag: &str) -> Result<File> {
        hold(&self.root.join(".locks").join(self.file.repo.folder()).join(format!("{tag}.lock")))
    }
}

fn reference(folder: &Path, revision: &str) -> PathBuf {
    folder.join("refs").join(revision)
}

/// The commit that a revision stood for when it was last asked for.
fn noted_commit(folder: &Path, revision: &str) -> Option<String> {
    let noted = fs::read_to_string(reference(folder, revision)).ok()?;
    Some(noted.trim().to_owned()).filter(|commit| is_plain(commit))
}

/// Which files a repository has, as far as the cache knows.
pub(super) struct Listings {
    folder: PathBuf,
}

impl Listings {
    pub(super) fn new(config: &HubConfig, repo: &HubRepo) -> Self {
        Self { folder: config.cache_dir.join(repo.folder()) }
    }

    /// Where a revision's commit is noted.
    pub(super) fn reference(&self, revision: &str) -> PathBuf {
        reference(&self.folder, revision)
    }

    /// The commit that a revision stood for when it was last asked for.
    pub(super) fn commit(&self, revision: &str) -> Option<String> {
        noted_commit(&self.folder, revision)
    }

    fn place(&self, commit: &str) -> PathBuf {
        self.folder.join(".taper").join(format!("{commit}.json"))
    }

    /// What was listed at a commit; a listing that cannot be read is none.
    pub(super) fn get(&self, commit: &str) -> Option<Listing> {
        let bytes = fs::read(self.place(commit)).ok()?;
        serde_json::from_slice(&bytes).ok().filter(|listing: &Listing| listing.commit == commit)
    }

    /// The files of a snapshot that another client fetched: there may be more in the repository.
    pub(super) fn snapshot(&self, commit: &str) -> Vec<String> {
        let mut files = Vec::new();
        files_below(&self.folder.join("snapshots").join(commit), "", &mut files);
        files.sort();
        files
    }

    /// Keeps a listing, and what its revision stands for. A cache that knows them already may be one that can only be read.
    pub(super) fn keep(&self, revision: &str, listing: &Listing) -> Result<()> {
        // Strings and numbers alone: there is nothing in it that JSON could refuse.
        let bytes = serde_json::to_vec(listing).unwrap_or_default();
        if self.get(&listing.commit).as_ref() != Some(listing) {
            write(&self.place(&listing.commit), &bytes)?;
        }
        if revision != listing.commit && self.commit(revision).as_ref() != Some(&listing.commit) {
            write(&self.reference(revision), listing.commit.as_bytes())?;
        }
        Ok(())
    }
}

/// Every file below a folder, by its path with `/` between the parts.
fn files_below(dir: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // The snapshot's own folders, and the links in them to the bytes.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            files_below(&path, &format!("{name}/"), found);
        } else if path.is_file() {
            found.push(name);
        }
    }
}

/// Whether a name that a server gave can name a file: it must not lead out of the cache.
pub(super) fn is_plain(name: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b':');
    (1..=128).contains(&name.len()) && name.bytes().all(plain)
}

/// A small file that is there whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = parent(path)?;
    let write = || {
        let mut builder = Builder::new();
        // Others may share the cache: temporary files are private by default, and the file keeps its mode.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(dir)?;
        file.write_all(bytes)?;
        file.persist(path).map_err(|error| error.error)
    };
    write().map(drop).map_err(Error::io("write", path))
}

/// The system lets go of a lock when its holder ends, however it ends.
fn hold(path: &Path) -> Result<File> {
    parent(path)?;
    let file = File::create(path).map_err(Error::io("lock", path))?;
    file.lock().map_err(Error::io("lock", path))?;
    Ok(file)
}

/// A file's folder, made if need be.
fn parent(path: &Path) -> Result<&Path> {
    let dir = path.parent().unwrap_or(path);
    fs::create_dir_all(dir).map_err(Error::io("make", dir))?;
    Ok(dir)
}

/// A link that is there whole or not at all. Where links are not to be had, the blob itself moves.
fn place_link(target: &str, blob: &Path, path: &Path, dir: &Path) -> io::Result<()> {
    match Builder::new().make_in(dir, |at| symlink(target, at)) {
        Ok(link) => link.persist(path).map(drop).map_err(|error| error.error),
        Err(_) => fs::rename(blob, path),
    }
}

/// The server's tag of a cached file: the name of the blob that it links to.
pub(super) fn tag(path: &Path) -> Option<String> {
    let blob = fs::canonicalize(path).ok()?;
    let in_blobs = blob.parent()?.file_name()? == "blobs";
    in_blobs.then(|| blob.file_name()?.to_str().map(str::to_owned))?
}
