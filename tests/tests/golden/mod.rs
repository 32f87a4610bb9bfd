//! What the golden tests of recurrent networks share: a file's cases, and how one is judged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use serde_json::Value;
use taper_lstm::{PackedSequence, weights};

/// Outputs, `h_n` and, of an LSTM, `c_n`.
pub(crate) type Results = (PackedSequence, Tensor, Option<Tensor>);

pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

/// The largest difference, relative to the largest expected magnitude.
pub(crate) fn relative_error(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let largest = |tensor: &Tensor| -> f64 {
        let largest = tensor.abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        largest.to_dtype(DType::F64).unwrap().to_scalar().unwrap()
    };
    largest(&(found - expected).unwrap()) / largest(expected).max(1e-3)
}

/// One network: its sizes, what it was given and what PyTorch made of it, under the names of `README.md`.
pub(crate) struct Case {
    pub(crate) name: String,
    facts: Value,
    tensors: BTreeMap<String, Tensor>,
}

/// All cases of a golden file.
pub(crate) fn cases(file: &str) -> Vec<Case> {
    let path = path(file);
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

impl Case {
    pub(crate) fn flag(&self, fact: &str) -> bool {
        self.facts[fact].as_bool().unwrap()
    }

    pub(crate) fn num_layers(&self) -> usize {
        self.facts["num_layers"].as_u64().unwrap() as usize
    }

    /// Rows and columns of a weight.
    pub(crate) fn weight_shape(&self, name: &str) -> (usize, usize) {
        self.tensors[name].dims2().unwrap()
    }

    fn assert_close(&self, what: &str, found: &Tensor) {
        let error = relative_error(found, &self.tensors[what]);
        assert!(error < 1e-5, "{}: {what} is off by {error:e}", self.name);
    }

    fn vars(&self, chosen: impl Fn(&str) -> bool) -> BTreeMap<String, Var> {
        let chosen = self.tensors.iter().filter(|(name, _)| chosen(name));
        chosen.map(|(name, tensor)| (name.clone(), Var::from_tensor(tensor).unwrap())).collect()
    }

    /// Compares every output, state and gradient of what `run` makes of the weights, the input and
    /// `h0` and `c0`.
    pub(crate) fn check(
        &self,
        run: impl Fn(&VarBuilder, &PackedSequence, [Option<&Tensor>; 2]) -> Results,
    ) {
        let weights = self.vars(|name| name.starts_with("weight_") || name.starts_with("bias_"));
        let given = self.vars(|name| ["input", "h0", "c0"].contains(&name));
        let tensors = weights.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone()));
        let vb = VarBuilder::from_tensors(tensors.collect(), DType::F32, &Device::Cpu);
        let lengths: Vec<i64> = self.tensors["lengths"].to_vec1().unwrap();
        let lengths: Vec<usize> = lengths.into_iter().map(|length| length as usize).collect();
        let batch_first = given["input"].transpose(0, 1).unwrap().contiguous().unwrap();
        let packed = PackedSequence::pack_padded(&batch_first, &lengths).unwrap();
        let states = ["h0", "c0"].map(|name| given.get(name).map(Var::as_tensor));
        let (output, h_n, c_n) = run(&vb, &packed, states);

        let output = output.pad(0.0).unwrap().transpose(0, 1).unwrap().contiguous().unwrap();
        let results = [("output", Some(output)), ("h_n", Some(h_n)), ("c_n", c_n)];
        let mut loss = Tensor::zeros((), DType::F32, &Device::Cpu).unwrap();
        for (name, found) in &results {
            assert_eq!(found.is_some(), self.tensors.contains_key(*name), "{}: {name}", self.name);
            let Some(found) = found else { continue };
            self.assert_close(name, found);
            // Past each length the output is zero, so what its weights say there is moot.
            let weight = &self.tensors[&format!("grad_{name}")];
            loss = (loss + (found * weight).unwrap().sum_all().unwrap()).unwrap();
        }
        let gradients = loss.backward().unwrap();
        for (name, var) in weights.iter().chain(&given) {
            self.assert_close(&format!("grad.{name}"), gradients.get(var).unwrap());
        }
    }
}
