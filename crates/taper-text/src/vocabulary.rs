//! Counting words and numbering them, with torchtext's semantics.

use foldhash::HashMap;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::words::WordMap;

/// How often each word occurs. The order of counting and merging makes no difference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenCounts {
    counts: HashMap<String, u64>,
    total: u64,
}

impl TokenCounts {
    /// Nothing counted.
    pub fn new() -> TokenCounts {
        TokenCounts::default()
    }

    /// Counts one token.
    pub fn add(&mut self, token: &str) {
        self.total += 1;
        if let Some(count) = self.counts.get_mut(token) {
            *count += 1;
        } else {
            self.counts.insert(token.to_owned(), 1);
        }
    }

    /// Adds the counts of another part of the data.
    pub fn merge(&mut self, other: TokenCounts) {
        self.total += other.total;
        if self.counts.is_empty() {
            self.counts = other.counts;
            return;
        }
        for (token, count) in other.counts {
            *self.counts.entry(token).or_insert(0) += count;
        }
    }

    /// Tokens counted, repeats included.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Different words counted.
    pub fn distinct(&self) -> usize {
        self.counts.len()
    }

    /// How often this word occurs.
    pub fn get(&self, token: &str) -> u64 {
        self.counts.get(token).copied().unwrap_or(0)
    }

    /// Words and counts, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(token, count)| (token.as_str(), *count))
    }
}

/// How many words a vocabulary takes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VocabularyOptions {
    /// At most so many words, the two specials not counted; `None` for all.
    pub max_size: Option<usize>,
    /// Only words that occur so often or more; 0 and 1 mean all.
    pub min_frequency: u64,
}

impl Default for VocabularyOptions {
    fn default() -> Self {
        VocabularyOptions { max_size: None, min_frequency: 1 }
    }
}

/// The ids that stand for no word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Specials {
    /// Stands for every word outside the vocabulary; some files have none.
    pub unknown: Option<u32>,
    /// Fills up a batch.
    pub padding: u32,
}

impl Default for Specials {
    /// Those of a vocabulary that is counted: `<unk>` is 0, `<pad>` is 1.
    fn default() -> Self {
        Specials { unknown: Some(Vocabulary::UNKNOWN), padding: Vocabulary::PADDING }
    }
}

impl Specials {
    /// What a text without tokens is read as: one unknown word; as padding where there is no unknown one.
    pub fn of_nothing(self) -> u32 {
        self.unknown.unwrap_or(self.padding)
    }

    /// Whether an id is one of them.
    pub fn contains(self, id: u32) -> bool {
        self.unknown == Some(id) || self.padding == id
    }
}

/// Words and their ids. Counted: `<unk>` is 0, `<pad>` is 1, then words by count, ties in code-point order. Of a
/// `tokenizer.json` from anywhere: as they stand there, the two specials anywhere among them ([`Vocabulary::specials`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    tokens: Vec<String>,
    ids: WordMap,
    specials: Specials,
}

impl Vocabulary {
    /// The id of `<unk>` in a counted vocabulary, which stands for every word outside.
    pub const UNKNOWN: u32 = 0;
    /// The id of `<pad>` in a counted vocabulary, which fills up a batch and is no word.
    pub const PADDING: u32 = 1;
    /// The two special tokens of a counted vocabulary, in the order of their ids.
    pub const SPECIALS: [&'static str; 2] = ["<unk>", "<pad>"];

    /// Numbers the counted words: the most frequent first, words of one count in code-point order.
    ///
    /// A text that contains `<unk>` or `<pad>` literally gives no second entry: the specials keep their ids.
    ///
    /// # Errors
    /// [`Error::EmptyVocabulary`] where no word is left, [`Error::Option`] where `max_size` is 0 or beyond 32-bit ids.
    pub fn build(counts: &TokenCounts, options: &VocabularyOptions) -> Result<Vocabulary> {
        let expected = "at least 1 and less than 2^32 - 2";
        let limit = u32::MAX as usize - Self::SPECIALS.len();
        if let Some(size) = options.max_size.filter(|size| *size == 0 || *size > limit) {
            return Err(Error::Option { option: "max_size", found: size.to_string(), expected });
        }
        let mut words: Vec<(&str, u64)> = counts
            .iter()
            .filter(|(word, count)| {
                *count >= options.min_frequency && !Self::SPECIALS.contains(word)
            })
            .collect();
        if words.is_empty() {
            return Err(Error::EmptyVocabulary {
                tokens: counts.total(),
                distinct: counts.distinct(),
                min_frequency: options.min_frequency,
            });
        }
        words.sort_unstable_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(right.0)));
        words.truncate(options.max_size.unwrap_or(limit));
        let words = words.into_iter().map(|(word, _)| word);
        Self::from_tokens(Self::SPECIALS.into_iter().chain(words).map(str::to_owned).collect())
    }

    /// Takes words whose place is their id; the first two must be `<unk>` and `<pad>`.
    ///
    /// # Errors
    /// [`Error::VocabularyEntry`] where a special is missing, a word repeated, or no word follows the specials.
    pub fn from_tokens(tokens: Vec<String>) -> Result<Vocabulary> {
        let entry = |id: usize, found: String, expected: String| Error::VocabularyEntry {
            id,
            found,
            expected,
        };
        for (id, special) in Self::SPECIALS.into_iter().enumerate() {
            if tokens.get(id).is_none_or(|token| token != special) {
                let found =
                    tokens.get(id).map_or("nothing".to_owned(), |token| format!("`{token}`"));
                return Err(entry(id, found, format!("`{special}`")));
            }
        }
        if tokens.len() == Self::SPECIALS.len() || tokens.len() > u32::MAX as usize {
            return Err(entry(
                tokens.len(),
                format!("{} entries", tokens.len()),
                "3 to 2^32 - 1".to_owned(),
            ));
        }
        let mut ids = WordMap::with_capacity(tokens.len());
        for (id, token) in tokens.iter().enumerate() {
            if let Some(first) = ids.insert(token, id as u32) {
                let expected = format!("each word once (it is entry {first} already)");
                return Err(entry(id, format!("`{token}` again"), expected));
            }
        }
        Ok(Vocabulary { tokens, ids, specials: Specials::default() })
    }

    /// The tokens of a file, each once, in the order of their ids.
    pub(crate) fn of_file(tokens: Vec<String>, specials: Specials) -> Vocabulary {
        let ids = tokens.iter().zip(0..).collect();
        Vocabulary { tokens, ids, specials }
    }

    /// The ids that stand for no word.
    pub fn specials(&self) -> Specials {
        self.specials
    }

    /// Entries, the specials included.
    #[allow(clippy::len_without_is_empty)] // An empty vocabulary cannot be made.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The id of a word, `None` where it is outside the vocabulary.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token)
    }

    /// The id of a word, that of the unknown one where it is outside the vocabulary.
    pub fn id_or_unknown(&self, token: &str) -> u32 {
        self.id(token).unwrap_or(self.specials.of_nothing())
    }

    /// The word of an id.
    pub fn token(&self, id: u32) -> Option<&str> {
        self.tokens.get(id as usize).map(String::as_str)
    }

    /// All entries in the order of their ids, the specials included.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// The words with their ids, in the order of these, without the two specials.
    pub fn words(&self) -> impl Iterator<Item = (u32, &str)> {
        let all = (0..).zip(self.tokens.iter().map(String::as_str));
        all.filter(|(id, _)| !self.specials.contains(*id))
    }
}

#[cfg(test)]
mod tests;
