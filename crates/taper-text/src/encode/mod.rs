//! Texts to ids, one at a time or on all threads.
//!
//! Named tokenizers cut what stands between white space for itself, so the ids of a chunk are kept, and a text is little
//! more than a look-up a chunk. [`Tokenizer::for_each_token`] knows no cache; tests hold its tokens to these ids.

#[cfg(test)]
mod tests;

use rayon::prelude::*;

use crate::chunk::Cache;
use crate::error::{Error, Result};
use crate::spacy::Scratch;
use crate::tokenize::Tokenizer;
use crate::vocabulary::Vocabulary;

impl Tokenizer {
    /// The ids of a text's tokens, in order; a word outside the vocabulary is the unknown one of
    /// [`Vocabulary::specials`]. Empty for an empty text, but for what a file's post-processor adds to every text.
    ///
    /// A text that holds `<unk>` or `<pad>` literally is cut like any other: all make `<`, `unk`, `>` of it,
    /// but `whitespace` leaves it whole, and it gets the special's id, here as in Python.
    ///
    /// A named tokenizer remembers the ids of chunks, in 2 MiB for each thread that encodes at the same time.
    ///
    /// # Errors
    /// [`Error::NoVocabulary`] before it has one.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.encode_with(&mut self.caches().take(), text)
    }

    /// The ids of all texts, in the order of the texts, on rayon's threads; the same at any number of threads.
    ///
    /// # Errors
    /// [`Error::NoVocabulary`] before it has one.
    pub fn encode_all(&self, texts: &[impl AsRef<str> + Sync]) -> Result<Vec<Vec<u32>>> {
        if self.vocabulary().is_none() {
            return Err(Error::NoVocabulary);
        }
        let cache = || self.caches().take();
        texts
            .par_iter()
            .map_init(cache, |cache, text| self.encode_with(cache, text.as_ref()))
            .collect()
    }

    fn encode_with(&self, cache: &mut Cache, text: &str) -> Result<Vec<u32>> {
        let vocabulary = self.vocabulary().ok_or(Error::NoVocabulary)?;
        if let Some(library) = self.library() {
            return library.ids(text);
        }
        if let Some(ids) = self.encode_chunks(cache, text, vocabulary) {
            return Ok(ids);
        }
        let mut ids = Vec::new();
        self.for_each_token(text, &mut |token| ids.push(vocabulary.id_or_unknown(token)))?;
        Ok(ids)
    }

    /// The ids chunk by chunk; `None` where one cannot be cut for itself.
    fn encode_chunks(
        &self,
        cache: &mut Cache,
        text: &str,
        vocabulary: &Vocabulary,
    ) -> Option<Vec<u32>> {
        let (normalization, cut) = self.steps()?;
        let text = normalization.apply(text);
        let (bytes, space) = (text.as_bytes(), cut.space());
        // English has a token in five bytes or so.
        let mut ids = Vec::with_capacity(text.len() / 4);
        let mut scratch = Scratch::default();
        let mut at = 0;
        while at < bytes.len() {
            let (end, key) = space.chunk(bytes, at);
            if at < end && !key.is_some_and(|key| cache.append(key, &mut ids)) {
                let first = ids.len();
                let id = &mut |token: &str| ids.push(vocabulary.id_or_unknown(token));
                if !cut.part(&text[at..end], &mut scratch, id) {
                    return None;
                }
                if let Some(key) = key {
                    cache.keep(key, &ids[first..]);
                }
            }
            if at < end && single_space(bytes, end) {
                at = end + 1;
                continue;
            }
            at = space.gap(bytes, end);
            if let Some(token) = cut.space_token(&text, end, at) {
                ids.push(vocabulary.id_or_unknown(token));
            }
        }
        Some(ids)
    }
}

/// Whether there is one space, and then anything of ASCII that is seen: between nearly all chunks.
fn single_space(text: &[u8], at: usize) -> bool {
    matches!(text.get(at..), Some([b' ', b'!'..=b'~', ..]))
}
