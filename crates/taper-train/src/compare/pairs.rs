//! Which row of one split is which row of another: the same text with the same label (or labels), and where a text comes more than
//! once, the same id.

use std::cmp::Ordering;

use crate::assess::CorpusRow;
use crate::evaluate::Scored;

/// Rows named in a message.
const NAMED: usize = 3;

/// A labelled row as it is paired.
#[derive(Clone, Copy)]
struct Side<'a> {
    /// Its place among the labelled rows.
    place: usize,
    row: &'a CorpusRow,
    /// Its class, or its labels: the numbers of their sets are each split's own.
    label: Option<u32>,
    labels: &'a [u32],
}

impl Side<'_> {
    /// What two rows must share.
    fn content(&self) -> (&[u8; 32], Option<u32>, &[u32]) {
        (&self.row.text, self.label, self.labels)
    }
}

/// Places among the labelled rows of either side, in the order of the first; or how the two differ.
pub(super) fn of(
    first: (&Scored, &[CorpusRow]),
    second: (&Scored, &[CorpusRow]),
) -> Result<Vec<(usize, usize)>, String> {
    let (left, right) = (sorted(first.0, first.1)?, sorted(second.0, second.1)?);
    let (mut pairs, mut only_left, mut only_right) = (Vec::new(), Vec::new(), Vec::new());
    let (mut i, mut j) = (0, 0);
    while i < left.len() || j < right.len() {
        let order = match (left.get(i), right.get(j)) {
            (Some(left), Some(right)) => left.content().cmp(&right.content()),
            (Some(_), None) => Ordering::Less,
            _ => Ordering::Greater,
        };
        match order {
            Ordering::Equal => pairs.push((left[i].place, right[j].place)),
            Ordering::Less => only_left.push(left[i]),
            Ordering::Greater => only_right.push(right[j]),
        }
        i += usize::from(order != Ordering::Greater);
        j += usize::from(order != Ordering::Less);
    }
    if only_left.is_empty() && only_right.is_empty() {
        pairs.sort_unstable();
        return Ok(pairs);
    }
    Err(difference(pairs.len(), &only_left, &only_right))
}

/// By text, label and id.
fn sorted<'a>(scored: &'a Scored, rows: &'a [CorpusRow]) -> Result<Vec<Side<'a>>, String> {
    let side = |(place, labelled): (usize, &crate::evaluate::ScoredRow)| {
        let row = rows.get(labelled.row)?;
        let label = scored.label_sets.is_none().then_some(labelled.label);
        Some(Side { place, row, label, labels: scored.labels_of(labelled.label) })
    };
    let sides: Option<Vec<_>> = scored.rows.iter().enumerate().map(side).collect();
    let mut sides = sides.ok_or("corpus and encoded texts have different rows; prepare again")?;
    sides.sort_by(|left, right| {
        left.content().cmp(&right.content()).then_with(|| left.row.id.cmp(&right.row.id))
    });
    Ok(sides)
}

fn difference(both: usize, only_left: &[Side], only_right: &[Side]) -> String {
    let relabelled = only_left.iter().filter(|left| {
        let same = only_right.binary_search_by(|right| right.row.text.cmp(&left.row.text));
        same.is_ok()
    });
    let named = |sides: &[Side]| -> String {
        let ids: Vec<&str> = sides.iter().take(NAMED).map(|side| side.row.id.as_str()).collect();
        let more = if sides.len() > NAMED { ", …" } else { "" };
        if ids.is_empty() { String::new() } else { format!(" ({}{more})", ids.join(", ")) }
    };
    let message = format!(
        "the two runs were not given the same rows: {both} are the same, {} only the first has{}, {} only the second{}",
        only_left.len(),
        named(only_left),
        only_right.len(),
        named(only_right)
    );
    let relabelled = relabelled.count();
    let also = match relabelled {
        0 => String::new(),
        rows => format!("; {rows} of them are the same text with another label"),
    };
    message + &also + "; evaluate both on one data set"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::ScoredRow;

    fn side(rows: &[(&str, u8, u32)]) -> (Scored, Vec<CorpusRow>) {
        let scored = rows.iter().enumerate().map(|(row, (_, _, label))| ScoredRow {
            row,
            label: *label,
            tokens: 1,
            read: 1,
            unknown: 0,
        });
        let scored = Scored {
            split: "test".to_owned(),
            classes: 2,
            rows: scored.collect(),
            logits: vec![0.0; 2 * rows.len()],
            label_sets: None,
        };
        let row =
            |(id, text, _): &(&str, u8, u32)| CorpusRow { id: (*id).to_owned(), text: [*text; 32] };
        (scored, rows.iter().map(row).collect())
    }

    fn pairs(
        left: &[(&str, u8, u32)],
        right: &[(&str, u8, u32)],
    ) -> Result<Vec<(usize, usize)>, String> {
        let (left, right) = (side(left), side(right));
        of((&left.0, &left.1), (&right.0, &right.1))
    }

    #[test]
    fn another_order_and_other_ids_are_the_same_rows() {
        let left = [("a", 1, 0), ("b", 2, 1), ("c", 3, 0)];
        assert_eq!(
            pairs(&left, &[("c", 3, 0), ("a", 1, 0), ("b", 2, 1)]).unwrap(),
            [(0, 1), (1, 2), (2, 0)]
        );
        assert_eq!(
            pairs(&left, &[("z", 3, 0), ("y", 1, 0), ("x", 2, 1)]).unwrap(),
            [(0, 1), (1, 2), (2, 0)]
        );
        // A text that comes twice is paired by id.
        let twice = [("a", 1, 0), ("b", 1, 0)];
        assert_eq!(pairs(&twice, &[("b", 1, 0), ("a", 1, 0)]).unwrap(), [(0, 1), (1, 0)]);
    }

    /// Each split numbers its sets in the order in which they come.
    #[test]
    fn sets_of_labels_are_compared_not_their_numbers() {
        let side = |rows: &[(&str, u8, &[u32])]| {
            let mut sets = crate::LabelSets::default();
            let rows: Vec<_> =
                rows.iter().map(|(id, text, set)| (*id, *text, sets.number(set))).collect();
            let (scored, rows) = side(&rows);
            (Scored { label_sets: Some(sets), ..scored }, rows)
        };
        let left = side(&[("a", 1, &[0, 2]), ("b", 2, &[]), ("c", 3, &[1])]);
        let right = side(&[("c", 3, &[1]), ("b", 2, &[]), ("a", 1, &[0, 2])]);
        let pairs = of((&left.0, &left.1), (&right.0, &right.1)).unwrap();
        assert_eq!(pairs, [(0, 2), (1, 1), (2, 0)]);
        let other = side(&[("a", 1, &[0]), ("b", 2, &[]), ("c", 3, &[1])]);
        let message = of((&left.0, &left.1), (&other.0, &other.1)).unwrap_err();
        assert!(message.contains("1 of them are the same text with another label"), "{message}");
    }

    #[test]
    fn other_rows_are_told_apart() {
        let left = [("a", 1, 0), ("b", 2, 1), ("c", 3, 0)];
        let message =
            pairs(&left, &[("a", 1, 0), ("b", 2, 0), ("d", 4, 0), ("e", 5, 0)]).unwrap_err();
        for part in ["1 are the same", "2 only the first has (b, c)", "3 only the second (b, d, e)"]
        {
            assert!(message.contains(part), "{message}");
        }
        assert!(message.contains("; 1 of them are the same text with another label"), "{message}");
        let message = pairs(&left, &left[..2]).unwrap_err();
        assert!(message.contains("1 only the first has (c), 0 only the second;"), "{message}");
    }
}
