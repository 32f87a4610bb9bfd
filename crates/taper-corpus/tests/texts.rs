//! Texts to predict: the same out of every format, labels and all their defects aside.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use taper_corpus::{
    ColumnSettings, DialectSettings, Error, Format, OnError, SourceSettings, Text, Texts,
};

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
        let lines = Texts::stream(Path::new("standard input"), reader, &SourceSettings::default());
        texts(lines.unwrap().collect::<Result<_, _>>().unwrap())
    };
    assert_eq!(stream(bytes), expected);
    assert_eq!(stream(&zstd::encode_all(&bytes[..], 1).unwrap()), expected);
    assert_eq!(stream(b""), [""; 0]);
}

/// Gives little at a time, as a pipe does.
struct Trickle(Cursor<Vec<u8>>);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(1021);
        self.0.read(&mut buffer[..most])
    }
}

fn told(format: Format) -> SourceSettings {
    SourceSettings { format: Some(format), ..SourceSettings::default() }
}

fn stream(bytes: &[u8], settings: &SourceSettings) -> Result<Vec<Text>, Error> {
    let reader = Trickle(Cursor::new(bytes.to_vec()));
    Texts::stream(Path::new("standard input"), reader, settings)?.collect()
}

#[test]
fn a_stream_gives_what_a_file_gives_however_long() {
    let folder = tempfile::tempdir().unwrap();
    // Beyond what detection looks at, in rows and in a row.
    let long = "word ".repeat(80_000);
    let (mut csv, mut tsv) =
        ("\u{feff}id;review\n".to_owned(), "id\treview\r\n0\t\"a\tb\"\r\n".to_owned());
    let mut jsonl = format!("\n{{\"x\": \"{long}\", \"review\": \"first\"}}\n");
    let (mut fasttext, mut trec) = (String::new(), String::new());
    for row in 0..20_000 {
        write!(csv, "{row};\"Row; \"\"{row}\"\"\nand {}\"\n", row * 7).unwrap();
        write!(tsv, "{row}\tRow {row}, and {}\r\n", row * 7).unwrap();
        writeln!(jsonl, "{{\"review\": \"Row {row}\", \"id\": {row}}}").unwrap();
        writeln!(fasttext, "__label__a Row {row}").unwrap();
        writeln!(trec, "NUM:count How many rows , {row} ?").unwrap();
    }
    writeln!(csv, "last;{long}").unwrap();
    for (name, text, format) in [
        ("t.csv", csv, Format::Csv),
        ("t.tsv", tsv, Format::Csv),
        ("t.jsonl", jsonl, Format::Jsonl),
        ("t.ft", fasttext, Format::FastText),
        ("t.trec", trec, Format::Trec),
    ] {
        let (path, settings) = (folder.path().join(name), told(format));
        fs::write(&path, &text).unwrap();
        let expected = read(&path, &settings);
        assert!(expected.len() >= 20_000, "{name}: {}", expected.len());
        assert_eq!(stream(text.as_bytes(), &settings).unwrap(), expected, "{name}");
        let zstd = zstd::encode_all(text.as_bytes(), 1).unwrap();
        assert_eq!(stream(&zstd, &settings).unwrap(), expected, "{name}.zst");
        let mut gzip = flate2::read::GzEncoder::new(text.as_bytes(), flate2::Compression::fast());
        let mut packed = Vec::new();
        gzip.read_to_end(&mut packed).unwrap();
        assert_eq!(stream(&packed, &settings).unwrap(), expected, "{name}.gz");
    }
}

#[test]
fn a_stream_without_end_gives_its_rows() {
    /// The same row again and again.
    struct Endless(&'static [u8], usize);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let read = (&self.0[self.1..]).read(buffer)?;
            self.1 = (self.1 + read) % self.0.len();
            Ok(read)
        }
    }
    for (row, format) in [
        (&b"a film,\"good, really\",1\n"[..], Format::Csv),
        (b"{\"text\": \"good, really\"}\n", Format::Jsonl),
        (b"good, really\n", Format::Text),
    ] {
        let text = if format == Format::Csv { vec!["2".to_owned()] } else { Vec::new() };
        let columns = ColumnSettings { text, ..ColumnSettings::default() };
        let settings = SourceSettings { columns, ..told(format) };
        let texts = Texts::stream(Path::new("in"), Endless(row, 0), &settings).unwrap();
        let first: Vec<Text> = texts.take(50_000).collect::<Result<_, _>>().unwrap();
        assert_eq!(first.len(), 50_000);
        assert!(first.iter().all(|text| text.text == "good, really"), "{format:?}");
    }
}

#[test]
fn what_a_stream_cannot_be_is_said() {
    for format in [Format::Csv, Format::Jsonl, Format::Text, Format::FastText] {
        let mark = [0xef, 0xbb, 0xbf];
        assert_eq!(stream(b"", &told(format)).unwrap(), [], "{format:?}");
        assert_eq!(stream(&mark, &told(format)).unwrap(), [], "{format:?}");
    }
    let message = |bytes: &[u8], format| stream(bytes, &told(format)).unwrap_err().to_string();
    // Before anything is read.
    let found = Texts::stream(Path::new("in"), Refused, &told(Format::Parquet)).unwrap_err();
    assert!(matches!(&found, Error::NotSeekable { path } if path == Path::new("in")), "{found}");
    let found = message(b"text\none\n\"two\" \n", Format::Csv);
    assert!(found.starts_with("standard input, line 3: something follows"), "{found}");
    let found = message(b"[{\"text\": 1}]", Format::Jsonl);
    assert!(found.contains("standard input is not a data set: a JSON list"), "{found}");
    let found = message(b"one\ntwo\n", Format::Jsonl);
    assert!(found.starts_with("standard input, line 1: not a JSON object"), "{found}");
    let found = message(b"\xff\xfeo\0", Format::Csv);
    assert!(found.contains("standard input: begins with UTF-16"), "{found}");
    let mut cut = zstd::encode_all(&b"text\none\n"[..], 1).unwrap();
    cut.truncate(cut.len() - 2);
    let found = message(&cut, Format::Csv);
    assert!(found.contains("standard input is cut short or damaged"), "{found}");
    let found = Texts::stream(Path::new("in"), Refused, &told(Format::Csv)).unwrap_err();
    assert!(found.to_string().contains("cannot read in: no more"), "{found}");
}

struct Refused;

impl Read for Refused {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("no more"))
    }
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
    assert!(message.ends_with(" is a folder; name one of its files"), "{message}");
    let message = Texts::open(&folder.path().join("*.csv"), &settings).unwrap_err().to_string();
    assert!(message.contains("*.csv is a pattern") && message.contains("name one"), "{message}");
}

#[test]
fn a_header_in_words_of_its_own_is_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let open = |text: &str, settings: &SourceSettings| {
        fs::write(&path, text).unwrap();
        Texts::open(&path, settings)
    };
    let texts = |text: &str, settings: &SourceSettings| -> Vec<(Option<String>, String)> {
        let texts = open(text, settings).unwrap();
        texts.map(|text| text.unwrap()).map(|text| (text.id, text.text)).collect()
    };
    let detected = SourceSettings::default();
    let named = |id: &str, text: &str| (Some(id.to_owned()), text.to_owned());
    // The rows' name is known, so the other column is the text, the longer one or not.
    for (csv, ids) in [
        ("id,foo\n1,A fine film\n2,No\n", ["1", "2"]),
        (
            "foo,ID\nA fine film,a-very-long-name-1\nNo,a-very-long-name-2\n",
            ["a-very-long-name-1", "a-very-long-name-2"],
        ),
    ] {
        let expected = [named(ids[0], "A fine film"), named(ids[1], "No")];
        assert_eq!(texts(csv, &detected), expected, "{csv}");
    }
    // Words over numbers.
    assert_eq!(texts("nr,foo\n1,Yes it is\n2,No\n", &detected)[0].1, "Yes it is");

    // Nothing tells; a name, a number of a column and what the first row is do.
    let open_ended = "key,Full Story\na1,\"It was good, really\"\na2,It was so bad\n";
    let message = open(open_ended, &detected).unwrap_err().to_string();
    assert!(message.contains("t.csv: the first row (key, Full Story) may"), "{message}");
    let told = |text: &[&str], id: Option<&str>, header| {
        let text = text.iter().map(|&name| name.to_owned()).collect();
        let columns = ColumnSettings { text, id: id.map(str::to_owned), ..Default::default() };
        let dialect = DialectSettings { header, ..DialectSettings::default() };
        SourceSettings { columns, dialect, ..SourceSettings::default() }
    };
    let two = ["It was good, really", "It was so bad"];
    let only = |settings: &SourceSettings| {
        texts(open_ended, settings).into_iter().map(|row| row.1).collect::<Vec<_>>()
    };
    assert_eq!(only(&told(&["Full Story"], None, None)), two);
    assert_eq!(only(&told(&[], Some("key"), None)), two);
    assert_eq!(only(&told(&[], None, Some(true))), two);
    assert_eq!(only(&told(&["2"], None, Some(true))), two);
    assert_eq!(only(&told(&[], None, Some(false))), [&["Full Story"][..], &two].concat());

    // Rows like the first are rows: sentences over sentences, words over words.
    assert_eq!(texts("a1,\"Good, really.\"\na2,It was bad.\n", &detected).len(), 2);
    assert_eq!(texts("a1,good\na2,bad\na3,so so\n", &detected).len(), 3);
    // A single column of texts, with a name nobody knows.
    let message = open("verdicts\nIt was so very good.\n", &detected).unwrap_err().to_string();
    assert!(message.contains("(verdicts)"), "{message}");
    // Of three columns the names say too little.
    let message = open("id,foo,bar\n1,It was,good\n", &detected).unwrap_err().to_string();
    assert!(message.contains("hold the text") && message.contains("id, foo, bar"), "{message}");
}
