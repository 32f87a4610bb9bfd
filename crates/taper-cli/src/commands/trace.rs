//! `taper trace`: one row of prepared data, from its source to its ids.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use taper_train::{Prepared, Trace, trace};

use crate::args::TraceArgs;
use crate::console::harmless;

/// Other rows of the same id that are named.
const SAME_ID: usize = 10;

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
    let none = || "none".to_owned();
    let mut lines = vec![
        ("source", format!("{} ({})", trace.dataset, trace.source)),
        ("row", format!("{} of {}, id {}", trace.row, trace.split, trace.id)),
        ("label", trace.label.clone().unwrap_or_else(none)),
        ("group", trace.group.clone().unwrap_or_else(none)),
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
    if !trace.same_id.is_empty() {
        let shown = trace.same_id.iter().take(SAME_ID);
        let rows: Vec<String> = shown.map(usize::to_string).collect();
        let more = trace.same_id.len() - rows.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.insert(2, ("same id", format!("rows {}{more}", rows.join(", "))));
    }
    if let Some(origin) = &trace.origin {
        lines.insert(1, ("file", origin.to_string()));
    }
    let line = |(name, value): &(&str, String)| format!("{name:10} {}\n", harmless(value));
    lines.iter().map(line).collect::<Vec<_>>().concat()
}
