//! What a model's gates do over a whole split: which tokens are remembered, added, erased at, overwritten.

use serde::Serialize;
use taper_explain::{Counts, Steps, Tally};
use taper_lstm::{PackedSequence, TokenBatch};
use taper_text::Tokenizer;

use super::document::{MAX_TOKENS, Shares};
use super::memory::direction_name;
use crate::Result;
use crate::artifacts::EncodedSplit;
use crate::batch::sorted_batches;
use crate::model::Model;

/// Texts of one pass, and tokens of it: a trace holds every gate of every step.
const BATCH_SIZE: usize = 32;
const BATCH_TOKENS: usize = 1 << 13;

/// What the gates of a model did over a split. Its JSON is described in `docs/inspect.md`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitBehaviour {
    /// Version of this document.
    pub format: u32,
    /// Version of the program.
    pub taper: String,
    /// The split.
    pub split: String,
    /// Its texts.
    pub texts: usize,
    /// Tokens read of them.
    pub tokens: usize,
    /// Units of a direction.
    pub hidden_size: usize,
    /// Every direction of every layer.
    pub memory: Vec<DirectionBehaviour>,
}

/// The same of one direction of one layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DirectionBehaviour {
    /// The layer, from 0.
    pub layer: usize,
    /// `forward` or `backward`.
    pub direction: &'static str,
    /// All units at all tokens.
    #[serde(flatten)]
    pub gates: Gates,
    /// The tokens read, by id.
    pub tokens: Vec<TokenBehaviour>,
}

/// What the units did when they read a token, wherever it stood.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenBehaviour {
    /// The token as the vocabulary has it.
    pub token: String,
    /// Its number.
    pub id: u32,
    /// How often it was read.
    pub count: u64,
    /// All units at all of these.
    #[serde(flatten)]
    pub gates: Gates,
}

/// Shares of the four behaviours, and the two gates' means.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Gates {
    /// How many units did which.
    #[serde(flatten)]
    pub behaviour: Shares,
    /// Mean of the input gate.
    pub i: f32,
    /// Mean of the forget gate.
    pub f: f32,
}

impl Gates {
    fn of(counts: &Counts) -> Self {
        Self {
            behaviour: counts.shares().into(),
            i: counts.mean_i() as f32,
            f: counts.mean_f() as f32,
        }
    }
}

pub(super) fn split_behaviour(
    model: &Model,
    tokenizer: &Tokenizer,
    name: &str,
    split: &EncodedSplit,
) -> Result<SplitBehaviour> {
    let (view, classifier) = (model.config.view(), &model.classifier);
    let (mut tally, mut tokens) = (Tally::default(), 0);
    let lengths: Vec<usize> =
        view.lengths(split).into_iter().map(|length| length.min(MAX_TOKENS)).collect();
    for rows in sorted_batches(&lengths, BATCH_SIZE) {
        // The longest comes first.
        let texts = (BATCH_TOKENS / lengths[rows[0]]).max(1);
        for rows in rows.chunks(texts) {
            let read: Vec<_> = rows.iter().map(|&row| view.tokens(split.tokens(row))).collect();
            let texts: Vec<&[u32]> =
                read.iter().map(|text| &text[..text.len().min(MAX_TOKENS)]).collect();
            let batch = TokenBatch::new(&texts)?;
            let embedded = classifier.embedding().lookup(batch.ids())?;
            let packed = PackedSequence::new(embedded, batch.packing().clone())?;
            let trace = classifier.lstm().trace(&packed, None)?;
            for (layer, directions) in trace.layers.iter().enumerate() {
                for direction in 0..directions.len() {
                    for (sequence, text) in texts.iter().enumerate() {
                        let steps = Steps::of(&trace, None, sequence, (layer, direction))?;
                        tally.add(&steps, text)?;
                    }
                }
            }
            tokens += batch.ids().len();
        }
    }
    let lstm = classifier.lstm().config();
    let word = |id| tokenizer.vocabulary().and_then(|words| words.token(id)).unwrap_or_default();
    let token = |(id, counts): (u32, &Counts)| TokenBehaviour {
        token: word(id).to_owned(),
        id,
        count: counts.total() / lstm.hidden_size as u64,
        gates: Gates::of(counts),
    };
    let places = (0..lstm.num_layers)
        .flat_map(|layer| (0..lstm.num_directions()).map(move |direction| (layer, direction)));
    let memory = places.map(|(layer, direction)| DirectionBehaviour {
        layer,
        direction: direction_name(direction),
        gates: Gates::of(&tally.total(layer, direction)),
        tokens: tally.tokens(layer, direction).map(token).collect(),
    });
    Ok(SplitBehaviour {
        format: 1,
        taper: env!("CARGO_PKG_VERSION").into(),
        split: name.to_owned(),
        texts: split.len(),
        tokens,
        hidden_size: lstm.hidden_size,
        memory: memory.collect(),
    })
}
