//! The model directory: `config.json`, `tokenizer.json`, `model.safetensors`, `README.md`.
//! It stands alone: whoever has these four files can predict.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use taper_lstm::{Activations, Classifier, ClassifierConfig, Parameters, Precision, weights};
pub use taper_text::Specials;
use taper_text::Tokenizer;

use crate::artifacts::{Embeddings, TOKENIZER};
use crate::gradients::EMBEDDING;
use crate::recipe::{self, Recipe};
use crate::{Error, Result, fingerprint};

mod config;

pub use config::ModelConfig;

/// The files of a model directory, beside the tokenizer's.
pub(crate) const CONFIG: &str = "config.json";
pub(crate) const WEIGHTS: &str = "model.safetensors";
pub(crate) const CARD: &str = "README.md";

/// A classifier with its parameters.
#[derive(Debug, Clone)]
pub struct Model {
    /// Its configuration.
    pub config: ModelConfig,
    /// Texts' ids to logits.
    pub classifier: Classifier,
    parameters: Parameters,
}

impl Model {
    /// With parameters drawn from `seed`, and the embedding from aligned vectors where there are any.
    pub fn new(
        config: ModelConfig,
        seed: u64,
        embeddings: Option<Embeddings>,
        device: &Device,
    ) -> Result<Self> {
        let classifier = config.classifier();
        Self::build(config, &classifier, seed, embeddings, device)
    }

    /// As [`Self::new`], with the seed, the precision and the memory that a recipe trains with.
    pub fn for_training(
        config: ModelConfig,
        recipe: &Recipe,
        embeddings: Option<Embeddings>,
        device: &Device,
    ) -> Result<Self> {
        Self::check_device(recipe, device)?;
        let mut classifier = config.classifier();
        classifier.lstm.precision = match recipe.train.precision {
            recipe::Precision::F32 => Precision::F32,
            recipe::Precision::Bf16 => Precision::Bf16,
        };
        classifier.lstm.activations = match recipe.train.activations {
            recipe::Activations::Keep => Activations::Keep,
            recipe::Activations::Recompute => Activations::Recompute,
        };
        Self::build(config, &classifier, recipe.seed, embeddings, device)
    }

    /// Whether a recipe can be trained on a device: before a run's folder is made.
    ///
    /// # Errors
    /// bf16 on the CPU.
    pub fn check_device(recipe: &Recipe, device: &Device) -> Result<()> {
        if recipe.train.precision == recipe::Precision::Bf16 && device.is_cpu() {
            let message = "`train.precision` is \"bf16\", which needs a CUDA device; on the CPU it is \"f32\"";
            return Err(Error::RecipeConflict { message: message.into() });
        }
        Ok(())
    }

    fn build(
        config: ModelConfig,
        classifier: &ClassifierConfig,
        seed: u64,
        embeddings: Option<Embeddings>,
        device: &Device,
    ) -> Result<Self> {
        config.check_size()?;
        let parameters = Parameters::new(seed);
        let vb = parameters.var_builder(DType::F32, device);
        let classifier = Classifier::new(classifier, &vb)?;
        let model = Self { config, classifier, parameters };
        if let Some(Embeddings { matrix, rows, dimensions }) = embeddings {
            let matrix = Tensor::from_vec(matrix, (rows, dimensions), device)?;
            let vars = model.parameters.vars();
            let Some(var) = vars.get(EMBEDDING) else {
                return Err(Error::run(Path::new(EMBEDDING), "the model has no embedding"));
            };
            var.set(&matrix)?;
        }
        Ok(model)
    }

    /// The parameters by name.
    pub fn vars(&self) -> BTreeMap<String, Var> {
        self.parameters.vars()
    }

    /// Number of trainable scalars.
    pub fn count(&self) -> usize {
        self.parameters.count()
    }

    /// The first parameter that holds an infinity or a NaN, if one does.
    pub(crate) fn not_finite(&self) -> Result<Option<String>> {
        for (name, var) in self.vars() {
            // 0 times a number is 0, and NaN otherwise.
            let sum = (var.as_detached_tensor() * 0.0)?.sum_all()?.to_scalar::<f32>()?;
            if sum.is_nan() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Sets the parameters from a safetensors file.
    pub fn load_weights(&self, path: &Path) -> Result<()> {
        Ok(self.parameters.load(path)?)
    }

    /// Sets the parameters from tensors of the same names and shapes.
    pub fn set_weights(&self, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
        Ok(self.parameters.set(tensors)?)
    }

    /// Writes the parameters as safetensors, atomically.
    pub fn save_weights(&self, path: &Path) -> Result<()> {
        let vars = self.vars().into_iter();
        Ok(weights::save(
            &vars.map(|(name, var)| (name, var.as_detached_tensor())).collect(),
            path,
        )?)
    }

    /// Opens a model directory: the model and its tokenizer.
    ///
    /// # Errors
    /// If a file is missing, broken, or does not belong to the others.
    pub fn open(directory: &Path, device: &Device) -> Result<(Self, Tokenizer)> {
        if !directory.is_dir() {
            let message = if directory.exists() {
                "a file; expected the folder of a run or a model"
            } else {
                "no such folder; `taper train --out RUN` makes one"
            };
            return Err(Error::run(directory, message));
        }
        let config = ModelConfig::read(directory)?;
        let path = directory.join(TOKENIZER);
        if !path.exists() {
            let message = format!(
                "no tokenizer: there is no {TOKENIZER} in it; the prepared data that it was trained on have the same file"
            );
            return Err(Error::run(directory, message));
        }
        let tokenizer = Tokenizer::load(&path)?;
        let found = fingerprint::of_file(&path)?;
        if found != config.tokenizer_blake3 {
            let message = format!(
                "BLAKE3 {found}; the model was trained with {}, and its ids would mean other words",
                config.tokenizer_blake3
            );
            return Err(Error::run(&path, message));
        }
        let path = directory.join(WEIGHTS);
        if !path.exists() {
            let message = format!(
                "no weights yet: there is no {WEIGHTS} in it; `taper train --resume` goes on with a run"
            );
            return Err(Error::run(directory, message));
        }
        let model = Self::new(config, 0, None, device)?;
        model.load_weights(&path)?;
        if let Some(expected) = &model.config.weights_blake3 {
            let found = fingerprint::of_file(&path)?;
            if found != *expected {
                let message = format!(
                    "BLAKE3 {found}; {CONFIG} says {expected}: damaged, or another model's weights"
                );
                return Err(Error::run(&path, message));
            }
        }
        Ok((model, tokenizer))
    }
}

#[cfg(test)]
mod tests;
