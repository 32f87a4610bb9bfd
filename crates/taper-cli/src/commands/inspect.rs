//! `taper inspect`: a model seen from inside while it reads a text, or a whole split.

mod input;
mod split;

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use taper_train::inspect::{
    Cut, InspectedPrediction, InspectedText, InspectedToken, Inspection, Inspector, MAX_TOKENS,
    Method, Shares, Subject, export, write_page,
};
use taper_train::{DeviceChoice, Run};

use super::train::plain_table;
use crate::console::{harmless, thousands};
use crate::environment;
use crate::spare;

/// Strongest tokens that are listed.
const STRONGEST: usize = 8;

/// Backgrounds of the 256 colours, weak to strong; all light, under black letters.
const TOWARD: [u8; 4] = [189, 153, 117, 75];
const AWAY: [u8; 4] = [230, 223, 216, 208];

/// Looks into a model while it reads a text: which tokens speak for and against the prediction, what every gate did, and
/// what became of each token in the memory. With --split, what the gates do over a whole split: which tokens are remembered,
/// which erase or overwrite. Texts longer than 4,096 tokens are inspected up to there.
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// A run's folder, or a model directory.
    run: PathBuf,

    /// Texts to inspect; the page shows two side by side.
    #[arg(required_unless_present_any = ["input", "row", "split"])]
    text: Vec<String>,

    /// A file whose whole content is one text to inspect, of 16 MiB at most; `-` is standard input.
    #[arg(long, short, value_name = "FILE|-")]
    input: Option<PathBuf>,

    /// A row of the run's prepared data, by its id or by its number from 0: `test:12`. May be given again.
    #[arg(long, value_name = "SPLIT:ID")]
    row: Vec<String>,

    /// Counts over a split of the run's prepared data what the gates do, by layer, direction and token.
    #[arg(long, value_name = "SPLIT", conflicts_with_all = ["text", "input", "row", "method", "html", "out"])]
    split: Option<String>,

    /// With --split, tokens that were read less often are not listed (--json has all).
    #[arg(long, value_name = "N", default_value_t = 20, requires = "split", conflicts_with_all = ["text", "input", "row"])]
    at_least: u64,

    /// How the prediction is shared out among the tokens. Occlusion takes time with the square of a text's length.
    #[arg(long, value_enum, default_value = "integrated-gradients")]
    method: MethodName,

    /// Where to compute: auto, cpu, cuda or cuda:N.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceChoice,

    /// Writes a page too: one file that fetches nothing.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Writes all figures to a file too: FILE.json as with --json, or FILE.parquet, a row for each token, layer and
    /// direction.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Prints all figures as one JSON document (docs/inspect.md says what is in it).
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MethodName {
    IntegratedGradients,
    GradientXInput,
    Occlusion,
}

impl From<MethodName> for Method {
    fn from(name: MethodName) -> Self {
        match name {
            MethodName::IntegratedGradients => Self::IntegratedGradients,
            MethodName::GradientXInput => Self::GradientXInput,
            MethodName::Occlusion => Self::Occlusion,
        }
    }
}

pub(crate) fn run(args: &InspectArgs) -> Result<ExitCode> {
    // Before the model is read: what the command line itself gets wrong.
    if let (Some(html), Some(out)) = (&args.html, &args.out) {
        let same = std::path::absolute(html)? == std::path::absolute(out)?;
        ensure!(!same, "{}: --html and --out are one file; give two", out.display());
    }
    for output in [&args.html, &args.out].into_iter().flatten() {
        spare::parts(output, &args.run)?;
        args.input.as_ref().map_or(Ok(()), |input| spare::input(output, input))?;
    }
    let input = args.input.as_deref().map(input::read).transpose()?;
    let inspector = Inspector::open(&args.run, &args.device.open()?)?;
    if let Some(name) = &args.split {
        let found = inspector.behaviour(&Run::open_prepared(&args.run)?, name)?;
        return split::show(&found, args.at_least, args.json);
    }
    let texts = args.text.iter().cloned().chain(input);
    let mut subjects: Vec<Subject> = texts.map(Subject::from).collect();
    if !args.row.is_empty() {
        let prepared = Run::open_prepared(&args.run)?;
        for row in &args.row {
            subjects.push(Subject::of_row(&prepared, row)?);
        }
    }
    let inspection = inspector.inspect(&subjects, args.method.into())?;
    if let Some(path) = &args.html {
        write_page(path, &inspection)?;
    }
    if let Some(path) = &args.out {
        export(path, &inspection)?;
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &inspection)?;
        writeln!(out)?;
    } else {
        let colours = out.is_terminal() && !environment::no_color();
        write!(out, "{}", in_words(&inspection, colours))?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn in_words(inspection: &Inspection, colours: bool) -> String {
    let mut words = String::new();
    for (index, text) in inspection.texts.iter().enumerate() {
        if index > 0 {
            words.push('\n');
        }
        if let Some(row) = &text.row {
            let label = row.label.as_deref().unwrap_or("none");
            let _ = writeln!(
                words,
                "{}",
                harmless(&format!("{}:{}  label {label}", row.split, row.id))
            );
        }
        let sizes = text.tokens.iter().map(|token| token.contribution.abs());
        let largest = sizes.fold(f32::MIN_POSITIVE, f32::max);
        let shown = text.tokens.iter().map(|token| shade(token, largest, colours));
        let shown: Vec<String> = shown.collect();
        let _ = writeln!(words, "{}\n", shown.join(" "));
        let _ =
            writeln!(words, "{}", figures(text, &inspection.model.class_names, inspection.method));
        let _ = writeln!(words, "{}", memory(text));
    }
    words
}

/// A token on the colour of what it speaks for; nothing that is in it reaches the terminal as a command.
fn shade(token: &InspectedToken, largest: f32, colours: bool) -> String {
    let shown = one_line(&token.token);
    // 0 stands for too little to show.
    let level = (4.99 * token.contribution.abs() / largest) as usize;
    let Some(level) = level.checked_sub(1).filter(|_| colours) else { return shown };
    let scale = if token.contribution < 0.0 { AWAY } else { TOWARD };
    format!("\u{1b}[38;5;16;48;5;{}m{shown}\u{1b}[0m", scale[level.min(3)])
}

/// As [`harmless`], without line breaks.
fn one_line(token: &str) -> String {
    harmless(&token.replace('\n', "\u{23ce}"))
}

/// The class, or the labels that the text is given, of those with these names.
fn predicted(prediction: &InspectedPrediction, names: &[String]) -> String {
    let InspectedPrediction { label, probability, labels, probabilities } = prediction;
    let one = |name: &str, probability: f32| format!("{name}, {:.1} %", 100.0 * probability);
    match labels.as_deref() {
        None => one(label, *probability),
        Some([]) => format!("no label (the likeliest: {})", one(label, *probability)),
        Some(labels) => {
            let given = names.iter().zip(probabilities).filter(|(name, _)| labels.contains(name));
            given.map(|(name, p)| one(name, *p)).collect::<Vec<_>>().join("; ")
        }
    }
}

fn figures(text: &InspectedText, names: &[String], method: Method) -> String {
    let InspectedText { prediction, completeness, target, tokens, .. } = text;
    let unknown = tokens.iter().filter(|token| !token.known).count();
    let mut lines = vec![("prediction", predicted(prediction, names))];
    let mut read =
        format!("{} tokens, {} unknown", thousands(tokens.len() as u64), thousands(unknown as u64));
    let all = thousands(text.tokens_in_text as u64);
    match text.cut {
        Some(Cut::Model) => {
            let _ = write!(read, "; the text has {all}, of which the model reads no more");
        }
        Some(Cut::Inspection) => {
            let most = thousands(MAX_TOKENS as u64);
            let _ = write!(
                read,
                "; the text has {all}, of which {most} are inspected: all figures are theirs"
            );
        }
        None if text.tokens_in_text == 0 => {
            read.push_str("; an empty text reads as one unknown word");
        }
        None => {}
    }
    lines.push(("read", read));
    let score = format!(
        "{:+.3} for {} over {}; {:+.3} of a text of zeros",
        completeness.value, target.toward, target.away, completeness.baseline
    );
    lines.push(("score", score));
    let (name, complete) = match method {
        Method::IntegratedGradients => (
            "integrated gradients",
            format!(
                " over {} steps{}, completeness error ",
                completeness.steps,
                jumps(completeness.jumps)
            ),
        ),
        Method::GradientXInput => {
            ("gradient x input", ", off the score's difference by ".to_owned())
        }
        Method::Occlusion => ("occlusion", ", off the score's difference by ".to_owned()),
    };
    let error = completeness.error.map_or_else(
        || "undefined: nothing to explain".to_owned(),
        |error| format!("{:.2} %", 100.0 * error),
    );
    lines.push(("shared out", format!("{name}{complete}{error}")));
    lines.push(("strongest", strongest(tokens)));
    let mut words = String::new();
    for (name, value) in lines {
        let _ = writeln!(words, "{name:11}{}", harmless(&value));
    }
    words
}

/// How much of the difference was scaled in jumps, if any was.
fn jumps(share: Option<f64>) -> String {
    match share {
        Some(share) if share > 0.0 => format!(", {:.0} % in jumps", 100.0 * share),
        _ => String::new(),
    }
}

fn strongest(tokens: &[InspectedToken]) -> String {
    let mut order: Vec<&InspectedToken> = tokens.iter().collect();
    order.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()));
    let named = order.iter().take(STRONGEST);
    let named = named.map(|token| format!("{} {:+.3}", one_line(&token.token), token.contribution));
    named.collect::<Vec<_>>().join(", ")
}

fn memory(text: &InspectedText) -> String {
    let mut table = plain_table();
    table.set_header([
        "layer",
        "direction",
        "remember",
        "add",
        "erase",
        "overwrite",
        "ledger off by",
    ]);
    for memory in &text.memory {
        let mut cells = vec![(memory.layer + 1).to_string(), memory.direction.to_owned()];
        cells.extend(percents(memory.behaviour));
        cells.push(format!("{:.1e}", memory.ledger_residual));
        table.add_row(cells);
    }
    format!("{table}\nWhat the memory did, not why: see --html.")
}

/// Remember, add, erase, overwrite.
fn percents(shares: Shares) -> [String; 4] {
    [shares.remember, shares.add, shares.erase, shares.overwrite]
        .map(|share| format!("{:.1} %", 100.0 * share))
}

#[cfg(test)]
mod tests {
    use super::{InspectedToken, shade};

    #[test]
    fn colours_say_for_and_against_and_how_much() {
        let token = |contribution| InspectedToken {
            token: "\u{1b}film\n".into(),
            id: 2,
            known: true,
            contribution,
        };
        let word = "\\u{1b}film\u{23ce}";
        let on = |colour: u8| format!("\u{1b}[38;5;16;48;5;{colour}m{word}\u{1b}[0m");
        assert_eq!(shade(&token(2.0), 2.0, true), on(75));
        assert_eq!(shade(&token(0.5), 2.0, true), on(189));
        assert_eq!(shade(&token(-2.0), 2.0, true), on(208));
        assert_eq!(shade(&token(0.1), 2.0, true), word);
        assert_eq!(shade(&token(-2.0), 2.0, false), word);
        assert_eq!(shade(&token(0.0), f32::MIN_POSITIVE, true), word);
    }
}
