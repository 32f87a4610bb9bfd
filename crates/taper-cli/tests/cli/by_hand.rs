//! A run whose files somebody removed or edited: it goes on where it can, and says where it cannot.

use std::fs;

use crate::resume::steps;
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
