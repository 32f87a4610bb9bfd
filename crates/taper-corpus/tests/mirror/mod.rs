//! A Hub mirror in this process, with the faults that mirrors and networks have.
//!
//! Speaks what Hub clients ask for: `HEAD` and `GET` of
//! `/datasets/{owner}/{name}/resolve/{rev}/{path}` (models without the first part) with `ETag`,
//! `X-Repo-Commit`, `Content-Length` and byte ranges, and
//! `GET /api/{datasets|models}/{id}/revision/{rev}` -> `{"sha": …, "siblings": [{"rfilename": …}]}`, and
//! `GET /api/datasets/{id}/tree/{sha}?recursive=true` -> `[{"type", "path", "size", "lfs": {"oid"}}]`, in pages.
//! On plain sockets rather than an HTTP crate: those keep a promised `Content-Length`, and a cut
//! connection is one that does not.

#![allow(dead_code)] // Each test program uses a part of it.

pub(crate) mod fixture;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};

/// What goes wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The right length and tag, other bytes.
    WrongBytes,
    /// Hangs up after this many bytes of each body, this many times.
    Cut {
        after: usize,
        times: usize,
    },
    /// Hangs up after the same number of bytes without having told the length.
    CutSilently {
        after: usize,
        times: usize,
    },
    /// A log-in page with status 200, without a Hub's headers.
    Page,
    /// A log-in page with all of a Hub's headers.
    DressedPage,
    /// A git-lfs pointer in place of the file.
    LfsStub,
    /// The page or the pointer in place of the file's bytes; `HEAD` describes the file itself.
    PageInPlace,
    StubInPlace,
    /// Answers a resume with the whole file.
    IgnoresResume,
    /// A tag that leads out of the cache.
    ClimbingTag,
    /// This status, this many times; `Retry-After` where it is not empty.
    Refuses {
        status: &'static str,
        retry_after: &'static str,
        times: usize,
    },
    /// Nothing but silence after this many bytes of each body, this many times.
    Silent {
        after: usize,
        times: usize,
    },
    /// Half a second in all between the first byte and the last.
    Slow,
    /// A `Content-Length` that is too small, and as many bytes, this many times.
    TellsLess {
        by: usize,
        times: usize,
    },
    /// An answer to a range that begins elsewhere.
    WrongRange,
    /// 503 to what asks for the bytes, this many times; `HEAD` is answered.
    BusyBodies {
        times: usize,
    },
    /// Not even a status, this many times.
    Mute {
        times: usize,
    },
    /// Fewer bytes than `HEAD` told, packed though nobody asked for that.
    Packed,
    /// Hangs up after this many bytes of the first body; from then on other bytes under the tag `changed`.
    Changes {
        after: usize,
    },
}

struct Held {
    bytes: Vec<u8>,
    tag: String,
    commit: String,
    fault: Fault,
}

/// A data set at a revision, as the API tells it.
#[derive(Clone)]
struct Published {
    commit: String,
    /// Path, length, sha256.
    files: Vec<(String, usize, String)>,
}

/// How the API answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// As the Hub does.
    Whole,
    /// Two files a page.
    Pages,
    /// The second page leads to itself.
    EndlessPages,
    /// There is no tree.
    NoTree,
    /// A log-in page with status 200.
    Page,
    /// 503 this many times.
    Busy(usize),
    /// Half of each answer and no word on its length, this many times.
    Halves(usize),
    /// A tree of a million files and one, on one page.
    Flood,
    /// The commit leads out of the cache.
    ClimbingCommit,
    /// A hash of another file.
    WrongHash,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
}

#[derive(Default)]
struct State {
    files: HashMap<String, Held>,
    redirects: HashMap<String, String>,
    published: HashMap<(String, String), Published>,
    /// What is answered to those with this token alone.
    private: HashMap<String, String>,
    api: Option<Api>,
    log: Vec<Request>,
}

/// A running mirror; it stops with the process.
pub(crate) struct Mirror {
    pub(crate) endpoint: String,
    state: Arc<Mutex<State>>,
}

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

impl Mirror {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                // A client that hangs up early is no concern of the mirror's.
                thread::spawn(move || drop(answer(stream, &state)));
            }
        });
        Self { endpoint, state }
    }

    /// Holds `bytes` at `/{path}`, tagged by their sha256 as the Hub tags large files.
    pub(crate) fn hold(&self, path: &str, bytes: &[u8], fault: Fault) {
        let tag = sha256(bytes);
        self.hold_tagged(path, bytes, &tag, fault);
    }

    pub(crate) fn hold_tagged(&self, path: &str, bytes: &[u8], tag: &str, fault: Fault) {
        let (tag, commit) = (tag.to_owned(), COMMIT.to_owned());
        let held = Held { bytes: bytes.to_vec(), tag, commit, fault };
        self.state.lock().unwrap().files.insert(format!("/{path}"), held);
    }

    /// Holds a data set's files at a revision and its commit.
    pub(crate) fn publish(&self, id: &str, revision: &str, commit: &str, files: &[(&str, &[u8])]) {
        let listed = |(path, bytes): &(&str, &[u8])| {
            self.hold(&format!("datasets/{id}/resolve/{commit}/{path}"), bytes, Fault::None);
            ((*path).to_owned(), bytes.len(), sha256(bytes))
        };
        let files = files.iter().map(listed).collect();
        let published = Published { commit: commit.to_owned(), files };
        let mut state = self.state.lock().unwrap();
        for held in state.files.iter_mut().filter(|held| held.0.contains(commit)) {
            commit.clone_into(&mut held.1.commit);
        }
        for revision in [revision, commit] {
            state.published.insert((id.to_owned(), revision.to_owned()), published.clone());
        }
    }

    /// Answers for a data set only those who bring this token.
    pub(crate) fn make_private(&self, id: &str, token: &str) {
        self.state.lock().unwrap().private.insert(id.to_owned(), token.to_owned());
    }

    pub(crate) fn answer_api(&self, api: Api) {
        self.state.lock().unwrap().api = Some(api);
    }

    /// Sends those who ask for `/{path}` elsewhere, with a Hub's description of the file.
    pub(crate) fn redirect(&self, path: &str, location: &str) {
        let mut state = self.state.lock().unwrap();
        state.redirects.insert(format!("/{path}"), location.to_owned());
    }

    /// All requests so far.
    pub(crate) fn log(&self) -> Vec<Request> {
        self.state.lock().unwrap().log.clone()
    }

    /// The first bytes that bodies were asked from.
    pub(crate) fn starts(&self) -> Vec<usize> {
        let log = self.log();
        let bodies = log.iter().filter(|request| request.method == "GET");
        bodies
            .map(|request| {
                let range = request.headers.get("range").map_or("bytes=0-", String::as_str);
                range.strip_prefix("bytes=").unwrap().split('-').next().unwrap().parse().unwrap()
            })
            .collect()
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Some(Request { method, path, headers })
}

struct Answer {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// How much of the body is sent before the line goes dead.
    send: usize,
    length_told: bool,
    after: After,
    /// Silence in place of all of it.
    mute: bool,
}

/// What follows on the part of the body that is sent.
#[derive(PartialEq)]
enum After {
    TheEnd,
    Silence,
    Slowness,
}

impl Answer {
    fn new(status: &'static str, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            send: body.len(),
            body,
            length_told: true,
            after: After::TheEnd,
            mute: false,
        }
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let Some(request) = read_request(&stream) else {
        return Ok(());
    };
    let answer = {
        let mut state = state.lock().unwrap();
        state.log.push(request.clone());
        let elsewhere = state.redirects.get(&request.path).cloned();
        let mut answer = if state.keeps_out(&request) {
            Answer::new("401 Unauthorized", b"Invalid username or password.".to_vec())
        } else if let Some(path) = request.path.strip_prefix("/api/datasets/") {
            let mut answer = state.tell(path);
            if let Some(Api::Halves(times)) = &mut state.api
                && *times > 0
            {
                *times -= 1;
                answer.send /= 2;
                answer.length_told = false;
            }
            answer
        } else {
            decide(&request, &mut state.files)
        };
        if let Some(elsewhere) = elsewhere {
            answer.status = "302 Found";
            let tag = answer.headers.iter_mut().find(|header| header.0 == "ETag");
            tag.unwrap().0 = "X-Linked-ETag";
            answer.headers.push(("X-Linked-Size", answer.body.len().to_string()));
            answer.headers.push(("Location", elsewhere));
            (answer.body, answer.send) = (Vec::new(), 0);
        }
        answer
    };
    if answer.mute {
        thread::sleep(Duration::from_secs(5));
        return Ok(());
    }
    let mut head = Vec::new();
    write!(head, "HTTP/1.1 {}\r\nConnection: close\r\n", answer.status)?;
    for (name, value) in &answer.headers {
        write!(head, "{name}: {value}\r\n")?;
    }
    if answer.length_told {
        write!(head, "Content-Length: {}\r\n", answer.body.len())?;
    }
    stream.write_all(&head)?;
    stream.write_all(b"\r\n")?;
    if request.method != "HEAD" {
        let pieces = if answer.after == After::Slowness { 10 } else { 1 };
        for piece in answer.body[..answer.send].chunks(answer.send.div_ceil(pieces).max(1)) {
            stream.write_all(piece)?;
            if pieces > 1 {
                thread::sleep(Duration::from_millis(50));
            }
        }
    }
    stream.flush()?;
    if answer.after == After::Silence {
        thread::sleep(Duration::from_secs(5));
    }
    Ok(())
}

impl State {
    fn keeps_out(&self, request: &Request) -> bool {
        let token = request.headers.get("authorization");
        self.private.iter().any(|(id, wanted)| {
            request.path.contains(id.as_str()) && token != Some(&format!("Bearer {wanted}"))
        })
    }

    /// The API's answer to `OWNER/NAME/revision/REVISION` and `OWNER/NAME/tree/COMMIT?…`.
    fn tell(&mut self, path: &str) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut parts = path.splitn(4, '/');
        let mut part = || parts.next().unwrap_or_default();
        let (id, what) = (format!("{}/{}", part(), part()), part());
        let revision = part().replace("%2F", "/");
        match &mut self.api {
            Some(Api::Page) => {
                return Answer::new(
                    "200 OK",
                    b"<!DOCTYPE html><html>Please log in</html>".to_vec(),
                );
            }
            Some(Api::Busy(times)) if *times > 0 => {
                *times -= 1;
                return Answer::new("503 Service Unavailable", b"busy".to_vec());
            }
            Some(Api::NoTree) if what == "tree" => {
                return Answer::new("404 Not Found", b"no such route".to_vec());
            }
            _ => {}
        }
        let Some(published) = self.published.get(&(id, revision)) else {
            return Answer::new("404 Not Found", b"no such data set".to_vec());
        };
        if what == "revision" {
            let sha =
                if self.api == Some(Api::ClimbingCommit) { "../.." } else { &published.commit };
            let named =
                |file: &(String, usize, String)| format!(r#"{{"rfilename": "{}"}}"#, file.0);
            let siblings: Vec<String> = published.files.iter().map(named).collect();
            let json = format!(r#"{{"sha": "{sha}", "siblings": [{}]}}"#, siblings.join(", "));
            return Answer::new("200 OK", json.into_bytes());
        }
        if self.api == Some(Api::Flood) {
            let entries = vec![r#"{"type": "file", "path": "a"}"#; 1_000_001];
            return Answer::new("200 OK", format!("[{}]", entries.join(",")).into_bytes());
        }
        let page = match self.api {
            Some(Api::Pages | Api::EndlessPages) => 2,
            _ => 1000,
        };
        let start: usize =
            query.split_once("cursor=").map_or(0, |(_, cursor)| cursor.parse().unwrap());
        let entry = |(path, size, hash): &(String, usize, String)| {
            let hash =
                if self.api == Some(Api::WrongHash) { "ab".repeat(32) } else { hash.clone() };
            format!(
                r#"{{"type": "file", "oid": "1", "path": "{path}", "size": {size}, "lfs": {{"oid": "{hash}", "size": {size}}}}}"#
            )
        };
        let mut entries = vec![r#"{"type": "directory", "oid": "0", "path": "d"}"#.to_owned()];
        entries.extend(published.files.iter().skip(start).take(page).map(entry));
        let mut answer = Answer::new("200 OK", format!("[{}]", entries.join(", ")).into_bytes());
        let next = if self.api == Some(Api::EndlessPages) { page } else { start + page };
        if next < published.files.len() {
            // As a mirror that passes on the Hub's own addresses.
            let url =
                format!("https://hub.invalid/api/datasets/{path}?recursive=true&cursor={next}");
            answer.headers.push(("Link", format!("<{url}>; rel=\"next\"")));
        }
        answer
    }
}

fn decide(request: &Request, files: &mut HashMap<String, Held>) -> Answer {
    const PAGE: &[u8] = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>\n";
    const STUB: &[u8] =
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";

    let Some(held) = files.get_mut(&request.path) else {
        return Answer::new("404 Not Found", b"no such file".to_vec());
    };
    let mut tag = held.tag.clone();
    let mut bytes = held.bytes.clone();
    match &mut held.fault {
        Fault::Refuses { status, retry_after, times } if *times > 0 => {
            *times -= 1;
            let mut answer = Answer::new(status, b"<html>no</html>".to_vec());
            if !retry_after.is_empty() {
                answer.headers.push(("Retry-After", (*retry_after).to_owned()));
            }
            return answer;
        }
        Fault::BusyBodies { times } if *times > 0 && request.method == "GET" => {
            *times -= 1;
            return Answer::new("503 Service Unavailable", b"busy".to_vec());
        }
        Fault::Mute { times } if *times > 0 => {
            *times -= 1;
            return Answer { mute: true, ..Answer::new("200 OK", Vec::new()) };
        }
        Fault::Page => return Answer::new("200 OK", PAGE.to_vec()),
        Fault::DressedPage => (bytes, tag) = (PAGE.to_vec(), "page-1".to_owned()),
        Fault::LfsStub => (bytes, tag) = (STUB.to_vec(), sha256(STUB)),
        Fault::PageInPlace if request.method == "GET" => bytes = PAGE.to_vec(),
        Fault::StubInPlace if request.method == "GET" => bytes = STUB.to_vec(),
        Fault::WrongBytes => bytes[0] ^= 1,
        Fault::ClimbingTag => "../../../../escaped".clone_into(&mut tag),
        _ => {}
    }
    let range = request.headers.get("range").and_then(|range| {
        let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
        let to = to.parse().map_or(bytes.len(), |last: usize| (last + 1).min(bytes.len()));
        Some((from.parse::<usize>().ok()?, to))
    });
    let probe = request.method == "HEAD";
    let mut answer = match range {
        Some((from, _)) if from > 0 && held.fault == Fault::IgnoresResume => {
            Answer::new("200 OK", bytes)
        }
        Some((from, to)) if from < to => {
            let from = if held.fault == Fault::WrongRange { from / 2 } else { from };
            let mut answer = Answer::new("206 Partial Content", bytes[from..to].to_vec());
            let range = format!("bytes {from}-{}/{}", to - 1, bytes.len());
            answer.headers.push(("Content-Range", range));
            answer
        }
        Some(_) => Answer::new("416 Range Not Satisfiable", Vec::new()),
        None => Answer::new("200 OK", bytes),
    };
    answer.headers.push(("ETag", format!("\"{tag}\"")));
    answer.headers.push(("X-Repo-Commit", held.commit.clone()));
    answer.headers.push(("Accept-Ranges", "bytes".to_owned()));
    if probe {
        return answer;
    }
    match &mut held.fault {
        Fault::Cut { times: 0, .. }
        | Fault::CutSilently { times: 0, .. }
        | Fault::Silent { times: 0, .. }
        | Fault::TellsLess { times: 0, .. } => {}
        Fault::Cut { after, times } => {
            *times -= 1;
            answer.send = answer.send.min(*after);
        }
        Fault::CutSilently { after, times } => {
            *times -= 1;
            answer.send = answer.send.min(*after);
            answer.length_told = false;
        }
        Fault::Silent { after, times } => {
            *times -= 1;
            answer.send = answer.send.min(*after);
            answer.after = After::Silence;
        }
        Fault::TellsLess { by, times } => {
            *times -= 1;
            answer.body.truncate(answer.body.len() - *by);
            answer.send = answer.body.len();
        }
        Fault::Slow => answer.after = After::Slowness,
        Fault::Packed => {
            answer.headers.push(("Content-Encoding", "gzip".to_owned()));
            answer.body.truncate(1_000);
            answer.send = answer.body.len();
        }
        &mut Fault::Changes { after } => {
            answer.send = after;
            held.bytes.iter_mut().for_each(|byte| *byte ^= 1);
            (held.tag, held.fault) = ("changed".to_owned(), Fault::None);
        }
        _ => {}
    }
    answer
}
