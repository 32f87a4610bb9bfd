//! Where a text is parted at white space: chunks, found sixteen bytes at a time, and what their ids are kept by.

mod cache;
#[cfg(test)]
mod tests;

pub(crate) use cache::{Cache, Caches};

use crate::key::{Key, WIDTH, sixteen};

/// What counts as white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    /// `str.isspace` of Python.
    Python,
    /// `White_Space` of Unicode, which is `char::is_whitespace`.
    Unicode,
}

impl Space {
    /// The width in bytes of the white space that a text starts with; 0 for none.
    pub(crate) fn width(self, bytes: &[u8]) -> usize {
        match bytes {
            [9..=13 | b' ', ..] => 1,
            [0x1c..=0x1f, ..] => usize::from(self == Space::Python),
            [0xc2, 0x85 | 0xa0, ..] => 2,
            [0xe1, 0x9a, 0x80, ..]
            | [0xe2, 0x80, 0x80..=0x8a | 0xa8 | 0xa9 | 0xaf, ..]
            | [0xe2, 0x81, 0x9f, ..]
            | [0xe3, 0x80, 0x80, ..] => 3,
            _ => 0,
        }
    }

    /// Where the chunk that starts at `start` ends, `start` itself if there is white space; and the key of the chunk.
    pub(crate) fn chunk(self, text: &[u8], start: usize) -> (usize, Option<Key>) {
        let word = sixteen(text, start);
        let plain = plain(word);
        let mut end = start + plain;
        if plain < WIDTH && matches!(text.get(end), None | Some(b' ')) {
            return (end, Key::new(word, plain));
        }
        while end < text.len() && self.width(&text[end..]) == 0 {
            end += 1;
        }
        (end, Key::new(word, end - start))
    }

    /// Where the white space that starts at `start` ends.
    pub(crate) fn gap(self, text: &[u8], start: usize) -> usize {
        let mut end = start;
        while let width @ 1.. = self.width(text.get(end..).unwrap_or_default()) {
            end += width;
        }
        end
    }
}

/// How many of these bytes, from the lowest on, are printable ASCII other than a space (or DEL); the next one may be white
/// space, or the beginning of some.
fn plain(word: u128) -> usize {
    const EACH: u128 = u128::MAX / 255;
    // The highest bit of each byte: set from 0x21 on; no sum reaches the next byte.
    let above_space = (word & (0x7f * EACH)) + 0x5f * EACH;
    let other = (!above_space | word) & (0x80 * EACH);
    other.trailing_zeros() as usize / 8
}
