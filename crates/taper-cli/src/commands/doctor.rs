//! `taper doctor`: what is wrong with prepared data, and its repair.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use taper_train::Prepared;
use taper_train::doctor::{Diagnosis, Severity, SplitDiagnosis, examine, fixed_recipe, write_page};
use taper_train::prepare::Dataset;

use super::prepare::{places, run_into};
use super::train::plain_table;
use crate::args::DoctorArgs;
use crate::console::{Console, harmless, thousands};
use crate::spare;

pub(crate) fn run(args: &DoctorArgs, data: &Path, console: &Console) -> Result<ExitCode> {
    args.html.as_ref().map_or(Ok(()), |html| spare::parts(html, &args.prepared))?;
    let prepared = Prepared::open(&args.prepared)?;
    let mut diagnosis = examine(&prepared, args.max_length)?;
    let fixed = args.fix && diagnosis.leaking_rows > 0;
    if fixed {
        diagnosis = examine(&fix(prepared, data, console)?, args.max_length)?;
    } else if args.fix {
        console.say(None, "nothing leaks; the data stay as they are");
    }
    if let Some(path) = &args.html {
        write_page(path, &diagnosis)?;
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &diagnosis)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", in_words(&diagnosis, args.max_length.unwrap_or(CUT)))?;
    }
    out.flush()?;
    let leaks = diagnosis.leaking_rows > 0;
    if leaks && (fixed || args.strict) {
        let rows = thousands(diagnosis.leaking_rows);
        let message = if fixed {
            format!("{rows} rows still leak: of many texts alike not all pairs are found at once")
        } else {
            format!("{rows} rows leak: a split for judging has them too; --fix drops them")
        };
        console.say(None, &message);
    }
    Ok(if leaks && args.strict { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Prepares the same folder by the same recipe, without leaks.
fn fix(prepared: Prepared, data: &Path, console: &Console) -> Result<Prepared> {
    let recipe = fixed_recipe(prepared.manifest());
    if prepared.manifest().hub.is_none()
        && let Dataset::Hub(_, dataset) = places(data)?.dataset(&recipe)
    {
        bail!(
            "{} is not here: the data were prepared from it in another folder; run `taper doctor --fix` there",
            dataset.id
        );
    }
    let folder = prepared.folder().to_owned();
    // Whoever reads a folder keeps it from being written.
    drop(prepared);
    let prepared = run_into(&folder, &recipe, data, console)?;
    for (name, split) in &prepared.manifest().splits {
        if split.dropped > 0 {
            console.say(None, &format!("{name}: {} rows dropped", thousands(split.dropped)));
        }
    }
    console.say(
        None,
        "corpus/dropped.jsonl names them; prepare and train on with `--set data.drop_leaks=near`",
    );
    Ok(prepared)
}

/// Tokens at which the table has texts cut, where nothing else is asked for.
const CUT: usize = 512;

fn in_words(diagnosis: &Diagnosis, cut: usize) -> String {
    let mut lines = Vec::new();
    for finding in &diagnosis.findings {
        let severity = match finding.severity {
            Severity::Leak => "LEAK",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        lines.push(format!("{severity:8} {}", harmless(&finding.message)));
        for example in finding.examples.iter().take(2) {
            let like =
                example.like.as_ref().map_or_else(String::new, |like| format!(" like {like}"));
            lines.push(format!("         {}", harmless(&format!("{}{like}", example.row))));
        }
    }
    if diagnosis.findings.is_empty() {
        lines.push("nothing to tell".to_owned());
    }
    format!("{}\n\n{}\n", lines.join("\n"), splits(diagnosis, cut))
}

fn splits(diagnosis: &Diagnosis, max_length: usize) -> String {
    let mut table = plain_table();
    let cut_at = format!("cut at {max_length}");
    table.set_header([
        "split",
        "texts",
        "different",
        "median",
        "95 %",
        "longest",
        &cut_at,
        "in vocabulary",
        "with vector",
        "drift",
    ]);
    for split in &diagnosis.splits {
        let SplitDiagnosis { lengths, coverage, .. } = split;
        let share =
            |part: u64| format!("{:.1} %", 100.0 * part as f64 / (coverage.tokens as f64).max(1.0));
        let cut = split.cuts.iter().find(|cut| cut.max_length == max_length);
        let cut = cut.map_or(0, |cut| cut.tokens);
        table.add_row([
            harmless(&split.split),
            thousands(split.rows),
            thousands(split.distinct),
            thousands(lengths.p50),
            thousands(lengths.p95),
            thousands(lengths.max),
            share(cut),
            share(coverage.in_vocabulary),
            coverage.with_vector.map_or_else(|| "-".to_owned(), share),
            split
                .drift
                .as_ref()
                .map_or_else(|| "-".to_owned(), |drift| format!("{:.4}", drift.js_divergence)),
        ]);
    }
    table.to_string()
}
