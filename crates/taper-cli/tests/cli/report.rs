//! What a run writes about itself: `metrics.jsonl`, `report.html`, plots, TensorBoard's events, training dynamics.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::taper::{failure, json, run, stderr, train};

/// The fields that `docs/metrics.md` has for each event.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let text = fs::read_to_string(path).unwrap();
    let mut events = BTreeMap::new();
    let mut event = None;
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            event = title.strip_prefix('`').map(|title| title.trim_end_matches('`').to_owned());
            if let Some(event) = &event {
                events.insert(event.clone(), BTreeSet::new());
            }
        }
        let field = line.strip_prefix("| `").and_then(|rest| rest.split('`').next());
        if let Some((event, field)) = event.as_ref().zip(field) {
            events.get_mut(event).unwrap().insert(field.to_owned());
        }
    }
    events
}

#[test]
fn every_line_of_metrics_has_the_documented_fields() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    train(&out, &["--set", "train.epochs=1"]);
    // With so high a rate no later epoch is better.
    let again = ["--force", "--set", "train.epochs=9", "--set", "train.patience=1"];
    let rate = ["--set", "train.optimizer.learning_rate=0.3"];
    let resume = ["train", "--json", "--resume", out.to_str().unwrap()];
    json(&[&resume[..], &again, &rate].concat());

    let documented = documented();
    let mut seen = BTreeSet::new();
    for line in fs::read_to_string(out.join("metrics.jsonl")).unwrap().lines() {
        let line: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
        let event = line["event"].as_str().unwrap().to_owned();
        let fields: BTreeSet<String> = line.into_keys().filter(|key| key != "event").collect();
        assert_eq!(Some(&fields), documented.get(&event), "{event}");
        seen.insert(event);
    }
    assert_eq!(seen, documented.into_keys().collect(), "every documented event happened");
}

#[test]
fn a_run_reports_on_itself() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    train(&out, &[]);
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    let plots = [
        "loss",
        "accuracy",
        "loss-by-step",
        "accuracy-by-step",
        "gradient-norm",
        "learning-rate",
        "tokens-per-second",
        "confusion",
        "roc",
        "precision-recall",
        "reliability",
        "lengths",
        "errors",
        "data-map",
        "confidence",
        "forgetting",
    ];
    for plot in plots {
        assert!(page.contains(&format!("<figure id=\"plot-{plot}\"><svg")), "{plot}");
        let svg = fs::read_to_string(out.join(format!("plots/{plot}.svg"))).unwrap();
        assert!(!svg.contains("var(") && !svg.contains("nothing to show"), "{plot}: {svg}");
        let png = fs::read(out.join(format!("plots/{plot}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG"), "{plot}");
    }
    assert!(!page.contains("nothing to show") && !page.contains("NaN"));
    for part in [
        "Surest mistakes",
        "Labels that are likely wrong",
        ">model.hidden_size</th>",
        "fingerprint, encoded",
        "BLAKE3, model.safetensors",
        "tokens/s, evaluation not counted",
        "kernel ",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.matches("<blockquote").count() > 20, "20 mistakes, and labels");
    // Nothing from elsewhere.
    for word in ["http:", "https:", "<script", "@import", "url("] {
        let without_texts =
            page.split("<blockquote").map(|part| part.split("</blockquote>").last());
        assert!(without_texts.flatten().all(|part| !part.contains(word)), "{word}");
    }
    for epoch in 1..=2 {
        let file = fs::read(out.join(format!("dynamics/epoch-0000{epoch}.safetensors"))).unwrap();
        assert!(file.len() > 2000 * 5);
    }
    let events = fs::read(out.join("tensorboard/events.out.tfevents.0.taper")).unwrap();
    assert!(events.len() > 500 * 100);

    // Written again, it is the same; elsewhere, too.
    let elsewhere = folder.path().join("page.html");
    let printed = run(&["report", out.to_str().unwrap(), "--out", elsewhere.to_str().unwrap()]);
    assert!(printed.status.success(), "{}", stderr(&printed));
    assert_eq!(printed.stdout, format!("{}\n", elsewhere.display()).as_bytes());
    assert!(fs::read_to_string(&elsewhere).unwrap() == page);

    // As of a run still in training, that another process has locked, and whose last line is half written.
    fs::remove_file(out.join("README.md")).unwrap();
    let metrics = fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    fs::write(out.join("metrics.jsonl"), &metrics[..metrics.len() / 2]).unwrap();
    let printed = run(&["report", out.to_str().unwrap()]);
    assert!(printed.status.success(), "{}", stderr(&printed));
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("The run is not finished") && page.contains("plot-loss-by-step"));

    // Without the data there are no texts.
    fs::write(out.join("prepared.json"), r#"{"path":"/nowhere/at/all","fingerprint":"x"}"#)
        .unwrap();
    let printed = run(&["report", out.to_str().unwrap()]);
    assert!(printed.status.success() && stderr(&printed).contains("without texts"));
    assert!(!fs::read_to_string(out.join("report.html")).unwrap().contains("<blockquote"));
    let message = failure(&["report", folder.path().to_str().unwrap()]);
    assert!(message.contains("no run"), "{message}");
}

#[test]
fn of_ones_own_data_the_card_and_the_report_say_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = folder.path().join("data");
    fs::create_dir(&dataset).unwrap();
    // No test split, and names that no heading and no XML can hold.
    for (split, rows) in [("train", 20), ("validation", 10)] {
        let row = |row: usize| match row % 2 {
            0 => "{\"text\": \"good\", \"label\": \"a\\u0001b\"}\n",
            _ => "{\"text\": \"bad\", \"label\": \"c\\nd\"}\n",
        };
        let rows: String = (0..rows).map(row).collect();
        fs::write(dataset.join(format!("{split}.jsonl")), rows).unwrap();
    }
    let out = folder.path().join("run");
    let [dataset, prepared, at] = [dataset, folder.path().join("prepared"), out.clone()]
        .map(|path| path.to_str().unwrap().to_owned());
    let printed = run(&[
        "train",
        "-q",
        "--dataset",
        &dataset,
        "--vectors",
        "none",
        "--prepared",
        &prepared,
        "--out",
        &at,
        "--set",
        "model.hidden_size=4",
        "--set",
        "train.epochs=1",
    ]);
    assert!(printed.status.success(), "{}", stderr(&printed));

    let card = fs::read_to_string(out.join("README.md")).unwrap();
    assert!(card.contains("\n# Text classifier: a b, c d\n"), "{card}");
    assert!(!card.contains("2,000 reviews"), "{card}");
    assert!(card.contains("By the recipe `quickstart`, but for `data.dataset`, "), "{card}");
    assert!(card.contains("\n| validation | 10 | "), "{card}");
    let again = "`taper evaluate --split validation` on this folder repeats the figure";
    assert!(card.contains(again) && card.contains("no labelled test split"), "{card}");
    let figures = json(&["evaluate", &at, "--split", "validation", "--json"]);
    assert!(card.contains(&format!("| validation | 10 | {} | ", figures["correct"])), "{card}");

    let page = fs::read_to_string(out.join("report.html")).unwrap();
    let (header, _) = page.split_once("</header>").unwrap();
    assert!(header.contains("By the recipe `quickstart`") && !header.contains("2,000"), "{header}");
    let plots = fs::read_dir(out.join("plots")).unwrap().map(|entry| entry.unwrap().path());
    let drawn: Vec<_> = plots.filter(|path| path.extension().unwrap() == "svg").collect();
    assert!(drawn.len() > 3, "{drawn:?}");
    for path in drawn.iter().chain([&out.join("report.html")]) {
        let text = fs::read_to_string(path).unwrap();
        let bad = text.chars().find(|letter| letter.is_control() && !"\n\r\t".contains(*letter));
        assert_eq!(bad, None, "{path:?}");
    }
    let matrix = fs::read_to_string(out.join("plots/confusion.svg")).unwrap();
    assert!(matrix.contains("a\u{fffd}b"), "{matrix}");
}
