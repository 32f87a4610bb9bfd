//! The first stage: records of any source to `corpus/*.parquet`, with the validation split held out.

use std::collections::BTreeMap;
use std::path::Path;

use taper_corpus::{
    Chooser, ContentFingerprint, CorpusWriter, HoldOut, Origin, Record, RejectedWriter, Source,
    SplitBy, SplitSummary, UNSUPERVISED,
};

use super::PrepareEvent;
use super::leaks::{self, Leaks};
use crate::fingerprint::Fingerprint;
use crate::manifest::{SplitManifest, Stage};
use crate::recipe::{HoldOutBy, Labels};
use crate::{Error, Recipe, Result};

const VERSION: u32 = 1;
const REPORT_EVERY: u64 = 1000;

/// What the stage depends on: the source's content, and what is held out of it.
pub(super) fn fingerprint(recipe: &Recipe, source_identity: &str) -> String {
    let mut fingerprint =
        Fingerprint::new(Stage::Corpus.name(), VERSION).field("source", source_identity);
    if let Some(hold_out) = &recipe.data.hold_out {
        fingerprint = fingerprint
            .field("fraction", &hold_out.fraction.to_string())
            .field("by", by(hold_out.by))
            .field("seed", &recipe.seed.to_string());
    }
    if recipe.data.labels == Labels::Multi {
        fingerprint = fingerprint.field("labels", "multi");
    }
    leaks::fingerprint(recipe.data.drop_leaks, fingerprint).finish()
}

fn by(by: HoldOutBy) -> &'static str {
    match by {
        HoldOutBy::Record => "Record",
        HoldOutBy::Group => "Group",
        HoldOutBy::Label => "Label, its first one stays",
    }
}

/// What the stage found.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) class_names: Vec<String>,
    pub(super) splits: BTreeMap<String, SplitManifest>,
    /// Rows that were passed over.
    pub(super) rejected: u64,
}

pub(super) fn build(
    source: &Source,
    recipe: &Recipe,
    folder: &Path,
    events: &mut dyn FnMut(PrepareEvent),
) -> Result<Outcome> {
    let hold_out = recipe.data.hold_out.as_ref().map(|hold_out| HoldOut {
        fraction: hold_out.fraction,
        seed: recipe.seed,
        by: match hold_out.by {
            HoldOutBy::Group => SplitBy::Group,
            HoldOutBy::Record => SplitBy::Record,
            HoldOutBy::Label => SplitBy::Label,
        },
    });
    let leaks = leaks::find(source, hold_out, recipe.data.drop_leaks)?;
    let class_names = source.class_names()?;
    let lineage = BTreeMap::from([
        ("source".to_owned(), source.describe()),
        ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);

    let create = match recipe.data.labels {
        Labels::Single => CorpusWriter::create,
        Labels::Multi => CorpusWriter::create_label_sets,
    };
    let begin = |hold_out, leaks| {
        let writer = create(folder, &class_names, &lineage)?.with_origins();
        Ok::<_, Error>(Attempt::new(writer, hold_out, leaks))
    };
    let mut attempt = begin(hold_out, leaks.clone())?;
    let mut rejected = attempt.read(source, folder, events)?;
    if attempt.both() {
        // Only now is it known that the source has a validation split of its own; once more, without holding out.
        attempt = begin(None, leaks)?;
        rejected = attempt.read(source, folder, events)?;
    }
    let (summaries, contents, leaks) = attempt.finish()?;
    leaks.check(recipe, |split| summaries.iter().any(|summary| summary.split == split))?;
    leaks.write(folder)?;
    let rejected = rejected.finish()?;
    let splits = summaries
        .into_iter()
        .zip(contents)
        .map(|(summary, content)| {
            let dropped = leaks.dropped_of(&summary.split);
            (summary.split.clone(), in_numbers(summary, content, dropped))
        })
        .collect();
    Ok(Outcome { class_names, splits, rejected })
}

/// Whether there is anything to learn.
pub(super) fn check(recipe: &Recipe, splits: &BTreeMap<String, SplitManifest>) -> Result<()> {
    let fail =
        |message: String| Err(Error::Dataset { dataset: recipe.data.dataset.clone(), message });
    let names: Vec<&str> = splits.keys().map(String::as_str).collect();
    let Some(train) = splits.get("train").filter(|train| train.rows > 0) else {
        let hint = match names.as_slice() {
            [UNSUPERVISED] => {
                "; plain text has no labels. A table or other lines by such a name are read with, for example, \
                 `--set data.format=csv` (or jsonl, fasttext, trec)"
            }
            names if recipe.data.hold_out.is_some() && names.contains(&"validation") => {
                "; did `data.hold_out` take every text?"
            }
            _ => "",
        };
        return fail(format!(
            "no texts to train on: expected a split `train`; found {}{hint}",
            names.join(", ")
        ));
    };
    let used = train.labels.iter().filter(|rows| **rows > 0).count();
    if recipe.data.labels == Labels::Multi {
        if used == 0 {
            return fail("no text of the training split has a label".to_owned());
        }
    } else if used < 2 {
        return fail(format!(
            "the training split has texts of fewer than two classes (rows a class: {:?})",
            train.labels
        ));
    }
    Ok(())
}

/// One pass over the source.
struct Attempt {
    writer: CorpusWriter,
    hold_out: Option<Chooser>,
    contents: BTreeMap<String, ContentFingerprint>,
    held_out: bool,
    own_validation: bool,
    rows: u64,
    leaks: Leaks,
}

impl Attempt {
    fn new(writer: CorpusWriter, hold_out: Option<HoldOut>, leaks: Leaks) -> Self {
        Self {
            writer,
            hold_out: hold_out.map(HoldOut::chooser),
            contents: BTreeMap::new(),
            held_out: false,
            own_validation: false,
            rows: 0,
            leaks,
        }
    }

    /// Gives what was passed over.
    fn read(
        &mut self,
        source: &Source,
        folder: &Path,
        events: &mut dyn FnMut(PrepareEvent),
    ) -> Result<RejectedWriter> {
        let mut rejected = RejectedWriter::create(folder);
        source.for_each_from(
            &mut |split, record, origin| self.write(split, record, origin, events),
            &mut |row| rejected.write(&row),
        )?;
        Ok(rejected)
    }

    fn write(
        &mut self,
        split: &str,
        record: Record,
        origin: Origin,
        events: &mut dyn FnMut(PrepareEvent),
    ) -> taper_corpus::Result<()> {
        let chooser = self.hold_out.as_mut().filter(|_| split == "train");
        let held_out = chooser.is_some_and(|chooser| chooser.holds_out(&record));
        self.held_out |= held_out;
        self.own_validation |= split == "validation";
        if self.both() {
            return Ok(());
        }
        let split = if held_out { "validation" } else { split };
        if self.leaks.drops(split, &record) {
            return Ok(());
        }
        let content = self.contents.entry(split.to_owned()).or_default();
        match &record.labels {
            Some(labels) => content.add_labels(&record.text, labels),
            None => content.add(&record.text, record.label),
        }
        self.rows += 1;
        if self.rows.is_multiple_of(REPORT_EVERY) {
            events(PrepareEvent::Rows { stage: Stage::Corpus, rows: self.rows, total: None });
        }
        self.writer.write_from(split, record, origin)
    }

    /// Rows were held out although the source has a validation split.
    fn both(&self) -> bool {
        self.held_out && self.own_validation
    }

    fn finish(mut self) -> Result<(Vec<SplitSummary>, Vec<String>, Leaks)> {
        let summaries = self.writer.finish()?;
        let contents = summaries
            .iter()
            .map(|summary| {
                let content = self.contents.remove(&summary.split).unwrap_or_default();
                content.finish()
            })
            .collect();
        Ok((summaries, contents, self.leaks))
    }
}

fn in_numbers(summary: SplitSummary, content: String, dropped: u64) -> SplitManifest {
    SplitManifest {
        rows: summary.rows,
        labels: summary.labels,
        unlabelled: summary.unlabelled,
        dropped,
        content,
        records: summary.content,
        ..SplitManifest::default()
    }
}
