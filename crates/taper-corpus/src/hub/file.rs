//! What to fetch, where from, and where to: the arguments of a fetch.

use std::fmt;
use std::path::PathBuf;

use crate::error::{Error, Result};

/// Where to fetch from and where to keep it: all that the environment says, handed in.
#[derive(Clone, PartialEq, Eq)]
pub struct HubConfig {
    /// The Hub or a mirror: `https://huggingface.co`.
    pub endpoint: String,
    /// The cache (what `HF_HUB_CACHE` names): `~/.cache/huggingface/hub`.
    pub cache_dir: PathBuf,
    /// Sent to the endpoint, and to no other host.
    pub token: Option<String>,
    /// Use the cache alone.
    pub offline: bool,
}

impl fmt::Debug for HubConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubConfig")
            .field("endpoint", &self.endpoint)
            .field("cache_dir", &self.cache_dir)
            .field("token", &self.token.as_ref().map(|_| "(hidden)"))
            .field("offline", &self.offline)
            .finish()
    }
}

/// A repository on the Hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubRepo {
    /// A data set, by its id: `stanfordnlp/imdb`.
    Dataset(String),
    /// A model, by its id: `stanfordnlp/glove`.
    Model(String),
}

impl HubRepo {
    /// `owner/name`.
    pub fn id(&self) -> &str {
        match self {
            Self::Dataset(id) | Self::Model(id) => id,
        }
    }
}

/// One file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFile {
    /// The repository.
    pub repo: HubRepo,
    /// A commit, branch or tag. Only a commit always means the same.
    pub revision: String,
    /// The path within the repository: `plain_text/train-00000-of-00001.parquet`.
    pub path: String,
    /// The sha256 it must have, in hexadecimal.
    pub sha256: Option<String>,
}

impl HubFile {
    /// `datasets/stanfordnlp/imdb@<revision>: <path>`, for messages.
    pub(super) fn describe(&self) -> String {
        let kind = match self.repo {
            HubRepo::Dataset(_) => "datasets",
            HubRepo::Model(_) => "models",
        };
        format!("{kind}/{}@{}: {}", self.repo.id(), self.revision, self.path)
    }

    pub(crate) fn url(&self, config: &HubConfig) -> String {
        let endpoint = config.endpoint.trim_end_matches('/');
        let kind = match self.repo {
            HubRepo::Dataset(_) => "datasets/",
            HubRepo::Model(_) => "",
        };
        let revision = self.revision.replace('/', "%2F");
        format!("{endpoint}/{kind}{}/resolve/{revision}/{}", self.repo.id(), self.path)
    }

    /// These parts become paths in the cache: none may climb out of it.
    pub(super) fn check(&self, config: &HubConfig) -> Result<()> {
        let climbs = |part: &str| {
            part.is_empty()
                || part.contains('\\')
                || part.split('/').any(|p| matches!(p, "" | "." | ".."))
        };
        let problem = if climbs(self.repo.id()) || climbs(&self.revision) || climbs(&self.path) {
            "repository, revision and path must be relative names without empty, `.` or `..` parts"
        } else if !config.endpoint.starts_with("http://")
            && !config.endpoint.starts_with("https://")
        {
            "the endpoint must begin with https:// or http://"
        } else {
            return Ok(());
        };
        Err(Error::Hub { url: self.url(config), problem: problem.to_owned() })
    }
}

/// Called as bytes arrive: how many of the file are here, and how many there will be.
pub type Progress<'a> = dyn FnMut(u64, Option<u64>) + 'a;
