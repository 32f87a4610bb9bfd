//! The Hub's cache on disk: where a file lies, who may write it now, how a bad copy goes.
//!
//! ```text
//! <cache>/datasets--<owner>--<name>/blobs/<tag>            the bytes (<tag>.part while they come)
//!                                  /refs/<revision>        the commit a revision meant
//!                                  /snapshots/<commit>/<path> -> ../../blobs/<tag>
//! <cache>/.locks/taper/<repository>/<hash>.lock            held while we fetch
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use hf_hub::{Repo, RepoType};

use crate::error::{Error, Result};
use crate::hub::file::{HubConfig, HubFile, HubRepo};

/// The cache, as far as it concerns one file.
pub(super) struct Cache {
    root: PathBuf,
    repo: Repo,
    file: HubFile,
}

impl Cache {
    pub(super) fn new(config: &HubConfig, file: &HubFile) -> Self {
        let kind = match file.repo {
            HubRepo::Dataset(_) => RepoType::Dataset,
            HubRepo::Model(_) => RepoType::Model,
        };
        Self {
            root: config.cache_dir.clone(),
            repo: Repo::with_revision(file.repo.id().to_owned(), kind, file.revision.clone()),
            file: file.clone(),
        }
    }

    pub(super) fn repo(&self) -> &Repo {
        &self.repo
    }

    fn folder(&self) -> PathBuf {
        self.root.join(self.repo.folder_name())
    }

    /// A snapshot may be filed under the revision itself (as Python files a commit) or under the
    /// commit that a mirror said it stands for.
    pub(super) fn looked_for(&self) -> Vec<PathBuf> {
        let snapshots = self.folder().join("snapshots");
        let mut places = vec![snapshots.join(&self.file.revision).join(&self.file.path)];
        let reference = self.folder().join("refs").join(&self.file.revision);
        if let Ok(commit) = fs::read_to_string(reference) {
            let place = snapshots.join(commit.trim()).join(&self.file.path);
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

    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder().join("snapshots").join(commit).join(&self.file.path)
    }

    /// Removes the link and the bytes behind it. A link whose bytes are gone goes too: hf-hub
    /// cannot replace one.
    pub(super) fn discard(&self, path: &Path) -> Result<()> {
        let blob = tag(path).map(|tag| self.blob(&tag));
        for path in blob.iter().map(PathBuf::as_path).chain([path]) {
            if fs::symlink_metadata(path).is_ok() {
                fs::remove_file(path).map_err(Error::io("remove", path))?;
            }
        }
        Ok(())
    }

    /// Waits until no other process fetches this file. The system lets go of the lock when its
    /// holder ends, however it ends.
    pub(super) fn lock(&self) -> Result<File> {
        let dir = self.root.join(".locks").join("taper").join(self.repo.folder_name());
        fs::create_dir_all(&dir).map_err(Error::io("make", &dir))?;
        let name = blake3::hash(self.file.describe().as_bytes()).to_hex();
        let path = dir.join(format!("{name}.lock"));
        let file = File::create(&path).map_err(Error::io("lock", &path))?;
        file.lock().map_err(Error::io("lock", &path))?;
        Ok(file)
    }
}

/// The server's tag of a cached file: the name of the blob that it links to.
pub(super) fn tag(path: &Path) -> Option<String> {
    let blob = fs::canonicalize(path).ok()?;
    let in_blobs = blob.parent()?.file_name()? == "blobs";
    in_blobs.then(|| blob.file_name()?.to_str().map(str::to_owned))?
}
