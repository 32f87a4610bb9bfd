//! `taper serve`, from outside: an address, answers, signals, a log without texts, refusals.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::taper::{failure, run, taper, train};

/// A server, killed if a test fails.
pub(crate) struct Served {
    child: Child,
    pub(crate) address: String,
    log: Option<JoinHandle<String>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(arguments: &[&str]) -> Served {
    let mut command = taper();
    command.args(["serve", "--port", "0"]).args(arguments).stdin(Stdio::null());
    started(command)
}

/// A server that has said where it listens.
pub(crate) fn started(mut command: Command) -> Served {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let log = spawn(move || {
        let mut log = String::new();
        stderr.read_to_string(&mut log).unwrap();
        log
    });
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("http://").unwrap_or_default().to_owned();
    Served { child, address, log: Some(log) }
}

impl Served {
    /// The status and the body.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let length = body.len();
        let kind = "content-type: application/json";
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: x\r\n{kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// The exit code and the log.
    pub(crate) fn end(&mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        (code, self.log.take().unwrap().join().unwrap())
    }
}

fn edit(run: &Path, from: &str, to: &str) {
    let path = run.join("config.json");
    let config = std::fs::read_to_string(&path).unwrap();
    assert!(config.contains(from), "{config}");
    std::fs::write(path, config.replace(from, to)).unwrap();
}

#[test]
#[cfg(unix)]
fn answers_until_it_is_told_to_end_and_reloads_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("film");
    train(&out, &[]);
    let run = out.to_str().unwrap();
    let other = format!("other={run}");
    let mut served = serve(&[run, &other, "--log-json", "--max-text-bytes", "1000"]);
    assert!(served.address.starts_with("127.0.0.1:"), "{}", served.address);

    let (status, body) = served.ask("POST", "/v1/predict", "{\"text\": \"a zebrafish film\"}");
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["model"], &body["predictions"][0]["tokens"]), (&"film".into(), &3.into()));
    let said = crate::taper::json(&["predict", run, "a zebrafish film", "--json"]);
    assert_eq!(body["predictions"][0]["label"], said[0]["label"]);
    let long = format!("{{\"text\": \"{}\", \"model\": \"other\"}}", "zebrafish ".repeat(101));
    assert_eq!(served.ask("POST", "/v1/predict", &long).0, 413);
    assert_eq!(served.ask("GET", "/zebrafish", "").0, 404);

    edit(&out, "\"max_length\": 24", "\"max_length\": 23");
    served.signal("HUP");
    let start = Instant::now();
    while !served.ask("GET", "/v1/models", "").1.contains("\"max_length\":23") {
        assert!(start.elapsed() < Duration::from_secs(30), "never loaded again");
        std::thread::sleep(Duration::from_millis(10));
    }
    served.signal("TERM");
    let (code, log) = served.end();
    assert_eq!(code, Some(0), "{log}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let logged = |key: &str, value: Value| lines.iter().any(|line| line[key] == value);
    assert!(logged("route", "/v1/predict".into()) && logged("status", 413.into()), "{log}");
    assert!(logged("message", "reloaded".into()) && logged("message", "ended".into()), "{log}");
    assert!(!log.contains("zebrafish"), "{log}");

    let most = usize::MAX.to_string();
    let mut served = serve(&[run, "--quiet", "--max-connections", &most, "--max-requests", &most]);
    assert_eq!(served.ask("GET", "/healthz", "").0, 200);
    served.signal("INT");
    assert_eq!(served.end(), (Some(0), String::new()));

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let message = failure(&["serve", run, "--port", &port]);
    assert!(message.contains(&format!("127.0.0.1:{port}")), "{message}");
    assert!(message.contains("choose another port"), "{message}");
    edit(&out, "\"format\": 1", "\"format\": 7");
    assert!(failure(&["serve", run, "--port", "0"]).contains("model `film`"));
}

#[test]
fn slow_heads_and_bodies_have_the_time_they_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("film");
    train(&out, &[]);
    let served = serve(&[out.to_str().unwrap(), "--head-timeout", "1", "--body-timeout", "2"]);
    let start = Instant::now();
    let unfinished = |request: &str| {
        let mut stream = TcpStream::connect(&served.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    let mut slow_head = unfinished("POST /v1/predict HT");
    let head = "POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let mut slow_body = unfinished(&format!("{head}content-length: 13\r\n\r\n{{"));
    let mut reply = String::new();
    slow_head.read_to_string(&mut reply).unwrap();
    assert_eq!(reply, "");
    slow_body.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 408 ") && reply.contains("within 2s"), "{reply}");
    // Neither its default of 10 s nor that of 20 s.
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

#[test]
fn what_cannot_be_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let message = failure(&["serve", &format!("x={path}"), "--port", "0"]);
    assert!(message.contains("model `x`") && message.contains("config.json"), "{message}");
    assert!(failure(&["serve", "x=a", "x=b", "--port", "0"]).contains("two models are called `x`"));
    for wrong in [vec!["serve"], vec!["serve", "x="], vec!["serve", "x=a", "--timeout", "0"]] {
        assert_eq!(run(&wrong).status.code(), Some(2), "{wrong:?}");
    }
    for limit in ["--head-timeout", "--body-timeout"] {
        assert_eq!(run(&["serve", "x=a", limit, "0"]).status.code(), Some(2), "{limit}");
    }
}
