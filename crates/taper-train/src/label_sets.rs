//! Sets of labels by number: many texts have few different ones.

use std::collections::HashMap;

/// The different sets of labels of a split, numbered in the order of first use: where a text may have several labels, its
/// set's number stands where otherwise its class does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelSets {
    sets: Vec<Vec<u32>>,
    numbers: HashMap<Vec<u32>, u32>,
}

impl LabelSets {
    /// The number of a set of labels, which are in ascending order; a new one where it was not seen before.
    pub fn number(&mut self, set: &[u32]) -> u32 {
        if let Some(&number) = self.numbers.get(set) {
            return number;
        }
        let number = self.sets.len() as u32;
        self.sets.push(set.to_owned());
        self.numbers.insert(set.to_owned(), number);
        number
    }

    /// The labels of a set; none of a number that was never given.
    pub fn get(&self, number: u32) -> &[u32] {
        self.sets.get(number as usize).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sets_have_one_number() {
        let mut sets = LabelSets::default();
        assert_eq!([&[0, 2][..], &[], &[0, 2], &[2]].map(|set| sets.number(set)), [0, 1, 0, 2]);
        assert_eq!((sets.get(0), sets.get(1), sets.get(9)), (&[0, 2][..], &[][..], &[][..]));
    }
}
