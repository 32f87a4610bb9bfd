//! Recall: among random symbols stands one marker, early on; the symbol after it is the answer.
//!
//! What follows is of the same alphabet and as strong as the answer. Neither a symbol's own weights nor the empty state
//! of the first step tell it from the others, so it has to be written when the marker says so, and kept from then on.

use taper_lstm::Philox;

pub(super) const CHOICES: usize = 8;

/// Symbols in all: the choices and the marker.
pub(super) const SYMBOLS: usize = CHOICES + 1;
const MARKER: u32 = CHOICES as u32;

/// The marker stands at one of so many first places.
pub(super) const PLACES: usize = 10;

/// Sequences in a training step.
const BATCH: usize = 32;

/// Streams of random numbers: what is trained on is never judged.
pub(super) const TRAIN: u32 = 0x4001;
pub(super) const TEST: u32 = 0x4002;
pub(super) const PROBE: u32 = 0x4003;
const LENGTHS: u32 = 0x4004;

/// Symbols below [`SYMBOLS`], and what is asked at their end.
pub(super) struct Sequence {
    pub(super) symbols: Vec<u32>,
    pub(super) answer: u32,
}

/// Lengths of a training step's sequences, 2 to `longest`: short ones teach what long ones need.
pub(super) fn lengths(seed: u64, step: usize, longest: usize) -> Vec<usize> {
    let numbers = Philox::new(seed, LENGTHS, step as u32);
    (0..BATCH as u64).map(|row| 2 + numbers.word(row) as usize % (longest - 1)).collect()
}

/// Sequences of these lengths, at least 2, whose marker stands at one of the first `places` that leave room for the answer.
pub(super) fn draw(
    seed: u64,
    stream: u32,
    step: u32,
    lengths: &[usize],
    places: usize,
) -> Vec<Sequence> {
    let numbers = Philox::new(seed, stream, step);
    let longest = lengths.iter().copied().max().unwrap_or(0) as u64;
    let sequence = |(row, &length): (u64, &usize)| {
        let number = |at: u64| numbers.word(row * (longest + 1) + at);
        let place = number(longest) as usize % places.min(length - 1);
        let mut symbols: Vec<u32> =
            (0..length as u64).map(|t| number(t) % CHOICES as u32).collect();
        symbols[place] = MARKER;
        Sequence { answer: symbols[place + 1], symbols }
    };
    (0..).zip(lengths).map(sequence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_marker_stands_before_the_answer_at_any_of_the_first_places() {
        for (length, places) in [(2, 1), (7, 6), (11, 10), (120, 10)] {
            let drawn = draw(1, TRAIN, 0, &[length; 400], PLACES);
            let mut seen = vec![0; places];
            for Sequence { symbols, answer } in &drawn {
                let markers: Vec<usize> = (0..length).filter(|&t| symbols[t] == MARKER).collect();
                assert_eq!((symbols.len(), markers.len()), (length, 1));
                assert_eq!(symbols[markers[0] + 1], *answer);
                assert!((*answer as usize) < CHOICES);
                seen[markers[0]] += 1;
            }
            let fair = 400 / places;
            assert!(seen.iter().all(|&count| count > fair / 2 && count <= 2 * fair), "{seen:?}");
            // Every choice is asked for as often, and stands elsewhere as often.
            for choice in 0..CHOICES as u32 {
                let asked = drawn.iter().filter(|one| one.answer == choice).count();
                assert!((25..100).contains(&asked), "{choice}: {asked}");
                if length == 120 {
                    let all = drawn.iter().flat_map(|one| &one.symbols);
                    let share = all.filter(|symbol| **symbol == choice).count() as f64 / 48_000.0;
                    assert!((share - 0.124).abs() < 0.01, "{choice}: {share}");
                }
            }
        }
        assert!(draw(1, PROBE, 0, &[9; 5], 1).iter().all(|one| one.symbols[0] == MARKER));
    }

    #[test]
    fn lengths_are_from_two_to_the_longest() {
        let all: Vec<usize> = (0..50).flat_map(|step| lengths(1, step, 12)).collect();
        assert_eq!(all.len(), 50 * BATCH);
        assert!((2..=12).all(|length| all.contains(&length)));
        assert!(all.iter().all(|length| (2..=12).contains(length)));
        assert_eq!(lengths(1, 0, 2), [2; BATCH]);
    }
}
