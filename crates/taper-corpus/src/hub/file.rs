//! What to fetch: a repository, a revision, a path; and what a repository holds.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::hub::config::HubConfig;

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

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Dataset(_) => "datasets",
            Self::Model(_) => "models",
        }
    }

    /// Where the API tells of a revision: `revision`, or `tree`.
    pub(super) fn api(&self, config: &HubConfig, what: &str, revision: &str) -> String {
        let (kind, id) = (self.kind(), encode(self.id(), true));
        format!("{}/api/{kind}/{id}/{what}/{}", config.base(), encode(revision, false))
    }

    /// The page on which a revision's files are shown.
    pub(crate) fn page(&self, config: &HubConfig, revision: &str) -> String {
        let kind = match self {
            Self::Dataset(_) => "datasets/",
            Self::Model(_) => "",
        };
        format!(
            "{}/{kind}{}/tree/{}",
            config.base(),
            encode(self.id(), true),
            encode(revision, true)
        )
    }

    /// The repository's folder in the cache: `datasets--stanfordnlp--imdb`.
    pub(super) fn folder(&self) -> String {
        format!("{}--{}", self.kind(), self.id().replace('/', "--"))
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
        format!("{}/{}@{}: {}", self.repo.kind(), self.repo.id(), self.revision, self.path)
    }

    pub(crate) fn url(&self, config: &HubConfig) -> String {
        let kind = match self.repo {
            HubRepo::Dataset(_) => "datasets/",
            HubRepo::Model(_) => "",
        };
        let id = encode(self.repo.id(), true);
        let (revision, path) = (encode(&self.revision, false), encode(&self.path, true));
        format!("{}/{kind}{id}/resolve/{revision}/{path}", config.base())
    }

    /// These parts become paths in the cache: none may climb out of it.
    pub(crate) fn check(&self, config: &HubConfig) -> Result<()> {
        config.check()?;
        check_names(&self.url(config), [self.repo.id(), &self.revision, &self.path])
    }
}

/// # Errors
/// A name that would lead elsewhere, as part of an address or of a path.
pub(super) fn check_names<const N: usize>(url: &str, names: [&str; N]) -> Result<()> {
    if names.into_iter().any(climbs) {
        return Err(Error::Hub {
            url: url.to_owned(),
            problem: "repository, revision and path must be relative names without empty, `.` or `..` parts"
                .to_owned(),
        });
    }
    Ok(())
}

/// The files of a repository at a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listing {
    pub(crate) commit: String,
    pub(crate) files: Vec<ListedFile>,
    /// Whether these are only the files that happen to be in the cache.
    #[serde(default)]
    pub(crate) cached_alone: bool,
}

/// A file as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListedFile {
    pub(crate) path: String,
    pub(crate) bytes: Option<u64>,
    pub(crate) sha256: Option<String>,
}

fn climbs(part: &str) -> bool {
    part.contains('\\') || part.split('/').any(|name| matches!(name, "" | "." | ".."))
}

/// Percent-encodes what has another meaning in an address.
fn encode(name: &str, slashes: bool) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'-' | b'_' | b'.' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                encoded.push(char::from(byte));
            }
            b'/' if slashes => encoded.push('/'),
            // Writing to a String cannot fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

/// Called as bytes arrive: how many of the file are here, and how many there will be.
pub type Progress<'a> = dyn FnMut(u64, Option<u64>) + 'a;
