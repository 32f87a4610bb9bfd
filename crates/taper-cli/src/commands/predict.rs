//! `taper predict`: texts to classes.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use taper_train::{Prediction, Predictor};

use super::for_lines;
use crate::args::PredictArgs;

/// Lines read and predicted at a time: memory does not grow with the file.
const LINES: usize = 1024;

pub(crate) fn run(args: &PredictArgs) -> Result<ExitCode> {
    let predictor = Predictor::open(&args.run, &args.device.open()?, args.numbers.quantization())?;
    let mut out = Output { out: std::io::stdout().lock(), json: args.json, written: 0 };
    match &args.input {
        Some(input) => for_lines(input, LINES, &mut |lines| {
            predictor.predict(lines)?.iter().try_for_each(|prediction| out.write(prediction))
        })?,
        None => {
            predictor
                .predict(&args.text)?
                .iter()
                .try_for_each(|prediction| out.write(prediction))?;
        }
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// Predictions as a table for people, or as one JSON array.
struct Output<W> {
    out: W,
    json: bool,
    written: usize,
}

impl<W: Write> Output<W> {
    fn write(&mut self, prediction: &Prediction) -> Result<()> {
        if self.json {
            write!(self.out, "{}", if self.written == 0 { "[\n" } else { ",\n" })?;
            serde_json::to_writer(&mut self.out, prediction)?;
        } else {
            let Prediction { label, probability, text, tokens, unknown_tokens, .. } = prediction;
            let mut remarks = String::new();
            if *unknown_tokens > 0 {
                remarks = format!("  ({unknown_tokens} of {tokens} tokens unknown)");
            }
            if prediction.truncated {
                remarks.push_str("  (cut short)");
            }
            writeln!(self.out, "{label}  {:5.1} %  {text}{remarks}", 100.0 * probability)?;
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
