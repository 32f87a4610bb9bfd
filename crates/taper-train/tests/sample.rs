//! The committed sample: as large, balanced and disjoint as `data/README.md` says, and ready for `quickstart`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use taper_corpus::HubConfig;
use taper_train::Recipe;
use taper_train::prepare::{Places, PrepareOptions, prepare};

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/sample")
}

fn bytes_in(path: &Path) -> u64 {
    if !path.is_dir() {
        return fs::metadata(path).unwrap().len();
    }
    let entries = fs::read_dir(path).unwrap();
    entries.map(|entry| bytes_in(&entry.unwrap().path())).sum()
}

#[test]
fn it_is_small_balanced_and_disjoint() {
    assert!(bytes_in(&sample()) <= 8_000_000);

    let recipe = Recipe::load(Recipe::DEFAULT_NAME, &[]).unwrap();
    // Everything comes from the folder: a Hub that cannot be reached is never asked.
    let hub = HubConfig { offline: true, ..HubConfig::new("http://127.0.0.1:9", "/nonexistent") };
    let places = Places { sample: sample(), hub };
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("prepared");
    let options = PrepareOptions::new(&recipe, &places, &output);
    let prepared = prepare(&options, &mut |_| {}).unwrap();

    let mut movies = BTreeSet::new();
    let mut texts = BTreeSet::new();
    for (split, per_class) in [("train", 1000), ("validation", 250), ("test", 500)] {
        let numbers = &prepared.manifest().splits[split];
        assert_eq!(numbers.labels, [per_class; 2], "{split}");
        assert_eq!(numbers.empty, 0, "{split}");
        let rows: Vec<usize> = (0..numbers.rows as usize).collect();
        let records = prepared.records(split, &rows).unwrap();
        let of_split: BTreeSet<String> =
            records.iter().map(|record| record.group.clone().unwrap()).collect();
        assert!(movies.is_disjoint(&of_split), "{split} shares a movie");
        movies.extend(of_split);
        for record in records {
            assert!(texts.insert(record.text), "{}: a text twice", record.id);
        }
    }

    let found = taper_train::doctor::examine(&prepared, None).unwrap();
    assert_eq!(found.leaking_rows, 0, "{:?}", found.findings);
    assert!(found.splits.iter().all(|split| split.distinct == split.rows));
    // One author wrote two nearly equal reviews of validation; no near-duplicate lies across splits.
    assert_eq!(found.similarities.iter().sum::<u64>(), 1, "{:?}", found.findings);

    let report = prepared.vectors_report().unwrap();
    let coverage = report.coverage.unwrap();
    assert_eq!(coverage.vocabulary_rows, 10_000);
    // The vectors are those of this very vocabulary; what is left are words GloVe does not know.
    assert!(coverage.rows_with_vector * 100 >= coverage.vocabulary_rows * 94, "{coverage:?}");
}
