//! `taper trace`: one row of prepared data, from its source to its ids.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use taper_train::{Prepared, Trace, trace};

use crate::args::TraceArgs;

pub(crate) fn run(args: &TraceArgs) -> Result<ExitCode> {
    let prepared = Prepared::open(&args.prepared)?;
    let traced = trace(&prepared, &args.row)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &traced)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", in_words(&traced))?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn in_words(trace: &Trace) -> String {
    let tokens: Vec<String> =
        trace.tokens.iter().map(|token| format!("{} {}", token.token, token.id)).collect();
    let list =
        |words: &[String]| if words.is_empty() { "none".to_owned() } else { words.join(", ") };
    let lines = [
        ("source", format!("{} ({})", trace.dataset, trace.source)),
        ("row", format!("{} of {}, id {}", trace.row, trace.split, trace.id)),
        ("label", trace.label.clone().unwrap_or_else(|| "none".to_owned())),
        ("group", trace.group.clone().unwrap_or_else(|| "none".to_owned())),
        ("text", trace.text.clone()),
        (
            "cleaned",
            trace.cleaned.clone().unwrap_or_else(|| "by a tokenizer from elsewhere".to_owned()),
        ),
        ("tokens", format!("{}: {}", tokens.len(), tokens.join(" | "))),
        ("unknown", list(&trace.unknown)),
        (
            "no vector",
            trace.without_vector.as_deref().map_or_else(|| "no vectors at all".to_owned(), list),
        ),
    ];
    lines.map(|(name, value)| format!("{name:10} {}\n", harmless(&value))).concat()
}

/// What a text can do to a terminal, written out; its lines set in.
fn harmless(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\n           "),
            _ if character.is_control() => shown.extend(character.escape_default()),
            _ => shown.push(character),
        }
    }
    shown
}
