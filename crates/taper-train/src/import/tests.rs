//! What a `state_dict` may be, and what each that is none of ours is told.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use super::recognise::{Recognised, recognise, rename};
use super::{ImportOptions, import};
use crate::recipe::{Padding, Pooling};

type Tensors = BTreeMap<String, Tensor>;

fn of(shapes: &[(&str, &[usize])]) -> Tensors {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F64, &Device::Cpu).unwrap();
    shapes.iter().map(|(name, shape)| ((*name).to_owned(), zeros(shape))).collect()
}

/// An embedding of 9 x 3, an LSTM of 5, a linear layer to 1 logit.
fn plain() -> Tensors {
    of(&[
        ("emb.weight", &[9, 3]),
        ("enc.lstm.weight_ih_l0", &[20, 3]),
        ("enc.lstm.weight_hh_l0", &[20, 5]),
        ("enc.lstm.bias_ih_l0", &[20]),
        ("enc.lstm.bias_hh_l0", &[20]),
        ("out.weight", &[1, 5]),
        ("out.bias", &[1]),
    ])
}

fn with(change: &[(&str, Option<&[usize]>)]) -> Tensors {
    let mut tensors = plain();
    for (name, shape) in change {
        match shape {
            Some(shape) => tensors.extend(of(&[(name, shape)])),
            None => {
                tensors.remove(*name).unwrap();
            }
        }
    }
    tensors
}

fn last(tensors: Tensors) -> Result<Recognised, String> {
    recognise(tensors, Some(Pooling::Last), 2, false)
}

#[test]
fn names_and_shapes_tell_the_network() {
    let found = last(plain()).unwrap();
    assert_eq!((found.vocabulary_size, found.dimensions, found.hidden_size), (9, 3, 5));
    assert_eq!((found.num_layers, found.bidirectional, found.pooling), (1, false, Pooling::Last));
    let names: Vec<&str> = found.tensors.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "embedding.weight",
            "fc.bias",
            "fc.weight",
            "rnn.bias_hh_l0",
            "rnn.bias_ih_l0",
            "rnn.weight_hh_l0",
            "rnn.weight_ih_l0"
        ]
    );
    assert!(found.tensors.values().all(|tensor| tensor.dtype() == DType::F32));

    let wide = with(&[("out.weight", Some(&[4, 15])), ("out.bias", Some(&[4]))]);
    assert_eq!(recognise(wide, None, 4, false).unwrap().pooling, Pooling::Concat);
}

#[test]
fn what_is_no_such_classifier_is_named() {
    for (tensors, parts) in [
        (of(&[("fc.weight", &[1, 5])]), &["no LSTM", "fc.weight [1, 5]"][..]),
        (
            with(&[("b.weight_ih_l0", Some(&[20, 3]))]),
            &["several recurrent modules", "b, enc.lstm"],
        ),
        (with(&[("enc.lstm.weight_hh_l0", Some(&[15, 5]))]), &["[15, 5]", "[20, 5]", "GRU"]),
        (with(&[("enc.lstm.weight_hh_l0", Some(&[5, 5]))]), &["[5, 5]", "plain RNN"]),
        (with(&[("enc.lstm.weight_hh_l0", None)]), &["weight_hh_l0", "nothing"]),
        (with(&[("enc.lstm.weight_hh_l0", Some(&[20]))]), &["weight_hh_l0", "[20]"]),
        (with(&[("enc.lstm.weight_hr_l0", Some(&[2, 5]))]), &["weight_hr_l0", "projection"]),
        (with(&[("enc.lstm.bias_hh_l0", Some(&[5]))]), &["bias_hh_l0", "[5]", "[20]"]),
        (
            with(&[("enc.lstm.weight_ih_l0_reverse", Some(&[20, 3]))]),
            &["lacks", "weight_hh_l0_reverse"],
        ),
        (
            with(&[("enc.lstm.bias_ih_l0", None)]),
            &["lacks the tensor enc.lstm.bias_ih_l0", "[20]", "all of its biases, or none"],
        ),
        (with(&[("enc.lstm.bias_hh_l0", None)]), &["lacks the tensor enc.lstm.bias_hh_l0"]),
        (with(&[("emb.weight", None)]), &["embedding.weight", "[any, 3]"]),
        (
            with(&[("other.weight", Some(&[4, 3]))]),
            &["several", "emb.weight, other.weight", "rename"],
        ),
        (with(&[("fc.weight", Some(&[1, 7]))]), &["fc.weight", "[1, 7]", "[any, 5] or [any, 15]"]),
        (with(&[("out.weight", Some(&[1, 6]))]), &["fc.weight", "out.weight [1, 6]"]),
        (with(&[("norm.weight", Some(&[5]))]), &["no part", "norm.weight [5]"]),
        (with(&[("out.bias", Some(&[3]))]), &["out.bias", "[3]", "[1]"]),
        (
            with(&[("out.weight", Some(&[3, 5])), ("out.bias", Some(&[3]))]),
            &["3 classes", "2 names"],
        ),
        (with(&[("out.weight", Some(&[1, 15]))]), &["15 features", "concat"]),
    ] {
        let message = last(tensors).unwrap_err();
        for part in parts {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    }
    let message = recognise(plain(), None, 2, false).unwrap_err();
    assert!(message.contains("--pooling"), "{message}");
}

#[test]
fn biases_are_all_there_or_none_of_them() {
    let both_ways: [(&str, Option<&[usize]>); 5] = [
        ("enc.lstm.weight_ih_l0_reverse", Some(&[20, 3])),
        ("enc.lstm.weight_hh_l0_reverse", Some(&[20, 5])),
        ("enc.lstm.bias_ih_l0_reverse", Some(&[20])),
        ("enc.lstm.bias_hh_l0_reverse", Some(&[20])),
        ("out.weight", Some(&[1, 10])),
    ];
    let biases = ["bias_ih_l0", "bias_hh_l0", "bias_ih_l0_reverse", "bias_hh_l0_reverse"];
    let without = |left_out: &[&str]| {
        let mut tensors = with(&both_ways);
        for name in left_out {
            tensors.remove(&format!("enc.lstm.{name}")).unwrap();
        }
        last(tensors)
    };
    assert!(without(&[]).unwrap().bidirectional);
    let found = without(&biases).unwrap();
    let sum = found.tensors["rnn.bias_hh_l0_reverse"].abs().unwrap().sum_all().unwrap();
    assert!(sum.to_scalar::<f32>().unwrap().abs() < f32::EPSILON);
    for left_out in biases {
        let message = without(&[left_out]).unwrap_err();
        assert!(message.contains(&format!("lacks the tensor enc.lstm.{left_out},")), "{message}");
    }
}

#[test]
fn weights_that_are_no_finite_numbers_are_named_with_their_place() {
    for (name, columns) in [
        ("emb.weight", 3),
        ("enc.lstm.weight_ih_l0", 3),
        ("enc.lstm.weight_hh_l0", 5),
        ("out.weight", 5),
        ("enc.lstm.bias_hh_l0", 20),
        ("out.bias", 1),
    ] {
        // The last one is a number in f64 alone.
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e39] {
            let mut tensors = plain();
            let shape = tensors[name].dims().to_vec();
            let elements: usize = shape.iter().product();
            let mut values = vec![0.5; elements];
            values[elements - 1] = bad;
            let place = match shape[..] {
                [rows, _] => format!("[{}, {}]", rows - 1, columns - 1),
                _ => format!("[{}]", columns - 1),
            };
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
            tensors.insert(name.to_owned(), tensor);
            let message = last(tensors).unwrap_err();
            let expected = format!("{name}: found {} at {place}", bad as f32);
            assert!(message.starts_with(&expected), "{message:?} lacks {expected:?}");
            let count = format!("1 of its {elements} elements");
            assert!(message.contains(&count), "{message:?} lacks {count:?}");
        }
    }
}

#[test]
fn names_of_classes_are_each_their_own_and_none_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("weights.safetensors");
    // Four logits, so that only the names can be wrong.
    let tensors = with(&[("out.weight", Some(&[4, 5])), ("out.bias", Some(&[4]))]);
    candle_core::safetensors::save(&tensors.into_iter().collect(), &weights).unwrap();
    for (names, part) in [
        (["a", "b", "c", "a"], "`a` stands there twice"),
        (["", "b", "c", "d"], "name 1 of 4 is empty"),
        (["a", "b", "c", " "], "name 4 of 4 is empty"),
    ] {
        let options = ImportOptions {
            weights: weights.clone(),
            tokenizer: folder.path().join("tokenizer.json"),
            renames: Vec::new(),
            pooling: Some(Pooling::Last),
            padding: Padding::Mask,
            class_names: names.map(str::to_owned).to_vec(),
            multi_label: false,
            max_length: None,
        };
        let message = import(&options, &folder.path().join("out")).unwrap_err().to_string();
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
}

#[test]
fn renaming_takes_whole_modules_and_no_more() {
    let mut tensors = with(&[("outer", Some(&[1]))]);
    rename(&mut tensors, "out", "fc").unwrap();
    assert!(tensors.contains_key("fc.weight") && tensors.contains_key("fc.bias"));
    assert!(tensors.contains_key("outer"));
    let message = rename(&mut tensors, "head", "fc").unwrap_err();
    assert!(message.contains("`head`") && message.contains("emb.weight [9, 3]"), "{message}");
    let message = rename(&mut tensors, "emb", "fc").unwrap_err();
    assert!(message.contains("fc.weight already"), "{message}");
}
