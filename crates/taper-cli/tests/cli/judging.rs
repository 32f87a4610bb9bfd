//! `taper evaluate`, `taper compare` and `taper calibrate`: every figure of a run, and of two.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::doctor::tree;
use crate::taper::{failure, json, prepared, run, stderr, train, training};

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn sum(values: &Value, of: &str) -> u64 {
    values.as_array().unwrap().iter().map(|value| value[of].as_u64().unwrap()).sum()
}

/// A run on twenty reviews a split, one of which is in train and test.
fn leaking_run(folder: &Path) -> String {
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    tree(&folder.join("data"));
    let out = at("leaking");
    json(
        &[
            ["train", "--json", "--dataset", &at("data"), "--vectors", "none"],
            ["--prepared", &at("leaking-data"), "--out", &out, "--set", "train.epochs=1"],
            [
                "--set",
                "model.hidden_size=4",
                "--set",
                "data.hold_out={ fraction = 0.2, by = \"record\" }",
                "--set",
                "seed=1",
            ],
        ]
        .concat(),
    );
    out
}

#[test]
fn every_figure_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    train(&out, &["--set", "train.epochs=1"]);
    let (config, out) = (out.join("config.json"), out.to_str().unwrap());
    let predictions = folder.path().join("predictions.jsonl");
    let with_predictions = ["--predictions", predictions.to_str().unwrap()];

    let evaluate = ["evaluate", out, "--json", "--threads", "1"];
    let one = run(&[&evaluate[..], &with_predictions].concat());
    assert!(one.status.success(), "{}", stderr(&one));
    let two = run(&["evaluate", out, "--json", "--threads", "2"]);
    assert_eq!(one.stdout, two.stdout, "the same bits at any number of threads");
    let found: Value = serde_json::from_slice(&one.stdout).unwrap();

    let accuracy = &found["figures"]["accuracy"];
    assert_eq!(accuracy["value"], found["accuracy"]);
    assert!(number(&accuracy["low"]) < number(&accuracy["value"]), "{accuracy}");
    assert!(number(&accuracy["value"]) < number(&accuracy["high"]), "{accuracy}");
    for figure in ["roc_auc", "average_precision", "matthews", "log_loss", "brier"] {
        assert!(number(&found["figures"][figure]["low"]).is_finite(), "{figure}");
    }
    let confusion = &found["confusion"];
    let right = confusion[0][0].as_u64().unwrap() + confusion[1][1].as_u64().unwrap();
    assert_eq!(found["correct"], right);
    assert_eq!(sum(&found["figures"]["classes"], "support"), 1000);
    assert_eq!(found["figures"]["classes"][1]["class"], "pos");
    for slices in ["by_length", "by_unknown_share"] {
        assert_eq!((sum(&found[slices], "rows"), sum(&found[slices], "correct")), (1000, right));
    }
    assert_eq!(sum(&found["reliability"], "rows"), 1000);
    let contamination = &found["contamination"];
    assert_eq!((&contamination["identical"], &contamination["near"]), (&0.into(), &0.into()));
    assert_eq!(contamination["clean"]["value"], found["accuracy"]);
    assert!(contamination["contaminated"].is_null());

    let lines = fs::read_to_string(&predictions).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1000);
    let hits = lines.iter().filter(|line| line["label"] == line["predicted"]).count();
    assert_eq!(hits as u64, right);
    // What `taper predict` says of the text is what stands in the file, temperature and all.
    let row = format!("test:{}", lines[7]["id"].as_str().unwrap());
    let text = json(&["trace", prepared(), "--row", &row, "--json"])["text"].clone();
    let predicted = json(&["predict", out, text.as_str().unwrap(), "--json"]);
    let of_pos = number(&predicted[0]["probabilities"]["pos"]);
    assert!((of_pos - number(&lines[7]["probabilities"]["pos"])).abs() < 1e-5);
    let words = String::from_utf8(run(&["evaluate", out, "--resamples", "20"]).stdout).unwrap();
    assert!(words.starts_with("| split | texts | correct | accuracy |"), "{words}");
    for part in [
        "| MCC ",
        "| calibration error ",
        "taken for pos",
        "unknown tokens",
        "no text of the split",
    ] {
        assert!(words.contains(part), "{words} lacks {part:?}");
    }

    // The temperature: kept with the model, fitted again to the same, and not needed.
    let whole = fs::read_to_string(&config).unwrap();
    let kept: Value = serde_json::from_str(&whole).unwrap();
    assert_eq!(kept["temperature"], found["temperature"]);
    let fitted = json(&["calibrate", out, "--json"]);
    assert_eq!((&fitted["temperature"], &fitted["rows"]), (&kept["temperature"], &500.into()));
    assert!(number(&fitted["after"]["log_loss"]) < number(&fitted["before"]["log_loss"]));
    let mut without = kept.clone();
    without.as_object_mut().unwrap().remove("temperature");
    fs::write(&config, without.to_string()).unwrap();
    let old = json(&["evaluate", out, "--json", "--resamples", "0"]);
    assert!(old["temperature"].is_null() && old["without_temperature"].is_null());
    assert_eq!(old["figures"]["log_loss"]["value"], found["without_temperature"]["log_loss"]);
    assert_eq!(old["figures"]["roc_auc"]["value"], found["figures"]["roc_auc"]["value"]);
    assert!(old["figures"]["accuracy"]["low"].is_null());
    json(&["calibrate", out, "--json"]);
    assert_eq!(fs::read_to_string(&config).unwrap(), whole);
    fs::write(&config, whole.replace("\"temperature\": ", "\"temperature\": -")).unwrap();
    let message = failure(&["evaluate", out]);
    assert!(message.contains("config.json: `temperature` is -"), "{message}");
}

#[test]
fn more_resamples_than_memory_holds_are_wrong_usage() {
    for most in ["100001", "4294967295"] {
        for runs in [&["evaluate", "run"][..], &["compare", "run", "other"]] {
            let output = run(&[runs, &["--resamples", most]].concat());
            assert_eq!(output.status.code(), Some(2), "{}", crate::taper::stderr(&output));
        }
    }
}

#[test]
fn two_runs_on_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    train(&folder.path().join("first"), &["--set", "train.epochs=1"]);
    // Another tokenizer, so other prepared data of the same texts.
    let mut other = training(&folder.path().join("second"));
    let place = other.iter().position(|word| word == prepared()).unwrap();
    other[place] = at("whitespace");
    let other: Vec<&str> = other.iter().map(String::as_str).collect();
    let whitespace = ["--set", "text.tokenizer=whitespace", "--vectors", "none"];
    json(&[&other[..], &whitespace, &["--set", "train.truncate=head_tail"]].concat());
    let [first, second] = ["first", "second"].map(at);
    let card = fs::read_to_string(folder.path().join("second/README.md")).unwrap();
    assert!(card.contains("only the first 6 and the last 18 tokens are read"), "{card}");
    // Ids of another tokenizer mean other words.
    for verb in ["evaluate", "calibrate", "report"] {
        let message = failure(&[verb, &first, "--prepared", &at("whitespace")]);
        assert!(message.contains("not the model's tokenizer"), "{verb}: {message}");
        assert!(message.contains("text.tokenizer=RUN/tokenizer.json"), "{verb}: {message}");
    }
    let found = json(&["compare", &first, &second, "--json", "--flips", "4"]);
    assert_eq!(found["rows"], 1000);
    let correct = |run: &str| found[run]["correct"].as_u64().unwrap();
    for run in [&first, &second] {
        let side = if run == &first { "first" } else { "second" };
        assert_eq!(
            json(&["evaluate", run, "--json", "--resamples", "0"])["correct"],
            correct(side)
        );
    }
    let test = &found["mcnemar"];
    let [lost, won] = ["only_first", "only_second"].map(|side| test[side].as_u64().unwrap());
    assert_eq!(correct("second") + lost, correct("first") + won);
    assert!(lost > 0 && won > 0, "{test}");
    let difference = &found["accuracy_difference"];
    let expected = (won as f64 - lost as f64) / 1000.0;
    assert!((number(&difference["value"]) - expected).abs() < 1e-12, "{difference}");
    assert!(number(&difference["low"]) <= expected && expected <= number(&difference["high"]));
    let flips = found["lost"].as_array().unwrap();
    assert_eq!(flips.len(), lost.min(4) as usize);
    for flip in flips {
        assert_eq!(flip["first"]["predicted"], flip["label"]);
        assert_ne!(flip["second"]["predicted"], flip["label"]);
        let row = format!("test:{}", flip["id"].as_str().unwrap());
        let traced = json(&["trace", &at("whitespace"), "--row", &row, "--json"]);
        assert_eq!((&traced["text"], &traced["label"]), (&flip["text"], &flip["label"]));
    }
    let sure = |flip: &Value| number(&flip["second"]["probability"]);
    assert!(flips.windows(2).all(|pair| sure(&pair[0]) >= sure(&pair[1])), "{flips:?}");

    let words = String::from_utf8(run(&["compare", &first, &second]).stdout).unwrap();
    for part in ["| accuracy ", "McNemar: ", "exact p = ", "only the second has right:"] {
        assert!(words.contains(part), "{words} lacks {part:?}");
    }
    let same = json(&["compare", &first, &first, "--json"]);
    assert_eq!(same["mcnemar"]["exact_p"], 1.0);
    assert_eq!(same["accuracy_difference"]["value"], 0.0);

    // Other texts are refused with what differs; and what leaked is counted apart.
    let leaking = leaking_run(folder.path());
    let message = failure(&["compare", &first, &leaking]);
    for part in ["0 are the same, 1000 only the first has", "20 only the second", "one data set"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(failure(&["compare", &first, &second, "--split", "tset"]).contains("validation"));
    let judged = json(&["evaluate", &leaking, "--json"]);
    let apart = &judged["contamination"];
    assert_eq!(apart["identical"], 1);
    let known = 1.0 + number(&apart["near"]);
    let right = known * number(&apart["contaminated"]["value"])
        + (20.0 - known) * number(&apart["clean"]["value"]);
    assert!((right - number(&judged["correct"])).abs() < 1e-9, "{apart}");
    assert!(json(&["evaluate", &leaking, "--split", "train", "--json"])["contamination"].is_null());
}

#[test]
fn data_that_have_moved_are_asked_for_and_other_data_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let leaking = leaking_run(folder.path());
    let judged = json(&["evaluate", &leaking, "--json"]);
    fs::rename(at("leaking-data"), at("moved")).unwrap();
    for verb in [&["evaluate", &leaking][..], &["train", "--resume", &leaking]] {
        let message = failure(verb);
        assert!(
            message.contains("leaking-data: gone") && message.contains("--prepared"),
            "{message}"
        );
    }
    let moved = ["--json", "--prepared", &at("moved")];
    assert_eq!(json(&[&["evaluate", &leaking][..], &moved].concat()), judged);
    json(&[&["train", "--resume", &leaking][..], &moved].concat());
    let message = failure(&["train", "--resume", &leaking, "--prepared", prepared()]);
    assert!(message.contains("not the data that the run in"), "{message}");
    // The same tokenizer, but classes in another order.
    let config = folder.path().join("leaking/config.json");
    let text = fs::read_to_string(&config).unwrap();
    let names = |text: &str| serde_json::from_str::<Value>(text).unwrap()["class_names"].clone();
    let mut other: Value = serde_json::from_str(&text).unwrap();
    other["class_names"] = names(&text).as_array().unwrap().iter().rev().cloned().collect();
    fs::write(&config, other.to_string()).unwrap();
    let message = failure(&[&["evaluate", &leaking][..], &moved].concat());
    assert!(message.contains("its classes are"), "{message}");
    other["class_names"] = vec!["one"].into();
    fs::write(&config, other.to_string()).unwrap();
    let message = failure(&["predict", &leaking, "fine"]);
    assert!(message.contains("1 names in `class_names`"), "{message}");
}
