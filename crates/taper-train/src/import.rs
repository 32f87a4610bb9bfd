//! A PyTorch classifier's weights to a model directory: embedding, `nn.LSTM`, pooling, one linear layer.

mod recognise;
#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::Device;
use taper_lstm::weights;
use taper_text::Tokenizer;

use crate::artifacts::TOKENIZER;
use crate::loss::THRESHOLD;
use crate::model::{CARD, Model, ModelConfig, WEIGHTS};
use crate::recipe::{self, Dropout, Padding, Pooling};
use crate::run::Run;
use crate::{Error, Result, atomic, fingerprint};
use recognise::{Recognised, recognise};

/// What the weights do not say.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// A `state_dict` as safetensors.
    pub weights: PathBuf,
    /// The `tokenizer.json` whose ids the embedding's rows are.
    pub tokenizer: PathBuf,
    /// Old and new names of tensors or of modules, as `("sentiment.head", "fc")`.
    pub renames: Vec<(String, String)>,
    /// How the steps become one vector; only `concat` can be told from the shapes.
    pub pooling: Option<Pooling>,
    /// Whether the model was trained to read padding.
    pub padding: Padding,
    /// Names of the classes, in the order of their numbers.
    pub class_names: Vec<String>,
    /// Whether a text has any number of them, each with a logit of its own (`torch.nn.BCEWithLogitsLoss`).
    pub multi_label: bool,
    /// Longest text in tokens that it is to read.
    pub max_length: Option<usize>,
}

/// Reads the weights, tells the network from their names and shapes, and makes a model directory of it.
///
/// The LSTM is found by its names (`….weight_ih_l0` and so on), the embedding and the linear layer by `embedding.weight`
/// and `fc.weight` or else by their shapes. Where the LSTM has no bias at all they are zeros, and so is that of the linear
/// layer. Two logits for two classes become one, their difference: the probabilities are the same. With `multi_label` there
/// are as many logits as labels.
///
/// # Errors
/// Class names that are empty or there twice; tensors that are no such classifier, by name with the shape found and the
/// shape expected; weights that are infinite or no number; a tokenizer of another size; a folder that holds files already.
pub fn import(options: &ImportOptions, out: &Path) -> Result<ModelConfig> {
    let path = &options.weights;
    taper_corpus::check_names(&options.class_names)
        .map_err(|problem| Error::run(path, format!("the classes' names: {problem}")))?;
    let mut tensors = weights::load(path)?;
    for (old, new) in &options.renames {
        recognise::rename(&mut tensors, old, new).map_err(|problem| Error::run(path, problem))?;
    }
    let network =
        recognise(tensors, options.pooling, options.class_names.len(), options.multi_label)
            .map_err(|problem| Error::run(path, problem))?;
    let tokenizer = Tokenizer::load(&options.tokenizer)?;
    let words = tokenizer.vocabulary().map_or(0, taper_text::Vocabulary::len);
    let specials = tokenizer.vocabulary().map(taper_text::Vocabulary::specials).unwrap_or_default();
    if words != network.vocabulary_size {
        let message = format!(
            "has {words} entries, and the embedding in {} {} rows; the model was trained with another",
            path.display(),
            network.vocabulary_size
        );
        return Err(Error::run(&options.tokenizer, message));
    }
    write(options, &network, specials, out)
}

fn write(
    options: &ImportOptions,
    network: &Recognised,
    specials: taper_text::Specials,
    out: &Path,
) -> Result<ModelConfig> {
    Run::check_free(out)?;
    let mut dropout = Dropout::default();
    (dropout.embedding, dropout.between_layers, dropout.output) = (0.0, 0.0, 0.0);
    let mut config = ModelConfig {
        format: ModelConfig::FORMAT,
        taper: env!("CARGO_PKG_VERSION").into(),
        class_names: options.class_names.clone(),
        vocabulary_size: network.vocabulary_size,
        dimensions: network.dimensions,
        specials,
        max_length: options.max_length,
        model: recipe::Model {
            hidden_size: network.hidden_size,
            num_layers: network.num_layers,
            bidirectional: network.bidirectional,
            pooling: network.pooling,
            padding: options.padding,
            dropout,
        },
        truncate: crate::recipe::Truncate::default(),
        temperature: None,
        threshold: options.multi_label.then_some(THRESHOLD),
        tokenizer_blake3: fingerprint::of_file(&options.tokenizer)?,
        weights_blake3: None,
    };
    config.check().map_err(|problem| Error::run(&options.weights, problem))?;
    let model = Model::new(config.clone(), 0, None, &Device::Cpu)?;
    model.set_weights(&network.tensors)?;
    fs::create_dir_all(out).map_err(Error::io(out, "create the folder"))?;
    let bytes = fs::read(&options.tokenizer).map_err(Error::io(&options.tokenizer, "read"))?;
    atomic::write(&out.join(TOKENIZER), &bytes)?;
    model.save_weights(&out.join(WEIGHTS))?;
    atomic::write(&out.join(CARD), card(options, &config, model.count()).as_bytes())?;
    config.seal(out)?;
    Ok(config)
}

fn card(options: &ImportOptions, config: &ModelConfig, parameters: usize) -> String {
    let mut card = String::new();
    let name = options.weights.file_name().unwrap_or_default().to_string_lossy();
    // Writing to a string cannot fail.
    let _ = write!(
        card,
        "---\nlibrary_name: taper\npipeline_tag: text-classification\n---\n\n\
         # Text classifier: {classes}\n\n\
         Imported from `{name}`, weights of a PyTorch model that was trained elsewhere: on which texts, and how well it \
         does, is not known here.\n\n\
         - Network: {layers} LSTM layer(s) of {hidden}{directions}, {parameters} parameters\n\
         - Vocabulary: {vocabulary} tokens\n",
        classes = config.class_names.join(", "),
        layers = config.model.num_layers,
        hidden = config.model.hidden_size,
        directions = if config.model.bidirectional { ", both directions" } else { "" },
        vocabulary = config.vocabulary_size,
    );
    card
}
