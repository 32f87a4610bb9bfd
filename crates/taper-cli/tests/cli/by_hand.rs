//! A run whose files somebody removed or edited: it goes on where it can, and says where it cannot.

use std::fs;

use crate::killed::steps;
use crate::taper::{checkpoints, failure, json, train, weights};

#[test]
fn a_removed_history_is_begun_anew_once_and_then_taken_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    train(&out, &[]);
    let (names, at, metrics) =
        (checkpoints(&out), out.to_str().unwrap(), out.join("metrics.jsonl"));
    let resume = ["train", "--json", "--resume", at];
    fs::remove_file(&metrics).unwrap();
    for turn in 0..3 {
        json(&resume);
        assert_eq!(steps(&out), 0, "turn {turn}: there was nothing left to learn");
        let sessions = fs::read_to_string(&metrics).unwrap().matches("\"session\"").count();
        assert_eq!(sessions, 1, "turn {turn}: what came after the checkpoint is cut off");
    }
    // From an older checkpoint on it has that epoch, and all of it the next time, too.
    let first = names.iter().find(|name| name.starts_with("step-00000250")).unwrap();
    json(&[&resume[..], &["--checkpoint", first]].concat());
    assert_eq!(steps(&out), 250);
    json(&resume);
    assert_eq!(steps(&out), 250);
    // What was begun anew can be cut short like any other.
    let text = fs::read_to_string(&metrics).unwrap();
    fs::write(&metrics, &text[..500]).unwrap();
    let message = failure(&resume);
    assert!(message.contains("metrics.jsonl: cut short: 500 bytes"), "{message}");
}

#[test]
fn without_its_checkpoints_a_run_does_not_begin_anew_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    train(&out, &[]);
    let (at, whole, kept) = (out.to_str().unwrap(), weights(&out), out.join("checkpoints"));
    let config = fs::read(out.join("config.json")).unwrap();
    let metrics = fs::read(out.join("metrics.jsonl")).unwrap();
    let resume = ["train", "--json", "--resume", at];
    let longer = ["--force", "--set", "train.epochs=3"];
    fs::rename(&kept, folder.path().join("elsewhere")).unwrap();
    for emptied in [false, true] {
        if emptied {
            fs::create_dir(&kept).unwrap();
        }
        for arguments in [resume.to_vec(), [&resume[..], &longer].concat()] {
            let message = failure(&arguments);
            assert!(message.contains("checkpoints: has no checkpoint left"), "{message}");
            assert!(message.contains("--out RUN"), "{message}");
            assert_eq!(fs::read(out.join("metrics.jsonl")).unwrap(), metrics);
            assert_eq!(fs::read(out.join("config.json")).unwrap(), config);
            assert!(weights(&out) == whole);
            assert!(fs::read_to_string(out.join("recipe.toml")).unwrap().contains("epochs = 2"));
        }
    }
    fs::remove_dir(&kept).unwrap();
    fs::rename(folder.path().join("elsewhere"), &kept).unwrap();
    json(&resume);
    assert!(weights(&out) == whole);
}

#[test]
fn an_edited_recipe_is_shown_refused_and_on_demand_followed() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    train(&out, &[]);
    let (at, recipe) = (out.to_str().unwrap(), out.join("recipe.toml"));
    let resume = ["train", "--json", "--resume", at];
    let own = fs::read_to_string(&recipe).unwrap();
    let edit = |from: &str, to: &str| {
        assert!(own.contains(from), "{own} lacks {from}");
        fs::write(&recipe, own.replacen(from, to, 1)).unwrap();
    };
    for (from, to, told) in [
        ("hidden_size = 6", "hidden_size = 8", "model.hidden_size: 6 -> 8"),
        ("kind = \"adam\"", "kind = \"sgd\"", "train.optimizer.kind: \"adam\" -> \"sgd\""),
    ] {
        edit(from, to);
        for more in [&["--force"][..], &[]] {
            let message = failure(&[&resume[..], more].concat());
            assert!(message.contains("cannot change within a run"), "{message}");
            assert!(message.contains("edited in recipe.toml"), "{message}");
            assert!(message.contains(told), "{message}");
        }
    }
    // A comment changes nothing, and stays.
    edit("epochs = 2", "epochs = 2 # enough");
    json(&resume);
    assert!(fs::read_to_string(&recipe).unwrap().contains("# enough"));

    edit("epochs = 2", "epochs = 3");
    let message = failure(&resume);
    assert!(message.contains("train.epochs: 2 -> 3"), "{message}");
    assert!(message.contains("(recipe.toml was edited since)"), "{message}");
    assert!(message.contains("--force"), "{message}");
    assert_eq!(steps(&out), 2 * 250);
    let outcome = json(&[&resume[..], &["--force"]].concat());
    assert_eq!(steps(&out), 3 * 250);
    let metrics = fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    let change =
        r#"{"event":"recipe_changed","changes":[{"key":"train.epochs","was":"2","now":"3"}]}"#;
    assert_eq!(metrics.lines().filter(|line| *line == change).count(), 1, "{metrics}");
    // From here on it is the run's own.
    assert_eq!(json(&resume)["test"], outcome["test"]);

    // A run of a version that did not keep its recipe apart goes on by the one it has.
    fs::remove_file(out.join(".recipe.toml")).unwrap();
    json(&resume);
    fs::write(&recipe, own).unwrap();
    let message = failure(&resume);
    assert!(message.contains("train.epochs: 3 -> 2"), "{message}");
    // By what the flags say it is the same again, and so is the file.
    json(&[&resume[..], &["--set", "train.epochs=3"]].concat());
    assert!(fs::read_to_string(&recipe).unwrap().contains("epochs = 3"));
}

#[test]
fn a_run_of_an_earlier_version_follows_no_other_network() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    train(&out, &[]);
    let (at, whole) = (out.to_str().unwrap(), weights(&out));
    let (kept, shown) = (out.join(".recipe.toml"), out.join("recipe.toml"));
    let recipe = fs::read_to_string(&shown).unwrap();
    fs::remove_file(&kept).unwrap();
    let other = recipe.replace("num_layers = 1", "num_layers = 2");
    assert_ne!(other, recipe);
    fs::write(&shown, other).unwrap();
    let message = failure(&["train", "--json", "--resume", at]);
    assert!(message.contains("model.num_layers"), "{message}");
    assert!(!kept.exists(), "what is refused is not followed");
    fs::write(&shown, recipe).unwrap();
    json(&["train", "--json", "--resume", at]);
    assert!(weights(&out) == whole);
}

#[test]
fn outputs_do_not_replace_what_they_are_made_from() {
    let folder = tempfile::tempdir().unwrap();
    let (out, texts) = (folder.path().join("run"), folder.path().join("texts.txt"));
    train(&out, &[]);
    fs::write(&texts, "a fine film\n").unwrap();
    let run = out.to_str().unwrap();
    let at = |name: &str| out.join(name).to_str().unwrap().to_owned();
    let (weights, config, texts): (String, String, &str) =
        (at("model.safetensors"), at("config.json"), texts.to_str().unwrap());
    let manifest = format!("{}/manifest.json", crate::taper::prepared());
    let commands: [&[&str]; 7] = [
        &["predict", run, "-i", texts, "-o", &weights, "--format", "jsonl"],
        &["export", run, "--onnx", &weights],
        &["report", run, "--out", &weights],
        &["evaluate", run, "--predictions", &weights],
        &["inspect", run, "a fine film", "--out", &config],
        &["inspect", run, "-i", texts, "--html", texts],
        &["doctor", crate::taper::prepared(), "--html", &manifest],
    ];
    for command in commands {
        let kept = [&weights, &config, &manifest, texts].map(|path| fs::read(path).unwrap());
        let message = failure(command);
        assert!(message.contains("would be replaced"), "{command:?}: {message}");
        assert!(kept == [&weights, &config, &manifest, texts].map(|path| fs::read(path).unwrap()));
    }
}
