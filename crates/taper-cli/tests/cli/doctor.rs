//! `taper doctor` and `taper trace`: on the sample, and on reviews that leak.

use std::fs;
use std::path::Path;

use crate::taper::{failure, json, prepared, run, stderr};

#[test]
fn the_sample_is_well_and_has_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let page = page.to_str().unwrap();
    let found =
        json(&["doctor", prepared(), "--json", "--strict", "--html", page, "--max-length", "400"]);
    assert_eq!(found["leaking_rows"], 0);
    assert_eq!(found["splits"][0]["split"], "train");
    assert_eq!(found["splits"][0]["rows"], 2000);
    assert_eq!(found["splits"][0]["cuts"][3]["max_length"], 400);
    assert!(found["splits"][1]["drift"]["js_divergence"].as_f64().unwrap() > 0.0);
    assert!(fs::read_to_string(page).unwrap().contains("<svg"));

    let threads = json(&["doctor", prepared(), "--json", "--threads", "1"]);
    let threads_of = |value: &serde_json::Value| value["pairs"].clone();
    assert_eq!(threads_of(&threads), threads_of(&found));
}

#[test]
fn a_row_is_traced() {
    let by_number = json(&["trace", prepared(), "--row", "train:3", "--json"]);
    let id = by_number["id"].as_str().unwrap();
    assert_eq!(json(&["trace", prepared(), "--row", &format!("train:{id}"), "--json"]), by_number);
    assert!(by_number["tokens"][0]["id"].is_u64());
    let text = String::from_utf8(run(&["trace", prepared(), "--row", "train:3"]).stdout).unwrap();
    for line in ["source ", "label ", "cleaned ", "tokens ", "unknown ", "no vector "] {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line}: {text}");
    }
    assert!(failure(&["trace", prepared(), "--row", "train:9999"]).contains("2000"));
}

pub(crate) fn tree(root: &Path) {
    for split in ["train", "test"] {
        for (class, word) in [("neg", "dull"), ("pos", "bright")] {
            let folder = root.join(split).join(class);
            fs::create_dir_all(&folder).unwrap();
            for index in 0..10 {
                let text =
                    format!("A {word} film number {index} of the {split} reviews, all told.");
                fs::write(folder.join(format!("{index}_5.txt")), text).unwrap();
            }
        }
    }
    fs::copy(root.join("test/pos/3_5.txt"), root.join("train/pos/10_5.txt")).unwrap();
}

#[test]
fn what_does_not_leak_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (data, prepared) = (folder.path().join("data"), folder.path().join("prepared"));
    tree(&data);
    fs::remove_file(data.join("train/pos/10_5.txt")).unwrap();
    let [data, prepared] = [&data, &prepared].map(|path| path.to_str().unwrap());
    let prepare = ["prepare", "--vectors", "none", "--dataset", data, "--prepared", prepared];
    run(&prepare);
    let output = run(&["doctor", prepared, "--fix", "--json"]);
    assert!(stderr(&output).contains("nothing leaks"), "{}", stderr(&output));
    let again = run(&prepare);
    assert!(stderr(&again).contains("corpus: up to date"), "{}", stderr(&again));
}

#[test]
fn leaks_fail_strict_are_dropped_and_stay_away() {
    let folder = tempfile::tempdir().unwrap();
    let (data, prepared) = (folder.path().join("data"), folder.path().join("prepared"));
    tree(&data);
    let [data, prepared] = [&data, &prepared].map(|path| path.to_str().unwrap());
    let prepare = ["prepare", "--vectors", "none", "--dataset", data, "--prepared", prepared];
    let output = run(&prepare);
    assert!(
        stderr(&output).contains("texts in two splits: 1 in train and test"),
        "{}",
        stderr(&output)
    );

    let output = run(&["doctor", prepared, "--strict"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("LEAK     1 text in both train and test"), "{text}");
    assert!(text.contains("train:train/pos/10 like test:test/pos/3"), "{text}");

    let fixed = json(&["doctor", prepared, "--fix", "--strict", "--json"]);
    assert_eq!((&fixed["leaking_rows"], &fixed["splits"][0]["rows"]), (&0.into(), &20.into()));
    assert!(failure(&prepare).contains("--set data.drop_leaks=near"));
    let planned = failure(&[&prepare[..], &["--dry-run"]].concat());
    assert!(planned.contains("--set data.drop_leaks=near"), "{planned}");
    let keep = run(&[&prepare[..], &["--set", "data.drop_leaks=near"]].concat());
    assert!(stderr(&keep).contains("corpus: up to date"), "{}", stderr(&keep));
    let back = json(&[&prepare[..], &["--set", "data.drop_leaks=keep", "--json"]].concat());
    assert_eq!(back["splits"]["train"]["rows"], 21);
    assert!(failure(&["doctor", data]).contains("manifest.json"));
}
