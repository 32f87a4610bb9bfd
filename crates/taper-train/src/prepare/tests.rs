//! Which stages run when, what prepared data holds, and what survives when something goes wrong.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use taper_corpus::{CorpusWriter, Record};
use tempfile::TempDir;

use super::*;
use crate::lock::Lock;

const WORDS: [&str; 6] = ["good", "bad", "film", "plot", "actor", "dull"];

/// A source, a vector file, and a place to prepare in.
struct Room {
    folder: TempDir,
    recipe: Recipe,
}

impl Room {
    fn new() -> Self {
        let room = Self {
            folder: tempfile::tempdir().unwrap(),
            recipe: Recipe::parse(
                "[text]\nlowercase = true\n[vectors]\nsource = \"vectors.txt\"\ndimensions = 2\ncase = \"exact\"",
                "test",
                &[],
            )
            .unwrap(),
        };
        room.write_source("source", "one", &["train", "validation", "test"]);
        room.write_vectors("good 1 2\nfilm 3 4\nplot 5 6\n");
        room
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_source(&self, name: &str, lineage: &str, splits: &[&str]) {
        let lineage = BTreeMap::from([("note".to_owned(), lineage.to_owned())]);
        let classes = ["neg".to_owned(), "pos".to_owned()];
        let mut writer = CorpusWriter::create(&self.at(name), &classes, &lineage).unwrap();
        for split in splits {
            for row in 0..60 {
                writer.write(split, review(split, row)).unwrap();
            }
        }
        writer.finish().unwrap();
    }

    fn write_vectors(&self, text: &str) {
        fs::write(self.at("vectors.txt"), text).unwrap();
    }

    fn prepare(&self) -> Result<(Prepared, Vec<PrepareEvent>)> {
        self.prepare_as("source", "prepared")
    }

    fn prepare_as(&self, source: &str, output: &str) -> Result<(Prepared, Vec<PrepareEvent>)> {
        let vectors = match self.recipe.vectors.source.as_str() {
            "none" => VectorSource::None,
            _ => VectorSource::Path(self.at("vectors.txt")),
        };
        let options = PrepareOptions {
            recipe: &self.recipe,
            dataset: Dataset::Path(self.at(source)),
            vectors,
            output: &self.at(output),
        };
        let mut events = Vec::new();
        let prepared = prepare(&options, &mut |event| events.push(event))?;
        Ok((prepared, events))
    }

    /// Prepares, and gives the stages that were built.
    fn built(&self) -> Vec<Stage> {
        let (_, events) = self.prepare().unwrap();
        let built = started(&events);
        let skipped = events.iter().filter(|event| matches!(event, PrepareEvent::Skipped(_)));
        assert_eq!(built.len() + skipped.count(), 4, "each stage runs or says it was skipped");
        built
    }
}

/// Six to a movie; row 7 of each split has no tokens.
fn review(split: &str, row: usize) -> Record {
    let text = if row == 7 {
        " <br /> ".to_owned()
    } else {
        format!("A {} Film, {} {split} <br />words", WORDS[row % 6], WORDS[row % 5])
    };
    Record {
        id: format!("{split}/{row}"),
        text,
        label: Some((row % 2) as u32),
        labels: None,
        group: Some(format!("{split} movie {}", row / 6)),
    }
}

fn started(events: &[PrepareEvent]) -> Vec<Stage> {
    let stage = |event: &PrepareEvent| match event {
        PrepareEvent::Started(stage) => Some(*stage),
        _ => None,
    };
    events.iter().filter_map(stage).collect()
}

fn fingerprints(prepared: &Prepared) -> Vec<String> {
    let stages = prepared.manifest().stages.values();
    stages.map(|stage| stage.fingerprint.clone()).collect()
}

#[test]
fn only_what_changed_is_rebuilt() {
    let mut room = Room::new();
    assert_eq!(room.built(), Stage::ALL);
    assert_eq!(room.built(), []);

    room.recipe.train.epochs = 9;
    room.recipe.model.hidden_size = 7;
    room.recipe.seed = 2;
    assert_eq!(room.built(), [], "training and (without random vectors) the seed change no data");

    room.recipe.vectors.missing = crate::recipe::Missing::Uniform;
    assert_eq!(room.built(), [Stage::Vectors]);
    room.recipe.seed = 3;
    assert_eq!(room.built(), [Stage::Vectors]);

    room.recipe.vectors.missing = crate::recipe::Missing::Subwords;
    assert_eq!(room.built(), [Stage::Vectors]);
    room.recipe.seed = 4;
    assert_eq!(room.built(), [], "nothing is drawn for subwords");

    room.recipe.text.lowercase = false;
    assert_eq!(room.built(), [Stage::Text, Stage::Vectors, Stage::Encoded]);

    room.write_vectors("good 1 2\n");
    assert_eq!(room.built(), [Stage::Vectors]);

    fs::remove_dir_all(room.at("source")).unwrap();
    room.write_source("source", "one", &["train", "validation"]);
    room.recipe.train.evaluate_on = crate::recipe::EvaluateOn::Validation;
    assert_eq!(room.built(), [Stage::Corpus, Stage::Encoded], "the training texts are the same");
    assert!(!room.at("prepared/encoded/test-00000-of-00001.parquet").exists());
    assert_eq!(room.built(), []);
}

#[test]
fn the_words_beside_a_matrix_are_part_of_it() {
    let room = Room::new();
    let bytes: Vec<u8> = [1.0_f32, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let view =
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![2, 2], &bytes).unwrap();
    let matrix = safetensors::serialize([("embeddings", view)], None).unwrap();
    fs::write(room.at("vectors.txt"), matrix).unwrap();
    fs::write(room.at("words.txt"), "film\nplot\n").unwrap();
    let film = || {
        let (prepared, _) = room.prepare().unwrap();
        let row = prepared.tokenizer().unwrap().vocabulary().unwrap().id("film").unwrap() as usize;
        prepared.embeddings().unwrap().unwrap().matrix[2 * row..2 * row + 2].to_vec()
    };
    assert_eq!(film(), [1.0, 2.0]);
    assert_eq!(room.built(), []);
    fs::write(room.at("words.txt"), "plot\nfilm\n").unwrap();
    assert_eq!(film(), [3.0, 4.0]);
}

#[test]
fn the_same_rows_elsewhere_are_the_same_data() {
    let room = Room::new();
    let (one, _) = room.prepare().unwrap();
    room.write_source("elsewhere", "one", &["train", "validation", "test"]);
    let (other, _) = room.prepare_as("elsewhere", "prepared too").unwrap();
    assert_eq!(fingerprints(&one), fingerprints(&other));
    drop(one);

    // Other bytes, the same rows: written anew once, then nothing depends on it.
    room.write_source("source", "another container", &["train", "validation", "test"]);
    assert_eq!(room.built(), [Stage::Corpus]);
}

#[test]
fn what_is_prepared_is_what_the_texts_say() {
    let room = Room::new();
    let (prepared, _) = room.prepare().unwrap();
    let manifest = prepared.manifest();
    assert_eq!(manifest.class_names, ["neg", "pos"]);
    let numbers = &manifest.splits["train"];
    assert_eq!((numbers.rows, numbers.empty, numbers.unlabelled), (60, 1, 0));
    assert_eq!(numbers.labels, [30, 30]);

    let tokenizer = prepared.tokenizer().unwrap();
    let encoded = prepared.encoded("train").unwrap();
    let rows: Vec<usize> = (0..60).collect();
    for (row, record) in prepared.records("train", &rows).unwrap().iter().enumerate() {
        assert_eq!(record, &review("train", row));
        assert_eq!(encoded.tokens(row), tokenizer.encode(&record.text).unwrap());
        assert_eq!(encoded.labels()[row], record.label);
    }
    assert_eq!(encoded.tokens(7), [0_u32; 0]);
    assert_eq!(encoded.total_tokens() as u64, numbers.tokens);
    assert_eq!(encoded.lengths().max().unwrap() as u64, numbers.longest);

    // "validation" and "test" stand in the texts of those splits only: the vocabulary has not seen them.
    let vocabulary = tokenizer.vocabulary().unwrap();
    assert!(vocabulary.id("train").is_some());
    assert_eq!(vocabulary.id("validation"), None);

    let embeddings = prepared.embeddings().unwrap().unwrap();
    assert_eq!((embeddings.rows, embeddings.dimensions), (manifest.vocabulary, 2));
    let row = vocabulary.id("film").unwrap() as usize;
    assert_eq!(embeddings.matrix[2 * row..2 * row + 2], [3.0, 4.0]);
    let coverage = prepared.vectors_report().unwrap().coverage.unwrap();
    assert_eq!(coverage.rows_with_vector, 3);
    assert_eq!(prepared.embeddings().unwrap().unwrap(), embeddings);
    drop(prepared);
    assert_eq!(Prepared::open(&room.at("prepared")).unwrap().encoded("train").unwrap(), encoded);
}

#[test]
fn without_vectors_there_is_no_matrix() {
    let mut room = Room::new();
    room.built();
    room.recipe.vectors.source = "none".to_owned();
    assert_eq!(room.built(), [Stage::Vectors]);
    let prepared = Prepared::open(&room.at("prepared")).unwrap();
    assert_eq!(prepared.embeddings().unwrap(), None);
    assert!(!room.at("prepared/embeddings.safetensors").exists());
}

#[test]
fn held_out_groups_stay_together() {
    let mut room = Room::new();
    room.write_source("no validation", "one", &["train", "test"]);
    let (prepared, _) = room.prepare_as("no validation", "whole").unwrap();
    assert_eq!(prepared.manifest().splits["train"].rows, 60);
    let message = prepared.manifest().check_evaluation(&room.recipe).unwrap_err().to_string();
    assert!(message.contains("data.hold_out"), "{message}");

    room.recipe.data.hold_out =
        Some(crate::recipe::HoldOut { fraction: 0.3, by: crate::recipe::HoldOutBy::Group });
    let (prepared, _) = room.prepare_as("no validation", "held out").unwrap();
    let manifest = prepared.manifest();
    let movies = |split: &str| -> BTreeSet<String> {
        let rows: Vec<usize> = (0..manifest.splits[split].rows as usize).collect();
        let records = prepared.records(split, &rows).unwrap();
        records.into_iter().filter_map(|record| record.group).collect()
    };
    let (train, validation) = (movies("train"), movies("validation"));
    assert!(train.is_disjoint(&validation));
    assert_eq!(train.len() + validation.len(), 10);
    assert!(!validation.is_empty() && validation.len() < 10);

    // A data set with a validation split of its own keeps it, and the whole training split.
    let (prepared, _) = room.prepare_as("source", "own").unwrap();
    assert_eq!(prepared.manifest().splits["train"].rows, 60);
    assert_eq!(prepared.manifest().splits["validation"].rows, 60);
}

/// Thirty rows of three classes under names of their own; one row is a label short.
fn rows(short: Option<usize>) -> Vec<[String; 2]> {
    let class = |row: usize| ["art", "law", "sport"][row % 3].to_owned();
    let label = |row| if short == Some(row) { String::new() } else { class(row) };
    (0..30).map(|row| [format!("A {} film, {row}", WORDS[row % 6]), label(row)]).collect()
}

fn write_csv(path: &Path, rows: &[[String; 2]]) {
    let lines: Vec<String> =
        rows.iter().map(|[text, label]| format!("{label};\"{text}\"\n")).collect();
    fs::write(path, format!("topic;comment\n{}", lines.concat())).unwrap();
}

#[test]
fn the_same_rows_in_another_format_keep_every_stage() {
    let mut room = Room::new();
    write_csv(&room.at("rows.csv"), &rows(None));
    let lines: Vec<String> = rows(None)
        .iter()
        .map(|[text, label]| format!("{{\"comment\": \"{text}\", \"topic\": \"{label}\"}}\n"))
        .collect();
    fs::write(room.at("rows.jsonl"), lines.concat()).unwrap();
    let (prepared, events) = room.prepare_as("rows.csv", "prepared").unwrap();
    assert_eq!(started(&events), Stage::ALL);
    let PrepareEvent::Plan(plan) = &events[0] else { panic!("{:?}", events[0]) };
    assert!(plan.to_string().contains("columns  1 topic = label | 2 comment = text"), "{plan}");
    assert_eq!(prepared.manifest().class_names, ["art", "law", "sport"]);
    assert_eq!(prepared.manifest().splits["train"].labels, [10, 10, 10]);
    assert!(prepared.manifest().source.starts_with("CSV"), "{}", prepared.manifest().source);
    let before = fingerprints(&prepared);
    drop(prepared);
    let (prepared, events) = room.prepare_as("rows.jsonl", "prepared").unwrap();
    assert_eq!(started(&events), []);
    assert_eq!(fingerprints(&prepared), before);
    assert_eq!(prepared.manifest().source, "JSON lines");
    drop(prepared);
    // What is shown later is what was written.
    let source = Prepared::open(&room.at("prepared")).unwrap().manifest().source.clone();
    assert_eq!(source, "JSON lines");

    // Other names for the classes are another data set, and so is another column.
    room.recipe.data.label_names = ["sport", "law", "art"].map(str::to_owned).to_vec();
    let (prepared, events) = room.prepare_as("rows.jsonl", "prepared").unwrap();
    assert!(started(&events).contains(&Stage::Corpus));
    assert_eq!(prepared.manifest().class_names[0], "sport");
    drop(prepared);
    room.recipe.data.columns.text = vec!["coment".to_owned()];
    let message = room.prepare_as("rows.jsonl", "prepared").unwrap_err().to_string();
    assert!(
        message.contains("rows.jsonl has no column `coment` (did you mean `comment`?)"),
        "{message}"
    );
    assert_eq!(Prepared::open(&room.at("prepared")).unwrap().manifest().splits["train"].rows, 30);
}

#[test]
fn bad_rows_stop_or_are_counted_and_written_down() {
    let mut room = Room::new();
    write_csv(&room.at("rows.csv"), &rows(Some(4)));
    let message = room.prepare_as("rows.csv", "prepared").unwrap_err().to_string();
    assert!(message.contains("rows.csv, line 6 has no label"), "{message}");
    room.recipe.data.on_error = crate::recipe::OnError::Skip;
    let (prepared, events) = room.prepare_as("rows.csv", "prepared").unwrap();
    assert_eq!((prepared.manifest().rejected, prepared.manifest().splits["train"].rows), (1, 29));
    let file = room.at("prepared/corpus/rejected.jsonl");
    assert!(events.contains(&PrepareEvent::Rejected { rows: 1, file: file.clone() }));
    let rejected = fs::read_to_string(&file).unwrap();
    assert!(rejected.contains("\"file\":\"rows.csv\",\"line\":6"), "{rejected}");
}

#[test]
fn rows_passed_over_are_told_even_where_too_little_is_left() {
    let mut room = Room::new();
    fs::write(room.at("rows.csv"), "text,label\none,a\ntwo,a\nthree,\n").unwrap();
    room.recipe.data.on_error = crate::recipe::OnError::Skip;
    let options = PrepareOptions {
        recipe: &room.recipe,
        dataset: Dataset::Path(room.at("rows.csv")),
        vectors: VectorSource::None,
        output: &room.at("prepared"),
    };
    let mut told = None;
    let result = prepare(&options, &mut |event| {
        if let PrepareEvent::Rejected { rows, file } = event {
            told = Some((rows, file));
        }
    });
    assert!(result.unwrap_err().to_string().contains("fewer than two classes"));
    let (rows, file) = told.unwrap();
    assert_eq!(rows, 1);
    assert!(file.is_file(), "{}", file.display());
}

#[test]
fn a_split_that_leaks_whole_is_not_dropped_in_silence() {
    let mut room = Room::new();
    let classes = ["neg".to_owned(), "pos".to_owned()];
    let mut writer = CorpusWriter::create(&room.at("leaky"), &classes, &BTreeMap::new()).unwrap();
    for (split, of) in [("train", "train"), ("validation", "test"), ("test", "test")] {
        for row in 0..20 {
            writer
                .write(split, Record { id: format!("{split}/{row}"), ..review(of, row) })
                .unwrap();
        }
    }
    writer.finish().unwrap();
    room.recipe.data.drop_leaks = Some(DropLeaks::Identical);
    let message = room.prepare_as("leaky", "prepared").unwrap_err().to_string();
    assert!(message.contains("would leave nothing of the split `validation`"), "{message}");
}

#[test]
fn imdb_is_told_nothing_of_files() {
    let mut room = Room::new();
    room.recipe.data.dataset = "imdb".to_owned();
    room.recipe.data.label_names = vec!["bad".to_owned(), "good".to_owned()];
    let output = room.at("prepared");
    let hub = taper_corpus::HubConfig {
        offline: true,
        ..taper_corpus::HubConfig::new("http://127.0.0.1:9", room.at("cache"))
    };
    let options = PrepareOptions {
        recipe: &room.recipe,
        dataset: Dataset::Imdb(hub),
        vectors: VectorSource::None,
        output: &output,
    };
    let message = plan(&options, 0).unwrap_err().to_string();
    assert!(message.contains("leave out format"), "{message}");
}

#[test]
fn a_stratified_hold_out_takes_the_same_share_of_every_class() {
    let mut room = Room::new();
    write_csv(&room.at("rows.csv"), &rows(None));
    room.recipe.data.hold_out =
        Some(crate::recipe::HoldOut { fraction: 0.2, by: crate::recipe::HoldOutBy::Label });
    let (prepared, _) = room.prepare_as("rows.csv", "prepared").unwrap();
    assert_eq!(prepared.manifest().splits["validation"].labels, [2, 2, 2]);
    assert_eq!(prepared.manifest().splits["train"].labels, [8, 8, 8]);
}

#[test]
fn a_failure_loses_nothing_and_the_next_try_goes_on() {
    let mut room = Room::new();
    let before = fingerprints(&room.prepare().unwrap().0);

    room.recipe.text.lowercase = false;
    room.write_vectors("good 1 2\nfilm 3\n");
    let message = room.prepare().unwrap_err().to_string();
    assert!(message.contains("vectors.txt"), "{message}");
    let prepared = Prepared::open(&room.at("prepared")).unwrap();
    assert_eq!(fingerprints(&prepared), before);
    drop(prepared);

    room.write_vectors("good 1 2\nfilm 3 4\n");
    assert_eq!(room.built(), [Stage::Vectors, Stage::Encoded], "the text stage was finished");
    assert!(!room.at("prepared/.building").exists());
    Prepared::open(&room.at("prepared")).unwrap();
}

#[test]
fn a_swap_cut_short_is_finished_by_the_next_try() {
    let room = Room::new();
    let (prepared, _) = room.prepare().unwrap();
    let before = fingerprints(&prepared);
    drop(prepared);
    // As a kill in the middle of the swap leaves it: the manifest and one stage are not there yet.
    let (folder, building) = (room.at("prepared"), room.at("prepared/.building"));
    fs::create_dir(&building).unwrap();
    for name in [Manifest::FILE, "encoded"] {
        fs::rename(folder.join(name), building.join(name)).unwrap();
    }
    let message = Prepared::open(&folder).unwrap_err().to_string();
    assert!(message.contains("manifest.json"), "{message}");
    assert_eq!(room.built(), []);
    assert_eq!(fingerprints(&Prepared::open(&folder).unwrap()), before);
}

#[test]
fn a_folder_in_use_is_not_changed() {
    let mut room = Room::new();
    let (reader, _) = room.prepare().unwrap();
    let (second_reader, events) = room.prepare().unwrap();
    assert_eq!(started(&events), [], "readers do not disturb each other");

    room.recipe.text.lowercase = false;
    let error = room.prepare().unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    assert!(error.to_string().contains("in use by another process"), "{error}");
    assert_eq!(fingerprints(&Prepared::open(&room.at("prepared")).unwrap()), fingerprints(&reader));
    drop((reader, second_reader));

    let writer = Lock::exclusive_or_shared(&room.at("prepared")).unwrap();
    assert!(writer.is_exclusive());
    assert!(matches!(room.prepare(), Err(Error::InUse { .. })));
    assert!(matches!(Prepared::open(&room.at("prepared")), Err(Error::InUse { .. })));
    drop(writer);
    assert_eq!(room.built(), [Stage::Text, Stage::Vectors, Stage::Encoded]);
}

#[test]
fn damaged_files_are_named_and_built_again() {
    let room = Room::new();
    room.built();
    let folder = room.at("prepared");
    let files = |folder: &Path| -> Vec<String> {
        let manifest = Manifest::read(&folder.join(Manifest::FILE)).unwrap().unwrap();
        let stages = manifest.stages.into_values();
        stages.flat_map(|stage| stage.files.into_keys()).collect()
    };
    let names = files(&folder);
    assert_eq!(names.len(), 9, "{names:?}");
    for name in names {
        let path = folder.join(&name);
        let whole = fs::read(&path).unwrap();

        let mut changed = whole.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        for damaged in [Some(&changed[..]), Some(&whole[..middle]), None] {
            match damaged {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let message = Prepared::open(&folder).unwrap_err().to_string();
            let file = path.file_name().unwrap().to_str().unwrap();
            assert!(message.contains(file), "{name}: {message}");
        }
        assert!(!room.built().is_empty(), "{name}");
        Prepared::open(&folder).unwrap();
    }
}

#[test]
fn a_manifest_of_another_shape_is_named() {
    let room = Room::new();
    room.built();
    let path = room.at("prepared/manifest.json");
    let cases = [
        ("", "not JSON"),
        ("<html>", "not JSON"),
        ("[]", "no version"),
        ("{\"format\": 99}", "version 99"),
        ("{\"format\": 1}", "not a manifest"),
    ];
    for (text, expected) in cases {
        fs::write(&path, text).unwrap();
        let message = Prepared::open(&room.at("prepared")).unwrap_err().to_string();
        assert!(
            message.contains("manifest.json") && message.contains(expected),
            "{text}: {message}"
        );
    }
    let message = Prepared::open(&room.at("nowhere")).unwrap_err().to_string();
    assert!(message.contains("nowhere: no such folder"), "{message}");
}

#[test]
fn an_unknown_split_lists_those_there_are() {
    let room = Room::new();
    let (prepared, _) = room.prepare().unwrap();
    let message = prepared.encoded("dev").unwrap_err().to_string();
    assert!(message.contains("no split `dev`; there are: test, train, validation"), "{message}");
    let message = prepared.records("train", &[3, 60]).unwrap_err().to_string();
    assert!(message.contains("no row 60 in split `train` of 60 rows"), "{message}");
}

#[test]
fn one_class_is_not_a_training_set() {
    let room = Room::new();
    let classes = ["neg".to_owned(), "pos".to_owned()];
    let mut writer =
        CorpusWriter::create(&room.at("neg only"), &classes, &BTreeMap::new()).unwrap();
    for row in 0..4 {
        writer.write("train", Record { label: Some(0), ..review("train", row) }).unwrap();
    }
    writer.finish().unwrap();
    let message = room.prepare_as("neg only", "prepared").unwrap_err().to_string();
    assert!(message.contains("fewer than two classes"), "{message}");
}

#[test]
fn a_table_taken_for_plain_text_is_told_how_to_be_read() {
    let mut room = Room::new();
    for name in ["rows", "rows.txt"] {
        write_csv(&room.at(name), &rows(None));
        let message = room.prepare_as(name, "prepared").unwrap_err().to_string();
        assert!(message.contains("found unsupervised"), "{message}");
        assert!(message.contains("--set data.format=csv"), "{message}");
    }
    room.recipe.data.format = Some(crate::recipe::SourceFormat::Csv);
    let (prepared, _) = room.prepare_as("rows", "prepared").unwrap();
    assert_eq!(prepared.manifest().splits["train"].rows, 30);
}

#[test]
fn a_name_that_is_none_lists_those_there_are() {
    let mut room = Room::new();
    room.recipe.data.dataset = "imbd".to_owned();
    let message = room.prepare_as("imbd", "prepared").unwrap_err().to_string();
    assert!(message.contains("did you mean `imdb`?"), "{message}");
    assert!(message.contains("known by name are sample, imdb"), "{message}");
    assert!(!room.at("prepared").exists());
}
