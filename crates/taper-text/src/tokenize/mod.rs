//! Texts to tokens: a named pipeline run directly, or any pipeline of a `tokenizer.json`, run by its own library.

mod cut;
mod english;
mod library;
mod likeness;
mod pattern;
mod portable;
mod shape;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::chunk::Caches;
use crate::error::{Error, Result};
use crate::normalize::Normalization;
use crate::vocabulary::Vocabulary;
pub(crate) use cut::Cut;
use library::Library;
use portable::Portable;

/// Cuts texts into tokens and, once it has a vocabulary, turns them into ids.
///
/// What it does can be written as a portable `tokenizer.json`, which the `tokenizers` library loads, in Rust or in
/// Python. There the ids are the same; but for `spacy`, whose portable form is a likeness. And a `tokenizer.json` from
/// anywhere (BPE, `WordPiece`, Unigram) is read as it is, with the ids that Python gives.
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
    /// Of this engine with this vocabulary; clones share them.
    caches: Arc<Caches>,
}

/// How the cutting is done.
#[derive(Debug)]
enum Engine {
    /// A pipeline of this crate: known by name, run without alignments.
    Named { name: &'static str, normalization: Normalization, cut: Cut },
    /// Somebody else's file, run by `tokenizers`.
    Library(Box<Library>),
}

impl Tokenizer {
    /// The names that [`Tokenizer::named`] knows.
    pub const NAMES: &[&str] = &["english", "spacy", "unicode", "whitespace"];

    /// Whether a name is meant as the path of a `tokenizer.json`: it ends in `.json`, or has a folder in it.
    pub fn is_path(name: &str) -> bool {
        name.contains(['/', '\\']) || Path::new(name).extension().is_some_and(|e| e == "json")
    }

    /// A tokenizer by name ([`Tokenizer::named`]), or the `tokenizer.json` at a path ([`Tokenizer::load`]), which has a
    /// normalization of its own.
    ///
    /// # Errors
    /// Those of the two.
    pub fn open(name: &str, normalization: Normalization) -> Result<Tokenizer> {
        if Self::is_path(name) {
            Self::load(Path::new(name))
        } else {
            Self::named(name, normalization)
        }
    }

    /// A tokenizer by name, without a vocabulary.
    ///
    /// `english` cuts as the Penn Treebank and spaCy do: contractions (`do n't`, `'s`), punctuation, words on either
    /// side of a hyphen or slash apart; ellipses, numbers with separators, `Mr.`, `U.S.`, `R&B`, `O'Brien` whole.
    /// `spacy` gives the tokens of spaCy's blank English tokenizer, white space included ([`crate::spacy_tokens`]).
    /// `unicode` gives runs of word characters (letters, marks, digits, underscores of any script) and runs of anything
    /// else that is no white space; `whitespace` cuts at white space only.
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
            "unicode" => Cut::unicode()?,
            _ => Cut::Whitespace,
        };
        let engine = Arc::new(Engine::Named { name, normalization, cut });
        Ok(Tokenizer { engine, vocabulary: None, caches: Arc::default() })
    }

    /// The name this tokenizer goes by; `None` for a pipeline read from a file that is not one of [`Self::NAMES`].
    pub fn name(&self) -> Option<&'static str> {
        match &*self.engine {
            Engine::Named { name, .. } => Some(name),
            Engine::Library(_) => None,
        }
    }

    /// The normalization of a named tokenizer.
    pub fn normalization(&self) -> Option<Normalization> {
        match &*self.engine {
            Engine::Named { normalization, .. } => Some(*normalization),
            Engine::Library(_) => None,
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
            Engine::Library(library) => {
                library.tokens(text)?.iter().for_each(|token| visit(token));
                Ok(())
            }
        }
    }

    /// The tokens of a text as it stands: nothing is normalised or lower-cased first.
    ///
    /// # Errors
    /// For one that was read from a file of another's: its steps are the file's.
    pub fn raw_tokens(&self, text: &str) -> Result<Vec<String>> {
        let Some((_, cut)) = self.steps() else {
            return Err(Error::Pipeline(
                "what this file does before it cuts is its own".to_owned(),
            ));
        };
        let mut tokens = Vec::new();
        cut.for_each(text, &mut |token| tokens.push(token.to_owned()));
        Ok(tokens)
    }

    /// The same tokenizer with a vocabulary, so that it can encode.
    ///
    /// # Errors
    /// For one that was read from a file of another's: it has its own.
    pub fn with_vocabulary(&self, vocabulary: &Vocabulary) -> Result<Tokenizer> {
        if self.library().is_some() {
            return Err(Error::Pipeline("this file's vocabulary is its own".to_owned()));
        }
        let vocabulary = Some(Arc::new(vocabulary.clone()));
        Ok(Tokenizer { engine: Arc::clone(&self.engine), vocabulary, caches: Arc::default() })
    }

    /// The vocabulary, where there is one.
    pub fn vocabulary(&self) -> Option<&Vocabulary> {
        self.vocabulary.as_deref()
    }

    /// Sections of the file that are not applied: `truncation`, `padding`.
    pub fn ignored(&self) -> &[&'static str] {
        self.library().map_or(&[], |library| &library.ignored)
    }

    pub(crate) fn library(&self) -> Option<&Library> {
        match &*self.engine {
            Engine::Named { .. } => None,
            Engine::Library(library) => Some(library),
        }
    }

    /// What [`Tokenizer::for_each_token`] does of a named tokenizer: normalise, then cut.
    pub(crate) fn steps(&self) -> Option<(Normalization, &Cut)> {
        match &*self.engine {
            Engine::Named { normalization, cut, .. } => Some((*normalization, cut)),
            Engine::Library(_) => None,
        }
    }

    pub(crate) fn caches(&self) -> &Caches {
        &self.caches
    }

    /// The pipeline of a named tokenizer as `tokenizers` runs it.
    fn portable(&self) -> Result<Portable> {
        match &*self.engine {
            Engine::Named { normalization, cut, .. } => Ok(Portable {
                normalizer: Some(normalization.portable()?),
                pre_tokenizer: Some(cut.portable()?),
            }),
            Engine::Library(_) => {
                Err(Error::Pipeline("this file is its own portable form".to_owned()))
            }
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
