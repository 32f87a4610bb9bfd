//! Texts and a GloVe file to an embedding matrix, without any model:
//!
//! ```text
//! cargo run --release -p taper-text --example align_vectors -- TEXTS VECTORS DIMENSIONS [OUT]
//! ```
//!
//! `TEXTS` holds one text a line, `VECTORS` is a .txt, .zip, .gz or .zst. `OUT` is a folder for `tokenizer.json`, which
//! Python's `tokenizers` loads, and `matrix.npy`, which numpy loads. Without arguments: a few lines of its own.
#![allow(clippy::print_stdout)] // Its output is its purpose.

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use taper_text::{
    AlignOptions, Alignment, Case, Missing, Normalization, TokenCounts, Tokenizer, Vocabulary,
    VocabularyOptions, align, read_vectors, spellings,
};

const TEXTS: &str =
    "The film isn't bad.<br />Not bad at all...\nThe worst film of the year, says Mr. Bean.";
const VECTORS: &str =
    "the 0.1 0.2 0.3\nfilm -0.4 0.5 0.6\nbad 0.7 -0.8 0.9\nyear 1.0 1.1 -1.2\nunwanted 0 0 0\n";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => {
            let folder = tempfile::tempdir()?;
            let vectors = folder.path().join("vectors.txt");
            std::fs::write(&vectors, VECTORS)?;
            run(TEXTS, &vectors, 3, None)
        }
        [texts, vectors, dimensions, out @ ..] if out.len() < 2 => {
            let texts = std::fs::read_to_string(texts)?;
            run(&texts, Path::new(vectors), dimensions.parse()?, out.first().map(PathBuf::from))
        }
        _ => Err("usage: align_vectors TEXTS VECTORS DIMENSIONS [OUT]".into()),
    }
}

fn run(
    texts: &str,
    vectors: &Path,
    dimensions: usize,
    out: Option<PathBuf>,
) -> Result<(), Box<dyn Error>> {
    let texts: Vec<&str> = texts.lines().collect();
    let tokenizer = Tokenizer::named("english", Normalization { lowercase: false })?;
    let counts = TokenCounts::counts_of(&texts, &tokenizer)?;
    let vocabulary = Vocabulary::build(
        &counts,
        &VocabularyOptions { max_size: Some(10_000), min_frequency: 1 },
    )?;
    let tokenizer = tokenizer.with_vocabulary(&vocabulary)?;
    println!(
        "{} texts, {} tokens, {} different words",
        texts.len(),
        counts.total(),
        counts.distinct()
    );
    if let Some(text) = texts.first() {
        println!(
            "first text: {:?}\n         -> {:?}",
            tokenizer.tokens(text)?,
            tokenizer.encode(text)?
        );
    }

    let options =
        AlignOptions { case: Case::Fallback, missing: Missing::Normal { std: 0.1 }, seed: 1 };
    let needed = spellings(&vocabulary);
    let (vectors, _) = read_vectors(vectors, None, dimensions, &|word| needed.contains(word))?;
    let alignment = align(&vocabulary, &counts, &vectors, &options)?;
    let coverage = &alignment.coverage;
    let share = |part: u64| 100.0 * part as f64 / coverage.tokens as f64;
    println!("{} of {} words have a vector", coverage.rows_with_vector, coverage.vocabulary_rows);
    println!("{:.1} % of the tokens are in the vocabulary", share(coverage.tokens_in_vocabulary));
    println!("{:.1} % of the tokens have a vector", share(coverage.tokens_with_vector));
    let missing: Vec<&str> =
        coverage.most_frequent_missing.iter().map(|word| word.token.as_str()).take(10).collect();
    println!("most frequent words without one: {}", missing.join(" "));

    if let Some(out) = out {
        std::fs::create_dir_all(&out)?;
        tokenizer.save(&out.join("tokenizer.json"))?;
        write_npy(&out.join("matrix.npy"), &alignment, vocabulary.len())?;
        println!("wrote tokenizer.json and matrix.npy to {}", out.display());
    }
    Ok(())
}

/// numpy's format, version 1.0: magic, length of the header, a header padded to 64 bytes, the values.
fn write_npy(path: &Path, alignment: &Alignment, rows: usize) -> std::io::Result<()> {
    let shape = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {}), }}",
        alignment.dimensions
    );
    let header = format!("{shape:<width$}\n", width = (shape.len() + 11).next_multiple_of(64) - 11);
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    file.write_all(b"\x93NUMPY\x01\x00")?;
    file.write_all(&(header.len() as u16).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    for value in &alignment.matrix {
        file.write_all(&value.to_le_bytes())?;
    }
    file.flush()
}
