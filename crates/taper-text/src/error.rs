//! What can go wrong between a text and its ids, and between a vector file and a matrix.

use std::path::PathBuf;

/// The result of this crate's fallible functions.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of this crate: names the file and line, what was found and what would be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// No tokenizer has this name.
    #[error("no tokenizer is called `{name}`; there are: {}, and any tokenizer.json by its path", known.join(", "))]
    UnknownTokenizer {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: &'static [&'static str],
    },

    /// A `tokenizer.json` that cannot be read, or is not one this crate can stand behind.
    #[error("{}: {found}; expected {expected}", path.display())]
    TokenizerFile {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What would be right.
        expected: String,
    },

    /// The `tokenizers` crate refused a pipeline or a text.
    #[error("tokenizer: {0}")]
    Pipeline(String),

    /// Encoding was asked of a tokenizer that has no vocabulary yet.
    #[error("this tokenizer has no vocabulary: give it one with `with_vocabulary` before encoding")]
    NoVocabulary,

    /// No word is left for a vocabulary.
    #[error(
        "the vocabulary would be empty: {tokens} tokens of {distinct} different words were counted, \
         and none occurs {min_frequency} times or more"
    )]
    EmptyVocabulary {
        /// Tokens counted.
        tokens: u64,
        /// Different words among them.
        distinct: usize,
        /// The least count a word needs.
        min_frequency: u64,
    },

    /// A list of words that cannot be a vocabulary.
    #[error("vocabulary entry {id}: found {found}; expected {expected}")]
    VocabularyEntry {
        /// The id of the entry.
        id: usize,
        /// What was found.
        found: String,
        /// What would be right.
        expected: String,
    },

    /// An option outside its range.
    #[error("{option} is {found}; expected {expected}")]
    Option {
        /// The name of the option.
        option: &'static str,
        /// Its value.
        found: String,
        /// What would be right.
        expected: &'static str,
    },

    /// A file of word vectors that is not one, as a whole.
    #[error("{}{}: found {found}; expected {expected}", path.display(), in_member(member.as_deref()))]
    VectorFile {
        /// The file.
        path: PathBuf,
        /// The member, where the file is an archive.
        member: Option<String>,
        /// What was found.
        found: String,
        /// What would be right.
        expected: String,
    },

    /// A bad line in a text file of word vectors.
    #[error("{}{}, line {line}: {problem}", path.display(), in_member(member.as_deref()))]
    VectorLine {
        /// The file.
        path: PathBuf,
        /// The member, where the file is an archive.
        member: Option<String>,
        /// The number of the line, counted from 1.
        line: u64,
        /// What is wrong with it.
        problem: LineProblem,
    },

    /// A bad row in a binary file of word vectors.
    #[error("{}{}, row {row}: {problem}", path.display(), in_member(member.as_deref()))]
    VectorRow {
        /// The file.
        path: PathBuf,
        /// The member, where the file is an archive.
        member: Option<String>,
        /// The number of the row, counted from 1.
        row: u64,
        /// What is wrong with it.
        problem: LineProblem,
    },
}

/// What is wrong with one line or row of a file of word vectors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineProblem {
    /// Fewer or more numbers than asked for.
    #[error("{found} fields after the word, expected {expected} numbers{}", width_hint(*first_line, *found))]
    Width {
        /// Fields on the line, the word not counted.
        found: usize,
        /// Numbers asked for.
        expected: usize,
        /// Whether it is the first line: then the whole file is probably of another dimension.
        first_line: bool,
    },
    /// A blank line.
    #[error("the line is blank, expected a word and {expected} numbers")]
    Blank {
        /// Numbers asked for.
        expected: usize,
    },
    /// No word, or one with a space too many before or behind it.
    #[error(
        "the word is `{found}`, expected one with no space before it and a single space behind"
    )]
    Spaced {
        /// What stands before the numbers.
        found: String,
    },
    /// Numbers apart by more than one space.
    #[error("there is more than one space between two numbers, expected a single one")]
    Gap,
    /// A field that is not a number.
    #[error("field {field} is `{found}`, expected a finite number")]
    NotANumber {
        /// Which of the numbers, counted from 1.
        field: usize,
        /// What stands there.
        found: String,
    },
    /// A line that no vector file has.
    #[error("longer than {limit} bytes, expected a word and its numbers: is this a text file?")]
    TooLong {
        /// The longest line that is read, in bytes.
        limit: u64,
    },
    /// A word that no vector file has.
    #[error("no space within {limit} bytes, expected a word, a space and its numbers")]
    LongWord {
        /// The longest word that is read, in bytes.
        limit: u64,
    },
    /// Fewer rows than the header says, or half of one.
    #[error(
        "the data break off here, expected {announced} rows as the first line says: is the file truncated?"
    )]
    BreaksOff {
        /// Rows announced.
        announced: u64,
    },
    /// More rows than the header says.
    #[error("the data go on here, expected {announced} rows as the first line says")]
    GoesOn {
        /// Rows announced.
        announced: u64,
    },
    /// The data unpack to more than vectors could.
    #[error(
        "the file unpacks to 100 times its size, expected word vectors: is it a decompression bomb?"
    )]
    Bomb,
    /// The data ended or broke off inside the compressed stream.
    #[error("cannot be read ({0}); expected whole data: is the file truncated or damaged?")]
    Unreadable(String),
}

impl LineProblem {
    /// What a failed read of unpacked data means.
    pub(crate) fn of_read(error: &std::io::Error) -> LineProblem {
        match error.kind() {
            std::io::ErrorKind::FileTooLarge => LineProblem::Bomb,
            _ => LineProblem::Unreadable(error.to_string()),
        }
    }
}

fn in_member(member: Option<&str>) -> String {
    member.map(|name| format!(", member {name}")).unwrap_or_default()
}

fn width_hint(first_line: bool, found: usize) -> &'static str {
    match (first_line, found) {
        (true, 0) => " (on the first line: are there spaces between the numbers?)",
        (true, _) => " (on the first line: is the file of another dimension?)",
        (false, _) => "",
    }
}
