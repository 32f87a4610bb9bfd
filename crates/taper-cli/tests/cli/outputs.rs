//! What commands write to, and the options that would have led nowhere.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::taper::{failure, prepared, run, stderr, taper};

/// Runs, asserts exit code 2, and returns the message.
fn misuse(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    stderr(&output)
}

#[test]
fn options_that_would_do_nothing_are_refused() {
    for option in [
        &["--output", "x.jsonl"][..],
        &["--format", "csv"],
        &["--no-text"],
        &["--column", "a"],
        &["--on-error", "skip"],
    ] {
        let message = misuse(&[&["predict", "nowhere", "text"], option].concat());
        assert!(message.contains(option[0]) && message.contains("TEXT"), "{message}");
    }
    let message = misuse(&["inspect", "nowhere", "text", "--at-least", "3"]);
    assert!(message.contains("--at-least"), "{message}");
    for option in [&["--force"][..], &["--checkpoint", "step-000001"]] {
        let message = misuse(&[&["train", "--out", "nowhere"], option].concat());
        assert!(message.contains(option[0]), "{message}");
    }
    let message = failure(&["inspect", "nowhere", "text", "--out", "./y.json", "--html", "y.json"]);
    assert!(message.contains("--html and --out are one file"), "{message}");
}

#[test]
fn predictions_do_not_replace_the_texts_they_are_of() {
    let folder = tempfile::tempdir().unwrap();
    let texts = folder.path().join("texts.jsonl");
    fs::write(&texts, "{\"text\": \"a film\"}\n").unwrap();
    let mut names = vec![texts.clone(), folder.path().join("./texts.jsonl")];
    if cfg!(unix) {
        let link = folder.path().join("link.jsonl");
        #[cfg(unix)]
        std::os::unix::fs::symlink("texts.jsonl", &link).unwrap();
        names.push(link);
    }
    let input = texts.to_str().unwrap();
    for output in names {
        let output = output.to_str().unwrap();
        let message = failure(&["predict", "nowhere", "-i", input, "-o", output]);
        assert!(message.contains("it would be replaced"), "{output}: {message}");
    }
    let other = folder.path().join("other.jsonl");
    let message = failure(&["predict", "nowhere", "-i", input, "-o", other.to_str().unwrap()]);
    assert!(message.contains("no such folder"), "{message}");
}

#[test]
fn counts_that_make_no_sense_name_their_option_and_what_would() {
    for count in ["0", "100000", "-1", "many"] {
        let message = misuse(&["recipe", "list", &format!("--threads={count}")]);
        assert!(message.contains("--threads") && message.contains("from 1 to 1024"), "{message}");
    }
    assert!(run(&["recipe", "list", "--threads", "3"]).status.success());
    for arguments in [
        ["serve", "nowhere", "--batch", "0"],
        ["serve", "nowhere", "--max-texts", "0"],
        ["serve", "nowhere", "--max-queue", "0"],
        ["doctor", "nowhere", "--max-length", "0"],
    ] {
        let message = misuse(&arguments);
        assert!(message.contains(arguments[2]) && message.contains("at least 1"), "{message}");
    }
}

#[test]
fn a_precision_that_the_device_has_not_leaves_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let out = out.to_str().unwrap();
    let bf16 = ["--device", "cpu", "--set", "train.precision=bf16", "--prepared", prepared()];
    for more in [&["train", "--out", out][..], &["lr-find"]] {
        let message = failure(&[more, &bf16].concat());
        assert!(message.contains("`train.precision` is \"bf16\""), "{message}");
    }
    assert!(!fs::exists(out).unwrap());
}

#[test]
fn a_reader_that_has_had_enough_ends_it_silently() {
    let mut child = taper()
        .arg("tokenize")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        // It stops reading, too.
        while stdin.write_all(&b"A lovely film.\n".repeat(4096)).is_ok() {}
    });
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first, "[\"A\",\"lovely\",\"film\",\".\"]\n");
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_pipes_written_through() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("target"), "old").unwrap();
    symlink("target", at("link.html")).unwrap();
    let write = |name: &str| {
        let path = at(name);
        let output = run(&["doctor", prepared(), "--html", path.to_str().unwrap()]);
        assert!(output.status.success(), "{}", stderr(&output));
    };
    write("link.html");
    assert!(at("link.html").is_symlink());
    let page = fs::read_to_string(at("target")).unwrap();
    assert!(page.contains("</html>"));

    let pipe = at("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Open for both: it waits for no writer, and ends where none comes.
    let reader = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let reader = std::thread::spawn(move || {
        let mut lines = BufReader::new(reader).lines().map_while(Result::ok);
        lines.any(|line| line.contains("</html>"))
    });
    write("pipe");
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    assert!(reader.join().unwrap());
}
