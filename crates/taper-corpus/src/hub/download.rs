//! The download itself: hf-hub's client, made ready for its own blind spots, tried a few times.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use hf_hub::api::sync::{Api, ApiBuilder, ApiError, Metadata};

use crate::error::{Error, Result};
use crate::hub::cache::Cache;
use crate::hub::file::{HubConfig, HubFile, Progress};

/// How often a cut connection or a busy server is tried, with these pauses between.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_millis(1_500),
    Duration::from_secs(3),
];

/// Why an attempt failed, and whether another one may do better.
enum Failure {
    Passing(Error),
    Final(Error),
}

/// Fetches into the cache and holds the result to the announced length; resumes what an earlier
/// attempt left, in this process or another.
pub(super) fn download(
    config: &HubConfig,
    file: &HubFile,
    cache: &Cache,
    progress: &mut Progress<'_>,
) -> Result<PathBuf> {
    let url = file.url(config);
    // `from_cache` looks for a token file; ours, or none, takes its place. hf-hub's own retries
    // stay off: after a reconnection that brings nothing they start over at byte 0 and append.
    let api = ApiBuilder::from_cache(hf_hub::Cache::new(config.cache_dir.clone()))
        .with_endpoint(config.endpoint.trim_end_matches('/').to_owned())
        .with_token(config.token.clone())
        .with_progress(false)
        .with_retries(0)
        .with_user_agent("taper-corpus", env!("CARGO_PKG_VERSION"))
        .build()
        .map_err(|error| explain(&url, &error))?;
    let mut pauses = PAUSES.iter();
    loop {
        match attempt(&api, file, cache, &url, progress) {
            Ok(path) => return Ok(path),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Passing(error)) => match pauses.next() {
                Some(&pause) => thread::sleep(pause),
                None => return Err(error),
            },
        }
    }
}

fn attempt(
    api: &Api,
    file: &HubFile,
    cache: &Cache,
    url: &str,
    progress: &mut Progress<'_>,
) -> Result<PathBuf, Failure> {
    let announced = api.metadata(url).map_err(|error| judge(url, &error))?;
    check_names(url, &announced).map_err(Failure::Final)?;
    let blob = cache.blob(announced.etag());
    let size = announced.size() as u64;
    clear_the_way(cache, &announced, &blob.with_extension("part"), size).map_err(Failure::Final)?;
    let path = api
        .repo(cache.repo().clone())
        .download_with_progress(&file.path, Relay { progress, done: 0, total: None })
        .map_err(|error| match error {
            ApiError::IoError(source) if !passes(&source) => {
                Failure::Final(Error::io("write", &blob.with_extension("part"))(source))
            }
            error => judge(url, &error),
        })?;
    let found =
        fs::metadata(&path).map_err(Error::io("read", &path)).map_err(Failure::Final)?.len();
    if found == size {
        sync(&blob).map_err(Failure::Final)?;
        return Ok(path);
    }
    // Too long: the server ignored the range and sent all of it again. Too short: it hung up
    // without a word, and the next attempt resumes.
    cache.discard_to_part(&path, &blob, found < size).map_err(Failure::Final)?;
    Err(Failure::Passing(Error::Transfer {
        url: url.to_owned(),
        expected: format!("{size} bytes"),
        found: format!("{found} bytes"),
    }))
}

/// The server's tag and commit become file names: they must not lead out of the cache.
fn check_names(url: &str, announced: &Metadata) -> Result<()> {
    let fits = |name: &str| {
        let plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b':');
        !name.is_empty() && name.bytes().all(plain)
    };
    // A weak tag, W/"...", becomes a folder `W` in the cache.
    let tag = announced.etag();
    if fits(tag.strip_prefix("W/").unwrap_or(tag)) && fits(announced.commit_hash()) {
        return Ok(());
    }
    Err(Error::Hub {
        url: url.to_owned(),
        problem: format!(
            "the server announced the tag `{tag}` and the commit `{}`; expected hashes",
            announced.commit_hash()
        ),
    })
}

/// What would make hf-hub fail for ever: a `.part` that is complete or too long (it asks for the
/// bytes behind the end), and a link whose bytes are gone (it cannot be made a second time).
fn clear_the_way(cache: &Cache, announced: &Metadata, part: &Path, size: u64) -> Result<()> {
    match fs::metadata(part) {
        Ok(found) if found.len() == size && size > 0 => {
            let file =
                OpenOptions::new().write(true).open(part).map_err(Error::io("open", part))?;
            file.set_len(size - 1).map_err(Error::io("cut", part))?;
        }
        Ok(found) if found.len() >= size => {
            fs::remove_file(part).map_err(Error::io("remove", part))?;
        }
        _ => {}
    }
    let link = cache.snapshot(announced.commit_hash());
    if fs::symlink_metadata(&link).is_ok() {
        fs::remove_file(&link).map_err(Error::io("remove", &link))?;
    }
    Ok(())
}

fn sync(blob: &Path) -> Result<()> {
    // Where links are not to be had, hf-hub moves the blob; its bytes are checked on every use.
    match File::open(blob) {
        Ok(file) => file.sync_all().map_err(Error::io("sync", blob)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("open", blob)(error)),
    }
}

impl Cache {
    /// Takes back a file of the wrong length: to `.part` where the rest can still come.
    fn discard_to_part(&self, path: &Path, blob: &Path, resumable: bool) -> Result<()> {
        if resumable && blob.is_file() {
            let part = blob.with_extension("part");
            fs::rename(blob, &part).map_err(Error::io("rename", blob))?;
        }
        self.discard(path)
    }
}

/// A busy server and a cut connection pass; a refusal stays.
fn judge(url: &str, error: &ApiError) -> Failure {
    let explained = explain(url, error);
    let passing = match error {
        ApiError::RequestError(request) => match request.as_ref() {
            ureq::Error::StatusCode(status) => matches!(status, 408 | 416 | 429 | 500..=599),
            ureq::Error::Io(source) => passes(source),
            ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed | ureq::Error::Protocol(_) => {
                true
            }
            _ => false,
        },
        ApiError::IoError(source) => passes(source),
        ApiError::LockAcquisition(_) => true,
        _ => false,
    };
    if passing { Failure::Passing(explained) } else { Failure::Final(explained) }
}

/// A full or forbidden disk does not get better by waiting, nor does a port where nobody listens.
fn passes(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    !matches!(
        error.kind(),
        Kind::StorageFull
            | Kind::QuotaExceeded
            | Kind::FileTooLarge
            | Kind::PermissionDenied
            | Kind::ReadOnlyFilesystem
            | Kind::NotFound
            | Kind::ConnectionRefused
    )
}

fn explain(url: &str, error: &ApiError) -> Error {
    let problem = match error {
        ApiError::MissingHeader(_) | ApiError::InvalidHeader(_) | ApiError::ParseIntError(_) => {
            format!(
                "the server does not answer as a Hub does ({error}): it needs ETag, X-Repo-Commit and \
             byte ranges; is the endpoint right, or is this a log-in or error page?"
            )
        }
        ApiError::RequestError(request) => match request.as_ref() {
            ureq::Error::StatusCode(status @ (401 | 403)) => {
                format!("the server refused ({status}): a token with access is needed")
            }
            ureq::Error::StatusCode(404) => {
                "not found (404): the repository, revision or path does not exist there".to_owned()
            }
            ureq::Error::Io(source) => {
                format!("{source}; is the network up and the endpoint right?")
            }
            other => other.to_string(),
        },
        ApiError::IoError(source) => format!(
            "the connection broke ({source}); what arrived is kept, and another try goes on from there"
        ),
        other => other.to_string(),
    };
    Error::Hub { url: url.to_owned(), problem }
}

/// hf-hub counts differences and starts over on a resume; we pass on how far the file is.
struct Relay<'a, 'b> {
    progress: &'a mut Progress<'b>,
    done: u64,
    total: Option<u64>,
}

impl hf_hub::api::Progress for Relay<'_, '_> {
    fn init(&mut self, size: usize, _filename: &str) {
        self.done = 0;
        self.total = Some(size as u64);
    }

    fn update(&mut self, size: usize) {
        self.done += size as u64;
        (self.progress)(self.done, self.total);
    }

    fn finish(&mut self) {}
}
