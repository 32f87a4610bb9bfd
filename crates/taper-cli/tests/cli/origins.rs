//! `taper trace` names the file and line that a row came from.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::taper::{json, run, stderr, taper};

/// A table whose rows begin on lines that a count of rows does not tell: some are quoted and of several lines, one has
/// a field too many, and blank lines stand between.
fn table(name: &str, rows: usize) -> String {
    let mut table = "text,label\n".to_owned();
    for row in 0..rows {
        let (text, label) = (format!("{name} number {row}"), ["neg", "pos"][row % 2]);
        match row % 5 {
            1 => writeln!(table, "\"{text}\nand \"\"more\"\",\n\nand more\",{label}").unwrap(),
            3 => writeln!(table, "\n{text},{label}").unwrap(),
            _ => writeln!(table, "{text},{label}").unwrap(),
        }
        if row == 6 {
            writeln!(table, "{text},again,{label}").unwrap();
        }
    }
    table
}

fn line<'t>(data: &'t [(&str, String)], origin: &Value) -> &'t str {
    let (_, table) = data.iter().find(|(name, _)| *name == origin["file"]).unwrap();
    let number = origin["line"].as_u64().unwrap();
    table.lines().nth(number as usize - 1).unwrap()
}

#[test]
fn every_row_is_found_on_the_line_that_its_trace_names() {
    let folder = tempfile::tempdir().unwrap();
    let prepared = folder.path().join("prepared");
    let data = [("a/reviews.csv", table("first", 17)), ("b/reviews.csv", table("second", 13))];
    for (name, table) in &data {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, table).unwrap();
    }
    let prepared = prepared.to_str().unwrap();
    let mut prepare = taper();
    prepare.current_dir(folder.path()).args(["prepare", "--vectors", "none", "--json"]);
    prepare.args(["--dataset", "./*/reviews.csv", "--prepared", prepared, "--on-error", "skip"]);
    prepare.args(["--set", "data.hold_out={ fraction = 0.3, by = \"record\" }"]);
    let output = prepare.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let manifest: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(manifest["rejected"], 2);

    let mut found = BTreeSet::new();
    for split in ["train", "validation"] {
        let rows = manifest["splits"][split]["rows"].as_u64().unwrap();
        assert!(rows > 3, "{split}: {rows}");
        for row in 0..rows {
            let name = format!("{split}:{row}");
            let traced = json(&["trace", prepared, "--row", &name, "--json"]);
            let (origin, text) = (&traced["origin"], traced["text"].as_str().unwrap());
            let begins = text.lines().next().unwrap();
            let line = line(&data, origin).trim_start_matches('"');
            assert!(line.split(',').next() == Some(begins), "{origin}: `{line}` is not `{begins}`");
            assert_eq!(origin["row"], Value::Null);
            assert!(found.insert(origin.to_string()), "{origin} twice");
        }
    }
    assert_eq!(found.len(), 30);

    let traced = json(&["trace", prepared, "--row", "train:0", "--json"]);
    let shown = String::from_utf8(run(&["trace", prepared, "--row", "train:0"]).stdout).unwrap();
    let said = format!(
        "file       {}, line {}",
        traced["origin"]["file"].as_str().unwrap(),
        traced["origin"]["line"]
    );
    assert!(shown.lines().any(|line| line == said), "{shown} lacks {said:?}");

    // What was passed over is named in the same way.
    let rejected = fs::read_to_string(Path::new(prepared).join("corpus/rejected.jsonl")).unwrap();
    let rejected: Vec<Value> =
        rejected.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let lines: Vec<&str> = rejected.iter().map(|row| line(&data, row)).collect();
    assert_eq!(lines, ["first number 6,again,neg", "second number 6,again,neg"]);
}

#[test]
fn rows_of_one_name_are_told_of_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (data, prepared) = (folder.path().join("reviews.csv"), folder.path().join("prepared"));
    let mut table = "id,text,label\n".to_owned();
    for row in 0..15 {
        writeln!(table, "{},film {row},{}", row.min(2), row % 2).unwrap();
    }
    fs::write(&data, table).unwrap();
    let prepared = prepared.to_str().unwrap();
    let dataset = data.to_str().unwrap();
    let output = run(&[
        "prepare",
        "--dataset",
        dataset,
        "--prepared",
        prepared,
        "--vectors",
        "none",
        "--set",
        "data.columns.id=id",
        "--set",
        "data.hold_out=none",
    ]);
    assert!(output.status.success(), "{}", stderr(&output));

    let traced = |row: &str| json(&["trace", prepared, "--row", row, "--json"]);
    let shown = |row| String::from_utf8(run(&["trace", prepared, "--row", row]).stdout).unwrap();
    assert_eq!(traced("train:1")["same_id"], Value::Array(vec![]));
    assert!(!shown("train:1").contains("same id"));
    assert_eq!(traced("train:2")["row"], 2);
    assert_eq!(traced("train:14")["same_id"], (2..14).collect::<Value>());
    let line = "same id    rows 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 2 more";
    assert!(shown("train:2").lines().any(|shown| shown == line), "{}", shown("train:2"));
}
