//! `data.drop_leaks`: which records of a source the corpus stage leaves out, because a split for judging has them too.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use serde::Serialize;
use taper_corpus::duplicates::{
    Duplicates, NEAR, Repeat, SHINGLE_WORDS, VisitTexts, find_duplicates, find_identical,
};
use taper_corpus::{HoldOut, Record, Source};

use super::text::BATCH_ROWS;
use crate::fingerprint::Fingerprint;
use crate::recipe::DropLeaks;
use crate::{Error, Recipe, Result, atomic};

/// The dropped records, a line of JSON each, within the corpus folder.
const DROPPED: &str = "dropped.jsonl";

/// How far a split is from what is learned: its texts go where one further away has them too.
pub(crate) fn rank(split: &str) -> u8 {
    match split {
        "test" => 2,
        "validation" => 1,
        _ => 0,
    }
}

/// The stage's fingerprint is as it was where nothing is dropped.
pub(super) fn fingerprint(drop: Option<DropLeaks>, fingerprint: Fingerprint) -> Fingerprint {
    match drop {
        None | Some(DropLeaks::Keep) => fingerprint,
        Some(DropLeaks::Identical) => fingerprint.field("drop_leaks", "identical"),
        Some(DropLeaks::Near) => {
            fingerprint.field("drop_leaks", &format!("near {NEAR} {SHINGLE_WORDS} by rank in NFC"))
        }
    }
}

/// Which records to drop, told as they come by.
#[derive(Debug, Clone, Default)]
pub(super) struct Leaks {
    /// What a record repeats, by the record's place in the source.
    repeats: HashMap<u32, Repeat>,
    /// The records repeated, and once they came by, their split and id.
    repeated: HashMap<u32, (String, String)>,
    wanted: BTreeSet<u32>,
    seen: u32,
    /// Place in the source, split and id of what was dropped.
    dropped: Vec<(u32, String, String)>,
}

/// A line of `dropped.jsonl`.
#[derive(Serialize)]
struct Line<'a> {
    split: &'a str,
    id: &'a str,
    repeats: Place<'a>,
    /// `null` where the texts are identical.
    similarity: Option<f64>,
}

#[derive(Serialize)]
struct Place<'a> {
    split: &'a str,
    id: &'a str,
}

/// Reads the source through, twice for near-duplicates; not at all where nothing is to be dropped.
pub(super) fn find(
    source: &Source,
    hold_out: Option<HoldOut>,
    drop: Option<DropLeaks>,
) -> Result<Leaks> {
    let mut ranks = Vec::new();
    let found = match drop {
        None | Some(DropLeaks::Keep) => return Ok(Leaks::default()),
        Some(DropLeaks::Identical) => Duplicates {
            first: find_identical(|visit| read(source, hold_out, &mut ranks, visit))?,
            ..Duplicates::default()
        },
        Some(DropLeaks::Near) => find_duplicates(|visit| {
            read(source, hold_out, &mut ranks, visit)?;
            Ok::<_, Error>(ranks.clone())
        })?,
    };
    let repeats = (0..).zip(found.of_higher_rank(&ranks));
    let repeats: HashMap<u32, Repeat> =
        repeats.filter_map(|(row, repeat)| Some((row, repeat?))).collect();
    let wanted = repeats.values().map(|repeat| repeat.of).collect();
    Ok(Leaks { repeats, wanted, ..Leaks::default() })
}

/// All texts in batches, and the rank of each.
fn read(
    source: &Source,
    hold_out: Option<HoldOut>,
    ranks: &mut Vec<u8>,
    visit: &mut VisitTexts<'_>,
) -> Result<()> {
    ranks.clear();
    let mut texts: Vec<String> = Vec::with_capacity(BATCH_ROWS);
    let mut held_out = Vec::new();
    let mut own_validation = false;
    let mut chooser = hold_out.map(HoldOut::chooser);
    let mut hand_over = |texts: &mut Vec<String>| {
        visit(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        texts.clear();
    };
    source.for_each(&mut |split, record| {
        own_validation |= split == "validation";
        let chooser = chooser.as_mut().filter(|_| split == "train");
        if chooser.is_some_and(|chooser| chooser.holds_out(&record)) {
            held_out.push(ranks.len());
        }
        ranks.push(rank(split));
        texts.push(record.text);
        if texts.len() == BATCH_ROWS {
            hand_over(&mut texts);
        }
        Ok(())
    })?;
    hand_over(&mut texts);
    if !own_validation {
        for row in held_out {
            ranks[row] = rank("validation");
        }
    }
    Ok(())
}

impl Leaks {
    /// Whether the next record of the source is to be left out. `split` is where it would go.
    pub(super) fn drops(&mut self, split: &str, record: &Record) -> bool {
        let row = self.seen;
        self.seen += 1;
        if self.wanted.contains(&row) {
            self.repeated.insert(row, (split.to_owned(), record.id.clone()));
        }
        let drops = self.repeats.contains_key(&row);
        if drops {
            self.dropped.push((row, split.to_owned(), record.id.clone()));
        }
        drops
    }

    /// Records of a split left out.
    pub(super) fn dropped_of(&self, split: &str) -> u64 {
        self.dropped.iter().filter(|(_, of, _)| of == split).count() as u64
    }

    /// A split of which nothing is left would be gone without a word, with its count.
    pub(super) fn check(&self, recipe: &Recipe, is_left: impl Fn(&str) -> bool) -> Result<()> {
        let Some((_, gone, _)) = self.dropped.iter().find(|(_, split, _)| !is_left(split)) else {
            return Ok(());
        };
        Err(Error::Dataset {
            dataset: recipe.data.dataset.clone(),
            message: format!(
                "`data.drop_leaks` would leave nothing of the split `{gone}`: a split for judging has all its texts"
            ),
        })
    }

    /// Says which were left out and why; no file where none were.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        if self.dropped.is_empty() {
            return Ok(());
        }
        let path = folder.join(DROPPED);
        let failed = |error| Error::prepared(&path, format!("cannot be written as JSON: {error}"));
        let mut lines = Vec::new();
        for (row, split, id) in &self.dropped {
            let Some(repeat) = self.repeats.get(row) else { continue };
            let Some((of_split, of_id)) = self.repeated.get(&repeat.of) else { continue };
            let repeats = Place { split: of_split, id: of_id };
            let line = Line { split, id, repeats, similarity: repeat.similarity };
            serde_json::to_writer(&mut lines, &line).map_err(failed)?;
            lines.push(b'\n');
        }
        atomic::write(&path, &lines)
    }
}
