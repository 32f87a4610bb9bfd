//! Preparing a data set of the Hub, from a local mirror: what is read, what is noted of it, and again without a network.
#![allow(clippy::unwrap_used)]

#[path = "../../taper-corpus/tests/mirror/mod.rs"]
mod mirror;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mirror::{Mirror, fixture, sha256};
use taper_corpus::{CorpusWriter, HubConfig, Record};
use taper_train::manifest::Stage;
use taper_train::prepare::{Places, PrepareEvent, PrepareOptions, plan, prepare};
use taper_train::{Prepared, Recipe, Result};

const ID: &str = "someone/reviews";
const COMMIT: &str = "3333333333333333333333333333333333333333";

/// A Parquet file as the Hub has it.
fn shard(folder: &Path, split: &str, rows: usize) -> Vec<u8> {
    let classes = ["neg".to_owned(), "pos".to_owned()];
    let mut writer = CorpusWriter::create(folder, &classes, &BTreeMap::new()).unwrap();
    for row in 0..rows {
        let record = Record {
            id: format!("{split}/{row}"),
            text: format!("A {} film, number {row}", ["dull", "bright"][row % 2]),
            label: Some((row % 2) as u32),
            ..Record::default()
        };
        writer.write(split, record).unwrap();
    }
    writer.finish().unwrap();
    fs::read(folder.join(format!("{split}-00000-of-00001.parquet"))).unwrap()
}

fn run(hub: &HubConfig, output: &Path, settings: &[&str]) -> Result<(Prepared, Vec<PrepareEvent>)> {
    let recipe = recipe(settings);
    let places = Places { sample: "nowhere".into(), hub: hub.clone() };
    let mut events = Vec::new();
    let options = PrepareOptions::new(&recipe, &places, output);
    let prepared = prepare(&options, &mut |event| events.push(event))?;
    Ok((prepared, events))
}

fn recipe(settings: &[&str]) -> Recipe {
    let dataset = format!("data.dataset={ID}");
    let settings = [&dataset].into_iter().cloned().chain(settings.iter().map(ToString::to_string));
    Recipe::parse("", "test", &settings.collect::<Vec<_>>()).unwrap()
}

#[test]
fn a_data_set_of_the_hub_is_prepared_and_its_commit_noted() {
    let folder = tempfile::tempdir().unwrap();
    let train = shard(&folder.path().join("train"), "train", 40);
    let (mirror, output) = (Mirror::start(), folder.path().join("prepared"));
    let files: [(&str, &[u8]); 2] =
        [("en/train-00000-of-00001.parquet", &train), ("de/train-00000-of-00001.parquet", &train)];
    mirror.publish(ID, "main", COMMIT, &files);
    let hub = fixture::config(&mirror, &folder.path().join("cache"));

    let message = run(&hub, &output, &[]).unwrap_err().to_string();
    assert!(message.contains("name one: there are de, en"), "{message}");
    assert!(message.contains("no such file or folder here"), "{message}");

    let settings = ["data.hub.config=en", "data.hold_out.fraction=0.2"];
    let places = Places { sample: "nowhere".into(), hub: hub.clone() };
    let planned = recipe(&settings);
    let planned = plan(&PrepareOptions::new(&planned, &places, &output), 5).unwrap();
    assert!(planned.rows.is_empty() && planned.to_string().contains(COMMIT), "{planned}");

    let (prepared, events) = run(&hub, &output, &settings).unwrap();
    assert!(events.iter().any(|event| matches!(event, PrepareEvent::Plan(_))));
    let origin = prepared.manifest().hub.clone().unwrap();
    assert_eq!((origin.repository.as_str(), origin.revision.as_str()), (ID, "main"));
    assert_eq!((origin.commit.as_str(), origin.config.as_deref()), (COMMIT, Some("en")));
    let files = [("en/train-00000-of-00001.parquet".to_owned(), Some(sha256(&train)))];
    assert_eq!(origin.files, BTreeMap::from(files));
    // There is no test split, and none is needed.
    let splits: Vec<&String> = prepared.manifest().splits.keys().collect();
    assert_eq!(splits, ["train", "validation"]);
    assert_eq!(prepared.manifest().class_names, ["neg", "pos"]);
    drop(prepared);

    // The same again without a network: nothing is built, and a new folder is the same.
    let requests = mirror.log().len();
    let offline = HubConfig { offline: true, ..hub.clone() };
    let (again, events) = run(&offline, &output, &settings).unwrap();
    let built = |event: &PrepareEvent| matches!(event, PrepareEvent::Started(_));
    assert!(!events.iter().any(built), "{events:?}");
    let elsewhere = folder.path().join("elsewhere");
    let (other, _) = run(&offline, &elsewhere, &settings).unwrap();
    assert_eq!(other.manifest(), again.manifest());
    assert_eq!(mirror.log().len(), requests);
    drop((again, other));

    // The same rows at another commit keep every stage, and the new commit is noted.
    let moved = "4444444444444444444444444444444444444444";
    mirror.publish(ID, "main", moved, &[("en/train-00000-of-00001.parquet", &train)]);
    let (moved_on, events) = run(&hub, &output, &settings).unwrap();
    assert!(events.contains(&PrepareEvent::Skipped(Stage::Corpus)));
    assert_eq!(moved_on.manifest().hub.as_ref().unwrap().commit, moved);
}

#[test]
fn without_a_cache_offline_says_where_it_looked() {
    let folder = tempfile::tempdir().unwrap();
    let hub = HubConfig { offline: true, ..HubConfig::new("http://127.0.0.1:9", folder.path()) };
    let message = run(&hub, &folder.path().join("prepared"), &[]).unwrap_err().to_string();
    assert!(message.contains("offline") && message.contains(ID), "{message}");
    assert!(message.contains(folder.path().to_str().unwrap()), "{message}");
}
