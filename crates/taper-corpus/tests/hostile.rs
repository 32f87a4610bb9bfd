//! Everything a user's file can hold, by name.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use taper_corpus::{
    ColumnSettings, Error, Limits, OnError, Record, Rejected, RejectedWriter, Source,
    SourceSettings,
};
use tempfile::TempDir;

struct Room(TempDir);

impl Room {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn read(path: &Path, settings: &SourceSettings) -> Result<Vec<(String, Record)>, Error> {
    let mut records = Vec::new();
    Source::open_with(path, settings)?.for_each(&mut |split, record| {
        records.push((split.to_owned(), record));
        Ok(())
    })?;
    Ok(records)
}

fn texts(path: &Path) -> Vec<String> {
    let records = read(path, &SourceSettings::default()).unwrap();
    records.into_iter().map(|(_, record)| record.text).collect()
}

/// The error of a file; it names the file.
fn refusal(path: &Path, settings: &SourceSettings) -> String {
    let message = read(path, settings).unwrap_err().to_string();
    let name = path.file_name().unwrap().to_string_lossy();
    assert!(message.contains(&*name), "{message} does not name {name}");
    message
}

fn says(path: &Path, parts: &[&str]) {
    let message = refusal(path, &SourceSettings::default());
    for part in parts {
        assert!(message.contains(part), "expected {part} in: {message}");
    }
}

/// What is passed over, and how many records are left.
fn skipping(path: &Path) -> (Vec<Rejected>, usize) {
    let settings = SourceSettings { on_error: OnError::Skip, ..SourceSettings::default() };
    let (mut rejected, mut kept) = (Vec::new(), 0);
    let source = Source::open_with(path, &settings).unwrap();
    let mut count = |_: &str, _| {
        kept += 1;
        Ok(())
    };
    let mut reject = |row| {
        rejected.push(row);
        Ok(())
    };
    source.for_each_rejecting(&mut count, &mut reject).unwrap();
    (rejected, kept)
}

const GOOD: &str = "text,label\ngood,pos\nbad,neg\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn byte_order_marks() {
    let room = Room::new();
    assert_eq!(texts(&room.file("a.csv", format!("\u{feff}{GOOD}"))), ["good", "bad"]);
    assert_eq!(
        texts(&room.file("b.csv.gz", gzip(format!("\u{feff}{GOOD}").as_bytes()))),
        ["good", "bad"]
    );
    for (name, content) in [
        ("c.jsonl", "{\"text\":\"a\",\"label\":\"b\"}\n"),
        ("lines/train.txt", "__label__b a\n"),
        ("trec/train.label", "b:c a\n"),
        ("plain.txt", "a\n"),
    ] {
        assert_eq!(texts(&room.file(name, format!("\u{feff}{content}"))), ["a"], "{name}");
    }
    room.file("classes/b/1.txt", "\u{feff}a");
    assert_eq!(texts(&room.0.path().join("classes")), ["a"]);
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(GOOD.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    says(&room.file("d.csv", utf16), &["UTF-16", "convert it to UTF-8"]);
}

#[test]
fn crlf_and_lone_cr() {
    let room = Room::new();
    let dos = "text,label\r\ngood,pos\r\n\r\n\"two\r\nlines\",neg\r\nlast,\r\n";
    let path = room.file("a.csv", dos);
    // Blank lines and line breaks within a field count as lines.
    says(&path, &["line 6 has no label"]);
    let (_, kept) = skipping(&path);
    assert_eq!(kept, 2);
    for (name, lines) in [
        ("b.txt", "__label__a one\r\n__label__b two\r\n"),
        ("b.jsonl", "{\"text\":\"one\",\"label\":1}\r\n{\"text\":\"two\",\"label\":2}\r\n"),
        ("b.label", "A:b one\r\nB:c two\r\n"),
        ("plain.txt", "one\r\ntwo\r\n"),
    ] {
        assert_eq!(texts(&room.file(name, lines)), ["one", "two"], "{name}");
    }
    says(&room.file("c.csv", "text,label\rgood,pos\r"), &["CR alone"]);
}

#[test]
fn nul_bytes() {
    let room = Room::new();
    says(&room.file("a.csv", "text,label\ngood,pos\nb\0d,neg\n"), &["line 3", "NUL"]);
    says(&room.file("b.jsonl", "{\"text\":\"a\\u0000\",\"label\":1}\n"), &["line 1", "NUL"]);
    says(&room.file("c.txt", "__label__a x\0\n"), &["line 1", "NUL"]);
    says(&room.file("d.label", "A:b x\0\n"), &["line 1", "NUL"]);
    room.file("e/pos/1.txt", "x\0");
    let message =
        read(&room.0.path().join("e"), &SourceSettings::default()).unwrap_err().to_string();
    assert!(message.contains("1.txt") && message.contains("NUL"), "{message}");
}

#[test]
fn unclosed_and_misplaced_quotes() {
    let room = Room::new();
    let path = room.file("a.csv", "text,label\ngood,pos\n\"never closed,neg\nfine,pos\n");
    says(&path, &["line 3", "the file ends before it closes"]);
    // The quote of a later row closes it: what follows shows it.
    let path = room.file("b.csv", "label,text\npos,\"open, here\nneg,\"good\"\npos,fine\n");
    says(&path, &["line 2", "something follows a closing quote"]);
    let (rejected, kept) = skipping(&path);
    assert_eq!((rejected.len(), kept, rejected[0].line), (1, 1, Some(2)));
    assert_eq!(
        texts(&room.file("c.csv", "text,label\n5\" disk,a\n\"6\"\" disk\",b\n")),
        ["5\" disk", "6\" disk"]
    );
    // Beyond the limit nobody looks for the end.
    let limits = Limits { row_bytes: 1_000, ..Limits::default() };
    let settings = SourceSettings { limits, ..SourceSettings::default() };
    let long = format!("text,label\n\"{}", "word\n".repeat(100_000));
    let message = refusal(&room.file("d.csv", long), &settings);
    assert!(message.contains("line 2") && message.contains("within 1000 bytes"), "{message}");
}

#[test]
fn a_line_too_long_is_bounded() {
    let room = Room::new();
    let limits = Limits { row_bytes: 10_000, ..Limits::default() };
    let long = "x".repeat(1 << 20);
    for (name, line) in [
        ("a.csv", format!("text,label\nok,a\n{long},b\nok,b\n")),
        (
            "b.jsonl",
            format!("{{\"text\":\"ok\",\"label\":0}}\n{{\"text\":\"{long}\",\"label\":0}}\n"),
        ),
        ("c.txt", format!("__label__a ok\n__label__a {long}\n__label__b ok\n")),
    ] {
        let path = room.file(name, line);
        let settings = SourceSettings { limits, ..SourceSettings::default() };
        let message = refusal(&path, &settings);
        assert!(message.contains("more than"), "{message}");
        assert!(message.contains(if name == "a.csv" { "line 3" } else { "line 2" }), "{message}");
    }
    let folder = room.file("d/pos/long.txt", &long).parent().unwrap().parent().unwrap().to_owned();
    let message =
        read(&folder, &SourceSettings { limits, ..SourceSettings::default() }).unwrap_err();
    assert!(message.to_string().contains("long.txt holds more than 10000 bytes"), "{message}");
    // 600 MB on one line, 600 KB on the disk: the default limit stops it early.
    let mut bomb = zstd::Encoder::new(Vec::new(), 1).unwrap();
    bomb.write_all(b"text,label\n").unwrap();
    for _ in 0..600 {
        bomb.write_all(long.as_bytes()).unwrap();
    }
    let path = room.file("e.csv.zst", bomb.finish().unwrap());
    says(&path, &["more than"]);
}

#[test]
fn a_bomb_of_many_lines_is_bounded() {
    let room = Room::new();
    let line = "good,pos\n".repeat(1 << 17);
    let mut bomb = zstd::Encoder::new(b"".to_vec(), 1).unwrap();
    bomb.write_all(b"text,label\n").unwrap();
    for _ in 0..80 {
        bomb.write_all(line.as_bytes()).unwrap();
    }
    let path = room.file("a.csv.zst", bomb.finish().unwrap());
    let packed = fs::metadata(&path).unwrap().len();
    assert!(packed < 300_000, "{packed}");
    says(&path, &["unpacks to more than 67108864 bytes"]);
}

#[test]
fn mixed_encodings() {
    let room = Room::new();
    let path = room.file("a.csv", b"text,label\ncaf\xc3\xa9,pos\ncaf\xe9,neg\n");
    says(&path, &["line 3 is not UTF-8", "byte 3"]);
    let (rejected, kept) = skipping(&path);
    assert_eq!((rejected.len(), kept), (1, 1));
    assert_eq!(rejected[0].content, "caf\u{fffd},neg");
    says(&room.file("b.jsonl", b"{\"text\":\"\xe9\",\"label\":1}\n"), &["line 1 is not UTF-8"]);
    says(&room.file("c.txt", b"DESC:a fine\nDESC:b caf\xe9\n"), &["line 2 is not UTF-8"]);
    room.file("d/pos/1.txt", b"caf\xe9");
    let message =
        read(&room.0.path().join("d"), &SourceSettings::default()).unwrap_err().to_string();
    assert!(message.contains("1.txt is not UTF-8"), "{message}");
}

#[test]
fn duplicate_and_missing_columns() {
    let room = Room::new();
    says(
        &room.file("a.csv", "text,label,text\na,b,c\n"),
        &["columns 1 and 3 are both called `text`"],
    );
    says(
        &room.file("b.jsonl", "{\"text\":\"a\",\"text\":\"b\",\"label\":1}\n"),
        &["line 1", "`text` stands there twice"],
    );
    let twice = "{\"text\":\"a\",\"label\":1}\n{\"text\":\"a\",\"label\":1,\"label\":2}\n";
    says(&room.file("c.jsonl", twice), &["line 2", "`label` stands there twice"]);
    let asked = |text: &str, label: &str| SourceSettings {
        columns: ColumnSettings {
            text: vec![text.to_owned()],
            label: Some(label.to_owned()),
            ..ColumnSettings::default()
        },
        ..SourceSettings::default()
    };
    let path = room.file("d.csv", "review,label\na,b\n");
    let message = refusal(&path, &asked("reveiw", "label"));
    assert!(
        message.contains("no column `reveiw` (did you mean `review`?); it has review, label"),
        "{message}"
    );
    let message = refusal(&path, &asked("1", "3"));
    assert!(message.contains("no column `3`; it has"), "{message}");
    let path = room.file("e.csv", "one,two,three\na,b,c\n");
    says(&path, &["no column that is known to hold the text", "it has 1, 2, 3"]);
    says(&room.file("f.csv", "text,a,b\na,b,c\n"), &["no column that is known to hold the label"]);
    // A row's name or group is no class, and no text.
    for (name, text) in [("g.csv", "text,id\na,1\nb,2\n"), ("h.csv", "text,group\na,1\nb,2\n")] {
        says(&room.file(name, text), &["no column that is known to hold the label"]);
    }
    says(&room.file("i.csv", "id,label\n1,a\n2,b\n"), &["known to hold the text"]);
    says(&room.file("k.csv", "id,foo\na,b\nc,d\n"), &["known to hold the text", "it has id, foo"]);
    let mut settings = SourceSettings::default();
    settings.columns.group = Some("topic".into());
    let message = refusal(&room.file("j.csv", "text,topic,n\na,b,1\n"), &settings);
    assert!(message.contains("known to hold the label"), "{message}");
    // By number, a name that stands there twice does no harm.
    let path = room.file("a.csv", "text,label,text\na,b,c\n");
    let records = read(&path, &asked("3", "2")).unwrap();
    assert_eq!(records[0].1.text, "c");
    let path = room.0.path().join("k.parquet");
    let column = |word: &str| -> ArrayRef { Arc::new(StringArray::from(vec![word])) };
    let columns = [("text", column("a")), ("label", column("b")), ("text", column("c"))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer =
        ArrowWriter::try_new(fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    says(&path, &["columns 1 and 3 are both called `text`"]);
    let records = read(&path, &asked("3", "2")).unwrap();
    assert_eq!(records[0].1.text, "c");
}

#[test]
fn a_further_file_without_a_header_loses_no_row() {
    let room = Room::new();
    room.file("a.csv", "text,label\ngood,pos\nbad,neg\n");
    let headless = room.file("b.csv", "fine,pos\npoor,neg\n");
    let mut settings = SourceSettings::default();
    settings.columns.text = vec!["1".into()];
    settings.columns.label = Some("2".into());
    let message = read(room.0.path(), &settings).unwrap_err().to_string();
    assert!(message.contains(&format!("{}, line 1", headless.display())), "{message}");
    assert!(message.contains("none of the columns text, label"), "{message}");
    settings.dialect.header = Some(true);
    assert_eq!(read(room.0.path(), &settings).unwrap().len(), 3);
    settings.dialect.header = None;
    // A header in other words is one.
    room.file("b.csv", "n,review,sentiment\n1,fine,pos\n");
    settings.columns = ColumnSettings::default();
    assert_eq!(read(room.0.path(), &settings).unwrap().len(), 3);
}

#[test]
fn rows_that_are_all_bad_say_why() {
    let room = Room::new();
    let settings = SourceSettings { on_error: OnError::Skip, ..SourceSettings::default() };
    let message = refusal(&room.file("a.csv", "text,label\na,\nb,\n"), &settings);
    for part in ["no row of the split `train` can be used", "line 2 has no label"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn lines_have_no_columns_to_tell() {
    let room = Room::new();
    let path = room.file("a.txt", "__label__a one\n__label__b two\n");
    for key in ["group", "id"] {
        let mut settings = SourceSettings::default();
        let column = Some("1".into());
        match key {
            "group" => settings.columns.group = column,
            _ => settings.columns.id = column,
        }
        let message = Source::open_with(&path, &settings).unwrap_err().to_string();
        assert!(message.contains("neither group nor id"), "{message}");
    }
}

#[test]
fn a_first_object_longer_than_the_sample_is_read() {
    let room = Room::new();
    let long = "long ".repeat(60_000);
    let path = room.file("a.jsonl", format!("{{\"text\":\"{long}\",\"label\":\"a\"}}\n"));
    assert_eq!(texts(&path), [long]);
    let plan = Source::open(&path).unwrap().plan(1).unwrap().to_string();
    assert!(plan.contains("1 text = text | 2 label = label"), "{plan}");
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let room = Room::new();
    let path = room.file("a.csv", "text,label\n\u{1b}[2Ja,\u{1b}]0;x\u{7}\n");
    let plan = Source::open(&path).unwrap().plan(1).unwrap().to_string();
    assert!(!plan.contains(|c: char| c.is_control() && c != '\n'), "{plan:?}");
    assert!(plan.contains("[ ]0;x ]"), "{plan}");
}

#[test]
fn labels_that_differ_by_case_or_blanks() {
    let room = Room::new();
    let path = room.file("a.csv", "text,label\na,pos\nb,neg\nc,Pos\nd,\"neg \"\n");
    says(&path, &["line 4", "\"Pos\"", "\"pos\"", "only by case or surrounding blanks"]);
    let (rejected, kept) = skipping(&path);
    let lines: Vec<Option<u64>> = rejected.iter().map(|row| row.line).collect();
    assert_eq!((lines, kept), (vec![Some(4), Some(5)], 2));
}

#[test]
fn unknown_labels_in_test() {
    let room = Room::new();
    room.file("train.csv", GOOD);
    let test = room.file("test.csv", "text,label\nx,pos\ny,meh\n");
    let message = read(room.0.path(), &SourceSettings::default()).unwrap_err().to_string();
    assert!(message.contains(&format!("{}, line 3", test.display())), "{message}");
    assert!(message.contains("unknown label meh; known are 0 (pos), 1 (neg)"), "{message}");
    let given = SourceSettings { label_names: vec!["pos".into()], ..SourceSettings::default() };
    let message = read(room.0.path(), &given).unwrap_err().to_string();
    assert!(message.contains("train.csv, line 3 has the unknown label neg"), "{message}");
}

#[test]
fn empty_files_and_headers_alone() {
    let room = Room::new();
    says(&room.file("a.csv", ""), &["is empty (0 bytes)"]);
    says(&room.file("b.csv", "text,label\n"), &["has no rows in the split `train`"]);
    says(&room.file("c.csv", "\n\n\n"), &["has no rows"]);
    says(&room.file("d.jsonl", "\n"), &["has no"]);
    says(&room.file("e.csv.gz", gzip(b"")), &["is empty"]);
    fs::create_dir_all(room.0.path().join("f/pos")).unwrap();
    room.file("f/neg/1.txt", "a text");
    let message =
        read(&room.0.path().join("f"), &SourceSettings::default()).unwrap_err().to_string();
    assert!(message.contains("f/pos"), "{message}");
}

#[test]
fn ragged_rows() {
    let room = Room::new();
    let path = room.file("a.csv", "text,label\na,pos\nb\nc,neg,more\nd,neg\n");
    says(&path, &["line 3", "has 1 fields, and the first row 2"]);
    let (rejected, kept) = skipping(&path);
    let lines: Vec<Option<u64>> = rejected.iter().map(|row| row.line).collect();
    assert_eq!((lines, kept), (vec![Some(3), Some(4)], 2));
}

#[test]
fn json_of_other_kinds() {
    let room = Room::new();
    let good = "{\"text\":\"a\",\"label\":\"b\"}\n";
    for (bad, part) in [
        ("{\"text\":\"a\",\"label\":\"b\"", "not a JSON object"),
        ("[1]", "not a JSON object"),
        ("{\"text\":5,\"label\":\"b\"}", "`text` holds a number, expected a string"),
        ("{\"label\":\"b\"}", "has no `text`"),
        ("{\"text\":\"a\"}", "has no label"),
        ("{\"text\":\"a\",\"label\":1.5}", "`label` holds a number"),
        ("{\"text\":\"a\",\"label\":\"b\"} x", "not a JSON object"),
    ] {
        says(&room.file("a.jsonl", format!("{good}{bad}\n{good}")), &["line 2", part]);
    }
    says(&room.file("b.json", "[{\"text\": \"a\"}]"), &["a JSON list; write an object a line"]);
    let deep = format!("{{\"text\":\"a\",\"label\":\"b\",\"x\":{}", "[".repeat(1 << 20));
    says(&room.file("c.jsonl", format!("{good}{deep}\n")), &["line 2", "not a JSON object"]);
}

#[test]
fn parquet_of_other_kinds() {
    let room = Room::new();
    let path = room.0.path().join("a.parquet");
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
    let labels: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), Some("y")]));
    let batch = RecordBatch::try_from_iter([("sentence", texts), ("class", labels)]).unwrap();
    let mut writer =
        ArrowWriter::try_new(fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    says(&path, &["row 1 (counted from 0)", "the text is null"]);
    let (rejected, kept) = skipping(&path);
    assert_eq!((rejected[0].row, kept), (Some(1), 1));
    let whole = fs::read(&path).unwrap();
    says(&room.file("b.parquet", &whole[..whole.len() - 5]), &["cannot be read as Parquet"]);
}

#[test]
fn cut_and_damaged_archives() {
    let room = Room::new();
    let rows: Vec<String> =
        (0..5_000).map(|n| format!("text {},pos\n", n * 7_919 % 4_999)).collect();
    let rows = rows.concat();
    let whole = gzip(format!("text,label\n{rows}").as_bytes());
    for length in [5, whole.len() / 2, whole.len() - 3] {
        says(&room.file("a.csv.gz", &whole[..length]), &["cut short or damaged"]);
    }
    let zst = zstd::encode_all(format!("text,label\n{rows}").as_bytes(), 3).unwrap();
    says(&room.file("b.csv.zst", &zst[..zst.len() / 2]), &["cut short or damaged"]);
}

#[test]
fn a_file_that_changes_while_it_is_read() {
    let room = Room::new();
    let path = room.file("a.csv", GOOD);
    let source = Source::open(&path).unwrap();
    source.class_names().unwrap();
    room.file("a.csv", GOOD.replace("good", "best"));
    let message = source.for_each(&mut |_, _| Ok(())).unwrap_err().to_string();
    assert!(message.contains("a.csv changed while it was read"), "{message}");
}

#[test]
fn settings_that_cannot_be() {
    let room = Room::new();
    let path = room.file("a.csv", GOOD);
    let label_names = vec!["pos".into(), "pos".into()];
    let settings = SourceSettings { label_names, ..SourceSettings::default() };
    let message = Source::open_with(&path, &settings).unwrap_err().to_string();
    assert!(message.contains("`label_names`") && message.contains("twice"), "{message}");
    for blank in ["", " \t"] {
        let label_names = ["pos", "neg", blank].map(str::to_owned).to_vec();
        let settings = SourceSettings { label_names, ..SourceSettings::default() };
        let message = Source::open_with(&path, &settings).unwrap_err().to_string();
        assert!(message.contains("`label_names`") && message.contains("3 of 3"), "{message}");
    }
    let mut settings = SourceSettings::default();
    settings.dialect.delimiter = Some('\u{e9}');
    assert!(Source::open_with(&path, &settings).is_err());
    let mut settings = SourceSettings::default();
    settings.files.insert("train".into(), vec!["nothing-*.csv".into()]);
    let message = Source::open_with(room.0.path(), &settings).unwrap_err().to_string();
    assert!(message.contains("no file matches `nothing-*.csv`"), "{message}");
}

#[test]
fn what_was_passed_over_is_written_down() {
    let room = Room::new();
    room.file("train.csv", "text,label\na,pos\nb\nc,neg\n");
    room.file("test.csv", "text,label\na,pos\nx,meh\n");
    let (rejected, kept) = skipping(room.0.path());
    assert_eq!((rejected.len(), kept), (2, 3));
    let out = room.0.path().join("out");
    let mut writer = RejectedWriter::create(&out);
    for row in &rejected {
        writer.write(row).unwrap();
    }
    assert!(!out.join(RejectedWriter::FILE).exists());
    assert_eq!(writer.finish().unwrap(), 2);
    let text = fs::read_to_string(out.join(RejectedWriter::FILE)).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["split"], &lines[0]["file"]), (&"train".into(), &"train.csv".into()));
    assert_eq!((&lines[1]["line"], &lines[1]["content"]), (&3.into(), &"meh".into()));
    assert!(lines[1]["problem"].as_str().unwrap().contains("unknown label meh"));
    assert_eq!(RejectedWriter::create(&out).finish().unwrap(), 0);
    assert!(!out.join(RejectedWriter::FILE).exists());
}

#[test]
fn what_else_a_file_may_be_packed_by_is_named() {
    let room = Room::new();
    let starts: [(&[u8], &str); 3] = [
        (b"\xfd7zXZ\0\0\x04", "xz"),
        (b"BZh91AY&SY", "bzip2"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "7-Zip"),
    ];
    for (start, name) in starts {
        says(&room.file("train.csv.packed", start), &["packed by", name, "gzip or Zstandard"]);
    }
}

#[test]
fn a_first_line_that_is_no_object_is_named() {
    let room = Room::new();
    let lines = "\n{\"text\": \"a\", \"label\": \"x\"},\n{\"text\": \"b\", \"label\": \"y\"},\n";
    says(&room.file("comma.jsonl", lines), &["line 2", "not a JSON object", "trailing characters"]);
    says(&room.file("table.jsonl", "text,label\na,x\n"), &["line 1", "not a JSON object"]);
}

#[test]
fn files_of_a_split_between_different_characters_are_told_apart() {
    let room = Room::new();
    room.file("d/train_1.csv", "text,label\na,x\nb,y\n");
    room.file("d/train_2.csv", "text;label\nc;x\nd;y\n");
    let message = read(&room.0.path().join("d"), &SourceSettings::default()).unwrap_err();
    let message = message.to_string();
    for part in ["train_2.csv", "with `,` between fields", "parted by different characters"] {
        assert!(message.contains(part), "expected {part} in: {message}");
    }
}
