//! How fast texts become ids on one thread: MB/s of each tokenizer, normalization and look-up included.
//!
//! ```text
//! cargo run --release -p taper-text --example encode_speed -- reviews.txt [tokenizer ...]
//! ```
//!
//! One text a line. The vocabulary is the 10,000 most frequent words; the best of five rounds counts.

use std::io::Write as _;
use std::time::Instant;

use taper_text::{Normalization, TokenCounts, Tokenizer, Vocabulary, VocabularyOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("expected a file with one text a line")?;
    let mut names: Vec<String> = arguments.collect();
    if names.is_empty() {
        names = Tokenizer::NAMES.iter().map(|name| (*name).to_owned()).collect();
    }
    let content = std::fs::read_to_string(&file)?;
    let texts: Vec<&str> = content.lines().collect();
    let megabytes = texts.iter().map(|text| text.len()).sum::<usize>() as f64 / 1e6;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} texts, {megabytes:.1} MB", texts.len())?;
    for name in names {
        let tokenizer = Tokenizer::named(&name, Normalization { lowercase: false })?;
        let counts = TokenCounts::counts_of(&texts, &tokenizer)?;
        let options = VocabularyOptions { max_size: Some(10_000), min_frequency: 1 };
        let vocabulary = Vocabulary::build(&counts, &options)?;
        let mut best = f64::INFINITY;
        let mut tokens = 0;
        for _ in 0..5 {
            // One that has met none of the texts.
            let encoder = tokenizer.with_vocabulary(&vocabulary)?;
            let start = Instant::now();
            tokens = 0;
            for text in &texts {
                tokens += encoder.encode(text)?.len();
            }
            best = best.min(start.elapsed().as_secs_f64());
        }
        writeln!(out, "{name}: {:.1} MB/s on one thread, {tokens} tokens", megabytes / best)?;
    }
    Ok(())
}
