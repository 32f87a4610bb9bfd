//! A run that is killed, interrupted or damaged loses nothing and ends with the same bits.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::taper::{checkpoints, failure, json, prepared, run, stderr, train, training, weights};

fn start(out: &Path) -> Child {
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

#[test]
fn another_recipe_is_shown_refused_and_on_demand_followed() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    train(&out, &[]);
    let at = out.to_str().unwrap();
    let longer = ["train", "--json", "--resume", at, "--set", "train.epochs=3"];
    let message = failure(&longer);
    assert!(message.contains("train.epochs: 2 -> 3") && message.contains("--force"), "{message}");
    let wider = ["train", "--resume", at, "--force", "--set", "model.hidden_size=7"];
    let message = failure(&wider);
    assert!(message.contains("`model.hidden_size` cannot change"), "{message}");
    // Or epochs that the test split judged would be compared with those of validation.
    let judged = ["--set", "train.evaluate_on=test", "--set", "train.select=last"];
    let message = failure(&[&["train", "--resume", at, "--force"][..], &judged].concat());
    assert!(message.contains("`train.evaluate_on` cannot change"), "{message}");
    assert_eq!(steps(&out), 2 * 250);

    let outcome = json(&[&longer[..], &["--force"]].concat());
    assert_eq!(steps(&out), 3 * 250);
    let metrics = fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    let change =
        r#"{"event":"recipe_changed","changes":[{"key":"train.epochs","was":"2","now":"3"}]}"#;
    assert!(metrics.lines().any(|line| line == change), "{metrics}");
    let recipe = fs::read_to_string(out.join("recipe.toml")).unwrap();
    assert!(recipe.contains("epochs = 3"), "{recipe}");
    // Three epochs in one piece are the same.
    let whole = folder.path().join("whole");
    let expected = train(&whole, &["--set", "train.epochs=3"]);
    assert_eq!(outcome["test"], expected["test"]);
    assert!(weights(&out) == weights(&whole));
}

/// The weights of an epoch that is learned again, and worse, are not the model.
#[test]
fn what_was_gone_back_on_does_not_become_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let settings =
        ["train.epochs=3", "train.checkpoint.every_steps=100", "train.checkpoint.keep_last=3"];
    let sets: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let accuracies = |out: &Path| -> Vec<f64> {
        let metrics = fs::read_to_string(out.join("metrics.jsonl")).unwrap();
        let events = metrics.lines().map(|line| serde_json::from_str(line).unwrap());
        let evaluated = events.filter(|event: &serde_json::Value| event["event"] == "evaluated");
        evaluated.map(|event| event["accuracy"].as_f64().unwrap()).collect()
    };
    train(&out, &sets);
    let [_, second, third] = accuracies(&out)[..] else { panic!("three epochs") };
    assert!(third > second, "the last epoch is the best");
    // The second's weights stay for as long as a checkpoint knows of no better ones.
    let last = ["step-00000700", "step-00000750", "step-00000750-evaluated"];
    assert_eq!(checkpoints(&out), [&["step-00000500-evaluated"], &last[..]].concat());
    let at = out.to_str().unwrap();
    let outcome = json(
        &[
            &["train", "--json", "--resume", at, "--checkpoint", "step-00000700", "--force"][..],
            &["--set", "train.optimizer.learning_rate=10"],
        ]
        .concat(),
    );
    let [_, second, third] = accuracies(&out)[..] else { panic!("three epochs") };
    assert!(third < second, "a rate that spoils it");
    assert_eq!(outcome["best_epoch"], 2);
    let judged = json(&["evaluate", at, "--split", "validation", "--json", "--resamples", "0"]);
    assert!((judged["accuracy"].as_f64().unwrap() - second).abs() < 1e-12, "{judged}");
}

/// A disk on which no file can be larger than a megabyte: the metrics fit, the checkpoint does not.
#[test]
fn a_full_disk_at_the_checkpoint_leaves_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    train(&out, &[]);
    let (names, before) = (checkpoints(&out), weights(&out));
    let at = out.to_str().unwrap();
    let go_on = ["train", "--json", "--resume", at, "--force", "--set", "train.epochs=3"];
    // Blocks of 512 bytes; without the trap the signal would end the process.
    let output = std::process::Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_taper"),
        ])
        .args(go_on)
        .env("TAPER_DATA", crate::taper::data())
        .output()
        .unwrap();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("checkpoints/"), "{message}");
    assert_eq!(checkpoints(&out), names);
    assert!(weights(&out) == before);

    let outcome = json(&["train", "--json", "--resume", at]);
    let whole = folder.path().join("whole");
    let expected = train(&whole, &["--set", "train.epochs=3"]);
    assert_eq!(outcome["test"], expected["test"]);
    assert!(weights(&out) == weights(&whole), "other bits after a full disk");
    // The recipe was changed by the process that failed.
    let metrics = fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    let told = metrics.lines().filter(|line| line.contains("recipe_changed")).count();
    assert_eq!(told, 1, "a change is told once, whatever became of the process");
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_it_offered() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let expected = train(&out, &[]);
    let whole = weights(&out);
    let at = out.to_str().unwrap();
    let names = checkpoints(&out);
    let [oldest, .., before, newest] = names.as_slice() else { panic!("{names:?}") };

    // To go on from a damaged one costs nothing that stands after it.
    let file = out.join("checkpoints").join(oldest).join("model.safetensors");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[1..]).unwrap();
    let longer = ["--force", "--set", "train.epochs=3"];
    let message =
        failure(&[&["train", "--resume", at, "--checkpoint", oldest][..], &longer].concat());
    assert!(message.contains(&format!("{oldest}/model.safetensors")), "{message}");
    assert!(message.contains(&format!("--checkpoint {newest}")), "{message}");
    assert_eq!(checkpoints(&out), names);
    assert!(fs::read_to_string(out.join("recipe.toml")).unwrap().contains("epochs = 2"));
    fs::write(&file, &bytes).unwrap();

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
    // The damaged one is gone: the newest is whole again.
    assert_eq!(resume(&out)["test"], expected["test"]);
}

#[test]
fn from_an_older_checkpoint_it_comes_to_the_same_end() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, out] = ["whole", "out"].map(|name| folder.path().join(name));
    let often =
        ["--set", "train.checkpoint.every_steps=100", "--set", "train.checkpoint.keep_last=9"];
    let expected = train(&whole, &often);
    train(&out, &often);
    let at = out.to_str().unwrap();
    // What a process that was killed while it wrote one leaves.
    fs::create_dir(out.join("checkpoints/.new-1")).unwrap();
    let mut child = crate::taper::taper()
        .args(["train", "--resume", at, "--checkpoint", "step-00000100"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the way back", || (101..450).contains(&steps(&out)));
    child.kill().unwrap();
    child.wait().unwrap();
    let names = checkpoints(&out);
    assert!(names.len() < checkpoints(&whole).len(), "{names:?}");
    assert!(!out.join("checkpoints/.new-1").exists());

    // Which texts share a batch cannot change there; a refusal changes nothing.
    let larger = ["--set", "train.batch_size=100", "--force"];
    let back = ["train", "--resume", at, "--checkpoint", "step-00000100"];
    let message = failure(&[&back[..], &larger].concat());
    assert!(message.contains("`train.batch_size` decides"), "{message}");
    assert!(message.contains("within epoch 1"), "{message}");
    assert_eq!(checkpoints(&out), names);

    assert_eq!(resume(&out)["test"], expected["test"]);
    assert!(weights(&out) == weights(&whole));
    assert_eq!(steps(&out), 2 * 250, "a line for every step, none twice");
    // Between two epochs it can.
    let longer = ["--set", "train.epochs=3"];
    json(&[&["train", "--json", "--resume", at][..], &larger, &longer].concat());
    assert_eq!(steps(&out), 2 * 250 + 20);
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

#[test]
fn going_back_to_where_the_best_weights_are_gone_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let policy = ["--set", "train.checkpoint.keep_best=false"];
    train(&out, &[&policy[..], &["--set", "train.checkpoint.keep_last=2"]].concat());
    let (names, at) = (checkpoints(&out), out.to_str().unwrap());
    // Before the second evaluation the first epoch is the best, whatever comes.
    assert_eq!(names, ["step-00000500", "step-00000500-evaluated"]);
    let back = ["train", "--json", "--resume", at, "--checkpoint", &names[0]];
    let shorter = ["--force", "--set", "train.patience=1"];
    for arguments in [back.to_vec(), [&back[..], &shorter].concat()] {
        let message = failure(&arguments);
        assert!(message.contains("epoch 1, the best one up to step 500"), "{message}");
        assert_eq!(checkpoints(&out), names);
        assert!(!fs::read_to_string(out.join("recipe.toml")).unwrap().contains("patience = 1"));
    }
    let last = ["--force", "--set", "train.select=last"];
    assert_eq!(json(&[&back[..], &last].concat())["best_epoch"], 2);
}

#[test]
fn metrics_that_were_cut_short_are_told_before_any_training() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    train(&out, &[]);
    let (names, at) = (checkpoints(&out), out.to_str().unwrap());
    let metrics = out.join("metrics.jsonl");
    let whole = fs::read_to_string(&metrics).unwrap();
    // What processes that were killed leave.
    let left = [out.join(".taper-aB3dE6"), out.join("plots/.taper-aB3dE6")];
    for file in &left {
        fs::write(file, "half").unwrap();
    }
    let longer = ["--force", "--set", "train.epochs=3"];
    let plain = ["train", "--json", "--resume", at];
    let damaged = whole.replacen("\"event\":\"step\"", "\"event\":\"stop\"", 1);
    for (text, told) in [(&whole[..500], "cut short: 500 bytes"), (&damaged, ": no event (")] {
        fs::write(&metrics, text).unwrap();
        for arguments in [plain.to_vec(), [&plain[..], &longer].concat()] {
            let message = failure(&arguments);
            assert!(message.contains("metrics.jsonl: ") && message.contains(told), "{message}");
            assert_eq!(checkpoints(&out), names);
            assert_eq!(fs::read_to_string(&metrics).unwrap(), text);
            assert!(fs::read_to_string(out.join("recipe.toml")).unwrap().contains("epochs = 2"));
        }
    }
    // Whoever does without begins it anew.
    fs::remove_file(&metrics).unwrap();
    json(&[&plain[..], &longer].concat());
    assert_eq!(steps(&out), 250);
    assert!(!left.iter().any(|file| file.exists()), "{left:?}");
}
