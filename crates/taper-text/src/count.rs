//! Counting the tokens of texts, on all threads.

use rayon::prelude::*;

use crate::error::Result;
use crate::tokenize::Tokenizer;
use crate::vocabulary::TokenCounts;

impl TokenCounts {
    /// Cuts one text and counts its tokens.
    pub fn add_text(&mut self, text: &str, tokenizer: &Tokenizer) -> Result<()> {
        tokenizer.for_each_token(text, &mut |token| self.add(token))
    }

    /// Counts the tokens of all texts, on rayon's threads.
    pub fn counts_of(
        texts: &[impl AsRef<str> + Sync],
        tokenizer: &Tokenizer,
    ) -> Result<TokenCounts> {
        texts
            .par_iter()
            .try_fold(TokenCounts::new, |mut counts, text| {
                counts.add_text(text.as_ref(), tokenizer)?;
                Ok(counts)
            })
            .try_reduce(TokenCounts::new, |mut left, mut right| {
                if left.distinct() < right.distinct() {
                    std::mem::swap(&mut left, &mut right);
                }
                left.merge(right);
                Ok(left)
            })
    }
}
