//! The LSTM against PyTorch: every output, state and gradient of `golden/lstm.safetensors`, and the
//! tutorial's `state_dict` (see `golden/README.md`).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod golden;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use golden::{Case, path, relative_error};
use serde_json::Value;
use taper_lstm::{
    Classifier, ClassifierConfig, Lstm, LstmCell, LstmConfig, LstmState, Mode, Parameters, Pooling,
    TokenBatch, weights,
};

const TRAIN: Mode = Mode::Train { seed: 0, step: 0 };

fn config(case: &Case) -> LstmConfig {
    let (_, hidden) = case.weight_shape("weight_hh_l0");
    let (_, input) = case.weight_shape("weight_ih_l0");
    LstmConfig {
        num_layers: case.num_layers(),
        bidirectional: case.flag("bidirectional"),
        bias: case.flag("bias"),
        ..LstmConfig::new(input, hidden)
    }
}

#[test]
fn outputs_states_and_every_gradient_are_pytorchs() {
    let cases = golden::cases("lstm.safetensors");
    assert_eq!(cases.len(), 26);
    for case in cases {
        case.check(|vb, input, [h, c]| {
            let state = h.zip(c).map(|(h, c)| LstmState { h: h.clone(), c: c.clone() });
            let lstm = Lstm::new(&config(&case), vb).unwrap();
            let (output, state) = lstm.forward(input, state.as_ref(), TRAIN).unwrap();
            (output, state.h, Some(state.c))
        });
    }
}

#[test]
fn the_cell_is_pytorchs() {
    let all = weights::load(&path("lstm.safetensors")).unwrap();
    let get = |name: &str| all[&format!("cell/{name}")].clone();
    let tensors = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map(|n| (n.to_owned(), get(n)));
    let vb = VarBuilder::from_tensors(tensors.into(), DType::F32, &Device::Cpu);
    let cell = LstmCell::new(5, 7, true, &vb).unwrap();
    let (h, c) = cell.step(&get("input"), &get("h"), &get("c")).unwrap();
    assert!(relative_error(&h, &get("h_out")) < 1e-5);
    assert!(relative_error(&c, &get("c_out")) < 1e-5);
}

#[test]
fn the_tutorials_state_dict_loads_and_gives_its_logits() {
    let text = std::fs::read_to_string(path("tutorial_model.json")).unwrap();
    let facts: Value = serde_json::from_str(&text).unwrap();
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
    let parameters = Parameters::new(0);
    let vb = parameters.var_builder(DType::F32, &Device::Cpu);
    let classifier = Classifier::new(&config, &vb).unwrap();
    parameters.load(&path("tutorial_model.safetensors")).unwrap();
    let sequences: Vec<Vec<u32>> = serde_json::from_value(facts["sequences"].clone()).unwrap();
    let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let logits = classifier.forward(&TokenBatch::new(&sequences).unwrap()).unwrap();
    let expected: Vec<f32> = serde_json::from_value(facts["logits"].clone()).unwrap();
    let expected = Tensor::from_vec(expected, (sequences.len(), 1), &Device::Cpu).unwrap();
    assert!(relative_error(&logits, &expected) < 1e-5);
}
