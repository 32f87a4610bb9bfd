//! What the texts themselves tell: one pass for labels, groups and damage, two for duplicates.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use rayon::prelude::*;
use taper_corpus::duplicates::{Duplicates, NEAR, Repeat, SHINGLE_WORDS, find_duplicates};
use taper_corpus::{Defects, batches, shards};
use taper_text::Normalization;

use super::diagnosis::{
    ClassConflicts, Diagnosis, Example, Pair, Repeats, SplitDefects, SplitDiagnosis,
};
use crate::prepare::leaks::rank;
use crate::prepare::text::{BATCH_ROWS, texts as strings};
use crate::{Error, Prepared, Result};

/// Rows named beside a finding.
const EXAMPLES: usize = 5;

/// Bins between the threshold and 1.
const SIMILARITY_BINS: usize = 20;

/// The splits in the order of use: what is learned, what judges, the rest.
pub(super) fn splits(prepared: &Prepared) -> Vec<String> {
    let order = ["train", "validation", "test"];
    let place = |name: &String| order.iter().position(|known| known == name).unwrap_or(order.len());
    let mut names: Vec<String> = prepared.manifest().splits.keys().cloned().collect();
    names.sort_by_key(|name| (place(name), name.clone()));
    names
}

/// Visits a split batch by batch: all the columns, and the first one as texts.
pub(super) fn for_batches(
    prepared: &Prepared,
    split: &str,
    columns: &[&str],
    visit: &mut dyn FnMut(&RecordBatch, &[&str]) -> Result<()>,
) -> Result<()> {
    let corpus = prepared.folder().join("corpus");
    for batch in batches(&shards(&corpus, split)?, columns, BATCH_ROWS)? {
        let batch = batch?;
        visit(&batch, &strings(&batch, 0, &corpus)?)?;
    }
    Ok(())
}

/// Which texts stand in which splits.
pub(super) struct Shared {
    splits: Vec<String>,
    /// First row of each split, and the number of all rows.
    offsets: Vec<usize>,
    /// Of each text that is a first one, its rows in each split: `counts[first * splits + split]`.
    counts: Vec<u32>,
}

impl Shared {
    pub(super) fn new(prepared: &Prepared, splits: &[String], first: &[u32]) -> Self {
        let mut offsets = vec![0];
        for split in splits {
            let rows = prepared.manifest().splits.get(split).map_or(0, |numbers| numbers.rows);
            offsets.push(offsets[offsets.len() - 1] + rows as usize);
        }
        let mut shared =
            Self { splits: splits.to_vec(), offsets, counts: vec![0; first.len() * splits.len()] };
        for (row, first) in first.iter().enumerate() {
            let place = *first as usize * splits.len() + shared.split_of(row);
            shared.counts[place] += 1;
        }
        shared
    }

    fn split_of(&self, row: usize) -> usize {
        self.offsets.partition_point(|offset| *offset <= row).clamp(1, self.splits.len()) - 1
    }

    /// Rows of each split with the text that `row` is the first of.
    fn rows_of(&self, row: u32) -> &[u32] {
        let start = row as usize * self.splits.len();
        &self.counts[start..start + self.splits.len()]
    }

    /// Within each split, and across each two.
    fn count(&self) -> (Vec<Repeats>, BTreeMap<(usize, usize), Pair>) {
        let mut within = vec![Repeats::default(); self.splits.len()];
        let mut across = BTreeMap::new();
        for left in 0..self.splits.len() {
            for right in left + 1..self.splits.len() {
                let splits = [self.splits[left].clone(), self.splits[right].clone()];
                let judges = rank(&splits[0]) != rank(&splits[1]);
                across.insert((left, right), Pair { splits, judges, ..Pair::default() });
            }
        }
        for rows in self.counts.chunks_exact(self.splits.len().max(1)) {
            for (repeats, rows) in within.iter_mut().zip(rows).filter(|(_, rows)| **rows > 1) {
                repeats.identical_texts += 1;
                repeats.extra_rows += u64::from(*rows) - 1;
            }
            for ((left, right), pair) in &mut across {
                let both = [rows[*left], rows[*right]];
                if both.iter().all(|rows| *rows > 0) {
                    pair.identical_texts += 1;
                    pair.identical_rows[0] += u64::from(both[0]);
                    pair.identical_rows[1] += u64::from(both[1]);
                }
            }
        }
        (within, across)
    }

    /// A line for repeats within splits and one for what splits share; none where there is nothing to tell.
    pub(super) fn in_words(&self) -> Vec<String> {
        let (within, across) = self.count();
        let repeated: Vec<String> = within
            .iter()
            .zip(&self.splits)
            .filter(|(repeats, _)| repeats.extra_rows > 0)
            .map(|(repeats, split)| format!("{} in {split}", repeats.extra_rows))
            .collect();
        let shared: Vec<String> = across
            .values()
            .filter(|pair| pair.identical_texts > 0)
            .map(|pair| {
                format!("{} in {} and {}", pair.identical_texts, pair.splits[0], pair.splits[1])
            })
            .collect();
        let lines =
            [("texts that repeat an earlier one", repeated), ("texts in two splits", shared)];
        let lines = lines.into_iter().filter(|(_, parts)| !parts.is_empty());
        lines.map(|(what, parts)| format!("{what}: {}", parts.join(", "))).collect()
    }
}

/// What was read.
pub(super) struct Texts {
    shared: Shared,
    duplicates: Duplicates,
    repeats: Vec<Option<Repeat>>,
    labels: Vec<Option<u32>>,
    /// A bit a split.
    groups: HashMap<String, u64>,
    defects: Vec<SplitDefects>,
}

pub(super) fn read(prepared: &Prepared) -> Result<Texts> {
    let splits = splits(prepared);
    let normalization = prepared.tokenizer()?.normalization();
    let mut labels = Vec::new();
    let mut groups: HashMap<String, u64> = HashMap::new();
    let mut defects = vec![SplitDefects::default(); splits.len()];
    let mut first_pass = true;
    let duplicates = find_duplicates(|visit| {
        for (index, split) in splits.iter().enumerate() {
            let columns: &[&str] = if first_pass { &["text", "label", "group"] } else { &["text"] };
            for_batches(prepared, split, columns, &mut |batch, texts| {
                if first_pass {
                    note(prepared, batch, 1 << index.min(63), &mut labels, &mut groups)?;
                    count_defects(texts, normalization, &mut defects[index]);
                }
                visit(texts);
                Ok(())
            })?;
        }
        first_pass = false;
        Ok::<(), Error>(())
    })?;
    let shared = Shared::new(prepared, &splits, &duplicates.first);
    let ranks: Vec<u8> = (0..labels.len()).map(|row| rank(&splits[shared.split_of(row)])).collect();
    let repeats = duplicates.of_higher_rank(&ranks);
    Ok(Texts { shared, duplicates, repeats, labels, groups, defects })
}

fn note(
    prepared: &Prepared,
    batch: &RecordBatch,
    split: u64,
    labels: &mut Vec<Option<u32>>,
    groups: &mut HashMap<String, u64>,
) -> Result<()> {
    let foreign = || {
        let corpus = prepared.folder().join("corpus");
        Error::prepared(&corpus, "not the corpus that was written; prepare again")
    };
    let column = batch.column(1).as_primitive_opt::<Int64Type>().ok_or_else(foreign)?;
    labels.extend(column.iter().map(|label| label.and_then(|label| u32::try_from(label).ok())));
    let column = batch.column(2).as_string_opt::<i32>().ok_or_else(foreign)?;
    for group in column.iter().flatten() {
        match groups.get_mut(group) {
            Some(splits) => *splits |= split,
            None => {
                groups.insert(group.to_owned(), split);
            }
        }
    }
    Ok(())
}

/// The tokenizer's own normalisation has taken line breaks out; its case would hide what garbled text looks like.
fn count_defects(texts: &[&str], normalization: Option<Normalization>, sum: &mut SplitDefects) {
    let cased = normalization.map(|_| Normalization::default());
    let of = |text: &&str| match cased {
        Some(cased) => Defects::of(&cased.apply(text)),
        None => Defects::of(text),
    };
    let found: Vec<Defects> = texts.par_iter().map(of).collect();
    for defects in found {
        sum.damaged_texts += u64::from(defects.damage() > 0);
        sum.markup_texts += u64::from(defects.markup() > 0);
        sum.characters += defects;
    }
}

impl Texts {
    /// All but what needs tokens.
    pub(super) fn diagnose(&self, prepared: &Prepared) -> Diagnosis {
        let manifest = prepared.manifest();
        let (mut within, mut across) = self.shared.count();
        self.count_near(&mut within, &mut across);
        for splits in self.groups.values() {
            for ((left, right), pair) in &mut across {
                pair.groups += u64::from((splits >> left) & (splits >> right) & 1);
            }
        }
        let mut similarities = vec![0; SIMILARITY_BINS];
        for pair in &self.duplicates.near {
            let share = (pair.similarity - NEAR) / (1.0 - NEAR);
            similarities[((share * SIMILARITY_BINS as f64) as usize).min(SIMILARITY_BINS - 1)] += 1;
        }
        let splits =
            self.shared.splits.iter().zip(within).enumerate().map(|(index, (name, repeats))| {
                let numbers = manifest.splits.get(name).cloned().unwrap_or_default();
                SplitDiagnosis {
                    split: name.clone(),
                    rows: numbers.rows,
                    distinct: numbers.rows - repeats.extra_rows.min(numbers.rows),
                    labels: numbers.labels,
                    unlabelled: numbers.unlabelled,
                    groups: self.groups.values().map(|splits| splits >> index & 1).sum(),
                    repeats,
                    defects: self.defects[index],
                    ..SplitDiagnosis::default()
                }
            });
        Diagnosis {
            dataset: manifest.dataset.clone(),
            source: manifest.source.clone(),
            class_names: manifest.class_names.clone(),
            near_threshold: NEAR,
            shingle_words: SHINGLE_WORDS,
            findings: Vec::new(),
            leaking_rows: self.repeats.iter().flatten().count() as u64,
            splits: splits.collect(),
            pairs: across.into_values().collect(),
            conflicts: ClassConflicts {
                identical_texts: self.conflicting_texts().len() as u64,
                near_pairs: self.conflicting_pairs().count() as u64,
            },
            similarities,
        }
    }

    fn count_near(&self, within: &mut [Repeats], across: &mut BTreeMap<(usize, usize), Pair>) {
        let present = |row: u32| -> u64 {
            let rows = self.shared.rows_of(row).iter().enumerate();
            rows.map(|(split, rows)| u64::from(*rows > 0) << split.min(63)).sum()
        };
        let mut near_to: BTreeMap<u32, u64> = BTreeMap::new();
        for pair in &self.duplicates.near {
            let (left, right) = (present(pair.first), present(pair.second));
            *near_to.entry(pair.first).or_default() |= right;
            *near_to.entry(pair.second).or_default() |= left;
            for (split, repeats) in within.iter_mut().enumerate() {
                repeats.near_pairs += (left & right) >> split & 1;
            }
            for ((a, b), both) in &mut *across {
                both.near_pairs +=
                    u64::from((left >> a & right >> b | left >> b & right >> a) & 1 > 0);
            }
        }
        for (text, near) in near_to {
            let rows = self.shared.rows_of(text);
            for (split, repeats) in within.iter_mut().enumerate() {
                repeats.near_rows += (near >> split & 1) * u64::from(rows[split]);
            }
            for ((a, b), both) in &mut *across {
                if rows[*b] == 0 {
                    both.near_rows[0] += (near >> b & 1) * u64::from(rows[*a]);
                }
                if rows[*a] == 0 {
                    both.near_rows[1] += (near >> a & 1) * u64::from(rows[*b]);
                }
            }
        }
    }

    /// Two rows each of texts that have more than one label.
    fn conflicting_texts(&self) -> Vec<(usize, usize)> {
        let mut labelled: HashMap<u32, usize> = HashMap::new();
        let mut found: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
        for (row, first) in self.duplicates.first.iter().enumerate() {
            let Some(label) = self.labels[row] else { continue };
            let earlier = *labelled.entry(*first).or_insert(row);
            if self.labels[earlier] != Some(label) {
                found.entry(*first).or_insert((earlier, row));
            }
        }
        found.into_values().collect()
    }

    fn conflicting_pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let label = |row: u32| self.labels.get(row as usize).copied().flatten();
        let pairs = self.duplicates.near.iter().filter(move |pair| {
            label(pair.first).zip(label(pair.second)).is_some_and(|(left, right)| left != right)
        });
        pairs.map(|pair| (pair.first as usize, pair.second as usize))
    }

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
