//! What the gates do over a split, as a table and the tokens that do most of it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use taper_train::inspect::{DirectionBehaviour, Shares, SplitBehaviour};

use super::{one_line, percents};
use crate::commands::train::plain_table;
use crate::console::thousands;

/// Tokens that are listed of each behaviour.
const LISTED: usize = 8;

/// A behaviour's name, and its share.
type Named = (&'static str, fn(&Shares) -> f32);

const BEHAVIOURS: [Named; 4] = [
    ("remember", |shares| shares.remember),
    ("add", |shares| shares.add),
    ("erase", |shares| shares.erase),
    ("overwrite", |shares| shares.overwrite),
];

pub(super) fn show(found: &SplitBehaviour, at_least: u64, json: bool) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, found)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", in_words(found, at_least))?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn in_words(found: &SplitBehaviour, at_least: u64) -> String {
    let (texts, tokens) = (thousands(found.texts as u64), thousands(found.tokens as u64));
    let mut words = format!("{}: {texts} texts, {tokens} tokens read\n\n", found.split);
    let mut shares = plain_table();
    let mut header = vec!["layer", "direction"];
    header.extend(BEHAVIOURS.map(|(name, _)| name));
    header.extend(["mean i", "mean f"]);
    shares.set_header(header);
    let mut most = plain_table();
    most.set_header(["layer", "direction", "most of its units", "at these tokens"]);
    for memory in &found.memory {
        let place = [(memory.layer + 1).to_string(), memory.direction.to_owned()];
        let mut row = Vec::from(place.clone());
        row.extend(percents(memory.gates.behaviour));
        row.extend([memory.gates.i, memory.gates.f].map(|mean| format!("{mean:.2}")));
        shares.add_row(row);
        for (name, share) in BEHAVIOURS {
            let mut row = Vec::from(place.clone());
            row.extend([name.to_owned(), strongest(memory, at_least, share)]);
            most.add_row(row);
        }
    }
    let _ = writeln!(words, "{shares}\n\n{most}");
    let _ = writeln!(words, "Shares of the units; tokens read at least {at_least} times.");
    words
}

/// The tokens at which the largest shares of units do something.
fn strongest(memory: &DirectionBehaviour, at_least: u64, share: fn(&Shares) -> f32) -> String {
    let often = memory.tokens.iter().filter(|token| token.count >= at_least);
    let mut shares: Vec<(f32, &str)> =
        often.map(|token| (share(&token.gates.behaviour), token.token.as_str())).collect();
    // Equal ones stay in the order of their ids.
    shares.sort_by(|a, b| b.0.total_cmp(&a.0));
    let named = shares.iter().take(LISTED);
    let named = named.map(|(share, token)| format!("{} {:.0} %", one_line(token), 100.0 * share));
    named.collect::<Vec<_>>().join(", ")
}
