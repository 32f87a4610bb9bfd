//! Counts what occurs twice in a source: `cargo run --release -p taper-corpus --example duplicates -- SOURCE`.
#![allow(clippy::print_stdout, reason = "a program")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use taper_corpus::duplicates::{VisitTexts, find_duplicates};
use taper_corpus::{Result, Source};

const BATCH: usize = 2048;

fn main() -> Result<()> {
    let Some(path) = std::env::args().nth(1) else {
        println!("usage: duplicates SOURCE (a folder or archive that Source::open knows)");
        return Ok(());
    };
    let source = Source::open(Path::new(&path))?;
    let started = Instant::now();
    let mut splits: Vec<String> = Vec::new();
    let found = find_duplicates(|visit| {
        splits.clear();
        read(&source, &mut splits, visit)?;
        Ok::<_, taper_corpus::Error>(Vec::new())
    })?;
    let mut pairs: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    let split_of = |row: u32| splits.get(row as usize).map_or("", String::as_str);
    for (row, first) in (0..).zip(&found.first).filter(|(row, first)| row != *first) {
        pairs.entry((split_of(*first), split_of(row))).or_default().0 += 1;
    }
    for pair in &found.near {
        pairs.entry((split_of(pair.first), split_of(pair.second))).or_default().1 += 1;
    }
    for ((earlier, later), (rows, near)) in pairs {
        println!("{earlier} and {later}: {rows} rows repeat an earlier text, {near} near pairs");
    }
    println!(
        "{} texts in {:.2} s, reading included",
        splits.len(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

fn read(source: &Source, splits: &mut Vec<String>, visit: &mut VisitTexts<'_>) -> Result<()> {
    let mut texts: Vec<String> = Vec::with_capacity(BATCH);
    let mut hand_over = |texts: &mut Vec<String>| {
        visit(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        texts.clear();
    };
    source.for_each(&mut |split, record| {
        splits.push(split.to_owned());
        texts.push(record.text);
        if texts.len() == BATCH {
            hand_over(&mut texts);
        }
        Ok(())
    })?;
    hand_over(&mut texts);
    Ok(())
}
