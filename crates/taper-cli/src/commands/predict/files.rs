//! A file or a stream of texts to a file of predictions, with a bar.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Result, anyhow, bail};
use taper_corpus::{ColumnSettings, DialectSettings, Error, Format, SourceSettings, Texts};
use taper_train::{AtomicFile, OutputFormat, PredictionWriter, Predictor};

use super::{PredictArgs, Shown, is_standard};
use crate::console::{Console, thousands};

/// Rows between two moves of the bar.
const MOVE: u64 = 256;

pub(super) fn run(
    args: &PredictArgs,
    input: &Path,
    format: Option<OutputFormat>,
    predictor: &Predictor,
    console: &Console,
) -> Result<()> {
    let mut texts = open(args, input)?;
    match (&args.output, format) {
        (Some(path), Some(format)) if is_standard(path) => {
            let out = BufWriter::new(io::stdout());
            write(args, Path::new("standard output"), out, format, predictor, &mut texts, console)?;
        }
        (Some(path), Some(format)) => {
            let out = AtomicFile::create(path)?;
            write(args, path, out, format, predictor, &mut texts, console)?.commit()?;
        }
        _ => {
            let mut shown = Shown::new(args.json);
            for prediction in predictor.predict_stream(&mut texts) {
                shown.write(&prediction?.1)?;
            }
            shown.finish()?;
        }
    }
    if texts.skipped() > 0 {
        let (skipped, first) = (thousands(texts.skipped()), texts.first_problem().unwrap_or(""));
        console.say(None, &format!("{skipped} rows skipped; the first: {first}"));
    }
    Ok(())
}

fn open(args: &PredictArgs, input: &Path) -> Result<Texts> {
    let settings = SourceSettings {
        format: args.input_format.map(|input| input.format),
        columns: ColumnSettings {
            text: args.columns.clone(),
            id: args.id_column.clone(),
            ..ColumnSettings::default()
        },
        dialect: DialectSettings {
            delimiter: args.input_format.and_then(|input| input.delimiter),
            header: args.header,
            ..DialectSettings::default()
        },
        on_error: args.on_error,
        ..SourceSettings::default()
    };
    let texts = if is_standard(input) {
        let has_columns = settings.columns != ColumnSettings::default() || args.header.is_some();
        if has_columns && matches!(settings.format, None | Some(Format::Text)) {
            bail!(
                "standard input is read as a text a line, which has no columns; say what else it is with \
                 `--input-format csv`, `tsv` or `jsonl`"
            );
        }
        Texts::stream(Path::new("standard input"), io::stdin(), &settings)
    } else {
        Texts::open(input, &settings)
    };
    texts.map_err(|error| match &error {
        Error::UnclearHeader { .. } => anyhow!("{error}: `--header yes` or `--header no`"),
        Error::MissingColumn { .. } if args.columns.is_empty() => {
            anyhow!("{error}: `--column NAME` says which")
        }
        Error::NotRegular { .. } => anyhow!(
            "{error}, or give it as standard input: `--input -`, with `--input-format` unless it is a text a line"
        ),
        _ => error.into(),
    })
}

/// Gives back what was written to.
fn write<W: Write + Send>(
    args: &PredictArgs,
    name: &Path,
    out: W,
    format: OutputFormat,
    predictor: &Predictor,
    texts: &mut Texts,
    console: &Console,
) -> Result<W> {
    let config = predictor.config();
    let mut writer = PredictionWriter::new(name, out, format, config, !args.no_text)?;
    let bar = console.bar(0, "{spinner} {human_pos} rows, {per_sec}, {elapsed}");
    let mut written = 0_u64;
    for prediction in predictor.predict_stream(texts) {
        let (text, prediction) = prediction?;
        writer.write(text, prediction)?;
        written += 1;
        if written.is_multiple_of(MOVE) {
            bar.set_position(written);
        }
    }
    let out = writer.finish()?;
    bar.finish_and_clear();
    console.say(None, &format!("{} rows", thousands(written)));
    Ok(out)
}
