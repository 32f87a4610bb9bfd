//! Files from the Hub or a mirror, into the cache that the Hub's other clients share; and which there are.
//!
//! The cache has Python's layout and its locks. A cut download goes on from its `.part` file; a busy
//! server and a cut connection are tried again as [`Patience`] says, `Retry-After` included; the token
//! goes to the endpoint, and not along with a redirect to another host. Nothing is handed out unchecked:
//!
//! 1. **Whole**: the length the server announced, and, where it announced one (`ETag` or
//!    `X-Linked-ETag` of 64 hexadecimal digits, which is how the Hub tags large files), the sha256.
//! 2. **The right file**: the sha256 that [`HubFile`] pins, if it pins one.
//!
//! A file that is not whole is removed from the cache (when offline it is left, and refused); one that is whole and not
//! the wanted one is left to whoever fetched it. Git-lfs pointers and HTML pages are refused whatever is pinned.
//!
//! The environment is not read: endpoint, cache, token, proxy and offline mode are handed in.

mod cache;
mod client;
mod config;
mod download;
mod file;
mod listing;
mod patience;
mod whole;

use std::path::{Path, PathBuf};

use cache::{Cache, tag};
pub use config::{HubConfig, Patience};
use download::download;
pub use file::{HubFile, HubRepo, Progress};
pub(crate) use file::{ListedFile, Listing};
pub(crate) use listing::{list, looked_for};
use whole::whole;

use crate::error::{Error, Result};
use crate::verify::{Inspection, is_sha256};

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

/// The place of a file that is in the cache; what is in it is not looked at.
pub(crate) fn in_cache(config: &HubConfig, file: &HubFile) -> Option<PathBuf> {
    Cache::new(config, file).find()
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
    // Before a lock is asked for, which a cache that may only be read does not give.
    match cache.find() {
        None if config.offline => {
            let looked_for = cache.looked_for();
            return Err(Error::Offline { file: file.describe(), looked_for });
        }
        None => {}
        Some(path) => match check(&path, &url, identity) {
            Err(Error::Transfer { expected, found, .. }) if config.offline => {
                return Err(Error::Cached { path, expected, found });
            }
            Err(error) if config.offline => return Err(error),
            Err(_) => {}
            Ok(()) => return Ok(path),
        },
    }
    // One process at a time: the others wait, then find the file in the cache.
    let _lock = cache.lock()?;
    if let Some(path) = cache.find() {
        match check(&path, &url, identity) {
            Ok(()) => return Ok(path),
            Err(error) => drop(refuse(&cache, &path, error)?),
        }
    }
    let (path, found) = download(config, file, &cache, progress)?;
    match identity(&path, &found) {
        Ok(()) => Ok(path),
        Err(error) => Err(refuse(&cache, &path, error)?),
    }
}

/// Gives the error back, and removes the file, unless its tag proves it whole: then it is another one, and perhaps of
/// use to others.
fn refuse(cache: &Cache, path: &Path, error: Error) -> Result<Error> {
    let proven =
        matches!(error, Error::WrongFile { .. }) && tag(path).is_some_and(|tag| is_sha256(&tag));
    if !proven {
        cache.discard(path)?;
    }
    Ok(error)
}

/// A file of the cache, which calls a blob by the server's tag.
fn check(path: &Path, url: &str, identity: &Identity<'_>) -> Result<()> {
    let found = whole(path, url, &tag(path).unwrap_or_default())?;
    identity(path, &found)
}
