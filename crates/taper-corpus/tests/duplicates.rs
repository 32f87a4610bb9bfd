//! What is known to occur twice in IMDB is found there, and nothing that does not.
//!
//! Needs the archive beside the repository (`../shared/data/imdb`); without it, says that it skipped.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::{Path, PathBuf};

use taper_corpus::duplicates::{Duplicates, NEAR, SHINGLE_WORDS, find_duplicates};
use taper_corpus::{Defects, Source};

fn archive() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    let path = root.parent()?.join("shared/data/imdb/aclImdb_v1.tar.gz");
    if path.is_file() {
        return Some(path);
    }
    eprintln!("skipped: {} is not there", path.display());
    None
}

/// Texts with the names of their splits.
fn texts(path: &Path) -> (Vec<String>, Vec<String>) {
    let (mut splits, mut texts) = (Vec::new(), Vec::new());
    let source = Source::open(path).unwrap();
    source
        .for_each(&mut |split, record| {
            splits.push(split.to_owned());
            texts.push(record.text);
            Ok(())
        })
        .unwrap();
    (splits, texts)
}

fn duplicates(texts: &[String]) -> Duplicates {
    let found = find_duplicates(|visit| {
        for batch in texts.chunks(2048) {
            visit(&batch.iter().map(String::as_str).collect::<Vec<_>>());
        }
        Ok::<_, Infallible>(Vec::new())
    });
    found.unwrap()
}

/// The Jaccard index by the book: sets of strings, no hashes.
fn plain_jaccard(left: &str, right: &str) -> f64 {
    let set = |text: &str| -> BTreeSet<String> {
        let text = text.replace("<br />", " ").to_lowercase();
        let words: Vec<&str> =
            text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        words.windows(SHINGLE_WORDS).map(|words| words.join(" ")).collect()
    };
    let (left, right) = (set(left), set(right));
    let shared = left.intersection(&right).count();
    shared as f64 / (left.len() + right.len() - shared) as f64
}

#[test]
fn imdb_repeats_what_it_is_known_to_repeat() {
    let Some(path) = archive() else { return };
    let (splits, texts) = texts(&path);
    let found = duplicates(&texts);

    // Texts by the splits they stand in, and rows.
    let mut rows: BTreeMap<u32, BTreeMap<&str, usize>> = BTreeMap::new();
    for (first, split) in found.first.iter().zip(&splits) {
        *rows.entry(*first).or_default().entry(split).or_default() += 1;
    }
    let distinct = |split: &str| rows.values().filter(|of| of.contains_key(split)).count();
    assert_eq!((distinct("train"), distinct("test")), (24_904, 24_801));
    let shared = |left: &str, right: &str| -> (usize, usize) {
        let both = || rows.values().filter(|of| of.contains_key(left) && of.contains_key(right));
        (both().count(), both().map(|of| of[left]).sum())
    };
    assert_eq!(shared("train", "test").0, 123);
    assert_eq!(shared("unsupervised", "test"), (266, 270));
    assert_eq!(shared("unsupervised", "train"), (354, 371));

    // And beyond that: none of them false.
    let pair_of = |left: &str, right: &str| {
        let of = |row: u32| splits[row as usize].as_str();
        let pairs = found.near.iter().filter(|pair| {
            let pair = (of(pair.first), of(pair.second));
            pair == (left, right) || pair == (right, left)
        });
        pairs.count()
    };
    // As many as an exact join finds: `near_duplicates.py`.
    for (left, right, pairs) in [
        ("train", "train", 25),
        ("test", "test", 20),
        ("train", "test", 4),
        ("train", "unsupervised", 11),
        ("test", "unsupervised", 2),
        ("unsupervised", "unsupervised", 51),
    ] {
        assert_eq!(pair_of(left, right), pairs, "{left} and {right}");
    }
    let text = |row: u32| texts[row as usize].as_str();
    for pair in &found.near {
        let exact = plain_jaccard(text(pair.first), text(pair.second));
        assert_ne!(text(pair.first), text(pair.second));
        assert!((exact - pair.similarity).abs() < 0.02, "{pair:?} but {exact}");
        assert!(exact > NEAR - 0.02, "{pair:?}");
    }

    // Its damage: control characters where Windows-1252 was read as Latin-1.
    let mut defects = Defects::default();
    for text in &texts {
        defects += Defects::of(text);
    }
    assert_eq!((defects.controls, defects.entities), (9_688, 28));
}
