//! PyTorch's `state_dict`s as model directories: the probabilities that PyTorch computes
//! (`golden/import_model.py`, `golden/tutorial_model.py`).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::Device;
use serde_json::Value;
use taper_text::{Normalization, Tokenizer, Vocabulary};
use taper_train::loss::probabilities;
use taper_train::recipe::{Padding, Pooling};
use taper_train::{ImportOptions, Inference, Model, Predictor, Quantization, import};

fn golden(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/golden")).join(name)
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&fs::read(golden(name)).unwrap()).unwrap()
}

/// A tokenizer whose words are `w2`, `w3` and so on by their ids.
fn tokenizer(folder: &Path, size: usize) -> PathBuf {
    let specials = Vocabulary::SPECIALS.into_iter().map(str::to_owned);
    let words = (2..size).map(|id| format!("w{id}"));
    let vocabulary = Vocabulary::from_tokens(specials.chain(words).collect()).unwrap();
    let tokenizer = Tokenizer::named("whitespace", Normalization::default()).unwrap();
    let path = folder.join("words.json");
    tokenizer.with_vocabulary(&vocabulary).unwrap().save(&path).unwrap();
    path
}

fn options(folder: &Path, weights: &str, size: usize, pooling: Pooling) -> ImportOptions {
    ImportOptions {
        weights: golden(weights),
        tokenizer: tokenizer(folder, size),
        renames: Vec::new(),
        pooling: Some(pooling),
        padding: Padding::Mask,
        class_names: vec!["neg".into(), "pos".into()],
        multi_label: false,
        max_length: None,
    }
}

fn sequences(golden: &Value) -> Vec<Vec<u32>> {
    serde_json::from_value(golden["sequences"].clone()).unwrap()
}

#[test]
fn other_names_two_logits_and_no_biases() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model");
    let options = options(folder.path(), "import_model.safetensors", 20, Pooling::Mean);
    let config = import(&options, &out).unwrap();
    assert_eq!((config.model.hidden_size, config.model.num_layers), (4, 1));
    assert!(config.model.bidirectional && config.weights_blake3.is_some());

    let golden = json("import_model.json");
    let texts = sequences(&golden).into_iter().map(|ids| {
        let words: Vec<String> = ids.iter().map(|id| format!("w{id}")).collect();
        words.join(" ")
    });
    let texts: Vec<String> = texts.collect();
    let predictor = Predictor::open(&out, &Device::Cpu, Quantization::F32).unwrap();
    let predictions = predictor.predict(&texts).unwrap();
    for (row, prediction) in predictions.iter().enumerate() {
        for (class, (_, found)) in prediction.probabilities.iter().enumerate() {
            let expected = golden["probabilities"][row][class].as_f64().unwrap();
            let difference = (expected - f64::from(*found)).abs();
            assert!(difference < 1e-5, "row {row}: {found} where PyTorch has {expected}");
        }
    }
}

#[test]
fn the_tutorials_own_weights() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model");
    let options = options(folder.path(), "tutorial_model.safetensors", 50, Pooling::Last);
    import(&options, &out).unwrap();
    let (model, _) = Model::open(&out, &Device::Cpu).unwrap();
    let inference = Inference::new(&model, Quantization::F32).unwrap();
    let golden = json("tutorial_model.json");
    let texts = sequences(&golden);
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let logits = inference.logits(&inference.view().batch(&texts).unwrap()).unwrap();
    let found = logits.to_vec2::<f32>().unwrap();
    for (expected, found) in golden["logits"].as_array().unwrap().iter().zip(&found) {
        let expected = expected.as_f64().unwrap();
        assert!((expected - f64::from(found[0])).abs() < 1e-5, "{found:?}, {expected}");
    }
    assert_eq!(probabilities(&logits).unwrap()[0].len(), 2);
    let again = import(&options, &out).unwrap_err().to_string();
    assert!(again.contains("holds files already"), "{again}");
}
