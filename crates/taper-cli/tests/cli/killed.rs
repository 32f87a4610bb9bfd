//! A run that is killed or interrupted loses nothing and ends with the same bits.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::taper::{checkpoints, json, prepared, stderr, train, training, weights};

pub(crate) fn start(out: &Path) -> Child {
    crate::taper::taper()
        .args(training(out))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Steps that `metrics.jsonl` knows of.
pub(crate) fn steps(out: &Path) -> usize {
    let metrics = fs::read_to_string(out.join("metrics.jsonl")).unwrap_or_default();
    metrics.lines().filter(|line| line.contains("\"event\":\"step\"")).count()
}

pub(crate) fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_mins(2);
    while !condition() {
        assert!(Instant::now() < patience, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn resume(out: &Path) -> serde_json::Value {
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
    send(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let [name] = checkpoints(&interrupted).try_into().unwrap();
    assert_eq!(name, format!("step-{:08}", steps(&interrupted)));
    let outcome = resume(&interrupted);
    assert_eq!(outcome["test"], expected["test"]);
    assert!(weights(&interrupted) == weights(&whole), "interrupted and resumed, other bits");

    // Resumed once more, it has nothing left to do, and says the same.
    assert_eq!(resume(&interrupted)["test"], expected["test"]);
}

fn send(child: &Child, signal: &str) {
    let sent = std::process::Command::new("kill")
        .args([format!("-{signal}"), child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success(), "{signal}");
}

/// What a scheduler does that takes the machine back, twice.
#[cfg(unix)]
#[test]
fn terminated_it_says_how_to_go_on_and_ends_with_the_same_bits() {
    let sets = ["--set", "train.ema=0.99", "--set", "train.accumulate=2"];
    let folder = tempfile::tempdir().unwrap();
    let [whole, out] = ["whole", "terminated"].map(|name| folder.path().join(name));
    let expected = train(&whole, &sets);
    let at = out.to_str().unwrap();
    let mut arguments = training(&out);
    arguments.extend(sets.map(str::to_owned));
    let resumed = ["train", "--resume", at, "--threads", "1"].map(str::to_owned);
    for (arguments, from, place) in
        [(arguments, 20, ""), (resumed.to_vec(), 140, ""), (resumed.to_vec(), 160, prepared())]
    {
        let mut command = crate::taper::taper();
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut go_on = vec!["go on with `taper train --resume", at];
        if !place.is_empty() {
            command.args(["--prepared", place]);
            go_on.extend(["--prepared", place]);
        }
        let child = command.spawn().unwrap();
        wait_for("some steps", || steps(&out) > from);
        send(&child, "TERM");
        let output = child.wait_with_output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(143), "{said}");
        let newest = checkpoints(&out).pop().unwrap();
        assert_eq!(newest, format!("step-{:08}", steps(&out)), "a checkpoint right there");
        let line = format!("interrupted after {newest}; {}`", go_on.join(" "));
        assert!(said.lines().any(|found| found == line), "{said} lacks {line}");
    }
    assert_eq!(resume(&out)["test"], expected["test"]);
    assert!(weights(&out) == weights(&whole), "terminated and resumed, other bits");
    assert_eq!(steps(&out), 2 * 125, "a line for every step, none twice");
}

/// Whoever asks twice does not wait for the checkpoint; what there was stands.
#[cfg(unix)]
#[test]
fn a_second_signal_ends_it_at_once() {
    // Two steps an epoch of a second or so: both signals are heard within one, however busy the machine is.
    let sets = ["train.batch_size=1000", "train.max_length=100", "model.hidden_size=32"];
    let sets: Vec<&str> = sets.iter().flat_map(|setting| ["--set", setting]).collect();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("ended");
    let mut child = crate::taper::taper()
        .args(training(&out))
        .args(sets)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("a step", || steps(&out) > 0);
    send(&child, "INT");
    // Two signals at the same moment may count as one: the second is sent until it is heard.
    while child.try_wait().unwrap().is_none() {
        send(&child, "TERM");
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    let said = stderr(&output);
    assert!(matches!(output.status.code(), Some(130 | 143)), "{:?}: {said}", output.status);
    assert!(!said.contains("interrupted"), "{said}");
    assert_eq!(checkpoints(&out), [""; 0]);
    resume(&out);
    assert_eq!(steps(&out), 2 * 2, "from its beginning");
}

/// Kills it at twenty moments that a fixed seed spreads over the run, each time at another thread count.
#[test]
fn killed_twenty_times_it_ends_with_the_bits_of_one_piece() {
    // What a run can have: averaged weights, a schedule, accumulation, a split epoch, locked and word dropout.
    let more = [
        "train.ema=0.99",
        "train.schedule.kind=cosine",
        "train.schedule.warmup=0.1",
        "train.accumulate=2",
        "train.clip_norm=1.0",
        "train.checkpoint.every_steps=7",
        "train.checkpoint.keep_last=2",
        "model.dropout.word=0.1",
        "model.dropout.weight=0.1",
        "model.dropout.variational=true",
        "model.pooling=attention",
        "train.label_smoothing=0.1",
    ];
    let sets: Vec<&str> = more.iter().flat_map(|setting| ["--set", setting]).collect();
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let expected = train(&whole, &sets);
    let total = steps(&whole);
    assert_eq!(total, 2 * 125);

    let out = folder.path().join("killed");
    let mut arguments = training(&out);
    arguments.extend(sets.iter().map(|&set| set.to_owned()));
    let mut random = 0x5eed_u64;
    for kill in 0..20_u32 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let threads = ["1", "2", "4"][kill as usize % 3];
        let mut command = crate::taper::taper();
        command.args(["--threads", threads]).stdout(Stdio::null()).stderr(Stdio::null());
        // The recipe is the last thing that a new run writes: without it there is none to go on with.
        let mut child = if out.join("recipe.toml").exists() {
            command.args(["train", "--resume", out.to_str().unwrap()]).spawn().unwrap()
        } else {
            let _ = fs::remove_dir_all(&out);
            command.args(&arguments).spawn().unwrap()
        };
        let before = steps(&out);
        let some = (random >> 40) as usize % 12;
        let patience = Instant::now() + Duration::from_mins(1);
        while steps(&out) < (before + some).min(total - 1) && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < patience);
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let outcome = resume(&out);
    assert_eq!(outcome["test"], expected["test"]);
    assert!(weights(&out) == weights(&whole), "killed twenty times and resumed, other bits");
    for epoch in ["epoch-00001.safetensors", "epoch-00002.safetensors"] {
        let dynamics = |run: &Path| fs::read(run.join("dynamics").join(epoch)).unwrap();
        assert!(dynamics(&out) == dynamics(&whole), "{epoch}: other bits");
    }
    assert_eq!(steps(&out), total, "a line for every step, none twice");
    assert!(checkpoints(&out).len() <= 3, "{:?}", checkpoints(&out));
}
