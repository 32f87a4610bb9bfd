//! Some rows beside each finding on duplicates, by the names that `taper trace` takes.

use std::collections::HashMap;

use super::diagnosis::{Diagnosis, Example};
use super::texts::{Texts, for_batches};
use crate::{Prepared, Result};

/// Rows named beside a finding.
const EXAMPLES: usize = 5;

impl Texts {
    /// Names some rows of the findings that are about duplicates.
    pub(super) fn add_examples(
        &self,
        prepared: &Prepared,
        diagnosis: &mut Diagnosis,
    ) -> Result<()> {
        let mut rows: Vec<(usize, usize, usize)> = Vec::new();
        for (index, finding) in diagnosis.findings.iter().enumerate() {
            let pairs = self.examples_of(finding.kind, &finding.splits);
            rows.extend(pairs.into_iter().map(|(row, like)| (index, row, like)));
        }
        let wanted: Vec<usize> = rows.iter().flat_map(|(_, row, like)| [*row, *like]).collect();
        let names = self.names(prepared, &wanted)?;
        for (index, row, like) in rows {
            if let (Some(row), Some(like)) = (names.get(&row), names.get(&like)) {
                let example = Example { row: row.clone(), like: Some(like.clone()) };
                diagnosis.findings[index].examples.push(example);
            }
        }
        Ok(())
    }

    fn examples_of(&self, kind: &str, splits: &[String]) -> Vec<(usize, usize)> {
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
