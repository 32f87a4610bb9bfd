//! Attributions against Captum's: `golden/attribution.json` (see `golden/README.md`).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use serde_json::Value;
use taper_explain::{Attribution, Target, gradient_x_input, integrated_gradients, occlusion};
use taper_lstm::{Classifier, ClassifierConfig, LstmConfig, Pooling, weights};

fn classifier(dtype: DType) -> Classifier {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/tutorial_model.safetensors");
    let tensors = weights::load(&path).unwrap().into_iter();
    let tensors = tensors.map(|(name, tensor)| (name, tensor.to_dtype(dtype).unwrap())).collect();
    let config = ClassifierConfig {
        vocabulary_size: 50,
        padding_id: Some(1),
        lstm: LstmConfig { num_layers: 2, bidirectional: true, ..LstmConfig::new(12, 16) },
        pooling: Pooling::Last,
        num_logits: 1,
        embedding_dropout: 0.5,
        token_dropout: 0.0,
        output_dropout: 0.5,
    };
    Classifier::new(&config, &VarBuilder::from_tensors(tensors, dtype, &Device::Cpu)).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn attributions_are_captums() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/attribution.json");
    let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let steps = golden["steps"].as_u64().unwrap() as usize;
    let texts = golden["texts"].as_array().unwrap();
    assert_eq!(texts.len(), 8);
    for (dtype, tolerance) in [(DType::F64, 1e-7), (DType::F32, 1e-5)] {
        let classifier = classifier(dtype);
        let target = Target::Logit(0);
        for text in texts {
            let ids: Vec<u32> = numbers(&text["ids"]).iter().map(|id| *id as u32).collect();
            let check = |method: &str, found: Attribution| {
                let expected = numbers(&text[method]);
                assert_eq!(found.tokens.len(), expected.len());
                let largest = expected.iter().fold(0.0_f64, |m, value| m.max(value.abs()));
                for (found, expected) in found.tokens.iter().zip(&expected) {
                    let error = (found - expected).abs() / largest;
                    assert!(error < tolerance, "{method}, {dtype:?}: off by {error:e}");
                }
                for (found, name) in [(found.value, "value"), (found.baseline, "baseline")] {
                    assert!((found - text[name].as_f64().unwrap()).abs() < tolerance, "{name}");
                }
            };
            let integrated = integrated_gradients(&classifier, &ids, target, steps).unwrap();
            check("integrated_gradients", integrated);
            check("gradient_x_input", gradient_x_input(&classifier, &ids, target).unwrap());
            check("occlusion", occlusion(&classifier, &ids, target).unwrap());
        }
    }
}
