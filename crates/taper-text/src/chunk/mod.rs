//! Where a text is parted at white space: chunks, found sixteen bytes at a time, and what their ids are kept by.

mod cache;
#[cfg(test)]
mod tests;

pub(crate) use cache::{Cache, Caches};

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

/// A chunk of 1 to 15 bytes as a number: its bytes, zeros, and in the highest byte its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(u128);

impl Key {
    /// Of the first `length` bytes of these; `None` for none, and for sixteen or more.
    fn new(word: u128, length: usize) -> Option<Key> {
        const BYTES: [u128; WIDTH] = {
            let mut masks = [0; WIDTH];
            let mut length = 1;
            while length < WIDTH {
                masks[length] = masks[length - 1] << 8 | 0xff;
                length += 1;
            }
            masks
        };
        let bytes = BYTES.get(length).filter(|bytes| **bytes != 0)?;
        Some(Key(word & bytes | (length as u128) << 120))
    }
}

/// Bytes that are looked at together.
const WIDTH: usize = 16;

/// Sixteen bytes of a text, the first one lowest; zeros after its end.
fn sixteen(text: &[u8], start: usize) -> u128 {
    let rest = text.get(start..).unwrap_or_default();
    if let Some(bytes) = rest.first_chunk::<WIDTH>() {
        return u128::from_le_bytes(*bytes);
    }
    let mut bytes = [0; WIDTH];
    bytes[..rest.len()].copy_from_slice(rest);
    u128::from_le_bytes(bytes)
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
