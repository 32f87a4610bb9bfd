//! A Hub mirror in this process, with the faults that mirrors and networks have.
//!
//! Speaks what Hub clients ask for: `HEAD` and `GET` of
//! `/datasets/{owner}/{name}/resolve/{rev}/{path}` (models without the first part) with `ETag`,
//! `X-Repo-Commit`, `Content-Length` and byte ranges, and
//! `GET /api/{datasets|models}/{id}/revision/{rev}` -> `{"sha": …}`.
//! On plain sockets rather than an HTTP crate: those keep a promised `Content-Length`, and a cut
//! connection is one that does not.

#![allow(dead_code)] // Each test program uses a part of it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

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
    /// Answers a resume with the whole file.
    IgnoresResume,
    /// A tag that leads out of the cache.
    ClimbingTag,
    /// 503 this many times.
    Busy(usize),
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

    /// All requests so far.
    pub(crate) fn log(&self) -> Vec<Request> {
        self.state.lock().unwrap().log.clone()
    }

    /// The first bytes that bodies were asked from, the probes of byte 0 left out.
    pub(crate) fn starts(&self) -> Vec<usize> {
        let log = self.log();
        let ranges = log.iter().filter_map(|request| request.headers.get("range"));
        ranges
            .filter(|range| *range != "bytes=0-0")
            .filter_map(|range| range.strip_prefix("bytes=")?.split('-').next()?.parse().ok())
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
}

impl Answer {
    fn new(status: &'static str, body: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), send: body.len(), body, length_told: true }
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let Some(request) = read_request(&stream) else {
        return Ok(());
    };
    let answer = {
        let mut state = state.lock().unwrap();
        state.log.push(request.clone());
        decide(&request, &mut state.files)
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
        stream.write_all(&answer.body[..answer.send])?;
    }
    stream.flush()
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
        Fault::Busy(times) if *times > 0 => {
            *times -= 1;
            return Answer::new("503 Service Unavailable", Vec::new());
        }
        Fault::Page => return Answer::new("200 OK", PAGE.to_vec()),
        Fault::DressedPage => (bytes, tag) = (PAGE.to_vec(), "page-1".to_owned()),
        Fault::LfsStub => (bytes, tag) = (STUB.to_vec(), sha256(STUB)),
        Fault::WrongBytes => bytes[0] ^= 1,
        Fault::ClimbingTag => "../../../../escaped".clone_into(&mut tag),
        _ => {}
    }
    let range = request.headers.get("range").and_then(|range| {
        let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
        let to = to.parse().map_or(bytes.len(), |last: usize| (last + 1).min(bytes.len()));
        Some((from.parse::<usize>().ok()?, to))
    });
    let probe = request.method == "HEAD" || range == Some((0, 1));
    let mut answer = match range {
        Some((from, _)) if from > 0 && held.fault == Fault::IgnoresResume => {
            Answer::new("200 OK", bytes)
        }
        Some((from, to)) if from < to => {
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
    if let Fault::Cut { after, times } | Fault::CutSilently { after, times } = &mut held.fault
        && !probe
        && *times > 0
    {
        *times -= 1;
        answer.send = answer.send.min(*after);
        answer.length_told = !matches!(held.fault, Fault::CutSilently { .. });
    }
    answer
}
