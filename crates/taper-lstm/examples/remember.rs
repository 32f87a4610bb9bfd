//! What an LSTM is for: the class of a sequence is its first token, and all that follows is noise.
//!
//! ```sh
//! cargo run --release -p taper-lstm --example remember
//! ```
#![allow(clippy::print_stdout, reason = "an example prints")]

use candle_core::{D, DType, Device};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use taper_lstm::{
    Classifier, ClassifierConfig, LstmConfig, Parameters, Philox, Pooling, Result, TokenBatch,
};

const SYMBOLS: u32 = 8;
const CLASSES: usize = 2;

/// Thirty-two sequences of 20 to 60 symbols; the first of each is its class.
fn batch(step: u32) -> (Vec<Vec<u32>>, Vec<u32>) {
    let numbers = Philox::new(1, 0, step);
    let sequence = |row: u64| -> Vec<u32> {
        let at = row * 64;
        let length = 20 + u64::from(numbers.word(at)) % 41;
        let first = numbers.word(at + 1) % CLASSES as u32;
        let noise = (2..=length).map(|i| numbers.word(at + i) % SYMBOLS);
        std::iter::once(first).chain(noise).collect()
    };
    let sequences: Vec<Vec<u32>> = (0..32).map(sequence).collect();
    let labels = sequences.iter().map(|sequence| sequence[0]).collect();
    (sequences, labels)
}

fn main() -> Result<()> {
    let parameters = Parameters::new(1);
    let config = ClassifierConfig {
        vocabulary_size: SYMBOLS as usize,
        padding_id: None,
        lstm: LstmConfig::new(16, 32),
        pooling: Pooling::Last,
        num_logits: CLASSES,
        embedding_dropout: 0.0,
        token_dropout: 0.0,
        output_dropout: 0.0,
    };
    let vb = parameters.var_builder(DType::F32, &Device::Cpu);
    let classifier = Classifier::new(&config, &vb)?;
    // candle's own optimizer works too; the embedding stays as it was drawn.
    let vars = parameters.vars().into_values().collect();
    let mut optimizer = AdamW::new(vars, ParamsAdamW { lr: 1e-2, ..ParamsAdamW::default() })?;
    for step in 0..300 {
        let (sequences, labels) = batch(step);
        let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let output = classifier.forward_train(&TokenBatch::new(&sequences)?, 1, step)?;
        let labels = candle_core::Tensor::new(labels, &Device::Cpu)?;
        let loss = candle_nn::loss::cross_entropy(&output.logits, &labels)?;
        let right = output.logits.argmax(D::Minus1)?.eq(&labels)?.sum_all()?;
        optimizer.step(&output.backward(&loss)?.parameters)?;
        if step % 50 == 49 {
            let right = right.to_scalar::<u8>()?;
            println!("step {:3}  loss {:.4}  {right}/32 right", step + 1, loss.to_scalar::<f32>()?);
        }
    }
    Ok(())
}
