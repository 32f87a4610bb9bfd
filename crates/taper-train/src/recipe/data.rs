//! The tables `[data]`, `[text]` and `[vectors]`: everything preparation depends on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::source::{Columns, Csv, Files, Hub, OnError, SourceFormat};

/// `[data]`: which labelled texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Data {
    /// `sample` (comes with Taper), `imdb` (from the Hugging Face Hub), the path of a file, folder, archive or glob, or
    /// `OWNER/NAME`, any data set of the Hub that has Parquet. A path that exists wins over `OWNER/NAME`.
    #[schemars(length(min = 1))]
    pub dataset: String,
    /// Which part of a data set of the Hub.
    pub hub: Hub,
    /// The format of the files; detected where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<SourceFormat>,
    /// Which files of the folder, or of the Hub's repository, belong to which split; by their names where nothing is given.
    pub files: Files,
    /// Which columns hold what.
    pub columns: Columns,
    /// How CSV and its kin are written.
    pub csv: Csv,
    /// Whether a text has one label, or any number of them.
    pub labels: Labels,
    /// What separates labels in a cell that is no list, where texts have several. [default: `|`]
    #[schemars(length(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_separator: Option<String>,
    /// The names of the classes in the order of their numbers. Empty: the labels of the training split, in the order of
    /// their first use. Where labels are numbers, names stand for them from the smallest (0 or 1) on.
    pub label_names: Vec<String>,
    /// What happens when a row is not as it should be.
    pub on_error: OnError,
    /// Takes a validation split from the training split, where the data set has none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_out: Option<HoldOut>,
    /// Leaves out texts that a split for judging (test, or validation) has too: `identical` ones, or `near`-duplicates as
    /// well. Of test and validation, validation gives way. `keep` keeps all, as leaving the key out does; it says so to a
    /// folder where `taper doctor --fix` has dropped some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_leaks: Option<DropLeaks>,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            dataset: "sample".to_owned(),
            hub: Hub::default(),
            format: None,
            files: Files::default(),
            columns: Columns::default(),
            csv: Csv::default(),
            labels: Labels::Single,
            label_separator: None,
            label_names: Vec::new(),
            on_error: OnError::Stop,
            hold_out: None,
            drop_leaks: None,
        }
    }
}

/// `data.labels`: how many labels a text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Labels {
    /// One: its class.
    Single,
    /// Any number, maybe none: a list in JSON lines and Parquet, a cell such as `art|law` elsewhere, several `__label__`
    /// on a line of fastText's. Each label then has a logit and a probability of its own.
    Multi,
}

/// Which texts are left out because a split for judging has them too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DropLeaks {
    /// None.
    Keep,
    /// Those that are the same, byte by byte.
    Identical,
    /// Those, and near-duplicates.
    Near,
}

/// `data.hold_out`: how a validation split is taken from the training split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HoldOut {
    /// Share of the training split to hold out.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub fraction: f64,
    /// What is held out as a whole.
    pub by: HoldOutBy,
}

impl Default for HoldOut {
    fn default() -> Self {
        Self { fraction: 0.1, by: HoldOutBy::Group }
    }
}

/// What a hold-out keeps together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HoldOutBy {
    /// All records of a group (a movie, say) go to the same side; a record without a group is its own.
    Group,
    /// Each record by itself.
    Record,
    /// Each record by itself, and the same share of every class.
    Label,
}

/// `[text]`: how texts become numbered tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Text {
    /// `english` (punctuation and clitics apart: `do n't`), `spacy` (as spaCy's blank English tokenizer), `unicode`
    /// (runs of word characters and runs of others), `whitespace`, or the path of a `tokenizer.json` (BPE, `WordPiece`,
    /// Unigram, …): then vocabulary, ids and special tokens are the file's, as Python's `tokenizers` gives them, and the
    /// other keys of `[text]` do not apply.
    #[schemars(extend("anyOf" = [{ "enum": ["english", "spacy", "unicode", "whitespace"] }, { "pattern": r"[/\\]|\.json$" }]))]
    pub tokenizer: String,
    /// Lower-case before counting and looking up; a `tokenizer.json` does as it says itself.
    pub lowercase: bool,
    /// Most words the vocabulary keeps, beside `<unk>` and `<pad>`: the most frequent ones, ties alphabetical.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_vocabulary: Option<usize>,
    /// Words seen less often in the training split are left out.
    #[schemars(range(min = 1))]
    pub min_frequency: u64,
}

impl Default for Text {
    fn default() -> Self {
        Self {
            tokenizer: "english".to_owned(),
            lowercase: true,
            max_vocabulary: None,
            min_frequency: 1,
        }
    }
}

/// `[vectors]`: which word vectors the embedding starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Vectors {
    /// `sample` (comes with Taper), `glove.6B` (from the Hugging Face Hub, 862 MB), the path of a file, or `none`: then
    /// the embedding starts from random numbers. A file is GloVe's or word2vec's text (fastText's `.vec` too) or
    /// word2vec's binary format, plain or in a `.zip`, `.gz` or `.zst`; or a safetensors matrix with its words.
    #[schemars(length(min = 1))]
    pub source: String,
    /// Which file of a `.zip`; without it the only `.txt`, `.vec` or `.bin`, or the one named `*.<dimensions>d.txt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Numbers a word: the columns of the vector file and of the embedding.
    #[schemars(range(min = 1, max = 65_536))]
    pub dimensions: usize,
    /// How a word of the vocabulary is looked up among the vectors.
    pub case: Case,
    /// What the row of a word without a vector holds. `<pad>` is always zero.
    pub missing: Missing,
    /// Standard deviation of `missing = "normal"`, bound of `missing = "uniform"`.
    #[schemars(extend("exclusiveMinimum" = 0.0, "maximum" = 100.0))]
    pub missing_scale: f64,
}

impl Default for Vectors {
    fn default() -> Self {
        Self {
            source: "none".to_owned(),
            member: None,
            dimensions: 100,
            case: Case::Fallback,
            missing: Missing::Zero,
            missing_scale: 0.1,
        }
    }
}

/// How a word of the vocabulary is looked up among the vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Case {
    /// As it is written.
    Exact,
    /// Lower-cased.
    Lower,
    /// As it is written, else lower-cased.
    Fallback,
}

/// What the row of a word without a vector holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// Zeros.
    Zero,
    /// The mean over the character n-grams it shares with words that have a vector; zeros if it shares none.
    Subwords,
    /// Normal numbers of mean 0 and standard deviation `missing_scale`.
    Normal,
    /// Uniform numbers in [-`missing_scale`, `missing_scale`].
    Uniform,
}
