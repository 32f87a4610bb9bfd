//! `cargo xtask bench`: how fast Taper is, next to its rivals and to the machine's own limit.
//!
//! Results go to stdout, progress to stderr. README.md says what is measured and by which conventions.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a terminal program: what it prints is its result"
)]

mod args;
mod contender;
mod gemm;
mod machine;
mod measure;
mod memory;
mod peers;
mod plot;
mod predict;
mod report;
mod script;
mod serve;
mod shape;
mod sweep;
mod text;
mod workload;

use std::fs;
use std::num::NonZeroUsize;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use comfy_table::{Table, presets};

use args::{Args, Command, LstmArgs};
use contender::Field;
use machine::Machine;
use report::Report;
use workload::Workload;

fn main() -> Result<()> {
    match Args::parse().command {
        Command::Lstm(args) => lstm(&args),
        Command::Text(args) => text::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Serve(args) => serve::run(&args),
    }
}

fn lstm(args: &LstmArgs) -> Result<()> {
    if let (Some(prepared), Some(path)) = (&args.prepared, &args.write_lengths) {
        let count = workload::write_lengths(prepared, path)?;
        eprintln!("{count} lengths in {}", path.display());
        return Ok(());
    }
    let threads = args.threads.map_or_else(all_threads, NonZeroUsize::get);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    if args.sweep { sweep(args) } else { compare(args, threads) }
}

fn all_threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn compare(args: &LstmArgs, threads: usize) -> Result<()> {
    let device = args.device.open()?;
    let count = args.batches.map(NonZeroUsize::get);
    let workload = Rc::new(match &args.prepared {
        Some(folder) => Workload::prepared(folder, count)?,
        None => Workload::synthetic(count)?,
    });
    eprintln!("{}", workload.source);
    let field = Field {
        workload: &workload,
        device: &device,
        recompute: args.recompute,
        precision: args.precision,
        python: &args.python,
        scripts: &args.scripts,
        threads,
    };
    let (contenders, absent) = field.open(&args.peers)?;
    for (name, why) in &absent {
        eprintln!("{name}: {why}");
    }
    let yardstick = gemm::Yardstick::new(&device, threads);
    let measurements = measure::measure(contenders, &workload, &yardstick, args.rounds.get())?;
    let machine = Machine::new(threads, args.device.to_string());
    let report = Report::new(measurements, absent, &workload, machine, yardstick.about())
        .context("Taper itself was not measured")?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", report.tables());
    }
    Ok(())
}

fn sweep(args: &LstmArgs) -> Result<()> {
    let sweep = sweep::sweep(&args.device.open()?, args.precision)?;
    if let Some(path) = &args.plot {
        fs::write(path, plot::svg(&sweep.line))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&sweep)?);
        return Ok(());
    }
    ensure!(!sweep.cells.is_empty(), "no cell was measured");
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["hidden", "batch", "length", "infer tok/s", "train tok/s"]);
    for cell in &sweep.cells {
        let sizes = [cell.hidden, cell.batch, cell.length].map(|size| size.to_string());
        let speeds = [cell.infer_tokens_per_s, cell.train_tokens_per_s];
        table.add_row(sizes.into_iter().chain(speeds.map(|speed| format!("{speed:.0}"))));
    }
    println!("{table}\n");
    for (tokens, seconds) in &sweep.line.points {
        println!("{tokens:6} tokens  {seconds:.4} s  {:.0} tokens/s", tokens / seconds);
    }
    println!("R² of the straight line: {:.5}", sweep.line.r2);
    Ok(())
}
