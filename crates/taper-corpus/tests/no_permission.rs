//! What may not be read or written: the error names it.
//!
//! The superuser may do everything, so the test runs itself a second time, as a child without that privilege where the
//! system lets it be dropped.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)]

mod mirror;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use mirror::fixture::{PATH, config, content, file, get};
use mirror::{Fault, Mirror};
use taper_corpus::{CorpusWriter, Record, Source};

const REFUSED: &str = "refused as it should be";

fn may(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Reads a source, or says why not.
fn read(path: &Path) -> Result<(), String> {
    let read = Source::open(path).and_then(|source| source.for_each(&mut |_, _| Ok(())));
    read.map_err(|error| error.to_string())
}

fn assert_denied(message: &str, path: &Path) {
    assert!(message.contains("Permission denied"), "{message}");
    assert!(message.contains(path.to_str().unwrap()), "{message} does not name {}", path.display());
}

fn sources(dir: &Path) {
    let at = |name: &str| dir.join(name);
    fs::create_dir_all(at("classes/pos")).unwrap();
    fs::create_dir_all(at("aclImdb/train/pos")).unwrap();
    fs::create_dir_all(at("shards")).unwrap();
    for (file, opened) in [
        ("a.csv", "a.csv"),
        ("a.jsonl.gz", "a.jsonl.gz"),
        ("a.zip", "a.zip"),
        ("a.tar.gz", "a.tar.gz"),
        ("classes/pos/1.txt", "classes"),
        ("aclImdb/train/pos/0_9.txt", "aclImdb"),
        ("shards/train-00000-of-00001.parquet", "shards"),
    ] {
        fs::write(at(file), "text").unwrap();
        may(&at(file), 0o000);
        assert_denied(&read(&at(opened)).unwrap_err(), &at(file));
    }
    for folder in ["classes", "classes/pos", "aclImdb", "shards"] {
        may(&at(folder), 0o000);
        assert_denied(&read(&at(folder)).unwrap_err(), &at(folder));
        may(&at(folder), 0o700);
    }
}

fn corpus(dir: &Path) {
    may(dir, 0o500);
    let writer = CorpusWriter::create(&dir.join("new"), &["a".to_owned()], &BTreeMap::new());
    let record = Record { text: "a".to_owned(), label: Some(0), ..Record::default() };
    let written =
        writer.and_then(|mut writer| writer.write("train", record).and_then(|()| writer.finish()));
    assert_denied(&written.unwrap_err().to_string(), &dir.join("new"));
    may(dir, 0o700);
}

fn cache(dir: &Path) {
    let mirror = Mirror::start();
    mirror.hold(PATH, &content(), Fault::None);
    let config = config(&mirror, &dir.join("cache"));
    fs::create_dir(dir.join("cache")).unwrap();
    may(&dir.join("cache"), 0o500);
    assert_denied(&get(&config, &file()).unwrap_err().to_string(), &dir.join("cache"));
    may(&dir.join("cache"), 0o700);
    let path = get(&config, &file()).unwrap();
    fs::remove_dir_all(dir.join("cache/.locks")).unwrap();
    // What is there can be read, even so.
    may(&dir.join("cache"), 0o500);
    assert_eq!(get(&config, &file()).unwrap(), path);
    may(&dir.join("cache"), 0o700);
    // Bytes that may not be read are fetched again.
    may(&fs::canonicalize(&path).unwrap(), 0o000);
    assert_eq!(fs::read(get(&config, &file()).unwrap()).unwrap(), content());
}

/// Not a test by itself: the child's part.
#[test]
#[ignore = "run by the test of this file, without the superuser's privileges"]
fn child() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| {
        let path = dir.path().join(name);
        fs::create_dir(&path).unwrap();
        path
    };
    sources(&at("sources"));
    corpus(&at("corpus"));
    cache(&at("hub"));
    println!("{REFUSED}");
}

#[test]
fn no_permission() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    fs::write(&path, "a").unwrap();
    may(&path, 0o000);
    let program = std::env::current_exe().unwrap();
    let mut child = if fs::read(&path).is_err() {
        Command::new(&program)
    } else if Command::new("unshare").args(["--user", "true"]).status().is_ok_and(|s| s.success()) {
        let mut child = Command::new("unshare");
        child.arg("--user").arg(&program);
        child
    } else {
        eprintln!("skipped: this is the superuser, and the system lets no privilege be dropped");
        return;
    };
    let output = child.args(["--exact", "child", "--ignored", "--nocapture"]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && stdout.contains(REFUSED), "{stdout}\n{stderr}");
}
