//! Data sets as they lie on people's disks: whose layout it is, and what is no file to read.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use taper_corpus::{Source, SourceSettings, Texts};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

type Files<'a> = &'a [(&'a str, &'a str)];

fn write(root: &Path, files: Files<'_>) {
    for (name, text) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// `split text label`, a row each.
fn read(path: &Path) -> Result<Vec<String>, String> {
    let mut rows = Vec::new();
    Source::open(path)
        .and_then(|source| {
            let names = source.class_names()?;
            source.for_each(&mut |split, record| {
                let label = record.label.map_or("?", |label| names[label as usize].as_str());
                rows.push(format!("{split} {} {label}", record.text));
                Ok(())
            })
        })
        .map_err(|error| error.to_string())?;
    Ok(rows)
}

fn read_files(files: Files<'_>) -> Result<Vec<String>, String> {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), files);
    read(dir.path())
}

#[test]
fn classes_called_as_those_of_imdb_are_a_folder_per_class() {
    let train: Files<'_> = &[("train/neg/1.txt", "bad"), ("train/pos/a_film.txt", "good")];
    assert_eq!(read_files(train).unwrap(), ["train bad neg", "train good pos"]);
    let both = [train, &[("test/neg/2.txt", "dull"), ("test/pos/2.txt", "fine")]].concat();
    let rows = read_files(&both).unwrap();
    assert_eq!(rows, ["train bad neg", "train good pos", "test dull neg", "test fine pos"]);
}

#[test]
fn names_of_reviews_are_imdbs_where_most_are_such() {
    let stray = [
        ("train/neg/0_1.txt", "bad"),
        ("train/neg/1_2.txt", "poor"),
        ("train/pos/0_9.txt", "good"),
        ("train/pos/notes.txt", "?"),
    ];
    let message = read_files(&stray).unwrap_err();
    assert!(message.contains("notes.txt: a review's file must be named"), "{message}");
    let mostly_others =
        [("train/neg/a.txt", "bad"), ("train/pos/0_9.txt", "good"), ("train/pos/b.txt", "fine")];
    let rows = read_files(&mostly_others).unwrap();
    assert_eq!(rows, ["train bad neg", "train good pos", "train fine pos"]);
}

#[test]
fn trecs_own_file_names_are_train_and_test() {
    let train = ("train_5500.label", "DESC:manner How ?\nENTY:cremat What ?\n");
    let test = ("TREC_10.label", "DESC:def Why ?\n");
    let rows = ["train How ? DESC", "train What ? ENTY", "test Why ? DESC"];
    assert_eq!(read_files(&[train, test]).unwrap(), rows);
    // Another name for the test split comes first; and a name alone is no split.
    let named = ("test.label", "ENTY:food Who ?\n");
    assert_eq!(read_files(&[train, test, named]).unwrap()[2..], ["test Who ? ENTY"]);
    assert_eq!(read_files(&[test]).unwrap(), ["train Why ? DESC"]);
    let tables = [("train.csv", "text,label\na,x\nb,y\n"), ("TREC_10.label", test.1)];
    assert_eq!(read_files(&tables).unwrap().len(), 2);
}

#[test]
fn a_folder_per_class_in_an_archive_is_to_be_unpacked() {
    let classes: [Files<'_>; 3] = [
        &[("train/neg/1.txt", "bad"), ("train/pos/1.txt", "good")],
        &[("set/neg/1.txt", "bad"), ("set/pos/1.txt", "good"), ("set/README.md", "?")],
        &[("train/ham/1", "hello"), ("train/spam/1", "buy")],
    ];
    let dir = tempfile::tempdir().unwrap();
    for (at, files) in classes.into_iter().enumerate() {
        let (mut zip, mut tar) = (
            ZipWriter::new(fs::File::create(dir.path().join(format!("{at}.zip"))).unwrap()),
            tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast())),
        );
        let mut plain = tar::Builder::new(Vec::new());
        for (name, text) in files {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header.clone(), name, text.as_bytes()).unwrap();
            plain.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        let packed = tar.into_inner().unwrap().finish().unwrap();
        fs::write(dir.path().join(format!("{at}.tar.gz")), packed).unwrap();
        fs::write(dir.path().join(format!("{at}.tar")), plain.into_inner().unwrap()).unwrap();
        for name in [format!("{at}.zip"), format!("{at}.tar.gz"), format!("{at}.tar")] {
            let message = read(&dir.path().join(&name)).unwrap_err();
            let parts = [name.as_str(), "a folder per class", "unpack it"];
            assert!(parts.iter().all(|part| message.contains(part)), "{name}: {message}");
        }
    }
}

#[test]
#[cfg(unix)]
fn a_pipe_is_refused_and_not_waited_for() {
    use std::process::Command;
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("set/train/neg/1.txt", "bad"), ("set/train/pos/1.txt", "good")]);
    let pipes = ["pipe", "pipe.csv", "pipe.zip", "pipe.parquet", "set/train/pos/2.txt"];
    for name in pipes {
        let path = dir.path().join(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let opened = if name.starts_with("set") { dir.path().join("set") } else { path.clone() };
        let told = |message: String| {
            assert!(message.contains(path.to_str().unwrap()), "{message}");
            assert!(message.contains("not a regular file"), "{message}");
        };
        told(read(&opened).unwrap_err());
        told(Texts::open(&path, &SourceSettings::default()).unwrap_err().to_string());
    }
}

#[test]
fn a_table_beside_class_folders_is_read_and_the_folders_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let files =
        [("pos/1.txt", "good"), ("neg/1.txt", "bad"), ("all.csv", "text,label\na,x\nb,y\n")];
    write(dir.path(), &files);
    assert_eq!(read(dir.path()).unwrap(), ["train a x", "train b y"]);
    let notes = Source::open(dir.path()).unwrap().plan(0).unwrap().notes;
    assert!(notes.iter().any(|note| note.contains("passed over (neg, pos)")), "{notes:?}");
}

#[test]
fn data_beside_folders_of_splits_is_read_and_the_folders_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let files = [
        ("train/pos/1.txt", "good"),
        ("train/neg/1.txt", "bad"),
        ("all.csv", "text,label\na,x\nb,y\n"),
    ];
    write(dir.path(), &files);
    let notes = Source::open(dir.path()).unwrap().plan(0).unwrap().notes;
    assert!(notes.iter().any(|note| note.contains("passed over (train)")), "{notes:?}");
}

#[test]
fn a_class_of_folders_is_told_as_such() {
    let message = read_files(&[("pos/1.txt", "good"), ("neg/a/1.txt", "bad")]).unwrap_err();
    assert!(message.contains("neg") && message.contains("a folder within"), "{message}");
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf8_are_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("neg/1.txt", "bad")]);
    for name in [&b"caf\xe8"[..], b"caf\xe9"] {
        let class = dir.path().join(OsStr::from_bytes(name));
        fs::create_dir(&class).unwrap();
        fs::write(class.join("1.txt"), "good").unwrap();
    }
    let message = read(dir.path()).unwrap_err();
    assert!(message.contains("caf") && message.contains("not UTF-8"), "{message}");
}

#[test]
fn parquet_of_every_common_packing_is_read() {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;
    use parquet::basic::{BrotliLevel, Compression as Packing, GzipLevel, ZstdLevel};
    use parquet::file::properties::WriterProperties;

    let column = |words: [&str; 2]| Arc::new(StringArray::from(words.to_vec())) as ArrayRef;
    let batch = [("text", column(["a", "b"])), ("label", column(["x", "y"]))];
    let batch = RecordBatch::try_from_iter(batch).unwrap();
    let packings = [
        Packing::UNCOMPRESSED,
        Packing::SNAPPY,
        Packing::GZIP(GzipLevel::default()),
        Packing::BROTLI(BrotliLevel::default()),
        Packing::LZ4_RAW,
        Packing::LZ4,
        Packing::ZSTD(ZstdLevel::default()),
    ];
    let dir = tempfile::tempdir().unwrap();
    for packing in packings {
        let path = dir.path().join("train.parquet");
        let properties = WriterProperties::builder().set_compression(packing).build();
        let file = fs::File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        assert_eq!(read(&path).unwrap(), ["train a x", "train b y"], "{packing:?}");
    }
}
