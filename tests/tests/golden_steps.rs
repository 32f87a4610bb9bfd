//! Fifty training steps of the tutorial's model at full size, against PyTorch's losses
//! (`golden/tutorial_steps.json`; weights and batches follow the formulas in `golden/README.md`).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use candle_core::{Device, Tensor};
use serde_json::Value;
use taper_lstm::TokenBatch;
use taper_train::loss::Objective;
use taper_train::model::{Model, ModelConfig, Specials};
use taper_train::optimizer::Optimizer;
use taper_train::recipe::Recipe;
use taper_train::step::{LabelledBatch, step};

/// 24 random bits: a step of splitmix64.
fn u(seed: u64, index: u64) -> u64 {
    let z = (seed << 32).wrapping_add(index).wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) >> 40
}

fn weight(seed: u64, index: u64, bound: f32) -> f32 {
    (u(seed, index) as f32 / 16_777_216.0 - 0.5) * 2.0 * bound
}

fn set_weights(model: &Model) {
    for (seed, (name, var)) in (0..).zip(model.vars()) {
        let bound = match name.as_str() {
            "embedding.weight" => 0.4,
            "fc.weight" | "fc.bias" => f32::from_bits(0x3D35_04F3),
            _ => 1.0 / 16.0,
        };
        let mut values: Vec<f32> =
            (0..var.elem_count() as u64).map(|index| weight(seed, index, bound)).collect();
        if name == "embedding.weight" {
            values[100..200].fill(0.0);
        }
        var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu).unwrap()).unwrap();
    }
}

fn batch(number: u64) -> (Vec<Vec<u32>>, Vec<u32>) {
    let seed = 1000 + number;
    (0..30)
        .map(|review| {
            let a = 128 * review;
            let label = u(seed, a + 1) % 2;
            let ids = (0..5 + u(seed, a) % 36).map(|t| {
                let (choice, w) = (u(seed, a + 2 + 2 * t), u(seed, a + 3 + 2 * t));
                if choice % 8 == 0 {
                    (if label == 1 { 200 } else { 100 }) + (w % 16) as u32
                } else {
                    2 + ((((((w * w) >> 24) * w) >> 24) * 10_000) >> 24) as u32
                }
            });
            (ids.collect(), label as u32)
        })
        .unzip()
}

#[test]
fn fifty_steps_lose_what_pytorch_loses() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/tutorial_steps.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let no_dropout = "model.dropout={ embedding = 0.0, between_layers = 0.0, output = 0.0 }";
    let recipe = Recipe::load("tutorial", &[no_dropout.to_owned()]).unwrap();
    let config = ModelConfig {
        format: ModelConfig::FORMAT,
        taper: String::new(),
        class_names: vec!["neg".into(), "pos".into()],
        vocabulary_size: 10_002,
        dimensions: 100,
        specials: Specials::default(),
        max_length: None,
        truncate: recipe.train.truncate,
        model: recipe.model.clone(),
        tokenizer_blake3: String::new(),
        temperature: None,
        threshold: None,
        weights_blake3: None,
    };
    let model = Model::new(config, 0, None, &Device::Cpu).unwrap();
    set_weights(&model);

    let fc: Vec<f32> = model.vars()["fc.weight"].flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(fc[..3], [0.035_803_042, 0.023_658_222, 0.013_887_713], "the weights' formula");
    assert_eq!(batch(0).0[0][..5], [2630, 307, 3070, 4601, 5604], "the batches' formula");

    let mut optimizer = Optimizer::new(&recipe.train.optimizer);
    let losses = golden["losses_float64"].as_array().unwrap();
    assert_eq!(losses.len(), 50);
    for (number, expected) in (0..).zip(losses) {
        let (sequences, labels) = batch(number);
        let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let tokens = TokenBatch::new(&sequences).unwrap();
        let batch = [LabelledBatch { tokens, labels }];
        let objective = Objective::default();
        let report = step(&model, &mut optimizer, &recipe, &objective, &batch, 1.0).unwrap();
        let expected = expected.as_f64().unwrap();
        let difference = (report.loss - expected).abs();
        assert!(difference < 1e-4, "step {number}: {} where PyTorch has {expected}", report.loss);
    }
}
