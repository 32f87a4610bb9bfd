//! A split of a split: which records are held out, decided record by record.
//!
//! The decision looks at one record alone: a keyed hash of its id (or group) falls below the
//! fraction or not. So it needs no counting pass, does not depend on the order of the records, and
//! a record keeps its side when others are added.

use crate::record::Record;

/// What is kept together on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitBy {
    /// Each record by itself.
    Record,
    /// All records of a group: no group has records on both sides. A record without a group stands
    /// for itself.
    Group,
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
/// assert_eq!(hold_out.holds_out(&review("train/neg/0")), hold_out.holds_out(&review("train/pos/9")));
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
    /// Whether this record is held out.
    pub fn holds_out(&self, record: &Record) -> bool {
        let key = match (self.by, &record.group) {
            (SplitBy::Group, Some(group)) => group,
            _ => &record.id,
        };
        let mut hasher = blake3::Hasher::new_derive_key("taper-corpus 2026 hold-out");
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(key.as_bytes());
        let mut draw = [0; 8];
        hasher.finalize_xof().fill(&mut draw);
        // The upper 53 bits make an exact f64 in [0, 1).
        let draw = (u64::from_le_bytes(draw) >> 11) as f64 / (1_u64 << 53) as f64;
        draw < self.fraction
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

    #[test]
    fn the_share_is_the_fraction() {
        let hold_out = HoldOut { fraction: 0.1, seed: 7, by: SplitBy::Record };
        let held = (0..20_000).filter(|&id| hold_out.holds_out(&record(id, Some(1)))).count();
        // Four standard deviations around 2,000.
        assert!((1_830..=2_170).contains(&held), "{held}");
    }

    #[test]
    fn the_choice_is_pinned() {
        let hold_out = HoldOut { fraction: 0.5, seed: 1, by: SplitBy::Record };
        let held: Vec<usize> =
            (0..12).filter(|&id| hold_out.holds_out(&record(id, None))).collect();
        assert_eq!(held, [0, 5, 7, 8, 11]);
        let other = HoldOut { seed: 2, ..hold_out };
        assert!(
            (0..64)
                .any(|id| hold_out.holds_out(&record(id, None))
                    != other.holds_out(&record(id, None)))
        );
    }

    proptest! {
        #[test]
        fn no_group_on_both_sides(fraction in 0.0..=1.0, seed: u64, groups in prop::collection::vec(0_usize..9, 1..60)) {
            let hold_out = HoldOut { fraction, seed, by: SplitBy::Group };
            let mut side = HashMap::new();
            for (id, &group) in groups.iter().enumerate() {
                let held = hold_out.holds_out(&record(id, Some(group)));
                prop_assert_eq!(*side.entry(group).or_insert(held), held);
            }
        }

        #[test]
        fn a_larger_fraction_holds_out_no_fewer(seed: u64, small in 0.0..0.5_f64, id in 0_usize..500) {
            let at = |fraction| HoldOut { fraction, seed, by: SplitBy::Record }.holds_out(&record(id, None));
            prop_assert!(!at(0.0) && at(1.0));
            prop_assert!(!at(small) || at(small + 0.5));
        }
    }
}
