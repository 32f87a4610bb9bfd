//! The arguments that verbs share, and those of the older verbs.

use std::path::PathBuf;

use clap::{Subcommand, value_parser};
use taper_train::metrics::Resampling;
use taper_train::recipe::OnError;
use taper_train::{DeviceChoice, Quantization};

/// What to train, and on what.
#[derive(Debug, clap::Args)]
pub(crate) struct RecipeChoice {
    /// An embedded recipe (`taper recipe list`) or a TOML file. [default: quickstart]
    #[arg(long, short, value_name = "NAME|FILE")]
    pub(crate) recipe: Option<String>,

    /// Sets a key of the recipe, as in `--set train.epochs=2`; `none` unsets an optional one.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,

    /// Labelled texts, instead of the recipe's: `sample`, `imdb` or any other data set that has Parquet
    /// by its id, as in `fancyzhx/ag_news` (from the Hugging Face Hub, or the mirror in `HF_ENDPOINT`;
    /// `--set data.hub.config=NAME`, `--set data.hub.revision=COMMIT`; a path that exists wins), CSV, TSV, JSON lines, Parquet, fastText's or TREC's lines or plain text
    /// (a file, a 'glob', or a folder of them; also as .gz or .zst, or in a .zip, as in `a.zip/train.csv`), a folder
    /// per class, or aclImdb as a folder or .tar.gz. Columns and labels are detected or set: `--set data.columns.text=title,body`.
    #[arg(long, value_name = "sample|imdb|OWNER/NAME|PATH")]
    pub(crate) dataset: Option<String>,

    /// What happens when a row is not as it should be: stop with an error, or skip it into
    /// corpus/rejected.jsonl of the prepared data. [default: the recipe's, stop]
    #[arg(long, value_name = "stop|skip", value_parser = on_error)]
    pub(crate) on_error: Option<OnError>,

    /// Word vectors, instead of the recipe's: `sample`, `glove.6B` (from the Hub), `none`, or a
    /// file of GloVe, word2vec or fastText (text or binary, in a .zip, .gz or .zst too) or a safetensors
    /// matrix.
    #[arg(long, value_name = "sample|glove.6B|none|PATH")]
    pub(crate) vectors: Option<String>,

    /// Folder of the prepared data. [default: DATA/prepared/RECIPE]
    #[arg(long, value_name = "DIR")]
    pub(crate) prepared: Option<PathBuf>,
}

impl RecipeChoice {
    /// The recipe's name or file.
    pub(crate) fn recipe(&self) -> &str {
        self.recipe.as_deref().unwrap_or(taper_train::Recipe::DEFAULT_NAME)
    }
}

fn on_error(word: &str) -> Result<OnError, String> {
    match word {
        "stop" => Ok(OnError::Stop),
        "skip" => Ok(OnError::Skip),
        _ => Err("expected stop or skip".to_owned()),
    }
}

/// A count that makes no sense as 0.
pub(crate) fn at_least_one(word: &str) -> Result<usize, String> {
    match word.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("expected a whole number, at least 1".to_owned()),
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct PrepareArgs {
    #[command(flatten)]
    pub(crate) choice: RecipeChoice,

    /// Only shows what would be read: format, splits, columns, classes and the first five rows.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Prints the manifest (or, with --dry-run, the plan) as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// The folder of prepared data.
    pub(crate) prepared: PathBuf,

    /// Exits with 1 where a split for judging (test, validation) shares texts, or near-duplicates, with another.
    ///
    /// Shared are texts of the same bytes. Near-duplicates share at least half of all their runs of five words, whatever their case,
    /// punctuation, spacing, tags, and form of accents.
    #[arg(long)]
    pub(crate) strict: bool,

    /// Prepares again without the texts that a split for judging has too (`data.drop_leaks = "near"`), and looks
    /// once more. Later preparations of the folder must say `--set data.drop_leaks=near`, or take them back in with
    /// `=keep`.
    #[arg(long)]
    pub(crate) fix: bool,

    /// Also counts what is lost where texts are cut to N tokens.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) max_length: Option<usize>,

    /// Writes a page with plots, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Prints all figures as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TraceArgs {
    /// The folder of prepared data.
    pub(crate) prepared: PathBuf,

    /// The row, by its id or by its number from 0: `train:train/pos/7`, `test:12`.
    #[arg(long, value_name = "SPLIT:ID")]
    pub(crate) row: String,

    /// Prints one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) choice: RecipeChoice,

    /// Where to compute: auto, cpu, cuda or cuda:N.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub(crate) device: DeviceChoice,

    /// Folder of the new run. [default: runs/RECIPE, or runs/RECIPE-2 if that is taken, …]
    #[arg(long, value_name = "RUN")]
    pub(crate) out: Option<PathBuf>,

    /// Goes on with an interrupted run, from its newest checkpoint; --prepared says where its data are, if they have
    /// moved. By another recipe (--recipe, --set, an edited recipe.toml) what differs is shown, and --force needed.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["out", "dataset", "on_error", "vectors"])]
    pub(crate) resume: Option<PathBuf>,

    /// With --resume: goes on although the recipe has changed, and writes down how.
    #[arg(long, requires = "resume", conflicts_with_all = ["out", "dataset", "on_error", "vectors"])]
    pub(crate) force: bool,

    /// With --resume: the checkpoint to go on from, by its name below RUN/checkpoints; those after it are removed.
    #[arg(long, value_name = "NAME", requires = "resume", conflicts_with_all = ["out", "dataset", "on_error", "vectors"])]
    pub(crate) checkpoint: Option<String>,

    /// Prints the outcome as one line of JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// In which numbers a trained model computes.
#[derive(Debug, clap::Args)]
pub(crate) struct Numbers {
    /// Rounds the weights to 8 bits: faster, and nearly as right; on the CPU only.
    #[arg(long)]
    int8: bool,
}

impl Numbers {
    pub(crate) fn quantization(&self) -> Quantization {
        if self.int8 { Quantization::Int8 } else { Quantization::F32 }
    }
}

/// How intervals are made.
#[derive(Debug, clap::Args)]
pub(crate) struct Intervals {
    /// Resamples of the rows for the intervals, at most 100,000; 0 for none.
    #[arg(long, default_value_t = Resampling::default().resamples, value_name = "N", value_parser = value_parser!(u32).range(..=100_000))]
    resamples: u32,
}

impl Intervals {
    pub(crate) fn resampling(&self) -> Resampling {
        Resampling { resamples: self.resamples, ..Resampling::default() }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct EvaluateArgs {
    /// A run's folder.
    pub(crate) run: PathBuf,

    /// Which split of the run's data.
    #[arg(long, default_value = "test")]
    pub(crate) split: String,

    /// Prepared data, if it is no longer where the run was trained.
    #[arg(long, value_name = "DIR")]
    pub(crate) prepared: Option<PathBuf>,

    /// Where to compute: auto, cpu, cuda or cuda:N.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub(crate) device: DeviceChoice,

    #[command(flatten)]
    pub(crate) numbers: Numbers,

    #[command(flatten)]
    pub(crate) intervals: Intervals,

    /// Writes what the model says of every row, a line of JSON each: id, label, predicted, probabilities.
    #[arg(long, value_name = "FILE")]
    pub(crate) predictions: Option<PathBuf>,

    /// Prints everything as one line of JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TokenizeArgs {
    /// Prepared data or a run, whose tokenizer is used.
    #[arg(conflicts_with = "tokenizer")]
    pub(crate) folder: Option<PathBuf>,

    /// A tokenizer without prepared data: english, spacy, unicode or whitespace, each of which first composes a text's
    /// characters (NFC) and makes a line break of every `<br />`; or the path of any tokenizer.json.
    /// [default: english]
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) tokenizer: Option<String>,

    /// Lower-cases, where the tokenizer is chosen by name.
    #[arg(long, conflicts_with = "folder")]
    pub(crate) lowercase: bool,

    /// Cuts each text as it stands, with nothing done to it first: spaCy's own tokens from `--tokenizer spacy`.
    #[arg(long, conflicts_with = "lowercase")]
    pub(crate) raw: bool,

    /// A file with a text a line; `-` is standard input.
    #[arg(long, short, value_name = "FILE|-", default_value = "-")]
    pub(crate) input: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RecipeArgs {
    #[command(subcommand)]
    pub(crate) command: RecipeCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecipeCommand {
    /// Lists the embedded recipes.
    List,
    /// Prints a recipe as TOML, defaults included; optional keys that are not set are left out (`schema` has
    /// them all).
    Show {
        /// An embedded recipe or a TOML file.
        #[arg(default_value = taper_train::Recipe::DEFAULT_NAME)]
        recipe: String,
        /// Sets a key first.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        overrides: Vec<String>,
    },
    /// Prints the JSON schema of recipes: every key with its meaning, limits and default.
    Schema,
}
