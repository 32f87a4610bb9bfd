//! The command line, as `--help` shows it.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::args::{
    DoctorArgs, EvaluateArgs, PrepareArgs, RecipeArgs, TokenizeArgs, TraceArgs, TrainArgs,
};
use crate::commands::calibrate::CalibrateArgs;
use crate::commands::compare::CompareArgs;
use crate::commands::export::ExportArgs;
use crate::commands::gradients::GradientsArgs;
use crate::commands::import::ImportArgs;
use crate::commands::inspect::InspectArgs;
use crate::commands::lr_find::LrFindArgs;
use crate::commands::predict::PredictArgs;
use crate::commands::report::ReportArgs;
use crate::commands::serve::ServeArgs;

/// Trains, explains and ships LSTM text classifiers.
///
/// Try `taper train`: it prepares the sample that comes with Taper, trains on it in under a minute on
/// two cores, and writes a run to runs/. Then `taper predict runs/quickstart "What a lovely film."`.
#[derive(Debug, Parser)]
#[command(name = "taper", version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// No bars and no messages: only results and errors.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,

    /// Folder of the committed sample and of prepared data.
    #[arg(long, global = true, env = "TAPER_DATA", default_value = "data", value_name = "DIR")]
    pub(crate) data: PathBuf,

    /// Threads to compute with, at most 1024; the results do not depend on it. [default: one a core]
    #[arg(long, global = true, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
}

/// More than the largest machines have cores; each thread costs a stack, and each piece of work a look at all of them.
const MAX_THREADS: usize = 1024;

fn threads(word: &str) -> Result<usize, String> {
    match word.parse() {
        Ok(count) if (1..=MAX_THREADS).contains(&count) => Ok(count),
        _ => Err(format!("expected a whole number from 1 to {MAX_THREADS}")),
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Turns labelled texts into token ids, vocabulary and aligned word vectors.
    Prepare(PrepareArgs),
    /// Tells what is wrong with prepared data: leaks, repeats, damage, lengths, coverage, drift.
    Doctor(DoctorArgs),
    /// Follows one row of prepared data from its source to its ids.
    Trace(TraceArgs),
    /// Trains a classifier; prepares first what is not up to date.
    Train(TrainArgs),
    /// Tries a learning rate that grows with every step, and tells where the loss falls fastest.
    LrFind(LrFindArgs),
    /// Judges a trained model on a split: every figure with its interval, and where the errors are.
    Evaluate(EvaluateArgs),
    /// Compares two runs on the same rows: is one better, by more than chance, and where?
    Compare(CompareArgs),
    /// Fits a run's temperature on its validation split again, so that probabilities mean what they say.
    Calibrate(CalibrateArgs),
    /// Writes a run's report.html and plots again, also while it trains.
    Report(ReportArgs),
    /// Classifies texts with a trained model: a few, or files of any size.
    Predict(PredictArgs),
    /// Serves trained models over HTTP.
    Serve(ServeArgs),
    /// Writes a trained model as a graph that other runtimes run.
    Export(ExportArgs),
    /// Makes a model directory of a PyTorch classifier's weights.
    Import(ImportArgs),
    /// Looks into a model while it reads a text: contributions, gates and memory, also as a page.
    Inspect(InspectArgs),
    /// Measures why there are gates: gradients through time and recall in an RNN, a GRU and LSTMs.
    Gradients(GradientsArgs),
    /// Cuts text into tokens: a line of text in, a JSON array of tokens out.
    Tokenize(TokenizeArgs),
    /// Shows recipes: what can be trained and how.
    Recipe(RecipeArgs),
    /// Prints a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}
