//! A data set with one of everything that can be wrong: each is found, repaired where it is to be, and traced.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use taper_corpus::{CorpusWriter, Record};
use tempfile::TempDir;

use super::*;
use crate::prepare::{Dataset, PrepareEvent, PrepareOptions, VectorSource, prepare};
use crate::trace;

struct Ward {
    folder: TempDir,
    recipe: Recipe,
}

/// Twelve words that no other number has.
fn plain(number: usize) -> String {
    let words: Vec<String> = (0..12).map(|word| format!("w{number}x{word}")).collect();
    words.join(" ")
}

/// One word of many changed.
fn nearly(number: usize) -> String {
    format!("{} as said", plain(number))
}

impl Ward {
    fn new() -> Self {
        let recipe = "[text]\nlowercase = true\n[vectors]\nsource = \"vectors.txt\"\ndimensions = 2\ncase = \"exact\"";
        let ward = Self {
            folder: tempfile::tempdir().unwrap(),
            recipe: Recipe::parse(recipe, "test", &[]).unwrap(),
        };
        let classes = ["neg".to_owned(), "pos".to_owned()];
        let mut writer =
            CorpusWriter::create(&ward.at("source"), &classes, &BTreeMap::new()).unwrap();
        let mut write = |split: &str, text: String, label: Option<u32>, group: Option<&str>| {
            let id = format!(
                "{split}-{}",
                text.len() * 7 + text.bytes().map(usize::from).sum::<usize>()
            );
            let group = group.map(str::to_owned);
            writer.write(split, Record { id, text, label, labels: None, group }).unwrap();
        };
        for number in 0..20 {
            write("train", plain(number), Some((number % 2) as u32), Some("studio"));
            write("test", plain(100 + number), Some((number % 2) as u32), None);
        }
        // Train: 20 and 21 repeat 0 (one with another label), 22 and 23 leak from test, 24 is empty, 25 is one word.
        write("train", plain(0), Some(0), None);
        write("train", plain(0), Some(1), None);
        write("train", plain(101), Some(1), None);
        write("train", nearly(102), Some(0), None);
        write("train", "<br />".to_owned(), Some(0), None);
        write("train", "good".to_owned(), Some(1), None);
        write("train", "itâ€™s <i>lost</i> \u{fffd} &amp; found\u{85}".to_owned(), Some(0), None);
        write(
            "test",
            "a film of the studio with words of its own".to_owned(),
            Some(1),
            Some("studio"),
        );
        write("unsupervised", plain(103), None, None);
        write("unsupervised", plain(3), None, None);
        write("unsupervised", plain(200), None, None);
        writer.finish().unwrap();
        fs::write(ward.at("vectors.txt"), "good 1 2\nw0x0 3 4\n").unwrap();
        ward
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn prepare(&self, recipe: &Recipe) -> Result<Prepared> {
        let output = self.at("prepared");
        let options = PrepareOptions {
            recipe,
            dataset: Dataset::Path(self.at("source")),
            vectors: VectorSource::Path(self.at("vectors.txt")),
            output: &output,
        };
        prepare(&options, &mut |_: PrepareEvent| {})
    }
}

fn kinds(diagnosis: &Diagnosis, severity: Severity) -> Vec<&'static str> {
    let findings = diagnosis.findings.iter().filter(|finding| finding.severity == severity);
    findings.map(|finding| finding.kind).collect()
}

#[test]
fn everything_wrong_is_found() {
    let ward = Ward::new();
    let prepared = ward.prepare(&ward.recipe).unwrap();
    let found = examine(&prepared, Some(5)).unwrap();

    let names: Vec<&str> = found.splits.iter().map(|split| split.split.as_str()).collect();
    assert_eq!(names, ["train", "test", "unsupervised"]);
    let train = &found.splits[0];
    assert_eq!((train.rows, train.distinct, train.groups), (27, 25, 1));
    assert_eq!((train.repeats.identical_texts, train.repeats.extra_rows), (1, 2));
    assert_eq!((train.empty, train.one_token), (1, 1));
    assert_eq!((train.defects.damaged_texts, train.defects.markup_texts), (1, 1));
    let characters = train.defects.characters;
    assert_eq!((characters.replacements, characters.mojibake, characters.controls), (1, 1, 1));
    assert_eq!((characters.tags, characters.entities), (2, 1));
    assert_eq!(train.cuts[0].max_length, 5);
    assert!(train.cuts[0].texts >= 24 && train.cuts[0].tokens >= 24 * 7, "{:?}", train.cuts[0]);
    // `good` once, `w0x0` in three texts.
    assert_eq!(train.coverage.with_vector, Some(4));
    assert_eq!(train.coverage.tokens, train.coverage.in_vocabulary);
    assert!(train.drift.is_none());
    let test = &found.splits[1];
    assert!(test.coverage.in_vocabulary * 2 < test.coverage.tokens);
    let drift = test.drift.as_ref().unwrap();
    assert!(drift.js_divergence > 0.5 && drift.words.len() == 10, "{drift:?}");

    let across = &found.pairs[0];
    assert_eq!((across.splits[0].as_str(), across.splits[1].as_str()), ("train", "test"));
    assert_eq!((across.identical_texts, across.identical_rows), (1, [1, 1]));
    assert_eq!((across.near_pairs, across.near_rows), (1, [1, 1]));
    assert_eq!((across.groups, across.judges), (1, true));
    let unlabelled = &found.pairs[1];
    assert_eq!((unlabelled.identical_texts, unlabelled.judges), (1, false));
    assert_eq!((found.conflicts.identical_texts, found.conflicts.near_pairs), (1, 0));
    // Two rows of train, one of unsupervised.
    assert_eq!(found.leaking_rows, 3);

    let leaks = ["identical_across", "near_across", "identical_across"];
    assert_eq!(kinds(&found, Severity::Leak), leaks);
    let warnings = kinds(&found, Severity::Warning);
    for kind in
        ["group_across", "label_conflict", "identical_within", "empty", "encoding", "coverage"]
    {
        assert!(warnings.contains(&kind), "{kind}: {warnings:?}");
    }
    let examples = |kind: &str| {
        let finding = found.findings.iter().find(|finding| finding.kind == kind).unwrap();
        let text = |row: &String| trace(&prepared, row).unwrap().text;
        let rows = finding.examples.iter();
        rows.map(|row| (text(&row.row), row.like.as_ref().map(text))).collect::<Vec<_>>()
    };
    let damaged = "itâ€™s <i>lost</i> \u{fffd} &amp; found\u{85}".to_owned();
    assert_eq!(examples("encoding"), [(damaged.clone(), None)]);
    assert_eq!(examples("markup"), [(damaged, None)]);
    assert_eq!(examples("empty"), [("<br />".to_owned(), None), ("good".to_owned(), None)]);
    let groups = examples("group_across");
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].1.as_deref(), Some("a film of the studio with words of its own"));
    let identical = &found.findings[0];
    assert_eq!(identical.message, "1 text in both train and test (1 and 1 rows)");
    let row = &identical.examples[0].row;
    let traced = trace(&prepared, row).unwrap();
    assert_eq!((traced.split.as_str(), traced.text), ("train", plain(101)));
    assert_eq!(
        trace(&prepared, identical.examples[0].like.as_ref().unwrap()).unwrap().text,
        plain(101)
    );

    let lines = glance(&prepared).unwrap();
    assert_eq!(lines[0], "texts that repeat an earlier one: 2 in train");
    assert_eq!(
        lines[1],
        "texts in two splits: 1 in train and test, 1 in train and unsupervised, 1 in test and unsupervised"
    );
}

#[test]
fn of_copies_the_labelled_one_disagrees_and_many_alike_are_told() {
    let ward = Ward::new();
    let source = ward.at("copies");
    let classes = ["neg".to_owned(), "pos".to_owned()];
    let mut writer = CorpusWriter::create(&source, &classes, &BTreeMap::new()).unwrap();
    let mut write = |split: &str, id: usize, text: String, label: Option<u32>| {
        let record = Record { id: id.to_string(), text, label, labels: None, group: None };
        writer.write(split, record).unwrap();
    };
    for number in 0..40 {
        write("train", number, format!("{} number {number}", plain(7)), Some(0));
    }
    write("train", 40, plain(1), Some(1));
    write("train", 41, nearly(300), Some(0));
    // The first copy of what that is near to has no label.
    write("test", 0, plain(300), None);
    write("written_later", 0, plain(300), Some(1));
    writer.finish().unwrap();
    let output = ward.at("prepared");
    let options = PrepareOptions {
        recipe: &ward.recipe,
        dataset: Dataset::Path(source),
        vectors: VectorSource::Path(ward.at("vectors.txt")),
        output: &output,
    };
    let found = examine(&prepare(&options, &mut |_: PrepareEvent| {}).unwrap(), None).unwrap();
    assert_eq!((found.conflicts.identical_texts, found.conflicts.near_pairs), (0, 1));
    assert_eq!(found.crowded_texts, 40);
    assert!(kinds(&found, Severity::Note).contains(&"near_crowded"));
}

#[test]
fn rows_with_a_twin_in_training_are_known() {
    let ward = Ward::new();
    let prepared = ward.prepare(&ward.recipe).unwrap();
    let twins = twins_in_training(&prepared, "test").unwrap();
    assert_eq!(twins.len(), 21);
    assert_eq!(twins[..4], [Twin::None, Twin::Identical, Twin::Near, Twin::None]);
    assert!(twins[4..].iter().all(|twin| *twin == Twin::None), "{twins:?}");
    // What the third split shares with test is not learned; what it shares with train is.
    let twins = twins_in_training(&prepared, "unsupervised").unwrap();
    assert_eq!(twins, [Twin::None, Twin::Identical, Twin::None]);
    assert!(twins_in_training(&prepared, "tset").unwrap_err().to_string().contains("`tset`"));
}

#[test]
fn repaired_it_leaks_no_more_and_stays_repaired() {
    let ward = Ward::new();
    let prepared = ward.prepare(&ward.recipe).unwrap();
    let fixed = fixed_recipe(prepared.manifest());
    let before = prepared.manifest().clone();
    drop(prepared);

    let prepared = ward.prepare(&fixed).unwrap();
    let manifest = prepared.manifest();
    let of = |split: &str| (manifest.splits[split].rows, manifest.splits[split].dropped);
    assert_eq!([of("train"), of("test"), of("unsupervised")], [(25, 2), (21, 0), (2, 1)]);
    assert_ne!(manifest.stages, before.stages);
    let found = examine(&prepared, None).unwrap();
    assert_eq!((found.leaking_rows, kinds(&found, Severity::Leak).len()), (0, 0));
    let dropped = fs::read_to_string(ward.at("prepared/corpus/dropped.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> =
        dropped.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!((&lines[0]["split"], &lines[0]["similarity"]), (&"train".into(), &().into()));
    assert_eq!(lines[1]["repeats"]["split"], "test");
    assert!(lines[1]["similarity"].as_f64().unwrap() > 0.5);
    let repaired = manifest.stages.clone();
    drop(prepared);

    // The recipe as it was would take the rows back in: not without being told to.
    let message = ward.prepare(&ward.recipe).unwrap_err().to_string();
    assert!(message.contains("data.drop_leaks=near") && message.contains("=keep"), "{message}");
    let mut keep = ward.recipe.clone();
    keep.data.drop_leaks = Some(DropLeaks::Near);
    assert_eq!(ward.prepare(&keep).unwrap().manifest().stages, repaired);
    keep.data.drop_leaks = Some(DropLeaks::Keep);
    assert_eq!(ward.prepare(&keep).unwrap().manifest().stages, before.stages);
    // And then nothing is in the way.
    assert_eq!(ward.prepare(&ward.recipe).unwrap().manifest().stages, before.stages);
}

#[test]
fn identical_texts_alone_can_go() {
    let ward = Ward::new();
    let mut recipe = ward.recipe.clone();
    recipe.data.drop_leaks = Some(DropLeaks::Identical);
    let prepared = ward.prepare(&recipe).unwrap();
    assert_eq!(prepared.manifest().splits["train"].dropped, 1);
    let found = examine(&prepared, None).unwrap();
    assert_eq!(kinds(&found, Severity::Leak), ["near_across"]);
    assert_eq!(found.leaking_rows, 1);
}

#[test]
fn what_a_held_out_split_judges_goes_from_train() {
    let ward = Ward::new();
    let mut recipe = ward.recipe.clone();
    recipe.data.hold_out =
        Some(crate::recipe::HoldOut { fraction: 0.5, by: crate::recipe::HoldOutBy::Record });
    recipe.data.drop_leaks = Some(DropLeaks::Near);
    let prepared = ward.prepare(&recipe).unwrap();
    assert_eq!(examine(&prepared, None).unwrap().leaking_rows, 0);
    let splits = &prepared.manifest().splits;
    let sum = |split: &str| splits[split].rows + splits[split].dropped;
    assert_eq!(sum("train") + sum("validation"), 27);
}

#[test]
fn a_row_is_followed_to_its_ids() {
    let ward = Ward::new();
    let prepared = ward.prepare(&ward.recipe).unwrap();
    let traced = trace(&prepared, "train:25").unwrap();
    assert_eq!((traced.text.as_str(), traced.label.as_deref()), ("good", Some("pos")));
    assert_eq!(traced.without_vector, Some(vec![]));
    let by_id = trace(&prepared, &format!("train:{}", traced.id)).unwrap();
    assert_eq!(by_id, traced);

    let traced = trace(&prepared, "test:20").unwrap();
    assert_eq!(traced.group.as_deref(), Some("studio"));
    assert!(traced.unknown.contains(&"film".to_owned()), "{:?}", traced.unknown);
    let traced = trace(&prepared, "train:26").unwrap();
    assert_eq!(traced.cleaned.as_deref(), Some("itâ€™s <i>lost</i> \u{fffd} &amp; found\u{85}"));
    assert!(traced.without_vector.unwrap().contains(&"lost".to_owned()));
    assert_eq!(trace(&prepared, "train:24").unwrap().tokens, []);

    for (row, parts) in [
        ("train", ["names no row", "SPLIT:ID"]),
        ("dev:0", ["no split `dev`", "train"]),
        ("train:27", ["no row `27`", "27"]),
        ("../x:0", ["no split", "train"]),
    ] {
        let message = trace(&prepared, row).unwrap_err().to_string();
        assert!(parts.iter().all(|part| message.contains(part)), "{row}: {message}");
    }
}

#[test]
fn the_page_needs_nothing_from_outside() {
    let ward = Ward::new();
    let mut recipe = ward.recipe.clone();
    recipe.data.dataset = "<script>alert(1)</script>".to_owned();
    let prepared = ward.prepare(&recipe).unwrap();
    let page = page(&examine(&prepared, None).unwrap());
    for absent in ["<script", "http:", "https:", "url(", "@import", "src=", "NaN"] {
        assert!(!page.contains(absent), "{absent}");
    }
    assert!(page.contains("&lt;script&gt;") && page.contains("prefers-color-scheme:dark"));
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    let path = ward.at("page.html");
    write_page(&path, &examine(&prepared, None).unwrap()).unwrap();
    assert_eq!(fs::read_to_string(path).unwrap(), page);
    assert!(
        write_page(Path::new("/nowhere/page.html"), &examine(&prepared, None).unwrap()).is_err()
    );
}

#[test]
fn few_texts_of_the_same_kind_do_not_drift() {
    let ward = Ward::new();
    let classes = ["neg".to_owned(), "pos".to_owned()];
    let mut writer = CorpusWriter::create(&ward.at("source"), &classes, &BTreeMap::new()).unwrap();
    let mut state = 1_u64;
    // A few words are frequent, and most are rare, as in any language.
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let uniform = (state >> 40) as f64 / f64::from(1 << 24);
        format!("w{}", 3000_f64.powf(uniform) as u32)
    };
    for (split, rows) in [("train", 2_000), ("test", 20)] {
        for row in 0..rows {
            let text = (0..30).map(|_| word()).collect::<Vec<_>>().join(" ");
            let label = Some(row % 2);
            let record = Record { id: row.to_string(), text, label, labels: None, group: None };
            writer.write(split, record).unwrap();
        }
    }
    writer.finish().unwrap();
    let found = examine(&ward.prepare(&ward.recipe).unwrap(), None).unwrap();
    let drift = found.splits[1].drift.as_ref().unwrap();
    // Much more than between two large samples, and no more than chance gives.
    assert!(drift.js_divergence > 0.1 && drift.floor > 0.1, "{drift:?}");
    assert!(!kinds(&found, Severity::Warning).contains(&"drift"), "{drift:?}");
}
