//! What a trace says of the file that a row came from: a Parquet file's row, nothing where the corpus does not know, and
//! nothing that is no longer so.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use serde_json::Value;
use taper_corpus::{CorpusWriter, HubConfig, Origin, records};
use taper_train::manifest::Stage;
use taper_train::prepare::{Places, PrepareEvent, PrepareOptions, prepare};
use taper_train::{Prepared, Recipe, trace};
use tempfile::TempDir;

const CLASSES: [&str; 2] = ["law", "sport"];

struct Room(TempDir);

impl Room {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Gives the stages that were built and the notes.
    fn prepare(&self, dataset: &str, output: &str, set: &[&str]) -> (Vec<Stage>, Vec<String>) {
        let mut settings =
            vec![format!("data.dataset={:?}", self.at(dataset)), "vectors.source=none".to_owned()];
        settings.extend(set.iter().map(ToString::to_string));
        let recipe = Recipe::parse("", "test", &settings).unwrap();
        let hub = HubConfig::new("http://nowhere.invalid", self.at("cache"));
        let places = Places { sample: "nowhere".into(), hub };
        let (mut built, mut notes) = (Vec::new(), Vec::new());
        let output = self.at(output);
        prepare(&PrepareOptions::new(&recipe, &places, &output), &mut |event| match event {
            PrepareEvent::Started(stage) => built.push(stage),
            PrepareEvent::Note(note) => notes.push(note),
            _ => {}
        })
        .unwrap();
        (built, notes)
    }

    /// Of every row its split, text and origin.
    fn origins(&self, prepared: &str) -> Vec<(String, String, Option<Origin>)> {
        let prepared = Prepared::open(&self.at(prepared)).unwrap();
        let mut found = Vec::new();
        for (split, numbers) in &prepared.manifest().splits {
            for row in 0..numbers.rows {
                let traced = trace(&prepared, &format!("{split}:{row}")).unwrap();
                found.push((split.clone(), traced.text, traced.origin));
            }
        }
        found
    }
}

fn parquet(path: &Path, rows: usize) {
    let texts = (0..rows).map(|row| format!("row {row} of the file"));
    let labels = (0..rows).map(|row| CLASSES[row % 2]);
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    let labels: ArrayRef = Arc::new(StringArray::from_iter_values(labels));
    let batch = RecordBatch::try_from_iter([("comment", texts), ("topic", labels)]).unwrap();
    let mut writer =
        ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn rows_of_a_parquet_file_keep_their_numbers_in_any_split() {
    let room = Room::new();
    parquet(&room.at("mine.parquet"), 150);
    for by in ["record", "label"] {
        let hold_out = format!("data.hold_out={{ fraction = 0.3, by = {by:?} }}");
        room.prepare("mine.parquet", by, &[&hold_out]);
        let found = room.origins(by);
        assert_eq!(found.len(), 150);
        assert!(found.iter().filter(|(split, ..)| split == "validation").count() > 20, "{by}");
        for (_, text, origin) in found {
            let origin = origin.unwrap();
            assert_eq!((origin.file.as_str(), origin.line), ("mine.parquet", None));
            assert_eq!(text, format!("row {} of the file", origin.row.unwrap()));
        }
    }
}

/// A corpus as it was written before origins were: without their columns, and without a word of them in the manifest.
fn made_earlier(prepared: &Path) {
    let path = prepared.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert!(manifest.as_object_mut().unwrap().remove("origins").is_some());
    let corpus = prepared.join("corpus");
    let mut writer =
        CorpusWriter::create(&corpus, &CLASSES.map(str::to_owned), &BTreeMap::new()).unwrap();
    for record in records(&corpus, "train").unwrap() {
        writer.write("train", record.unwrap()).unwrap();
    }
    writer.finish().unwrap();
    let files = manifest["stages"]["corpus"]["files"].as_object_mut().unwrap();
    for (name, file) in files {
        let bytes = fs::read(prepared.join(name)).unwrap();
        file["bytes"] = bytes.len().into();
        file["blake3"] = blake3::hash(&bytes).to_hex().to_string().into();
    }
    fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
}

#[test]
fn a_corpus_of_an_earlier_version_is_traced_and_kept() {
    let room = Room::new();
    parquet(&room.at("mine.parquet"), 12);
    room.prepare("mine.parquet", "prepared", &[]);
    let now = room.origins("prepared");
    assert!(now.iter().all(|(.., origin)| origin.is_some()));
    made_earlier(&room.at("prepared"));
    let earlier = room.origins("prepared");
    assert!(earlier.iter().all(|(.., origin)| origin.is_none()));
    let texts = |rows: &[(String, String, Option<Origin>)]| -> Vec<String> {
        rows.iter().map(|(_, text, _)| text.clone()).collect()
    };
    assert_eq!(texts(&earlier), texts(&now));
    assert_eq!(room.prepare("mine.parquet", "prepared", &[]), (vec![], vec![]));
    assert_eq!(room.origins("prepared"), earlier);
}

#[test]
fn rows_found_elsewhere_since_have_no_line_rather_than_a_wrong_one() {
    let room = Room::new();
    let table = |between: &str| -> String {
        let rows = (0..12).map(|row| format!("row {row},{}{between}", CLASSES[row % 2]));
        "text,label\n".to_owned() + &rows.collect::<String>()
    };
    fs::write(room.at("mine.csv"), table("\n")).unwrap();
    let (built, notes) = room.prepare("mine.csv", "prepared", &[]);
    assert!(built == Stage::ALL && notes.is_empty(), "{notes:?}");
    let lines = |prepared: &str| -> Vec<Option<u64>> {
        room.origins(prepared).into_iter().map(|(.., origin)| origin?.line).collect()
    };
    assert_eq!(lines("prepared"), (2..14).map(Some).collect::<Vec<_>>());
    assert_eq!(room.prepare("mine.csv", "prepared", &[]), (vec![], vec![]));
    assert_eq!(lines("prepared")[0], Some(2));

    // A blank line after each row: the same rows, and nothing to build.
    fs::write(room.at("mine.csv"), table("\n\n")).unwrap();
    let (built, notes) = room.prepare("mine.csv", "prepared", &[]);
    assert_eq!(built, []);
    assert!(notes.len() == 1 && notes[0].contains("on other lines"), "{notes:?}");
    assert_eq!(lines("prepared"), [None; 12]);
    assert_eq!(room.prepare("mine.csv", "prepared", &[]), (vec![], vec![]));
    room.prepare("mine.csv", "anew", &[]);
    assert_eq!(lines("anew"), (2..26).step_by(2).map(Some).collect::<Vec<_>>());

    // As it was.
    fs::write(room.at("mine.csv"), table("\n")).unwrap();
    assert_eq!(room.prepare("mine.csv", "prepared", &[]), (vec![], vec![]));
    assert_eq!(lines("prepared"), (2..14).map(Some).collect::<Vec<_>>());
}
