//! A run that goes on from what it kept: by another recipe, from an older checkpoint, past what is damaged.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::killed::{resume, start, steps, wait_for};
use crate::taper::{checkpoints, failure, json, run, stderr, train, training, weights};

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
