//! The same rows in every format are the same rows; and files as they are met, by their columns alone.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use taper_corpus::{
    ColumnSettings, ContentFingerprint, CorpusWriter, DialectSettings, Format, OnError, Record,
    Source, SourceSettings,
};

type Row = (String, &'static str);

const CLASSES: [&str; 3] = ["art", "law", "sport"];

/// A thousand texts with whatever formats care about, but no line breaks, which lines cannot hold.
fn thousand() -> Vec<Row> {
    const PARTS: [&str; 9] = [
        "plain",
        "a, comma",
        "a \"quote\"",
        "\"all quoted\"",
        "semi; colon",
        "a\ttab",
        "caf\u{e9} \u{1f600}",
        "it's | piped",
        "__label__no \\n",
    ];
    let row = |n: usize| {
        let text = format!("{} {n} {}", PARTS[n % 9], PARTS[n / 9 % 9]);
        (format!("Text: {text}"), CLASSES[n % 3])
    };
    (0..1_000).map(row).collect()
}

/// A table in some dialect; quoted only where it must be, and with it where `n` is odd.
fn table(rows: &[Row], delimiter: char, names: [&str; 2]) -> String {
    let mut file = names.join(&delimiter.to_string()) + "\n";
    for (n, (text, label)) in rows.iter().enumerate() {
        let special = |c: char| c == delimiter || "\"\r\n\u{feff}".contains(c);
        let quoted = n % 2 == 1 || text.contains(special) || text.is_empty();
        let text = if quoted { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.clone() };
        writeln!(file, "{text}{delimiter}{label}").unwrap();
    }
    file
}

fn jsonl(rows: &[Row], text_key: &str) -> String {
    let line = |(text, label): &Row| {
        serde_json::json!({ "n": [1, null], text_key: text, "label": label }).to_string() + "\n"
    };
    rows.iter().map(line).collect()
}

fn gzip(bytes: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn parquet(path: &Path, rows: &[Row], names: [&str; 2]) {
    let texts: ArrayRef = Arc::new(rows.iter().map(|row| Some(&row.0)).collect::<StringArray>());
    let labels: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.1)).collect::<StringArray>());
    let batch = RecordBatch::try_from_iter([(names[1], labels), (names[0], texts)]).unwrap();
    let mut writer =
        ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn columns(text: &[&str], label: &str) -> SourceSettings {
    let text = text.iter().map(|&column| column.to_owned()).collect();
    let columns =
        ColumnSettings { text, label: Some(label.to_owned()), ..ColumnSettings::default() };
    SourceSettings { columns, ..SourceSettings::default() }
}

/// Records, the source's fingerprint, the corpus's, and the one of texts and labels in any order.
fn read(path: &Path, settings: &SourceSettings) -> (Vec<Record>, [String; 3]) {
    let source = Source::open_with(path, settings).unwrap();
    let names = source.class_names().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut corpus = CorpusWriter::create(dir.path(), &names, &BTreeMap::new()).unwrap();
    let (mut records, mut content) = (Vec::new(), ContentFingerprint::new());
    source
        .for_each(&mut |split, record| {
            content.add(&record.text, record.label);
            records.push(record.clone());
            corpus.write(split, record)
        })
        .unwrap();
    let corpus = corpus.finish().unwrap().remove(0).content;
    (records, [source.fingerprint().unwrap(), corpus, content.finish()])
}

#[test]
fn a_thousand_rows_are_the_same_in_every_format() {
    let dir = tempfile::tempdir().unwrap();
    let rows = thousand();
    let write = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let detected = SourceSettings::default();
    let csv = table(&rows, ',', ["text", "label"]);
    let plain: Vec<String> =
        rows.iter().map(|(text, label)| format!("__label__{label} {text}\n")).collect();
    let plain = plain.concat();
    parquet(&dir.path().join("rows.parquet"), &rows, ["Kommentar", "Urteil"]);
    let files = [
        (write("rows.csv", csv.as_bytes()), detected.clone()),
        (
            write(
                "rows.tsv",
                table(&rows, '\t', ["label_text", "Review"])
                    .replace("label_text\tReview", "Review\tcategory")
                    .as_bytes(),
            ),
            detected.clone(),
        ),
        (
            write("semicolons.csv", table(&rows, ';', ["body", "verdict"]).as_bytes()),
            detected.clone(),
        ),
        (write("pipes.psv", table(&rows, '|', ["x", "y"]).as_bytes()), columns(&["x"], "y")),
        (
            write("dos.csv", format!("\u{feff}{}", csv.replace('\n', "\r\n")).as_bytes()),
            detected.clone(),
        ),
        (write("rows.jsonl", jsonl(&rows, "text").as_bytes()), detected.clone()),
        (write("rows.jsonl.gz", &gzip(&jsonl(&rows, "sentence"))), detected.clone()),
        (write("rows.csv.zst", &zstd::encode_all(csv.as_bytes(), 3).unwrap()), detected.clone()),
        (dir.path().join("rows.parquet"), columns(&["Kommentar"], "2").with_label("Urteil")),
        (write("rows.txt", plain.as_bytes()), detected.clone()),
        (write("rows.ft.gz", &gzip(&plain)), detected.clone()),
    ];
    let (expected, fingerprints) = read(&files[0].0, &files[0].1);
    assert_eq!(expected.len(), 1_000);
    for (n, (text, label)) in rows.iter().enumerate() {
        let label = CLASSES.iter().position(|class| class == label).map(|at| at as u32);
        let (id, text) = (format!("train/{n}"), text.clone());
        assert_eq!(expected[n], Record { id, text, label, ..Record::default() });
    }
    for (path, settings) in &files[1..] {
        let (records, found) = read(path, settings);
        assert!(records == expected, "{}: other rows", path.display());
        assert_eq!(found, fingerprints, "{}", path.display());
    }

    // A folder per class has an order of its own: the same rows, and the same fingerprint of them.
    for (n, (text, label)) in rows.iter().enumerate() {
        let class = dir.path().join("folders").join(label);
        fs::create_dir_all(&class).unwrap();
        fs::write(class.join(format!("{n:04}.txt")), text).unwrap();
    }
    let (mut records, found) = read(&dir.path().join("folders"), &detected);
    assert_eq!(found[2], fingerprints[2]);
    assert_eq!(records[1].id, "train/art/0003.txt");
    records.sort_by(|a, b| a.id[a.id.len() - 8..].cmp(&b.id[b.id.len() - 8..]));
    let pairs = |records: &[Record]| -> Vec<(String, Option<u32>)> {
        records.iter().map(|record| (record.text.clone(), record.label)).collect()
    };
    assert!(pairs(&records) == pairs(&expected));
}

trait WithLabel {
    fn with_label(self, label: &str) -> Self;
}

impl WithLabel for SourceSettings {
    fn with_label(mut self, label: &str) -> Self {
        self.columns.label = Some(label.to_owned());
        self
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_text_survives_any_table(rows in prop::collection::vec(
        ("([^\0]|[,;\"'\n\r\t|\u{feff}]){0,12}", 0..3_usize), 1..20)
    ) {
        let rows: Vec<Row> = rows.into_iter().map(|(text, label)| (text, CLASSES[label])).collect();
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("a.csv"), table(&rows, ',', ["text", "label"])).unwrap();
        fs::write(at("a.tsv"), table(&rows, '\t', ["text", "label"])).unwrap();
        fs::write(at("s.csv"), table(&rows, ';', ["text", "label"])).unwrap();
        fs::write(at("a.jsonl"), jsonl(&rows, "text")).unwrap();
        parquet(&at("a.parquet"), &rows, ["text", "label"]);
        let texts: Vec<String> = rows.iter().map(|row| row.0.clone()).collect();
        let expected = read(&at("a.jsonl"), &SourceSettings::default());
        prop_assert_eq!(expected.0.iter().map(|r| r.text.clone()).collect::<Vec<_>>(), texts);
        for name in ["a.csv", "a.tsv", "s.csv", "a.parquet"] {
            prop_assert_eq!(&read(&at(name), &SourceSettings::default()), &expected, "{}", name);
        }
    }
}

#[test]
fn ag_news_by_the_numbers_of_its_columns() {
    let dir = tempfile::tempdir().unwrap();
    let row = |class: u32, n: usize| {
        format!("\"{class}\",\"Title {n}, with \"\"quotes\"\"\",\"Reuters - Text {n}\\nof it.\"\n")
    };
    let file = |classes: &[u32]| -> String {
        classes.iter().enumerate().map(|(n, &class)| row(class, n)).collect()
    };
    fs::write(dir.path().join("train.csv"), file(&[3, 4, 1, 2, 2])).unwrap();
    fs::write(dir.path().join("test.csv"), file(&[2, 1])).unwrap();
    fs::write(dir.path().join("classes.txt"), "World\nSports\nBusiness\nSci/Tech\n").unwrap();
    let mut settings = columns(&["2", "3"], "1");
    let source = Source::open_with(dir.path(), &settings).unwrap();
    assert_eq!(source.class_names().unwrap(), ["1", "2", "3", "4"]);
    settings.label_names = ["World", "Sports", "Business", "Sci/Tech"].map(str::to_owned).to_vec();
    let source = Source::open_with(dir.path(), &settings).unwrap();
    let mut seen = Vec::new();
    source
        .for_each(&mut |split, record| {
            seen.push((split.to_owned(), record));
            Ok(())
        })
        .unwrap();
    let labels: Vec<(&str, Option<u32>)> =
        seen.iter().map(|(split, record)| (split.as_str(), record.label)).collect();
    let train = [2, 3, 0, 1, 1].map(|label| ("train", Some(label)));
    assert_eq!(labels[..5], train);
    assert_eq!(labels[5..], [("test", Some(1)), ("test", Some(0))]);
    assert_eq!(seen[0].1.text, "Title 0, with \"quotes\"\nReuters - Text 0\\nof it.");
    let plan = source.plan(5).unwrap().to_string();
    assert!(plan.contains("CSV (`,` between fields, quoted by `\"`, without a header)"), "{plan}");
    assert!(plan.contains("columns  1 = label | 2 = text | 3 = text"), "{plan}");
    assert!(plan.contains("classes  World, Sports, Business, Sci/Tech"), "{plan}");
    assert_eq!(plan.matches("\nrow ").count(), 5, "{plan}");
}

#[test]
fn trec_by_the_names_of_its_columns() {
    let dir = tempfile::tempdir().unwrap();
    let train = "DESC:manner How did serfdom develop in Russia ?\nENTY:other What is a: b ?\n\
                 HUM:ind Who ?\nDESC:def What is it ?\n";
    fs::write(dir.path().join("train_5500.label"), train).unwrap();
    fs::write(dir.path().join("TREC_10.label"), "HUM:ind Who was it ?\n").unwrap();
    let files = BTreeMap::from([
        ("train".to_owned(), vec!["train_*.label".to_owned()]),
        ("test".to_owned(), vec!["TREC_10.label".to_owned()]),
    ]);
    let settings = SourceSettings { files, ..SourceSettings::default() };
    let source = Source::open_with(dir.path(), &settings).unwrap();
    assert_eq!(source.class_names().unwrap(), ["DESC", "ENTY", "HUM"]);
    let fine = SourceSettings { columns: columns(&[], "fine").columns, ..settings.clone() };
    let fine = Source::open_with(dir.path(), &fine).unwrap();
    assert_eq!(fine.class_names().unwrap(), ["DESC:manner", "ENTY:other", "HUM:ind", "DESC:def"]);
    let numbered = SourceSettings { columns: columns(&["3"], "1").columns, ..settings };
    let numbered = Source::open_with(dir.path(), &numbered).unwrap();
    assert_eq!(numbered.fingerprint().unwrap(), source.fingerprint().unwrap());
    let mut texts = Vec::new();
    source
        .for_each(&mut |split, record| {
            texts.push((split.to_owned(), record.text, record.label));
            Ok(())
        })
        .unwrap();
    assert_eq!(texts[1], ("train".to_owned(), "What is a: b ?".to_owned(), Some(1)));
    assert_eq!(texts[4], ("test".to_owned(), "Who was it ?".to_owned(), Some(2)));
}

#[test]
fn files_find_their_splits() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    let splits = |path: &Path| -> Vec<String> {
        let plan = Source::open(path).unwrap().plan(0).unwrap();
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let split = |split: &taper_corpus::PlannedSplit| {
            format!("{}={}", split.name, split.files.iter().map(name).collect::<Vec<_>>().join("+"))
        };
        plan.splits.iter().map(split).collect()
    };
    let csv = "text,label\na,x\nb,y\n";
    for name in ["a/train-1.csv", "a/train-0.csv", "a/my_test.csv", "a/dev.csv.gz", "a/extra.csv"] {
        fs::write(at(name), csv).unwrap();
    }
    fs::write(at("a/README.txt"), "read me").unwrap();
    fs::write(at("a/unlabelled.txt"), "a text\nanother\n").unwrap();
    let expected = [
        "train=train-0.csv+train-1.csv",
        "validation=dev.csv.gz",
        "test=my_test.csv",
        "unsupervised=unlabelled.txt",
    ];
    assert_eq!(splits(&dir.path().join("a")), expected);
    let plan = Source::open(&dir.path().join("a")).unwrap().plan(0).unwrap();
    assert_eq!(plan.notes, ["extra.csv is passed over: its name tells no split"]);
    assert_eq!(splits(&dir.path().join("a/train-*.csv")), ["train=train-0.csv+train-1.csv"]);
    assert_eq!(splits(&dir.path().join("a/my_test.csv")), ["train=my_test.csv"]);
    assert_eq!(splits(&dir.path().join("a/unlabelled.txt")), ["unsupervised=unlabelled.txt"]);

    // Hidden files are not meant, and a `[` in a folder's own name is no pattern.
    for name in ["[e]/train.csv", "[e]/.train.csv", "[f]/train/a.csv", "[f]/train/.a.csv"] {
        fs::write(at(name), csv).unwrap();
    }
    let mut told = SourceSettings::default();
    told.files.insert("train".into(), vec!["*rain.csv".into()]);
    let plan = Source::open_with(&dir.path().join("[e]"), &told).unwrap().plan(0).unwrap();
    assert_eq!(plan.splits[0].files, [dir.path().join("[e]/train.csv")]);
    assert_eq!(splits(&dir.path().join("[f]")), ["train=a.csv"]);

    for name in ["b/one.jsonl", "b/two.jsonl"] {
        fs::write(at(name), "{\"text\": \"a\", \"label\": 0}\n").unwrap();
    }
    assert_eq!(splits(&dir.path().join("b")), ["train=one.jsonl+two.jsonl"]);

    for name in ["c/train/good/1.txt", "c/train/bad/1.txt", "c/test/good/1.txt", "c/test/bad/2.txt"]
    {
        fs::write(at(name), "a text").unwrap();
    }
    assert_eq!(splits(&dir.path().join("c")), ["train=bad+good", "test=bad+good"]);
    for name in ["d/train/part-0.csv", "d/train/part-1.csv", "d/test/part-0.csv"] {
        fs::write(at(name), csv).unwrap();
    }
    assert_eq!(splits(&dir.path().join("d")), ["train=part-0.csv+part-1.csv", "test=part-0.csv"]);
}

#[test]
fn columns_and_dialects_are_detected() {
    let dir = tempfile::tempdir().unwrap();
    let plan = |name: &str, text: &str, settings: &SourceSettings| -> String {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        Source::open_with(&path, settings).unwrap().plan(5).unwrap().to_string()
    };
    let detected = SourceSettings::default();
    let cases = [
        // The other one of two columns; a header in other letters.
        ("a.csv", "Verdict,TEXT\nx,\"a; b\"\n", "columns  1 Verdict = label | 2 TEXT = text"),
        ("b.csv", "text;label;id;group\na, b;x;7;g\n", "`;` between fields"),
        ("b.csv", "text;label;id;group\na, b;x;7;g\n", "3 id = id | 4 group = group"),
        ("c.csv", "'a, b',x\n'c, d',y\n", "quoted by `'`, without a header"),
        (
            "d.tsv",
            "pos\t\"Well then\nneg\tNo \"no\" no\npos\tso\n",
            "nothing quoted, without a header",
        ),
        (
            "d.tsv",
            "pos\t\"Well then\nneg\tNo \"no\" no\npos\tso\n",
            "columns  1 = label | 2 = text",
        ),
        ("e.csv", "a longer text,pos\nanother one,neg\n", "columns  1 = text | 2 = label"),
        // What pandas' `to_csv` writes: an index without a name.
        (
            "e.csv",
            ",label,text\n0,pos,It was good\n1,neg,It was not\n",
            "columns  1  | 2 label = label | 3 text = text",
        ),
        ("f.dat", "text|label\na|b\n", "`|` between fields"),
        // What Excel writes, with more commas than semicolons.
        (
            "f.csv",
            "sep=;\r\ntext;label\r\na, b, c;x\r\nd, e, f;y\r\n",
            "columns  1 text = text | 2 label = label",
        ),
        ("f.csv", "sep=\t\ntext\tlabel\na\tx\n", "columns  1 text = text | 2 label = label"),
        ("f.csv", "sep=;,label\na,x\nb,y\n", "`,` between fields"),
        (
            "g.jsonl",
            "{\"id\": 1, \"stars\": 5, \"review\": \"x\"}\n",
            "1 id = id | 2 stars = label | 3 review = text",
        ),
    ];
    for (name, text, says) in cases {
        let plan = plan(name, text, &detected);
        assert!(plan.contains(says), "{name}: expected {says} in\n{plan}");
    }
    let rows = |first: &str| {
        let row = |n: usize| format!("{},It was so {n}\n", ["good", "bad"][n % 2]);
        let rows: Vec<String> = (0..10).map(row).collect();
        format!("{first}\n{}", rows.concat())
    };
    let plain = plan("i.csv", &rows("good,Opinion"), &detected);
    assert!(plain.contains("without a header"), "{plain}");
    let named = plan("i.csv", &rows("Verdict,Opinion"), &detected);
    assert!(named.contains("with a header"), "{named}");
    let dialect = DialectSettings { delimiter: Some('~'), header: Some(false), quote: Some(None) };
    let told = SourceSettings { format: Some(Format::Csv), dialect, ..columns(&["1"], "2") };
    let plan = plan("h.odd", "text~label\n\"x~y\n", &told);
    assert!(plan.contains("`~` between fields, nothing quoted, without a header"), "{plan}");
    assert!(plan.contains("row      train  [label]  text\nrow      train  [y]  \"x\n"), "{plan}");
}

/// As competitions and benchmarks hand it out: the labels of `test` are withheld.
#[test]
fn a_test_split_without_labels_is_kept_without() {
    let train = "id,text,label\n1,good,pos\n2,bad,neg\n";
    for (test, ids) in [
        ("id,text,label\n3,new,\n4,newer,\n", ["3", "4"]),
        ("id,text\n3,new\n4,newer\n", ["3", "4"]),
        ("text,label\nnew,\nnewer,\n", ["test/0", "test/1"]),
        ("text\nnew\nnewer\n", ["test/0", "test/1"]),
    ] {
        for on_error in [OnError::Stop, OnError::Skip] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("train.csv"), train).unwrap();
            fs::write(dir.path().join("test.csv"), test).unwrap();
            let mut settings = SourceSettings { on_error, ..SourceSettings::default() };
            settings.columns.label = Some("label".to_owned());
            let source = Source::open_with(dir.path(), &settings).unwrap();
            let plan = source.plan(3).unwrap().to_string();
            assert!(plan.contains("the split `test` begins without a label"), "{plan}");
            let mut found = Vec::new();
            let read = source.for_each_rejecting(
                &mut |split, record| {
                    found.push((split.to_owned(), record.id, record.label));
                    Ok(())
                },
                &mut |row| panic!("{row:?}"),
            );
            read.unwrap();
            let test = ids.map(|id| ("test".to_owned(), id.to_owned(), None));
            assert_eq!(found[2..], test, "{test:?}");
            assert_eq!(source.class_names().unwrap(), ["pos", "neg"]);
        }
    }
}

#[test]
fn a_test_split_with_some_labels_needs_them_all() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("train.csv"), "text,label\ngood,pos\nbad,neg\n").unwrap();
    let test = dir.path().join("test.csv");
    fs::write(&test, "text,label\nnew,\nnewer,pos\nnewest,\n").unwrap();
    let source = Source::open(dir.path()).unwrap();
    let error = source.class_names().unwrap_err().to_string();
    assert!(error.contains("test.csv, line 2 has no label"), "{error}");

    let skip = SourceSettings { on_error: OnError::Skip, ..SourceSettings::default() };
    let source = Source::open_with(dir.path(), &skip).unwrap();
    let (mut kept, mut rejected) = (Vec::new(), 0);
    let read = source.for_each_rejecting(
        &mut |_, record| {
            kept.push(record.text);
            Ok(())
        },
        &mut |_| {
            rejected += 1;
            Ok(())
        },
    );
    read.unwrap();
    assert_eq!((kept.join(" "), rejected), ("good bad newer".to_owned(), 2));

    // The splits that a model learns from, or is chosen by, are labelled.
    fs::write(dir.path().join("validation.csv"), "text\nnew\n").unwrap();
    let error = Source::open(dir.path()).unwrap().plan(1).unwrap_err().to_string();
    assert!(error.contains("that is known to hold the label"), "{error}");
}
