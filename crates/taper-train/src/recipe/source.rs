//! What `[data]` may say of files: format, splits, columns and dialect, all left to detection by default.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use taper_corpus::{ColumnSettings, DialectSettings, Format, SourceSettings};

use super::{Data, HoldOutBy, Labels};
use crate::{Error, Result};

/// `data.format`: what files hold labelled texts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SourceFormat {
    /// CSV, TSV and their kin.
    Csv,
    /// A JSON object a line.
    Jsonl,
    /// Parquet with any column names.
    Parquet,
    /// A folder per class, a file per text.
    Folders,
    /// `__label__CLASS TEXT` a line.
    FastText,
    /// `COARSE:FINE TEXT` a line.
    Trec,
    /// A text a line, without labels.
    Text,
}

impl From<SourceFormat> for Format {
    fn from(format: SourceFormat) -> Self {
        match format {
            SourceFormat::Csv => Self::Csv,
            SourceFormat::Jsonl => Self::Jsonl,
            SourceFormat::Parquet => Self::Parquet,
            SourceFormat::Folders => Self::Folders,
            SourceFormat::FastText => Self::FastText,
            SourceFormat::Trec => Self::Trec,
            SourceFormat::Text => Self::Text,
        }
    }
}

/// `data.files`: names or globs within the folder `data.dataset`, split by split.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Files {
    /// Of the training split: `["train_*.csv"]`.
    pub train: Vec<String>,
    /// Of the validation split.
    pub validation: Vec<String>,
    /// Of the test split.
    pub test: Vec<String>,
    /// Of texts without labels.
    pub unsupervised: Vec<String>,
}

/// `data.columns`: which columns hold what, each by its name or by its number from 1, as a string.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Columns {
    /// The text; several columns are joined by line breaks: `["title", "body"]`. Empty: detected.
    pub text: Vec<String>,
    /// The label.
    #[schemars(length(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What rows share that must not straddle a split, such as the author.
    #[schemars(length(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The row's name.
    #[schemars(length(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// `data.csv`: how CSV and its kin are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Csv {
    /// Between fields: one character, or `tab`.
    #[schemars(length(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// Around fields: one character, or `off` where nothing is quoted.
    #[schemars(length(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// Whether the first row names the columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
}

/// `data.hub`: which part of a data set of the Hugging Face Hub, where `data.dataset` is its id, `OWNER/NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Hub {
    /// The configuration. Without it the only one, or the one called `default`; `data.files` names files instead, within
    /// the repository: `data.files.train = ["data/train-*.parquet"]`.
    #[schemars(length(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// A commit (which always means the same), branch or tag. Without it `main`, or `refs/convert/parquet` where `main` has
    /// no Parquet.
    #[schemars(length(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// What happens when a row is not as it should be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// Preparation ends with an error that names the row.
    #[default]
    Stop,
    /// The row is counted and written to `corpus/rejected.jsonl`.
    Skip,
}

impl Data {
    /// The settings of the corpus.
    ///
    /// # Errors
    /// A delimiter or quote of more than one character.
    pub(crate) fn source_settings(&self) -> Result<SourceSettings> {
        let Files { train, validation, test, unsupervised } = self.files.clone();
        let files = [
            ("train", train),
            ("validation", validation),
            ("test", test),
            ("unsupervised", unsupervised),
        ];
        let named = files.into_iter().filter(|(_, files)| !files.is_empty());
        Ok(SourceSettings {
            format: self.format.map(Format::from),
            files: named.map(|(split, files)| (split.to_owned(), files)).collect(),
            columns: ColumnSettings {
                text: self.columns.text.clone(),
                label: self.columns.label.clone(),
                group: self.columns.group.clone(),
                id: self.columns.id.clone(),
            },
            label_names: self.label_names.clone(),
            label_separator: match self.labels {
                Labels::Single => None,
                Labels::Multi => {
                    Some(self.label_separator.clone().unwrap_or_else(|| "|".to_owned()))
                }
            },
            dialect: DialectSettings {
                delimiter: match self.csv.delimiter.as_deref() {
                    None => None,
                    Some("tab") => Some('\t'),
                    Some(other) => Some(character("data.csv.delimiter", other, "tab")?),
                },
                quote: match self.csv.quote.as_deref() {
                    None => None,
                    Some("off") => Some(None),
                    Some(other) => Some(Some(character("data.csv.quote", other, "off")?)),
                },
                header: self.csv.header,
            },
            on_error: match self.on_error {
                OnError::Stop => taper_corpus::OnError::Stop,
                OnError::Skip => taper_corpus::OnError::Skip,
            },
            limits: taper_corpus::Limits::default(),
        })
    }
}

impl Data {
    /// # Errors
    /// Keys that do not go together with how many labels a text has.
    pub(super) fn check_labels(&self) -> Result<()> {
        let multi = self.labels == Labels::Multi;
        let by_label =
            self.hold_out.as_ref().is_some_and(|hold_out| hold_out.by == HoldOutBy::Label);
        let message = match () {
            () if !multi && self.label_separator.is_some() => {
                "`data.label_separator` is for texts of several labels: it needs `data.labels` = \"multi\""
            }
            () if multi && by_label => {
                "`data.hold_out.by` = \"label\" takes a share of every class, and with `data.labels` = \"multi\" a text \
                 is of no single one; hold out by \"record\" or \"group\""
            }
            () => return Ok(()),
        };
        Err(Error::RecipeConflict { message: message.to_owned() })
    }
}

/// One character; the error names the word that may stand there instead.
fn character(key: &str, text: &str, word: &str) -> Result<char> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(Error::BadValue {
            place: "recipe".to_owned(),
            key: key.to_owned(),
            value: format!("\"{text}\""),
            allowed: format!("must be one character, or \"{word}\""),
        }),
    }
}
