//! Unicode and markup: what is done to a text before it is cut. Never glues two words together.
//!
//! The same three steps exist twice: as a `tokenizers` normalizer, which goes into `tokenizer.json`, and as a
//! direct function, which keeps no alignments and is several times faster. Tests hold them equal.

use std::borrow::Cow;

use memchr::memchr_iter;
use tokenizers::NormalizerWrapper;
use tokenizers::normalizers::replace::{Replace, ReplacePattern};
use tokenizers::normalizers::{Lowercase, NFC, Sequence};
use unicode_normalization_alignments::UnicodeNormalization;

use crate::error::{Error, Result};

/// A `<br>` of any spelling: `<br />`, `<BR>`, `</br>`, `< br/ >`.
///
/// Written so that no two repetitions meet: a backtracking engine reads it in linear time too.
const BREAK: &str = r"<[ \t\r\n]*(?:/[ \t\r\n]*)?[bB][rR][ \t\r\n]*(?:/[ \t\r\n]*)?>";

/// What is done to a text before it is cut: NFC always, `<br />` becomes a line break always, case by choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Normalization {
    /// Fold to lower case, character by character.
    pub lowercase: bool,
}

impl Normalization {
    /// The text as the tokenizer sees it.
    ///
    /// ```
    /// let cased = taper_text::Normalization { lowercase: false };
    /// assert_eq!(cased.apply("Good.<br /><br />Bad."), "Good.\n\nBad.");
    /// ```
    pub fn apply<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        if may_be_unsettled(&text) && !text.chars().all(is_settled) {
            text = Cow::Owned(text.nfc().map(|(character, _)| character).collect());
        }
        if let Some(replaced) = without_breaks(&text) {
            text = Cow::Owned(replaced);
        }
        if self.lowercase {
            text = Cow::Owned(lowercase(&text));
        }
        text
    }

    /// The same as a normalizer of `tokenizers`.
    pub(crate) fn portable(self) -> Result<NormalizerWrapper> {
        let line_break = Replace::new(ReplacePattern::Regex(BREAK.to_owned()), "\n")
            .map_err(|error| Error::Pipeline(error.to_string()))?;
        let mut steps = vec![NFC.into(), line_break.into()];
        if self.lowercase {
            steps.push(Lowercase.into());
        }
        Ok(Sequence::new(steps).into())
    }
}

/// Folds to lower case as `tokenizers` does: each character for itself (`str::to_lowercase` looks at a sigma's place).
pub(crate) fn lowercase(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().flat_map(char::to_lowercase).collect()
}

/// The text with a line break for each [`BREAK`]; `None` where there is none.
fn without_breaks(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut replaced: Option<String> = None;
    let mut kept = 0;
    for start in memchr_iter(b'<', bytes) {
        if let Some(width) = break_width(&bytes[start..]) {
            let replaced = replaced.get_or_insert_with(|| String::with_capacity(text.len()));
            replaced.push_str(&text[kept..start]);
            replaced.push('\n');
            kept = start + width;
        }
    }
    replaced.map(|replaced| replaced + &text[kept..])
}

/// The bytes of the [`BREAK`] that a text starts with.
fn break_width(text: &[u8]) -> Option<usize> {
    let rest = blank(text.strip_prefix(b"<")?);
    let rest = blank(rest.strip_prefix(b"/").unwrap_or(rest));
    let [b'b' | b'B', b'r' | b'R', rest @ ..] = rest else { return None };
    let rest = blank(rest);
    let rest = blank(rest.strip_prefix(b"/").unwrap_or(rest)).strip_prefix(b">")?;
    Some(text.len() - rest.len())
}

/// What follows the blanks.
fn blank(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    &text[blanks.count()..]
}

/// Whether a text holds characters from U+0300 on, which are those written with a byte from 0xcc on.
fn may_be_unsettled(text: &str) -> bool {
    text.bytes().fold(0, u8::max) >= 0xcc
}

/// Characters that NFC leaves alone whatever stands beside them: before the first combining mark, and dashes and quotes.
fn is_settled(character: char) -> bool {
    matches!(character, '\0'..'\u{300}' | '\u{2010}'..='\u{2027}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokenizers::{NormalizedString, Normalizer};

    fn portable(normalization: Normalization, text: &str) -> String {
        let mut normalized = NormalizedString::from(text);
        normalization.portable().unwrap().normalize(&mut normalized).unwrap();
        normalized.get().to_owned()
    }

    #[test]
    fn a_break_of_any_spelling_never_glues_words() {
        let cased = Normalization::default();
        for spelling in ["<br />", "<br>", "<BR/>", "< br / >", "</br>", "<Br\n/>"] {
            assert_eq!(cased.apply(&format!("one{spelling}two")), "one\ntwo", "{spelling}");
        }
        for kept in ["<brown>", "<b r>", "br />", "<br", "<i>"] {
            assert_eq!(cased.apply(kept), kept);
        }
    }

    #[test]
    fn composes_and_folds_character_by_character() {
        let folded = Normalization { lowercase: true };
        assert_eq!(Normalization::default().apply("cafe\u{301}"), "café");
        assert_eq!(folded.apply("ΟΔΟΣ"), "οδοσ");
        assert_eq!(folded.apply("İ"), "i\u{307}");
    }

    #[test]
    fn an_open_bracket_before_much_space_takes_linear_time() {
        let hostile = format!("<{}", " ".repeat(1 << 20)).repeat(2);
        assert_eq!(Normalization::default().apply(&hostile), hostile);
    }

    proptest! {
        #[test]
        fn the_direct_path_equals_the_portable_one(text in "(\\PC|<br ?/?>|[<>/bBrR \t\n]|< ?/? ?[bB]r|[a\u{301}\u{327}Å\u{1100}\u{1161}Σİ\r\n]){0,40}", lowercase: bool) {
            let normalization = Normalization { lowercase };
            prop_assert_eq!(normalization.apply(&text).into_owned(), portable(normalization, &text));
        }
    }
}
