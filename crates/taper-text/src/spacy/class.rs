//! What kind of character one is, by table: one look-up answers every question of the rules.

use super::alphabet::{DIGITS, ICONS, LOWER, OTHER_LETTERS, UNCASED, UPPER};
use super::rules;

/// A set of properties of a character.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Class(u16);

impl Class {
    /// Lower case, or of a script without case.
    pub(super) const LOWER: Class = Class(1);
    /// Upper case, or of a script without case.
    pub(super) const UPPER: Class = Class(1 << 1);
    /// A letter, of any case.
    pub(super) const LETTER: Class = Class(1 << 2);
    /// `0` to `9` and no other digit.
    pub(super) const DIGIT: Class = Class(1 << 3);
    /// A digit of any script.
    pub(super) const ANY_DIGIT: Class = Class(1 << 4);
    /// An opening or closing quote.
    pub(super) const QUOTE: Class = Class(1 << 5);
    /// A token of its own at the start of a chunk, whatever follows.
    pub(super) const PREFIX: Class = Class(1 << 6);
    /// A token of its own at the end of a chunk, whatever precedes.
    pub(super) const SUFFIX: Class = Class(1 << 7);
    /// A token of its own in the middle of a chunk, whatever surrounds it.
    pub(super) const INFIX: Class = Class(1 << 8);
    /// A full stop at the end of a chunk is a token of its own after this.
    pub(super) const BEFORE_STOP: Class = Class(1 << 9);

    /// Whether it has any of these properties.
    pub(super) fn is(self, any: Class) -> bool {
        self.0 & any.0 != 0
    }

    /// The properties of both.
    pub(super) const fn or(self, other: Class) -> Class {
        Class(self.0 | other.0)
    }
}

const PAGE: usize = 256;

/// The classes of all characters, in pages of 256; pages that are alike are kept once.
#[derive(Debug)]
pub(super) struct Classes {
    pages: Vec<[Class; PAGE]>,
    page_of: Vec<u8>,
}

impl Classes {
    pub(super) fn new() -> Classes {
        let mut all = vec![Class::default(); char::MAX as usize + 1];
        let mut mark = |characters: &str, class: Class| {
            for range in ranges(characters) {
                for character in range {
                    all[character as usize] = all[character as usize].or(class);
                }
            }
        };
        mark(LOWER, Class::LOWER.or(Class::LETTER));
        mark(UPPER, Class::UPPER.or(Class::LETTER));
        mark(UNCASED, Class::LOWER.or(Class::UPPER).or(Class::LETTER));
        mark(OTHER_LETTERS, Class::LETTER);
        mark(DIGITS, Class::ANY_DIGIT);
        mark("0-9", Class::DIGIT.or(Class::BEFORE_STOP));
        for lower in [LOWER, UNCASED] {
            mark(lower, Class::BEFORE_STOP);
        }
        for (each, class) in [
            (rules::QUOTES, Class::QUOTE),
            (rules::PREFIXES, Class::PREFIX),
            (rules::CURRENCY, Class::PREFIX),
            (rules::SUFFIXES, Class::SUFFIX),
            (rules::BEFORE_STOP, Class::BEFORE_STOP),
        ] {
            each.chars().for_each(|one| mark(one.encode_utf8(&mut [0; 4]), class));
        }
        let ends = Class::PREFIX.or(Class::SUFFIX);
        for each in [rules::PUNCTUATION, rules::QUOTES] {
            each.chars()
                .for_each(|one| mark(one.encode_utf8(&mut [0; 4]), ends.or(Class::BEFORE_STOP)));
        }
        mark(ICONS, ends.or(Class::INFIX));
        mark("…", Class::INFIX);

        let (mut pages, mut page_of): (Vec<[Class; PAGE]>, Vec<u8>) = (Vec::new(), Vec::new());
        for page in all.as_chunks::<PAGE>().0 {
            let known = pages.iter().position(|known| known == page);
            page_of.push(known.unwrap_or(pages.len()) as u8);
            if known.is_none() {
                pages.push(*page);
            }
        }
        Classes { pages, page_of }
    }

    /// The class of a character.
    pub(super) fn of(&self, character: char) -> Class {
        let code = character as usize;
        self.pages[usize::from(self.page_of[code / PAGE])][code % PAGE]
    }

    /// Whether the character, where there is one, has any of these properties.
    pub(super) fn are(&self, character: Option<char>, any: Class) -> bool {
        character.is_some_and(|character| self.of(character).is(any))
    }
}

/// The ranges of a class written as regular expressions write it: `a-zß-ö_`.
fn ranges(notation: &str) -> impl Iterator<Item = std::ops::RangeInclusive<char>> {
    let mut rest = notation.chars().peekable();
    std::iter::from_fn(move || {
        let first = rest.next()?;
        let last = if rest.next_if_eq(&'-').is_some() { rest.next() } else { None };
        Some(first..=last.unwrap_or(first))
    })
}
