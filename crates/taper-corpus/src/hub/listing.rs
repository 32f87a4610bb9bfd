//! Which files a repository has at a revision, as the Hub's API lists them, and the commit it stands for.
//!
//! ```text
//! GET /api/datasets/<id>/revision/<revision>            {"sha": <commit>, "siblings": [{"rfilename": <path>}]}
//! GET /api/datasets/<id>/tree/<commit>?recursive=true   [{"type": "file", "path", "size", "lfs": {"oid": <sha256>}}]
//!                                                       and `Link: <…?cursor=…>; rel="next"` while there is more
//! ```
//! A mirror may lack the second: then sizes and hashes are those that come with each file.

use std::io::Read;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::http::{HeaderMap, Method, StatusCode, header};

use crate::error::{Error, Result};
use crate::hub::cache::{Listings, is_plain};
use crate::hub::client::Client;
use crate::hub::config::HubConfig;
use crate::hub::file::{HubRepo, ListedFile, Listing, check_names};
use crate::hub::patience::{Failure, patiently};
use crate::verify::is_sha256;

/// The largest answer that is read, the most of them, and the most files in all.
const ANSWER_BYTES: u64 = 64 << 20;
const MOST_PAGES: usize = 1000;
const MOST_FILES: usize = 1_000_000;

/// The files at a revision; from the cache when offline, or where the revision is a commit that was listed before.
/// `None` where there is no such repository or revision (offline: none in the cache).
///
/// # Errors
/// A server that refuses or does not answer as a Hub does.
pub(crate) fn list(config: &HubConfig, repo: &HubRepo, revision: &str) -> Result<Option<Listing>> {
    config.check()?;
    let url = repo.api(config, "revision", revision);
    check_names(&url, [repo.id(), revision])?;
    let listings = Listings::new(config, repo);
    if let Some(listing) = listings.get(revision) {
        return Ok(Some(listing));
    }
    if config.offline {
        return Ok(known(&listings, revision));
    }
    let client = Client::new(config)?;
    let Some((told, _)) = patiently(client.patience, || ask::<Told>(&client, &url))? else {
        return Ok(None);
    };
    if !is_plain(&told.sha) {
        let problem = format!("the server announced the commit `{}`; expected a hash", told.sha);
        return Err(Error::Hub { url, problem });
    }
    let files = match tree(&client, &repo.api(config, "tree", &told.sha))? {
        Some(files) => files,
        None => told.siblings.into_iter().map(|file| unmeasured(file.rfilename)).collect(),
    };
    let listing = Listing { commit: told.sha, files, cached_alone: false };
    listings.keep(revision, &listing)?;
    Ok(Some(listing))
}

/// Where a listing was looked for.
pub(crate) fn looked_for(config: &HubConfig, repo: &HubRepo, revision: &str) -> std::path::PathBuf {
    Listings::new(config, repo).reference(revision)
}

fn known(listings: &Listings, revision: &str) -> Option<Listing> {
    let commit = listings.commit(revision).unwrap_or_else(|| revision.to_owned());
    listings.get(&commit).or_else(|| {
        let files: Vec<ListedFile> =
            listings.snapshot(&commit).into_iter().map(unmeasured).collect();
        (!files.is_empty()).then_some(Listing { commit, files, cached_alone: true })
    })
}

fn unmeasured(path: String) -> ListedFile {
    ListedFile { path, bytes: None, sha256: None }
}

#[derive(Deserialize)]
struct Told {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    size: Option<u64>,
    lfs: Option<Pointer>,
}

#[derive(Deserialize)]
struct Pointer {
    oid: String,
}

/// All pages of a tree.
fn tree(client: &Client<'_>, url: &str) -> Result<Option<Vec<ListedFile>>> {
    let mut files = Vec::new();
    let mut query = "recursive=true".to_owned();
    for _ in 0..MOST_PAGES {
        let page = format!("{url}?{query}");
        let Some((entries, headers)) =
            patiently(client.patience, || ask::<Vec<Entry>>(client, &page))?
        else {
            return Ok(None);
        };
        let only_files = entries.into_iter().filter(|entry| entry.kind == "file");
        files.extend(only_files.map(|entry| ListedFile {
            path: entry.path,
            bytes: entry.size,
            sha256: entry.lfs.map(|lfs| lfs.oid).filter(|oid| is_sha256(oid)),
        }));
        if files.len() > MOST_FILES {
            break;
        }
        match next_query(&headers) {
            None => return Ok(Some(files)),
            Some(next) if next == query => break,
            Some(next) => query = next,
        }
    }
    let problem = format!("the list of files does not end after {} files", files.len());
    Err(Error::Hub { url: url.to_owned(), problem })
}

/// The query of the next page. The rest of its address is ours: a mirror may pass on that of the Hub.
fn next_query(headers: &HeaderMap) -> Option<String> {
    let links = headers.get(header::LINK)?.to_str().ok()?;
    let next = links.split(',').find(|link| {
        link.split(';').skip(1).any(|part| part.trim().replace('"', "") == "rel=next")
    })?;
    let address = next.split(';').next()?.trim().strip_prefix('<')?.strip_suffix('>')?;
    Some(address.split_once('?')?.1.to_owned())
}

/// An answer in JSON with its headers; `None` where there is no such thing.
fn ask<T: DeserializeOwned>(
    client: &Client<'_>,
    url: &str,
) -> Result<Option<(T, HeaderMap)>, Failure> {
    let answer = client.ask(&Method::GET, url, 0, &mut |_, _| false)?;
    let told = |problem: String| Error::Hub { url: url.to_owned(), problem };
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(None),
        // The Hub does not tell strangers which private repositories there are.
        StatusCode::UNAUTHORIZED => {
            return Err(Failure::Final(told(
                "the server refused (401): there is no such repository, or it is private; check the name, and \
                 give a token that has access"
                    .to_owned(),
            )));
        }
        StatusCode::FORBIDDEN => {
            return Err(Failure::Final(told(
                "the server refused (403): ask for access on the repository's page, and give a token that has it"
                    .to_owned(),
            )));
        }
        status => return Err(Failure::of_status(url, status, answer.headers())),
    }
    let (head, body) = answer.into_parts();
    let mut bytes = Vec::new();
    let read = body.into_reader().take(ANSWER_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::of_transport(url, &error.into(), client.patience))?;
    if bytes.len() as u64 > ANSWER_BYTES {
        let problem = format!("the answer has more than {ANSWER_BYTES} bytes");
        return Err(Failure::Final(told(problem)));
    }
    let value = serde_json::from_slice(&bytes).map_err(|error| {
        let told = told(format!(
            "the server does not answer as a Hub does ({error}); is the endpoint right, or is this a log-in or \
             error page?"
        ));
        // Where no length was told, a cut connection looks like the end.
        if error.is_eof() { Failure::passing(told) } else { Failure::Final(told) }
    })?;
    Ok(Some((value, head.headers)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_next_page_is_the_link_that_says_so() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::LINK, text.parse().unwrap());
            next_query(&headers)
        };
        let link = "<https://hub.example/api/tree/main?recursive=true&cursor=a%3D>; rel=\"next\"";
        assert_eq!(of(link).unwrap(), "recursive=true&cursor=a%3D");
        assert_eq!(of(&format!("<https://x/?a>; rel=\"prev\", {link}")), of(link));
        for none in ["<https://x/?a>; rel=\"prev\"", "nonsense", "<https://x/a>; rel=next"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
