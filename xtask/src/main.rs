//! `cargo xtask VERB …`: builds what is needed and hands over to `taper`; runs what CI runs; measures.
//!
//! Absent on purpose: dependencies (this is compiled before anything else can run), and any list
//! of taper's verbs (whatever is not a chore is taper's, so a new verb works without a change here).

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a terminal program: what it prints is its result"
)]

mod check;
mod tidy;

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};

const HELP: &str = "\
cargo xtask VERB …

  check [--cuda] [STEP…]   what CI runs, cheapest first, up to the first failure
  tidy                     rules no compiler checks: module docs, file length, circles, layers
  bench lstm [--help]      speed, next to the rivals and to the machine's limit (tests/bench)
  bench text [--help]      the same of texts to ids, words to vectors, raw texts to prepared data
  bench predict RUN        a file of a million short rows through a model: speed and memory
  bench serve RUN          a bounded load on a server: speed, latency and memory
  help                     this page

Any other verb is taper's own: it is built in release (with CUDA when the arguments say
`--device cuda`) and run with the arguments untouched. Try `cargo xtask train --help`.
Data lies in data/ of this checkout unless TAPER_DATA says otherwise.";

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    match args.first().and_then(|verb| verb.to_str()) {
        Some("help" | "--help" | "-h") => println!("{HELP}\n\n{}", check::help()),
        None if args.is_empty() => {
            eprintln!("{HELP}\n\n{}", check::help());
            return ExitCode::from(2);
        }
        Some("check") => return check::run(&args[1..]),
        Some("tidy") => return check::run(&["tidy".into()]),
        Some("bench") => return started(hand_over("taper-bench", "taper-bench", &args[1..])),
        _ => return started(hand_over("taper-cli", "taper", &args)),
    }
    ExitCode::SUCCESS
}

fn started(result: io::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("error: cannot start cargo: {error}");
        ExitCode::FAILURE
    })
}

/// Builds a binary where cargo's progress can be seen, then lets `cargo run` become it.
///
/// `cargo run` rather than the path of the binary: where it lies is cargo's to know.
fn hand_over(package: &str, binary: &str, args: &[OsString]) -> io::Result<ExitCode> {
    let mut build: Vec<&str> = vec!["--release", "--package", package, "--bin", binary];
    if wants_cuda(args) {
        build.extend(["--features", "cuda"]);
    }
    if !cargo().arg("build").args(&build).status()?.success() {
        return Ok(ExitCode::FAILURE);
    }
    let mut run = cargo();
    run.args(["run", "--quiet"]).args(&build).arg("--").args(args);
    if env::var_os("TAPER_DATA").is_none() {
        run.env("TAPER_DATA", root().join("data"));
    }
    become_it(run)
}

/// Replaces this process: exit codes, signals and the terminal are then taper's alone.
#[cfg(unix)]
fn become_it(mut command: Command) -> io::Result<ExitCode> {
    Err(std::os::unix::process::CommandExt::exec(&mut command))
}

/// Waits for the command and passes its exit code on.
#[cfg(not(unix))]
fn become_it(mut command: Command) -> io::Result<ExitCode> {
    let code = command.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Do the arguments ask for a CUDA device? Nothing after `--` is a flag.
fn wants_cuda(args: &[OsString]) -> bool {
    let flags: Vec<_> =
        args.iter().take_while(|arg| *arg != "--").map(|arg| arg.to_string_lossy()).collect();
    flags.iter().any(|flag| flag.starts_with("--device=cuda"))
        || flags.windows(2).any(|pair| pair[0] == "--device" && pair[1].starts_with("cuda"))
}

/// The cargo that runs this program.
fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The root of the workspace.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuda(line: &str) -> bool {
        wants_cuda(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn cuda_is_built_when_a_flag_asks_for_it() {
        assert!(cuda("train --device cuda"));
        assert!(cuda("train --recipe tutorial --device cuda:1 --json"));
        assert!(cuda("evaluate RUN --device=cuda:0"));
        assert!(cuda("lstm --device cuda"));
    }

    #[test]
    fn cuda_is_not_built_for_other_devices_or_for_text() {
        assert!(!cuda("train"));
        assert!(!cuda("train --device cpu --out cuda"));
        assert!(!cuda("train --device auto"));
        assert!(!cuda("predict RUN -- --device cuda"));
    }
}
