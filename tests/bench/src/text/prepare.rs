//! A raw data set to encoded Parquet, vocabulary and aligned vectors, as `taper prepare` does it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use taper_train::prepare::{Dataset, PrepareEvent, PrepareOptions, VectorSource};
use taper_train::{manifest::Stage, prepare};

use super::entry::{Entry, Task};
use crate::workload::tutorial;

pub(super) const NAME: &str = "prepare";

/// Seconds of every stage, a round each.
pub(super) type Stages = RefCell<BTreeMap<&'static str, Vec<f64>>>;

/// Into a new folder every time, so that no stage is up to date.
pub(super) fn entry<'a>(
    dataset: &'a Path,
    vectors: &'a Path,
    stages: &'a Stages,
) -> Result<Entry<'a>> {
    let recipe = tutorial(&[])?;
    let run = move || {
        let folder = tempfile::tempdir()?;
        let options = PrepareOptions {
            recipe: &recipe,
            dataset: Dataset::Path(dataset.to_owned()),
            vectors: VectorSource::Path(vectors.to_owned()),
            output: &folder.path().join("prepared"),
        };
        let start = Instant::now();
        let mut began = start;
        prepare(&options, &mut |event| match event {
            PrepareEvent::Started(_) => began = Instant::now(),
            PrepareEvent::Finished(stage) => keep(stages, stage, began),
            _ => {}
        })?;
        Ok(start.elapsed().as_secs_f64())
    };
    let about = "Taper, all texts of the data set with the recipe `tutorial`, all threads";
    Ok(Entry::new((NAME, NAME), about.to_owned(), Task::Whole, run))
}

fn keep(stages: &Stages, stage: Stage, began: Instant) {
    let seconds = began.elapsed().as_secs_f64();
    stages.borrow_mut().entry(stage.name()).or_default().push(seconds);
}
