//! Chunks against `char::is_whitespace`; keys; what a full cache does.

use proptest::prelude::*;

use super::cache::LINES;
use super::*;

fn key_of(piece: &str) -> Option<Key> {
    Key::of(piece.as_bytes())
}

/// The chunks of a text, by characters.
fn by_characters(text: &str) -> Vec<&str> {
    text.split(char::is_whitespace).filter(|chunk| !chunk.is_empty()).collect()
}

fn chunks(space: Space, text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let (end, key) = space.chunk(text.as_bytes(), at);
        assert_eq!(key, key_of(&text[at..end]));
        found.extend(Some(&text[at..end]).filter(|chunk| !chunk.is_empty()));
        at = space.gap(text.as_bytes(), end);
    }
    found
}

#[test]
fn white_space_is_that_of_unicode_or_of_python() {
    for character in '\0'..=char::MAX {
        let mut bytes = [0; 4];
        let bytes = character.encode_utf8(&mut bytes).as_bytes();
        let expected = if character.is_whitespace() { bytes.len() } else { 0 };
        assert_eq!(Space::Unicode.width(bytes), expected, "{character:?}");
        let separator = matches!(character, '\u{1c}'..='\u{1f}');
        let expected = if separator { 1 } else { expected };
        assert_eq!(Space::Python.width(bytes), expected, "{character:?}");
    }
}

#[test]
fn a_full_cache_forgets_and_never_lies() {
    let caches = Caches::default();
    let mut cache = caches.take();
    let many = 4 * LINES as u32;
    let key = |number: u32| key_of(&number.to_string()).unwrap();
    for number in 0..many {
        cache.keep(key(number), &[number, 7][..=number as usize % 2]);
    }
    let mut known = 0;
    for number in 0..many {
        let mut ids = vec![5];
        if cache.append(key(number), &mut ids) {
            known += 1;
            assert_eq!(ids[1..], [number, 7][..=number as usize % 2]);
        }
        assert_eq!(ids[0], 5);
    }
    // Nothing was met twice while it filled: only second places were taken.
    assert!((LINES / 2..=LINES).contains(&known), "{known}");
    cache.keep(key(many), &[9]);
    assert!(cache.append(key(many), &mut Vec::new()));
    (many + 1..2 * many).for_each(|number| cache.keep(key(number), &[3]));
    assert!(cache.append(key(many), &mut Vec::new()), "what is met twice stays");

    let new = key(3 * many);
    cache.keep(new, &[1, 2, 3, 4]);
    assert!(!cache.append(new, &mut Vec::new()), "four ids have no room");
    cache.keep(new, &[]);
    assert!(cache.append(new, &mut Vec::new()), "no ids are ids too");
    drop(cache);
    assert!(caches.take().append(new, &mut Vec::new()), "it went back");
}

proptest! {
    #[test]
    fn chunks_are_what_stands_between_white_space(
        text in "([a-z]{0,20}|[ \t\n\u{1c}\u{85}\u{a0}\u{2003}\u{3000}]|\\PC|[\0é…—\u{7f}]){0,24}",
    ) {
        prop_assert_eq!(chunks(Space::Unicode, &text), by_characters(&text));
    }
}
