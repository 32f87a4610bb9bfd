//! Seconds to align a vocabulary to a vector file, best and median of several runs:
//! `time_align VECTORS DIMENSIONS [WORDS]`, where WORDS has a word a line. Without it, 10,000 words stand evenly
//! over the file.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use taper_text::{
    AlignOptions, TokenCounts, Vocabulary, VocabularyOptions, align, read_vectors, spellings,
};

const RUNS: usize = 7;
const WORDS: usize = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [vectors, dimensions, words @ ..] = &arguments[..] else {
        return Err("usage: time_align VECTORS DIMENSIONS [WORDS]".into());
    };
    let (path, dimensions) = (Path::new(vectors), dimensions.parse()?);
    let words: Vec<String> = match words.first() {
        Some(file) => std::fs::read_to_string(file)?.lines().map(str::to_owned).collect(),
        None => spread(path, dimensions)?,
    };
    let mut counts = TokenCounts::new();
    for word in &words {
        counts.add(word);
    }
    let vocabulary = Vocabulary::build(&counts, &VocabularyOptions::default())?;
    let mut seconds = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        let options = AlignOptions::default();
        let needed = spellings(&vocabulary);
        let (vectors, _) = read_vectors(path, None, dimensions, &|word| needed.contains(word))?;
        let alignment = align(&vocabulary, &counts, &vectors, &options)?;
        seconds.push(start.elapsed().as_secs_f64());
        let coverage = &alignment.coverage;
        println!(
            "{:.3} s, {} of {} words",
            seconds.last().copied().unwrap_or_default(),
            coverage.rows_with_vector,
            coverage.vocabulary_rows
        );
    }
    seconds.sort_by(f64::total_cmp);
    println!("best {:.3} s, median {:.3} s", seconds[0], seconds[RUNS / 2]);
    Ok(())
}

/// Words at even distances over the whole file.
fn spread(path: &Path, dimensions: usize) -> Result<Vec<String>, Box<dyn Error>> {
    let all = Mutex::new(Vec::new());
    read_vectors(path, None, dimensions, &|word| {
        if let Ok(mut all) = all.lock() {
            all.push(word.to_owned());
        }
        false
    })?;
    let mut all = all.into_inner()?;
    all.sort_unstable();
    let step = (all.len() / WORDS).max(1);
    Ok(all.into_iter().step_by(step).take(WORDS).collect())
}
