//! Special cases: chunks whose tokens are written down, and the runs of tokens that are put together again to be one.

use foldhash::HashMap;

use super::Span;
use crate::words::WordMap;

/// A special case a line, its tokens apart by a space; written by `generate.py`.
const EXCEPTIONS: &str = include_str!("exceptions.txt");

/// The tokens of each special case.
pub(super) fn exceptions() -> impl Iterator<Item = Vec<&'static str>> {
    EXCEPTIONS.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect())
}

/// The special cases by their text.
#[derive(Debug)]
pub(super) struct Specials {
    numbers: FewWords,
    texts: Vec<String>,
    /// Where each token of each ends, in bytes.
    ends: Vec<Vec<usize>>,
}

impl Specials {
    pub(super) fn new() -> Specials {
        let texts: Vec<String> = exceptions().map(|tokens| tokens.concat()).collect();
        let ends_of = |tokens: Vec<&str>| {
            let ends = tokens.iter().scan(0, |end, token| {
                *end += token.len();
                Some(*end)
            });
            ends.collect()
        };
        let mut numbers = FewWords::default();
        texts.iter().zip(0..).for_each(|(text, number)| numbers.insert(text, number));
        Specials { numbers, ends: exceptions().map(ends_of).collect(), texts }
    }

    /// The ends of the tokens of this text, where it is a special case.
    pub(super) fn get(&self, text: &str) -> Option<&[usize]> {
        self.ends.get(self.numbers.get(text)? as usize).map(Vec::as_slice)
    }

    /// The texts of all special cases.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }
}

/// A map of few words, which is asked for many that are not among them: it mostly need not look.
#[derive(Debug, Default)]
struct FewWords {
    numbers: WordMap,
    /// By six bits each of its first and its last byte, a bit for each length.
    lengths: Vec<u16>,
}

impl FewWords {
    fn get(&self, word: &str) -> Option<u32> {
        let (place, length) = Self::shape(word);
        if self.lengths.get(place)? & length == 0 { None } else { self.numbers.get(word) }
    }

    fn insert(&mut self, word: &str, number: u32) {
        let (place, length) = Self::shape(word);
        self.lengths.resize(1 << 12, 0);
        self.lengths[place] |= length;
        self.numbers.insert(word, number);
    }

    fn shape(word: &str) -> (usize, u16) {
        let bits = |byte: Option<&u8>| usize::from(byte.copied().unwrap_or_default() & 63);
        let bytes = word.as_bytes();
        (bits(bytes.first()) << 6 | bits(bytes.last()), 1 << (bytes.len() % 16))
    }
}

/// The special cases as what the rules alone make of them, which a text may hold apart: `:` and `)` at the end of `good:)`.
#[derive(Debug, Default)]
pub(super) struct Rejoin {
    tokens: FewWords,
    /// The longest token that one of them begins with.
    longest_first: usize,
    /// From a state (0 at first) and the next token to the next state.
    next: HashMap<(u32, u32), u32>,
    /// Whether a special case ends in a state.
    terminal: Vec<bool>,
}

impl Rejoin {
    /// Adds one special case.
    pub(super) fn add<'t>(&mut self, tokens: impl Iterator<Item = &'t str>) {
        if self.terminal.is_empty() {
            self.terminal.push(false);
        }
        let mut state = 0;
        for token in tokens {
            if state == 0 {
                self.longest_first = self.longest_first.max(token.len());
            }
            let token = self.tokens.get(token).unwrap_or_else(|| {
                let fresh = self.tokens.numbers.len() as u32;
                self.tokens.insert(token, fresh);
                fresh
            });
            let fresh = self.terminal.len() as u32;
            state = *self.next.entry((state, token)).or_insert(fresh);
            if state == fresh {
                self.terminal.push(false);
            }
        }
        self.terminal[state as usize] = true;
    }

    /// The number of tokens of each special case that begins with the first of these tokens.
    fn lengths<'s>(&'s self, text: &'s str, spans: &'s [Span]) -> impl Iterator<Item = usize> + 's {
        let mut state = Some(0);
        let mut length = 0;
        let states = spans.iter().map_while(move |span| {
            let known = self.tokens.get(&text[span.start..span.end]);
            state =
                known.zip(state).and_then(|(token, state)| self.next.get(&(state, token)).copied());
            length += 1;
            state.map(|state| (state, length))
        });
        states.filter(|(state, _)| self.terminal[*state as usize]).map(|(_, length)| length)
    }

    /// Whether these tokens of one chunk hold a special case that is cut otherwise.
    pub(super) fn would_change(&self, text: &str, spans: &[Span], specials: &Specials) -> bool {
        let begins = |span: &Span| span.end - span.start <= self.longest_first;
        (0..spans.len()).filter(|first| begins(&spans[*first])).any(|first| {
            self.lengths(text, &spans[first..]).filter(|length| *length > 1).any(|length| {
                let run = &spans[first..first + length];
                let start = run[0].start;
                let ends = specials.get(&text[start..run[length - 1].end]);
                ends.is_some_and(|ends| {
                    !ends.iter().copied().eq(run.iter().map(|span| span.end - start))
                })
            })
        })
    }

    /// Puts the special cases of a text together: the longest first, then the first; what overlaps one before it, taken
    /// or not, is left. (`Tokenizer._apply_special_cases` of spaCy.)
    pub(super) fn apply(&self, text: &str, spans: &mut Vec<Span>, specials: &Specials) {
        let mut found: Vec<(usize, usize)> = (0..spans.len())
            .flat_map(|first| {
                self.lengths(text, &spans[first..]).map(move |length| (first, length))
            })
            .collect();
        found.sort_unstable_by_key(|(first, length)| (std::cmp::Reverse(*length), *first));
        let mut seen = vec![false; spans.len()];
        found.retain(|(first, length)| {
            let free = !seen[*first] && !seen[first + length - 1];
            seen[*first..first + length].fill(true);
            free
        });
        found.sort_unstable();
        let mut joined = Vec::with_capacity(spans.len());
        let mut kept = 0;
        for (first, length) in found {
            let (start, end) = (spans[first].start, spans[first + length - 1].end);
            // With a space within it is no special case.
            if let Some(ends) = specials.get(&text[start..end]) {
                joined.extend_from_slice(&spans[kept..first]);
                push_parts(start, ends, &mut joined);
                kept = first + length;
            }
        }
        joined.extend_from_slice(&spans[kept..]);
        *spans = joined;
    }
}

/// The tokens of a special case that starts at `start`.
pub(super) fn push_parts(start: usize, ends: &[usize], spans: &mut Vec<Span>) {
    let mut from = start;
    for end in ends {
        spans.push(Span { start: from, end: start + end });
        from = start + end;
    }
}
