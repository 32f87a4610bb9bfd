//! Any source this crate reads -> one Parquet corpus that Python's `load_dataset` opens too.
//!
//! ```text
//! cargo run -p taper-corpus --example to_parquet -- aclImdb_v1.tar.gz imdb-parquet
//! cargo run -p taper-corpus --example to_parquet -- 'reviews/*.csv.gz' reviews-parquet
//! ```
//! Prints what was found, and then a line per split: rows, rows per class, and the order-independent fingerprint of its
//! texts and labels.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use taper_corpus::{ContentFingerprint, CorpusWriter, Source};

#[allow(clippy::print_stdout)] // A program may talk.
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        return Err("usage: to_parquet <file, 'glob', folder or archive> <new folder>".into());
    };
    let source = Source::open(Path::new(from))?;
    print!("{}", source.plan(3)?);
    let class_names = source.class_names()?;

    let lineage = BTreeMap::from([("source".to_owned(), source.describe())]);
    let mut corpus = CorpusWriter::create(Path::new(to), &class_names, &lineage)?;
    let mut contents: BTreeMap<String, ContentFingerprint> = BTreeMap::new();
    source.for_each(&mut |split, record| {
        let content = contents.entry(split.to_owned()).or_default();
        content.add(&record.text, record.label);
        corpus.write(split, record)
    })?;

    for summary in corpus.finish()? {
        let content = contents.remove(&summary.split).unwrap_or_default().finish();
        let labels: Vec<String> = class_names
            .iter()
            .zip(&summary.labels)
            .map(|(name, rows)| format!("{name} {rows}"))
            .collect();
        println!(
            "{}: {} rows ({}, unlabelled {}), content {content}",
            summary.split,
            summary.rows,
            labels.join(", "),
            summary.unlabelled
        );
    }
    Ok(())
}
