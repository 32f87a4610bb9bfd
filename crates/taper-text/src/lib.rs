//! Text to tokens to ids; vocabulary; word vectors aligned to it. No data files of a training run, no tensors.
//!
#![doc = include_str!("../README.md")]

mod align;
mod chunk;
mod count;
mod encode;
mod error;
mod key;
mod normalize;
mod spacy;
mod tokenize;
mod vectors;
mod vocabulary;
mod words;

pub use align::{
    AlignOptions, Alignment, Case, Coverage, Gains, Missing, MissingWord, Reach, align, spellings,
};
pub use error::{Error, LineProblem, Result};
pub use normalize::Normalization;
pub use spacy::spacy_tokens;
pub use tokenize::Tokenizer;
pub use vectors::{FileReport, VectorFormat, Vectors, read_vectors, words_beside};
pub use vocabulary::{Specials, TokenCounts, Vocabulary, VocabularyOptions};
