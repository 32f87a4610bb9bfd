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
            let start = at;
            let mut kinds = 0;
            while at < bytes.len() {
                let kind = KINDS[usize::from(bytes[at])];
                if kind & SPACE != 0 && space(&bytes[at..]) > 0 {
                    break;
                }
                kinds |= kind;
                at += 1;
            }
            if start < at {
                let chunk = Span { start, end: at };
                let first = spans.len();
                match self.specials.get(&text[start..at]) {
                    Some(ends) => special::push_parts(start, ends, spans),
                    None if kinds == 0 => spans.push(chunk),
                    None => {
                        self.part(text, chunk, Use::All, &mut suffixes, spans);
                        rejoin |= spans.len() > first + 1
                            && self.rejoin.would_change(text, &spans[first..], &self.specials);
                    }
                }
            }
            // One space after a chunk goes without saying.
            let from = if at > 0 && bytes.get(at) == Some(&b' ') { at + 1 } else { at };
            while at < bytes.len() {
                match space(&bytes[at..]) {
                    0 => break,
                    width => at += width,
                }
            }
            if from < at {
                spans.push(Span { start: from, end: at });
            }
        }
        if rejoin {
            self.rejoin.apply(text, spans, &self.specials);
        }
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

/// [`KINDS`]: white space, or perhaps the first byte of it.
const SPACE: u8 = 1;
/// [`KINDS`]: something that a rule may be about.
const OTHER: u8 = 1 << 1;

/// What a byte may be; 0 for letters of ASCII, which no rule is about where there is nothing else.
const KINDS: [u8; 256] = {
    let mut kinds = [OTHER; 256];
    let mut at = 0;
    while at < kinds.len() {
        let byte = at as u8;
        if byte.is_ascii_alphabetic() {
            kinds[at] = 0;
        } else if matches!(byte, 9..=13 | 0x1c..=0x20 | 0xc2 | 0xe1..=0xe3) {
            kinds[at] = SPACE | OTHER;
        }
        at += 1;
    }
    kinds
};

/// The width in bytes of the white space that a text starts with, as Python's `str.isspace` sees it; 0 for none.
fn space(bytes: &[u8]) -> usize {
    match bytes {
        [9..=13 | 0x1c..=0x20, ..] => 1,
        [0xc2, 0x85 | 0xa0, ..] => 2,
        [0xe1, 0x9a, 0x80, ..]
        | [0xe2, 0x80, 0x80..=0x8a | 0xa8 | 0xa9 | 0xaf, ..]
        | [0xe2, 0x81, 0x9f, ..]
        | [0xe3, 0x80, 0x80, ..] => 3,
        _ => 0,
    }
}
