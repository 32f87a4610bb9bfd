//! Short words as numbers, which are compared at once.

/// A word of 1 to 15 bytes as a number: its bytes, zeros, and in the highest byte its length. Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key(u128);

/// Bytes that are looked at together.
pub(crate) const WIDTH: usize = 16;

impl Key {
    /// Of the first `length` bytes of these; `None` for none, and for sixteen or more.
    pub(crate) fn new(word: u128, length: usize) -> Option<Key> {
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

    /// Of a word; `None` for an empty one, and for one of sixteen bytes or more.
    pub(crate) fn of(word: &[u8]) -> Option<Key> {
        // Two reads, which may share some bytes.
        fn both(length: usize, width: usize, first: u64, last: u64) -> u128 {
            u128::from(first) | u128::from(last) << (8 * (length - width))
        }
        let length = word.len();
        let bytes = match length {
            8..WIDTH => {
                let (first, last) = (*word.first_chunk()?, *word.last_chunk()?);
                both(length, 8, u64::from_le_bytes(first), u64::from_le_bytes(last))
            }
            4..8 => {
                let (first, last) = (*word.first_chunk()?, *word.last_chunk()?);
                let [first, last] = [first, last].map(u32::from_le_bytes).map(u64::from);
                both(length, 4, first, last)
            }
            2..4 => {
                let (first, last) = (*word.first_chunk()?, *word.last_chunk()?);
                let [first, last] = [first, last].map(u16::from_le_bytes).map(u64::from);
                both(length, 2, first, last)
            }
            _ => u128::from(*word.first()?),
        };
        Key::new(bytes, length)
    }

    pub(crate) fn number(self) -> u128 {
        self.0
    }

    /// Some bits of it, mixed. Whoever wants to can make words collide.
    pub(crate) fn hash(self) -> usize {
        let (low, high) = (self.0 as u64, (self.0 >> 64) as u64);
        let product =
            u128::from(low ^ 0x9e37_79b9_7f4a_7c15) * u128::from(high ^ 0xd1b5_4a32_d192_ed03);
        (product >> 64) as usize ^ product as usize
    }
}

/// Sixteen bytes of a text, the first one lowest; zeros after its end.
pub(crate) fn sixteen(text: &[u8], start: usize) -> u128 {
    let rest = text.get(start..).unwrap_or_default();
    if let Some(bytes) = rest.first_chunk::<WIDTH>() {
        return u128::from_le_bytes(*bytes);
    }
    let mut bytes = [0; WIDTH];
    bytes[..rest.len()].copy_from_slice(rest);
    u128::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_words_apart() {
        for (one, other) in [("a", "a\0"), ("\0", "\0\0"), ("ab", "ba"), ("a", "A")] {
            assert_ne!(Key::of(one.as_bytes()), Key::of(other.as_bytes()));
        }
    }

    #[test]
    fn of_every_length_a_key_is_that_of_its_bytes_in_a_text() {
        let text = b"\xffA text of more than sixteen bytes";
        for length in 0..20 {
            let expected = if length < WIDTH { Key::new(sixteen(text, 0), length) } else { None };
            assert_eq!(Key::of(&text[..length]), expected, "{length}");
            assert_eq!(expected.is_some(), (1..WIDTH).contains(&length));
        }
    }
}
