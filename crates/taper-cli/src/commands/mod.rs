//! One module a verb.

pub(crate) mod calibrate;
pub(crate) mod compare;
pub(crate) mod doctor;
pub(crate) mod evaluate;
pub(crate) mod export;
pub(crate) mod gradients;
pub(crate) mod import;
pub(crate) mod inspect;
pub(crate) mod lr_find;
pub(crate) mod predict;
pub(crate) mod prepare;
pub(crate) mod recipe;
pub(crate) mod report;
pub(crate) mod serve;
pub(crate) mod tokenize;
pub(crate) mod trace;
pub(crate) mod train;

mod figures;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

/// Prints a completion script.
pub(crate) fn completions(
    shell: clap_complete::Shell,
    command: &mut clap::Command,
) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, command, "taper", &mut script);
    io::Write::write_all(&mut io::stdout(), &script)?;
    Ok(ExitCode::SUCCESS)
}

/// Calls `visit` with up to `at_a_time` lines of a file, or of standard input (`-`), again and again.
fn for_lines(
    input: &Path,
    at_a_time: usize,
    visit: &mut dyn FnMut(&[String]) -> Result<()>,
) -> Result<()> {
    let reader: Box<dyn BufRead> = if input == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(input).with_context(|| format!("cannot open {}", input.display()))?;
        if file.metadata()?.is_dir() {
            bail!("{} is a folder; expected a file with a text a line", input.display());
        }
        Box::new(BufReader::new(file))
    };
    let mut lines = Vec::new();
    for (number, line) in (1u64..).zip(reader.split(b'\n')) {
        let mut line = line.with_context(|| format!("cannot read {}", input.display()))?;
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        let line = String::from_utf8(line).map_err(|error| {
            let at = error.utf8_error().valid_up_to() + 1;
            let input = input.display();
            anyhow::anyhow!(
                "{input}: line {number} is not UTF-8 from byte {at} on; convert it first"
            )
        })?;
        lines.push(line);
        if lines.len() == at_a_time {
            visit(&lines)?;
            lines.clear();
        }
    }
    if !lines.is_empty() {
        visit(&lines)?;
    }
    Ok(())
}
