//! What to train, on what and how: recipes in TOML, checked at one door.
//!
//! ```
//! use taper_train::Recipe;
//!
//! let recipe = Recipe::load("tutorial", &["train.epochs=2".to_owned()])?;
//! assert_eq!(recipe.train.epochs, 2);
//! assert_eq!(recipe.model.hidden_size, 256);
//!
//! let error = Recipe::load("tutorial", &["train.epoch=2".to_owned()]).unwrap_err();
//! assert!(error.to_string().contains("did you mean `train.epochs`?"));
//! # Ok::<(), taper_train::Error>(())
//! ```
//!
//! Every key has a default (those of a small, honest set-up), unknown keys are errors, and limits are written once: in
//! the schema that [`Recipe::schema`] prints and that [`Recipe::check`] enforces.

mod checkpoints;
mod data;
mod difference;
mod document;
mod embedded;
mod model;
mod optimizer;
mod schedule;
mod schema;
mod source;
#[cfg(test)]
mod tests;
mod train;

use std::fs;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use taper_text::Tokenizer;

pub use checkpoints::CheckpointPolicy;
pub use data::{Case, Data, DropLeaks, HoldOut, HoldOutBy, Labels, Missing, Text, Vectors};
pub use difference::Difference;
pub use model::{Dropout, Model, Padding, Pooling};
pub use optimizer::{Optimizer, OptimizerKind};
pub use schedule::{Schedule, ScheduleKind};
pub use source::{Columns, Csv, Files, Hub, OnError, SourceFormat};
pub use train::{
    Activations, ClassWeights, Evaluate, EvaluateOn, Precision, Select, Train, Truncate,
};

use crate::{Error, Result};
use document::Document;
pub(crate) use document::nearest;

/// What a run calls its recipe.
pub(crate) const FILE: &str = "recipe.toml";

/// Everything that decides a training run, apart from the machine it runs on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// What the recipe is for, in a line.
    pub description: String,
    /// Seed of every random choice: initial weights, order, dropout, held-out rows. At most 2^63 - 1, TOML's limit.
    pub seed: u64,
    /// Which labelled texts.
    pub data: Data,
    /// How texts become numbered tokens.
    pub text: Text,
    /// Which word vectors the embedding starts from.
    pub vectors: Vectors,
    /// The network.
    pub model: Model,
    /// The optimisation.
    pub train: Train,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            description: String::new(),
            seed: 1,
            data: Data::default(),
            text: Text::default(),
            vectors: Vectors::default(),
            model: Model::default(),
            train: Train::default(),
        }
    }
}

impl Recipe {
    /// The recipe used where none is named.
    pub const DEFAULT_NAME: &'static str = "quickstart";

    /// Loads an embedded recipe by name, or a file by path, and applies `overrides` of the form `train.epochs=2`.
    ///
    /// Values of overrides are TOML, quotes around strings may be left out; `none` removes an optional key.
    ///
    /// # Errors
    ///
    /// An unknown name, a file that cannot be read or is not TOML, an unknown key, a value out of range, or keys that
    /// contradict each other. Each names the file and line (or the override) and what would be right.
    pub fn load(name_or_path: &str, overrides: &[String]) -> Result<Self> {
        if let Some(text) = embedded::text(name_or_path) {
            return Self::parse(text, &format!("recipe `{name_or_path}`"), overrides);
        }
        let path = Path::new(name_or_path);
        let is_toml =
            path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
        if !is_toml && path.components().count() < 2 && !path.is_file() {
            return Err(embedded::unknown(name_or_path));
        }
        let text = fs::read_to_string(path).map_err(Error::io(path, "read the recipe"))?;
        Self::parse(&text, name_or_path, overrides)
    }

    /// Parses the TOML `text`; `origin` is what errors call it (a path, as a rule).
    ///
    /// # Errors
    ///
    /// As [`Recipe::load`], apart from names and files.
    pub fn parse(text: &str, origin: &str, overrides: &[String]) -> Result<Self> {
        let mut document = Document::parse(text, origin)?;
        for assignment in overrides {
            document.set(assignment)?;
        }
        document.check()?;
        let recipe: Self = document.deserialize()?;
        recipe.check_agreement()?;
        Ok(recipe)
    }

    /// Checks a recipe made in memory: every value within the limits of the schema, and no contradictions.
    ///
    /// # Errors
    ///
    /// Names the key, the value and the allowed range.
    pub fn check(&self) -> Result<()> {
        Document::of(self)?.check()?;
        self.check_agreement()
    }

    /// The recipe as TOML, with every key that has a value, defaults included; [`Recipe::parse`] reads the same recipe
    /// back.
    ///
    /// # Errors
    ///
    /// A seed above 2^63 - 1, which TOML has no integer for.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string_pretty(self).map_err(|error| Error::RecipeSyntax {
            place: "recipe".to_owned(),
            message: format!("cannot be written as TOML: {error}"),
        })
    }

    /// The JSON schema of recipe files: every key with its meaning, type, limits and default.
    pub fn schema() -> serde_json::Value {
        schema::recipe().clone()
    }

    /// Name and description of every embedded recipe, the default one first.
    pub fn embedded() -> Vec<(&'static str, String)> {
        embedded::list()
    }

    /// The TOML text of an embedded recipe, comments included.
    pub fn embedded_text(name: &str) -> Option<&'static str> {
        embedded::text(name)
    }

    fn check_agreement(&self) -> Result<()> {
        self.data.source_settings()?;
        self.data.check_labels()?;
        let counts = self.text.max_vocabulary.is_some() || self.text.min_frequency > 1;
        if Tokenizer::is_path(&self.text.tokenizer) && counts {
            return Err(Error::RecipeConflict {
                message: format!(
                    "`text.tokenizer` = \"{}\" brings its vocabulary with it; leave out `text.max_vocabulary` and \
                     `text.min_frequency` (`--set text.max_vocabulary=none --set text.min_frequency=1`)",
                    self.text.tokenizer
                ),
            });
        }
        let (dimensions, most) = (self.vectors.dimensions, Model::MAX_PARAMETERS);
        let parameters = self.model.parameters_of_layers(dimensions as u64);
        if parameters > most {
            let Model { hidden_size, num_layers, .. } = self.model;
            return Err(Error::RecipeConflict {
                message: format!(
                    "`model.hidden_size` = {hidden_size} and `model.num_layers` = {num_layers} on `vectors.dimensions` = \
                     {dimensions} make {parameters} parameters of recurrent layers; at most {most} (4 GiB of f32) are \
                     trained"
                ),
            });
        }
        if self.train.select == Select::Best && self.train.evaluate_on == EvaluateOn::Test {
            return Err(Error::RecipeConflict {
                message: "`train.select` = \"best\" with `train.evaluate_on` = \"test\" would choose the model by the \
                          test split; evaluate on \"validation\" or select the \"last\" epoch"
                    .to_owned(),
            });
        }
        if self.train.patience.is_some() && self.train.evaluate_on == EvaluateOn::Test {
            return Err(Error::RecipeConflict {
                message: "`train.patience` with `train.evaluate_on` = \"test\" would choose the epoch by the test \
                          split; evaluate on \"validation\", or leave `patience` out"
                    .to_owned(),
            });
        }
        let plateau = self.train.schedule.kind == ScheduleKind::Plateau;
        if plateau && self.train.evaluate_on == EvaluateOn::Test {
            return Err(Error::RecipeConflict {
                message: "`train.schedule.kind` = \"plateau\" with `train.evaluate_on` = \"test\" would choose the \
                          learning rate by the test split; evaluate on \"validation\", or take another schedule"
                    .to_owned(),
            });
        }
        let Optimizer { kind, momentum, nesterov, .. } = self.train.optimizer;
        if kind != OptimizerKind::Sgd && (momentum != 0.0 || nesterov) {
            return Err(Error::RecipeConflict {
                message: "`train.optimizer.momentum` and `nesterov` are of `kind` = \"sgd\"; Adam has `beta1`"
                    .to_owned(),
            });
        }
        if nesterov && momentum == 0.0 {
            return Err(Error::RecipeConflict {
                message:
                    "`train.optimizer.nesterov` looks ahead by `momentum`, which is 0; 0.9 is usual"
                        .to_owned(),
            });
        }
        self.train.schedule.check()
    }
}
