//! Training outside of the graph against the graph, evaluation of embedded tokens, memory given back.
#![allow(clippy::unwrap_used)]

use candle_core::{DType, Device};

use super::*;
use crate::Parameters;

fn bits(tensor: &Tensor) -> Vec<u32> {
    let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

const POOLINGS: [Pooling; 5] =
    [Pooling::Last, Pooling::Max, Pooling::Mean, Pooling::LastMaxMean, Pooling::Attention];

fn config(pooling: Pooling) -> ClassifierConfig {
    let lstm =
        LstmConfig { num_layers: 2, bidirectional: true, dropout: 0.3, ..LstmConfig::new(4, 6) };
    ClassifierConfig {
        vocabulary_size: 9,
        padding_id: Some(1),
        lstm,
        pooling,
        num_logits: 2,
        embedding_dropout: 0.3,
        token_dropout: 0.0,
        output_dropout: 0.3,
    }
}

#[test]
fn embedded_tokens_get_the_gradient_of_the_evaluation() {
    for pooling in POOLINGS {
        let parameters = Parameters::new(3);
        let vb = parameters.var_builder(DType::F64, &Device::Cpu);
        let classifier = Classifier::new(&config(pooling), &vb).unwrap();
        // Token 2 occurs twice in a text: each place has a gradient of its own.
        let batch = TokenBatch::new(&[&[2, 3, 2], &[4], &[5, 1, 6, 8, 3]]).unwrap();
        let rows = classifier.embedding.lookup(batch.ids()).unwrap();
        let weighed = |rows: &Tensor| {
            let packed = PackedSequence::new(rows.clone(), batch.packing().clone()).unwrap();
            let logits = classifier.forward_embedded(&packed).unwrap();
            let weights = Tensor::new(&[[1.0, -2.0], [0.5, 3.0], [-1.0, 0.25]], rows.device());
            ((&logits * weights.unwrap()).unwrap().sum_all().unwrap(), logits)
        };
        let x = Var::from_tensor(&rows).unwrap();
        let (sum, logits) = weighed(&x);
        let expected: Vec<Vec<f64>> = classifier.forward(&batch).unwrap().to_vec2().unwrap();
        assert_eq!(logits.to_vec2::<f64>().unwrap(), expected, "{pooling:?}");

        let store = sum.backward().unwrap();
        let gradient: Vec<Vec<f64>> = store.get(&x).unwrap().to_vec2().unwrap();
        let values: Vec<Vec<f64>> = rows.to_vec2().unwrap();
        for (row, column) in (0..rows.dim(0).unwrap()).flat_map(|r| (0..4).map(move |c| (r, c))) {
            let at = |nudge: f64| -> f64 {
                let mut values = values.clone();
                values[row][column] += nudge;
                let (sum, _) = weighed(&Tensor::new(values, &Device::Cpu).unwrap());
                sum.to_scalar().unwrap()
            };
            let expected = (at(1e-5) - at(-1e-5)) / 2e-5;
            let found = gradient[row][column];
            assert!((found - expected).abs() < 1e-7, "{pooling:?} {row} {column}: {found}");
        }
    }
}

#[test]
fn gradients_are_those_of_the_graph_with_every_pooling() {
    for (pooling, variational) in POOLINGS.into_iter().zip([false, true].into_iter().cycle()) {
        let parameters = Parameters::new(3);
        let mut config = config(pooling);
        (config.token_dropout, config.lstm.weight_dropout) = (0.2, 0.2);
        config.lstm.variational = variational;
        let vb = parameters.var_builder(DType::F32, &Device::Cpu);
        let classifier = Classifier::new(&config, &vb).unwrap();
        let batch = TokenBatch::new(&[&[2, 3, 2], &[4], &[5, 1, 6, 8, 3]]).unwrap();
        let loss_of = |logits: &Tensor| logits.sqr().unwrap().sum_all().unwrap();

        let mode = Mode::Train { seed: 5, step: 7 };
        let x = Var::from_tensor(&classifier.embedding.lookup(batch.ids()).unwrap()).unwrap();
        let dropped = classifier.drop_input(&x, &batch, mode).unwrap();
        let packed = PackedSequence::new(dropped, batch.packing().clone()).unwrap();
        let (output, state) = classifier.lstm.forward(&packed, None, mode).unwrap();
        let logits = classifier.head(&output, &state, mode).unwrap();
        let store = loss_of(&logits).backward().unwrap();

        let output = classifier.forward_train(&batch, 5, 7).unwrap();
        assert_eq!(bits(&logits), bits(&output.logits));
        let loss = loss_of(&output.logits);
        let found = output.backward(&loss).unwrap();
        for (name, var) in parameters.vars() {
            let expected = store.get(&var).map(bits);
            assert_eq!(expected, found.parameters.get(&var).map(bits), "{pooling:?}, {name}");
        }
        let gradient = store.get(&x).unwrap();
        let rows = classifier.embedding.row_gradient(batch.ids(), gradient).unwrap();
        assert_eq!(rows.rows, found.embedding.rows);
        assert_eq!(bits(&rows.values), bits(&found.embedding.values), "{pooling:?}");
    }
}
#[test]
fn a_step_gives_back_what_it_took() {
    let dropouts = [
        (0.3, 0.0, false),
        (0.0, 0.0, false),
        (0.0, 0.3, false),
        (0.3, 0.3, false),
        (0.3, 0.3, true),
    ];
    for (pooling, (embedding, token, variational)) in POOLINGS.into_iter().zip(dropouts) {
        let parameters = Parameters::new(3);
        let mut config = config(pooling);
        (config.embedding_dropout, config.token_dropout) = (embedding, token);
        config.lstm.variational = variational;
        let vb = parameters.var_builder(DType::F32, &Device::Cpu);
        let classifier = Classifier::new(&config, &vb).unwrap();
        let batch = TokenBatch::new(&[&[2, 3, 2], &[4], &[5, 1, 6, 8, 3]]).unwrap();
        let output = classifier.forward_train(&batch, 5, 7).unwrap();
        let context = classifier.lstm.layers.context();
        assert!(context.lent() > 0);
        let loss = output.logits.sqr().unwrap().sum_all().unwrap();
        output.backward(&loss).unwrap();
        assert_eq!(context.lent(), 0, "{pooling:?}, {embedding}, {token}, {variational}");
    }
}
