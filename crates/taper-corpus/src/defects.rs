//! What is wrong with a text by itself: characters lost or garbled on the way, and markup nobody took out.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Counts of what is wrong with a text, or with many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Defects {
    /// U+FFFD, which stands where a character was lost.
    pub replacements: u64,
    /// UTF-8 that was read as Windows-1252 or Latin-1: `â€™` for `’`, `Ã©` for `é`.
    pub mojibake: u64,
    /// Control characters, other than tab and the ends of lines: as a rule Windows-1252 read as Latin-1, or binary data.
    pub controls: u64,
    /// Tags: `<i>`, `</p>`, `<!-- `.
    pub tags: u64,
    /// Character references: `&amp;`, `&#39;`.
    pub entities: u64,
}

impl Defects {
    /// Looks through one text, in linear time.
    ///
    /// ```
    /// use taper_corpus::Defects;
    ///
    /// let found = Defects::of("Itâ€™s <i>good</i> &amp; short");
    /// assert_eq!((found.mojibake, found.tags, found.entities), (1, 2, 1));
    /// ```
    pub fn of(text: &str) -> Self {
        let mut defects = Self::default();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let (count, length) = match character {
                '<' => (&mut defects.tags, tag(rest)),
                '&' => (&mut defects.entities, entity(rest)),
                '\u{fffd}' => (&mut defects.replacements, character.len_utf8()),
                'Â' | 'Ã' | 'â' | 'ð' => (&mut defects.mojibake, mojibake(rest)),
                _ => (&mut defects.controls, control(character)),
            };
            *count += u64::from(length > 0);
            rest = rest.get(length.max(character.len_utf8())..).unwrap_or_default();
        }
        defects
    }

    /// Characters that were lost or garbled.
    pub fn damage(&self) -> u64 {
        self.replacements + self.mojibake + self.controls
    }

    /// Markup that is left.
    pub fn markup(&self) -> u64 {
        self.tags + self.entities
    }
}

impl AddAssign for Defects {
    fn add_assign(&mut self, other: Self) {
        self.replacements += other.replacements;
        self.mojibake += other.mojibake;
        self.controls += other.controls;
        self.tags += other.tags;
        self.entities += other.entities;
    }
}

/// The bytes of a control character that has no business in a text; 0 for any other.
fn control(character: char) -> usize {
    let belongs = !character.is_control() || matches!(character, '\t' | '\n' | '\r');
    if belongs { 0 } else { character.len_utf8() }
}

/// Bytes within which a tag must close.
const LONGEST_TAG: usize = 200;

/// The bytes of the tag that `text` begins with; 0 if that is none. `<3` and `a < b` are no tags.
fn tag(text: &str) -> usize {
    let bytes = text.as_bytes();
    let window = &bytes[..bytes.len().min(LONGEST_TAG)];
    let ([b'<', b'/' | b'!', name, ..] | [b'<', name, ..]) = window else { return 0 };
    if !name.is_ascii_alphabetic() && !window.starts_with(b"<!--") {
        return 0;
    }
    let close = window.iter().skip(1).position(|byte| matches!(byte, b'<' | b'>'));
    match close {
        Some(at) if window[at + 1] == b'>' => at + 2,
        _ => 0,
    }
}

/// The bytes of the character reference that `text` begins with; 0 if that is none. `AT&T;` is none: names are of lower
/// case but for their first letter, and known ones have two letters at least.
fn entity(text: &str) -> usize {
    let bytes = text.as_bytes();
    let window = &bytes[1..bytes.len().min(12)];
    let Some(end) = window.iter().position(|byte| *byte == b';') else {
        return 0;
    };
    let fits = match &window[..end] {
        [b'#', b'x' | b'X', digits @ ..] => {
            !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit)
        }
        [b'#', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        [first, rest @ ..] => {
            let tail = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            first.is_ascii_alphabetic() && !rest.is_empty() && rest.iter().all(tail)
        }
        [] => false,
    };
    if fits { end + 2 } else { 0 }
}

/// The bytes of the garbled character that `text` begins with; 0 if that is none.
///
/// One of the leads that Western text garbled this way has (`Â`, `Ã`: two bytes; `â`: three; `ð`: four), with as many
/// characters after it as UTF-8 has bytes that continue.
fn mojibake(text: &str) -> usize {
    let mut characters = text.chars();
    let follow = match characters.next() {
        Some('Â' | 'Ã') => 1,
        Some('â') => 2,
        Some('ð') => 3,
        _ => return 0,
    };
    let rest = characters.as_str();
    let continuing = characters.take(follow).take_while(|character| continues(*character));
    let (count, bytes) = continuing.fold((0, 0), |(n, b), c| (n + 1, b + c.len_utf8()));
    if count == follow { text.len() - rest.len() + bytes } else { 0 }
}

/// Whether Latin-1 or Windows-1252 write this character as a byte of 0x80 to 0xBF.
fn continues(character: char) -> bool {
    matches!(character, '\u{80}'..='\u{bf}') || "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_counted() {
        let found = Defects::of("lost \u{fffd}\u{fffd}, a dash \u{96}, a bell \u{7}, a null \0.");
        assert_eq!((found.replacements, found.controls, found.damage()), (2, 3, 5));
        // Read as Windows-1252, and as Latin-1.
        for (garbled, count) in [
            ("donâ€™t", 1),
            ("donâ\u{80}\u{99}t", 1),
            ("cafÃ© Ã la carte", 1),
            ("cafÃ©, Ã\u{a0} la carte", 2),
            ("10Â°", 1),
            ("ðŸ˜€", 1),
            ("â€œSoâ€\u{9d}", 2),
        ] {
            assert_eq!(Defects::of(garbled).damage(), count, "{garbled}");
        }
    }

    #[test]
    fn good_text_is_left_in_peace() {
        for text in [
            "“Café” — naïve, coöperate, château, São Paulo, Ångström, ÉTÉ”\t\r\n",
            "âge, pâté, bâtiment, forêt; Ðið",
            "I <3 it; 1 < 2 > 0; a<b; <>; <<; R&B; AT&T; you & me; S&P;",
            "日本語 😀 العربية",
        ] {
            assert_eq!(Defects::of(text), Defects::default(), "{text}");
        }
    }

    #[test]
    fn markup_is_counted() {
        let found = Defects::of(
            "<p class=\"x\">Good</p><br/><!-- no --> &amp; &quot;x&quot; &#39; &#x27; &frac12;",
        );
        assert_eq!((found.tags, found.entities), (4, 6), "{found:?}");
        assert_eq!(found.markup(), 10);
    }

    #[test]
    fn hostile_texts_end_in_linear_time() {
        for hostile in ["<a", "<", "&", "&#", "â", "Ã", "ð\u{80}", "<!--"] {
            assert_eq!(Defects::of(&hostile.repeat(200_000)).tags, 0, "{hostile}");
        }
        assert_eq!(Defects::of(""), Defects::default());
    }

    #[test]
    fn sums_are_by_kind() {
        let mut sum = Defects::of("<i>");
        sum += Defects::of("&amp;\u{fffd}");
        assert_eq!((sum.tags, sum.entities, sum.replacements), (1, 1, 1));
    }
}
