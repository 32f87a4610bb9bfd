//! Texts of any number of labels: the same rows in every form, written and read back, and what is wrong with one.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, ListBuilder, RecordBatch, StringArray, StringBuilder};
use parquet::arrow::ArrowWriter;
use taper_corpus::{
    CorpusWriter, Error, Format, OnError, Record, Rejected, Source, SourceSettings, records,
};
use tempfile::TempDir;

const ROWS: [(&str, &[&str]); 5] = [
    ("a painter sues", &["art", "law"]),
    ("a match", &["sport"]),
    ("nothing, really", &[]),
    ("a judge paints", &["law", "art"]),
    ("a trial of strength", &["sport", "law"]),
];

struct Room(TempDir);

impl Room {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn parquet(&self, name: &str, labels: ArrayRef) -> PathBuf {
        let texts = StringArray::from_iter_values(ROWS.iter().map(|row| row.0));
        let columns = [("text", Arc::new(texts) as ArrayRef), ("labels", labels)];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let path = self.0.path().join(name);
        let mut writer =
            ArrowWriter::try_new(fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    }
}

fn several() -> SourceSettings {
    SourceSettings { label_separator: Some("|".into()), ..SourceSettings::default() }
}

fn read(path: &Path, settings: &SourceSettings) -> Result<(Vec<String>, Vec<Record>), Error> {
    let source = Source::open_with(path, settings)?;
    let mut found = Vec::new();
    source.for_each(&mut |_, record| {
        found.push(record);
        Ok(())
    })?;
    Ok((source.class_names()?, found))
}

fn refusal(path: &Path, settings: &SourceSettings) -> String {
    read(path, settings).unwrap_err().to_string()
}

fn strings(lists: bool) -> ArrayRef {
    let joined = ROWS.iter().map(|row| row.1.join("|"));
    if !lists {
        return Arc::new(StringArray::from_iter_values(joined));
    }
    let mut builder = ListBuilder::new(StringBuilder::new());
    for row in ROWS {
        builder.append_value(row.1.iter().map(|label| Some(*label)));
    }
    Arc::new(builder.finish())
}

#[test]
fn every_form_gives_the_same_rows() {
    let room = Room::new();
    let row = |(text, of): &(&str, &[&str])| ["\"", text, "\",", &of.join(" | "), "\n"].concat();
    let csv: String = ROWS.iter().map(row).collect();
    let json = |text: &str, labels: serde_json::Value| {
        serde_json::json!({ "text": text, "labels": labels }).to_string() + "\n"
    };
    let lists: String = ROWS.iter().map(|(text, of)| json(text, (*of).into())).collect();
    let cells: String = ROWS.iter().map(|(text, of)| json(text, of.join("|").into())).collect();
    let line = |(text, of): &(&str, &[&str])| {
        let labels: String = of.iter().flat_map(|label| ["__label__", label, " "]).collect();
        format!("{labels}{text}\n")
    };
    let files = [
        room.file("rows.csv", format!("text,labels\n{csv}")),
        room.file("lists.jsonl", lists),
        room.file("cells.jsonl", cells),
        room.file("rows.txt", ROWS.iter().map(line).collect::<String>()),
        room.parquet("lists.parquet", strings(true)),
        room.parquet("cells.parquet", strings(false)),
    ];
    let (names, expected) = read(&files[0], &several()).unwrap();
    assert_eq!(names, ["art", "law", "sport"]);
    let labels: Vec<_> = expected.iter().map(|record| record.labels.clone().unwrap()).collect();
    assert_eq!(labels, [vec![0, 1], vec![2], vec![], vec![0, 1], vec![1, 2]]);
    assert!(expected.iter().all(|record| record.label.is_none()));
    let fingerprint = |path| Source::open_with(path, &several()).unwrap().fingerprint().unwrap();
    for path in &files[1..] {
        assert_eq!(read(path, &several()).unwrap(), (names.clone(), expected.clone()), "{path:?}");
        assert_eq!(fingerprint(path), fingerprint(&files[0]), "{path:?}");
    }
    let plan = Source::open_with(&files[0], &several()).unwrap().plan(1).unwrap();
    assert_eq!(plan.rows[0].label.as_deref(), Some("art | law"));
    // Given names keep their order, and numbers stand for them.
    let mut given = several();
    given.label_names = ["sport", "law", "art"].map(str::to_owned).to_vec();
    assert_eq!(read(&files[1], &given).unwrap().1[0].labels, Some(vec![1, 2]));
    let numbered =
        room.file("n.jsonl", "{\"text\":\"a\",\"labels\":[2,0]}\n{\"text\":\"b\",\"labels\":1}\n");
    let labels: Vec<_> =
        read(&numbered, &given).unwrap().1.into_iter().map(|record| record.labels).collect();
    assert_eq!(labels, [Some(vec![0, 2]), Some(vec![1])]);
}

#[test]
fn a_corpus_is_read_as_it_was_written() {
    let room = Room::new();
    let names = ["art", "law", "sport"].map(str::to_owned);
    let (path, lineage) = (room.0.path().join("corpus"), BTreeMap::new());
    let mut writer = CorpusWriter::create_label_sets(&path, &names, &lineage).unwrap();
    let row = |n: usize, labels: Option<Vec<u32>>| Record {
        id: n.to_string(),
        text: format!("text {n}"),
        labels,
        ..Record::default()
    };
    let rows: Vec<Record> = [vec![0, 2], vec![], vec![1, 2]]
        .into_iter()
        .enumerate()
        .map(|(n, set)| row(n, Some(set)))
        .collect();
    for record in &rows {
        writer.write("train", record.clone()).unwrap();
    }
    writer.write("unsupervised", row(9, None)).unwrap();
    let refused = [
        (row(3, Some(vec![3])), "unknown label 3"),
        (Record { label: Some(0), ..row(3, None) }, "one label where a text has a list"),
    ];
    for (record, part) in refused {
        let message = writer.write("train", record).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
    let summaries = writer.finish().unwrap();
    assert_eq!((summaries[0].rows, summaries[0].unlabelled), (3, 0));
    assert_eq!(summaries[0].labels, [1, 1, 2]);
    assert_eq!(summaries[1].unlabelled, 1);
    let back: Vec<Record> = records(&path, "train").unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(back, rows);
    let back: Vec<_> =
        records(&path, "unsupervised").unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(back[0].labels, None);
    // As a source it is Parquet with lists, whose numbers have names.
    let (found, again) = read(&path, &several()).unwrap();
    assert_eq!(found, names);
    assert_eq!(again[..3], rows);
    let message = refusal(&path, &SourceSettings::default());
    assert!(message.contains("it is said that texts have several labels"), "{message}");

    let mut single = CorpusWriter::create(&room.0.path().join("one"), &names, &lineage).unwrap();
    let message = single.write("train", rows[0].clone()).unwrap_err().to_string();
    assert!(message.contains("a list of labels where a text has one"), "{message}");
}

#[test]
fn rows_that_are_wrong_are_named() {
    let room = Room::new();
    let says = |name: &str, content: &str, parts: &[&str]| {
        let message = refusal(&room.file(name, content), &several());
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    };
    says("a.csv", "text,labels\na,x|y\nb,x|x\n", &["a.csv, line 3", "the label `x` twice"]);
    says("b.csv", "text,labels\na,x||y\n", &["line 2", "an empty label in \"x||y\""]);
    says("c.jsonl", "{\"text\":\"a\",\"labels\":[\"x\",\"\"]}\n", &["line 1", "an empty label"]);
    says("d.jsonl", "{\"text\":\"a\",\"labels\":[\"x\",[]]}\n", &["line 1", "holds a list"]);
    says(
        "e.jsonl",
        "{\"text\":\"a\",\"labels\":[\"x\"]}\n{\"text\":\"b\"}\n",
        &["line 2 has no label"],
    );
    says("f.txt", "__label__x a\n__label__x __label__x b\n", &["line 2", "the label `x` twice"]);
    says("g.csv", "text,labels\na,x|y\nb,X\n", &["line 3", "only by case"]);
    room.file("h/1/a.txt", "a");
    let folders = room.0.path().join("h");
    room.file("h/2/b.txt", "b");
    assert!(refusal(&folders, &several()).contains("give each text one label"));
    let blank = SourceSettings { label_separator: Some(" ".into()), ..SourceSettings::default() };
    assert!(refusal(&folders, &blank).contains("it is blank"));

    // In test: a label that train does not have, and one of names that are the same class twice.
    let dir = room.0.path().join("splits");
    room.file("splits/train.csv", "text,labels\na,x|y\nb,\n");
    room.file("splits/test.csv", "text,labels\nc,y|z\nd,x\n");
    let message = refusal(&dir, &several());
    assert!(message.contains("test.csv, line 2 has the unknown label z"), "{message}");
    let skip = SourceSettings { on_error: OnError::Skip, ..several() };
    let (mut kept, mut rejected) = (0, Vec::<Rejected>::new());
    let source = Source::open_with(&dir, &skip).unwrap();
    let mut visit = |_: &str, _| {
        kept += 1;
        Ok(())
    };
    source
        .for_each_rejecting(&mut visit, &mut |row| {
            rejected.push(row);
            Ok(())
        })
        .unwrap();
    assert_eq!((kept, rejected.len()), (3, 1));
    assert_eq!(rejected[0].content, "y | z");
}

#[test]
fn a_list_is_no_label_where_a_text_has_one() {
    let room = Room::new();
    let one = SourceSettings::default();
    for list in ["[]", "[\"x\"]"] {
        let path = room.file("a.jsonl", format!("{{\"text\":\"a\",\"labels\":{list}}}\n"));
        assert!(refusal(&path, &one).contains("`labels` holds a list"));
    }
    let path = room.file("b.txt", "__label__x __label__y a\n");
    let message = refusal(&path, &SourceSettings { format: Some(Format::FastText), ..one.clone() });
    assert!(message.contains("has two labels; a text has one, unless"), "{message}");
    let mut numbers = ListBuilder::new(Int64Builder::new());
    for row in ROWS {
        numbers.append_value(row.1.iter().map(|label| Some(i64::from(label.as_bytes()[0]))));
    }
    let path = room.parquet("c.parquet", Arc::new(numbers.finish()));
    let message = refusal(&path, &one);
    assert!(message.contains("column `labels` holds List"), "{message}");
    // Numbers without names are called by themselves, in the order of their size.
    assert_eq!(read(&path, &several()).unwrap().0, ["97", "108", "115"]);
}
