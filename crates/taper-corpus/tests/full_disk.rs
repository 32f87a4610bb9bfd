//! A disk that fills up: the error names the shard, the earlier corpus stands, nothing else does; of a file from the Hub
//! what arrived is kept.
//!
//! The test runs itself a second time, as a child that meets a limit: a tiny file system of its own
//! where the system lets an ordinary user mount one, and a limit on the length of files.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

mod mirror;

use mirror::fixture::{PATH, config, file, files_below, get};
use mirror::{Fault, Mirror};
use taper_corpus::{CorpusWriter, Error, Record, Result, SplitSummary, records};

const REFUSED: &str = "refused as it should be";

fn write(dir: &Path, rows: u32) -> Result<Vec<SplitSummary>> {
    let names = ["neg".to_owned(), "pos".to_owned()];
    let mut writer = CorpusWriter::create(dir, &names, &BTreeMap::new())?;
    for row in 0..rows {
        // Text that does not compress, so that the disk fills.
        let mut noise = [0; 2_000];
        blake3::Hasher::new().update(&row.to_le_bytes()).finalize_xof().fill(&mut noise);
        let text = noise.map(|byte| char::from(b' ' + byte % 95)).iter().collect();
        let record =
            Record { id: format!("{row}"), text, label: Some(row % 2), ..Record::default() };
        for split in ["test", "train"] {
            writer.write(split, record.clone())?;
        }
    }
    writer.finish()
}

/// Not a test by itself: the child's part. The folder comes through the environment.
#[test]
#[ignore = "run by the tests of this file, under a limit"]
fn child() {
    let Some(dir) = std::env::var_os("TAPER_TEST_DIR") else { return };
    let dir = Path::new(&dir).join("corpus");
    write(&dir, 20).unwrap();
    let names = || {
        let mut names: Vec<_> =
            fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let message = write(&dir, 2_000).unwrap_err().to_string();
    let full = message.contains("No space left") || message.contains("File too large");
    assert!(full, "{message}");
    assert!(message.contains("-00000-of-?????.parquet"), "{message}");
    assert_eq!(names(), before, "nothing half-written is left");
    for split in ["train", "test"] {
        let rows: Result<Vec<Record>> = records(&dir, split).unwrap().collect();
        assert_eq!(rows.unwrap().len(), 20);
    }
    println!("{REFUSED}: {message}");
}

/// The same for a file that comes from the Hub.
#[test]
#[ignore = "run by the tests of this file, under a limit"]
fn child_that_fetches() {
    let Some(dir) = std::env::var_os("TAPER_TEST_DIR") else { return };
    let cache = Path::new(&dir).join("cache");
    let mirror = Mirror::start();
    mirror.hold(PATH, &vec![7; 2 << 20], Fault::None);
    let error = get(&config(&mirror, &cache), &file()).unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, Error::Io { doing: "write", .. }), "{message}");
    let full = message.contains("No space left") || message.contains("File too large");
    assert!(full && message.contains(".part"), "{message}");
    assert_eq!(mirror.starts(), [0], "no other attempt helps");
    let left = files_below(&cache);
    assert!(matches!(&left[..], [part] if part.extension().unwrap() == "part"), "{left:?}");
    // With room again it goes on from there.
    let arrived = fs::metadata(&left[0]).unwrap().len();
    fs::OpenOptions::new().write(true).open(&left[0]).unwrap().set_len(1_000).unwrap();
    assert!(arrived > 100_000, "{arrived}");
    get(&config(&mirror, &cache), &file()).unwrap_err();
    assert_eq!(mirror.starts(), [0, 1_000]);
    println!("{REFUSED}: {message}");
}

fn run_child(dir: &Path, limit: &str, child: &str) -> Output {
    let program = std::env::current_exe().unwrap();
    let script = format!("{limit} && exec \"$0\" --exact {child} --ignored --nocapture");
    let (shell, first): (&str, &[&str]) = if limit.starts_with("mount") {
        ("unshare", &["--user", "--map-root-user", "--mount", "sh", "-c"])
    } else {
        ("sh", &["-c"])
    };
    Command::new(shell)
        .args(first)
        .arg(script)
        .arg(program)
        .env("TAPER_TEST_DIR", dir)
        .output()
        .unwrap_or_else(|error| panic!("{shell}: {error}"))
}

fn assert_refused(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && stdout.contains(REFUSED), "{stdout}\n{stderr}");
}

#[test]
fn a_file_that_may_not_grow_is_told() {
    let dir = tempfile::tempdir().unwrap();
    for child in ["child", "child_that_fetches"] {
        // Blocks of 512 bytes; without the trap the kernel would end the process.
        assert_refused(&run_child(dir.path(), "trap '' XFSZ && ulimit -f 600", child));
    }
}

#[test]
fn a_full_disk_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=1m tmpfs \"$TAPER_TEST_DIR\"";
    let can = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", mount])
        .env("TAPER_TEST_DIR", dir.path())
        .output();
    if can.is_ok_and(|output| output.status.success()) {
        for child in ["child", "child_that_fetches"] {
            assert_refused(&run_child(dir.path(), mount, child));
        }
    } else {
        eprintln!("skipped: this system lets no ordinary user mount a small file system");
    }
}
