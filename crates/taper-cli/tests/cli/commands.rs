//! Every verb once, on the committed sample, and what the wrong arguments are told.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use crate::taper::{failure, json, run, stderr, train, weights};

#[test]
fn trains_evaluates_predicts_and_tokenizes() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let outcome = train(&out, &[]);
    assert_eq!(outcome["run"], out.to_str().unwrap());
    assert!(outcome["seconds"].as_f64().unwrap() > 0.0);
    assert!((1..=2).contains(&outcome["best_epoch"].as_u64().unwrap()));
    assert_eq!(outcome["test"]["rows"], 1000);

    let out = out.to_str().unwrap();
    let figures = json(&["evaluate", out, "--json"]);
    for key in ["rows", "correct", "accuracy"] {
        assert_eq!(figures[key], outcome["test"][key], "{key}");
    }
    assert_eq!(figures["split"], "test");
    assert!(figures["loss"].as_f64().unwrap() > 0.0);
    let accuracy = figures["correct"].as_f64().unwrap() / 1000.0;
    assert!((figures["accuracy"].as_f64().unwrap() - accuracy).abs() < 1e-12);

    let predictions = json(&["predict", out, "A lovely, lovely film.", "", "--json"]);
    let [first, empty] = predictions.as_array().unwrap().as_slice() else {
        panic!("two texts, {predictions}");
    };
    assert_eq!(first["text"], "A lovely, lovely film.");
    assert_eq!((&first["tokens"], &first["truncated"]), (&6.into(), &false.into()));
    let probabilities = first["probabilities"].as_object().unwrap();
    assert_eq!(probabilities[first["label"].as_str().unwrap()], first["probability"]);
    let sum: f64 = probabilities.values().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    assert_eq!((&empty["tokens"], &empty["unknown_tokens"]), (&0.into(), &0.into()));

    let lines = run(&["predict", out, "Qwxyz zzkx."]);
    let line = String::from_utf8(lines.stdout).unwrap();
    assert!(line.contains("2 of 3 tokens unknown"), "{line}");
    let lines = String::from_utf8(run(&["predict", out, "", "\u{1b}[2Jfine"]).stdout).unwrap();
    assert!(lines.contains("(no tokens: read as one unknown word)"), "{lines}");
    assert!(lines.contains("\\u{1b}[2Jfine") && !lines.contains('\u{1b}'), "{lines}");

    let mut child = crate::taper::taper()
        .args(["tokenize", out])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"I don't, Sir.\n\nYes\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, "[\"i\",\"do\",\"n't\",\",\",\"sir\",\".\"]\n[]\n[\"yes\"]\n");
}

#[test]
fn a_text_is_cut_as_it_stands_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("lines.txt");
    fs::write(&input, "cafe\u{301}<br />x\n").unwrap();
    let tokens = |extra: &[&str]| {
        let input = ["tokenize", "--tokenizer", "unicode", "--input", input.to_str().unwrap()];
        String::from_utf8(run(&[&input[..], extra].concat()).stdout).unwrap()
    };
    assert_eq!(tokens(&[]), "[\"café\",\"x\"]\n");
    let raw = "[\"cafe\u{301}\",\"<\",\"br\",\"/>\",\"x\"]\n";
    assert_eq!(tokens(&["--raw"]), raw);
    assert_eq!(run(&["tokenize", "--raw", "--lowercase"]).status.code(), Some(2));
}

#[test]
fn a_rate_is_found_between_too_small_and_too_large() {
    // Of fewer steps the fall is no more than the batches' scatter.
    let settings = ["--set", "train.max_length=24", "--set", "model.hidden_size=16"];
    let arguments = [
        &["lr-find", "--json", "--prepared", crate::taper::prepared()],
        &["--to", "10", "--steps", "400"],
        &settings[..],
    ];
    let trial = json(&arguments.concat());
    let points = trial["points"].as_array().unwrap();
    assert!((40..=400).contains(&points.len()), "{}", points.len());
    let rate = |point: &serde_json::Value| point["rate"].as_f64().unwrap();
    assert!((rate(&points[0]) - 1e-5).abs() < 1e-12);
    assert!(points.windows(2).all(|pair| rate(&pair[1]) / rate(&pair[0]) > 1.03));
    let steepest = trial["steepest"].as_f64().unwrap();
    assert!((1e-5..10.0).contains(&steepest), "{steepest}");
    let smoothed = |point: &serde_json::Value| point["smoothed"].as_f64().unwrap();
    let lowest = points[points.len() / 10..]
        .iter()
        .min_by(|one, other| smoothed(one).total_cmp(&smoothed(other)));
    let lowest = rate(lowest.unwrap());
    assert!(steepest < lowest, "{steepest} {lowest}");
    assert!((trial["lowest_tenth"].as_f64().unwrap() * 10.0 / lowest - 1.0).abs() < 1e-9);
    let message = failure(&["lr-find", "--prepared", crate::taper::prepared(), "--from", "2"]);
    assert!(message.contains("rates from 2 to 1"), "{message}");
}

#[test]
fn where_runs_is_a_file_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("runs"), "").unwrap();
    let mut command = crate::taper::taper();
    command.args(["train", "--prepared", crate::taper::prepared()]).current_dir(folder.path());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut waited = 0;
    while child.try_wait().unwrap().is_none() && waited < 600 {
        std::thread::sleep(std::time::Duration::from_millis(100));
        waited += 1;
    }
    child.kill().unwrap();
    let message = stderr(&child.wait_with_output().unwrap());
    assert!(message.contains("runs/quickstart: cannot list the folder"), "{message}");
}

#[test]
fn the_model_directory_stands_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (run_folder, model) = (folder.path().join("run"), folder.path().join("model"));
    train(&run_folder, &["--set", "train.epochs=1"]);
    fs::create_dir(&model).unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors", "README.md"] {
        fs::copy(run_folder.join(name), model.join(name)).unwrap();
    }
    let text = "Not a minute too long.";
    let predict =
        |path: &std::path::Path| json(&["predict", path.to_str().unwrap(), text, "--json"]);
    assert_eq!(predict(&model), predict(&run_folder));

    // Weights cut short, of another shape, a tokenizer of another model: each is named.
    let at = model.to_str().unwrap();
    let whole = weights(&model);
    fs::write(model.join("model.safetensors"), &whole[..whole.len() / 2]).unwrap();
    let message = failure(&["predict", at, text]);
    assert!(
        message.contains("model.safetensors") && message.contains("safetensors file"),
        "{message}"
    );
    fs::write(model.join("model.safetensors"), &whole).unwrap();
    let config = fs::read_to_string(model.join("config.json")).unwrap();
    fs::write(
        model.join("config.json"),
        config.replace("\"hidden_size\": 6", "\"hidden_size\": 7"),
    )
    .unwrap();
    let message = failure(&["predict", at, text]);
    assert!(
        message.contains("fc.weight of shape [1, 36]") && message.contains("[1, 42]"),
        "{message}"
    );
    fs::write(model.join("config.json"), config).unwrap();
    let tokenizer = fs::read_to_string(model.join("tokenizer.json")).unwrap();
    fs::write(model.join("tokenizer.json"), tokenizer.replace("film", "flim")).unwrap();
    assert!(failure(&["predict", at, text]).contains("tokenizer.json"));
    fs::write(model.join("tokenizer.json"), "{\"model\": {\"type\": \"BPE\"}}").unwrap();
    assert!(failure(&["predict", at, text]).contains("tokenizer.json"));
}

#[test]
fn what_is_up_to_date_is_skipped_and_said() {
    let output = run(&["prepare", "--prepared", crate::taper::prepared(), "--json"]);
    let message = stderr(&output);
    for stage in ["corpus", "text", "vectors", "encoded"] {
        assert!(message.contains(&format!("{stage}: up to date")), "{message}");
    }
    let manifest: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(manifest["splits"]["train"]["rows"], 2000);
    assert_eq!(manifest["class_names"], serde_json::json!(["neg", "pos"]));
}

#[test]
fn wrong_arguments_are_told_what_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    let device = ["train", "--device", "cuda"];
    for (arguments, parts) in [
        (&["train", "--recipe", "quickstrat"][..], &["quickstrat", "`quickstart`"][..]),
        (&["train", "--set", "train.epoch=1"], &["train.epoch", "`train.epochs`"]),
        (&["train", "--set", "train.epochs=0"], &["train.epochs", "at least 1"]),
        (&["prepare", "--dataset", nowhere], &["nowhere"]),
        (&["prepare", "--vectors", nowhere], &["nowhere"]),
        (&["train", "--resume", nowhere], &["nowhere", "recipe.toml"]),
        (&["evaluate", nowhere], &["nowhere", "no such folder"]),
        (&["predict", nowhere, "text"], &["nowhere", "taper train"]),
        (&["tokenize", nowhere], &["nowhere", "tokenizer.json"]),
        (&["tokenize", "--tokenizer", "englsh"], &["englsh", "english"]),
        (&["tokenize", "--tokenizer", "english", "--input", nowhere], &["nowhere"]),
        (&device, if cfg!(feature = "cuda") { &["cuda"] } else { &["cuda", "--features cuda"] }),
    ] {
        let mut arguments = arguments.to_vec();
        let prepared = folder.path().join("prepared");
        if ["prepare", "train"].contains(&arguments[0]) && !arguments.contains(&"--resume") {
            arguments.extend(["--prepared", prepared.to_str().unwrap()]);
        }
        let message = failure(&arguments);
        for part in parts {
            assert!(message.contains(part), "{arguments:?}: {message:?} lacks {part:?}");
        }
    }
    for arguments in [&["trian"][..], &["train", "--device", "gpu"], &["predict"], &[]] {
        assert_eq!(run(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_line_that_is_not_utf_8_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("lines.txt");
    fs::write(&input, b"fine\nbr\xf6ken\n").unwrap();
    let message =
        failure(&["tokenize", "--tokenizer", "english", "--input", input.to_str().unwrap()]);
    assert!(message.contains("lines.txt: line 2") && message.contains("byte 3"), "{message}");
}

#[test]
fn recipes_and_completions_print() {
    let list = String::from_utf8(run(&["recipe", "list"]).stdout).unwrap();
    assert!(list.starts_with("quickstart") && list.contains("\ntutorial"), "{list}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    let shown = run(&["recipe", "show", "tutorial", "--set", "seed=7"]).stdout;
    fs::write(&file, &shown).unwrap();
    assert_eq!(run(&["recipe", "show", file.to_str().unwrap()]).stdout, shown);
    assert!(json(&["recipe", "schema"])["properties"]["train"].is_object());
    let script = String::from_utf8(run(&["completions", "bash"]).stdout).unwrap();
    assert!(script.contains("_taper"));
}
