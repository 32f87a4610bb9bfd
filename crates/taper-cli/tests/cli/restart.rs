//! `taper serve` on a socket that outlives it: restarted under load it loses nothing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{scope, sleep, spawn};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::serve::{Served, started};
use crate::taper::{json, stderr, train};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

const TEXT: &str = "a lovely film";

/// `taper serve` with `input` as descriptor 3, as systemd passes sockets.
fn command_with(input: impl Into<Stdio>, run: &str) -> Command {
    let mut command = Command::new("sh");
    let script = "export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" \"$@\" 3<&0 </dev/null";
    command.args(["-c", script, env!("CARGO_BIN_EXE_taper"), "serve", run]).stdin(input);
    command
}

fn serve_on(socket: &TcpListener, run: &str) -> Served {
    let descriptor = OwnedFd::from(socket.try_clone().unwrap());
    let served = started(command_with(descriptor, run));
    assert_eq!(served.address, socket.local_addr().unwrap().to_string());
    served
}

/// A client that asks on one connection for as long as the server keeps it, or on a new one each time. Gives labels.
fn client(address: SocketAddr, keeps: bool) -> impl FnMut() -> String {
    let body = format!("{{\"text\": \"{TEXT}\"}}");
    let close = if keeps { "" } else { "connection: close\r\n" };
    let head = "POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json";
    let question = format!("{head}\r\n{close}content-length: {}\r\n\r\n{body}", body.len());
    let mut connection: Option<BufReader<TcpStream>> = None;
    move || {
        let mut stream = connection.take().unwrap_or_else(|| {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            BufReader::new(stream)
        });
        stream.get_mut().write_all(question.as_bytes()).unwrap();
        let (mut head, mut line) = (String::new(), String::new());
        while line != "\r\n" {
            line.clear();
            assert!(stream.read_line(&mut line).unwrap() > 0, "cut off after {head:?}");
            head += &line.to_lowercase();
        }
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        connection = (!head.contains("connection: close")).then_some(stream);
        let body: Value = serde_json::from_slice(&body).unwrap();
        body["predictions"][0]["label"].as_str().unwrap().to_owned()
    }
}

#[test]
fn restarted_under_load_it_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("film");
    train(&out, &[]);
    let run = out.to_str().unwrap();
    let expected = json(&["predict", run, TEXT, "--json"])[0]["label"].as_str().unwrap().to_owned();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let (done, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    let ask = |keeps| {
        let mut ask = client(address, keeps);
        while !done.load(Ordering::Relaxed) {
            assert_eq!(ask(), expected);
            answers.fetch_add(1, Ordering::Relaxed);
        }
    };
    scope(|scope| {
        let clients: Vec<_> = (0..6).map(|at| scope.spawn(move || ask(at % 2 == 0))).collect();
        let more = |count| {
            let (until, start) = (answers.load(Ordering::Relaxed) + count, Instant::now());
            while answers.load(Ordering::Relaxed) < until {
                let alive = clients.iter().all(|client| !client.is_finished());
                if !alive || start.elapsed() > PATIENCE {
                    done.store(true, Ordering::Relaxed);
                    panic!("a request was lost");
                }
                sleep(Duration::from_millis(1));
            }
        };
        let mut served = serve_on(&socket, run);
        for turn in 0..6 {
            more(100);
            // By turns, the next is there before this one goes, or comes afterwards.
            let next = (turn % 2 == 0).then(|| serve_on(&socket, run));
            served.signal("TERM");
            let (code, log) = served.end();
            assert_eq!(code, Some(0), "{log}");
            assert!(!log.contains("did not end"), "{log}");
            served = next.unwrap_or_else(|| serve_on(&socket, run));
        }
        more(100);
        done.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap();
        }
    });
}

#[test]
fn what_is_passed_must_be_one_socket() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().to_str().unwrap();
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    let output = command_with(OwnedFd::from(file), run).output().unwrap();
    assert!(!output.status.success() && stderr(&output).contains("LISTEN_FDS"), "{output:?}");
    // Passed to somebody else: not looked at.
    let mut other = crate::taper::taper();
    other.args(["serve", run, "--port", "0"]).env("LISTEN_FDS", "7").env("LISTEN_PID", "1");
    let message = stderr(&other.output().unwrap());
    assert!(message.contains("config.json"), "{message}");
    other.env("LISTEN_PID", "");
    let message = stderr(&other.output().unwrap());
    assert!(message.contains("passes 7 sockets"), "{message}");
}

#[test]
fn it_ends_while_a_model_is_still_being_loaded_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("film");
    train(&out, &[]);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut served = serve_on(&socket, out.to_str().unwrap());
    // A configuration that never comes: a pipe that is opened and not written to.
    let config = out.join("config.json");
    std::fs::remove_file(&config).unwrap();
    assert!(Command::new("mkfifo").arg(&config).status().unwrap().success());
    served.signal("HUP");
    // Opens when the other side does.
    let pipe = spawn(move || std::fs::File::options().write(true).open(config).unwrap());
    let start = Instant::now();
    while !pipe.is_finished() {
        assert!(start.elapsed() < PATIENCE, "never loaded again");
        sleep(Duration::from_millis(5));
    }
    let _pipe = pipe.join().unwrap();
    served.signal("TERM");
    let (code, log) = served.end();
    assert!(code == Some(0) && !log.contains("reloaded"), "{log}");
}
