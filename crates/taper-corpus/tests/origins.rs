//! Where each record stood: the same words from every kind of source, kept by a corpus, and no part of what it is.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use taper_corpus::{
    CorpusWriter, OnError, Origin, Record, Source, SourceSettings, SplitSummary, origin_of, records,
};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

struct Room(TempDir);

impl Room {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }
}

/// `text: origin` of every row, and `origin: rejected` of those passed over.
fn read(path: &Path) -> Vec<String> {
    let aclimdb = ["aclImdb", "aclImdb.tar.gz"].iter().any(|name| path.ends_with(name));
    let on_error = if aclimdb { OnError::Stop } else { OnError::Skip };
    let settings = SourceSettings { on_error, ..SourceSettings::default() };
    let (mut rows, mut rejected) = (Vec::new(), Vec::new());
    let source = Source::open_with(path, &settings).unwrap();
    let visit = &mut |_: &str, record: Record, origin: Origin| {
        rows.push(format!("{}: {origin}", record.text));
        Ok(())
    };
    let reject = &mut |row: taper_corpus::Rejected| {
        rejected.push(format!("{}, line {}: rejected", row.file.display(), row.line.unwrap()));
        Ok(())
    };
    source.for_each_from(visit, reject).unwrap();
    rows.extend(rejected);
    rows
}

const TABLE: &str = "text,label\n\"one,\nin two lines\",a\n\nodd\ntwo,b\n";

#[test]
fn files_are_named_below_what_was_opened() {
    let room = Room::new();
    let at = |file: &str, rows: &[(&str, u32)]| -> Vec<String> {
        rows.iter().map(|(text, line)| format!("{text}: {file}, line {line}")).collect()
    };
    let both = [("one,\nin two lines", 2), ("two", 6)];
    let rejected = |file: &str| format!("{file}, line 5: rejected");
    let of = |files: &[&str]| -> Vec<String> {
        let rows = files.iter().flat_map(|file| at(file, &both));
        rows.chain(files.iter().map(|file| rejected(file))).collect()
    };

    let alone = room.file("reviews.csv", TABLE);
    assert_eq!(read(&alone), of(&["reviews.csv"]));
    let packed = zstd::encode_all(TABLE.as_bytes(), 3).unwrap();
    assert_eq!(read(&room.file("reviews.csv.zst", packed)), of(&["reviews.csv.zst"]));
    room.file("folder/train.csv", TABLE);
    assert_eq!(read(&room.at("folder")), of(&["train.csv"]));
    room.file("split/train/1.csv", TABLE);
    assert_eq!(read(&room.at("split")), of(&["train/1.csv"]));
    // Two files of one name are told apart.
    room.file("years/2011/reviews.csv", TABLE);
    room.file("years/2012/reviews.csv", TABLE);
    let years = of(&["2011/reviews.csv", "2012/reviews.csv"]);
    assert_eq!(read(&room.at("years/*/reviews.csv")), years);

    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["in/train.csv", "notes.pdf"] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(TABLE.as_bytes()).unwrap();
    }
    let zip = room.file("a.zip", zip.finish().unwrap().into_inner());
    assert_eq!(read(&zip), of(&["a.zip/in/train.csv"]));
    assert_eq!(read(&zip.join("in/train.csv")), of(&["a.zip/in/train.csv"]));

    let lines = "{\"text\":\"x\",\"label\":1}\n\n{\"text\":\"y\",\"label\":2}\n";
    assert_eq!(read(&room.file("x.jsonl", lines)), at("x.jsonl", &[("x", 1), ("y", 3)]));
    room.file("classes/train/a/1.txt", "one text");
    room.file("classes/train/b/2.txt", "another");
    assert_eq!(read(&room.at("classes")), ["one text: train/a/1.txt", "another: train/b/2.txt"]);
}

#[test]
fn reviews_of_aclimdb_are_files_and_members() {
    let room = Room::new();
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut expected = Vec::new();
    for set in ["train", "test"] {
        for (class, name) in [("neg", "0_2.txt"), ("pos", "7_9.txt")] {
            let (file, text) = (format!("{set}/{class}/{name}"), format!("{set} {class}"));
            room.file(&format!("aclImdb/{file}"), &text);
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            tar.append_data(&mut header, format!("aclImdb/{file}"), text.as_bytes()).unwrap();
            expected.push((text, file));
        }
    }
    let named = |before: &str| -> Vec<String> {
        expected.iter().map(|(text, file)| format!("{text}: {before}{file}")).collect()
    };
    assert_eq!(read(&room.at("aclImdb")), named(""));
    let tar = room.file("aclImdb.tar.gz", tar.into_inner().unwrap().finish().unwrap());
    assert_eq!(read(&tar), named("aclImdb.tar.gz/aclImdb/"));
}

type Rows = Vec<(Record, Origin)>;

/// Writes a source as a corpus of its own.
fn write(
    source: &Source,
    dir: &Path,
    label_sets: bool,
    origins: bool,
) -> (Vec<SplitSummary>, Rows) {
    let names = source.class_names().unwrap();
    let create = if label_sets { CorpusWriter::create_label_sets } else { CorpusWriter::create };
    let mut writer = create(dir, &names, &BTreeMap::new()).unwrap();
    if origins {
        writer = writer.with_origins();
    }
    let mut rows = Vec::new();
    let visit = &mut |split: &str, record: Record, origin: Origin| {
        rows.push((record.clone(), origin.clone()));
        writer.write_from(split, record, origin)
    };
    source.for_each_from(visit, &mut |_| Ok(())).unwrap();
    let mut summaries = writer.finish().unwrap();
    for summary in &mut summaries {
        summary.files.clear();
    }
    (summaries, rows)
}

#[test]
fn a_corpus_keeps_them_and_is_the_same_corpus_without() {
    let room = Room::new();
    // More than the rows that are written at a time.
    let lines = |range: std::ops::Range<usize>| -> String {
        let line = |n: usize| format!("{{\"text\":\"number {n}\",\"labels\":[\"a\"]}}\n\n");
        range.map(line).collect()
    };
    room.file("data/train-1.jsonl", lines(0..1_500));
    room.file("data/train-2.jsonl", lines(1_500..1_600));
    for several in [false, true] {
        let mut settings = SourceSettings::default();
        if several {
            settings.label_separator = Some(";".to_owned());
        } else {
            settings.columns.label = Some("text".to_owned());
            settings.columns.text = vec!["text".to_owned()];
        }
        let source = Source::open_with(&room.at("data"), &settings).unwrap();
        let at = |name: &str| room.at(&format!("{name} {several}"));
        let (summaries, rows) = write(&source, &at("with"), several, true);
        let (without, _) = write(&source, &at("without"), several, false);
        assert_eq!(summaries, without);
        assert_eq!(rows[1_520].1.to_string(), "train-2.jsonl, line 41");
        for (number, (record, origin)) in rows.iter().enumerate().step_by(97) {
            let found = origin_of(&at("with"), "train", number as u64).unwrap();
            assert_eq!(found.as_ref(), Some(origin), "{}", record.text);
            assert_eq!(origin_of(&at("without"), "train", number as u64).unwrap(), None);
        }
        assert_eq!(origin_of(&at("with"), "train", 1_600).unwrap(), None);
        for name in ["with", "without"] {
            let back: Vec<Record> =
                records(&at(name), "train").unwrap().collect::<Result<_, _>>().unwrap();
            assert!(back.iter().eq(rows.iter().map(|(record, _)| record)), "{name}");
        }
    }
}

#[test]
fn rows_of_the_hubs_layout_are_counted_in_their_shards() {
    let room = Room::new();
    let classes = ["neg".to_owned(), "pos".to_owned()];
    for (shard, rows) in [1_100, 30].into_iter().enumerate() {
        let dir = room.at(&format!("{shard}"));
        let mut writer = CorpusWriter::create(&dir, &classes, &BTreeMap::new()).unwrap();
        for row in 0..rows {
            let text = format!("shard {shard} row {row}");
            writer.write("train", Record { text, label: Some(0), ..Record::default() }).unwrap();
        }
        writer.finish().unwrap();
        fs::create_dir_all(room.at("all")).unwrap();
        let name = format!("all/train-0000{shard}-of-00002.parquet");
        fs::rename(dir.join("train-00000-of-00001.parquet"), room.at(&name)).unwrap();
    }
    let source = Source::open(&room.at("all")).unwrap();
    assert!(matches!(source, Source::HubLayout(_)));
    let (summaries, rows) = write(&source, &room.at("corpus"), false, true);
    assert_eq!(summaries[0].rows, 1_130);
    for (record, origin) in &rows {
        let words: Vec<&str> = record.text.split(' ').collect();
        let (shard, row) = (words[1], words[3]);
        let expected = format!("train-0000{shard}-of-00002.parquet, row {row} (counted from 0)");
        assert_eq!(origin.to_string(), expected);
    }
    // Made a source in its turn, the corpus is where they stand.
    let again = Source::open(&room.at("corpus")).unwrap();
    let (_, rows) = write(&again, &room.at("again"), false, true);
    let expected =
        Origin { file: "train-00000-of-00001.parquet".to_owned(), line: None, row: Some(1_105) };
    assert_eq!(rows[1_105].1, expected);
    assert_eq!(origin_of(&room.at("again"), "train", 1_105).unwrap(), Some(expected));
}

#[test]
fn the_fingerprint_of_origins_tells_another_line_or_name_and_not_another_folder() {
    let room = Room::new();
    let of = |name: &str, content: &str| {
        let source = Source::open(&room.file(name, content)).unwrap();
        (source.fingerprint().unwrap(), source.origins_fingerprint().unwrap())
    };
    let table = "text,label\none,a\ntwo,b\n";
    let (content, origins) = of("here/reviews.csv", table);
    assert_eq!(of("there/reviews.csv", table), (content.clone(), origins.clone()));
    for (name, table) in
        [("here/other.csv", table), ("lower/reviews.csv", "text,label\none,a\n\ntwo,b\n")]
    {
        let (same, other) = of(name, table);
        assert!(same == content && other != origins, "{name}");
    }
}
