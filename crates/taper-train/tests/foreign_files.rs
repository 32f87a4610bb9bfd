//! What `prepare` never replaces: files that it did not write, and the source it reads.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use taper_corpus::{HubConfig, Plan};
use taper_train::prepare::{Places, PrepareEvent, PrepareOptions, plan, prepare};
use taper_train::{Error, Recipe};
use tempfile::TempDir;

const TABLE: &str = "text,label\na b,x\nc d,y\ne f,x\ng h,y\n";

struct Room(TempDir);

impl Room {
    fn new() -> Self {
        let room = Self(tempfile::tempdir().unwrap());
        fs::write(room.at("train.csv"), TABLE).unwrap();
        room
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn with<T>(
        &self,
        dataset: &Path,
        set: &[&str],
        work: impl FnOnce(&PrepareOptions<'_>) -> Result<T, Error>,
    ) -> Result<T, String> {
        let mut settings =
            vec![format!("data.dataset={dataset:?}"), "vectors.source=none".to_owned()];
        settings.extend(set.iter().map(ToString::to_string));
        let recipe = Recipe::parse("", "test", &settings).unwrap();
        let hub = HubConfig::new("http://nowhere.invalid", self.at("cache"));
        let places = Places { sample: "nowhere".into(), hub };
        let output = self.at("prepared");
        work(&PrepareOptions::new(&recipe, &places, &output)).map_err(|error| error.to_string())
    }

    /// Gives the notes, or the error.
    fn prepare(&self, dataset: &Path, set: &[&str]) -> Result<Vec<String>, String> {
        let mut notes = Vec::new();
        let mut hear = |event| {
            if let PrepareEvent::Note(note) = event {
                notes.push(note);
            }
        };
        self.with(dataset, set, |options| prepare(options, &mut hear))?;
        Ok(notes)
    }

    fn plan(&self, dataset: &Path) -> Result<Plan, String> {
        self.with(dataset, &[], |options| plan(options, 5))
    }
}

#[test]
fn a_folder_of_somebody_elses_files_is_left_as_it_is() {
    for name in ["corpus/mine.csv", "encoded/notes.txt", "tokenizer.json", "coverage.json"] {
        let room = Room::new();
        let mine = room.at("prepared").join(name);
        fs::create_dir_all(mine.parent().unwrap()).unwrap();
        fs::write(&mine, "precious").unwrap();
        let message = room.prepare(&room.at("train.csv"), &[]).unwrap_err();
        assert!(message.contains(name) && message.contains("move it away"), "{message}");
        assert_eq!(room.plan(&room.at("train.csv")).unwrap_err(), message);
        assert_eq!(fs::read(&mine).unwrap(), b"precious");
        fs::remove_file(&mine).unwrap();
        room.plan(&room.at("train.csv")).unwrap();
        room.prepare(&room.at("train.csv"), &[]).unwrap();
    }
}

#[test]
fn a_file_that_was_put_among_the_prepared_is_not_replaced() {
    let room = Room::new();
    room.prepare(&room.at("train.csv"), &[]).unwrap();
    let mine = room.at("prepared/corpus/notes.txt");
    fs::write(&mine, "precious").unwrap();
    // What is up to date stays; nothing is in the way of that.
    room.prepare(&room.at("train.csv"), &[]).unwrap();
    fs::write(room.at("other.csv"), TABLE.replace("a b", "other")).unwrap();
    let message = room.prepare(&room.at("other.csv"), &[]).unwrap_err();
    assert!(message.contains("corpus/notes.txt"), "{message}");
    assert_eq!(fs::read(&mine).unwrap(), b"precious");
    fs::remove_file(&mine).unwrap();
    room.prepare(&room.at("other.csv"), &[]).unwrap();
}

#[test]
fn it_is_not_replaced_the_next_time_either() {
    let room = Room::new();
    room.prepare(&room.at("train.csv"), &[]).unwrap();
    for name in ["encoded/mine.txt", "corpus/.git/config", ".building/mine"] {
        let mine = room.at("prepared").join(name);
        fs::create_dir_all(mine.parent().unwrap()).unwrap();
        fs::write(&mine, "precious").unwrap();
        for _ in 0..3 {
            let message =
                room.prepare(&room.at("train.csv"), &["text.min_frequency=2"]).unwrap_err();
            assert!(message.contains(name), "{message}");
            assert_eq!(fs::read(&mine).unwrap(), b"precious");
        }
        fs::remove_file(&mine).unwrap();
    }
}

#[test]
fn a_manifest_of_something_else_is_refused_and_one_of_ours_that_was_cut_is_not() {
    let room = Room::new();
    fs::create_dir(room.at("prepared")).unwrap();
    let manifest = room.at("prepared/manifest.json");
    fs::write(&manifest, "{\"name\": \"my extension\"}").unwrap();
    let message = room.prepare(&room.at("train.csv"), &[]).unwrap_err();
    assert!(message.contains("manifest.json"), "{message}");
    fs::remove_file(&manifest).unwrap();
    room.prepare(&room.at("train.csv"), &[]).unwrap();
    let whole = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, &whole[..whole.len() / 2]).unwrap();
    room.prepare(&room.at("train.csv"), &[]).unwrap();
    assert!(fs::read_to_string(&manifest).unwrap().len() > whole.len() / 2);
}

#[test]
fn a_source_where_the_prepared_goes_is_refused() {
    let room = Room::new();
    room.prepare(&room.at("train.csv"), &[]).unwrap();
    let source = room.at("prepared/corpus");
    let refused = |dataset: &Path| {
        let message = room.prepare(dataset, &["text.min_frequency=2"]).unwrap_err();
        assert!(message.contains("would be replaced"), "{message}");
        assert_eq!(room.plan(dataset).unwrap_err(), message);
        assert!(source.join("train-00000-of-00001.parquet").exists());
    };
    refused(&source);
    refused(&source.join("train*.parquet"));
    #[cfg(unix)]
    {
        fs::create_dir(room.at("links")).unwrap();
        let link = room.at("links/train.parquet");
        std::os::unix::fs::symlink(source.join("train-00000-of-00001.parquet"), link).unwrap();
        refused(&room.at("links"));
    }
}

#[test]
fn a_share_far_from_what_was_asked_for_is_told() {
    let room = Room::new();
    let rows = (0..40).map(|row| format!("text {row},{}\n", row % 2));
    fs::write(room.at("more.csv"), format!("text,label\n{}", rows.collect::<String>())).unwrap();
    let hold_out = |fraction: &str| {
        let set = [format!("data.hold_out.fraction={fraction}"), "data.hold_out.by=record".into()];
        room.prepare(&room.at("more.csv"), &set.each_ref().map(String::as_str)).unwrap()
    };
    let notes = hold_out("0.001");
    assert!(notes.iter().any(|note| note.starts_with("held out 0 of 40 rows")), "{notes:?}");
    let even = "data.hold_out={ fraction = 0.25, by = \"label\" }";
    assert_eq!(room.prepare(&room.at("more.csv"), &[even]).unwrap(), Vec::<String>::new());
}
