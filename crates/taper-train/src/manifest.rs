//! `manifest.json`: what prepared data consists of, and by which fingerprints it is up to date.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use taper_corpus::{HubSelection, Record};
use taper_text::Specials;

use crate::recipe::{Data, Labels, Text, Vectors};
use crate::{Error, Recipe, Result, atomic, fingerprint};

/// The steps of preparation, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Source -> `corpus/*.parquet`.
    Corpus,
    /// Training texts -> `tokenizer.json`, vocabulary included.
    Text,
    /// Vocabulary and word vectors -> `embeddings.safetensors`, `coverage.json`.
    Vectors,
    /// Texts -> `encoded/*.parquet`.
    Encoded,
}

impl Stage {
    /// All stages, in order.
    pub const ALL: [Self; 4] = [Self::Corpus, Self::Text, Self::Vectors, Self::Encoded];

    /// As the manifest writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Corpus => "corpus",
            Self::Text => "text",
            Self::Vectors => "vectors",
            Self::Encoded => "encoded",
        }
    }

    /// The files and folders a stage writes, within the prepared folder.
    pub(crate) fn outputs(self) -> &'static [&'static str] {
        match self {
            Self::Corpus => &["corpus"],
            Self::Text => &["tokenizer.json"],
            Self::Vectors => &["embeddings.safetensors", "coverage.json"],
            Self::Encoded => &["encoded"],
        }
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What a finished stage depends on, and what it wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageRecord {
    /// BLAKE3 of the stage's input and configuration.
    pub fingerprint: String,
    /// The files written: path within the prepared folder, with `/`.
    pub files: BTreeMap<String, FileRecord>,
}

impl StageRecord {
    /// Every file of the stage there, of the size and hash it was written with.
    pub(crate) fn verify(&self, folder: &Path) -> Result<()> {
        for (name, expected) in &self.files {
            let path = folder.join(name);
            let found = match fs::metadata(&path) {
                Ok(metadata) => metadata.len(),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    return Err(Error::prepared(&path, "missing; prepare again"));
                }
                Err(error) => return Err(Error::io(&path, "open")(error)),
            };
            if found != expected.bytes {
                let message =
                    format!("{found} bytes where {} were written; prepare again", expected.bytes);
                return Err(Error::prepared(&path, message));
            }
            if fingerprint::of_file(&path)? != expected.blake3 {
                return Err(Error::prepared(&path, "changed since it was written; prepare again"));
            }
        }
        Ok(())
    }
}

/// Size and hash of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Length in bytes.
    pub bytes: u64,
    /// BLAKE3 of the bytes, hexadecimal.
    pub blake3: String,
}

/// One split in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitManifest {
    /// Texts.
    pub rows: u64,
    /// Texts of each class, in the order of the class names; a text of several labels counts for each.
    pub labels: Vec<u64>,
    /// Texts without a label.
    pub unlabelled: u64,
    /// Texts that the source has and `data.drop_leaks` left out; `corpus/dropped.jsonl` names them.
    #[serde(default)]
    pub dropped: u64,
    /// Tokens of all texts.
    pub tokens: u64,
    /// Texts without a single token.
    pub empty: u64,
    /// Tokens of the longest text.
    pub longest: u64,
    /// BLAKE3 of texts and labels, in any order.
    pub content: String,
    /// BLAKE3 of ids, texts, labels and groups, in this order.
    pub records: String,
}

/// The tables of the recipe that preparation depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecipeTables {
    /// `[data]`.
    pub data: Data,
    /// `[text]`.
    pub text: Text,
    /// `[vectors]`.
    pub vectors: Vectors,
}

/// Where on the Hugging Face Hub texts came from: enough to fetch the same again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubOrigin {
    /// `OWNER/NAME`.
    pub repository: String,
    /// The revision that was asked for, or fallen back on.
    pub revision: String,
    /// The commit it stood for.
    pub commit: String,
    /// The configuration; none where the recipe names files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// The files and, where the Hub told it, the sha256 of each.
    pub files: BTreeMap<String, Option<String>>,
}

impl From<&HubSelection> for HubOrigin {
    fn from(selection: &HubSelection) -> Self {
        let files = selection.splits.iter().flat_map(|(_, files)| files);
        Self {
            repository: selection.id.clone(),
            revision: selection.revision.clone(),
            commit: selection.commit.clone(),
            config: selection.config.clone(),
            files: files.map(|file| (file.path.clone(), file.sha256.clone())).collect(),
        }
    }
}

/// What prepared data consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this file's shape: [`Manifest::FORMAT`].
    pub format: u32,
    /// Version of the crate that wrote it.
    pub taper: String,
    /// The data set, as the recipe calls it.
    pub dataset: String,
    /// The container the texts came in.
    pub source: String,
    /// BLAKE3 of where their rows stood when the corpus was written; none where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origins: Option<String>,
    /// Whether the same rows were found in other files or on other lines since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moved: bool,
    /// Where on the Hub they came from, if they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubOrigin>,
    /// Terms the texts come under, where they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// The recipe's seed: decides held-out rows and random vectors.
    pub seed: u64,
    /// Names of the classes: a label is an index into them.
    pub class_names: Vec<String>,
    /// Rows of the vocabulary, those of the unknown word and of padding included.
    pub vocabulary: usize,
    /// The ids of the unknown word and of padding.
    #[serde(default)]
    pub specials: Specials,
    /// Numbers a word vector has.
    pub dimensions: usize,
    /// Every split by name.
    pub splits: BTreeMap<String, SplitManifest>,
    /// Rows that were not as they should be and were passed over; see `corpus/rejected.jsonl`.
    #[serde(default)]
    pub rejected: u64,
    /// The recipe's part in this.
    pub recipe: RecipeTables,
    /// Every finished stage.
    pub stages: BTreeMap<Stage, StageRecord>,
}

impl Manifest {
    /// The version this crate reads and writes.
    pub const FORMAT: u32 = 1;
    /// The file's name in a prepared folder.
    pub const FILE: &'static str = "manifest.json";

    /// One without stages.
    pub(crate) fn begin(recipe: &Recipe) -> Self {
        Self {
            format: Self::FORMAT,
            taper: env!("CARGO_PKG_VERSION").to_owned(),
            dataset: recipe.data.dataset.clone(),
            source: String::new(),
            origins: None,
            moved: false,
            hub: None,
            licence: None,
            seed: recipe.seed,
            class_names: Vec::new(),
            vocabulary: 0,
            specials: Specials::default(),
            dimensions: recipe.vectors.dimensions,
            splits: BTreeMap::new(),
            rejected: 0,
            recipe: RecipeTables {
                data: recipe.data.clone(),
                text: recipe.text.clone(),
                vectors: recipe.vectors.clone(),
            },
            stages: BTreeMap::new(),
        }
    }

    /// The label of a record in words; several with ` | ` between them.
    pub fn label_of(&self, record: &Record) -> Option<String> {
        let numbers: Vec<u32> =
            record.label.iter().chain(record.labels.iter().flatten()).copied().collect();
        let names = numbers.iter().filter_map(|&number| self.class_names.get(number as usize));
        let names: Vec<&str> = names.map(String::as_str).collect();
        (!names.is_empty()).then(|| names.join(" | "))
    }

    /// Whether a text may have several labels.
    pub fn is_multi_label(&self) -> bool {
        self.recipe.data.labels == Labels::Multi
    }

    /// `None` where there is no such file.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(Error::io(path, "read"))?,
        };
        // The version first: another version may have another shape.
        let value: serde_json::Value = serde_json::from_slice(&bytes)
            .map_err(|error| Error::prepared(path, format!("not JSON ({error}); prepare again")))?;
        let format = value.get("format").and_then(serde_json::Value::as_u64);
        if format != Some(u64::from(Self::FORMAT)) {
            let found = format
                .map_or_else(|| "no version".to_owned(), |format| format!("version {format}"));
            return Err(Error::prepared(
                path,
                format!(
                    "{found} of the manifest; this program reads version {}; prepare again",
                    Self::FORMAT
                ),
            ));
        }
        serde_json::from_value(value).map(Some).map_err(|error| {
            Error::prepared(path, format!("not a manifest ({error}); prepare again"))
        })
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| {
            Error::prepared(path, format!("cannot be written as JSON: {error}"))
        })?;
        bytes.push(b'\n');
        atomic::write(path, &bytes)
    }

    /// Whether the texts have as many labels as a model of `recipe` gives.
    ///
    /// # Errors
    ///
    /// If not: with both.
    pub fn check_labels(&self, recipe: &Recipe) -> Result<()> {
        let (has, wants) = (self.recipe.data.labels, recipe.data.labels);
        if has == wants {
            return Ok(());
        }
        let name = |labels: Labels| format!("{labels:?}").to_lowercase();
        let (has, wants) = (name(has), name(wants));
        let message = format!(
            "prepared with `data.labels` = \"{has}\", and the recipe has \"{wants}\"; prepare again with the recipe"
        );
        Err(Error::Dataset { dataset: self.dataset.clone(), message })
    }

    /// Whether there is the split that `recipe` judges epochs by.
    ///
    /// # Errors
    ///
    /// If not: with what to set instead.
    pub fn check_evaluation(&self, recipe: &Recipe) -> Result<()> {
        let wanted = recipe.train.evaluate_on.split();
        match self.splits.get(wanted).filter(|split| split.rows > 0) {
            Some(split) if split.unlabelled == split.rows => {
                let message = format!(
                    "`train.evaluate_on` is \"{wanted}\", but none of the {} texts of that split has a label: they can be \
                     predicted, not evaluated on; evaluate on \"validation\"",
                    split.rows
                );
                return Err(Error::Dataset { dataset: self.dataset.clone(), message });
            }
            Some(_) => return Ok(()),
            None => {}
        }
        let advice = if wanted == "test" {
            "evaluate on \"validation\""
        } else if recipe.data.hold_out.is_some() {
            "`data.hold_out` takes too small a share of the training split"
        } else {
            "take one from the training split with `--set data.hold_out.fraction=0.1`, or evaluate on \"test\" and \
             select the \"last\" epoch"
        };
        let names: Vec<&str> = self.splits.keys().map(String::as_str).collect();
        let message = format!(
            "`train.evaluate_on` is \"{wanted}\", but there is no such split (found {}); {advice}",
            names.join(", ")
        );
        Err(Error::Dataset { dataset: self.dataset.clone(), message })
    }

    /// The split of that name, or an error that lists those there are.
    pub fn split(&self, dataset: &Path, name: &str) -> Result<&SplitManifest> {
        self.splits.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.splits.keys().map(String::as_str).collect();
            Error::prepared(dataset, format!("no split `{name}`; there are: {}", known.join(", ")))
        })
    }
}
