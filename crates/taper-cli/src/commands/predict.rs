//! `taper predict`: texts to classes.

mod files;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use taper_corpus::{Format, OnError};
use taper_train::{DeviceChoice, OutputFormat, Prediction, Predictor};

use crate::args::Numbers;
use crate::console::{Console, harmless};
use crate::spare;

/// What to read, and how the answers are written.
#[derive(Debug, clap::Args)]
pub(crate) struct PredictArgs {
    /// A run's folder, or a model directory.
    run: PathBuf,

    /// Texts to classify.
    // Said here: an argument that conflicts with one that is required waives the requirement.
    #[arg(
        conflicts_with_all = ["input", "input_format", "columns", "header", "id_column", "on_error", "output", "format", "no_text"],
        required_unless_present = "input"
    )]
    text: Vec<String>,

    /// A file of texts: a text a line, CSV, TSV, JSON lines or Parquet, also as .gz, .zst or .zip; `-` is standard input, a
    /// text a line unless --input-format says what else, also packed by gzip or Zstandard.
    #[arg(long, short, value_name = "FILE|-")]
    input: Option<PathBuf>,

    /// What the input is; `tsv` is `csv` with tabs. [default: by a file's content and name; text on standard input]
    #[arg(long, value_name = "text|csv|tsv|jsonl|parquet", value_parser = input_format, requires = "input")]
    input_format: Option<InputFormat>,

    /// The column that holds the text, by name or number; several are joined by a line break. [default: by its name]
    #[arg(
        long = "column",
        alias = "text-column",
        value_name = "NAME",
        value_delimiter = ',',
        requires = "input"
    )]
    columns: Vec<String>,

    /// Whether the first row of a CSV names its columns. [default: by its content; asked for where that leaves it open]
    #[arg(long, value_name = "yes|no", value_parser = header, requires = "input")]
    header: Option<bool>,

    /// The column that holds the rows' names. [default: one called `id`]
    #[arg(long, value_name = "NAME", requires = "input")]
    id_column: Option<String>,

    /// What happens when a row is not as it should be: stop with an error, or skip it and count.
    #[arg(long, value_name = "stop|skip", default_value = "stop", value_parser = on_error, requires = "input")]
    on_error: OnError,

    /// Writes the predictions to a file, JSON lines, CSV or Parquet by its ending; `-` is standard output. The file
    /// appears when it is whole.
    #[arg(long, short, value_name = "FILE|-", requires = "input", conflicts_with = "json")]
    output: Option<PathBuf>,

    /// How the output is written. [default: by its ending; jsonl on standard output]
    #[arg(long, value_name = "jsonl|csv|parquet", value_parser = output_format, requires = "output")]
    format: Option<OutputFormat>,

    /// Leaves the texts out of the output.
    #[arg(long, requires = "output")]
    no_text: bool,

    /// Where to compute: auto, cpu, cuda or cuda:N.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceChoice,

    #[command(flatten)]
    numbers: Numbers,

    /// Prints one JSON array.
    #[arg(long)]
    json: bool,
}

/// What the input is said to be.
#[derive(Debug, Clone, Copy)]
struct InputFormat {
    format: Format,
    /// Between fields; detected where it is not said.
    delimiter: Option<char>,
}

fn input_format(word: &str) -> Result<InputFormat, String> {
    let (format, delimiter) = match word {
        "text" => (Format::Text, None),
        "csv" => (Format::Csv, None),
        "tsv" => (Format::Csv, Some('\t')),
        "jsonl" => (Format::Jsonl, None),
        "parquet" => (Format::Parquet, None),
        _ => return Err("expected text, csv, tsv, jsonl or parquet".to_owned()),
    };
    Ok(InputFormat { format, delimiter })
}

fn header(word: &str) -> Result<bool, String> {
    match word {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("expected yes or no".to_owned()),
    }
}

fn output_format(word: &str) -> Result<OutputFormat, String> {
    match word {
        "jsonl" => Ok(OutputFormat::Jsonl),
        "csv" => Ok(OutputFormat::Csv),
        "parquet" => Ok(OutputFormat::Parquet),
        _ => Err("expected jsonl, csv or parquet".to_owned()),
    }
}

fn on_error(word: &str) -> Result<OnError, String> {
    match word {
        "stop" => Ok(OnError::Stop),
        "skip" => Ok(OnError::Skip),
        _ => Err("expected stop or skip".to_owned()),
    }
}

pub(crate) fn run(args: &PredictArgs, console: &Console) -> Result<ExitCode> {
    // Before the model is read: a wrong ending is told at once.
    let format = output(args)?;
    check_apart(args)?;
    let predictor = Predictor::open(&args.run, &args.device.open()?, args.numbers.quantization())?;
    if let Some(input) = &args.input {
        files::run(args, input, format, &predictor, console)?;
    } else {
        let mut shown = Shown::new(args.json);
        predictor.predict(&args.text)?.iter().try_for_each(|prediction| shown.write(prediction))?;
        shown.finish()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Where predictions go, and as what, unless they are shown to people or as one JSON array.
fn output(args: &PredictArgs) -> Result<Option<OutputFormat>> {
    let Some(path) = &args.output else {
        return Ok(None);
    };
    let by_name =
        if is_standard(path) { Some(OutputFormat::Jsonl) } else { OutputFormat::of(path) };
    match args.format.or(by_name) {
        Some(format) => Ok(Some(format)),
        None => bail!(
            "{}: the ending says neither .jsonl, .csv nor .parquet; say which with --format",
            path.display()
        ),
    }
}

/// Whether predictions go to another file than the texts and the model come from, whatever links lead there.
fn check_apart(args: &PredictArgs) -> Result<()> {
    let Some(output) = &args.output else { return Ok(()) };
    spare::parts(output, &args.run)?;
    args.input.as_ref().map_or(Ok(()), |input| spare::input(output, input))
}

/// Whether a path means standard input or output.
fn is_standard(path: &std::path::Path) -> bool {
    path == std::path::Path::new("-")
}

/// The class and its probability, or those of all labels that a text is given.
fn said(prediction: &Prediction) -> String {
    let Prediction { label, probability, labels, probabilities, .. } = prediction;
    let one = |label: &str, probability: f32| format!("{label}  {:5.1} %", 100.0 * probability);
    match labels.as_deref() {
        None => one(label, *probability),
        Some([]) => format!("no label  ({})", one(label, *probability)),
        Some(labels) => {
            let given = probabilities.iter().filter(|(name, _)| labels.contains(name));
            given.map(|(name, p)| one(name, *p)).collect::<Vec<_>>().join(", ")
        }
    }
}

/// Predictions as a table for people, or as one JSON array.
struct Shown {
    out: std::io::BufWriter<std::io::StdoutLock<'static>>,
    json: bool,
    written: usize,
}

impl Shown {
    fn new(json: bool) -> Self {
        Self { out: std::io::BufWriter::new(std::io::stdout().lock()), json, written: 0 }
    }

    fn write(&mut self, prediction: &Prediction) -> Result<()> {
        if self.json {
            write!(self.out, "{}", if self.written == 0 { "[\n" } else { ",\n" })?;
            serde_json::to_writer(&mut self.out, prediction)?;
        } else {
            let Prediction { text, tokens, unknown_tokens, .. } = prediction;
            let mut remarks = String::new();
            if *unknown_tokens > 0 {
                remarks = format!("  ({unknown_tokens} of {tokens} tokens unknown)");
            }
            if prediction.truncated {
                remarks.push_str("  (cut short)");
            }
            if *tokens == 0 {
                remarks.push_str("(no tokens: read as one unknown word)");
            }
            let (said, text) = (harmless(&said(prediction)), harmless(text));
            writeln!(self.out, "{said}  {text}{remarks}")?;
        }
        self.written += 1;
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        if self.json {
            writeln!(self.out, "{}", if self.written == 0 { "[]" } else { "\n]" })?;
        }
        Ok(self.out.flush()?)
    }
}
