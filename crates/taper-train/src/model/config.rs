//! `config.json` of a model directory: everything but the weights and the tokenizer.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use taper_lstm::{ClassifierConfig, LstmConfig};
use taper_text::Specials;

use super::{CONFIG, WEIGHTS};
use crate::artifacts::Prepared;
use crate::batch::View;
use crate::loss::THRESHOLD;
use crate::manifest::Manifest;
use crate::recipe::{self, Labels, Model as ModelTable, Pooling, Recipe, Truncate};
use crate::{Error, Result, atomic, fingerprint};

mod check;

/// `config.json`: everything but the weights and the tokenizer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// Version of this file's shape: [`ModelConfig::FORMAT`].
    pub format: u32,
    /// Version of the crate that wrote it.
    pub taper: String,
    /// Names of the classes: a label is an index into them.
    pub class_names: Vec<String>,
    /// Rows of the embedding.
    pub vocabulary_size: usize,
    /// Width of the embedding.
    pub dimensions: usize,
    /// The ids of the unknown word and of padding.
    #[serde(default)]
    pub specials: Specials,
    /// Longest text in tokens the model was trained on, if there was a limit.
    pub max_length: Option<usize>,
    /// What of a longer text the model reads.
    #[serde(default)]
    pub truncate: Truncate,
    /// The network, as the recipe has it.
    pub model: ModelTable,
    /// BLAKE3 of `tokenizer.json`: ids of another tokenizer would mean other words.
    pub tokenizer_blake3: String,
    /// What logits are divided by before they become probabilities, if it was fitted; see [`calibrate`](crate::calibrate()).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Where a text may have several labels: the least probability at which it has one. Then each label has a logit of
    /// its own, whose logistic function is its probability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// BLAKE3 of `model.safetensors`, once the model is finished; directories of older versions lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_blake3: Option<String>,
}

/// What every version of `config.json` has.
#[derive(Deserialize)]
struct Versioned {
    format: u32,
}

impl ModelConfig {
    /// The version this crate reads and writes.
    pub const FORMAT: u32 = 1;

    /// That of a model that `recipe` trains, on texts with these classes and this many words.
    pub fn of_recipe(
        recipe: &Recipe,
        class_names: &[String],
        vocabulary_size: usize,
        specials: Specials,
        tokenizer_blake3: String,
    ) -> Self {
        Self {
            format: Self::FORMAT,
            taper: env!("CARGO_PKG_VERSION").into(),
            class_names: class_names.to_vec(),
            vocabulary_size,
            specials,
            dimensions: recipe.vectors.dimensions,
            max_length: recipe.train.max_length,
            truncate: recipe.train.truncate,
            model: recipe.model.clone(),
            tokenizer_blake3,
            temperature: None,
            threshold: match recipe.data.labels {
                Labels::Single => None,
                Labels::Multi => Some(THRESHOLD),
            },
            weights_blake3: None,
        }
    }

    /// The classifier's shape.
    pub(super) fn classifier(&self) -> ClassifierConfig {
        let ModelTable { hidden_size, num_layers, bidirectional, pooling, dropout, .. } =
            self.model.clone();
        ClassifierConfig {
            vocabulary_size: self.vocabulary_size,
            padding_id: Some(self.specials.padding),
            lstm: LstmConfig {
                num_layers,
                bidirectional,
                dropout: dropout.between_layers,
                variational: dropout.variational,
                weight_dropout: dropout.weight,
                ..LstmConfig::new(self.dimensions, hidden_size)
            },
            pooling: match pooling {
                Pooling::Last => taper_lstm::Pooling::Last,
                Pooling::Max => taper_lstm::Pooling::Max,
                Pooling::Mean => taper_lstm::Pooling::Mean,
                Pooling::Concat => taper_lstm::Pooling::LastMaxMean,
                Pooling::Attention => taper_lstm::Pooling::Attention,
            },
            num_logits: match (self.threshold, self.class_names.len()) {
                // Two classes need one number: the log-odds of the second.
                (None, 2) => 1,
                (_, names) => names,
            },
            embedding_dropout: dropout.embedding,
            token_dropout: dropout.vocabulary,
            output_dropout: dropout.output,
        }
    }

    /// Trainable scalars of the network, without making it.
    pub fn parameters(&self) -> u64 {
        let [words, dimensions] = [self.vocabulary_size, self.dimensions].map(|size| size as u64);
        let logits = self.classifier().num_logits as u64;
        let linear = self.model.pooled_size().saturating_add(1).saturating_mul(logits);
        let layers = self.model.parameters_of_layers(dimensions);
        words.saturating_mul(dimensions).saturating_add(layers).saturating_add(linear)
    }

    /// Whether the network has a size that can be held in memory.
    ///
    /// # Errors
    /// More than [`recipe::Model::MAX_PARAMETERS`].
    pub(crate) fn check_size(&self) -> Result<()> {
        let (found, most) = (self.parameters(), ModelTable::MAX_PARAMETERS);
        if found <= most {
            return Ok(());
        }
        let ModelTable { hidden_size, num_layers, .. } = self.model;
        let message = format!(
            "{} words of {} dimensions and {num_layers} layers of {hidden_size} make {found} parameters; at most {most} \
             (4 GiB of f32) are possible: `text.max_vocabulary`, `vectors.dimensions` and `model.hidden_size` decide them",
            self.vocabulary_size, self.dimensions
        );
        Err(Error::RecipeConflict { message })
    }

    /// What the model reads of a text.
    pub fn view(&self) -> View {
        View {
            max_length: self.max_length,
            truncate: self.truncate,
            padding: self.model.padding,
            specials: self.specials,
        }
    }

    /// Reads `config.json` of a model directory.
    ///
    /// # Errors
    /// No such file, one of another version, or a value that no model can have, by its key.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join(CONFIG);
        if !path.exists() {
            return Err(Error::run(directory, no_model(directory)));
        }
        let bytes = fs::read(&path).map_err(Error::io(&path, "read the model's configuration"))?;
        let refused = |error| Error::run(&path, format!("not a model's configuration: {error}"));
        // Another version may have other fields: its number comes first.
        let Versioned { format } = serde_json::from_slice(&bytes).map_err(refused)?;
        if format != Self::FORMAT {
            let (reads, taper) = (Self::FORMAT, env!("CARGO_PKG_VERSION"));
            let message = format!("format {format}; Taper {taper} reads format {reads}");
            return Err(Error::run(&path, message));
        }
        let config: Self = serde_json::from_slice(&bytes).map_err(refused)?;
        config.check().map_err(|problem| Error::run(&path, problem))?;
        Ok(config)
    }

    /// Whether the model can read texts that were prepared in this way.
    ///
    /// # Errors
    /// If their ids are of another tokenizer, and so would mean other words, or their labels of other classes.
    pub fn check_data(&self, prepared: &Prepared) -> Result<()> {
        let path = prepared.tokenizer_path();
        if fingerprint::of_file(&path)? != self.tokenizer_blake3 {
            let message = "not the model's tokenizer: the ids would mean other words to it; prepare the texts with the \
                           run's (`--set text.tokenizer=RUN/tokenizer.json --set text.max_vocabulary=none --set \
                           text.min_frequency=1`)";
            return Err(Error::prepared(&path, message));
        }
        let names = &prepared.manifest().class_names;
        if *names != self.class_names {
            let message = format!(
                "its classes are {}; the model's are {}, in that order",
                names.join(", "),
                self.class_names.join(", ")
            );
            return Err(Error::prepared(prepared.folder(), message));
        }
        Ok(())
    }

    /// Takes the hash of the weights that stand in a model directory, and writes `config.json`: the model is finished.
    pub(crate) fn seal(&mut self, directory: &Path) -> Result<()> {
        self.weights_blake3 = Some(fingerprint::of_file(&directory.join(WEIGHTS))?);
        self.write(directory)
    }

    /// Takes the hash back, before other weights are written.
    pub(crate) fn unseal(&mut self, directory: &Path) -> Result<()> {
        if self.weights_blake3.take().is_some() { self.write(directory) } else { Ok(()) }
    }

    /// Writes `config.json` of a model directory.
    pub fn write(&self, directory: &Path) -> Result<()> {
        let path = directory.join(CONFIG);
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::run(&path, format!("cannot be written as JSON: {error}")))?;
        bytes.push(b'\n');
        atomic::write(&path, &bytes)
    }
}

/// What a folder without `config.json` seems to be.
fn no_model(directory: &Path) -> String {
    let recipe = directory.join(recipe::FILE);
    let like = if directory.join(Manifest::FILE).is_file() {
        "it is prepared data, which `taper train --prepared` trains on".to_owned()
    } else if recipe.is_file() {
        let recipe = recipe.display();
        format!(
            "it is a run that lost it, and begins anew with `taper train --recipe {recipe} --out RUN`"
        )
    } else {
        "`taper train --out RUN` makes one".to_owned()
    };
    format!("no model: there is no {CONFIG} in it; {like}")
}
