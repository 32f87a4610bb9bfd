//! Some rows beside each finding on rows, by the names that `taper trace` takes.

use std::collections::HashMap;

use arrow::array::AsArray;

use super::diagnosis::{Diagnosis, Example};
use super::texts::{Texts, for_batches};
use crate::{Prepared, Result};

/// Rows named beside a finding.
pub(super) const EXAMPLES: usize = 5;

/// A row and, where the finding is on likeness, the one that it is like.
type Named = (usize, Option<usize>);

impl Texts {
    /// Names some rows of the findings that are about rows.
    pub(super) fn add_examples(
        &self,
        prepared: &Prepared,
        diagnosis: &mut Diagnosis,
    ) -> Result<()> {
        let mut rows: Vec<(usize, Named)> = Vec::new();
        for (index, finding) in diagnosis.findings.iter().enumerate() {
            let named = match finding.kind {
                "group_across" => self.of_one_group(prepared, &self.numbers(&finding.splits))?,
                "empty" => self.short(prepared, &self.numbers(&finding.splits))?,
                "encoding" => self.alone(&finding.splits, true),
                "markup" => self.alone(&finding.splits, false),
                kind => {
                    let pairs = self.alike(kind, &finding.splits).into_iter();
                    pairs.map(|(row, like)| (row, Some(like))).collect()
                }
            };
            rows.extend(named.into_iter().map(|named| (index, named)));
        }
        let wanted: Vec<usize> =
            rows.iter().flat_map(|(_, (row, like))| [Some(*row), *like]).flatten().collect();
        let names = self.names(prepared, &wanted)?;
        for (index, (row, like)) in rows {
            if let Some(row) = names.get(&row).cloned() {
                let like = like.and_then(|like| names.get(&like).cloned());
                diagnosis.findings[index].examples.push(Example { row, like });
            }
        }
        Ok(())
    }

    /// The places of some splits.
    fn numbers(&self, splits: &[String]) -> Vec<usize> {
        let place = |split| self.shared.splits.iter().position(|known| known == split);
        splits.iter().filter_map(place).collect()
    }

    fn alone(&self, splits: &[String], damaged: bool) -> Vec<Named> {
        let rows = self.numbers(splits).into_iter().flat_map(|split| self.flawed(split, damaged));
        rows.map(|row| (*row, None)).collect()
    }

    /// Texts of no token, or of one.
    fn short(&self, prepared: &Prepared, splits: &[usize]) -> Result<Vec<Named>> {
        let mut named = Vec::new();
        for &split in splits {
            let encoded = prepared.encoded(&self.shared.splits[split])?;
            let short = encoded.lengths().enumerate().filter(|(_, length)| *length < 2);
            let first = self.shared.offsets[split];
            named.extend(short.take(EXAMPLES).map(|(place, _)| (first + place, None)));
        }
        Ok(named)
    }

    /// Of some groups that both splits have, the first row in each.
    fn of_one_group(&self, prepared: &Prepared, splits: &[usize]) -> Result<Vec<Named>> {
        let groups = self.common_groups(splits);
        let mut rows: Vec<Vec<usize>> = vec![Vec::new(); groups.len()];
        for (number, &split) in splits.iter().enumerate() {
            let mut row = self.shared.offsets[split];
            for_batches(
                prepared,
                &self.shared.splits[split],
                &["id", "group"],
                &mut |batch, _| {
                    let found = batch.column(1).as_string_opt::<i32>();
                    for group in found.into_iter().flatten() {
                        let place = group.and_then(|group| groups.binary_search(&group).ok());
                        if let Some(rows) = place.map(|place| &mut rows[place])
                            && rows.len() == number
                        {
                            rows.push(row);
                        }
                        row += 1;
                    }
                    Ok(())
                },
            )?;
        }
        Ok(rows.iter().filter_map(|rows| Some((*rows.first()?, rows.get(1).copied()))).collect())
    }

    fn alike(&self, kind: &str, splits: &[String]) -> Vec<(usize, usize)> {
        let within = |row: usize| splits.contains(&self.shared.splits[self.shared.split_of(row)]);
        let leaks = |identical: bool| -> Vec<(usize, usize)> {
            let repeats = self.repeats.iter().enumerate();
            let pairs = repeats.filter_map(|(row, repeat)| {
                let repeat = repeat.filter(|repeat| repeat.similarity.is_none() == identical)?;
                Some((row, repeat.of as usize))
            });
            pairs.filter(|(row, of)| within(*row) && within(*of)).take(EXAMPLES).collect()
        };
        match kind {
            "identical_across" => leaks(true),
            "near_across" => leaks(false),
            "identical_within" => {
                let rows = self.duplicates.first.iter().map(|first| *first as usize).enumerate();
                let repeats = rows.filter(|(row, first)| row != first);
                repeats
                    .filter(|(row, first)| within(*row) && within(*first))
                    .take(EXAMPLES)
                    .collect()
            }
            "near_within" => {
                let pairs = self.duplicates.near.iter();
                let pairs = pairs.map(|pair| (pair.second as usize, pair.first as usize));
                pairs.filter(|(row, of)| within(*row) && within(*of)).take(EXAMPLES).collect()
            }
            "label_conflict" => self
                .conflicting_texts()
                .into_iter()
                .chain(self.conflicting_pairs())
                .take(EXAMPLES)
                .collect(),
            _ => Vec::new(),
        }
    }

    /// `SPLIT:ID` of some rows.
    fn names(&self, prepared: &Prepared, rows: &[usize]) -> Result<HashMap<usize, String>> {
        let mut names = HashMap::new();
        for (index, split) in self.shared.splits.iter().enumerate() {
            let (mut first, end) = (self.shared.offsets[index], self.shared.offsets[index + 1]);
            if !rows.iter().any(|row| (first..end).contains(row)) {
                continue;
            }
            for_batches(prepared, split, &["id"], &mut |_, ids| {
                for row in rows {
                    if let Some(id) = row.checked_sub(first).and_then(|place| ids.get(place)) {
                        names.insert(*row, format!("{split}:{id}"));
                    }
                }
                first += ids.len();
                Ok(())
            })?;
        }
        Ok(names)
    }
}
