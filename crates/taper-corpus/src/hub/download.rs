//! The download itself: what the server says of the file, then its bytes, in as many attempts as it takes.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ureq::http::{HeaderMap, HeaderName, Method, StatusCode, header};

use crate::error::{Error, Result};
use crate::hub::cache::{Cache, is_plain};
use crate::hub::client::Client;
use crate::hub::config::HubConfig;
use crate::hub::file::{HubFile, Progress};
use crate::hub::patience::{Failure, Pauses, patiently};
use crate::hub::whole::{instead, whole};
use crate::verify::{Inspection, is_sha256, unmask};

/// An attempt that brings less has got nowhere.
const SOMEWHERE: u64 = 64 * 1024;

/// What the server says of a file.
struct Announced {
    /// A hash of the content; of large files, the sha256.
    tag: String,
    commit: String,
    size: u64,
}

/// Brings a file into the cache, whole; goes on where an earlier attempt ended, in this process or
/// another.
pub(super) fn download(
    config: &HubConfig,
    file: &HubFile,
    cache: &Cache,
    progress: &mut Progress<'_>,
) -> Result<(PathBuf, Inspection)> {
    let client = Client::new(config)?;
    let url = file.url(config);
    let announced = patiently(client.patience, || announced(&client, &url))?;
    let _lock = cache.lock_blob(&announced.tag)?;
    let blob = cache.blob(&announced.tag);
    let present = if blob.is_file() { whole(&blob, &url, &announced.tag).ok() } else { None };
    let found = if let Some(found) = present.filter(|found| found.bytes == announced.size) {
        found
    } else {
        let part = cache.part(&announced.tag)?;
        let transfer = Transfer { client: &client, url: &url, part: &part, announced: &announced };
        let found = transfer.run(progress)?;
        fs::rename(&part, &blob).map_err(Error::io("rename", &part))?;
        found
    };
    Ok((cache.link(&announced.tag, &announced.commit)?, found))
}

/// The first answers on the way to the file: the Hub's own describe it, and lead to another host.
fn announced(client: &Client<'_>, url: &str) -> Result<Announced, Failure> {
    let (mut commit, mut linked_tag, mut linked_size) = (None, None, None);
    let answer = client.ask(&Method::HEAD, url, 0, &mut |status, headers| {
        let told = |name: &'static str| text(headers, &HeaderName::from_static(name));
        commit = commit.take().or_else(|| told("x-repo-commit"));
        linked_tag = linked_tag.take().or_else(|| told("x-linked-etag"));
        linked_size = linked_size.take().or_else(|| told("x-linked-size"));
        status.is_redirection() && commit.is_some() && linked_tag.is_some() && linked_size.is_some()
    })?;
    let (status, headers) = (answer.status(), answer.headers());
    if !status.is_success() && !status.is_redirection() {
        return Err(Failure::of_status(url, status, headers));
    }
    let tag = tag(linked_tag, headers);
    let size = linked_size.or_else(|| text(headers, &header::CONTENT_LENGTH));
    let refuse = |problem| Err(Failure::Final(Error::Hub { url: url.to_owned(), problem }));
    let (Some(tag), Some(commit), Some(Ok(size))) = (tag, commit, size.map(|size| size.parse()))
    else {
        return refuse(
            "the server does not answer as a Hub does: it needs ETag, X-Repo-Commit and Content-Length; is \
             the endpoint right, or is this a log-in or error page?"
                .to_owned(),
        );
    };
    // Both become file names: they must not lead out of the cache.
    if !is_plain(&tag) || !is_plain(&commit) {
        return refuse(format!(
            "the server announced the tag `{tag}` and the commit `{commit}`; expected hashes"
        ));
    }
    Ok(Announced { tag, commit, size })
}

/// The Hub's own tag of a file, or that of the place where it lies.
fn tag(linked: Option<String>, headers: &HeaderMap) -> Option<String> {
    let tag = linked.or_else(|| text(headers, &header::ETAG))?;
    Some(tag.strip_prefix("W/").unwrap_or(&tag).trim_matches('"').to_owned())
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

struct Transfer<'a> {
    client: &'a Client<'a>,
    url: &'a str,
    part: &'a Path,
    announced: &'a Announced,
}

impl Transfer<'_> {
    fn run(&self, progress: &mut Progress<'_>) -> Result<Inspection> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(self.part)
            .map_err(Error::io("open", self.part))?;
        let mut pauses = Pauses::new(self.client.patience);
        // A server that has us begin anew each time brings the same bytes again: that is not progress.
        let mut furthest = self.length(&file)?;
        let mut begun_anew = false;
        loop {
            let before = self.length(&file)?;
            let complete = before == self.announced.size && before > 0;
            if !complete && let Err(failure) = self.attempt(&mut file, progress) {
                let reached = self.length(&file)?;
                let rest = pauses.rest(failure, reached >= furthest.saturating_add(SOMEWHERE));
                rest.map_err(|error| if reached == 0 { self.remove(error) } else { error })?;
                furthest = furthest.max(reached);
                continue;
            }
            match whole(self.part, self.url, &self.announced.tag) {
                Ok(found) => return Ok(found),
                // What an earlier attempt left may have been of another file, or damaged since.
                Err(Error::Transfer { .. }) if before > 0 && !begun_anew => {
                    begun_anew = true;
                    self.cut(&file)?;
                }
                Err(error) => return Err(self.remove(error)),
            }
        }
    }

    /// One request, written behind what is there. Fails unless the file is then complete.
    fn attempt(&self, file: &mut File, progress: &mut Progress<'_>) -> Result<(), Failure> {
        let broken = |error| Failure::of_transport(self.url, &error, self.client.patience);
        let refused = |error| Failure::Final(Error::io("write", self.part)(error));
        let size = self.announced.size;
        let mut done = self.length(file).map_err(Failure::Final)?;
        if done > size {
            self.cut(file).map_err(Failure::Final)?;
            done = 0;
        }
        let mut linked = None;
        let answer = self.client.ask(&Method::GET, self.url, done, &mut |_, headers| {
            let name = HeaderName::from_static("x-linked-etag");
            linked = linked.take().or_else(|| text(headers, &name));
            false
        })?;
        let status = answer.status();
        if status.is_success()
            && tag(linked, answer.headers()).is_some_and(|tag| self.is_another(&tag))
        {
            self.cut(file).map_err(Failure::Final)?;
            let problem = "the file changed while it was fetched; try again".to_owned();
            return Err(Failure::Final(Error::Hub { url: self.url.to_owned(), problem }));
        }
        let goes_on =
            status == StatusCode::PARTIAL_CONTENT && begins(answer.headers()) == Some(done);
        let refuses_the_range = status == StatusCode::RANGE_NOT_SATISFIABLE;
        if done > 0 && !goes_on && (status.is_success() || refuses_the_range) {
            // The range was ignored or is not to be had: all of it again. A server that is out of order, or
            // busy, says nothing of what is here.
            self.cut(file).map_err(Failure::Final)?;
            done = 0;
        }
        match status {
            StatusCode::OK => {}
            StatusCode::PARTIAL_CONTENT if goes_on => {}
            StatusCode::PARTIAL_CONTENT => {
                let problem = "the server sent another range than was asked for".to_owned();
                return Err(Failure::passing(Error::Hub { url: self.url.to_owned(), problem }));
            }
            _ => return Err(Failure::of_status(self.url, status, answer.headers())),
        }
        let packing = text(answer.headers(), &header::CONTENT_ENCODING);
        file.seek(SeekFrom::Start(done)).map_err(refused)?;
        let mut body = answer.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        while done <= size {
            let read = body.read(&mut buffer).map_err(|error| broken(error.into()))?;
            if read == 0 {
                break;
            }
            file.write_all(&buffer[..read]).map_err(refused)?;
            done += read as u64;
            progress(done.min(size), Some(size));
        }
        if done == size {
            return file
                .sync_all()
                .map_err(|error| Failure::Final(Error::io("sync", self.part)(error)));
        }
        if let Some(packing) = packing {
            // Told where it does harm alone: some servers say so of a file that is an archive by itself.
            let problem = format!(
                "the server packed the bytes (Content-Encoding: {packing}), which it was asked not to; is there a \
                 proxy on the way?"
            );
            let error = Error::Hub { url: self.url.to_owned(), problem };
            return Err(Failure::Final(self.remove(error)));
        }
        self.wrong_length(file, done)
    }

    /// Whether a tag is that of other bytes than those announced. Where large files lie, they may have tags of
    /// another kind.
    fn is_another(&self, tag: &str) -> bool {
        let announced = &self.announced.tag;
        tag != announced && (is_sha256(tag) || !is_sha256(announced))
    }

    /// A page or a pointer in place of the file has its own length, and no other attempt helps.
    fn wrong_length(&self, file: &mut File, found: u64) -> Result<(), Failure> {
        let mut start = vec![0; 512];
        let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read(&mut start));
        let read = read.map_err(|error| Failure::Final(Error::io("read", self.part)(error)))?;
        if let Some(impostor) = unmask(&start[..read]) {
            return Err(Failure::Final(self.remove(instead(self.url, impostor))));
        }
        if found > self.announced.size {
            self.cut(file).map_err(Failure::Final)?;
        }
        Err(Failure::passing(Error::Hub {
            url: self.url.to_owned(),
            problem: format!(
                "the server announced {} bytes and sent {}; try again later",
                self.announced.size,
                if found > self.announced.size { "more".to_owned() } else { found.to_string() },
            ),
        }))
    }

    fn length(&self, file: &File) -> Result<u64> {
        Ok(file.metadata().map_err(Error::io("read", self.part))?.len())
    }

    fn cut(&self, file: &File) -> Result<()> {
        file.set_len(0).map_err(Error::io("cut", self.part))
    }

    /// What is not the file must not be gone on with.
    fn remove(&self, error: Error) -> Error {
        match fs::remove_file(self.part) {
            Ok(()) => error,
            Err(source) => Error::io("remove", self.part)(source),
        }
    }
}

/// The first byte of a partial answer: `bytes 300-799/800`.
fn begins(headers: &HeaderMap) -> Option<u64> {
    let range = text(headers, &header::CONTENT_RANGE)?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}
