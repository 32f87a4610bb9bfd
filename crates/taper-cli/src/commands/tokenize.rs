//! `taper tokenize`: a line of text in, a JSON array of tokens out.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use taper_text::{Normalization, Tokenizer};

use super::for_lines;
use crate::args::TokenizeArgs;

const LINES: usize = 1024;

pub(crate) fn run(args: &TokenizeArgs) -> Result<ExitCode> {
    let tokenizer = match (&args.folder, &args.tokenizer) {
        (Some(folder), _) => Tokenizer::load(&folder.join("tokenizer.json"))?,
        (None, name) => {
            let name = name.as_deref().unwrap_or("english");
            ensure!(
                !args.lowercase || !Tokenizer::is_path(name),
                "{name} says itself whether it lower-cases; leave out --lowercase"
            );
            Tokenizer::open(name, Normalization { lowercase: args.lowercase })?
        }
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for_lines(&args.input, LINES, &mut |lines| {
        for line in lines {
            let tokens = if args.raw { tokenizer.raw_tokens(line) } else { tokenizer.tokens(line) };
            serde_json::to_writer(&mut out, &tokens?)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
