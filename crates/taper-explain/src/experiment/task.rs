//! Recall: a first symbol, one of eight, then random ones of eight others.

use taper_lstm::Philox;

pub(super) const CHOICES: usize = 8;

/// Symbols in all.
pub(super) const SYMBOLS: usize = 2 * CHOICES;

/// Sequences in a training step.
const BATCH: usize = 32;

/// Streams of random numbers: what is trained on is never judged.
pub(super) const TRAIN: u32 = 0x4001;
pub(super) const TEST: u32 = 0x4002;
pub(super) const PROBE: u32 = 0x4003;
const LENGTHS: u32 = 0x4004;

/// Lengths of a training step's sequences, 2 to `longest`: short ones teach what long ones need.
pub(super) fn lengths(seed: u64, step: usize, longest: usize) -> Vec<usize> {
    let numbers = Philox::new(seed, LENGTHS, step as u32);
    (0..BATCH as u64).map(|row| 2 + numbers.word(row) as usize % (longest - 1)).collect()
}

/// Sequences of these lengths; the first symbol of each is its answer.
pub(super) fn draw(seed: u64, stream: u32, step: u32, lengths: &[usize]) -> Vec<Vec<u32>> {
    let numbers = Philox::new(seed, stream, step);
    let longest = lengths.iter().copied().max().unwrap_or(0) as u64;
    let choices = CHOICES as u32;
    let sequence = |(row, &length): (u64, &usize)| {
        let number = |t: u64| numbers.word(row * longest + t) % choices;
        (0..length as u64).map(|t| if t == 0 { number(t) } else { choices + number(t) }).collect()
    };
    (0..).zip(lengths).map(sequence).collect()
}
