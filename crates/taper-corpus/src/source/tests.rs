//! Every format from a small fixture, and everything that can be wrong with it.
#![allow(clippy::unwrap_used)]

mod archive;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Float64Array, Int64Array, RecordBatch, StringArray};
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::*;
use crate::CorpusWriter;
use crate::write::ShardWriter;

/// The tree in the order of the original archive's names, lists last.
fn tree() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = vec![("README".into(), b"read me".to_vec())];
    for (set, class) in
        [("test", "neg"), ("test", "pos"), ("train", "neg"), ("train", "pos"), ("train", "unsup")]
    {
        for id in 0..3 {
            let text = format!("{set} {class} {id}: caf\u{e9}<br /><br />fine.");
            files.push((format!("{set}/{class}/{id}_7.txt"), text.into_bytes()));
        }
    }
    files.push(("train/labeledBow.feat".into(), b"9 0:1".to_vec()));
    for (set, class) in
        [("test", "neg"), ("test", "pos"), ("train", "neg"), ("train", "pos"), ("train", "unsup")]
    {
        let url = |movie| format!("http://www.imdb.com/title/tt006435{movie}/usercomments\n");
        let list: String = [1, 1, 2].map(url).concat();
        files.push((format!("{set}/urls_{class}.txt"), list.into_bytes()));
    }
    files
}

fn unpack(files: &[(String, Vec<u8>)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join("aclImdb").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

fn pack(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("aclImdb/{name}"), bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn archive(dir: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join("reviews.tar.gz");
    fs::write(&path, bytes).unwrap();
    path
}

fn collect(path: &Path) -> Result<Vec<(String, Record)>> {
    let mut records = Vec::new();
    Source::open(path)?.for_each(&mut |split, record| {
        records.push((split.to_owned(), record));
        Ok(())
    })?;
    Ok(records)
}

fn message(path: &Path) -> String {
    let error = collect(path).unwrap_err();
    error.to_string()
}

/// Both forms of the tree with one file changed, added (or, with `None`, taken away).
fn both_forms(name: &str, bytes: Option<&[u8]>) -> [(TempDir, PathBuf); 2] {
    let mut files = tree();
    files.retain(|(other, _)| other != name);
    files.extend(bytes.map(|bytes| (name.to_owned(), bytes.to_vec())));
    let unpacked = unpack(&files);
    let packed = tempfile::tempdir().unwrap();
    let (tree, tar) = (unpacked.path().to_owned(), archive(&packed, &pack(&files)));
    [(unpacked, tree), (packed, tar)]
}

#[test]
fn folder_and_archive_give_the_same_records() {
    let [(_a, folder), (_b, tar)] = both_forms("README", None);
    let mut from_folder = collect(&folder).unwrap();
    let mut from_tar = collect(&tar).unwrap();
    assert_eq!(from_folder.len(), 15);
    assert_eq!(
        from_folder[4],
        (
            "train".to_owned(),
            Record {
                id: "train/pos/1".into(),
                text: "train pos 1: caf\u{e9}<br /><br />fine.".into(),
                label: Some(1),
                labels: None,
                group: Some("tt0064351".into()),
            }
        )
    );
    let (split, last) = from_folder.last().unwrap();
    assert_eq!((split.as_str(), last.label), ("unsupervised", None));
    assert_eq!(last.group.as_deref(), Some("tt0064352"));
    for records in [&mut from_folder, &mut from_tar] {
        records.sort_by(|a, b| a.1.id.cmp(&b.1.id));
    }
    assert_eq!(from_folder, from_tar);
    // The tree itself opens as well as the folder it was unpacked in.
    assert_eq!(collect(&folder.join("aclImdb")).unwrap().len(), 15);
}

#[test]
fn url_lists_may_come_first() {
    let mut files = tree();
    files.sort_by_key(|(name, _)| !name.contains("urls_"));
    let dir = tempfile::tempdir().unwrap();
    let records = collect(&archive(&dir, &pack(&files))).unwrap();
    assert!(records.iter().all(|(_, record)| record.group.is_some()));
}

#[test]
fn without_a_url_list_there_is_no_group() {
    for (_dir, path) in both_forms("train/urls_pos.txt", None) {
        let records = collect(&path).unwrap();
        let pos = |record: &Record| record.id.starts_with("train/pos");
        assert!(records.iter().all(|(_, record)| record.group.is_none() == pos(record)));
    }
}

#[test]
fn bad_members_are_named() {
    let long = vec![b'x'; (16 << 20) + 1];
    let cases: [(&str, &[u8], &[&str]); 10] = [
        ("train/pos/1_7.txt", &long, &["train/pos/1_7.txt", "holds more than 16777216 bytes"]),
        ("train/pos/1_7.txt", b"fi\0ne", &["train/pos/1_7.txt", "NUL"]),
        ("train/pos/1_7.txt", b"caf\xe9", &["train/pos/1_7.txt", "not UTF-8", "byte 3"]),
        ("train/pos/1_7.txt", b"", &["train/pos/1_7.txt", "empty"]),
        ("train/meh/0_5.txt", b"meh", &["unknown label meh", "neg", "pos"]),
        ("test/unsup/0_5.txt", b"?", &["unknown label unsup"]),
        ("train/pos/nine.txt", b"?", &["train/pos/nine.txt", "ID_RATING.txt"]),
        (
            "train/urls_pos.txt",
            b"/title/tt0000001/\n",
            &["urls_pos.txt", "ends after line 1", "line 2"],
        ),
        ("train/urls_pos.txt", b"/title/tt1/\nhm\n", &["urls_pos.txt, line 2", "`hm`"]),
        ("train/urls_pos.txt", b"\xff", &["urls_pos.txt", "not UTF-8"]),
    ];
    for (name, bytes, says) in cases {
        for (_dir, path) in both_forms(name, Some(bytes)) {
            let message = message(&path);
            assert!(message.contains(path.to_str().unwrap()), "{message}");
            for part in says {
                assert!(message.contains(part), "{name}: {message}");
            }
        }
    }
}

#[test]
fn hidden_files_are_passed_over() {
    for (_dir, path) in both_forms("train/pos/._0_7.txt", Some(b"\xff\xfe")) {
        assert_eq!(collect(&path).unwrap().len(), 15);
    }
}

#[test]
fn half_a_tree_is_told() {
    for missing in ["test/", "train/neg/"] {
        let mut files = tree();
        files.retain(|(name, _)| !name.starts_with(missing));
        let (unpacked, packed) = (unpack(&files), tempfile::tempdir().unwrap());
        for path in [unpacked.path().to_owned(), archive(&packed, &pack(&files))] {
            let message = message(&path);
            assert!(message.contains("neg has no rows"), "{message}");
        }
    }
}

#[test]
fn a_review_twice_is_told() {
    let files = [tree(), vec![("train/pos/1_9.txt".into(), b"again".to_vec())]].concat();
    let message = message(unpack(&files).path());
    assert!(message.contains("1_9.txt") && message.contains("1_7.txt"), "{message}");
}

#[test]
fn a_cut_archive_is_told_wherever_it_is_cut() {
    let whole = pack(&tree());
    let dir = tempfile::tempdir().unwrap();
    for length in [11, whole.len() / 3, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        let path = archive(&dir, &whole[..length]);
        let message = message(&path);
        assert!(message.contains("cut short or damaged"), "{length}: {message}");
        assert!(message.contains("reviews.tar.gz"), "{message}");
    }
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    let message = message(&archive(&dir, &flipped));
    assert!(message.contains("member aclImdb/") && message.contains("damaged"), "{message}");
}

#[test]
fn an_archive_of_nothing_has_no_rows() {
    let dir = tempfile::tempdir().unwrap();
    let message = message(&archive(&dir, &pack(&[])));
    assert!(message.contains("no rows"), "{message}");
}

#[test]
fn what_is_not_a_data_set_is_described() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let says = |path: &Path, parts: &[&str]| {
        let message = message(path);
        for part in parts {
            assert!(message.contains(part), "{message}");
        }
    };
    says(&at("nothing"), &["nothing", "No such file"]);
    fs::create_dir(at("hollow")).unwrap();
    says(&at("hollow"), &["the folder is empty", "aclImdb_v1.tar.gz"]);
    fs::write(at("hollow/notes.txt"), b"hm").unwrap();
    says(&at("hollow"), &["it holds notes.txt"]);
    fs::write(at("zero.tar.gz"), b"").unwrap();
    says(&at("zero.tar.gz"), &["zero.tar.gz", "empty (0 bytes)"]);
    fs::write(at("words.csv"), b"text,label\n").unwrap();
    says(&at("words.csv"), &["no rows in the split `train`"]);
    fs::write(at("words.bin"), b"\x00\x01\n").unwrap();
    says(&at("words.bin"), &["a file of none of the formats (`.bin`)"]);
    fs::write(at("reviews.zip"), b"PK\x03\x04").unwrap();
    says(&at("reviews.zip"), &["cut short or damaged"]);
}

type Row<'a> = (Option<&'a str>, Option<i64>);

/// A file as the Hub holds them: `text` and `label`, without id or group.
fn hub_file(dir: &Path, split: &str, rows: &[Row], huggingface: Option<&str>) -> PathBuf {
    let columns: [(&str, ArrayRef, bool); 2] = [
        ("text", Arc::new(rows.iter().map(|row| row.0).collect::<StringArray>()), true),
        ("label", Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()), true),
    ];
    write_file(dir, split, &RecordBatch::try_from_iter_with_nullable(columns).unwrap(), huggingface)
}

fn write_file(dir: &Path, split: &str, batch: &RecordBatch, huggingface: Option<&str>) -> PathBuf {
    let metadata = huggingface.map(|json| ("huggingface".to_owned(), json.to_owned()));
    let metadata = metadata.into_iter().collect();
    let mut writer = ShardWriter::create(dir, split, batch.schema(), &metadata, u64::MAX).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap().remove(0)
}

const NAMES: &str =
    r#"{"info": {"features": {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}}}"#;

#[test]
fn a_hub_folder_is_found_inside_its_parent() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("plain_text");
    hub_file(&config, "unsupervised", &[(Some("c"), Some(-1)), (Some("d"), None)], Some(NAMES));
    hub_file(&config, "train", &[(Some("a"), Some(1)), (Some(""), Some(0))], Some(NAMES));
    for path in [dir.path(), &config] {
        let source = Source::open(path).unwrap();
        assert_eq!(source.describe(), "Hub-layout Parquet");
        assert_eq!(source.class_names().unwrap(), ["neg", "pos"]);
    }
    let seen: Vec<(String, String, Option<u32>)> = collect(dir.path())
        .unwrap()
        .into_iter()
        .map(|(_, record)| (record.id, record.text, record.label))
        .collect();
    let row = |id: &str, text: &str, label| (id.to_owned(), text.to_owned(), label);
    assert_eq!(
        seen,
        [
            row("train/0", "a", Some(1)),
            row("train/1", "", Some(0)),
            row("unsupervised/0", "c", None),
            row("unsupervised/1", "d", None)
        ]
    );
    hub_file(&dir.path().join("other"), "train", &[(Some("a"), Some(1))], Some(NAMES));
    let message = message(dir.path());
    assert!(message.contains("several data sets") && message.contains("plain_text"), "{message}");
}

#[test]
fn classes_without_names_are_numbered() {
    let dir = tempfile::tempdir().unwrap();
    hub_file(dir.path(), "train", &[(Some("a"), Some(2)), (Some("b"), Some(0))], None);
    assert_eq!(Source::open(dir.path()).unwrap().class_names().unwrap(), ["0", "1", "2"]);
}

#[test]
fn bad_rows_are_named() {
    let good = (Some("fine"), Some(1));
    let cases: [(&str, Row, &str); 7] = [
        ("train", (Some("fi\0ne"), Some(1)), "NUL"),
        ("train", (Some("x"), None), "no label"),
        ("test", (Some("x"), Some(-1)), "no label"),
        ("train", (Some("x"), Some(2)), "unknown label 2; known are 0 (neg), 1 (pos)"),
        ("train", (Some("x"), Some(-2)), "unknown label -2"),
        ("unsupervised", (Some("x"), Some(7)), "unknown label 7"),
        ("train", (None, Some(1)), "the text is null"),
    ];
    for (split, bad, says) in cases {
        let dir = tempfile::tempdir().unwrap();
        let file = hub_file(dir.path(), split, &[good, good, bad], Some(NAMES));
        let message = message(dir.path());
        assert!(message.contains(says), "{message}");
        assert!(message.contains(&format!("{}, row 2", file.display())), "{message}");
    }
}

#[test]
fn bad_columns_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&b"\xff"[..]]));
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![0.5]));
    let cases = [
        (
            vec![("text", bytes), ("label", texts.clone())],
            "column `text` holds Binary; expected a column of strings",
        ),
        (vec![("text", texts.clone())], "no column that is known to hold the label"),
        (
            vec![("text", texts), ("label", floats)],
            "column `label` holds Float64; expected a column of strings, integers",
        ),
    ];
    for (columns, says) in cases {
        let file =
            write_file(dir.path(), "train", &RecordBatch::try_from_iter(columns).unwrap(), None);
        let message = message(dir.path());
        assert!(message.contains(says) && message.contains(file.to_str().unwrap()), "{message}");
    }
}

#[test]
fn ids_may_be_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let columns: [(&str, ArrayRef); 3] = [
        ("text", Arc::new(StringArray::from(vec!["a", "b"]))),
        ("label", Arc::new(Int64Array::from(vec![1, 0]))),
        ("id", Arc::new(Int64Array::from(vec![40, 7]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    write_file(dir.path(), "train", &batch, Some(NAMES));
    let records = collect(dir.path()).unwrap();
    let found: Vec<_> = records.iter().map(|(_, row)| (row.id.as_str(), row.label)).collect();
    assert_eq!(found, [("40", Some(1)), ("7", Some(0))]);
    assert_eq!(Source::open(dir.path()).unwrap().class_names().unwrap(), ["neg", "pos"]);
}

#[test]
fn data_beside_a_hub_folder_must_be_named() {
    let dir = tempfile::tempdir().unwrap();
    hub_file(&dir.path().join("plain_text"), "train", &[(Some("a"), Some(1))], Some(NAMES));
    fs::write(dir.path().join("README.md"), "about").unwrap();
    assert_eq!(collect(dir.path()).unwrap().len(), 1);
    fs::write(dir.path().join("train.csv"), "text,label\na,x\n").unwrap();
    let message = message(dir.path());
    assert!(
        message.contains("plain_text") && message.contains("train.csv); name one"),
        "{message}"
    );
}

#[test]
fn no_rows_and_disagreement_are_told() {
    let dir = tempfile::tempdir().unwrap();
    hub_file(dir.path(), "train", &[(Some("a"), Some(1))], Some(NAMES));
    let test = hub_file(dir.path(), "test", &[], Some(NAMES));
    let empty = message(dir.path());
    assert!(empty.contains("no rows in the split `test`"), "{empty}");
    assert!(empty.contains(test.to_str().unwrap()), "{empty}");
    hub_file(dir.path(), "test", &[(Some("a"), Some(1))], Some(&NAMES.replace("neg", "bad")));
    let other = message(dir.path());
    assert!(other.contains("bad, pos") && other.contains("neg, pos"), "{other}");
}

#[test]
fn damaged_parquet_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let rows: Vec<String> =
        (0..4_000).map(|row| format!("review {}", blake3::hash(&[row as u8]))).collect();
    let rows: Vec<Row> = rows.iter().map(|text| (Some(text.as_str()), Some(1))).collect();
    let file = hub_file(dir.path(), "train", &rows, Some(NAMES));
    let whole = fs::read(&file).unwrap();
    for length in [4, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, &whole[..length]).unwrap();
        let message = message(dir.path());
        assert!(message.contains("cannot be read as Parquet"), "{message}");
        assert!(message.contains(file.to_str().unwrap()), "{message}");
    }
    fs::write(&file, b"").unwrap();
    assert!(message(dir.path()).contains("empty (0 bytes)"));
    // The footer is whole, the pages are not.
    let mut holed = whole;
    holed[40..400].fill(0);
    fs::write(&file, holed).unwrap();
    let message = message(dir.path());
    assert!(message.contains("row 0") && message.contains("cannot be read"), "{message}");
}

#[test]
fn text_that_is_not_utf8_is_refused_in_parquet_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = hub_file(dir.path(), "train", &[(Some("ZQZQ"), Some(1))], Some(NAMES));
    // One row is stored as it stands, in a page too small for zstd to gain anything.
    let bytes = fs::read(&file).unwrap();
    let mut broken = bytes.clone();
    for at in 0..bytes.len() - 4 {
        if &bytes[at..at + 4] == b"ZQZQ" {
            broken[at] = 0xff;
        }
    }
    assert_ne!(bytes, broken);
    fs::write(&file, broken).unwrap();
    let message = message(dir.path());
    assert!(message.contains("train-00000-of-00001.parquet"), "{message}");
    assert!(message.contains("cannot be read as Parquet"), "{message}");
}

#[test]
fn our_own_corpus_is_a_source() {
    let [(_a, folder), _] = both_forms("README", None);
    let out = tempfile::tempdir().unwrap();
    let source = Source::open(&folder).unwrap();
    let names = source.class_names().unwrap();
    let mut writer =
        CorpusWriter::create(out.path(), &names, &std::collections::BTreeMap::new()).unwrap();
    source.for_each(&mut |split, record| writer.write(split, record)).unwrap();
    writer.finish().unwrap();
    assert_eq!(collect(out.path()).unwrap(), collect(&folder).unwrap());
}

#[test]
fn a_visitor_stops_the_stream_with_its_own_error() {
    let [(_a, folder), _] = both_forms("README", None);
    let mut seen = 0;
    let error = Source::open(&folder)
        .unwrap()
        .for_each(&mut |_, _| {
            seen += 1;
            Err(Error::Visitor("enough".into()))
        })
        .unwrap_err();
    assert_eq!((seen, error.to_string().as_str()), (1, "enough"));
}

#[test]
fn the_fingerprint_is_of_bytes_not_of_paths() {
    let [(_a, one), (_b, tar)] = both_forms("README", None);
    let [(_c, two), _] = both_forms("README", None);
    let [(_d, changed), _] = both_forms("train/pos/1_7.txt", Some(b"other"));
    let of = |path: &Path| Source::open(path).unwrap().fingerprint().unwrap();
    assert_eq!(of(&one), of(&two));
    assert_ne!(of(&one), of(&changed));
    let before = of(&tar);
    fs::OpenOptions::new().append(true).open(&tar).unwrap().write_all(b"x").unwrap();
    assert_ne!(of(&tar), before);
}

#[test]
fn a_test_split_of_parquet_may_have_no_labels() {
    let dir = tempfile::tempdir().unwrap();
    let labelled = [(Some("a"), Some(1)), (Some("b"), Some(0))];
    hub_file(dir.path(), "train", &labelled, Some(NAMES));
    let withheld = [(Some("c"), Some(-1)), (Some("d"), None)];
    hub_file(dir.path(), "test", &withheld, Some(NAMES));
    let source = Source::open(dir.path()).unwrap();
    let plan = source.plan(5).unwrap().to_string();
    assert!(plan.contains("the split `test` begins without a label"), "{plan}");
    let mut labels = Vec::new();
    let read = source.for_each(&mut |split, record| {
        labels.push((split.to_owned(), record.label));
        Ok(())
    });
    read.unwrap();
    let expected = [("train", Some(1)), ("train", Some(0)), ("test", None), ("test", None)];
    assert_eq!(labels, expected.map(|(split, label)| (split.to_owned(), label)));

    // One label among them, and the first row without one is named.
    let mixed = [withheld[0], withheld[1], labelled[0]];
    let file = hub_file(dir.path(), "test", &mixed, Some(NAMES));
    let message = message(dir.path());
    assert!(
        message.contains(&format!("{}, row 0 (counted from 0) has no label", file.display())),
        "{message}"
    );
    for split in ["train", "validation"] {
        let dir = tempfile::tempdir().unwrap();
        hub_file(dir.path(), "train", &labelled, Some(NAMES));
        hub_file(dir.path(), split, &withheld, Some(NAMES));
        assert!(
            self::message(dir.path()).contains("row 0 (counted from 0) has no label"),
            "{split}"
        );
    }
}
