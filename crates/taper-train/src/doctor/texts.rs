//! What the texts themselves tell: one pass for labels, groups and damage, two for duplicates.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use rayon::prelude::*;
use taper_corpus::duplicates::{Duplicates, NEAR, Repeat, SHINGLE_WORDS, find_duplicates};
use taper_corpus::{Defects, batches, shards};
use taper_text::Normalization;

use super::diagnosis::{ClassConflicts, Diagnosis, SplitDefects, SplitDiagnosis};
use super::examples::EXAMPLES;
use super::shared::Shared;
use crate::artifacts::LABELS;
use crate::label_sets::LabelSets;
use crate::prepare::leaks::rank;
use crate::prepare::text::{BATCH_ROWS, texts as strings};
use crate::{Error, Prepared, Result};

/// Bins between the threshold and 1.
const SIMILARITY_BINS: usize = 20;

/// The splits in the order of use: what is learned, what judges, the rest. After 64, which is as many as sets of splits
/// have bits, no more are looked at.
pub(super) fn splits(prepared: &Prepared) -> Vec<String> {
    let order = ["train", "validation", "test"];
    let place = |name: &String| order.iter().position(|known| known == name).unwrap_or(order.len());
    let mut names: Vec<String> = prepared.manifest().splits.keys().cloned().collect();
    names.sort_by_key(|name| (place(name), name.clone()));
    names.truncate(u64::BITS as usize);
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

/// What was read.
pub(super) struct Texts {
    pub(super) shared: Shared,
    pub(super) duplicates: Duplicates,
    /// What each row repeats of a split that judges it.
    pub(super) repeats: Vec<Option<Repeat>>,
    labels: Vec<Option<u32>>,
    /// A bit a split.
    groups: HashMap<String, u64>,
    flaws: Vec<Flaws>,
}

/// What is wrong with the texts of a split by themselves.
#[derive(Default, Clone)]
struct Flaws {
    sum: SplitDefects,
    /// The first rows with damage, and with markup.
    damaged: Vec<usize>,
    marked: Vec<usize>,
}

pub(super) fn read(prepared: &Prepared) -> Result<Texts> {
    let splits = splits(prepared);
    let normalization = prepared.tokenizer()?.normalization();
    let mut labels = Vec::new();
    let mut sets = LabelSets::default();
    let label = if prepared.manifest().is_multi_label() { LABELS } else { "label" };
    let mut groups: HashMap<String, u64> = HashMap::new();
    let mut flaws = vec![Flaws::default(); splits.len()];
    let mut first_pass = true;
    let mut ranks = Vec::new();
    let duplicates = find_duplicates(|visit| {
        ranks.clear();
        for (index, split) in splits.iter().enumerate() {
            let columns: &[&str] = if first_pass { &["text", label, "group"] } else { &["text"] };
            for_batches(prepared, split, columns, &mut |batch, texts| {
                if first_pass {
                    note_labels(prepared, batch, &mut sets, &mut labels)?;
                    note_groups(prepared, batch, 1 << index, &mut groups)?;
                    flaws[index].add(texts, normalization, ranks.len());
                }
                ranks.resize(ranks.len() + texts.len(), rank(split));
                visit(texts);
                Ok(())
            })?;
        }
        first_pass = false;
        Ok::<_, Error>(ranks.clone())
    })?;
    let shared = Shared::new(prepared, &splits, &duplicates.first);
    let repeats = duplicates.of_higher_rank(&ranks);
    Ok(Texts { shared, duplicates, repeats, labels, groups, flaws })
}

fn foreign(prepared: &Prepared) -> Error {
    let corpus = prepared.folder().join("corpus");
    Error::prepared(&corpus, "not the corpus that was written; prepare again")
}

/// A class a row, or the number of its set of labels.
fn note_labels(
    prepared: &Prepared,
    batch: &RecordBatch,
    sets: &mut LabelSets,
    labels: &mut Vec<Option<u32>>,
) -> Result<()> {
    let column = batch.column(1);
    let Some(lists) = column.as_list_opt::<i32>() else {
        let numbers = column.as_primitive_opt::<Int64Type>().ok_or_else(|| foreign(prepared))?;
        let narrow = |label: Option<i64>| label.and_then(|label| u32::try_from(label).ok());
        labels.extend(numbers.iter().map(narrow));
        return Ok(());
    };
    for list in lists.iter() {
        let Some(list) = list else {
            labels.push(None);
            continue;
        };
        let numbers = list.as_primitive_opt::<Int64Type>().ok_or_else(|| foreign(prepared))?;
        let set: Vec<u32> = numbers.iter().filter_map(|label| u32::try_from(label?).ok()).collect();
        labels.push(Some(sets.number(&set)));
    }
    Ok(())
}

fn note_groups(
    prepared: &Prepared,
    batch: &RecordBatch,
    split: u64,
    groups: &mut HashMap<String, u64>,
) -> Result<()> {
    let column = batch.column(2).as_string_opt::<i32>().ok_or_else(|| foreign(prepared))?;
    for group in column.iter().flatten() {
        if let Some(splits) = groups.get_mut(group) {
            *splits |= split;
        } else {
            groups.insert(group.to_owned(), split);
        }
    }
    Ok(())
}

impl Flaws {
    /// The tokenizer's own normalisation has taken line breaks out; its case would hide what garbled text looks like.
    fn add(&mut self, texts: &[&str], normalization: Option<Normalization>, first_row: usize) {
        let cased = normalization.map(|_| Normalization::default());
        let of = |text: &&str| match cased {
            Some(cased) => Defects::of(&cased.apply(text)),
            None => Defects::of(text),
        };
        let found: Vec<Defects> = texts.par_iter().map(of).collect();
        for (row, defects) in (first_row..).zip(found) {
            for (wrong, texts, rows) in [
                (defects.damage(), &mut self.sum.damaged_texts, &mut self.damaged),
                (defects.markup(), &mut self.sum.markup_texts, &mut self.marked),
            ] {
                *texts += u64::from(wrong > 0);
                if wrong > 0 && rows.len() < EXAMPLES {
                    rows.push(row);
                }
            }
            self.sum.characters += defects;
        }
    }
}

impl Texts {
    /// All but what needs tokens.
    pub(super) fn diagnose(&self, prepared: &Prepared) -> Diagnosis {
        let manifest = prepared.manifest();
        let (within, mut across) = self.shared.count(&self.duplicates.near);
        for splits in self.groups.values() {
            for ((left, right), pair) in &mut across {
                pair.groups += (splits >> left) & (splits >> right) & 1;
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
                    defects: self.flaws[index].sum,
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
            crowded_texts: self.duplicates.crowded,
            similarities,
        }
    }

    /// The first rows of a split with damage, or with markup.
    pub(super) fn flawed(&self, split: usize, damaged: bool) -> &[usize] {
        let Flaws { damaged: lost, marked, .. } = &self.flaws[split];
        if damaged { lost } else { marked }
    }

    /// The first groups, by name, that stand in all of `splits`.
    pub(super) fn common_groups(&self, splits: &[usize]) -> Vec<&str> {
        let wanted = splits.iter().fold(0, |wanted, split| wanted | 1_u64 << split);
        let across = self.groups.iter().filter(|(_, splits)| *splits & wanted == wanted);
        let mut names: Vec<&str> = across.map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.truncate(EXAMPLES);
        names
    }

    /// Two rows each of texts that have more than one label.
    pub(super) fn conflicting_texts(&self) -> Vec<(usize, usize)> {
        let labelled = self.labelled();
        let mut found: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
        for (row, first) in self.duplicates.first.iter().enumerate() {
            let (Some(label), Some(&earlier)) = (self.labels[row], labelled.get(first)) else {
                continue;
            };
            if self.labels[earlier] != Some(label) {
                found.entry(*first).or_insert((earlier, row));
            }
        }
        found.into_values().collect()
    }

    /// Two rows each of near-duplicates whose first labels differ.
    pub(super) fn conflicting_pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let labelled = self.labelled();
        let pairs = self.duplicates.near.iter().filter_map(move |pair| {
            Some((*labelled.get(&pair.first)?, *labelled.get(&pair.second)?))
        });
        pairs.filter(|(left, right)| self.labels[*left] != self.labels[*right])
    }

    /// Of each first text the first row with a label: an unlabelled split may have it earlier.
    fn labelled(&self) -> HashMap<u32, usize> {
        let mut rows = HashMap::new();
        for (row, first) in self.duplicates.first.iter().enumerate() {
            if self.labels[row].is_some() {
                rows.entry(*first).or_insert(row);
            }
        }
        rows
    }
}
