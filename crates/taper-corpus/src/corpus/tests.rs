//! Corpora: round trips, summaries, and what an unfinished one leaves.
#![allow(clippy::unwrap_used)]

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::columns::records;

fn names() -> Vec<String> {
    vec!["neg".to_owned(), "pos".to_owned()]
}

fn record(id: &str, text: &str, label: Option<u32>, group: Option<&str>) -> Record {
    Record {
        id: id.to_owned(),
        text: text.to_owned(),
        label,
        labels: None,
        group: group.map(str::to_owned),
    }
}

fn write(dir: &Path, rows: &[(&str, Record)]) -> Result<Vec<SplitSummary>> {
    let lineage = BTreeMap::from([("source".to_owned(), "test".to_owned())]);
    let mut writer = CorpusWriter::create(dir, &names(), &lineage)?;
    for (split, record) in rows {
        writer.write(split, record.clone())?;
    }
    writer.finish()
}

fn three() -> Vec<(&'static str, Record)> {
    vec![
        ("test", record("c", "so so", Some(0), None)),
        ("train", record("a", "good \u{1f600}", Some(1), Some("tt1"))),
        ("unsupervised", record("d", "who knows", None, Some("tt1"))),
        ("train", record("b", "bad", Some(0), Some("tt2"))),
    ]
}

#[test]
fn the_summary_counts_and_the_files_stand() {
    let dir = tempfile::tempdir().unwrap();
    let summaries = write(dir.path(), &three()).unwrap();
    let splits: Vec<&str> = summaries.iter().map(|summary| summary.split.as_str()).collect();
    assert_eq!(splits, ["train", "test", "unsupervised"]);
    let counts: Vec<(u64, &[u64], u64)> =
        summaries.iter().map(|s| (s.rows, s.labels.as_slice(), s.unlabelled)).collect();
    assert_eq!(counts, [(2, &[1, 1][..], 0), (1, &[1, 0], 0), (1, &[0, 0], 1)]);
    assert_eq!(summaries[0].files, [dir.path().join("train-00000-of-00001.parquet")]);
    let train: Vec<Record> = records(dir.path(), "train").unwrap().map(Result::unwrap).collect();
    assert_eq!(train, [three()[1].1.clone(), three()[3].1.clone()]);
}

#[test]
fn content_tells_any_field_and_the_order() {
    let content = |rows: &[(&str, Record)]| {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), rows).unwrap().remove(0).content
    };
    let base =
        [("train", record("a", "xy", Some(1), None)), ("train", record("b", "", Some(1), None))];
    let mut seen = vec![content(&base)];
    assert_eq!(seen[0], content(&base));
    for other in [
        record("ax", "y", Some(1), None),
        record("a", "xy", Some(0), None),
        record("a", "xy", None, None),
        record("a", "xy", Some(1), Some("")),
    ] {
        seen.push(content(&[("train", other), base[1].clone()]));
    }
    seen.push(content(&[base[1].clone(), base[0].clone()]));
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 6);
}

#[test]
fn an_unknown_label_and_no_record_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("corpus");
    let message =
        write(&out, &[("train", record("a9", "x", Some(2), None))]).unwrap_err().to_string();
    assert!(message.contains("a9") && message.contains("unknown label 2"), "{message}");
    let message = write(&out, &[]).unwrap_err().to_string();
    assert!(message.contains("no rows"), "{message}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
}

#[test]
fn an_unfinished_corpus_leaves_the_earlier_one() {
    let dir = tempfile::tempdir().unwrap();
    let before = write(dir.path(), &three()).unwrap();
    let mut writer = CorpusWriter::create(dir.path(), &names(), &BTreeMap::new()).unwrap();
    writer.write("train", record("z", "other", Some(1), None)).unwrap();
    drop(writer);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    let train: Vec<Record> = records(dir.path(), "train").unwrap().map(Result::unwrap).collect();
    assert_eq!(train.len() as u64, before[0].rows);
}

#[test]
fn long_and_many_texts_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let long = "word ".repeat(300_000);
    let rows: Vec<(&str, Record)> = (0..3_000)
        .map(|row| {
            let text = if row == 1_500 { long.clone() } else { format!("text {row}") };
            ("train", record(&format!("train/{row}"), &text, Some(row % 2), None))
        })
        .collect();
    write(dir.path(), &rows).unwrap();
    let back: Vec<Record> = records(dir.path(), "train").unwrap().map(Result::unwrap).collect();
    assert!(back.iter().eq(rows.iter().map(|(_, record)| record)));
}

#[test]
fn shards_are_cut_by_size() {
    let dir = tempfile::tempdir().unwrap();
    let text = |row: u32| blake3::hash(&row.to_le_bytes()).to_hex().to_string();
    let rows: Vec<Record> =
        (0..20_000).map(|row| record(&row.to_string(), &text(row), Some(row % 2), None)).collect();
    let writer = CorpusWriter::create(dir.path(), &names(), &BTreeMap::new()).unwrap();
    let mut writer = writer.with_max_shard_bytes(200_000);
    for row in &rows {
        writer.write("train", row.clone()).unwrap();
    }
    let files = writer.finish().unwrap().remove(0).files;
    assert!((4..40).contains(&files.len()), "{}", files.len());
    let back: Vec<Record> = records(dir.path(), "train").unwrap().map(Result::unwrap).collect();
    assert!(back == rows);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn records_survive(rows in prop::collection::vec(
        ("\\PC{0,9}", any::<String>(), 0..2_u32, prop::option::of("\\PC{0,9}")), 1..30)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let rows: Vec<(&str, Record)> = rows
            .iter()
            .map(|(id, text, label, group)| ("train", record(id, text, Some(*label), group.as_deref())))
            .collect();
        write(dir.path(), &rows).unwrap();
        let back: Vec<Record> = records(dir.path(), "train").unwrap().map(Result::unwrap).collect();
        prop_assert!(back.iter().eq(rows.iter().map(|(_, record)| record)));
    }
}
