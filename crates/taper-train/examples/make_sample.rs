//! Makes `data/sample`: 3,500 reviews of IMDB in three splits that share no movie, and the GloVe vectors of their words.
//!
//! ```sh
//! cargo run --release -p taper-train --example make_sample -- aclImdb_v1.tar.gz glove.6B.zip data/sample
//! ```
//!
//! The choice hangs on a hash of seed, movie and review alone, so the same archive gives the same sample anywhere.
#![allow(clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use taper_corpus::{CorpusWriter, Record, Source};
use taper_text::{Normalization, TokenCounts, Tokenizer, Vocabulary, VocabularyOptions};

const SEED: u64 = 1;
/// Reviews of each class in train, validation and test.
const PER_CLASS: [(&str, usize); 3] = [("train", 1000), ("validation", 250), ("test", 500)];
/// Reviews of a class that one movie may give: many movies teach more than many reviews of one.
const PER_MOVIE: usize = 2;
/// Vectors are kept for words that the sample's training reviews use at least so often.
const MIN_FREQUENCY: u64 = 2;
const MEMBER: &str = "glove.6B.100d.txt";
const MAX_BYTES: u64 = 8_000_000;

/// Movie -> its reviews.
type Movies = BTreeMap<String, Vec<Record>>;

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [archive, glove, folder] = arguments.as_slice() else {
        bail!("usage: make_sample ARCHIVE GLOVE_ZIP OUT_DIR");
    };
    let (class_names, train, test) = read(archive)?;
    let sample = choose(train, test)?;

    let config = folder.join("plain_text");
    let lineage = BTreeMap::from([
        ("source".to_owned(), "aclImdb_v1.tar.gz".to_owned()),
        ("seed".to_owned(), SEED.to_string()),
    ]);
    let mut writer = CorpusWriter::create(&config, &class_names, &lineage)?;
    for (split, records) in &sample {
        for record in records {
            writer.write(split, record.clone())?;
        }
    }
    let mut bytes = 0;
    for summary in writer.finish()? {
        for file in &summary.files {
            bytes += describe(file)?;
        }
        println!("{}: {} rows, {:?} a class", summary.split, summary.rows, summary.labels);
    }

    let vectors = folder.join("glove.6B.100d.txt.zst");
    let (words, found) = copy_vectors(&sample[0].1, glove, &vectors)?;
    bytes += describe(&vectors)?;
    println!("vectors: {found} of the {words} words used {MIN_FREQUENCY} times or more");
    println!("{bytes} bytes in all");
    ensure!(bytes <= MAX_BYTES, "more than {MAX_BYTES} bytes");
    Ok(())
}

fn read(archive: &Path) -> Result<(Vec<String>, Movies, Movies)> {
    let source = Source::open(archive)?;
    let (mut train, mut test) = (Movies::new(), Movies::new());
    source.for_each(&mut |split, record| {
        let movies = match split {
            "train" => &mut train,
            "test" => &mut test,
            _ => return Ok(()),
        };
        if let Some(movie) = record.group.clone() {
            movies.entry(movie).or_default().push(record);
        }
        Ok(())
    })?;
    ensure!(
        !train.is_empty() && !test.is_empty(),
        "{}: no movies: the archive's urls_*.txt files name them",
        archive.display()
    );
    Ok((source.class_names()?, train, test))
}

/// Train and validation come from the archive's training split, test from its test split.
fn choose(train: Movies, test: Movies) -> Result<Vec<(&'static str, Vec<Record>)>> {
    let (mut train, mut test) = (by_key(train), by_key(test));
    let mut used = BTreeSet::new();
    let mut texts = HashSet::new();
    let mut sample = Vec::new();
    for (split, per_class) in PER_CLASS {
        let pool = if split == "test" { &mut test } else { &mut train };
        let mut chosen = Vec::new();
        let mut left = [per_class; 2];
        pool.retain(|(movie, reviews)| {
            if left == [0; 2] || used.contains(movie) {
                return true;
            }
            let mut from_movie = [PER_MOVIE; 2];
            let before = chosen.len();
            for review in reviews {
                let Some(class) = review.label.map(|label| label as usize) else {
                    continue;
                };
                // Some reviews were posted twice, under two movies even.
                if left[class] > 0 && from_movie[class] > 0 && texts.insert(review.text.clone()) {
                    left[class] -= 1;
                    from_movie[class] -= 1;
                    chosen.push(review.clone());
                }
            }
            if chosen.len() > before {
                used.insert(movie.clone());
            }
            chosen.len() == before
        });
        ensure!(left == [0; 2], "{split}: {left:?} reviews a class are missing");
        chosen.sort_by_cached_key(|record| key("row", &record.id));
        sample.push((split, chosen));
    }
    Ok(sample)
}

/// Movies, and the reviews of each, in the order of their keys.
fn by_key(movies: Movies) -> Vec<(String, Vec<Record>)> {
    let mut movies: Vec<_> = movies.into_iter().collect();
    movies.sort_by_cached_key(|(movie, _)| key("movie", movie));
    for (_, reviews) in &mut movies {
        reviews.sort_by_cached_key(|review| key("review", &review.id));
    }
    movies
}

fn key(kind: &str, name: &str) -> [u8; 32] {
    *blake3::hash(format!("taper sample {SEED} {kind} {name}").as_bytes()).as_bytes()
}

/// Copies the lines of the wanted words as they are. Gives the numbers of words wanted and found.
fn copy_vectors(train: &[Record], glove: &Path, target: &Path) -> Result<(usize, usize)> {
    let tokenizer = Tokenizer::named("english", Normalization { lowercase: true })?;
    let texts: Vec<&str> = train.iter().map(|record| record.text.as_str()).collect();
    let options = VocabularyOptions { max_size: None, min_frequency: MIN_FREQUENCY };
    let vocabulary = Vocabulary::build(&TokenCounts::counts_of(&texts, &tokenizer)?, &options)?;

    let mut archive = zip::ZipArchive::new(File::open(glove)?)?;
    let lines = BufReader::new(archive.by_name(MEMBER)?);
    let mut encoder = zstd::Encoder::new(File::create(target)?, 19)?;
    let mut found = 0;
    for line in lines.split(b'\n') {
        let line = line.with_context(|| format!("{}: {MEMBER}", glove.display()))?;
        let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        if std::str::from_utf8(word).is_ok_and(|word| vocabulary.id(word).is_some()) {
            encoder.write_all(&line)?;
            encoder.write_all(b"\n")?;
            found += 1;
        }
    }
    encoder.finish()?.sync_all()?;
    Ok((vocabulary.words().count(), found))
}

fn describe(path: &Path) -> Result<u64> {
    let bytes = std::fs::read(path)?;
    println!("{} {} {}", blake3::hash(&bytes).to_hex(), bytes.len(), path.display());
    Ok(bytes.len() as u64)
}
