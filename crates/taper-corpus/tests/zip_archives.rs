//! Zip archives as sources: what is in them, and what must not be.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use taper_corpus::{Limits, Source, SourceSettings, Texts};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const TRAIN: &str = "text,label\ngood,pos\nbad,neg\n";
const TEST: &str = "text,label\nbetter,pos\n";

fn pack(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (at, (name, bytes)) in members.iter().enumerate() {
        let methods = [CompressionMethod::Deflated, CompressionMethod::Stored];
        let options = SimpleFileOptions::default().compression_method(methods[at % 2]);
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn archive(bytes: &[u8]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("reviews.zip");
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

fn read(path: &Path, settings: &SourceSettings) -> Result<Vec<String>, String> {
    let mut rows = Vec::new();
    Source::open_with(path, settings)
        .and_then(|source| {
            source.for_each(&mut |split, record| {
                rows.push(format!("{split} {} {:?}", record.text, record.label));
                Ok(())
            })
        })
        .map_err(|error| error.to_string())?;
    Ok(rows)
}

fn refusal(bytes: &[u8]) -> String {
    let (_dir, path) = archive(bytes);
    let message = read(&path, &SourceSettings::default()).unwrap_err();
    assert!(message.contains("reviews.zip"), "{message}");
    message
}

const EXPECTED: [&str; 3] = ["train good Some(0)", "train bad Some(1)", "test better Some(0)"];

fn parquet() -> Vec<u8> {
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["good", "bad"]));
    let labels: ArrayRef = Arc::new(StringArray::from(vec!["pos", "neg"]));
    let batch = RecordBatch::try_from_iter([("text", texts), ("label", labels)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn members_are_the_splits_that_their_names_or_folders_tell() {
    let jsonl = "{\"text\":\"better\",\"label\":\"pos\"}\n";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(TRAIN.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let parquet = parquet();
    for members in [
        [("train.csv", TRAIN.as_bytes()), ("test.csv", TEST.as_bytes())],
        [("set/train/1.csv", TRAIN.as_bytes()), ("set/test/1.csv", TEST.as_bytes())],
        [("train.csv.gz", packed.as_slice()), ("test.jsonl", jsonl.as_bytes())],
        [("test.csv", TEST.as_bytes()), ("a/train.parquet", parquet.as_slice())],
    ] {
        let junk: [(&str, &[u8]); 3] =
            [("__MACOSX/._train.csv", b"\0\x05"), (".hidden.csv", b"a"), ("README.txt", b"read")];
        let (_dir, path) = archive(&pack(&[&members[..], &junk[..]].concat()));
        assert_eq!(read(&path, &SourceSettings::default()).unwrap(), EXPECTED, "{members:?}");
    }
    let (_dir, path) = archive(&pack(&[("set/train.csv", TRAIN.as_bytes()), ("b.csv", b"x")]));
    let source = Source::open(&path).unwrap();
    let plan = source.plan(1).unwrap();
    assert_eq!(plan.splits[0].files, [path.join("set/train.csv")]);
    assert_eq!(plan.notes, ["b.csv is passed over: its name tells no split"]);
}

#[test]
fn a_single_member_is_data_whatever_it_is_called_and_members_can_be_told() {
    let (_dir, path) = archive(&pack(&[("SMSCollection", TRAIN.replace(',', "\t").as_bytes())]));
    let mut settings =
        SourceSettings { format: Some(taper_corpus::Format::Csv), ..SourceSettings::default() };
    assert_eq!(read(&path, &settings).unwrap(), EXPECTED[..2]);

    let (_dir, path) = archive(&pack(&[("a/x.csv", TRAIN.as_bytes()), ("a/y.csv", b"?")]));
    settings.format = None;
    for told in ["a/x.csv", "a/x*"] {
        settings.files = [("train".to_owned(), vec![told.to_owned()])].into();
        assert_eq!(read(&path, &settings).unwrap(), EXPECTED[..2], "{told}");
    }
    let one = read(&path.join("a/x.csv"), &SourceSettings::default());
    assert_eq!(one.unwrap(), EXPECTED[..2]);
    for pattern in ["a/x*", "*/x.csv"] {
        let several = read(&path.join(pattern), &SourceSettings::default());
        assert_eq!(several.unwrap(), EXPECTED[..2], "{pattern}");
    }
    // As in a folder, `*` stands for a part of one name.
    for none in ["a/z.csv", "a", "*.csv"] {
        let error = read(&path.join(none), &SourceSettings::default()).unwrap_err();
        let says =
            format!("{none} is not a data set: the archive has no such member; it holds a/x.csv");
        assert!(error.contains(&says), "{error}");
    }
    let (_dir, path) = archive(&pack(&[
        ("set/train.csv", TRAIN.as_bytes()),
        ("set/test.csv", TEST.as_bytes()),
        ("set/other.csv", b"?"),
    ]));
    assert_eq!(read(&path.join("set/t*"), &SourceSettings::default()).unwrap(), EXPECTED);
}

#[test]
fn texts_to_predict_may_be_packed() {
    let (_dir, path) = archive(&pack(&[("new.csv", b"text\none\ntwo\n")]));
    let texts = Texts::open(&path, &SourceSettings::default()).unwrap();
    let texts: Vec<String> = texts.map(|text| text.unwrap().text).collect();
    assert_eq!(texts, ["one", "two"]);
    let (_dir, path) = archive(&pack(&[("a.csv", b"text\na\n"), ("b.csv", b"text\nb\n")]));
    let error = Texts::open(&path, &SourceSettings::default()).unwrap_err().to_string();
    assert!(error.contains("2 files; name one") && error.contains("b.csv"), "{error}");
}

#[test]
fn a_bad_row_is_named_within_the_archive() {
    let message = refusal(&pack(&[("a.csv", format!("{TRAIN}new,\n").as_bytes())]));
    assert!(message.contains("a.csv, line 4 has no label"), "{message}");
}

#[test]
fn paths_that_lead_out_links_and_strangers_are_refused() {
    for name in ["../train.csv", "/etc/train.csv", "a/../../train.csv", "..\\train.csv"] {
        // The writer tidies names: the hostile one takes the place of a plain one as long.
        let plain = "x".repeat(name.len());
        let mut bytes = pack(&[(plain.as_str(), TRAIN.as_bytes())]);
        let places: Vec<usize> = (0..bytes.len() - plain.len())
            .filter(|&at| bytes[at..].starts_with(plain.as_bytes()))
            .collect();
        assert_eq!(places.len(), 2);
        for at in places {
            bytes[at..at + name.len()].copy_from_slice(name.as_bytes());
        }
        let message = refusal(&bytes);
        assert!(message.contains("leads out of the archive"), "{message}");
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink("train.csv", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let message = refusal(&zip.finish().unwrap().into_inner());
    assert!(message.contains("is a link"), "{message}");

    let message = refusal(&pack(&[("a.docx", b"x"), ("b.xml", b"y")]));
    assert!(message.contains("it holds a.docx, b.xml"), "{message}");
}

#[test]
fn bombs_are_bounded() {
    let rows =
        "text,label\n".to_owned() + &"aaaaaaaaaaaaaaa,a\nbbbbbbbbbbbbbbbb,b\n".repeat(2 << 20);
    let bytes = pack(&[("train.csv", rows.as_bytes())]);
    assert!(bytes.len() < 1 << 20);
    let (_dir, path) = archive(&bytes);
    let settings = SourceSettings {
        limits: Limits { expansion: 20, ..Limits::default() },
        ..SourceSettings::default()
    };
    let message = read(&path, &settings).unwrap_err();
    assert!(message.contains("many times its size"), "{message}");

    // Two members with the same bytes: the archive grows by a name, what is unpacked by all of them.
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("train.csv", SimpleFileOptions::default()).unwrap();
    zip.write_all(TRAIN.as_bytes()).unwrap();
    zip.shallow_copy_file("train.csv", "test.csv").unwrap();
    let message = refusal(&zip.finish().unwrap().into_inner());
    assert!(message.contains("share a name or bytes"), "{message}");
}

#[test]
fn damaged_archives_are_told() {
    let rows: Vec<String> = (0..5_000).map(|n| format!("t {},p\n", n * 7_919 % 4_999)).collect();
    let whole = pack(&[("train.csv", format!("text,label\n{}", rows.concat()).as_bytes())]);
    for length in [4, 40, whole.len() / 2, whole.len() - 3] {
        refusal(&whole[..length]);
    }
    // A flipped bit of the content is found by the checksum, if nothing else finds it.
    for at in (100..whole.len() / 2).step_by(997) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        refusal(&flipped);
    }
    let mut stored = pack(&[("a", b""), ("train.csv", TRAIN.as_bytes())]);
    let at = stored.windows(4).position(|window| window == b"good").unwrap();
    stored[at] = b'f';
    assert!(refusal(&stored).contains("damaged"));
}

#[test]
fn the_archive_stays_as_it_is() {
    let bytes = pack(&[("train.parquet", parquet().as_slice())]);
    let (dir, path) = archive(&bytes);
    assert_eq!(read(&path, &SourceSettings::default()).unwrap(), EXPECTED[..2]);
    let mut found = Vec::new();
    File::open(&path).unwrap().read_to_end(&mut found).unwrap();
    assert_eq!(found, bytes);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was unpacked beside it");
}
