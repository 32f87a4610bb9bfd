//! Texts to predict: the same out of every format, labels and all their defects aside.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use taper_corpus::{ColumnSettings, OnError, SourceSettings, Text, Texts};

fn read(path: &Path, settings: &SourceSettings) -> Vec<Text> {
    Texts::open(path, settings).unwrap().collect::<Result<_, _>>().unwrap()
}

fn parquet(path: &Path) {
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, true),
        Field::new("review", DataType::Utf8, false),
        Field::new("rating", DataType::Float64, false),
    ]));
    let ids = Arc::new(StringArray::from(vec!["a", "b"]));
    let texts = Arc::new(StringArray::from(vec!["One, film", "Two"]));
    let ratings = Arc::new(Float64Array::from(vec![0.5, 1.5]));
    let batch = RecordBatch::try_new(schema.clone(), vec![ids, texts, ratings]).unwrap();
    let file = fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn every_format_gives_ids_and_texts_whatever_the_labels_are() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("t.csv"), "id,review,rating\na,\"One, film\",0.5\nb,Two,\n").unwrap();
    let lines = "{\"id\":\"a\",\"review\":\"One, film\",\"rating\":0.5}\n{\"id\":\"b\",\"review\":\"Two\"}\n";
    fs::write(at("t.jsonl"), lines).unwrap();
    fs::write(at("t.jsonl.zst"), zstd::encode_all(lines.as_bytes(), 1).unwrap()).unwrap();
    parquet(&at("t.parquet"));
    for name in ["t.csv", "t.jsonl", "t.jsonl.zst", "t.parquet"] {
        let found = read(&at(name), &SourceSettings::default());
        let expected = [(1, "a", "One, film"), (2, "b", "Two")].map(|(row, id, text)| Text {
            row,
            id: Some(id.into()),
            text: text.into(),
        });
        assert_eq!(found, expected, "{name}");
    }
    let told = ColumnSettings { text: vec!["rating".into()], ..ColumnSettings::default() };
    let settings = SourceSettings { columns: told, ..SourceSettings::default() };
    assert_eq!(read(&at("t.csv"), &settings)[0].text, "0.5");
}

#[test]
fn a_line_is_a_text_blank_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.txt");
    let bytes = b"one\r\n\n  \n__label__x two\nlast";
    fs::write(&path, bytes).unwrap();
    let texts = |texts: Vec<Text>| texts.into_iter().map(|text| text.text).collect::<Vec<_>>();
    let expected = ["one", "", "  ", "__label__x two", "last"];
    assert_eq!(texts(read(&path, &SourceSettings::default())), expected);
    let stream = |bytes: &[u8]| {
        let reader = Cursor::new(bytes.to_vec());
        let lines = Texts::lines(Path::new("standard input"), reader, &SourceSettings::default());
        texts(lines.unwrap().collect::<Result<_, _>>().unwrap())
    };
    assert_eq!(stream(bytes), expected);
    assert_eq!(stream(&zstd::encode_all(&bytes[..], 1).unwrap()), expected);
    assert_eq!(stream(b""), [""; 0]);
}

#[test]
fn a_bad_row_is_named_or_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    fs::write(&path, "{\"text\":\"one\"}\n{\"text\":3}\n{\"text\":\"three\"}\n").unwrap();
    let mut texts = Texts::open(&path, &SourceSettings::default()).unwrap();
    assert_eq!(texts.next().unwrap().unwrap().text, "one");
    let message = texts.next().unwrap().unwrap_err().to_string();
    assert!(message.contains("t.jsonl, line 2") && message.contains("a string"), "{message}");
    assert!(texts.next().is_none(), "an error is the end");

    let settings = SourceSettings { on_error: OnError::Skip, ..SourceSettings::default() };
    let mut texts = Texts::open(&path, &settings).unwrap();
    let rows: Vec<u64> = texts.by_ref().map(|text| text.unwrap().row).collect();
    assert_eq!((rows, texts.skipped()), (vec![1, 3], 1));
    assert_eq!(texts.first_problem(), Some(&*message));
    let message = Texts::open(folder.path(), &settings).unwrap_err().to_string();
    assert!(message.contains("folder; name one of its files"), "{message}");
}
