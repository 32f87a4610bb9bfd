//! What can go wrong, and where: every error names the file and, inside it, the member or row.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;

pub use crate::place::{Place, Position};

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong between a source and its Parquet files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused: missing, forbidden, full.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: "read", "write".
        doing: &'static str,
        /// The file or folder it was tried on.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// A path that holds none of the formats this crate reads.
    #[error(
        "{} is not a data set: {found}. Accepted are CSV, TSV, JSON lines, Parquet, fastText's and \
         TREC's lines and plain text (files, globs or a folder of them, also as .gz or .zst, or in a .zip), a folder \
         per class, Parquet files named <split>-00000-of-0000N.parquet, an unpacked aclImdb folder \
         (train/ and test/ with pos/ and neg/), or aclImdb_v1.tar.gz itself",
        path.display()
    )]
    NotASource {
        /// What was opened.
        path: PathBuf,
        /// What was found there.
        found: String,
    },

    /// A folder or a pattern, where the texts of one file are read.
    #[error("{} is {found}; name one of its files", path.display())]
    NotOneFile {
        /// What was to be opened.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },

    /// A file without a single byte.
    #[error("{place} is empty (0 bytes): an interrupted copy leaves such files; fetch it again")]
    Empty {
        /// The file.
        place: Place,
    },

    /// A pipe, a device or a socket, which cannot be opened once more where it ended.
    #[error(
        "{} is not a regular file but a pipe, a device or a socket, and files are read more than once; save it to a file \
         first",
        path.display()
    )]
    NotRegular {
        /// What was opened.
        path: PathBuf,
    },

    /// A stream of what is not read from its beginning to its end.
    #[error(
        "{} is a stream, read once from its beginning, and Parquet is read from its end, where its index stands; save it to \
         a file and name that",
        path.display()
    )]
    NotSeekable {
        /// What the stream is called.
        path: PathBuf,
    },

    /// A well-formed source that holds nothing.
    #[error("{place} has no rows{}", split.as_ref().map(|s| format!(" in the split `{s}`")).unwrap_or_default())]
    NoRows {
        /// The file or folder.
        place: Place,
        /// The split without rows, where one is known.
        split: Option<String>,
    },

    /// A text without a label in a split that is labelled.
    #[error(
        "{place} has no label, and the split `{split}` must be labelled{}; `unsupervised` \
         goes without, and a test split in which no row has one",
        if classes.is_empty() { String::new() } else { format!(" (one of {})", listed(classes)) }
    )]
    MissingLabel {
        /// The row.
        place: Place,
        /// The split it belongs to.
        split: String,
        /// The class names that would be right.
        classes: Vec<String>,
    },

    /// A label outside the class names.
    #[error("{place} has the unknown label {found}; known are {}", known(classes))]
    UnknownLabel {
        /// The row, member or folder.
        place: Place,
        /// What was found.
        found: String,
        /// The class names that would be right, in the order of their numbers.
        classes: Vec<String>,
    },

    /// Text in some other encoding.
    #[error(
        "{place} is not UTF-8 (byte {offset} is the first that does not fit); convert it to UTF-8"
    )]
    NotUtf8 {
        /// The file, member or line.
        place: Place,
        /// The offset of the first offending byte in it, or in the field of a table's row.
        offset: usize,
    },

    /// More than a file is allowed to make a reader hold.
    #[error("{place} {found} more than {limit}")]
    TooLarge {
        /// The file, member, row or line.
        place: Place,
        /// What is too large, as a verb: "has".
        found: String,
        /// The most that is accepted, and what to do.
        limit: String,
    },

    /// A column that was asked for, or is needed, and is not there.
    #[error(
        "{} has no column {column}{}; it has {}",
        path.display(),
        suggestion.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default(),
        listed(known)
    )]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column by name or number, or what it was wanted for.
        column: String,
        /// The nearest name there is.
        suggestion: Option<String>,
        /// All names, in order.
        known: Vec<String>,
    },

    /// A first row of which nothing tells what it is, where a row too many or too few would go unnoticed.
    #[error(
        "{place}: the first row ({}) may name the columns or be a row like the others; say which",
        listed(first)
    )]
    UnclearHeader {
        /// The file.
        place: Place,
        /// The fields of its first row.
        first: Vec<String>,
    },

    /// Two spellings of what looks like one label.
    #[error(
        "{place} has the label {found:?}, which differs from {like:?} only by case or surrounding \
         blanks; write it as one, or give the class names if both are meant"
    )]
    AmbiguousLabel {
        /// The row.
        place: Place,
        /// The label as it stands there.
        found: String,
        /// The label that was given, or came earlier.
        like: String,
    },

    /// A setting that cannot be, by itself or with this source.
    #[error("the setting `{key}`: {problem}")]
    Settings {
        /// Its name in [`SourceSettings`](crate::SourceSettings).
        key: &'static str,
        /// What was found, and what would be right.
        problem: String,
    },

    /// The second reading of a source found other rows than the first.
    #[error("{} changed while it was read; try again when it is complete", path.display())]
    Changed {
        /// The source.
        path: PathBuf,
    },

    /// An archive that ends early or does not unpack.
    #[error("{place} is cut short or damaged ({source}); fetch it again")]
    Damaged {
        /// The archive, and the last member that was reached.
        place: Place,
        /// What the decompressor said.
        source: io::Error,
    },

    /// A file whose name or content does not follow its format.
    #[error("{place}: {problem}")]
    Malformed {
        /// The file, member or line.
        place: Place,
        /// What was found, and what would be right.
        problem: String,
    },

    /// A Parquet file that cannot be read or decoded.
    #[error(
        "{place} cannot be read as Parquet ({source}): it is cut short, damaged, or another kind of file"
    )]
    Parquet {
        /// The file, and the first row of the batch that failed.
        place: Place,
        /// What the decoder said.
        source: ParquetError,
    },

    /// A Parquet file with other columns than asked for.
    #[error("{}: column `{column}` {found}; expected {expected}", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// What was found.
        found: String,
        /// What would be right.
        expected: String,
    },

    /// A set of shards that is not whole.
    #[error("the shards of split `{split}` in {}: {problem}", dir.display())]
    Shards {
        /// The folder.
        dir: PathBuf,
        /// The split.
        split: String,
        /// What is missing or too much.
        problem: String,
    },

    /// A name that cannot be a split.
    #[error("`{found}` cannot name a split: use letters, digits, `_` and `.`, as in `train`")]
    SplitName {
        /// The name.
        found: String,
    },

    /// A batch that does not fit the writer's schema, or that Arrow refuses.
    #[error("cannot encode {}: {source}", path.display())]
    Encode {
        /// The shard under way.
        path: PathBuf,
        /// What the encoder said.
        source: ParquetError,
    },

    /// The Hub (or its mirror) refused, or did not answer as a Hub does.
    #[error("cannot fetch {url}: {problem}")]
    Hub {
        /// The address.
        url: String,
        /// What went wrong, and what to do.
        problem: String,
    },

    /// Offline, and the cache does not hold the file.
    #[error(
        "offline, and {file} is not in the cache; looked for {}. Fetch it once with the network on, \
         or name the cache that holds it",
        looked_for.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(" and ")
    )]
    Offline {
        /// The repository, revision and path of the file.
        file: String,
        /// The places that were looked at.
        looked_for: Vec<PathBuf>,
    },

    /// The bytes that arrived are not those the server announced.
    #[error(
        "{url} arrived damaged: expected {expected}, found {found}. The copy was removed from the \
         cache; try again"
    )]
    Transfer {
        /// The address.
        url: String,
        /// The announced size or hash.
        expected: String,
        /// What arrived.
        found: String,
    },

    /// What is in the cache is not what the server announced, and offline it cannot be fetched again.
    #[error(
        "{} in the cache is damaged: expected {expected}, found {found}; it is fetched again when not offline",
        path.display()
    )]
    Cached {
        /// The file in the cache.
        path: PathBuf,
        /// The announced size or hash.
        expected: String,
        /// What is there.
        found: String,
    },

    /// The bytes arrived whole, but are another file than the pinned one.
    #[error("{} (from {url}) is not the pinned file: expected {expected}, found {found}", path.display())]
    WrongFile {
        /// The file in the cache.
        path: PathBuf,
        /// The address.
        url: String,
        /// The pinned hash or hashes.
        expected: String,
        /// The hash or hashes found.
        found: String,
    },

    /// A visitor stopped the stream with an error of its own.
    #[error(transparent)]
    Visitor(#[from] Box<dyn StdError + Send + Sync>),
}

impl Error {
    /// Wraps an I/O error: `doing` is a verb.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }

    /// A row (or line, or member) beyond the limit.
    pub(crate) fn too_long(place: Place, most: usize) -> Self {
        Self::TooLarge { place, found: "holds".to_owned(), limit: format!("{most} bytes") }
    }

    /// A text that is none.
    pub(crate) fn nul(place: Place) -> Self {
        let problem = "the text holds a NUL byte; is it UTF-16, damaged, or no text?".to_owned();
        Self::Malformed { place, problem }
    }

    /// A Parquet error while writing: a refusal of the file system is told as one.
    pub(crate) fn writing(path: &Path, error: ParquetError) -> Self {
        match error {
            ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(source) => Self::io("write", path)(*source),
                Err(inner) => {
                    Self::Encode { path: path.to_owned(), source: ParquetError::External(inner) }
                }
            },
            source => Self::Encode { path: path.to_owned(), source },
        }
    }
}

fn known(classes: &[String]) -> String {
    let numbered: Vec<String> =
        classes.iter().enumerate().map(|(number, name)| format!("{number} ({name})")).collect();
    listed(&numbered)
}

/// The names, or the first of many.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 20;
    match names.len() {
        0 => "none".to_owned(),
        n if n <= SHOWN => names.join(", "),
        n => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
    }
}
