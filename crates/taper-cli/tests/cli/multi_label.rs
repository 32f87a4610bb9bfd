//! Texts of any number of labels, from a table to what the command says of them.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::taper::{json, run, stderr};

fn table(rows: usize) -> String {
    let mut table = "text,labels\n".to_owned();
    for row in 0..rows {
        let has = |bit: usize| row >> bit & 1 == 1;
        let words =
            ["the", if has(0) { "court" } else { "of" }, if has(1) { "goal" } else { "and" }];
        let labels = [has(0).then_some("law"), has(1).then_some("sport")];
        let labels: Vec<&str> = labels.into_iter().flatten().collect();
        writeln!(table, "{} {row},{}", words.join(" "), labels.join(";")).unwrap();
    }
    table
}

#[test]
fn a_table_of_several_labels_trains_and_predicts() {
    let folder = tempfile::tempdir().unwrap();
    let [data, prepared, out] = ["data", "prepared", "run"].map(|name| folder.path().join(name));
    fs::create_dir(&data).unwrap();
    for (split, rows) in [("train", 200), ("validation", 40), ("test", 40)] {
        fs::write(data.join(format!("{split}.csv")), table(rows)).unwrap();
    }
    let [data, prepared, out] = [&data, &prepared, &out].map(|path| path.to_str().unwrap());
    let settings = [
        "--dataset",
        data,
        "--set",
        "data.labels=multi",
        "--set",
        "data.label_separator=;",
        "--vectors",
        "none",
        "--set",
        "model.hidden_size=8",
        "--set",
        "model.dropout={ embedding = 0.0, between_layers = 0.0, output = 0.0 }",
        "--set",
        "train.optimizer.learning_rate=0.03",
        "--set",
        "train.epochs=6",
    ];
    let plan = run(&[&["prepare", "--dry-run"], &settings[..]].concat());
    let plan = String::from_utf8(plan.stdout).unwrap();
    assert!(plan.contains("[law | sport]"), "{plan}");
    let arguments = [&["train", "--json", "--prepared", prepared, "--out", out], &settings[..]];
    let outcome = json(&arguments.concat());
    assert!(outcome["test"]["micro_f1"].as_f64().unwrap() > 0.95, "{outcome}");

    let figures = json(&["evaluate", out, "--json"]);
    assert_eq!(figures["threshold"], 0.5);
    assert!(figures["figures"]["hamming_loss"]["value"].as_f64().unwrap() < 0.05, "{figures}");
    assert!(figures.get("confusion").is_none());
    let shown = run(&["evaluate", out]);
    assert!(shown.status.success(), "{}", stderr(&shown));
    let shown = String::from_utf8(shown.stdout).unwrap();
    for part in ["micro F1", "Hamming loss", "at least 0.5"] {
        assert!(shown.contains(part), "{shown}");
    }
    assert!(!shown.contains("MCC") && !shown.contains("taken for"), "{shown}");

    let said =
        json(&["predict", out, "--json", "the court and 3", "the of goal 2", "the of and 4"]);
    let labels = |at: usize| said[at]["labels"].clone();
    assert_eq!(
        [labels(0), labels(1), labels(2)],
        [["law"].into(), ["sport"].into(), serde_json::json!([])]
    );
    let shown = run(&["predict", out, "the court goal 3"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.starts_with("law") && shown.contains(", sport"), "{shown}");
    let texts = ["the court goal 3", "the of and 4"];
    let looked = json(&[&["inspect", out, "--json"], &texts[..]].concat());
    let labels = |at: usize| looked["texts"][at]["prediction"]["labels"].clone();
    assert_eq!(
        [labels(0), labels(1)],
        [serde_json::json!(["law", "sport"]), serde_json::json!([])]
    );
    let looked = run(&[&["inspect", out], &texts[..]].concat());
    let looked = String::from_utf8(looked.stdout).unwrap();
    assert!(looked.contains("prediction law, ") && looked.contains(" %; sport, "), "{looked}");
    assert!(looked.contains("prediction no label (the likeliest: "), "{looked}");
    // Beside a run that has learned next to nothing.
    let hasty = folder.path().join("hasty");
    let hasty = hasty.to_str().unwrap();
    let arguments = ["train", "--json", "--prepared", prepared, "--out", hasty];
    let little = ["--set", "train.epochs=1", "--set", "train.optimizer.learning_rate=0.0001"];
    json(&[&arguments, &settings[..], &little].concat());
    let found = json(&["compare", hasty, out, "--json", "--flips", "1"]);
    let of = |run: &str| found[run]["correct"].as_u64().unwrap();
    let mcnemar = |test: &Value, side: &str| test["mcnemar"][side].as_u64().unwrap();
    assert_eq!(
        of("second") - of("first"),
        mcnemar(&found, "only_second") - mcnemar(&found, "only_first")
    );
    let labels = found["by_label"]["labels"].as_array().unwrap();
    let names: Vec<&Value> = labels.iter().map(|test| &test["label"]).collect();
    assert_eq!(names, ["law", "sport"]);
    // Whole sets differ where one of the labels does.
    let differ = |side: &str| labels.iter().map(|test| mcnemar(test, side)).sum::<u64>();
    assert!(differ("only_second") >= mcnemar(&found, "only_second"), "{found}");
    let f1 = |run: &str| found[run]["figures"]["micro"]["f1"]["value"].as_f64().unwrap();
    let difference = found["by_label"]["micro_f1_difference"]["value"].as_f64().unwrap();
    assert!((f1("second") - f1("first") - difference).abs() < 1e-12, "{found}");
    let flip = &found["won"][0];
    assert_eq!(flip["label"], flip["second"]["predicted"]);
    assert!(flip["label"].is_array() && flip["label"] != flip["first"]["predicted"], "{flip}");
    let shown = run(&["compare", hasty, out]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    for part in ["(all labels of a text)", "micro F1: ", "of 2 tests (Holm)", "| sport "] {
        assert!(shown.contains(part), "{shown} lacks {part}");
    }
    for verb in ["doctor", "trace"] {
        let row: &[&str] = if verb == "trace" { &["--row", "test:3"] } else { &[] };
        let found = run(&[&[verb, prepared], row].concat());
        assert!(found.status.success(), "{}", stderr(&found));
        let words = String::from_utf8(found.stdout).unwrap();
        assert!(verb == "doctor" || words.contains("law | sport"), "{words}");
    }
}
