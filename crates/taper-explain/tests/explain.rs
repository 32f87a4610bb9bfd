//! Explanations of small networks, held against the equations, and hostile input by name.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::float_cmp, reason = "the same numbers, read twice")]

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};
use taper_explain::{
    Accuracy, Attribution, Behaviour, Composition, Counts, DEFAULT_STEPS, Error, Ledger, Steps,
    Survival, Tally, Target, adaptive_integrated_gradients, adaptive_integrated_gradients_while,
    gradient_norms, gradient_x_input, integrated_gradients, occlusion,
};
use taper_lstm::{
    Classifier, ClassifierConfig, LstmConfig, LstmState, LstmTrace, PackedSequence, Parameters,
    Philox, Pooling, TokenBatch,
};

const PLACES: [(usize, usize); 4] = [(0, 0), (0, 1), (1, 0), (1, 1)];

fn model(pooling: Pooling, num_logits: usize) -> (Classifier, BTreeMap<String, Var>) {
    let parameters = Parameters::new(5);
    let config = ClassifierConfig {
        vocabulary_size: 40,
        padding_id: Some(1),
        lstm: LstmConfig { num_layers: 2, bidirectional: true, ..LstmConfig::new(6, 9) },
        pooling,
        num_logits,
        embedding_dropout: 0.5,
        token_dropout: 0.0,
        output_dropout: 0.5,
    };
    let vb = parameters.var_builder(DType::F32, &Device::Cpu);
    let classifier = Classifier::new(&config, &vb).unwrap();
    let vars = parameters.vars();
    for (name, var) in &vars {
        // As trained weights, so that gates move away from a half.
        if name.starts_with("rnn") || name.starts_with("fc") {
            var.set(&(var.as_tensor() * 4.0).unwrap()).unwrap();
        }
    }
    (classifier, vars)
}

fn ids(stream: u32, len: u64) -> Vec<u32> {
    let philox = Philox::new(1, stream, 0);
    (0..len).map(|t| 2 + (philox.uniform(t) * 38.0) as u32).collect()
}

fn traced(classifier: &Classifier, texts: &[&[u32]], state: Option<&LstmState>) -> LstmTrace {
    let batch = TokenBatch::new(texts).unwrap();
    let embedded = classifier.embedding().lookup(batch.ids()).unwrap();
    let packed = PackedSequence::new(embedded, batch.packing().clone()).unwrap();
    classifier.lstm().trace(&packed, state).unwrap()
}

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(1e-9_f64, |m, v| m.max(v.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance * largest, "{found}, not {expected}");
    }
}

fn sum<'a>(rows: impl Iterator<Item = &'a [f64]>, units: usize) -> Vec<f64> {
    rows.fold(vec![0.0; units], |sum, row| sum.iter().zip(row).map(|(a, b)| a + b).collect())
}

#[test]
fn the_account_is_the_memory_and_what_is_let_out_is_h() {
    let (classifier, _) = model(Pooling::Last, 1);
    let texts = [ids(0, 30), ids(1, 1), ids(2, 57)];
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let noise = |stream| {
        let philox = Philox::new(2, stream, 0);
        let values: Vec<f32> =
            (0..4 * 3 * 9).map(|i| 2.0 * philox.uniform(i) as f32 - 1.0).collect();
        Tensor::from_vec(values, (4, 3, 9), &Device::Cpu).unwrap()
    };
    let state = LstmState { h: noise(0), c: noise(1) };
    for initial in [None, Some(&state)] {
        let trace = traced(&classifier, &texts, initial);
        for (sequence, text) in texts.iter().enumerate() {
            for (row, place) in PLACES.into_iter().enumerate() {
                let steps = Steps::of(&trace, initial, sequence, place).unwrap();
                let ledger = Ledger::of(&steps);
                assert!(ledger.residual() < 1e-5, "{}", ledger.residual());
                let all = (0..text.len()).map(|t| ledger.surviving(t));
                let total = sum(all.chain([ledger.initial()]), 9);
                let of = |states: &Tensor| -> Vec<f64> {
                    let state = states.get(row).unwrap().get(sequence).unwrap();
                    state.to_dtype(DType::F64).unwrap().to_vec1().unwrap()
                };
                close(&total, &of(&trace.state.c), 1e-5);
                assert_eq!(initial.is_none(), ledger.initial().iter().all(|c| *c == 0.0));
                if initial.is_none() {
                    let released = sum((0..text.len()).map(|t| ledger.released(t)), 9);
                    close(&released, &of(&trace.state.h), 1e-5);
                }
                // The last step's deposit has met no forget gate; the step before it has met one.
                let last = steps.last();
                assert_eq!(ledger.surviving(last), ledger.deposit(last));
            }
        }
    }
}

#[test]
fn the_composition_is_the_memory_after_every_step() {
    let (classifier, _) = model(Pooling::Last, 1);
    let text = ids(0, 23);
    let trace = traced(&classifier, &[&text], None);
    for place in PLACES {
        let steps = Steps::of(&trace, None, 0, place).unwrap();
        // In one part, all of the memory; in as many as there are tokens, the ledger at the end.
        for (t, row) in Composition::of(&steps, 1).magnitudes.iter().enumerate() {
            let memory: f64 = steps.c(t).iter().map(|c| c.abs()).sum();
            close(row, &[memory, 0.0], 1e-5);
        }
        let composition = Composition::of(&steps, 99);
        assert_eq!(composition.parts.len(), 23);
        let ledger = Ledger::of(&steps);
        let expected: Vec<f64> = (0..23)
            .map(|t| ledger.surviving(t).iter().map(|part| part.abs()).sum())
            .chain([0.0])
            .collect();
        close(&composition.magnitudes[steps.last()], &expected, 1e-9);
        let parts = Composition::of(&steps, 4).parts;
        assert_eq!(parts, [0..5, 5..11, 11..17, 17..23]);
    }
}

#[test]
fn behaviour_is_named_and_its_shares_add_up_to_one() {
    for (i, f, expected) in [
        (0.1, 0.9, Behaviour::Remember),
        (0.5, 0.5, Behaviour::Add),
        (0.49, 0.49, Behaviour::Erase),
        (0.9, 0.1, Behaviour::Overwrite),
    ] {
        assert_eq!(Behaviour::of(i, f), expected);
    }
    let (classifier, _) = model(Pooling::Last, 1);
    let mut tally = Tally::default();
    for stream in 0..6 {
        let text = ids(stream, 40);
        let trace = traced(&classifier, &[&text], None);
        for place in PLACES {
            let steps = Steps::of(&trace, None, 0, place).unwrap();
            tally.add(&steps, &text).unwrap();
            for t in 0..40 {
                let shares = Counts::at(&steps, t).shares();
                assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
            let mean: f64 = (0..40).flat_map(|t| steps.f(t)).sum::<f64>() / (40.0 * 9.0);
            assert!((Counts::over(&steps).mean_f() - mean).abs() < 1e-12);
            assert!(tally.add(&steps, &text[1..]).is_err());
        }
    }
    for (layer, direction) in PLACES {
        let total = tally.total(layer, direction);
        assert_eq!(total.total(), 6 * 40 * 9);
        assert!((total.shares().iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let mut ranks = Vec::new();
        for behaviour in Behaviour::ALL {
            let ranked = tally.ranked((layer, direction), behaviour, 27);
            assert!(ranked.windows(2).all(|pair| pair[0].1 >= pair[1].1));
            let (best, share) = ranked[0];
            let counts = tally.token(layer, direction, best);
            assert!(counts.total() >= 27);
            assert_eq!(counts.shares()[behaviour as usize], share);
            ranks.push(ranked.len());
        }
        assert!(ranks.iter().all(|count| *count == ranks[0] && *count < 38), "{ranks:?}");
    }
    assert_eq!(Tally::default().total(0, 0).shares(), [0.0; 4]);
}

type Method = fn(&Classifier, &[u32], Target) -> Result<Attribution, Error>;

const METHODS: [Method; 3] =
    [|c, ids, target| integrated_gradients(c, ids, target, 8), gradient_x_input, occlusion];

#[test]
fn integrated_gradients_are_complete_whatever_the_pooling_and_the_target() {
    let text = ids(3, 60);
    // The maximum has kinks on the way from zeros: it takes more points, and is met less well.
    for (pooling, steps, tolerance) in [
        (Pooling::Last, DEFAULT_STEPS, 0.01),
        (Pooling::Mean, DEFAULT_STEPS, 0.01),
        (Pooling::LastMaxMean, 512, 0.05),
    ] {
        let (classifier, _) = model(pooling, 3);
        let mut values = Vec::new();
        for target in [Target::Logit(0), Target::Logit(2), Target::Difference { of: 0, from: 2 }] {
            let found = integrated_gradients(&classifier, &text, target, steps).unwrap();
            let error = found.completeness_error();
            assert!(error < tolerance, "{pooling:?}: {error}");
            values.push(found.value);
        }
        assert!((values[0] - values[1] - values[2]).abs() < 1e-5);
        let logits = classifier.forward(&TokenBatch::new(&[&text]).unwrap()).unwrap();
        let logit: f32 = logits.get(0).unwrap().get(0).unwrap().to_scalar().unwrap();
        assert!((values[0] - f64::from(logit)).abs() < 1e-6);
    }
}

#[test]
fn adaptive_points_agree_with_many_fixed_ones_and_are_complete() {
    let (classifier, _) = model(Pooling::Last, 1);
    let text = ids(3, 60);
    let many = integrated_gradients(&classifier, &text, Target::Logit(0), 512).unwrap();
    let accuracy = Accuracy::default();
    let found =
        adaptive_integrated_gradients(&classifier, &text, Target::Logit(0), accuracy).unwrap();
    assert!(found.attribution.completeness_error() < accuracy.tolerance);
    close(&found.attribution.tokens, &many.tokens, 0.01);
    assert_eq!(found.jumps, 0.0);
    // A maximum's kinks, and 250 tokens.
    let (classifier, _) = model(Pooling::LastMaxMean, 1);
    let found =
        adaptive_integrated_gradients(&classifier, &ids(4, 250), Target::Logit(0), accuracy);
    let found = found.unwrap();
    assert!(found.attribution.completeness_error() < accuracy.tolerance, "{found:?}");
    assert!(found.steps <= accuracy.steps);
}

#[test]
fn what_nobody_wants_any_more_is_given_up_between_two_passes() {
    let (classifier, _) = model(Pooling::Last, 1);
    let text = ids(3, 3000);
    let asked = std::cell::Cell::new(0);
    let found = adaptive_integrated_gradients_while(
        &classifier,
        &text,
        Target::Logit(0),
        Accuracy::default(),
        &|| asked.replace(asked.get() + 1) < 5,
    );
    assert!(matches!(found, Err(Error::Stopped)), "{found:?}");
    assert_eq!(asked.get(), 6);
}

#[test]
fn a_run_of_equal_tokens_is_shared_out_whole() {
    // The states of a run settle to the same bits: of equal largest ones, one alone has the gradient.
    let text = [0; 200];
    for pooling in [Pooling::Max, Pooling::LastMaxMean] {
        let (classifier, _) = model(pooling, 1);
        let found = adaptive_integrated_gradients(
            &classifier,
            &text,
            Target::Logit(0),
            Accuracy::default(),
        );
        let found = found.unwrap().attribution;
        assert!(found.completeness_error() < 0.01, "{pooling:?}: {}", found.completeness_error());
        // What changes every token alike changes the logit by the gradient, which the tokens' parts add up to.
        let slope: f64 =
            gradient_x_input(&classifier, &text, Target::Logit(0)).unwrap().tokens.iter().sum();
        let logit = |scale: f64| -> f64 {
            let rows = (classifier.embedding().lookup(&text).unwrap() * scale).unwrap();
            let packing = TokenBatch::new(&[&text]).unwrap().packing().clone();
            let packed = PackedSequence::new(rows, packing).unwrap();
            let logits = classifier.forward_embedded(&packed).unwrap();
            f64::from(logits.flatten_all().unwrap().to_vec1::<f32>().unwrap()[0])
        };
        let measured = (logit(1.001) - logit(0.999)) / 0.002;
        assert!(
            (slope - measured).abs() < 0.05 * measured.abs(),
            "{pooling:?}: {slope}, {measured}"
        );
    }
}

#[test]
fn how_many_texts_a_pass_holds_does_not_matter() {
    // 300 tokens: 27 copies in a pass, so 64 points take three, the last one short.
    let (classifier, _) = model(Pooling::Last, 1);
    let text = ids(4, 300);
    let found = integrated_gradients(&classifier, &text, Target::Logit(0), 64).unwrap();
    assert!(found.completeness_error() < 0.01, "{}", found.completeness_error());
    let occluded = occlusion(&classifier, &text, Target::Logit(0)).unwrap();
    for t in [0, 26, 27, 299] {
        let rows = classifier.embedding().lookup(&text).unwrap();
        let mut mask = vec![1_f32; 300];
        mask[t] = 0.0;
        let mask = Tensor::from_vec(mask, (300, 1), &Device::Cpu).unwrap();
        let batch = TokenBatch::new(&[&text]).unwrap();
        let rows = rows.broadcast_mul(&mask).unwrap();
        let packed = PackedSequence::new(rows, batch.packing().clone()).unwrap();
        let without = classifier.forward_embedded(&packed).unwrap();
        let without: f32 = without.flatten_all().unwrap().to_vec1().unwrap()[0];
        assert!((occluded.tokens[t] - (occluded.value - f64::from(without))).abs() < 1e-5);
    }
}

#[test]
fn survival_is_the_gradient_of_the_target_by_distance() {
    for pooling in [Pooling::Last, Pooling::LastMaxMean] {
        let (classifier, _) = model(pooling, 2);
        let texts = [ids(0, 12), ids(1, 5)];
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let trace = traced(&classifier, &texts, None);
        let norms = gradient_norms(&classifier, &trace, Target::Logit(1)).unwrap();
        for (sequence, text) in texts.iter().enumerate() {
            let steps = PLACES.map(|place| Steps::of(&trace, None, sequence, place).unwrap());
            let [.., forward, backward] =
                steps.each_ref().map(|s| Survival::of(&trace, s, &norms, sequence).unwrap());
            assert_eq!((forward.h.len(), forward.kept[0]), (text.len(), 1.0));
            let mean = steps[2].f(text.len() - 1).iter().sum::<f64>() / 9.0;
            assert!((forward.kept[1] - mean).abs() < 1e-12);
            let mean = steps[3].f(0).iter().sum::<f64>() / 9.0;
            assert!((backward.kept[1] - mean).abs() < 1e-12);
            assert!(forward.kept.windows(2).all(|pair| pair[0] > pair[1]));
            // The last layer's final h meets the head alone.
            if pooling == Pooling::Last {
                let weight = classifier.fc().weight().get(1).unwrap();
                for (found, start) in [(&forward, 0), (&backward, 9)] {
                    let part = weight.narrow(0, start, 9).unwrap();
                    let norm: f32 = part.sqr().unwrap().sum_all().unwrap().to_scalar().unwrap();
                    assert!((found.h[0] - f64::from(norm).sqrt()).abs() < 1e-5);
                }
            }
        }
    }
}

#[test]
fn one_token_and_unknown_tokens_are_texts_too() {
    let (classifier, _) = model(Pooling::Last, 1);
    for text in [&[7][..], &[0, 0, 0], &[1]] {
        let trace = traced(&classifier, &[text], None);
        for place in PLACES {
            let steps = Steps::of(&trace, None, 0, place).unwrap();
            assert!(Ledger::of(&steps).residual() < 1e-5);
            assert_eq!(Counts::over(&steps).total(), 9 * text.len() as u64);
        }
        for method in METHODS {
            let found = method(&classifier, text, Target::Logit(0)).unwrap();
            assert_eq!(found.tokens.len(), text.len());
        }
    }
}

#[test]
fn a_very_long_text_is_explained_in_bounded_passes() {
    let (classifier, _) = model(Pooling::Last, 1);
    let text = ids(9, 2500);
    let trace = traced(&classifier, &[&text], None);
    for place in PLACES {
        let steps = Steps::of(&trace, None, 0, place).unwrap();
        assert!(Ledger::of(&steps).residual() < 1e-5);
    }
    let found = integrated_gradients(&classifier, &text, Target::Logit(0), 7).unwrap();
    assert_eq!(found.tokens.len(), 2500);
}

#[test]
fn what_is_not_there_is_named() {
    let (classifier, _) = model(Pooling::Last, 2);
    let trace = traced(&classifier, &[&[3, 4]], None);
    let of = |sequence, place| Steps::of(&trace, None, sequence, place).unwrap_err().to_string();
    assert_eq!(of(0, (2, 0)), "there is no layer 2; there are 2, from 0");
    assert_eq!(of(0, (1, 2)), "there is no direction 2; there are 2, from 0");
    assert_eq!(of(1, (1, 1)), "there is no sequence 1; there are 1, from 0");
    for method in METHODS {
        let error = |ids: &[u32], target| method(&classifier, ids, target).unwrap_err().to_string();
        assert_eq!(error(&[3], Target::Logit(2)), "there is no logit 2; there are 2, from 0");
        assert!(error(&[], Target::Logit(0)).contains("length 0"));
        assert!(error(&[40], Target::Logit(0)).contains("token id 40"));
    }
    let none = integrated_gradients(&classifier, &[3], Target::Logit(0), 0);
    assert!(matches!(none, Err(Error::NoSteps)));
}

#[test]
fn nan_weights_are_an_error_that_names_the_place() {
    for name in ["rnn.weight_hh_l1", "fc.weight", "embedding.weight"] {
        let (classifier, vars) = model(Pooling::Last, 1);
        let var = &vars[name];
        var.set(&(var.as_tensor() * f64::NAN).unwrap()).unwrap();
        for method in METHODS {
            let error = method(&classifier, &[3, 4], Target::Logit(0)).unwrap_err();
            assert!(matches!(error, Error::NotFinite { .. }), "{name}: {error}");
        }
        let trace = traced(&classifier, &[&[3, 4]], None);
        let found = Steps::of(&trace, None, 0, (1, 0));
        if name == "fc.weight" {
            let norms = gradient_norms(&classifier, &trace, Target::Logit(0)).unwrap();
            let error = Survival::of(&trace, &found.unwrap(), &norms, 0).unwrap_err().to_string();
            assert!(error.contains("NaN"), "{error}");
        } else {
            let error = found.unwrap_err().to_string();
            assert!(error.contains("layer 1, direction 0, step"), "{error}");
        }
    }
}
