//! Data sets as they lie on people's disks: whose layout it is, and what is no file to read.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use taper_corpus::{Source, SourceSettings, Texts};

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
