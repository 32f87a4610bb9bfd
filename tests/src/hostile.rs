//! Any bytes to each parser of files: what must hold whatever they are. Panics are the findings.
//!
//! The fuzz targets of `fuzz/` feed what they invent; `tests/hostile_corpus.rs` what was found and kept.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use taper_corpus::{Limits, OnError, Source, SourceSettings};
use taper_text::{Tokenizer, read_vectors};

/// A parser: its name, and what feeds it.
pub type Parser = (&'static str, fn(&[u8], &Path) -> Result<()>);

/// Every parser of files that users bring.
pub const PARSERS: [Parser; 10] = [
    ("csv", |bytes, folder| rows(bytes, folder, "data.csv")),
    ("jsonl", |bytes, folder| rows(bytes, folder, "data.jsonl")),
    ("lines", |bytes, folder| rows(bytes, folder, "data.txt")),
    ("parquet", |bytes, folder| rows(bytes, folder, "data.parquet")),
    ("detect", |bytes, folder| rows(bytes, folder, "data")),
    ("tar", tar),
    ("zip", zip),
    ("glove", |bytes, folder| vectors(bytes, folder, "vectors.txt")),
    ("word2vec", |bytes, folder| vectors(bytes, folder, "vectors.bin")),
    ("tokenizer", tokenizer),
];

/// Feeds `bytes` to the parser `name`, with `folder` to write them in.
///
/// # Errors
/// If something does not hold: the same file read twice differs, or an error does not name its file.
pub fn feed(name: &str, bytes: &[u8], folder: &Path) -> Result<()> {
    let (_, parser) = PARSERS.iter().find(|(known, _)| *known == name).context("no such parser")?;
    parser(bytes, folder)
}

fn write(bytes: &[u8], folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    fs::write(&path, bytes)?;
    Ok(path)
}

fn settings(on_error: OnError) -> SourceSettings {
    let limits = Limits { row_bytes: 1 << 16, expansion: 20 };
    SourceSettings { on_error, limits, ..SourceSettings::default() }
}

/// The rows of a file and how many were passed over, or the error's words.
fn read(path: &Path, on_error: OnError) -> Result<(Vec<String>, usize), String> {
    let source = Source::open_with(path, &settings(on_error)).map_err(|error| error.to_string())?;
    let (mut records, mut rejected) = (Vec::new(), 0);
    let outcome = source.for_each_rejecting(
        &mut |split, record| {
            records.push(format!("{split} {record:?}"));
            Ok(())
        },
        &mut |_| {
            rejected += 1;
            Ok(())
        },
    );
    outcome.map_err(|error| error.to_string())?;
    Ok((records, rejected))
}

fn rows(bytes: &[u8], folder: &Path, name: &str) -> Result<()> {
    let path = write(bytes, folder, name)?;
    let strict = read(&path, OnError::Stop);
    ensure!(strict == read(&path, OnError::Stop), "read twice, it differs");
    match (&strict, read(&path, OnError::Skip)) {
        (Ok((records, _)), Ok((again, rejected))) => {
            ensure!(rejected == 0 && *records == again, "nothing to skip, and it differs");
        }
        (Ok(_), Err(error)) => {
            anyhow::bail!("skipping bad rows fails where there are none: {error}")
        }
        (Err(error), _) => {
            ensure!(error.contains(name), "an error that does not name the file: {error}");
        }
    }
    Ok(())
}

/// The bytes as a tar, packed as the archive of the data set is.
fn tar(bytes: &[u8], folder: &Path) -> Result<()> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, bytes)?;
    let path = write(&packed.finish()?, folder, "data.tar.gz")?;
    if let Err(error) = read(&path, OnError::Stop) {
        ensure!(error.contains("data.tar.gz"), "an error that does not name the file: {error}");
    }
    let members = fs::read_dir(folder)?.count();
    ensure!(members == 1, "an archive wrote {members} files where there was one");
    Ok(())
}

/// The bytes as a zip archive; two kinds of reading find the same.
fn zip(bytes: &[u8], folder: &Path) -> Result<()> {
    rows(bytes, folder, "data.zip")?;
    let members = fs::read_dir(folder)?.count();
    ensure!(members == 1, "an archive wrote {members} files where there was one");
    Ok(())
}

fn vectors(bytes: &[u8], folder: &Path, name: &str) -> Result<()> {
    let path = write(bytes, folder, name)?;
    for dimensions in [2, 3] {
        match read_vectors(&path, None, dimensions, &|_| true) {
            Ok((vectors, _)) => {
                for word in vectors.words() {
                    let found = vectors.get(word).context("a word without its vector")?;
                    ensure!(found.len() == dimensions, "a vector of another width");
                    ensure!(found.iter().all(|number| number.is_finite()), "not finite: {word:?}");
                }
            }
            Err(error) => {
                let error = error.to_string();
                ensure!(error.contains(name), "an error that does not name the file: {error}");
            }
        }
    }
    Ok(())
}

fn tokenizer(bytes: &[u8], folder: &Path) -> Result<()> {
    let path = write(bytes, folder, "tokenizer.json")?;
    match Tokenizer::load(&path) {
        Ok(tokenizer) => {
            let text = "It's \u{212b} <br /> na\u{ef}ve  test\u{0}, e.g. :-) don't!";
            if let (Ok(once), Ok(again)) = (tokenizer.tokens(text), tokenizer.tokens(text)) {
                ensure!(once == again, "cut twice, it differs");
            }
        }
        Err(error) => {
            let error = error.to_string();
            ensure!(
                error.contains("tokenizer.json"),
                "an error that does not name the file: {error}"
            );
        }
    }
    Ok(())
}
