//! Texts to tokens: a named pipeline run directly, or any portable pipeline read from a `tokenizer.json`.

mod cut;
mod english;
mod likeness;
mod portable;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::normalize::Normalization;
use crate::vocabulary::Vocabulary;
use cut::Cut;
use portable::Portable;

/// Cuts texts into tokens and, once it has a vocabulary, turns them into ids.
///
/// What it does can be written as a portable `tokenizer.json`, which the `tokenizers` library loads, in Rust or in
/// Python. There the ids are the same; but for `spacy`, whose portable form is a likeness.
///
/// ```
/// use taper_text::{Normalization, Tokenizer};
/// let tokenizer = Tokenizer::named("english", Normalization::default())?;
/// assert_eq!(tokenizer.tokens("Mr. Bean's film isn't bad...<br />8/10!")?,
///            ["Mr.", "Bean", "'s", "film", "is", "n't", "bad", "...", "8/10", "!"]);
/// # Ok::<(), taper_text::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tokenizer {
    engine: Arc<Engine>,
    vocabulary: Option<Arc<Vocabulary>>,
}

/// How the cutting is done.
#[derive(Debug)]
enum Engine {
    /// A pipeline of this crate: known by name, run without alignments.
    Named { name: &'static str, normalization: Normalization, cut: Cut },
    /// Somebody else's pipeline, run by `tokenizers`.
    Foreign(Box<Portable>),
}

impl Tokenizer {
    /// The names that [`Tokenizer::named`] knows.
    pub const NAMES: &[&str] = &["english", "spacy", "whitespace"];

    /// A tokenizer by name, without a vocabulary.
    ///
    /// `english` cuts as the Penn Treebank and spaCy do: contractions (`do n't`, `'s`), punctuation, words on either
    /// side of a hyphen or slash apart; ellipses, numbers with separators, `Mr.`, `U.S.`, `R&B`, `O'Brien` whole.
    /// `spacy` gives the tokens of spaCy's blank English tokenizer, white space included ([`crate::spacy_tokens`]).
    /// `whitespace` cuts at white space only.
    ///
    /// # Errors
    /// [`Error::UnknownTokenizer`] for any other name.
    pub fn named(name: &str, normalization: Normalization) -> Result<Tokenizer> {
        let Some(name) = Self::NAMES.iter().find(|known| **known == name) else {
            return Err(Error::UnknownTokenizer { name: name.to_owned(), known: Self::NAMES });
        };
        let cut = match *name {
            "english" => Cut::english()?,
            "spacy" => Cut::Spacy,
            _ => Cut::Whitespace,
        };
        let engine = Arc::new(Engine::Named { name, normalization, cut });
        Ok(Tokenizer { engine, vocabulary: None })
    }

    /// The name this tokenizer goes by; `None` for a pipeline read from a file that is not one of [`Self::NAMES`].
    pub fn name(&self) -> Option<&'static str> {
        match &*self.engine {
            Engine::Named { name, .. } => Some(name),
            Engine::Foreign(_) => None,
        }
    }

    /// The normalization of a named tokenizer.
    pub fn normalization(&self) -> Option<Normalization> {
        match &*self.engine {
            Engine::Named { normalization, .. } => Some(*normalization),
            Engine::Foreign(_) => None,
        }
    }

    /// The tokens of a text, in order; none for an empty text.
    pub fn tokens(&self, text: &str) -> Result<Vec<String>> {
        let mut tokens = Vec::new();
        self.for_each_token(text, &mut |token| tokens.push(token.to_owned()))?;
        Ok(tokens)
    }

    /// Visits the tokens of a text in order, without keeping them.
    pub fn for_each_token(&self, text: &str, visit: &mut dyn FnMut(&str)) -> Result<()> {
        match &*self.engine {
            Engine::Named { normalization, cut, .. } => {
                cut.for_each(&normalization.apply(text), visit);
                Ok(())
            }
            Engine::Foreign(portable) => portable.for_each(text, visit),
        }
    }

    /// The same tokenizer with a vocabulary, so that it can encode.
    pub fn with_vocabulary(&self, vocabulary: &Vocabulary) -> Result<Tokenizer> {
        let vocabulary = Some(Arc::new(vocabulary.clone()));
        Ok(Tokenizer { engine: Arc::clone(&self.engine), vocabulary })
    }

    /// The vocabulary, where there is one.
    pub fn vocabulary(&self) -> Option<&Vocabulary> {
        self.vocabulary.as_deref()
    }

    /// The pipeline as `tokenizers` runs it.
    fn portable(&self) -> Result<Portable> {
        match &*self.engine {
            Engine::Named { normalization, cut, .. } => Ok(Portable {
                normalizer: Some(normalization.portable()?),
                pre_tokenizer: Some(cut.portable()?),
            }),
            Engine::Foreign(portable) => Ok(Portable::clone(portable)),
        }
    }

    /// The named tokenizer whose portable form is this one, so that it can run directly.
    fn recognise(normalizer: &Value, pre_tokenizer: &Value) -> Result<Option<Tokenizer>> {
        for name in Self::NAMES {
            for lowercase in [false, true] {
                let normalization = Normalization { lowercase };
                if !Cut::may_be(name, pre_tokenizer)
                    || !portable::says(&normalization.portable()?, normalizer)?
                {
                    continue;
                }
                let candidate = Tokenizer::named(name, normalization)?;
                if portable::says(&candidate.portable()?.pre_tokenizer, pre_tokenizer)? {
                    return Ok(Some(candidate));
                }
            }
        }
        Ok(None)
    }
}
