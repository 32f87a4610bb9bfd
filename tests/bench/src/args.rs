//! The command line, as `--help` shows it.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use taper_train::DeviceChoice;

/// Measures Taper next to its rivals and to the machine's own limit. Results go to stdout.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench", max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The tutorial's model on batches of IMDB reviews.
    Lstm(LstmArgs),
    /// Texts to ids, words to vectors, raw texts to prepared data.
    Text(TextArgs),
    /// A file of many short rows through a trained model, next to the network alone.
    Predict(PredictArgs),
    /// A bounded load on a server of a trained model, next to the model alone.
    Serve(ServeArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// A run's folder, or a model directory.
    pub(crate) run: PathBuf,

    /// Requests to make. A tenth of them goes first.
    #[arg(long, value_name = "N", default_value = "100000")]
    pub(crate) requests: NonZeroUsize,

    /// Clients that ask at a time, each on a connection of its own.
    #[arg(long, value_name = "N", default_value = "64")]
    pub(crate) clients: NonZeroUsize,

    /// Texts of a request.
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) texts: NonZeroUsize,

    /// What is asked about, again and again: the sample's sentences, or its reviews whole.
    #[arg(long, value_enum, default_value = "sentences")]
    pub(crate) of: TextsOf,

    /// Seconds after which no more requests are made.
    #[arg(long, value_name = "S", default_value = "540")]
    pub(crate) seconds: NonZeroU64,

    /// In weights of 8 bits.
    #[arg(long)]
    pub(crate) int8: bool,
}

/// What a text of a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TextsOf {
    Sentences,
    Reviews,
}

#[derive(Debug, clap::Args)]
pub(crate) struct LstmArgs {
    /// Where to compute: cpu, cuda or cuda:N.
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub(crate) device: DeviceChoice,

    /// Token ids of prepared data (`taper prepare`), instead of random ids of IMDB's lengths.
    #[arg(long, value_name = "DIR")]
    pub(crate) prepared: Option<PathBuf>,

    /// Batches, at evenly spread quantiles of length. [default: eight, from 5 % to 97 %]
    #[arg(long, value_name = "N")]
    pub(crate) batches: Option<NonZeroUsize>,

    /// Who else to measure, by name, separated by commas; `all`, `none`; an unknown name lists them.
    #[arg(long, value_name = "LIST", default_value = "all", value_delimiter = ',')]
    pub(crate) peers: Vec<String>,

    /// How often everything is measured; the median counts.
    #[arg(long, value_name = "N", default_value = "5")]
    pub(crate) rounds: NonZeroUsize,

    /// Threads of every contender. [default: one a core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Taper trains with `train.activations = "recompute"`: less memory, more work.
    #[arg(long, conflicts_with = "sweep")]
    pub(crate) recompute: bool,

    /// Taper's numbers: bf16 needs a CUDA device.
    #[arg(long, value_enum, default_value = "f32")]
    pub(crate) precision: Precision,

    /// A Python that imports torch.
    #[arg(long, value_name = "PATH", env = "TAPER_BENCH_PYTHON", default_value = "python3")]
    pub(crate) python: PathBuf,

    /// Where the rivals' scripts are. [default: where this was built from]
    #[arg(long, value_name = "DIR", default_value = env!("CARGO_MANIFEST_DIR"), hide_default_value = true)]
    pub(crate) scripts: PathBuf,

    /// Measures one layer over sizes, batches and lengths instead, Taper only.
    #[arg(long)]
    pub(crate) sweep: bool,

    /// With --sweep: draws time against tokens into an SVG file.
    #[arg(long, value_name = "FILE", requires = "sweep")]
    pub(crate) plot: Option<PathBuf>,

    /// One JSON document instead of tables.
    #[arg(long)]
    pub(crate) json: bool,

    /// Writes the lengths of the prepared training texts to a file, and stops.
    #[arg(long, value_name = "FILE", requires = "prepared")]
    pub(crate) write_lengths: Option<PathBuf>,
}

/// `train.precision`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Precision {
    F32,
    Bf16,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TextArgs {
    /// Word vectors of 100 numbers, to align 10,000 words to. [default: not measured]
    #[arg(long, value_name = "FILE")]
    pub(crate) vectors: Option<PathBuf>,

    /// IMDB in the Hub's layout, to encode and, with --vectors, to prepare. [default: the sample, encoded only]
    #[arg(long, value_name = "DIR")]
    pub(crate) dataset: Option<PathBuf>,

    /// Who else to measure, by name, separated by commas; `all`, `none`; an unknown name lists them.
    #[arg(long, value_name = "LIST", default_value = "all", value_delimiter = ',')]
    pub(crate) peers: Vec<String>,

    /// How often everything is measured; the median counts.
    #[arg(long, value_name = "N", default_value = "5")]
    pub(crate) rounds: NonZeroUsize,

    /// A Python that imports spacy, tokenizers, polars, or some of them.
    #[arg(long, value_name = "PATH", env = "TAPER_BENCH_PYTHON", default_value = "python3")]
    pub(crate) python: PathBuf,

    /// One JSON document instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PredictArgs {
    /// A run's folder, or a model directory.
    pub(crate) run: PathBuf,

    /// Rows of the file: the sample's sentences, again and again. A tenth of them goes first.
    #[arg(long, value_name = "N", default_value = "1000000")]
    pub(crate) rows: NonZeroUsize,

    /// In weights of 8 bits.
    #[arg(long)]
    pub(crate) int8: bool,
}
