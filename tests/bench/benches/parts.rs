//! The parts of a training step, one by one: a layer forward and backward, the embedding's gradient, Adam, dropout, packing;
//! and the frozen model's answers in f32 and 8 bits, of a batch and of one review. `cargo bench -p taper-bench`

#![allow(missing_docs, reason = "criterion's macros make functions without")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

use std::hint::black_box;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use taper_lstm::{
    Classifier, ClassifierConfig, Dropout, Embedding, FrozenClassifier, Lstm, LstmConfig, Mode,
    PackedSequence, Packing, Parameters, Pooling, Quantization, TokenBatch,
};
use taper_train::Recipe;
use taper_train::gradients::{Gradient, Gradients};
use taper_train::optimizer::Optimizer;

const HIDDEN: usize = 256;
const BATCH: usize = 30;
const STEPS: usize = 272;
const TOKENS: usize = BATCH * STEPS;
const DIMENSIONS: usize = 100;
const VOCABULARY: usize = 10_002;
const TRAIN: Mode = Mode::Train { seed: 1, step: 0 };

fn values(rows: usize, columns: usize) -> Tensor {
    let values: Vec<f32> = (0..rows * columns).map(|i| (i % 23) as f32 / 11.0 - 1.0).collect();
    Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap()
}

/// Token ids as frequent as words are: about one in `k` for the k-th.
fn ids() -> Vec<u32> {
    let id = |i: usize| {
        let uniform = (i * 7919 % TOKENS) as f64 / TOKENS as f64;
        2 + ((VOCABULARY as f64 - 2.0).powf(uniform) as u32 - 1)
    };
    (0..TOKENS).map(id).collect()
}

/// The tutorial's second layer.
fn layer(criterion: &mut Criterion) {
    let parameters = Parameters::new(1);
    let config = LstmConfig { bidirectional: true, ..LstmConfig::new(2 * HIDDEN, HIDDEN) };
    let vb = parameters.var_builder(DType::F32, &Device::Cpu);
    let lstm = Lstm::new(&config, &vb).unwrap();
    let packing = Arc::new(Packing::new(&[STEPS; BATCH]).unwrap());
    let x = Var::from_tensor(&values(TOKENS, 2 * HIDDEN)).unwrap();
    let input = PackedSequence::new(x.as_tensor().clone(), packing).unwrap();

    let mut group = criterion.benchmark_group("layer of 256, 30 x 272 tokens");
    group.throughput(Throughput::Elements(TOKENS as u64)).sample_size(10);
    group.bench_function("forward", |bencher| {
        bencher.iter(|| lstm.forward(&input, None, Mode::Evaluate).unwrap());
    });
    group.bench_function("forward and backward, in candle's graph", |bencher| {
        bencher.iter(|| {
            let (output, _) = lstm.forward(&input, None, TRAIN).unwrap();
            output.data().sum_all().unwrap().backward().unwrap()
        });
    });
    group.finish();
}

fn around_the_layer(criterion: &mut Criterion) {
    let parameters = Parameters::new(1);
    let vb = parameters.var_builder(DType::F32, &Device::Cpu);
    let embedding = Embedding::new(VOCABULARY, DIMENSIONS, Some(1), &vb).unwrap();
    let ids = ids();
    let gradient = values(TOKENS, DIMENSIONS);
    criterion.bench_function("embedding's gradient, 8,160 tokens", |bencher| {
        bencher.iter(|| embedding.row_gradient(&ids, black_box(&gradient)).unwrap());
    });

    let dropout = Dropout::new(0.5, 1).unwrap();
    let x = values(TOKENS, 2 * HIDDEN);
    criterion.bench_function("dropout, 8,160 x 512", |bencher| {
        bencher.iter(|| dropout.forward(black_box(&x), TRAIN).unwrap());
    });

    let lengths: Vec<usize> = (0..BATCH).map(|i| STEPS - BATCH / 2 + i).collect();
    let texts: Vec<&[u32]> = lengths.iter().map(|&length| &ids[..length]).collect();
    criterion.bench_function("packing, 30 texts of about 272", |bencher| {
        bencher.iter(|| Packing::new(black_box(&lengths)).unwrap().pack(&texts).unwrap());
    });
}

/// One step on all parameters of the tutorial's model; the embedding's gradient has a few rows.
fn adam(criterion: &mut Criterion) {
    let recipe = Recipe::load("tutorial", &[]).unwrap();
    let parameters = Parameters::new(1);
    let vb = parameters.var_builder(DType::F32, &Device::Cpu);
    let embedding = Embedding::new(VOCABULARY, DIMENSIONS, Some(1), &vb.pp("embedding")).unwrap();
    let config =
        LstmConfig { num_layers: 2, bidirectional: true, ..LstmConfig::new(DIMENSIONS, HIDDEN) };
    Lstm::new(&config, &vb.pp("rnn")).unwrap();
    let vars = parameters.vars();

    let rows = embedding.row_gradient(&ids(), &values(TOKENS, DIMENSIONS)).unwrap();
    let mut gradients = Gradients::default();
    gradients.0.insert("embedding.weight".into(), Gradient::Rows(rows));
    for (name, var) in vars.iter().filter(|(name, _)| name.starts_with("rnn")) {
        gradients
            .0
            .insert(name.clone(), Gradient::Dense((var.as_tensor() * 0.1).unwrap().detach()));
    }
    let mut optimizer = Optimizer::new(&recipe.train.optimizer);
    criterion.bench_function("Adam, 3.3 million parameters", |bencher| {
        bencher.iter(|| optimizer.step(&vars, &gradients, 1.0).unwrap());
    });
}

/// The tutorial's model with its weights packed once: a batch, and one review.
fn frozen(criterion: &mut Criterion) {
    let config = ClassifierConfig {
        vocabulary_size: VOCABULARY,
        padding_id: Some(1),
        lstm: LstmConfig {
            num_layers: 2,
            bidirectional: true,
            ..LstmConfig::new(DIMENSIONS, HIDDEN)
        },
        pooling: Pooling::Last,
        num_logits: 1,
        embedding_dropout: 0.0,
        token_dropout: 0.0,
        output_dropout: 0.0,
    };
    let parameters = Parameters::new(1);
    let classifier =
        Classifier::new(&config, &parameters.var_builder(DType::F32, &Device::Cpu)).unwrap();
    let ids = ids();
    let reviews: Vec<&[u32]> = ids.chunks_exact(STEPS).collect();
    for (name, quantization) in [("f32", Quantization::F32), ("8 bits", Quantization::Int8)] {
        let frozen = FrozenClassifier::new(&classifier, quantization).unwrap();
        for count in [BATCH, 1] {
            let batch = TokenBatch::new(&reviews[..count]).unwrap();
            let name = format!("frozen tutorial in {name}, {count} x {STEPS} tokens");
            criterion.bench_function(&name, |bencher| {
                bencher.iter(|| frozen.forward(black_box(&batch)).unwrap());
            });
        }
    }
}

criterion_group!(parts, layer, around_the_layer, adam, frozen);
criterion_main!(parts);
