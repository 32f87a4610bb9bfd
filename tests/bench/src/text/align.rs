//! A vocabulary of 10,000 words and a vector file to a matrix.

use std::hint::black_box;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use taper_text::{
    AlignOptions, TokenCounts, Vocabulary, VocabularyOptions, align, read_vectors, spellings,
};

use super::entry::{Entry, Task};

pub(super) const NAME: &str = "align";
/// Numbers of a vector, the tutorial's.
pub(super) const DIMENSIONS: usize = 100;
const WORDS: usize = 10_000;

/// Words at even distances over the whole file, which is warm then.
pub(super) fn words(vectors: &Path) -> Result<Vec<String>> {
    let all = Mutex::new(Vec::new());
    read_vectors(vectors, None, DIMENSIONS, &|word| {
        if let Ok(mut all) = all.lock() {
            all.push(word.to_owned());
        }
        false
    })?;
    let mut all = all.into_inner().map_err(|_| anyhow!("reading the words panicked"))?;
    all.sort_unstable();
    all.dedup();
    let step = (all.len() / WORDS).max(1);
    let words: Vec<String> = all.into_iter().step_by(step).take(WORDS).collect();
    ensure!(words.len() == WORDS, "{}: fewer than {WORDS} words", vectors.display());
    Ok(words)
}

pub(super) fn entry<'a>(path: &'a Path, words: &[String]) -> Result<Entry<'a>> {
    let mut counts = TokenCounts::new();
    for word in words {
        counts.add(word);
    }
    let vocabulary = Vocabulary::build(&counts, &VocabularyOptions::default())?;
    let run = move || {
        let start = Instant::now();
        let needed = spellings(&vocabulary);
        let (vectors, _) = read_vectors(path, None, DIMENSIONS, &|word| needed.contains(word))?;
        black_box(align(&vocabulary, &counts, &vectors, &AlignOptions::default())?);
        Ok(start.elapsed().as_secs_f64())
    };
    let about = format!("Taper, {WORDS} words to their rows of the vector file");
    Ok(Entry::new((NAME, NAME), about, Task::Whole, run))
}
