//! Small models in memory: what the document says, against the model itself.
#![allow(clippy::unwrap_used)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use candle_core::Device;
use taper_lstm::{PackedSequence, TokenBatch};
use taper_text::{Normalization, Tokenizer, Vocabulary};

use super::*;
use crate::Recipe;
use crate::model::ModelConfig;

fn inspector(classes: &[&str], max_length: Option<usize>) -> Inspector {
    let recipe = Recipe::load(
        "quickstart",
        &[
            "model.hidden_size=50".into(),
            "model.num_layers=2".into(),
            "model.pooling=concat".into(),
        ],
    )
    .unwrap();
    let words = ["<unk>", "<pad>", "a", "b", "c", "d"].map(str::to_owned).to_vec();
    let tokenizer = Tokenizer::named("whitespace", Normalization::default()).unwrap();
    let tokenizer = tokenizer.with_vocabulary(&Vocabulary::from_tokens(words).unwrap()).unwrap();
    let config = ModelConfig {
        format: ModelConfig::FORMAT,
        taper: String::new(),
        class_names: classes.iter().map(|&name| name.to_owned()).collect(),
        vocabulary_size: 6,
        dimensions: 10,
        max_length,
        model: recipe.model,
        specials: taper_text::Specials::default(),
        truncate: crate::recipe::Truncate::default(),
        temperature: None,
        threshold: None,
        weights_blake3: None,
        tokenizer_blake3: String::new(),
    };
    Inspector::new(Model::new(config, 2, None, &Device::Cpu).unwrap(), tokenizer)
}

fn inspect(inspector: &Inspector, text: &str, method: Method) -> InspectedText {
    let found = inspector.inspect(&[text.to_owned().into()], method).unwrap();
    found.texts.into_iter().next().unwrap()
}

#[test]
fn what_nobody_waits_for_is_given_up() {
    let subjects = ["a b c", "d"].map(|text| text.to_owned().into());
    let calls = std::cell::Cell::new(0);
    let found =
        inspector(&["bad", "good"], None).inspect_while(&subjects, Method::GradientXInput, &|| {
            calls.replace(calls.get() + 1) < 1
        });
    assert!(found.unwrap_err().to_string().contains("given up"));
    assert_eq!(calls.get(), 2, "before each text");
}

#[test]
fn of_two_classes_the_second_and_of_more_the_first_two() {
    let two = inspector(&["bad", "good"], None);
    let text = inspect(&two, "a b c x d", Method::default());
    assert_eq!((text.target.toward.as_str(), text.target.away.as_str()), ("good", "bad"));
    let odds = (text.prediction.probabilities[1] / text.prediction.probabilities[0]).ln();
    assert!((text.completeness.value - f64::from(odds)).abs() < 1e-4);
    assert!(text.completeness.error.unwrap() < 0.01, "{:?}", text.completeness);
    let known: Vec<bool> = text.tokens.iter().map(|token| token.known).collect();
    assert_eq!(known, [true, true, true, false, true]);

    let three = inspector(&["x", "y", "z"], None);
    let text = inspect(&three, "a b c x d", Method::default());
    assert_eq!(text.target.toward, text.prediction.label);
    let mut order = text.prediction.probabilities.clone();
    order.sort_by(|a, b| b.total_cmp(a));
    let lead = (order[0] / order[1]).ln();
    assert!((text.completeness.value - f64::from(lead)).abs() < 1e-4);
}

#[test]
fn the_pictures_are_the_gates() {
    let inspector = inspector(&["bad", "good"], None);
    let text = inspect(&inspector, "a b c x d a a", Method::GradientXInput);
    let classifier = &inspector.model.classifier;
    let ids: Vec<u32> = text.tokens.iter().map(|token| token.id).collect();
    let batch = TokenBatch::new(&[&ids]).unwrap();
    let rows = classifier.embedding().lookup(&ids).unwrap();
    let packed = PackedSequence::new(rows, batch.packing().clone()).unwrap();
    let trace = classifier.lstm().trace(&packed, None).unwrap();
    assert_eq!(text.memory.len(), 4);
    for memory in &text.memory {
        let traced = &trace.layers[memory.layer][usize::from(memory.direction == "backward")];
        let heat = &memory.heat;
        assert_eq!((heat.units.len(), heat.columns.len()), (48, 7));
        let limit = f64::from(heat.c_limit);
        for (bytes, tensor, from, to) in [
            (&heat.i, &traced.i, 0.0, 1.0),
            (&heat.f, &traced.f, 0.0, 1.0),
            (&heat.o, &traced.o, 0.0, 1.0),
            (&heat.c, &traced.c, -limit, limit),
        ] {
            let bytes = STANDARD.decode(bytes).unwrap();
            let values: Vec<Vec<f32>> = tensor.to_vec2().unwrap();
            for (row, &unit) in heat.units.iter().enumerate() {
                for (t, values) in values.iter().enumerate() {
                    let found = from + (to - from) * f64::from(bytes[7 * row + t]) / 255.0;
                    assert!((found - f64::from(values[unit])).abs() <= (to - from) / 509.0);
                }
            }
        }
        // What the memory held at the token before is what it holds before this one.
        let TokenColumns { before, after, .. } = &memory.tokens;
        let (before, after) = match memory.direction {
            "forward" => (&before[1..], &after[..6]),
            _ => (&before[..6], &after[1..]),
        };
        assert_eq!(before, after);
        let end = if memory.direction == "forward" { 6 } else { 0 };
        assert!((memory.tokens.kept[end] - 1.0).abs() < 1e-6);
        assert_eq!(memory.composition.parts.len(), 7);
        assert_eq!(memory.composition.at, [0, 1, 2, 3, 4, 5, 6]);
        let left: Vec<f32> = memory.composition.magnitudes[end].clone();
        for (left, surviving) in left.iter().zip(&memory.tokens.surviving) {
            assert!((left - surviving).abs() < 1e-5);
        }
    }
}

#[test]
fn what_is_read_of_a_text_is_said() {
    let all = inspector(&["bad", "good"], None);
    let empty = inspect(&all, "", Method::default());
    assert_eq!((empty.tokens_in_text, empty.tokens.len(), empty.cut), (0, 1, None));
    assert_eq!((empty.tokens[0].token.as_str(), empty.tokens[0].known), ("<unk>", false));
    let one = inspect(&all, "b", Method::default());
    assert_eq!((one.tokens_in_text, one.tokens.len(), one.cut), (1, 1, None));
    let exact = inspect(&inspector(&["bad", "good"], Some(3)), "a b c", Method::default());
    assert_eq!(exact.cut, None);
    let model = inspect(&inspector(&["bad", "good"], Some(3)), "a b c d", Method::default());
    assert_eq!((model.tokens.len(), model.cut), (3, Some(Cut::Model)));
}

#[test]
fn a_hundred_thousand_tokens_stay_within_bounds() {
    let all = inspector(&["bad", "good"], None);
    let text = "a b c x d ".repeat(20_000);
    let found = all.inspect(&[text.into()], Method::GradientXInput).unwrap();
    let long = &found.texts[0];
    assert_eq!((long.tokens_in_text, long.tokens.len()), (100_000, MAX_TOKENS));
    assert_eq!(long.cut, Some(Cut::Inspection));
    assert!(long.memory.iter().all(|memory| memory.ledger_residual < 1e-5));
    let (heat, composition) = (&long.memory[3].heat, &long.memory[3].composition);
    assert_eq!((heat.columns.len(), composition.at.len()), (512, 256));
    assert_eq!((heat.columns[511], composition.at[255]), (4088, 4095));
    let size = page(&found).unwrap().len();
    assert!(size < 5_000_000, "{size} bytes");
}

#[test]
fn a_model_of_nan_is_refused() {
    let broken = inspector(&["bad", "good"], None);
    let var = broken.model.vars()["rnn.weight_hh_l0"].clone();
    var.set(&(var.as_tensor() * f64::NAN).unwrap()).unwrap();
    let error = broken.inspect(&["a b".to_owned().into()], Method::default()).unwrap_err();
    assert!(error.to_string().contains("NaN"), "{error}");
}
