//! English cut as spaCy's blank English tokenizer cuts it: its algorithm, its rules, its special cases, byte for byte.
//!
//! A text is parted at white space. Each chunk is a special case, or loses a prefix and a suffix at a time until it is
//! one or nothing more comes off; what is left is an address, or is parted at its infixes. At last, special cases that
//! the rules took apart are put together. Where spaCy asks regular expressions, a table of classes of characters is
//! asked here, and every chunk is read a fixed number of times, whatever it holds.

mod alphabet;
mod class;
mod rules;
mod special;
#[cfg(test)]
mod tests;
mod url;

use std::ops::Range;
use std::sync::LazyLock;

pub(crate) use rules::{CURRENCY, PUNCTUATION, QUOTES};

use crate::chunk::Space;
use rules::Rules;
use special::{Rejoin, Specials};

/// The tokens of a text as spaCy's blank English tokenizer cuts it, as ranges of bytes; nothing is normalised.
///
/// White space is a token, but for one space after a word. Time and memory are linear in the text.
///
/// ```
/// let text = "Isn't it   \"great\":)";
/// let tokens: Vec<&str> = taper_text::spacy_tokens(text).into_iter().map(|range| &text[range]).collect();
/// assert_eq!(tokens, ["Is", "n't", "it", "  ", "\"", "great", "\"", ":)"]);
/// ```
pub fn spacy_tokens(text: &str) -> Vec<Range<usize>> {
    spans(text).into_iter().map(|span| span.start..span.end).collect()
}

/// The bytes of a token in its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

static SCANNER: LazyLock<Scanner> = LazyLock::new(Scanner::new);

/// As [`spacy_tokens`].
pub(crate) fn spans(text: &str) -> Vec<Span> {
    let mut spans = Vec::with_capacity(text.len() / 4);
    SCANNER.cut(text, &mut spans);
    spans
}

/// Room for the tokens of a chunk, to be used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    suffixes: Vec<Span>,
    spans: Vec<Span>,
}

/// The tokens of a chunk; `None` where they are a matter of the whole text.
pub(crate) fn spans_of_chunk<'s>(chunk: &str, scratch: &'s mut Scratch) -> Option<&'s [Span]> {
    let Scratch { suffixes, spans } = scratch;
    spans.clear();
    let rejoin = SCANNER.cut_chunk(chunk, Span { start: 0, end: chunk.len() }, suffixes, spans);
    (!rejoin).then_some(spans)
}

/// What spaCy takes for white space.
pub(crate) const SPACE: Space = Space::Python;

/// A special case, for those who describe the cut in another way.
#[derive(Debug)]
pub(crate) struct SpecialCase {
    pub(crate) tokens: Vec<&'static str>,
    /// Whether the rules would take it apart, so that it is put together again wherever its parts stand together.
    pub(crate) rejoined: bool,
}

/// All special cases.
pub(crate) fn special_cases() -> impl Iterator<Item = SpecialCase> {
    special::exceptions().map(|tokens| {
        let rejoined = SCANNER.rules.apply(&tokens.concat());
        SpecialCase { tokens, rejoined }
    })
}

/// Rules and special cases, ready to cut.
#[derive(Debug)]
struct Scanner {
    rules: Rules,
    specials: Specials,
    rejoin: Rejoin,
}

/// Whether special cases count: they do, except where one is cut itself to see what the rules make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    All,
    RulesOnly,
}

impl Scanner {
    fn new() -> Scanner {
        let mut scanner =
            Scanner { rules: Rules::new(), specials: Specials::new(), rejoin: Rejoin::default() };
        let mut rejoin = Rejoin::default();
        for text in scanner.specials.texts() {
            if scanner.rules.apply(text) {
                let mut spans = Vec::new();
                let chunk = Span { start: 0, end: text.len() };
                scanner.part(text, chunk, Use::RulesOnly, &mut Vec::new(), &mut spans);
                rejoin.add(spans.iter().map(|span| &text[span.start..span.end]));
            }
        }
        scanner.rejoin = rejoin;
        scanner
    }

    fn cut(&self, text: &str, spans: &mut Vec<Span>) {
        let bytes = text.as_bytes();
        let mut suffixes = Vec::new();
        let mut rejoin = false;
        let mut at = 0;
        while at < bytes.len() {
            let (end, _) = SPACE.chunk(bytes, at);
            if at < end {
                rejoin |= self.cut_chunk(text, Span { start: at, end }, &mut suffixes, spans);
            }
            at = SPACE.gap(bytes, end);
            spans.extend(space_token(bytes, end, at));
        }
        if rejoin {
            self.rejoin.apply(text, spans, &self.specials);
        }
    }

    /// Appends the tokens of a chunk; whether special cases that the rules took apart are to be put together, for which
    /// the chunks around it matter too.
    fn cut_chunk(
        &self,
        text: &str,
        chunk: Span,
        suffixes: &mut Vec<Span>,
        spans: &mut Vec<Span>,
    ) -> bool {
        let piece = &text[chunk.start..chunk.end];
        if let Some(ends) = self.specials.get(piece) {
            special::push_parts(chunk.start, ends, spans);
        } else if piece.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            // No rule is about letters where there is nothing else.
            spans.push(chunk);
        } else {
            let first = spans.len();
            self.part(text, chunk, Use::All, suffixes, spans);
            return spans.len() > first + 1
                && self.rejoin.would_change(text, &spans[first..], &self.specials);
        }
        false
    }

    /// Parts a chunk that is no special case as a whole.
    fn part(
        &self,
        text: &str,
        chunk: Span,
        specials: Use,
        suffixes: &mut Vec<Span>,
        spans: &mut Vec<Span>,
    ) {
        let special = |piece: &str| match specials {
            Use::All => self.specials.get(piece),
            Use::RulesOnly => None,
        };
        suffixes.clear();
        let Span { mut start, mut end } = chunk;
        let mut core = None;
        while start < end {
            let piece = &text[start..end];
            let prefix = self.rules.prefix(piece);
            if prefix > 0 {
                spans.push(Span { start, end: start + prefix });
                core = special(&piece[prefix..]);
                if core.is_some() {
                    start += prefix;
                    break;
                }
            }
            let suffix = self.rules.suffix(&piece[prefix..]);
            if suffix > 0 {
                core = special(&piece[..piece.len() - suffix]);
                if core.is_some() {
                    // The prefix is part of the special case after all.
                    if prefix > 0 {
                        spans.pop();
                    }
                    suffixes.push(Span { start: end - suffix, end });
                    end -= suffix;
                    break;
                }
                suffixes.push(Span { start: end - suffix, end });
            }
            if prefix + suffix == 0 {
                break;
            }
            start += prefix;
            end -= suffix;
            // With only one of them gone, the rest has been looked up above.
            if prefix > 0 && suffix > 0 {
                core = special(&text[start..end]);
                if core.is_some() {
                    break;
                }
            }
        }
        match core {
            Some(ends) => special::push_parts(start, ends, spans),
            None if start < end => self.part_core(text, Span { start, end }, spans),
            None => {}
        }
        spans.extend(suffixes.iter().rev());
    }

    /// Parts what has neither prefix nor suffix.
    fn part_core(&self, text: &str, core: Span, spans: &mut Vec<Span>) {
        let piece = &text[core.start..core.end];
        let mut from = 0;
        let mut infix = self.rules.infix(piece, 0);
        if infix.is_some() && piece.contains('.') && url::is_address(piece, &self.rules.classes) {
            infix = None;
        }
        while let Some((start, end)) = infix {
            // spaCy passes over an infix at the very front.
            if start > 0 {
                if start > from {
                    spans.push(Span { start: core.start + from, end: core.start + start });
                }
                spans.push(Span { start: core.start + start, end: core.start + end });
                from = end;
            }
            infix = self.rules.infix(piece, end);
        }
        if from < piece.len() {
            spans.push(Span { start: core.start + from, end: core.end });
        }
    }
}

/// The token between two chunks: white space from `start` to `end`, of which one space after a chunk goes without saying.
pub(crate) fn space_token(text: &[u8], start: usize, end: usize) -> Option<Span> {
    let start = start + usize::from(start > 0 && text.get(start) == Some(&b' '));
    (start < end).then_some(Span { start, end })
}
