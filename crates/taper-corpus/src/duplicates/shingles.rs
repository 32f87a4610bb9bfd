//! A text as a set of hashed runs of words: what near-duplicates have in common.

use std::borrow::Cow;

use unicode_normalization_alignments::UnicodeNormalization;

/// Words a shingle has; a text of fewer words is one shingle.
pub(super) const WORDS: usize = 5;

/// Bytes between `<` and `>` of what still counts as a tag.
const LONGEST_TAG: usize = 200;

/// The distinct hashes of a text's shingles, in ascending order; none for a text without a letter or digit.
pub(super) fn shingles(text: &str) -> Vec<u64> {
    let words = word_hashes(&composed(text));
    let mut shingles: Vec<u64> = match words.len() {
        0 => Vec::new(),
        1..WORDS => vec![join(&words)],
        _ => words.windows(WORDS).map(join).collect(),
    };
    shingles.sort_unstable();
    shingles.dedup();
    shingles
}

/// Jaccard's index of two sets in ascending order: what they share over what either has. 0 for two empty sets.
pub(super) fn jaccard(left: &[u64], right: &[u64]) -> f64 {
    let (mut i, mut j, mut shared) = (0, 0, 0_usize);
    while let (Some(a), Some(b)) = (left.get(i), right.get(j)) {
        shared += usize::from(a == b);
        i += usize::from(a <= b);
        j += usize::from(b <= a);
    }
    let either = left.len() + right.len() - shared;
    if either == 0 { 0.0 } else { shared as f64 / either as f64 }
}

/// The bits of a number stirred, every one into every other (the finaliser of `SplitMix64`, Steele et al. 2014).
pub(super) const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// In NFC: an accent on its letter or behind it is the same.
fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    text.nfc().map(|(character, _)| character).collect()
}

fn join(words: &[u64]) -> u64 {
    words.iter().fold(words.len() as u64, |joined, word| mix(joined.rotate_left(23) ^ word))
}

/// A hash a word: runs of letters and digits in lower case, tags left out. FNV-1a over bytes (over whole characters
/// outside ASCII).
fn word_hashes(text: &str) -> Vec<u64> {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let bytes = text.as_bytes();
    let mut words = Vec::with_capacity(bytes.len() / 5);
    let (mut at, mut hash) = (0, BASIS);
    while let Some(&byte) = bytes.get(at) {
        let mut next = at + 1;
        let mut inside = true;
        if byte.is_ascii_alphanumeric() {
            hash = (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(PRIME);
        } else if byte.is_ascii() {
            inside = false;
            if byte == b'<' {
                next = tag_end(bytes, at).unwrap_or(next);
            }
        } else {
            // Whole characters are passed over, so this is where one begins.
            let character = text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or(' ');
            next = at + character.len_utf8();
            inside = character.is_alphanumeric();
            if inside {
                for lower in character.to_lowercase() {
                    hash = (hash ^ u64::from(u32::from(lower))).wrapping_mul(PRIME);
                }
            }
        }
        if !inside && hash != BASIS {
            words.push(mix(hash));
            hash = BASIS;
        }
        at = next;
    }
    if hash != BASIS {
        words.push(mix(hash));
    }
    words
}

/// Where the tag that opens at `at` is over: `<br />`, `</i>`.
fn tag_end(bytes: &[u8], at: usize) -> Option<usize> {
    let first = bytes.get(at + 1)?;
    if !first.is_ascii_alphabetic() && *first != b'/' {
        return None;
    }
    let rest = bytes.get(at + 2..bytes.len().min(at + 2 + LONGEST_TAG))?;
    let close = rest.iter().position(|byte| matches!(byte, b'<' | b'>'))?;
    (rest[close] == b'>').then_some(at + 2 + close + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_punctuation_space_and_tags_make_no_difference() {
        let plain = shingles("A lovely film about two brothers and a goat");
        assert_eq!(plain.len(), 5);
        for same in [
            "a LOVELY film -- about two brothers, and (a) goat!",
            "A lovely film<br /><br />about two brothers<hr>and\u{a0}a goat",
        ] {
            assert_eq!(shingles(same), plain, "{same}");
        }
        assert_eq!(shingles("É̈TÉ"), shingles("é̈té"));
        assert_eq!(shingles("Le cafe\u{301} est bon"), shingles("le café est bon"));
        assert_ne!(shingles("A lovely filmabout two brothers and a goat"), plain);
    }

    #[test]
    fn short_texts_are_one_shingle_and_empty_ones_none() {
        assert_eq!(shingles("Great!").len(), 1);
        assert_ne!(shingles("Great film"), shingles("Great"));
        assert_ne!(shingles("ab"), shingles("a b"));
        for empty in ["", " \n", "...", "<br />", "\u{2014}"] {
            assert_eq!(shingles(empty), [0; 0], "{empty:?}");
        }
    }

    #[test]
    fn an_open_bracket_is_no_tag() {
        assert_eq!(shingles("1 < 2"), shingles("1 2"));
        assert_eq!(shingles("<3 it"), shingles("3 it"));
        assert_eq!(shingles("a <b"), shingles("a b"));
        // Linear: no bracket looks further than the longest tag.
        assert_eq!(shingles(&"<a".repeat(100_000)).len(), 1);
    }

    #[test]
    fn jaccard_is_shared_over_either() {
        assert!((jaccard(&[1, 2, 3], &[2, 3, 4]) - 0.5).abs() < 1e-12);
        assert!((jaccard(&[1, 2], &[1, 2]) - 1.0).abs() < 1e-12);
        assert!(jaccard(&[], &[1]).abs() < 1e-12 && jaccard(&[], &[]).abs() < 1e-12);
    }
}
