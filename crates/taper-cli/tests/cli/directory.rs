//! A model directory put to use: files through it, out of it as ONNX, and made of PyTorch's weights.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::taper::{failure, json, prepared, run, stderr, taper, train};

fn at(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

fn lines(path: &str) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn succeed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    stderr(&output)
}

#[test]
fn columns_that_nothing_is_known_of_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (model, table, out) = (at(folder, "run"), at(folder, "in.csv"), at(folder, "out.jsonl"));
    train(Path::new(&model), &["--set", "train.epochs=1"]);
    let predict = ["predict", &model, "-i", &table, "-o", &out];
    fs::write(&table, "id,foo,bar\n1,\"Fine, really.\",x\n").unwrap();
    let message = failure(&predict);
    assert!(message.contains("id, foo, bar") && message.contains("--column NAME"), "{message}");
    fs::write(&table, "key,foo\na1,\"Fine, really.\"\n").unwrap();
    let message = failure(&predict);
    assert!(message.contains("(key, foo)") && message.contains("--header yes"), "{message}");
    for (header, rows) in [("yes", 1), ("no", 2)] {
        succeed(&[&predict[..], &["--header", header]].concat());
        assert_eq!(lines(&out).len(), rows, "--header {header}");
    }
    // Of two columns, the one that does not name the rows is the text.
    fs::write(&table, "id,foo\na1,\"Fine, really.\"\n").unwrap();
    succeed(&predict);
    let found = lines(&out);
    assert_eq!((found.len(), &found[0]["id"]), (1, &"a1".into()));
}

#[test]
fn files_go_in_and_out() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let model = at(folder, "run");
    train(Path::new(&model), &["--set", "train.epochs=1"]);
    let (table, out) = (at(folder, "in.csv"), at(folder, "out.jsonl"));
    fs::write(&table, "id,review,stars\na,\"Fine, really.\",0.5\nb,,\nc,Dull.,x\n").unwrap();
    succeed(&["predict", &model, "--input", &table, "--output", &out]);
    let found = lines(&out);
    let ids: Vec<&str> = found.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!((&found[0]["text"], &found[2]["row"]), (&"Fine, really.".into(), &3.into()));
    let expected = json(&["predict", &model, "Fine, really.", "--json"]);
    for key in ["label", "tokens", "truncated"] {
        assert_eq!(found[0][key], expected[0][key], "{key}");
    }
    let of = |line: &Value| line["probability"].as_f64().unwrap();
    assert!((of(&found[0]) - of(&expected[0])).abs() < 1e-6);

    // Out of one format into the next, by another column.
    let (table, parquet) = (at(folder, "out.csv"), at(folder, "out.parquet"));
    succeed(&["predict", &model, "-i", &out, "-o", &parquet, "--no-text", "--column", "label"]);
    let message = failure(&["predict", &model, "-i", &parquet, "-o", &table]);
    assert!(message.contains("known to hold the text") && message.contains("label"), "{message}");
    assert!(!Path::new(&table).exists());
    succeed(&["predict", &model, "-i", &parquet, "-o", &table, "--column", "id"]);
    let text = fs::read_to_string(&table).unwrap();
    assert!(text.starts_with("row,id,label,probability,probability_neg,"), "{text}");
    assert_eq!(text.lines().count(), 4);

    // A bad row names itself and leaves nothing; or it is skipped and counted.
    let (bad, kept) = (at(folder, "bad.jsonl"), at(folder, "kept.jsonl"));
    fs::write(&bad, "{\"text\": \"one\"}\n{\"text\": 2}\n{\"text\": \"three\"}\n").unwrap();
    let message = failure(&["predict", &model, "-i", &bad, "-o", &kept]);
    assert!(message.contains("bad.jsonl, line 2") && message.contains("a string"), "{message}");
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(
        !names
            .into_iter()
            .any(|name| name == "kept.jsonl" || name.to_string_lossy().starts_with(".taper-"))
    );
    let said = succeed(&["predict", &model, "-i", &bad, "-o", &kept, "--on-error", "skip"]);
    assert!(said.contains("1 rows skipped") && said.contains("line 2"), "{said}");
    let rows: Vec<Value> = lines(&kept).into_iter().map(|line| line["row"].clone()).collect();
    assert_eq!(rows, [1, 3]);
    let message = failure(&["predict", &model, "-i", &bad, "-o", &at(folder, "out.xml")]);
    assert!(message.contains("out.xml") && message.contains("--format"), "{message}");

    // Standard input to standard output: a line of text, a line of JSON.
    let mut child = taper()
        .args(["predict", &model, "-i", "-", "-o", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"{fine}\n\nyes\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let texts =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["text"].clone());
    assert_eq!(texts.collect::<Vec<_>>(), ["{fine}", "", "yes"]);

    // The graph, and the way back from the weights.
    let graph = at(folder, "model.onnx");
    succeed(&["export", &model, "--onnx", &graph]);
    let bytes = fs::read(&graph).unwrap();
    let hash = fs::read_to_string(at(folder, "run/config.json")).unwrap();
    let hash = hash.split("\"weights_blake3\": \"").nth(1).unwrap()[..64].to_owned();
    assert!(bytes.windows(64).any(|window| window == hash.as_bytes()), "the weights' hash");
    let (weights, imported) = (at(folder, "run/model.safetensors"), at(folder, "imported"));
    succeed(&[
        "import",
        &weights,
        "--prepared",
        prepared(),
        "--out",
        &imported,
        "--max-length",
        "24",
    ]);
    // A temperature is fitted, not imported.
    let config = folder.join("run/config.json");
    let mut plain: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    plain.as_object_mut().unwrap().remove("temperature");
    fs::write(&config, plain.to_string()).unwrap();
    let texts = ["Fine, really.", "Dull."];
    let predict = |model: &str| json(&["predict", model, texts[0], texts[1], "--json"]);
    assert_eq!(predict(&imported), predict(&model));
    let evaluate = |model: &str| json(&["evaluate", model, "--prepared", prepared(), "--json"]);
    assert_eq!(evaluate(&imported)["correct"], evaluate(&model)["correct"]);
    let both = json(&["compare", &model, &imported, "--prepared", prepared(), "--json"]);
    assert_eq!(both["first"]["correct"], both["second"]["correct"]);
    let fitted = json(&["calibrate", &imported, "--prepared", prepared(), "--json"]);
    let config = fs::read(at(folder, "imported/config.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert!(fitted["temperature"].is_f64());
    assert_eq!(config["temperature"], fitted["temperature"]);

    let message = failure(&[
        "import",
        &weights,
        "--prepared",
        prepared(),
        "--out",
        &at(folder, "two"),
        "--labels",
        "a,b,c",
    ]);
    assert!(message.contains("model.safetensors") && message.contains("2 classes"), "{message}");
}
