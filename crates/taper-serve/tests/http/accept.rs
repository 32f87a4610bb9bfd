//! A server that may open no more files: whoever comes waits until it may.

use std::fs::File;
use std::io::{self, Write};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use taper_serve::Limits;

use crate::served::{Served, read, request};

/// Set in the process that may open few files.
const FEW_FILES: &str = "TAPER_TEST_FEW_FILES";

/// How often it could not accept, as the log says: a write a line.
static WARNINGS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

impl Write for Counting {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if String::from_utf8_lossy(line).contains("cannot accept a connection") {
            WARNINGS.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs itself again in a process of its own, whose limit hurts no other test.
#[test]
fn out_of_files_it_waits_and_goes_on() {
    if std::env::var_os(FEW_FILES).is_some() {
        return with_few_files();
    }
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 128 && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "accept::out_of_files_it_waits_and_goes_on", "--nocapture"])
        .env(FEW_FILES, "")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{told}{errors}");
}

fn with_few_files() {
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN);
    log.with_writer(|| Counting).init();
    // An idle connection is kept for longer than all this takes: none ends and gives files back meanwhile.
    let served = Served::new(Limits {
        head_time: Duration::from_mins(1),
        parting_time: Duration::ZERO,
        ..Limits::default()
    });
    assert_eq!(served.get("/healthz").status, 200);
    let mut files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!((10..128).contains(&files.len()), "{} files", files.len());
    // One for the client; the server's end of it is one too many.
    files.pop();
    let mut client = served.connect();
    client.write_all(&request("/v1/predict", b"{\"text\": \"a\"}")).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    // It has tried, and not without pause.
    let tries = WARNINGS.load(Ordering::Relaxed);
    assert!((1..=20).contains(&tries), "{tries} tries");
    // Who has a connection is answered all the while.
    assert_eq!(served.get("/healthz").status, 200);
    drop(files);
    assert_eq!(read(&mut client).status, 200);
    assert_eq!(
        served.raw(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").status,
        200
    );
}
