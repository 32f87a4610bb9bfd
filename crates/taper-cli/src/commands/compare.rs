//! `taper compare`: two runs on the same rows.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use comfy_table::Table;
use taper_train::compare::{Comparison, Contender, Flip, LabelComparison, LabelTest};
use taper_train::{DeviceChoice, Quantization, compare};

use super::evaluate::Judged;
use super::figures::{self, shown};
use super::train::plain_table;
use crate::args::Intervals;
use crate::console::{Console, harmless, thousands};

/// Characters of a text that are shown.
const SHOWN: usize = 300;

#[derive(Debug, clap::Args)]
pub(crate) struct CompareArgs {
    /// A run's folder.
    pub(crate) first: PathBuf,

    /// Another's; it may have another tokenizer and other prepared data, but the same texts and labels to be judged by.
    pub(crate) second: PathBuf,

    /// Which split of the runs' data.
    #[arg(long, default_value = "test")]
    pub(crate) split: String,

    /// Prepared data to judge both by, in the place of their own: for imported models, which have none.
    #[arg(long, value_name = "DIR")]
    pub(crate) prepared: Option<PathBuf>,

    /// Rows to show that only one run has right, of each kind, the surest error first.
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub(crate) flips: usize,

    /// Where to compute: auto, cpu, cuda or cuda:N.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub(crate) device: DeviceChoice,

    #[command(flatten)]
    pub(crate) intervals: Intervals,

    /// Prints everything as one line of JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: &CompareArgs, console: &Console) -> Result<ExitCode> {
    let device = args.device.open()?;
    let prepared = args.prepared.as_deref();
    let judge = |run| Judged::new(run, prepared, &args.split, &device, Quantization::F32, console);
    let (first, second) = (judge(&args.first)?, judge(&args.second)?);
    let [first_name, second_name] =
        [&args.first, &args.second].map(|run| run.to_string_lossy().into_owned());
    let found = compare(
        contender(&first_name, &first),
        contender(&second_name, &second),
        args.flips,
        args.intervals.resampling(),
    )?;
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &found)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", in_words(&found))?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn contender<'a>(name: &'a str, judged: &'a Judged) -> Contender<'a> {
    let Judged { config, prepared, scored, .. } = judged;
    Contender { name, config, prepared, scored }
}

fn in_words(found: &Comparison) -> String {
    let Comparison { first, second, mcnemar, .. } = found;
    let models = [(first.name.as_str(), &first.figures), (second.name.as_str(), &second.figures)];
    let rows = thousands(found.rows);
    let whole = if found.by_label.is_some() { " (all labels of a text)" } else { "" };
    let mut lines = vec![
        figures::table(&models, found.resampling).to_string(),
        String::new(),
        format!(
            "of {rows} texts of {} the first has {} right, the second {}{whole}",
            found.split,
            thousands(first.correct),
            thousands(second.correct)
        ),
        format!("second less first, accuracy: {}", shown(Some(found.accuracy_difference))),
        format!(
            "McNemar: {} only the first has right, {} only the second; exact p = {}",
            thousands(mcnemar.only_first),
            thousands(mcnemar.only_second),
            p_value(mcnemar.exact_p)
        ),
    ];
    if let Some((statistic, p)) = mcnemar.chi_squared.zip(mcnemar.chi_squared_p) {
        lines.push(format!("         chi-squared {statistic:.3} (corrected), p = {}", p_value(p)));
    }
    if let Some(LabelComparison { micro_f1_difference, labels }) = &found.by_label {
        lines.push(format!("second less first, micro F1: {}", shown(Some(*micro_f1_difference))));
        lines.extend([String::new(), by_label(labels).to_string()]);
    }
    lines.extend(flips("only the first has right", &found.lost));
    lines.extend(flips("only the second has right", &found.won));
    lines.join("\n") + "\n"
}

/// McNemar's test of each label.
fn by_label(labels: &[LabelTest]) -> Table {
    let mut table = plain_table();
    let corrected = format!("of {} tests (Holm)", thousands(labels.len() as u64));
    table.set_header(["label", "only first", "only second", "exact p", &corrected]);
    for LabelTest { label, mcnemar, holm_p } in labels {
        table.add_row([
            harmless(label),
            thousands(mcnemar.only_first),
            thousands(mcnemar.only_second),
            p_value(mcnemar.exact_p),
            p_value(*holm_p),
        ]);
    }
    table
}

fn p_value(p: f64) -> String {
    if p < 1e-4 { format!("{p:.1e}") } else { format!("{p:.4}") }
}

fn flips(title: &str, flips: &[Flip]) -> Vec<String> {
    let mut lines = Vec::new();
    if !flips.is_empty() {
        lines.extend([String::new(), format!("{title}:")]);
    }
    for flip in flips {
        let said = [&flip.first, &flip.second].map(|verdict| {
            let predicted = harmless(&verdict.predicted.to_string());
            format!("{predicted} {:.1} %", 100.0 * verdict.probability)
        });
        lines.push(format!(
            "- {} is {}; {} | {}",
            harmless(&flip.id),
            harmless(&flip.label.to_string()),
            said[0],
            said[1]
        ));
        let mut text: String = flip.text.chars().take(SHOWN).collect();
        if text.len() < flip.text.len() {
            text.push('…');
        }
        lines.push(format!("  {}", harmless(&text)));
    }
    lines
}
