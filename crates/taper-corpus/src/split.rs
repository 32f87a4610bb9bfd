//! A split of a split: which records are held out, decided record by record.
//!
//! At random (each by itself, or group by group) the decision looks at one record alone: a keyed hash of
//! its id (or group) falls below the fraction or not. So it needs no counting pass, does not depend on the
//! order of the records, and a record keeps its side when others are added.
//!
//! Stratified, the records of a class are cut into blocks of `1 / fraction` as they come, and one of each
//! block, chosen by a keyed hash, is held out: every class gives its share to within one record, and the first one of a
//! class stays wherever a block has two. That depends on the order of a class's records.

use std::collections::BTreeMap;

use crate::record::Record;

/// What is kept together on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitBy {
    /// Each record by itself.
    Record,
    /// All records of a group: no group has records on both sides. A record without a group stands
    /// for itself.
    Group,
    /// Each record by itself, and of every class the same share.
    Label,
}

/// Holds out a fraction, deterministically.
///
/// ```
/// use taper_corpus::{HoldOut, Record, SplitBy};
///
/// let hold_out = HoldOut { fraction: 0.5, seed: 1, by: SplitBy::Group };
/// let review = |id: &str| Record {
///     id: id.into(),
///     group: Some("tt0064354".into()),
///     ..Record::default()
/// };
/// let mut chooser = hold_out.chooser();
/// assert_eq!(chooser.holds_out(&review("train/neg/0")), chooser.holds_out(&review("train/pos/9")));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HoldOut {
    /// The expected share of records (or of groups), 0 to 1; the actual share varies as that of
    /// independent draws does.
    pub fraction: f64,
    /// Another seed, another choice.
    pub seed: u64,
    /// What is kept together.
    pub by: SplitBy,
}

impl HoldOut {
    /// Begins to choose, from the first record on.
    pub fn chooser(self) -> Chooser {
        Chooser { hold_out: self, blocks: BTreeMap::new() }
    }

    /// 64 random bits for a key.
    fn draw(&self, key: &[u8]) -> u64 {
        let mut hasher = blake3::Hasher::new_derive_key("taper-corpus 2026 hold-out");
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(key);
        let mut draw = [0; 8];
        hasher.finalize_xof().fill(&mut draw);
        u64::from_le_bytes(draw)
    }

    fn holds_out_key(&self, key: &str) -> bool {
        // The upper 53 bits make an exact f64 in [0, 1).
        let draw = (self.draw(key.as_bytes()) >> 11) as f64 / (1_u64 << 53) as f64;
        draw < self.fraction
    }
}

/// Says of each record in turn whether it is held out.
#[derive(Debug, Clone)]
pub struct Chooser {
    hold_out: HoldOut,
    blocks: BTreeMap<Option<u32>, Block>,
}

/// The block of a class that is under way, in numbers of the class's records.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    number: u64,
    end: u64,
    chosen: u64,
    seen: u64,
}

impl Chooser {
    /// Whether this record is held out. All records are to be shown once, in order.
    pub fn holds_out(&mut self, record: &Record) -> bool {
        match (self.hold_out.by, &record.group) {
            (SplitBy::Label, _) => self.holds_out_of_class(record.label),
            (SplitBy::Group, Some(group)) => self.hold_out.holds_out_key(group),
            _ => self.hold_out.holds_out_key(&record.id),
        }
    }

    fn holds_out_of_class(&mut self, label: Option<u32>) -> bool {
        if self.hold_out.fraction <= 0.0 {
            return false;
        }
        let block = self.blocks.entry(label).or_default();
        if block.seen == block.end {
            let start = block.end;
            block.number += 1;
            let end = (block.number as f64 / self.hold_out.fraction).ceil() as u64;
            block.end = end.max(start + 1);
            let class = label.map_or(-1, i64::from).to_le_bytes();
            let key = [&class[..], &block.number.to_le_bytes()].concat();
            block.chosen = start + self.hold_out.draw(&key) % (block.end - start);
            if block.chosen == 0 && block.end > 1 {
                // The only one of its class, for all that is known.
                block.chosen = 1;
            }
        }
        block.seen += 1;
        block.seen - 1 == block.chosen
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn record(id: usize, group: Option<usize>) -> Record {
        Record {
            id: format!("train/pos/{id}"),
            group: group.map(|number| format!("tt{number:07}")),
            ..Record::default()
        }
    }

    fn takes(hold_out: HoldOut, record: &Record) -> bool {
        hold_out.chooser().holds_out(record)
    }

    #[test]
    fn the_share_is_the_fraction() {
        let hold_out = HoldOut { fraction: 0.1, seed: 7, by: SplitBy::Record };
        let held = (0..20_000).filter(|&id| takes(hold_out, &record(id, Some(1)))).count();
        // Four standard deviations around 2,000.
        assert!((1_830..=2_170).contains(&held), "{held}");
    }

    #[test]
    fn the_choice_is_pinned() {
        let hold_out = HoldOut { fraction: 0.5, seed: 1, by: SplitBy::Record };
        let held: Vec<usize> = (0..12).filter(|&id| takes(hold_out, &record(id, None))).collect();
        assert_eq!(held, [0, 5, 7, 8, 11]);
        let other = HoldOut { seed: 2, ..hold_out };
        assert!(
            (0..64).any(|id| takes(hold_out, &record(id, None)) != takes(other, &record(id, None)))
        );
    }

    proptest! {
        #[test]
        fn stratified_every_class_gives_its_share(fraction in 0.01..=1.0, seed: u64, labels in prop::collection::vec(0_u32..4, 1..400)) {
            let mut chooser = HoldOut { fraction, seed, by: SplitBy::Label }.chooser();
            let mut counts = [(0.0_f64, 0.0_f64); 4];
            for &label in &labels {
                let held = chooser.holds_out(&Record { label: Some(label), ..Record::default() });
                let count = &mut counts[label as usize];
                *count = (count.0 + 1.0, count.1 + f64::from(u8::from(held)));
            }
            for (all, held) in counts {
                prop_assert!((held - fraction * all).abs() <= 1.0 + 1e-9, "{held} of {all}");
                prop_assert!(all == 0.0 || held < all || fraction > 0.999, "none of {all} stays");
            }
        }

        #[test]
        fn no_group_on_both_sides(fraction in 0.0..=1.0, seed: u64, groups in prop::collection::vec(0_usize..9, 1..60)) {
            let hold_out = HoldOut { fraction, seed, by: SplitBy::Group };
            let mut side = HashMap::new();
            for (id, &group) in groups.iter().enumerate() {
                let held = takes(hold_out, &record(id, Some(group)));
                prop_assert_eq!(*side.entry(group).or_insert(held), held);
            }
        }

        #[test]
        fn a_larger_fraction_holds_out_no_fewer(seed: u64, small in 0.0..0.5_f64, id in 0_usize..500) {
            let at = |fraction| takes(HoldOut { fraction, seed, by: SplitBy::Record }, &record(id, None));
            prop_assert!(!at(0.0) && at(1.0));
            prop_assert!(!at(small) || at(small + 0.5));
        }
    }
}
