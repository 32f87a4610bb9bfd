//! Everything a run needs to go on as if it had never stopped: weights, optimizer, and the place in
//! the data. A checkpoint is a folder that appears at once, whole, with the hashes of its files.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use taper_lstm::weights;

use crate::evaluate::Evaluation;
use crate::metrics::Tally;
use crate::model::Model;
use crate::optimizer::Optimizer;
use crate::{Error, Result, atomic, fingerprint};

const STATE: &str = "state.json";
const WEIGHTS: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";

/// Where a run stands between two steps. There is no generator state: randomness is a function of
/// the seed and these numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Epochs whose batches are all learned.
    pub epochs: u32,
    /// Batches of the next epoch already learned.
    pub batches: usize,
    /// Optimizer steps of the run.
    pub steps: u32,
    /// Sums over the batches of the epoch so far.
    pub tally: Tally,
    /// Evaluations so far, with the number of epochs learned before each.
    pub evaluations: Vec<(u32, Evaluation)>,
    /// The number of epochs after which the best evaluation was made.
    pub best: Option<u32>,
    /// Seconds of the run so far, over all its processes.
    pub seconds: f64,
}

impl Progress {
    /// The best evaluation so far.
    pub fn best(&self) -> Option<&Evaluation> {
        let found = self.evaluations.iter().find(|(epochs, _)| Some(*epochs) == self.best);
        found.map(|(_, evaluation)| evaluation)
    }

    /// Whether the evaluation that belongs to this point was made.
    pub fn evaluated(&self) -> bool {
        self.evaluations.last().is_some_and(|(epochs, _)| *epochs == self.epochs)
    }
}

/// `state.json`.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    format: u32,
    progress: Progress,
    /// Length of `metrics.jsonl` at this point: what was written after it is cut off on resume.
    metrics_len: u64,
    /// BLAKE3 of the other files, by name.
    files: BTreeMap<String, String>,
}

const FORMAT: u32 = 1;

/// The `checkpoints` folder of a run.
#[derive(Debug)]
pub struct Checkpoints {
    folder: PathBuf,
}

impl Checkpoints {
    /// How many are kept: the newest, and those to fall back on.
    pub const KEPT: usize = 4;

    /// The checkpoints in `folder`.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Their names, oldest first.
    pub fn names(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.map_err(Error::io(&self.folder, "list the folder"))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::io(&self.folder, "list the folder"))?;
            names.extend(entry.file_name().into_string());
        }
        names.retain(|name| name.starts_with("step-"));
        names.sort();
        Ok(names)
    }

    /// Writes a checkpoint, then removes the oldest beyond [`Self::KEPT`]. Returns its name.
    pub fn save(
        &self,
        progress: &Progress,
        metrics_len: u64,
        model: &Model,
        optimizer: &Optimizer,
    ) -> Result<String> {
        fs::create_dir_all(&self.folder).map_err(Error::io(&self.folder, "create the folder"))?;
        let temporary = tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(&self.folder)
            .map_err(Error::io(&self.folder, "create a folder in"))?;
        let at = |name: &str| temporary.path().join(name);
        model.save_weights(&at(WEIGHTS))?;
        weights::save(&optimizer.state(), &at(OPTIMIZER))?;
        let mut files = BTreeMap::new();
        for name in [WEIGHTS, OPTIMIZER] {
            files.insert(name.to_owned(), fingerprint::of_file(&at(name))?);
        }
        let state = State { format: FORMAT, progress: progress.clone(), metrics_len, files };
        let bytes = serde_json::to_vec_pretty(&state)
            .map_err(|error| Error::run(&at(STATE), format!("cannot be written: {error}")))?;
        atomic::write(&at(STATE), &bytes)?;

        // A name of its own for the same point once it is evaluated, so that nothing is replaced.
        let evaluated = progress.batches == 0 && progress.evaluated();
        let suffix = if evaluated { "-evaluated" } else { "" };
        let name = format!("step-{:08}{suffix}", progress.steps);
        let path = self.folder.join(&name);
        if path.exists() {
            // The run came by here before: the same point, so the same bits.
            return Ok(name);
        }
        fs::rename(temporary.path(), &path).map_err(Error::io(&path, "rename a folder to"))?;
        // It is in place: nothing is left to clean up.
        let _ = temporary.keep();
        atomic::sync_folder(&self.folder)?;
        for old in self.names()?.iter().rev().skip(Self::KEPT) {
            let old = self.folder.join(old);
            fs::remove_dir_all(&old).map_err(Error::io(&old, "remove the folder"))?;
        }
        Ok(name)
    }

    /// Restores `name`, or the newest; `None` if there is none at all. Returns where the run stands
    /// and how long `metrics.jsonl` was.
    ///
    /// # Errors
    /// If a file of it is missing or not what was written: the error names the file, and the newest
    /// checkpoint before it that is whole.
    pub fn restore(
        &self,
        name: Option<&str>,
        model: &Model,
        optimizer: &mut Optimizer,
    ) -> Result<Option<(Progress, u64)>> {
        let names = self.names()?;
        let name = match name {
            Some(name) if !names.iter().any(|known| known == name) => {
                let message = if names.is_empty() {
                    "no such checkpoint, and no other".to_owned()
                } else {
                    format!("no such checkpoint; there are: {}", names.join(", "))
                };
                return Err(Error::run(&self.folder.join(name), message));
            }
            Some(name) => name,
            None => match names.last() {
                Some(name) => name,
                None => return Ok(None),
            },
        };
        let folder = self.folder.join(name);
        let state = self.verify(name).map_err(|error| self.offer(name, &names, &error))?;
        model.load_weights(&folder.join(WEIGHTS))?;
        let moments = weights::load(&folder.join(OPTIMIZER))?;
        optimizer.restore(state.progress.steps, &moments, &model.vars())?;
        Ok(Some((state.progress, state.metrics_len)))
    }

    fn verify(&self, name: &str) -> Result<State> {
        let folder = self.folder.join(name);
        let path = folder.join(STATE);
        let bytes = fs::read(&path).map_err(Error::io(&path, "read"))?;
        let state: State = serde_json::from_slice(&bytes)
            .map_err(|error| Error::run(&path, format!("not a checkpoint's state: {error}")))?;
        if state.format != FORMAT {
            let message = format!("version {}; this program reads version {FORMAT}", state.format);
            return Err(Error::run(&path, message));
        }
        for file in [WEIGHTS, OPTIMIZER] {
            let path = folder.join(file);
            let found = fingerprint::of_file(&path)?;
            if state.files.get(file) != Some(&found) {
                let message = "not what was written: damaged or cut short (its BLAKE3 differs)";
                return Err(Error::run(&path, message));
            }
        }
        Ok(state)
    }

    fn offer(&self, name: &str, names: &[String], error: &Error) -> Error {
        let older = names.iter().rev().skip_while(|other| *other != name).skip(1);
        let whole = older.into_iter().find(|other| self.verify(other).is_ok());
        let advice = match whole {
            Some(whole) => format!(
                "the checkpoint before it, {whole}, is whole: resume with `--checkpoint {whole}`"
            ),
            None => "no checkpoint before it is whole: train again with another `--out`".into(),
        };
        Error::Checkpoint { problem: error.to_string(), advice }
    }
}
