//! The ONNX graphs of six small models: the bytes that onnxruntime read, and its logits beside ours
//! (`golden/onnx.json`; `golden/onnx_logits.py` writes it from the graphs that this test leaves behind).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use candle_core::{Device, Tensor};
use serde_json::Value;
use sha2::{Digest, Sha256};
use taper_lstm::weights;
use taper_train::model::{Model, ModelConfig};
use taper_train::recipe::{self, Padding, Pooling};
use taper_train::{Inference, Quantization, onnx};

fn golden() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/golden"))
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&fs::read(golden().join(name)).unwrap()).unwrap()
}

/// The tutorial model's embedding and LSTM (or its first layers and directions), and what is above them by formula.
fn model(table: recipe::Model, classes: &[&str], temperature: Option<f64>) -> Model {
    of_head(table, classes, temperature, None)
}

fn of_head(
    table: recipe::Model,
    classes: &[&str],
    temperature: Option<f64>,
    threshold: Option<f64>,
) -> Model {
    let table = recipe::Model { hidden_size: 16, ..table };
    let config = ModelConfig {
        format: ModelConfig::FORMAT,
        taper: "golden".into(),
        class_names: classes.iter().map(|&name| name.into()).collect(),
        vocabulary_size: 50,
        dimensions: 12,
        max_length: Some(40),
        model: table,
        truncate: taper_train::recipe::Truncate::default(),
        temperature,
        threshold,
        specials: taper_train::model::Specials::default(),
        tokenizer_blake3: "0123".into(),
        weights_blake3: None,
    };
    let model = Model::new(config, 0, None, &Device::Cpu).unwrap();
    let mut tensors = weights::load(&golden().join("tutorial_model.safetensors")).unwrap();
    let mut wanted = BTreeMap::new();
    for (name, var) in model.vars() {
        let tensor = if name.starts_with("fc.") || name.starts_with("attention.") {
            let value = |at: usize| ((at * 37 + 11) % 101) as f32 / 64.0 - 0.75;
            let values = (0..var.elem_count()).map(value).collect();
            Tensor::from_vec(values, var.shape(), &Device::Cpu).unwrap()
        } else {
            tensors.remove(&name).unwrap()
        };
        wanted.insert(name, tensor);
    }
    model.set_weights(&wanted).unwrap();
    model
}

/// What the model gives each class, or each label.
fn probabilities(model: &Model, logits: &Tensor) -> Vec<Vec<f32>> {
    if model.config.threshold.is_none() {
        let temperature = model.config.temperature.unwrap_or(1.0);
        return taper_train::loss::probabilities(&(logits / temperature).unwrap()).unwrap();
    }
    let of_label = |logit: &f32| taper_train::loss::probability(*logit) as f32;
    let rows = logits.to_vec2::<f32>().unwrap();
    rows.iter().map(|row| row.iter().map(of_label).collect()).collect()
}

fn models() -> [(&'static str, Model); 6] {
    let base = recipe::Model { num_layers: 2, ..recipe::Model::default() };
    let of = |pooling| recipe::Model { pooling, ..base.clone() };
    let one_way = recipe::Model { bidirectional: false, num_layers: 1, ..of(Pooling::Mean) };
    let padded = recipe::Model { padding: Padding::Tutorial, ..of(Pooling::Concat) };
    [
        ("last", model(of(Pooling::Last), &["neg", "pos"], None)),
        ("concat", model(of(Pooling::Concat), &["a", "b", "c"], Some(0.7))),
        ("one_way_mean", model(one_way, &["neg", "pos"], Some(1.5))),
        ("attention", model(of(Pooling::Attention), &["neg", "pos"], None)),
        ("padded", model(padded, &["neg", "pos"], None)),
        ("labels", of_head(of(Pooling::Max), &["art", "law"], None, Some(0.5))),
    ]
}

/// Bytes as hexadecimal digits.
struct HexDigest<'a>(&'a [u8]);

impl std::fmt::LowerHex for HexDigest<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn onnxruntime_gives_our_logits() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("onnx");
    fs::create_dir_all(&folder).unwrap();
    let models = models();
    for (name, model) in &models {
        onnx::export(model, &folder.join(format!("{name}.onnx"))).unwrap();
    }
    let texts: Vec<Vec<u32>> =
        serde_json::from_value(json("tutorial_model.json")["sequences"].clone()).unwrap();
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let golden = json("onnx.json");
    for (name, model) in &models {
        let expected = &golden["cases"][name];
        let bytes = fs::read(folder.join(format!("{name}.onnx"))).unwrap();
        let hash = format!("{:x}", HexDigest(&Sha256::digest(&bytes)));
        let folder = folder.display();
        assert_eq!(
            expected["sha256"], hash,
            "{name}: another graph than onnxruntime's; run `python golden/onnx_logits.py {folder}`"
        );
        let inference = Inference::new(model, Quantization::F32).unwrap();
        let logits = inference.logits(&inference.view().batch(&texts).unwrap()).unwrap();
        for (kind, found) in [
            ("logits", logits.to_vec2::<f32>().unwrap()),
            ("probabilities", probabilities(model, &logits)),
        ] {
            let expected = expected[kind].as_array().unwrap();
            assert_eq!(expected.len(), texts.len(), "{name}");
            for (row, (expected, found)) in expected.iter().zip(found).enumerate() {
                let expected = numbers(expected);
                assert_eq!(expected.len(), found.len(), "{name}");
                for (expected, found) in expected.into_iter().zip(found) {
                    let difference = (expected - f64::from(found)).abs();
                    assert!(difference < 1e-5, "{name}, {kind} of row {row}: {found}, {expected}");
                }
            }
        }
    }
}
