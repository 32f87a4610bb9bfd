//! A run goes on with the data it began with, vectors too, or says what differs.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::doctor::tree;
use crate::taper::{failure, json, run, stderr};

/// A vector of three numbers for two of the words; in word2vec's text format if there is to be a header.
fn vectors(path: &str, header: bool, scale: f32) {
    let head = if header { "2 3\n" } else { "" };
    let row = |word: &str, of: f32| format!("{word} {} {} {}\n", of * scale, 0.5, -0.25);
    fs::write(path, [head, &row("film", 1.0), &row("was", 2.0)].concat()).unwrap();
}

#[test]
fn a_run_goes_on_with_the_vectors_it_began_with() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    tree(&folder.path().join("data"));
    let (data, own, out) = (at("data"), at("own"), at("run"));
    let (file, same, other) = (at("glove.txt"), at("word2vec.txt"), at("other.txt"));
    vectors(&file, false, 1.0);
    vectors(&same, true, 1.0);
    vectors(&other, false, 3.0);
    let hold_out =
        ["--set", "data.hold_out={ fraction = 0.2, by = \"record\" }", "--set", "seed=1"];
    let three = ["--dataset", &data, "--set", "vectors.dimensions=3"];
    let small = ["--set", "model.hidden_size=4", "--set", "train.epochs=1"];
    let prepare = |to: &str, vectors: &str, more: &[&str]| {
        let arguments = ["prepare", "--json", "--prepared", to, "--vectors", vectors];
        json(&[&arguments[..], &three, &hold_out, more].concat());
    };
    let training = ["train", "--json", "--prepared", &own, "--vectors", &file, "--out", &out];
    let expected = json(&[&training[..], &three, &hold_out, &small].concat());
    let reference = Path::new(&out).join("prepared.json");
    let written = fs::read_to_string(&reference).unwrap();
    let document: Value = serde_json::from_str(&written).unwrap();
    let hash = document["vectors"].as_str().unwrap().to_owned();
    assert_eq!(hash.len(), 64, "{written}");

    // The same numbers, out of another file and prepared elsewhere.
    let resume = ["train", "--json", "--resume", &out];
    let moved = at("moved");
    let elsewhere = [&resume[..], &["--prepared", &moved]].concat();
    prepare(&moved, &same, &[]);
    assert_eq!(json(&elsewhere)["test"], expected["test"]);

    // Other numbers, others for the words without one, and none at all: told by the keys.
    let recipe = fs::read_to_string(Path::new(&out).join("recipe.toml")).unwrap();
    let longer = [&elsewhere[..], &["--force", "--set", "train.epochs=3"]].concat();
    for (source, more, told) in [
        (&*other, &[][..], "vectors.source"),
        (&file, &["--set", "vectors.missing=zero"], "vectors.missing: \"normal\" -> \"zero\""),
        ("none", &[], "embeddings.safetensors is none"),
    ] {
        prepare(&moved, source, more);
        let message = failure(&longer);
        for part in ["other word vectors", told, &hash[..12], &format!("--prepared {own}")] {
            assert!(message.contains(part), "{message} lacks {part}");
        }
        // The vectors have no say in what a model says of the texts.
        let judged = json(&["evaluate", &out, "--prepared", &moved, "--json", "--resamples", "0"]);
        assert_eq!(judged["correct"], expected["test"]["correct"]);
    }
    assert_eq!(fs::read_to_string(Path::new(&out).join("recipe.toml")).unwrap(), recipe);

    // The same recipe, but its file has changed.
    vectors(&file, false, 5.0);
    prepare(&own, &file, &small);
    let message = failure(&resume);
    assert!(message.contains("other word vectors"), "{message}");
    assert!(message.contains("a file that it names has changed"), "{message}");
    json(&["evaluate", &out, "--json", "--resamples", "0"]);
    // The report tells of the run's, and of no others.
    let reported = run(&["report", &out]);
    assert!(reported.status.success(), "{}", stderr(&reported));
    let page = fs::read_to_string(Path::new(&out).join("report.html")).unwrap();
    assert!(page.contains(&hash) && page.contains("fingerprint, encoded"), "{page}");
    assert!(!page.contains("fingerprint, vectors"));

    // A run of an earlier version knows its texts alone, and says so.
    let mut old = document;
    old.as_object_mut().unwrap().remove("vectors");
    fs::write(&reference, old.to_string()).unwrap();
    let output = run(&resume);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("did not write down its word vectors"), "{output:?}");
    old["fingerprint"] = "0".repeat(64).into();
    fs::write(&reference, old.to_string()).unwrap();
    let message = failure(&resume);
    assert!(message.contains("other texts, labels or tokens (fingerprint "), "{message}");
    assert!(message.contains("the run's 000000000000)"), "{message}");
}
