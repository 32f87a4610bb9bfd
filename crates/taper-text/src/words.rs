//! Numbers of words. Nearly all words are short: they are looked up as numbers themselves, and no string is fetched.

use foldhash::{HashMap, HashMapExt as _};

use crate::key::Key;

/// From words to numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct WordMap {
    short: HashMap<Key, u32>,
    /// Words that have no key.
    others: HashMap<String, u32>,
    /// Bytes of the longest: what is longer is not read.
    longest: usize,
}

impl WordMap {
    /// With room for so many words.
    pub(crate) fn with_capacity(words: usize) -> Self {
        WordMap { short: HashMap::with_capacity(words), ..Self::default() }
    }

    pub(crate) fn get(&self, word: &str) -> Option<u32> {
        match Key::of(word.as_bytes()) {
            Some(key) => self.short.get(&key).copied(),
            None if word.len() > self.longest => None,
            None => self.others.get(word).copied(),
        }
    }

    /// Gives the number that the word had before.
    pub(crate) fn insert(&mut self, word: &str, number: u32) -> Option<u32> {
        if let Some(key) = Key::of(word.as_bytes()) {
            return self.short.insert(key, number);
        }
        self.longest = self.longest.max(word.len());
        self.others.insert(word.to_owned(), number)
    }

    pub(crate) fn len(&self) -> usize {
        self.short.len() + self.others.len()
    }
}

impl<W: AsRef<str>> FromIterator<(W, u32)> for WordMap {
    fn from_iter<I: IntoIterator<Item = (W, u32)>>(words: I) -> Self {
        let words = words.into_iter();
        let mut map = Self::with_capacity(words.size_hint().0);
        for (word, number) in words {
            map.insert(word.as_ref(), number);
        }
        map
    }
}
