//! The ledger on real reviews: all of the sample's test split, in all layers and directions.

use std::path::Path;

use candle_core::{DType, Device};
use taper_explain::{Counts, Ledger, Steps, Tally};
use taper_lstm::{Lstm, LstmConfig, PackedSequence, Parameters, TokenBatch};
use taper_train::batch::sorted_batches;
use taper_train::prepare::{Dataset, PrepareOptions, VectorSource};
use taper_train::{Recipe, prepare};

/// GloVe's vectors into an LSTM of random weights, three times as large as they are drawn: gates then open and
/// close as those of a trained one do.
#[test]
fn the_ledger_is_the_memory_on_a_thousand_reviews() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/sample");
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe::load("quickstart", &[]).unwrap();
    let options = PrepareOptions {
        recipe: &recipe,
        vectors: VectorSource::Path(sample.join("glove.6B.100d.txt.zst")),
        dataset: Dataset::Path(sample),
        output: &folder.path().join("prepared"),
    };
    let prepared = prepare(&options, &mut |_| ()).unwrap();
    let split = prepared.encoded("test").unwrap();
    assert_eq!(split.len(), 1000);
    let parameters = Parameters::new(1);
    let vb = parameters.var_builder(DType::F32, &Device::Cpu);
    let config = LstmConfig { num_layers: 2, bidirectional: true, ..LstmConfig::new(100, 16) };
    let lstm = Lstm::new(&config, &vb).unwrap();
    for var in parameters.vars().into_values() {
        var.set(&(var.as_tensor() * 3.0).unwrap()).unwrap();
    }
    let embeddings = prepared.embeddings().unwrap().unwrap();
    let lookup = |ids: &[u32]| {
        let row = |id: &u32| &embeddings.matrix[*id as usize * 100..][..100];
        let rows: Vec<f32> = ids.iter().flat_map(row).copied().collect();
        candle_core::Tensor::from_vec(rows, (ids.len(), 100), &Device::Cpu).unwrap()
    };

    let (mut worst, mut ledgers, mut tally) = (0.0_f64, 0, Tally::default());
    let lengths: Vec<usize> = split.lengths().collect();
    for rows in sorted_batches(&lengths, 100) {
        let texts: Vec<&[u32]> = rows.iter().map(|&row| split.tokens(row)).collect();
        let batch = TokenBatch::new(&texts).unwrap();
        let packed = PackedSequence::new(lookup(batch.ids()), batch.packing().clone()).unwrap();
        let trace = lstm.trace(&packed, None).unwrap();
        for (sequence, text) in texts.iter().enumerate() {
            for place in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let steps = Steps::of(&trace, None, sequence, place).unwrap();
                worst = worst.max(Ledger::of(&steps).residual());
                ledgers += 1;
                let shares = Counts::over(&steps).shares();
                assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                tally.add(&steps, text).unwrap();
            }
        }
    }
    assert_eq!(ledgers, 4000);
    assert!(worst < 1e-5, "{worst:e}");
    let tokens: u64 = lengths.iter().map(|length| *length as u64).sum();
    assert_eq!(tally.total(1, 1).total(), 16 * tokens);
}
