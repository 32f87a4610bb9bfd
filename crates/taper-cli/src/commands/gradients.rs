//! `taper gradients`: why there are gates, as an experiment.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use taper_explain::{CHOICES, Contestant, JUDGED, Settings, compare_cells};
use taper_train::{AtomicFile, cell_plots};

use super::train::plain_table;
use crate::console::Console;

/// Lets a plain RNN, a GRU and LSTMs learn to recall the one marked symbol of a sequence, and measures how much of the
/// loss's gradient reaches each step, before and after. Needs no data. Under half a minute on one free core.
#[derive(Debug, clap::Args)]
pub(crate) struct GradientsArgs {
    /// Decides parameters and sequences; the same seed gives the same numbers.
    #[arg(long, default_value_t = Settings::default().seed)]
    seed: u64,

    /// Length of the sequences; networks are trained on lengths from 2 to this.
    #[arg(long, default_value_t = Settings::default().length, value_name = "N")]
    length: usize,

    /// Training steps of each network, 32 sequences each.
    #[arg(long, default_value_t = Settings::default().steps, value_name = "N")]
    steps: usize,

    /// Units of each network.
    #[arg(long, default_value_t = Settings::default().hidden_size, value_name = "N")]
    hidden_size: usize,

    /// Step size of Adam, the same for each network.
    #[arg(long, default_value_t = Settings::default().learning_rate, value_name = "RATE")]
    learning_rate: f64,

    /// Writes plots into this folder: untrained.svg, trained.svg, recall.svg.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Prints all figures as one JSON document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &GradientsArgs, console: &Console) -> Result<ExitCode> {
    let settings = Settings {
        seed: args.seed,
        length: args.length,
        steps: args.steps,
        hidden_size: args.hidden_size,
        every: (args.steps / 6).max(1),
        learning_rate: args.learning_rate,
    };
    settings.check()?;
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        // Whether it can be written to shows before the training; dropped, it leaves nothing behind.
        drop(AtomicFile::create(&folder.join("plots"))?);
    }
    let found = compare_cells(&settings, &mut |cell, step, share| {
        let message = format!("{}: step {step}, {:.1} % recalled", cell.name(), 100.0 * share);
        console.say(None, &message);
    })?;
    if let Some(folder) = &args.out {
        for (name, picture) in cell_plots(&found) {
            let path = folder.join(name);
            let mut file = AtomicFile::create(&path)?;
            file.write_all(picture.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
            file.commit()?;
        }
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &document(&settings, &found))?;
        writeln!(out)?;
    } else {
        write!(out, "{}", in_words(&settings, &found))?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// What is left of a gradient `distance` steps before the end, as a share of what the last step has.
fn left(norms: &[f64], distance: usize) -> String {
    norms.get(distance).map_or_else(String::new, |norm| format!("{:.1e}", norm / norms[0]))
}

fn in_words(settings: &Settings, found: &[Contestant]) -> String {
    // The state that has just read what the probes ask for.
    let far = settings.length - 2;
    let mut gradients = plain_table();
    gradients.set_header([
        "gradient of".to_owned(),
        String::new(),
        format!("untrained, {} back", far / 2),
        format!("{far} back"),
        format!("trained, {} back", far / 2),
        format!("{far} back"),
    ]);
    for one in found {
        let h = Some(("h", &one.untrained.h, &one.trained.h));
        let c = one.untrained.c.as_ref().zip(one.trained.c.as_ref());
        for (state, before, after) in h.into_iter().chain(c.map(|(a, b)| ("c", a, b))) {
            gradients.add_row([
                one.cell.name().to_owned(),
                state.to_owned(),
                left(before, far / 2),
                left(before, far),
                left(after, far / 2),
                left(after, far),
            ]);
        }
    }
    let mut recall = plain_table();
    let mut header = vec!["recalled after".to_owned(), "parameters".to_owned()];
    let steps = found.first().into_iter().flat_map(|one| &one.accuracy);
    header.extend(steps.map(|(step, _)| format!("{step} steps")));
    recall.set_header(header);
    for one in found {
        let mut row = vec![one.cell.name().to_owned(), one.parameters.to_string()];
        row.extend(one.accuracy.iter().map(|(_, share)| format!("{:.1} %", 100.0 * share)));
        recall.add_row(row);
    }
    let mut words = format!("{gradients}\n");
    let _ = writeln!(words, "Norms of the loss's gradient as a share of that at the last step.\n");
    let _ = writeln!(words, "{recall}");
    let _ = writeln!(
        words,
        "Marked symbols named at the end of {JUDGED} new sequences of {}; guessing names {:.1} %.",
        settings.length,
        100.0 / CHOICES as f64
    );
    words
}

fn document(settings: &Settings, found: &[Contestant]) -> Value {
    let cells = found.iter().map(|one| {
        json!({
            "cell": one.cell.name(),
            "parameters": one.parameters,
            "untrained": { "h": one.untrained.h, "c": one.untrained.c },
            "trained": { "h": one.trained.h, "c": one.trained.c },
            "accuracy": one.accuracy.iter()
                .map(|(step, share)| json!({ "step": step, "share": share })).collect::<Vec<_>>(),
        })
    });
    json!({
        "format": 1,
        "taper": env!("CARGO_PKG_VERSION"),
        "seed": settings.seed,
        "length": settings.length,
        "steps": settings.steps,
        "hidden_size": settings.hidden_size,
        "learning_rate": settings.learning_rate,
        "chance": 1.0 / CHOICES as f64,
        "cells": cells.collect::<Vec<_>>(),
    })
}
