//! Everything that can go wrong between a recipe and a trained model, with the file and the place in it.

use std::path::{Path, PathBuf};

/// What the functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of preparation or training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as a verb and its object ("read the file").
        action: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },

    /// Neither an embedded recipe nor a file.
    #[error("no recipe named `{name}`{}; embedded recipes: {}; a file is given by its path (`my-recipe.toml`)",
            did_you_mean(suggestion.as_deref()), known.join(", "))]
    UnknownRecipe {
        /// The name asked for.
        name: String,
        /// The nearest embedded name.
        suggestion: Option<String>,
        /// Every embedded name.
        known: Vec<String>,
    },

    /// A recipe that is not TOML, or an override that is not `key=value`.
    #[error("{place}: {message}")]
    RecipeSyntax {
        /// The file and line, or the override.
        place: String,
        /// What was found and what would be right.
        message: String,
    },

    /// A key that recipes do not have.
    #[error("{place}: unknown key `{key}`{}; `{table}` has: {}", did_you_mean(suggestion.as_deref()), known.join(", "))]
    UnknownKey {
        /// The file and line, or the override.
        place: String,
        /// The whole key, dotted from the root.
        key: String,
        /// The nearest existing key, dotted from the root.
        suggestion: Option<Box<str>>,
        /// The table the key was looked for in, or "a recipe" at the root.
        table: String,
        /// The keys of that table.
        known: Vec<String>,
    },

    /// A known key with a value out of range or of the wrong kind.
    #[error("{place}: `{key}` is {value}; {allowed}")]
    BadValue {
        /// The file and line, the override, or "recipe" for one made in memory.
        place: String,
        /// The whole key, dotted from the root.
        key: String,
        /// The value, as TOML.
        value: String,
        /// What would be right.
        allowed: String,
    },

    /// Two keys that contradict each other, or the data they are used with.
    #[error("recipe: {message}")]
    RecipeConflict {
        /// Which keys, and what would be right.
        message: String,
    },

    /// Reading or writing labelled texts failed.
    #[error(transparent)]
    Corpus(Box<taper_corpus::Error>),

    /// Tokenization, the vocabulary or the word vectors failed.
    #[error(transparent)]
    Text(#[from] taper_text::Error),

    /// A model or tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),

    /// Another process prepares or uses the same folder.
    #[error("{}: in use by another process; wait for it to finish or choose another output folder", path.display())]
    InUse {
        /// The lock file.
        path: PathBuf,
    },

    /// A folder that is no prepared data, or prepared data with something missing.
    #[error("{}: {message}", path.display())]
    Prepared {
        /// The file or folder.
        path: PathBuf,
        /// What was found and what would be right.
        message: String,
    },

    /// A run or a model directory that is not whole, or cannot be used as asked.
    #[error("{}: {message}", path.display())]
    Run {
        /// The file or folder.
        path: PathBuf,
        /// What was found and what would be right.
        message: String,
    },

    /// A checkpoint that is damaged.
    #[error("{problem}; {advice}")]
    Checkpoint {
        /// The file and what is wrong with it.
        problem: String,
        /// Which checkpoint to fall back on.
        advice: String,
    },

    /// Training that went out of bounds.
    #[error(
        "{}: {found}{}; try a lower `train.optimizer.learning_rate` or a `train.clip_norm`{}",
        place(*epoch, *batch, *step), texts_in(dump.as_deref()), go_on_from(checkpoint.as_deref())
    )]
    Diverged {
        /// From 1; 0 before the first.
        epoch: u32,
        /// The first of the step's batches in its epoch, from 1; 0 where no step was taken in this process.
        batch: usize,
        /// The optimizer step, from 1: the last one, where its weights or an evaluation of them were found out.
        step: u32,
        /// What is infinite or no number.
        found: String,
        /// The file with the step's texts.
        dump: Option<PathBuf>,
        /// The newest checkpoint before it.
        checkpoint: Option<String>,
    },

    /// A device that cannot be used.
    #[error("device `{device}`: {message}")]
    Device {
        /// As it was asked for.
        device: String,
        /// What is missing.
        message: String,
    },

    /// The model failed.
    #[error(transparent)]
    Lstm(#[from] taper_lstm::Error),

    /// A model that cannot be explained.
    #[error(transparent)]
    Explain(#[from] taper_explain::Error),

    /// Labelled texts that cannot be trained on.
    #[error("{dataset}: {message}")]
    Dataset {
        /// Which data set.
        dataset: String,
        /// What was found and what would be right.
        message: String,
    },
}

impl From<taper_corpus::Error> for Error {
    fn from(error: taper_corpus::Error) -> Self {
        Self::Corpus(Box::new(error))
    }
}

impl Error {
    pub(crate) fn run(path: &Path, message: impl Into<String>) -> Self {
        Self::Run { path: path.to_owned(), message: message.into() }
    }

    /// For `map_err`: an [`Error::Io`] that knows its path.
    pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, action, source }
    }

    pub(crate) fn prepared(path: &Path, message: impl Into<String>) -> Self {
        Self::Prepared { path: path.to_owned(), message: message.into() }
    }
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

fn place(epoch: u32, batch: usize, step: u32) -> String {
    match batch {
        0 => format!("epoch {epoch} (step {step})"),
        batch => format!("epoch {epoch}, batch {batch} (step {step})"),
    }
}

fn texts_in(dump: Option<&Path>) -> String {
    dump.map_or_else(String::new, |path| format!("; its texts are in {}", path.display()))
}

fn go_on_from(checkpoint: Option<&str>) -> String {
    checkpoint.map_or_else(String::new, |name| {
        format!(" (`--resume RUN --set … --force` goes on from {name} with it)")
    })
}
