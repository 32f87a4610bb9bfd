//! One file from the Hub or a mirror, into the cache that the Hub's other clients share.
//!
//! Built on hf-hub's blocking client, which keeps Python's cache layout and resumes a cut download
//! from its `.part` file. Added here: the cache is locked across processes, a cut connection is
//! tried again, and nothing is handed out unchecked:
//!
//! 1. **Whole**: the length the server announced, and, where it announced one (`ETag` or
//!    `X-Linked-ETag` of 64 hexadecimal digits, which is how the Hub tags large files), the sha256.
//! 2. **The right file**: the sha256 that [`HubFile`] pins, if it pins one.
//!
//! A file that fails is removed from the cache (when offline it is left, and refused). Git-lfs
//! pointers and HTML pages are refused whatever is pinned.
//!
//! The environment is not read: endpoint, cache, token and offline mode are handed in. The one
//! exception is not ours: ureq, the HTTP client underneath, follows `ALL_PROXY`, `HTTPS_PROXY`,
//! `HTTP_PROXY` and `NO_PROXY`, and hf-hub gives no way to tell it otherwise. Nor does it let a
//! time-out be set: a server that accepts and then falls silent is waited for.

mod cache;
mod download;
mod file;

use std::path::{Path, PathBuf};

use cache::{Cache, tag};
use download::download;
pub use file::{HubConfig, HubFile, HubRepo, Progress};

use crate::error::{Error, Result};
use crate::verify::{Inspection, inspect, is_sha256};

/// A test whether a file is the wanted one; refuses with [`Error::WrongFile`].
pub(crate) type Identity<'a> = dyn Fn(&Path, &Inspection) -> Result<()> + 'a;

/// Brings a file into the cache, or finds it there, and checks it; gives its path in the cache.
///
/// A file that is in the cache and passes its checks costs no request.
///
/// # Errors
/// Offline and not in the cache (says where it looked); a server that refuses or does not answer as
/// a Hub does; bytes that arrived damaged; a whole file that is not the pinned one.
pub fn fetch(config: &HubConfig, file: &HubFile, progress: &mut Progress<'_>) -> Result<PathBuf> {
    let url = file.url(config);
    fetch_checked(config, file, progress, &|path, found| match &file.sha256 {
        Some(pinned) if !pinned.eq_ignore_ascii_case(&found.sha256) => Err(Error::WrongFile {
            path: path.to_owned(),
            url: url.clone(),
            expected: format!("sha256 {pinned}"),
            found: format!("sha256 {}", found.sha256),
        }),
        _ => Ok(()),
    })
}

/// [`fetch`] with a test of its own in place of the pinned sha256.
pub(crate) fn fetch_checked(
    config: &HubConfig,
    file: &HubFile,
    progress: &mut Progress<'_>,
    identity: &Identity<'_>,
) -> Result<PathBuf> {
    file.check(config)?;
    let url = file.url(config);
    let cache = Cache::new(config, file);
    if config.offline {
        let path = cache.find().ok_or_else(|| Error::Offline {
            file: file.describe(),
            looked_for: cache.looked_for(),
        })?;
        check(&path, &url, identity)?;
        return Ok(path);
    }
    // One process at a time: the others wait, then find the file in the cache.
    let _lock = cache.lock()?;
    if let Some(path) = cache.find() {
        if check(&path, &url, identity).is_ok() {
            return Ok(path);
        }
        cache.discard(&path)?;
    }
    let path = download(config, file, &cache, progress)?;
    check(&path, &url, identity).or_else(|error| cache.discard(&path).and(Err(error)))?;
    Ok(path)
}

fn check(path: &Path, url: &str, identity: &Identity<'_>) -> Result<()> {
    let found = inspect(path)?;
    if let Some(impostor) = found.impostor {
        return Err(Error::Hub {
            url: url.to_owned(),
            problem: format!(
                "the server answered with {impostor}; check the endpoint and the token"
            ),
        });
    }
    // The cache calls a blob by the server's tag.
    if let Some(tag) = tag(path).filter(|tag| is_sha256(tag))
        && !tag.eq_ignore_ascii_case(&found.sha256)
    {
        return Err(Error::Transfer {
            url: url.to_owned(),
            expected: format!("sha256 {tag}"),
            found: format!("sha256 {} ({} bytes)", found.sha256, found.bytes),
        });
    }
    identity(path, &found)
}
