//! Texts to ids, one at a time or on all threads.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::tokenize::Tokenizer;

impl Tokenizer {
    /// The ids of a text's tokens, in order; a word outside the vocabulary is the unknown one of
    /// [`Vocabulary::specials`]. Empty for an empty text, but for what a file's post-processor adds to every text.
    ///
    /// A text that holds `<unk>` or `<pad>` literally is cut like any other: `english` and `spacy` make `<`, `unk`, `>` of it,
    /// but `whitespace` leaves it whole, and it gets the special's id, here as in Python.
    ///
    /// [`Vocabulary::specials`]: crate::Vocabulary::specials
    ///
    /// # Errors
    /// [`Error::NoVocabulary`] before it has one.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let vocabulary = self.vocabulary().ok_or(Error::NoVocabulary)?;
        if let Some(library) = self.library() {
            return library.ids(text);
        }
        let mut ids = Vec::new();
        self.for_each_token(text, &mut |token| ids.push(vocabulary.id_or_unknown(token)))?;
        Ok(ids)
    }

    /// The ids of all texts, in the order of the texts, on rayon's threads; the same at any number of threads.
    ///
    /// # Errors
    /// [`Error::NoVocabulary`] before it has one.
    pub fn encode_all(&self, texts: &[impl AsRef<str> + Sync]) -> Result<Vec<Vec<u32>>> {
        if self.vocabulary().is_none() {
            return Err(Error::NoVocabulary);
        }
        texts.par_iter().map(|text| self.encode(text.as_ref())).collect()
    }
}
