//! The `taper` command: prepare, train, evaluate, predict.
//!
//! Results go to stdout, logs and bars to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage; 130
//! (SIGINT) and 143 (SIGTERM) for a training that stopped after a checkpoint. This is the one place that reads the environment.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a terminal program")]

mod args;
mod cli;
mod commands;
mod console;
mod environment;
mod machine;
mod spare;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use cli::{Args, Command};
use console::Console;

fn main() -> ExitCode {
    let args = Args::parse();
    let console = Console::new(args.quiet);
    if let Some(threads) = args.threads {
        // It fails only if the pool exists already, and nothing has used it yet.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    }
    let result = match args.command {
        Command::Prepare(command) => commands::prepare::run(&command, &args.data, &console),
        Command::Doctor(command) => commands::doctor::run(&command, &args.data, &console),
        Command::Trace(command) => commands::trace::run(&command),
        Command::Train(command) => commands::train::run(&command, &args.data, &console),
        Command::LrFind(command) => commands::lr_find::run(&command, &args.data, &console),
        Command::Evaluate(command) => commands::evaluate::run(&command, &console),
        Command::Compare(command) => commands::compare::run(&command, &console),
        Command::Calibrate(command) => commands::calibrate::run(&command, &console),
        Command::Report(command) => commands::report::run(&command, &console),
        Command::Predict(command) => commands::predict::run(&command, &console),
        Command::Serve(command) => commands::serve::run(&command, &console, args.quiet),
        Command::Export(command) => commands::export::run(&command),
        Command::Import(command) => commands::import::run(&command),
        Command::Gradients(command) => commands::gradients::run(&command, &console),
        Command::Inspect(command) => commands::inspect::run(&command),
        Command::Tokenize(command) => commands::tokenize::run(&command),
        Command::Recipe(command) => commands::recipe::run(&command),
        Command::Completions { shell } => commands::completions(shell, &mut Args::command()),
    };
    match result {
        Ok(code) => code,
        // Whoever reads our output has had enough: nothing is wrong.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            Console::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let root = error.root_cause();
    // What writes JSON tells the kind of its error, and no cause.
    let json = root.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
    let io = root.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    json.or(io) == Some(std::io::ErrorKind::BrokenPipe)
}
