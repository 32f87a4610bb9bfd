//! `cargo xtask bench predict`: a file of many short rows through a model, next to the network alone.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use candle_core::Device;
use serde::Serialize;
use taper_corpus::{Source, SourceSettings, Texts};
use taper_train::batch::sorted_batches;
use taper_train::{
    AtomicFile, Inference, Model, OutputFormat, PredictionWriter, Predictor, Quantization,
};

use crate::args::PredictArgs;
use crate::memory::{Memory, peak_of};

/// The sample's folder, from this package's.
const SAMPLE: &str = "../../data/sample";
/// Rows that the network alone is measured with, sorted by length within as many as the stream sorts, in batches of 32.
const ALONE: usize = 20_000;
const CHUNK: usize = 4096;
const BATCH: usize = 32;

/// One run over a file.
#[derive(Debug, Serialize)]
struct Run {
    rows: u64,
    tokens: u64,
    seconds: f64,
    tokens_per_second: f64,
    memory: Option<Memory>,
}

#[derive(Debug, Serialize)]
struct Report {
    /// A tenth of the rows, all of them: memory must not differ.
    runs: Vec<Run>,
    /// Token ids to logits, batch after batch.
    alone_tokens_per_second: f64,
    /// All of the second run, files included, over the network alone.
    share: f64,
}

pub(crate) fn run(args: &PredictArgs) -> Result<()> {
    let quantization = if args.int8 { Quantization::Int8 } else { Quantization::F32 };
    let folder = tempfile::tempdir()?;
    let sentences = sentences()?;
    let predictor = Predictor::open(&args.run, &Device::Cpu, quantization)?;
    let mut runs = Vec::new();
    for rows in [args.rows.get() / 10, args.rows.get()] {
        let input = folder.path().join("rows.jsonl");
        write_rows(&input, &sentences, rows)?;
        eprintln!("{rows} rows");
        runs.push(stream(&predictor, &input, &folder.path().join("out.jsonl"))?);
    }
    let alone = alone(&args.run, quantization, &sentences)?;
    let share = runs.last().map_or(0.0, |run| run.tokens_per_second) / alone;
    let report = Report { runs, alone_tokens_per_second: alone, share };
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

/// The sample's reviews, whole.
pub(crate) fn reviews() -> Result<Vec<String>> {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join(SAMPLE);
    let mut all = Vec::new();
    Source::open(&sample)?
        .for_each(&mut |_, record| {
            all.push(record.text);
            Ok(())
        })
        .with_context(|| format!("cannot read {}", sample.display()))?;
    ensure!(!all.is_empty(), "the sample has no text");
    Ok(all)
}

/// The sample's reviews, cut at their full stops.
pub(crate) fn sentences() -> Result<Vec<String>> {
    let cut = |review: String| -> Vec<String> {
        let sentences = review.split_inclusive(". ").map(str::trim);
        sentences.filter(|sentence| !sentence.is_empty()).map(str::to_owned).collect()
    };
    Ok(reviews()?.into_iter().flat_map(cut).collect())
}

fn write_rows(path: &Path, sentences: &[String], rows: usize) -> Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    for (id, text) in sentences.iter().cycle().take(rows).enumerate() {
        serde_json::to_writer(&mut out, &serde_json::json!({ "id": id, "text": text }))?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// As `taper predict --input rows.jsonl --output out.jsonl` does it.
fn stream(predictor: &Predictor, input: &Path, output: &Path) -> Result<Run> {
    let (mut rows, mut tokens) = (0, 0);
    let clock = Instant::now();
    let memory = peak_of(std::process::id(), || {
        let texts = Texts::open(input, &SourceSettings::default())?;
        let config = predictor.config();
        let out = AtomicFile::create(output)?;
        let mut writer = PredictionWriter::new(output, out, OutputFormat::Jsonl, config, true)?;
        for pair in predictor.predict_stream(texts) {
            let (text, prediction) = pair?;
            rows += 1;
            tokens += prediction.tokens as u64;
            writer.write(text, prediction)?;
        }
        Ok(writer.finish()?.commit()?)
    })?;
    let seconds = clock.elapsed().as_secs_f64();
    Ok(Run { rows, tokens, seconds, tokens_per_second: tokens as f64 / seconds, memory })
}

/// Tokens a second of the network, without files and without cutting texts.
fn alone(run: &Path, quantization: Quantization, sentences: &[String]) -> Result<f64> {
    let (model, tokenizer) = Model::open(run, &Device::Cpu)?;
    let inference = Inference::new(&model, quantization)?;
    let view = inference.view();
    let texts: Vec<&String> = sentences.iter().cycle().take(ALONE).collect();
    let encoded = tokenizer.encode_all(&texts)?;
    let mut batches = Vec::new();
    for chunk in encoded.chunks(CHUNK) {
        let lengths: Vec<usize> = chunk.iter().map(|ids| view.tokens(ids).len()).collect();
        for batch in sorted_batches(&lengths, BATCH) {
            let ids: Vec<&[u32]> = batch.iter().map(|&row| chunk[row].as_slice()).collect();
            batches.push(view.batch(&ids)?);
        }
    }
    let tokens: usize = batches.iter().map(|batch| batch.packing().total()).sum();
    let clock = Instant::now();
    for batch in &batches {
        inference.logits(batch)?.to_vec2::<f32>()?;
    }
    Ok(tokens as f64 / clock.elapsed().as_secs_f64())
}
