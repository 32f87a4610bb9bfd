//! A run that is killed, interrupted or damaged loses nothing and ends with the same bits.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::taper::{checkpoints, failure, json, run, stderr, train, training, weights};

fn start(out: &Path) -> Child {
    crate::taper::taper()
        .args(training(out))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Steps that `metrics.jsonl` knows of.
fn steps(out: &Path) -> usize {
    let metrics = fs::read_to_string(out.join("metrics.jsonl")).unwrap_or_default();
    metrics.lines().filter(|line| line.contains("\"event\":\"step\"")).count()
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_mins(2);
    while !condition() {
        assert!(Instant::now() < patience, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn resume(out: &Path) -> serde_json::Value {
    json(&["train", "--json", "--resume", out.to_str().unwrap()])
}

#[test]
fn killed_or_interrupted_it_ends_with_the_same_bits_at_any_thread_count() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let expected = train(&whole, &["--threads", "1"]);

    // Killed in the second epoch: goes on from the checkpoint after the first.
    let killed = folder.path().join("killed");
    let mut child = start(&killed);
    wait_for("the second epoch", || steps(&killed) > 270);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!killed.join("README.md").exists(), "it was killed too late");
    assert!(!checkpoints(&killed).is_empty());
    let outcome = resume(&killed);
    assert_eq!(outcome["test"], expected["test"]);
    assert!(weights(&killed) == weights(&whole), "killed and resumed, other bits");
    assert_eq!(steps(&killed), 2 * 250, "a line for every step, none twice");

    // Asked to stop in the middle of the first epoch: a checkpoint right there, and exit code 130.
    let interrupted = folder.path().join("interrupted");
    let mut child = start(&interrupted);
    wait_for("some steps", || steps(&interrupted) > 5);
    let sent = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let [name] = checkpoints(&interrupted).try_into().unwrap();
    assert_eq!(name, format!("step-{:08}", steps(&interrupted)));
    let outcome = resume(&interrupted);
    assert_eq!(outcome["test"], expected["test"]);
    assert!(weights(&interrupted) == weights(&whole), "interrupted and resumed, other bits");

    // Resumed once more, it has nothing left to do, and says the same.
    assert_eq!(resume(&interrupted)["test"], expected["test"]);
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_it_offered() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let expected = train(&out, &[]);
    let whole = weights(&out);
    let at = out.to_str().unwrap();
    let names = checkpoints(&out);
    let [.., before, newest] = names.as_slice() else { panic!("{names:?}") };
    let file = out.join("checkpoints").join(newest).join("optimizer.safetensors");
    let bytes = fs::read(&file).unwrap();

    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for damaged in [&flipped[..], &bytes[..bytes.len() / 2]] {
        fs::write(&file, damaged).unwrap();
        let message = failure(&["train", "--resume", at]);
        assert!(message.contains(&format!("{newest}/optimizer.safetensors")), "{message}");
        assert!(message.contains(&format!("--checkpoint {before}")), "{message}");
    }
    let outcome = json(&["train", "--json", "--resume", at, "--checkpoint", before]);
    assert_eq!(outcome["test"], expected["test"]);
    assert!(weights(&out) == whole);
    let message = failure(&["train", "--resume", at, "--checkpoint", "step-7"]);
    assert!(message.contains(before.as_str()), "{message}");
}

#[test]
fn a_run_belongs_to_one_process_and_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut child = start(&out);
    wait_for("a step", || steps(&out) > 0);
    let message = failure(&["train", "--resume", out.to_str().unwrap()]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(message.contains("in use by another process"), "{message}");

    let arguments = training(&out);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = run(&arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--resume"), "{}", stderr(&output));
}
