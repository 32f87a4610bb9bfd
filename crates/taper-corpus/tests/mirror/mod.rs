//! A Hub mirror in this process, with the faults that mirrors and networks have.
//!
//! Speaks what Hub clients ask for: `HEAD` and `GET` of
//! `/datasets/{owner}/{name}/resolve/{rev}/{path}` (models without the first part) with `ETag`,
//! `X-Repo-Commit`, `Content-Length` and byte ranges, and
//! `GET /api/{datasets|models}/{id}/revision/{rev}` -> `{"sha": …, "siblings": [{"rfilename": …}]}`.
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
}

struct Held {
    bytes: Vec<u8>,
    tag: String,
    fault: Fault,
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
        let held = Held { bytes: bytes.to_vec(), tag: tag.to_owned(), fault };
        self.state.lock().unwrap().files.insert(format!("/{path}"), held);
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
        let mut answer = decide(&request, &mut state.files);
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

fn decide(request: &Request, files: &mut HashMap<String, Held>) -> Answer {
    const PAGE: &[u8] = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>\n";
    const STUB: &[u8] =
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";

    if request.path.starts_with("/api/") {
        return Answer::new(
            "200 OK",
            format!(r#"{{"sha": "{COMMIT}", "siblings": []}}"#).into_bytes(),
        );
    }
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
    answer.headers.push(("X-Repo-Commit", COMMIT.to_owned()));
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
        _ => {}
    }
    answer
}
