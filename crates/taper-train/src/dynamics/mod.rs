//! Training dynamics: for every epoch and row of the training split, the probability that the model gave the row's label
//! when it was learned, before the step, and whether that class was its choice.
//!
//! `dynamics/epoch-00001.safetensors` of a run has `probability` (f32 `[rows]`, NaN where a row was not learned) and `correct`
//! (u8 `[rows]`); an epoch that is not over is part of its checkpoint.

mod rows;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

pub use rows::{RowDynamics, summarise};

use crate::loss::Verdict;
use crate::{Error, Result, atomic};

const FOLDER: &str = "dynamics";
const PROBABILITY: &str = "probability";
const CORRECT: &str = "correct";

/// One epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochDynamics {
    probabilities: Vec<f32>,
    correct: Vec<bool>,
}

impl EpochDynamics {
    /// An epoch of so many rows, none of which is learned yet.
    pub fn new(rows: usize) -> Self {
        Self { probabilities: vec![f32::NAN; rows], correct: vec![false; rows] }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.probabilities.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.probabilities.is_empty()
    }

    /// What the model gave a row's label; `None` if the row was not learned, or there is none.
    pub fn get(&self, row: usize) -> Option<Verdict> {
        let probability = *self.probabilities.get(row).filter(|p| !p.is_nan())?;
        Some(Verdict { probability, correct: self.correct[row] })
    }

    /// Notes what the model gave the label of each of these rows.
    ///
    /// # Panics
    /// Where there is no such row, as slices do.
    pub fn record(&mut self, rows: impl Iterator<Item = usize>, verdicts: &[Verdict]) {
        for (row, verdict) in rows.zip(verdicts) {
            self.probabilities[row] = verdict.probability;
            self.correct[row] = verdict.correct;
        }
    }

    /// Reads the epochs of a run, the first one first, up to the first that is not there.
    ///
    /// # Errors
    /// A file that is none of these.
    pub fn of_run(run: &Path) -> Result<Vec<Self>> {
        let paths = (1..).map(|epoch| path(run, epoch)).take_while(|path| path.is_file());
        paths.map(|path| Self::load(&path)).collect()
    }

    pub(crate) fn load(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(Error::io(path, "read"))?;
        let foreign = || {
            let message =
                format!("not an epoch's `{PROBABILITY}` (f32 [rows]) and `{CORRECT}` (u8 [rows])");
            Error::run(path, message)
        };
        let tensors = SafeTensors::deserialize(&bytes).map_err(|_| foreign())?;
        let tensor = |name, dtype| {
            let tensor = tensors.tensor(name).ok()?;
            (tensor.dtype() == dtype && tensor.shape().len() == 1).then_some(tensor)
        };
        let probabilities = tensor(PROBABILITY, Dtype::F32).ok_or_else(foreign)?;
        let correct = tensor(CORRECT, Dtype::U8).ok_or_else(foreign)?;
        if probabilities.shape() != correct.shape() {
            return Err(foreign());
        }
        let words = probabilities.data().chunks_exact(4);
        Ok(Self {
            probabilities: words.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            correct: correct.data().iter().map(|flag| *flag != 0).collect(),
        })
    }

    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let refused = |error| Error::run(path, format!("cannot be written: {error}"));
        let probabilities: Vec<u8> =
            self.probabilities.iter().flat_map(|p| p.to_le_bytes()).collect();
        let correct: Vec<u8> = self.correct.iter().map(|flag| u8::from(*flag)).collect();
        let view = |dtype, bytes| TensorView::new(dtype, vec![self.len()], bytes);
        let tensors = BTreeMap::from([
            (PROBABILITY, view(Dtype::F32, &probabilities).map_err(refused)?),
            (CORRECT, view(Dtype::U8, &correct).map_err(refused)?),
        ]);
        atomic::write(path, &safetensors::serialize(tensors, None).map_err(refused)?)
    }

    /// Writes a whole epoch, the first is 1, into its run's folder.
    pub(crate) fn keep(&self, run: &Path, epoch: u32) -> Result<()> {
        let folder = run.join(FOLDER);
        fs::create_dir_all(&folder).map_err(Error::io(&folder, "create the folder"))?;
        self.save(&path(run, epoch))
    }
}

/// Removes the epochs after this one: they are still to come (again).
pub(crate) fn forget_after(run: &Path, epoch: u32) -> Result<()> {
    for path in (epoch + 1..).map(|epoch| path(run, epoch)).take_while(|path| path.is_file()) {
        fs::remove_file(&path).map_err(Error::io(&path, "remove"))?;
    }
    Ok(())
}

fn path(run: &Path, epoch: u32) -> PathBuf {
    run.join(FOLDER).join(format!("epoch-{epoch:05}.safetensors"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn epoch() -> EpochDynamics {
        let mut epoch = EpochDynamics::new(3);
        let verdict = |probability, correct| Verdict { probability, correct };
        epoch.record([2, 0].into_iter(), &[verdict(0.25, false), verdict(0.75, true)]);
        epoch
    }

    #[test]
    fn an_epoch_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        for number in 1..=3 {
            epoch().keep(folder.path(), number).unwrap();
        }
        let found = EpochDynamics::of_run(folder.path()).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].get(2), Some(Verdict { probability: 0.25, correct: false }));
        assert_eq!((found[0].get(1), found[0].get(3)), (None, None));
        forget_after(folder.path(), 1).unwrap();
        assert_eq!(EpochDynamics::of_run(folder.path()).unwrap().len(), 1);
    }

    #[test]
    fn another_file_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        epoch().keep(folder.path(), 1).unwrap();
        let path = path(folder.path(), 1);
        let bytes = fs::read(&path).unwrap();
        for damaged in [&bytes[..bytes.len() - 1], b"", b"not one"] {
            fs::write(&path, damaged).unwrap();
            let message = EpochDynamics::of_run(folder.path()).unwrap_err().to_string();
            assert!(message.contains("epoch-00001.safetensors: not an epoch's"), "{message}");
        }
    }
}
