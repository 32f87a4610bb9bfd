//! Adam, `AdamW` and SGD against their formulas, in f64 and by hand.
#![allow(clippy::unwrap_used)]

use super::*;
use candle_core::{DType, Device};

const NAME: &str = "w";

fn settings(kind: OptimizerKind, weight_decay: f64) -> Settings {
    Settings { kind, weight_decay, learning_rate: 0.1, ..Settings::default() }
}

fn gradient(step: usize, index: usize) -> f64 {
    (step as f64 * 1.7 + index as f64 * 0.9).sin()
}

/// The algorithm boxes of torch.optim.Adam and `AdamW`, one scalar at a time.
fn by_hand(settings: &Settings, start: f64, gradients: &[f64]) -> f64 {
    let (mut p, mut m, mut v) = (start, 0.0, 0.0);
    for (t, &g) in (1..).zip(gradients) {
        let mut g = g;
        match settings.kind {
            OptimizerKind::Adam => g += settings.weight_decay * p,
            OptimizerKind::AdamW => p -= settings.learning_rate * settings.weight_decay * p,
            OptimizerKind::Sgd => {
                g += settings.weight_decay * p;
                m = settings.momentum * m + g;
                let d = if settings.nesterov { g + settings.momentum * m } else { m };
                p -= settings.learning_rate * d;
                continue;
            }
        }
        m = settings.beta1 * m + (1.0 - settings.beta1) * g;
        v = settings.beta2 * v + (1.0 - settings.beta2) * g * g;
        let m_hat = m / (1.0 - settings.beta1.powi(t));
        let v_hat: f64 = v / (1.0 - settings.beta2.powi(t));
        p -= settings.learning_rate * m_hat / (v_hat.sqrt() + settings.epsilon);
    }
    p
}

fn var() -> (BTreeMap<String, Var>, Vec<f32>) {
    let start = vec![0.5f32, -1.0, 2.0, 0.0, 3.0, -0.25];
    let tensor = Tensor::from_vec(start.clone(), (3, 2), &Device::Cpu).unwrap();
    (BTreeMap::from([(NAME.to_owned(), Var::from_tensor(&tensor).unwrap())]), start)
}

fn values(vars: &BTreeMap<String, Var>) -> Vec<f32> {
    vars[NAME].flatten_all().unwrap().to_vec1().unwrap()
}

fn dense_step(step: usize) -> Gradients {
    let values: Vec<f32> = (0..6).map(|index| gradient(step, index) as f32).collect();
    let values = Tensor::from_vec(values, (3, 2), &Device::Cpu).unwrap();
    Gradients(BTreeMap::from([(NAME.to_owned(), Gradient::Dense(values))]))
}

/// Row 2, then row 0; row 1 never.
fn rows_step(step: usize) -> Gradients {
    let values = [4, 5, 0, 1].map(|index| gradient(step, index) as f32).to_vec();
    let values = Tensor::from_vec(values, (2, 2), &Device::Cpu).unwrap();
    let rows = RowGradient { rows: vec![2, 0], values };
    Gradients(BTreeMap::from([(NAME.to_owned(), Gradient::Rows(rows))]))
}

#[test]
fn follows_the_formulas() {
    let sgd = |weight_decay, momentum, nesterov| Settings {
        momentum,
        nesterov,
        ..settings(OptimizerKind::Sgd, weight_decay)
    };
    for settings in [
        settings(OptimizerKind::Adam, 0.0),
        settings(OptimizerKind::Adam, 0.1),
        settings(OptimizerKind::AdamW, 0.1),
        sgd(0.0, 0.0, false),
        sgd(0.1, 0.9, false),
        sgd(0.0, 0.9, true),
    ] {
        for sparse in [false, true] {
            let (vars, start) = var();
            let mut optimizer = Optimizer::new(&settings);
            for step in 0..20 {
                let gradients = if sparse { rows_step(step) } else { dense_step(step) };
                optimizer.step(&vars, &gradients, 1.0).unwrap();
            }
            for (index, (&found, &start)) in values(&vars).iter().zip(&start).enumerate() {
                let zero = sparse && (2..4).contains(&index);
                let gradients: Vec<f64> =
                    (0..20).map(|step| if zero { 0.0 } else { gradient(step, index) }).collect();
                let expected = by_hand(&settings, f64::from(start), &gradients);
                let error = (f64::from(found) - expected).abs();
                assert!(error < 1e-5, "{settings:?}, {sparse}, {index}: {found} or {expected}");
            }
        }
    }
}

#[test]
fn other_devices_take_the_same_steps() {
    let (here, _) = var();
    let (there, _) = var();
    let settings = settings(OptimizerKind::AdamW, 0.1);
    let mut optimizer = Optimizer::new(&settings);
    let zeros = || Var::zeros((3, 2), DType::F32, &Device::Cpu).unwrap();
    let (first, second) = (zeros(), zeros());
    let moments = [&first, &second];
    for step in 0..5 {
        let gradients = rows_step(step);
        optimizer.step(&here, &gradients, 1.0).unwrap();
        let steps = f64::from(optimizer.steps());
        let update = Update {
            step_size: 0.1 / (1.0 - settings.beta1.powf(steps)),
            denominator_scale: 1.0 / (1.0 - settings.beta2.powf(steps)).sqrt(),
            epsilon: settings.epsilon,
            shrink: 1.0 - 0.1 * 0.1,
        };
        let betas = [settings.beta1, settings.beta2];
        update_by_tensors(&there[NAME], &gradients.0[NAME], moments, betas, &update).unwrap();
    }
    for (a, b) in values(&here).iter().zip(values(&there)) {
        assert!((a - b).abs() < 1e-6, "{a} or {b}");
    }
}

#[test]
fn the_embedding_has_a_rate_and_a_beginning_of_its_own() {
    let settings = Settings {
        embedding_rate: 0.5,
        embedding_frozen_steps: 3,
        ..settings(OptimizerKind::Adam, 0.0)
    };
    let named = |name: &str, step: usize| {
        let mut gradients = dense_step(step);
        let gradient = gradients.0.remove(NAME).unwrap();
        Gradients(BTreeMap::from([(name.to_owned(), gradient)]))
    };
    let (own, start) = var();
    let embedding = BTreeMap::from([(EMBEDDING.to_owned(), own[NAME].clone())]);
    let mut optimizer = Optimizer::new(&settings);
    for _ in 0..3 {
        // Frozen: no gradient reaches it.
        optimizer.step(&embedding, &Gradients::default(), 1.0).unwrap();
    }
    for step in 0..5 {
        optimizer.step(&embedding, &named(EMBEDDING, step), 1.0).unwrap();
    }
    let slower = Settings { learning_rate: 0.05, ..settings };
    for (index, (&found, &start)) in values(&own).iter().zip(&start).enumerate() {
        let gradients: Vec<f64> = (0..5).map(|step| gradient(step, index)).collect();
        let expected = by_hand(&slower, f64::from(start), &gradients);
        assert!((f64::from(found) - expected).abs() < 1e-6, "{found} or {expected}");
    }
}

#[test]
fn a_rate_scales_the_step() {
    let (whole, start) = var();
    let (half, _) = var();
    let settings = settings(OptimizerKind::Adam, 0.0);
    Optimizer::new(&settings).step(&whole, &dense_step(0), 1.0).unwrap();
    Optimizer::new(&settings).step(&half, &dense_step(0), 0.5).unwrap();
    for ((whole, half), start) in values(&whole).iter().zip(values(&half)).zip(start) {
        assert!(((start - half) * 2.0 - (start - whole)).abs() < 1e-6);
    }
}

#[test]
fn a_restored_state_goes_on_with_the_same_bits() {
    for kind in [OptimizerKind::Adam, OptimizerKind::Sgd] {
        let momentum = if kind == OptimizerKind::Sgd { 0.9 } else { 0.0 };
        let settings = Settings { momentum, ..settings(kind, 0.0) };
        let (whole, _) = var();
        let (halves, _) = var();
        let mut optimizer = Optimizer::new(&settings);
        for step in 0..10 {
            optimizer.step(&whole, &dense_step(step), 1.0).unwrap();
        }
        let mut first = Optimizer::new(&settings);
        for step in 0..4 {
            first.step(&halves, &dense_step(step), 1.0).unwrap();
        }
        let mut second = Optimizer::new(&settings);
        second.restore(first.steps(), &first.state(), &halves).unwrap();
        for step in 4..10 {
            second.step(&halves, &dense_step(step), 1.0).unwrap();
        }
        assert_eq!(values(&whole), values(&halves));
    }
}

#[test]
fn a_state_of_another_model_is_refused() {
    let (vars, _) = var();
    let mut optimizer = Optimizer::new(&Settings::default());
    let wrong = Tensor::zeros((2, 2), DType::F32, &Device::Cpu).unwrap();
    let state = BTreeMap::from([
        ("first.w".to_owned(), wrong.clone()),
        ("second.w".to_owned(), wrong.clone()),
    ]);
    let error = optimizer.restore(1, &state, &vars).unwrap_err().to_string();
    assert!(error.contains("[2, 2]") && error.contains("[3, 2]"), "{error}");
    let state = BTreeMap::from([("first.x".to_owned(), wrong)]);
    assert!(optimizer.restore(1, &state, &vars).is_err());
    // Of another rule.
    let mut sgd = Optimizer::new(&settings(OptimizerKind::Sgd, 0.0));
    sgd.step(&vars, &dense_step(0), 1.0).unwrap();
    let error = optimizer.restore(1, &sgd.state(), &vars).unwrap_err().to_string();
    assert!(error.contains("train.optimizer.kind"), "{error}");
    optimizer.step(&vars, &dense_step(0), 1.0).unwrap();
    assert!(sgd.restore(1, &optimizer.state(), &vars).is_err());
}
