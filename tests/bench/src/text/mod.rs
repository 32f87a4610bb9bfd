//! `cargo xtask bench text`: texts to ids, words to vectors, raw texts to prepared data.

mod align;
mod encode;
mod entry;
mod prepare;
mod python;
mod report;
mod texts;

use anyhow::Result;

use crate::args::TextArgs;
use entry::Entry;
use report::Report;
use texts::Texts;

/// Peers that were asked for in vain, and what of Taper was not measured, with the reason.
type Absent = Vec<(String, String)>;

pub(crate) fn run(args: &TextArgs) -> Result<()> {
    let chosen = python::choose(&args.peers)?;
    let texts = Texts::read(args.dataset.as_deref())?;
    eprintln!("{}", texts.source);
    let encoders = encode::encoders(&texts)?;
    let words = args.vectors.as_deref().map(align::words).transpose()?.unwrap_or_default();
    let stages = prepare::Stages::default();

    let mut absent = Absent::new();
    let mut entries = encode::entries(&texts, &encoders);
    match &args.vectors {
        Some(vectors) => entries.push(align::entry(vectors, &words)?),
        None => absent.push((align::NAME.to_owned(), "needs --vectors".to_owned())),
    }
    match (&args.dataset, &args.vectors) {
        (Some(dataset), Some(vectors)) => entries.push(prepare::entry(dataset, vectors, &stages)?),
        _ => absent.push((prepare::NAME.to_owned(), "needs --dataset and --vectors".to_owned())),
    }
    let asked = python::Asked { args, texts: &texts, encoders: &encoders, words: &words };
    entries.extend(asked.entries(&chosen, &mut absent)?);
    for (name, why) in &absent {
        eprintln!("{name}: {why}");
    }

    // Taper's own first, each followed by whoever is compared with it.
    entries.sort_by_key(Entry::turn);
    for round in 1..=args.rounds.get() {
        eprintln!("round {round} of {}", args.rounds);
        entries.iter_mut().for_each(Entry::measure);
    }
    let report = Report::new(&entries, absent, &stages, &texts, args.rounds.get());
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", report.table());
    }
    Ok(())
}
