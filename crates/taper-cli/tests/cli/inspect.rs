//! `taper inspect`, from outside: what it prints, what it writes, what it refuses.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::taper::{failure, json, run, taper, train};

/// A run that all tests look into; who wants to damage it takes a copy.
fn trained() -> &'static str {
    static RUN: OnceLock<(TempDir, String)> = OnceLock::new();
    let (_, path) = RUN.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        train(&out, &[]);
        let path = out.to_str().unwrap().to_owned();
        (folder, path)
    });
    path
}

fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{}", crate::taper::stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn contributions_add_up_and_the_memory_is_accounted_for() {
    let found =
        json(&["inspect", trained(), "A lovely, lovely film.", "--row", "test:3", "--json"]);
    assert_eq!(found["format"], 1);
    let texts = found["texts"].as_array().unwrap();
    assert_eq!(texts.len(), 2);
    let predictions = json(&["predict", trained(), "A lovely, lovely film.", "--json"]);
    assert_eq!(texts[0]["prediction"]["label"], predictions[0]["label"]);
    assert_eq!(texts[0]["row"], Value::Null);
    assert_eq!(texts[1]["row"]["split"], "test");
    for text in texts {
        assert!(text["completeness"]["error"].as_f64().unwrap() < 0.01, "{}", text["completeness"]);
        let tokens = text["tokens"].as_array().unwrap();
        let sum: f64 = tokens.iter().map(|token| token["contribution"].as_f64().unwrap()).sum();
        assert!((sum - text["completeness"]["sum"].as_f64().unwrap()).abs() < 1e-4);
        let memory = text["memory"].as_array().unwrap();
        assert_eq!(memory.len(), 2);
        for memory in memory {
            assert!(memory["ledger_residual"].as_f64().unwrap() < 1e-5);
            let shares = memory["behaviour"].as_object().unwrap();
            let sum: f64 = shares.values().map(|share| share.as_f64().unwrap()).sum();
            assert!((sum - 1.0).abs() < 1e-5);
            assert_eq!(memory["tokens"]["f"].as_array().unwrap().len(), tokens.len());
        }
    }
    for method in ["gradient-x-input", "occlusion"] {
        let found = json(&["inspect", trained(), "A lovely film.", "--method", method, "--json"]);
        assert_eq!(found["method"], method);
        assert_eq!(found["texts"][0]["completeness"]["steps"], 0);
    }
}

#[test]
fn without_a_terminal_there_are_words_and_no_colours() {
    let lines = printed(&["inspect", trained(), "A lovely film.", ""]);
    assert!(lines.starts_with("a lovely film .\n"), "{lines}");
    for word in
        ["integrated gradients", "completeness error", "strongest", "remember", "ledger off by"]
    {
        assert!(lines.contains(word), "{word}: {lines}");
    }
    assert!(lines.contains("an empty text reads as one unknown word"), "{lines}");
    assert!(!lines.contains('\u{1b}'));
    let output = taper().args(["inspect", trained(), "\u{1b}[2Jfilm \u{9b}x"]).output().unwrap();
    assert!(output.status.success());
    assert!(!String::from_utf8(output.stdout).unwrap().contains(['\u{1b}', '\u{9b}']));
}

#[test]
fn files_hold_what_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let text = "</script><img src=x onerror=alert(1)> & \u{2028} A \u{1b}[2J film";
    let arguments =
        ["inspect", trained(), text, "--html", &at("a.html"), "--out", &at("a.json"), "--json"];
    let found = json(&arguments);
    let written: Value = serde_json::from_slice(&fs::read(at("a.json")).unwrap()).unwrap();
    assert_eq!(written, found);
    let page = fs::read_to_string(at("a.html")).unwrap();
    let (_, data) = page.split_once("id=\"data\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    assert_eq!(serde_json::from_str::<Value>(data).unwrap(), found);
    assert!(!data.contains(['<', '>', '&', '\u{2028}']));
    assert!(page.contains("default-src 'none'") && page.matches("</script>").count() == 2);
    // The name of SVG is not an address that anything goes to.
    let own = page.replace(data, "").replace("http://www.w3.org/2000/svg", "");
    for fetched in ["http://", "https://", "src=", "href=", "@import", "url(", "fetch("] {
        assert!(!own.contains(fetched), "{fetched}");
    }

    printed(&["inspect", trained(), text, "--out", &at("a.parquet")]);
    assert_eq!(&fs::read(at("a.parquet")).unwrap()[..4], b"PAR1");
    assert!(failure(&["inspect", trained(), "x", "--out", &at("a.txt")]).contains("FILE.parquet"));
    assert!(
        failure(&["inspect", trained(), "x", "--html", &at("no/a.html")]).contains("no/a.html")
    );
}

#[test]
fn long_and_unknown_texts_are_read_as_far_as_said() {
    let long = "film ".repeat(100_000);
    let folder = tempfile::tempdir().unwrap();
    // The model reads 24 tokens. A command line cannot hold more than 128 KiB in one argument.
    let found = json(&["inspect", trained(), &long[..100_000], "--json"]);
    assert_eq!(found["texts"][0]["tokens_in_text"], 20_000);
    assert_eq!(found["texts"][0]["cut"], "model");
    assert_eq!(found["texts"][0]["tokens"].as_array().unwrap().len(), 24);
    let lines = printed(&["inspect", trained(), &long[..100_000]]);
    assert!(lines.contains("the text has 20,000, of which the model reads no more"), "{lines}");

    // The same model, without the limit of its training.
    let copy = copy_of_run(folder.path());
    let config = fs::read_to_string(copy.join("config.json")).unwrap();
    fs::write(
        copy.join("config.json"),
        config.replace("\"max_length\": 24", "\"max_length\": null"),
    )
    .unwrap();
    let copy = copy.to_str().unwrap();
    let lines = printed(&["inspect", copy, &long[..25_000], "--method", "gradient-x-input"]);
    assert!(lines.contains("the text has 5,000, of which 4,096 are inspected"), "{lines}");

    let lines = printed(&["inspect", trained(), "qwxyz zzkx"]);
    assert!(lines.contains("2 tokens, 2 unknown"), "{lines}");
}

fn copy_of_run(folder: &Path) -> PathBuf {
    let copy = folder.join("copy");
    fs::create_dir(&copy).unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(Path::new(trained()).join(name), copy.join(name)).unwrap();
    }
    copy
}

#[test]
fn what_cannot_be_inspected_is_told_why() {
    let folder = tempfile::tempdir().unwrap();
    let copy = copy_of_run(folder.path());
    let path = copy.to_str().unwrap();
    assert!(failure(&["inspect", path, "--row", "test:0"]).contains("prepared"));
    assert!(failure(&["inspect", trained(), "--row", "test:1000"]).contains("no row `1000`"));

    let config = fs::read_to_string(copy.join("config.json")).unwrap();
    fs::write(copy.join("config.json"), config.replace("\"format\": 1", "\"format\": 7")).unwrap();
    assert!(failure(&["inspect", path, "x"]).contains("format 7; Taper 0.1.0 reads format 1"));
    fs::write(copy.join("config.json"), config).unwrap();
    fs::remove_file(copy.join("tokenizer.json")).unwrap();
    assert!(failure(&["inspect", path, "x"]).contains("tokenizer.json"));
    assert_eq!(run(&["inspect", path]).status.code(), Some(2));
}

#[test]
fn a_file_is_one_text() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("review.txt");
    let text = "A lovely film.\n\nLovely actors, too.\n";
    fs::write(&file, text).unwrap();
    let read = |found: Value| found["texts"].clone();
    let expected = read(json(&["inspect", trained(), text, "--json"]));
    assert_eq!(expected.as_array().unwrap().len(), 1);
    let path = file.to_str().unwrap();
    assert_eq!(read(json(&["inspect", trained(), "--input", path, "--json"])), expected);
    let mut command = taper();
    command.args(["inspect", trained(), "-i", "-", "--json"]);
    let output = command.stdin(fs::File::open(&file).unwrap()).output().unwrap();
    assert_eq!(read(serde_json::from_slice(&output.stdout).unwrap()), expected);
    fs::write(&file, b"caf\xe9").unwrap();
    assert!(failure(&["inspect", trained(), "-i", path]).contains("UTF-8 from byte 4"));
}

#[test]
fn a_split_is_counted_by_layer_direction_and_token() {
    let found = json(&["inspect", trained(), "--split", "test", "--json"]);
    assert_eq!(
        (&found["format"], &found["split"], &found["texts"]),
        (&1.into(), &"test".into(), &1000.into())
    );
    let number = |value: &Value| value.as_f64().unwrap();
    let behaviours = ["remember", "add", "erase", "overwrite"];
    let memory = found["memory"].as_array().unwrap();
    assert_eq!(memory.len(), 2);
    for (memory, direction) in memory.iter().zip(["forward", "backward"]) {
        assert_eq!(memory["direction"], direction);
        let sum = |gates: &Value| behaviours.map(|name| number(&gates[name])).iter().sum::<f64>();
        assert!((sum(memory) - 1.0).abs() < 1e-6);
        let tokens = memory["tokens"].as_array().unwrap();
        assert!(tokens.iter().all(|token| (sum(token) - 1.0).abs() < 1e-6));
        // Each token as often as it was read: together they are the split.
        let counts: f64 = tokens.iter().map(|token| number(&token["count"])).sum();
        assert_eq!(Some(counts as u64), found["tokens"].as_u64());
        for name in behaviours.into_iter().chain(["i", "f"]) {
            let weighted =
                tokens.iter().map(|token| number(&token[name]) * number(&token["count"]));
            let mean = weighted.sum::<f64>() / counts;
            assert!((mean - number(&memory[name])).abs() < 1e-5, "{name}");
        }
        assert!(tokens.iter().any(|token| token["token"] == "the"));
    }
    // What one text's inspection says of its tokens is in it.
    let one = json(&["inspect", trained(), "--row", "test:0", "--json"]);
    let read = one["texts"][0]["tokens"].as_array().unwrap();
    for token in read {
        let mut known = memory[0]["tokens"].as_array().unwrap().iter();
        assert!(known.any(|known| known["id"] == token["id"]), "{token}");
    }

    let words = printed(&["inspect", trained(), "--split", "test", "--at-least", "50"]);
    for part in ["test: 1,000 texts", "backward", "overwrite", "at least 50 times"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let message = failure(&["inspect", trained(), "--split", "tset"]);
    assert!(message.contains("tset"), "{message}");
    for wrong in [&["film"][..], &["--row", "test:0"], &["--html", "a.html"]] {
        let arguments = [&["inspect", trained(), "--split", "test"], wrong].concat();
        assert_eq!(run(&arguments).status.code(), Some(2), "{wrong:?}");
    }
}
