//! What is wrong with a text by itself: characters lost or garbled on the way, and markup nobody took out.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Counts of what is wrong with a text, or with many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Defects {
    /// U+FFFD, which stands where a character was lost.
    pub replacements: u64,
    /// Characters of UTF-8 that was read as Windows-1252 or Latin-1: `â€™` for `’`, `Ã©` for `é`, `Ð½ÐµÑ‚` for `нет`. One by itself
    /// is told of Western letters, of punctuation and of emoji alone: `É”` may be meant.
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
            let (count, found, length) = match character {
                '<' => one(&mut defects.tags, tag(rest)),
                '&' => one(&mut defects.entities, entity(rest)),
                '\u{fffd}' => one(&mut defects.replacements, character.len_utf8()),
                'Â'..='ô' => {
                    let (found, length) = mojibake(rest);
                    (&mut defects.mojibake, found, length)
                }
                _ => one(&mut defects.controls, control(character)),
            };
            *count += found;
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

/// A defect of so many bytes, if any.
fn one(count: &mut u64, length: usize) -> (&mut u64, u64, usize) {
    (count, u64::from(length > 0), length)
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

/// The garbled characters that `text` begins with, and their bytes.
///
/// Several in a row are told of any script; one alone where it begins as Western text garbled this way does (`Â`, `Ã`: two
/// bytes; `â`: three; `ð`: four), or is a byte order mark.
fn mojibake(text: &str) -> (u64, usize) {
    let (mut found, mut length) = (0, 0);
    while let Some(bytes) = garbled(&text[length..]) {
        (found, length) = (found + 1, length + bytes);
    }
    let alone = text.starts_with(['Â', 'Ã', 'â', 'ð']) || text.starts_with("ï»¿");
    if found > 1 || alone { (found, length) } else { (0, 0) }
}

/// The bytes here of a character whose UTF-8 is spelled out at the start of `text`.
fn garbled(text: &str) -> Option<usize> {
    let mut characters = text.chars();
    let lead = u8::try_from(u32::from(characters.next()?)).ok()?;
    let follow = match lead {
        0xc2..=0xdf => 1,
        0xe0..=0xef => 2,
        0xf0..=0xf4 => 3,
        _ => return None,
    };
    let mut bytes = [lead, 0, 0, 0];
    for byte in &mut bytes[1..=follow] {
        *byte = continuing(characters.next()?)?;
    }
    std::str::from_utf8(&bytes[..=follow]).ok()?;
    Some(text.len() - characters.as_str().len())
}

/// The byte of 0x80 to 0xBF that Latin-1 or Windows-1252 write this character as.
fn continuing(character: char) -> Option<u8> {
    const WINDOWS: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    if let '\u{80}'..='\u{bf}' = character {
        return u8::try_from(u32::from(character)).ok();
    }
    (0x80..).zip(WINDOWS.chars()).find_map(|(byte, known)| (known == character).then_some(byte))
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
            ("Ð¿Ñ€Ð¸Ð²ÐµÑ‚", 6),
            ("ä¸\u{ad}æ–‡", 2),
            ("Îº ÎºÎ±Î¹", 3),
            ("ï»¿So", 1),
        ] {
            assert_eq!(Defects::of(garbled).damage(), count, "{garbled}");
        }
    }

    #[test]
    fn good_text_is_left_in_peace() {
        for text in [
            "“Café” — naïve, coöperate, château, São Paulo, Ångström, ÉTÉ”\t\r\n",
            "âge, pâté, bâtiment, forêt; Ðið",
            "VOILÀ… «ÉTÉ»… “café…” está»… Ø” ×½",
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
