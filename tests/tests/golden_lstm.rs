//! The LSTM against PyTorch: every output, state and gradient of `golden/lstm.safetensors`, and the
//! tutorial's `state_dict` (see `golden/README.md`).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use serde_json::Value;
use taper_lstm::{
    Classifier, ClassifierConfig, Lstm, LstmCell, LstmConfig, LstmState, Mode, PackedSequence,
    Parameters, Pooling, TokenBatch, weights,
};

const TRAIN: Mode = Mode::Train { seed: 0, step: 0 };

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

/// The largest difference, relative to the largest expected magnitude.
fn relative_error(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let largest = |tensor: &Tensor| -> f64 {
        let largest = tensor.abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        largest.to_dtype(DType::F64).unwrap().to_scalar().unwrap()
    };
    largest(&(found - expected).unwrap()) / largest(expected).max(1e-3)
}

struct Case {
    name: String,
    facts: Value,
    tensors: BTreeMap<String, Tensor>,
}

impl Case {
    fn get(&self, name: &str) -> &Tensor {
        &self.tensors[name]
    }

    fn config(&self) -> LstmConfig {
        let (_, hidden) = self.get("weight_hh_l0").dims2().unwrap();
        let (_, input) = self.get("weight_ih_l0").dims2().unwrap();
        LstmConfig {
            num_layers: self.facts["num_layers"].as_u64().unwrap() as usize,
            bidirectional: self.facts["bidirectional"].as_bool().unwrap(),
            bias: self.facts["bias"].as_bool().unwrap(),
            ..LstmConfig::new(input, hidden)
        }
    }

    fn assert_close(&self, what: &str, found: &Tensor) {
        let error = relative_error(found, self.get(what));
        assert!(error < 1e-5, "{}: {what} is off by {error:e}", self.name);
    }
}

fn cases() -> Vec<Case> {
    let path = golden("lstm.safetensors");
    let all = weights::load(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let facts = &header.metadata().as_ref().unwrap()["golden"];
    let facts: Value = serde_json::from_str(facts).unwrap();
    let cases = facts["cases"].as_object().unwrap().clone().into_iter();
    cases
        .map(|(name, facts)| {
            let prefix = format!("{name}/");
            let tensors = all.iter().filter_map(|(key, tensor)| {
                Some((key.strip_prefix(&prefix)?.to_owned(), tensor.clone()))
            });
            Case { tensors: tensors.collect(), name, facts }
        })
        .collect()
}

#[test]
fn outputs_states_and_every_gradient_are_pytorchs() {
    let cases = cases();
    assert_eq!(cases.len(), 26);
    for case in cases {
        let config = case.config();
        let parameters = Parameters::new(0);
        let vb = parameters.var_builder(DType::F32, &Device::Cpu);
        let lstm = Lstm::new(&config, &vb).unwrap();
        let names: Vec<String> = parameters.vars().into_keys().collect();
        let weights = names.iter().map(|name| (name.clone(), case.get(name).clone()));
        parameters.set(&weights.collect()).unwrap();

        let input = Var::from_tensor(case.get("input")).unwrap();
        let lengths: Vec<i64> = case.get("lengths").to_vec1().unwrap();
        let lengths: Vec<usize> = lengths.into_iter().map(|length| length as usize).collect();
        let batch_first = input.transpose(0, 1).unwrap().contiguous().unwrap();
        let packed = PackedSequence::pack_padded(&batch_first, &lengths).unwrap();
        let initial = case.facts["initial_states"]
            .as_bool()
            .unwrap()
            .then(|| ["h0", "c0"].map(|name| Var::from_tensor(case.get(name)).unwrap()));
        let state = initial
            .as_ref()
            .map(|[h, c]| LstmState { h: h.as_tensor().clone(), c: c.as_tensor().clone() });
        let (output, state) = lstm.forward(&packed, state.as_ref(), TRAIN).unwrap();
        let output = output.pad(0.0).unwrap().transpose(0, 1).unwrap();
        let longest = output.dim(0).unwrap();
        let up_to = |name: &str| case.get(name).narrow(0, 0, longest).unwrap();
        let error = relative_error(&output.contiguous().unwrap(), &up_to("output"));
        assert!(error < 1e-5, "{}: output is off by {error:e}", case.name);
        case.assert_close("h_n", &state.h);
        case.assert_close("c_n", &state.c);

        // Past each length the golden file's output is zero, so what its weights say there is moot.
        let term = |found: &Tensor, weight: &Tensor| (found * weight).unwrap().sum_all().unwrap();
        let loss = term(&output, &up_to("grad_output"));
        let loss = (loss + term(&state.h, case.get("grad_h_n"))).unwrap();
        let loss = (loss + term(&state.c, case.get("grad_c_n"))).unwrap();
        let gradients = loss.backward().unwrap();
        for (name, var) in parameters.vars() {
            case.assert_close(&format!("grad.{name}"), gradients.get(&var).unwrap());
        }
        case.assert_close("grad.input", gradients.get(&input).unwrap());
        for (name, var) in ["grad.h0", "grad.c0"].iter().zip(initial.iter().flatten()) {
            case.assert_close(name, gradients.get(var).unwrap());
        }
    }
}

#[test]
fn the_cell_is_pytorchs() {
    let all = weights::load(&golden("lstm.safetensors")).unwrap();
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
    let text = std::fs::read_to_string(golden("tutorial_model.json")).unwrap();
    let facts: Value = serde_json::from_str(&text).unwrap();
    let config = ClassifierConfig {
        vocabulary_size: 50,
        padding_id: Some(1),
        lstm: LstmConfig { num_layers: 2, bidirectional: true, ..LstmConfig::new(12, 16) },
        pooling: Pooling::Last,
        num_logits: 1,
        embedding_dropout: 0.5,
        output_dropout: 0.5,
    };
    let parameters = Parameters::new(0);
    let vb = parameters.var_builder(DType::F32, &Device::Cpu);
    let classifier = Classifier::new(&config, &vb).unwrap();
    parameters.load(&golden("tutorial_model.safetensors")).unwrap();
    let sequences: Vec<Vec<u32>> = serde_json::from_value(facts["sequences"].clone()).unwrap();
    let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let logits = classifier.forward(&TokenBatch::new(&sequences).unwrap()).unwrap();
    let expected: Vec<f32> = serde_json::from_value(facts["logits"].clone()).unwrap();
    let expected = Tensor::from_vec(expected, (sequences.len(), 1), &Device::Cpu).unwrap();
    assert!(relative_error(&logits, &expected) < 1e-5);
}
