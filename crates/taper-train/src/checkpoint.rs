//! Everything a run needs to go on as if it had never stopped: weights, optimizer, and the place in
//! the data. A checkpoint is a folder that appears at once, whole, with the hashes of its files.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use taper_lstm::weights;

use crate::average::Average;
use crate::dynamics::EpochDynamics;
use crate::model::Model;
use crate::optimizer::Optimizer;
use crate::recipe::CheckpointPolicy;
use crate::{Error, Result, atomic, fingerprint};

pub mod policy;
mod progress;
mod state;

use policy::{Action, Point};
pub use progress::Progress;
use state::State;

const WEIGHTS: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const AVERAGE: &str = "average.safetensors";
const DYNAMICS: &str = "dynamics.safetensors";

const PREFIX: &str = "step-";
const TEMPORARY: &str = ".new-";
const EVALUATED: &str = "-evaluated";

fn name_of(steps: u32, evaluated: bool) -> String {
    format!("{PREFIX}{steps:08}{}", if evaluated { EVALUATED } else { "" })
}

/// What a checkpoint is made of, beside where the run stands.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The weights.
    pub model: &'a Model,
    /// The optimizer's moments.
    pub optimizer: &'a mut Optimizer,
    /// The averaged weights, where the recipe has them.
    pub average: Option<&'a Average>,
    /// What the epoch so far gave each training row.
    pub dynamics: &'a mut EpochDynamics,
}

/// The `checkpoints` folder of a run.
#[derive(Debug)]
pub struct Checkpoints {
    folder: PathBuf,
}

impl Checkpoints {
    /// The checkpoints in `folder`.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Their names, oldest first.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut names = self.entries()?;
        names.retain(|name| name.starts_with(PREFIX));
        names.sort();
        Ok(names)
    }

    fn entries(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.map_err(Error::io(&self.folder, "list the folder"))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::io(&self.folder, "list the folder"))?;
            names.extend(entry.file_name().into_string());
        }
        Ok(names)
    }

    /// Writes a checkpoint, then removes those that the policy does not keep. Returns its name.
    pub fn save(
        &self,
        progress: &Progress,
        metrics_len: u64,
        parts: &Parts,
        policy: &CheckpointPolicy,
    ) -> Result<String> {
        fs::create_dir_all(&self.folder).map_err(Error::io(&self.folder, "create the folder"))?;
        let temporary = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempdir_in(&self.folder)
            .map_err(Error::io(&self.folder, "create a folder in"))?;
        let at = |name: &str| temporary.path().join(name);
        parts.model.save_weights(&at(WEIGHTS))?;
        weights::save(&parts.optimizer.state(), &at(OPTIMIZER))?;
        let mut names = vec![WEIGHTS, OPTIMIZER];
        if let Some(average) = parts.average {
            average.model.save_weights(&at(AVERAGE))?;
            names.push(AVERAGE);
        }
        if progress.batches > 0 {
            parts.dynamics.save(&at(DYNAMICS))?;
            names.push(DYNAMICS);
        }
        let mut files = BTreeMap::new();
        for name in names {
            files.insert(name.to_owned(), fingerprint::of_file(&at(name))?);
        }
        State::new(progress, metrics_len, files).write(temporary.path())?;

        // A name of its own for the same point once it is evaluated, so that nothing is replaced.
        let evaluated = progress.batches == 0 && progress.evaluated();
        let name = name_of(progress.steps, evaluated);
        let path = self.folder.join(&name);
        if path.exists() {
            // The run came by here before: the same point, so the same bits.
            return Ok(name);
        }
        fs::rename(temporary.path(), &path).map_err(Error::io(&path, "rename a folder to"))?;
        // It is in place: nothing is left to clean up.
        let _ = temporary.keep();
        atomic::sync_folder(&self.folder)?;
        for action in policy::tidy(policy, &self.points(progress)?, progress.best) {
            if let Action::Delete(old) = action {
                let old = self.folder.join(old);
                fs::remove_dir_all(&old).map_err(Error::io(&old, "remove the folder"))?;
            }
        }
        Ok(name)
    }

    /// The checkpoints of a run that stands at `progress`, oldest first.
    fn points(&self, progress: &Progress) -> Result<Vec<Point>> {
        let steps_of: BTreeMap<u32, u32> =
            progress.evaluation_steps.iter().map(|&(epochs, steps)| (steps, epochs)).collect();
        let bests = progress.bests();
        let points = self.names()?.into_iter().filter_map(|name| {
            let number = name.strip_prefix(PREFIX)?;
            let (number, evaluated) = match number.strip_suffix(EVALUATED) {
                Some(number) => (number, true),
                None => (number, false),
            };
            let steps: u32 = number.parse().ok()?;
            let evaluated = evaluated.then(|| steps_of.get(&steps).copied()).flatten();
            // A checkpoint that is not evaluated was written before the evaluation at its step.
            let before =
                |&(at, _): &(u32, u32)| at < steps.saturating_add(u32::from(evaluated.is_some()));
            let best = bests[..bests.partition_point(before)].last().map(|&(_, best)| best);
            Some(Point { name, steps, evaluated, best })
        });
        Ok(points.collect())
    }

    /// Where the run stands at the checkpoint of this name, or the newest, and how long `metrics.jsonl` was; `None` if
    /// there is none at all.
    ///
    /// # Errors
    /// If it is not whole, as [`Self::restore`].
    pub(crate) fn standing(&self, name: Option<&str>) -> Result<Option<(Progress, u64)>> {
        let found = self.find(name)?;
        Ok(found.map(|(_, state)| (state.progress, state.metrics_len)))
    }

    /// The newest checkpoint that stands between two epochs.
    pub(crate) fn between_epochs(&self) -> Result<Option<String>> {
        let whole = |name: &String| self.state(name).is_ok_and(|state| state.progress.batches == 0);
        Ok(self.names()?.into_iter().rev().find(whole))
    }

    /// Removes what a process that was killed left half written.
    pub(crate) fn sweep(&self) -> Result<()> {
        for name in self.entries()? {
            if name.starts_with(TEMPORARY) {
                let left = self.folder.join(name);
                fs::remove_dir_all(&left).map_err(Error::io(&left, "remove the folder"))?;
            }
        }
        Ok(())
    }

    /// Those written after the checkpoint of this name, if one is named.
    fn after(&self, name: Option<&str>) -> Result<Vec<String>> {
        let Some(name) = name else { return Ok(Vec::new()) };
        let mut names = self.names()?;
        if !names.iter().any(|known| known == name) {
            return Err(self.unknown(name, &names));
        }
        names.retain(|other| other.as_str() > name);
        Ok(names)
    }

    /// Whether anything was written after the checkpoint of this name, if one is named.
    pub(crate) fn is_behind(&self, name: Option<&str>) -> Result<bool> {
        Ok(!self.after(name)?.is_empty())
    }

    /// Removes what was written after the checkpoint of this name, if one is named.
    pub(crate) fn forget_after(&self, name: Option<&str>) -> Result<()> {
        for name in self.after(name)? {
            let later = self.folder.join(name);
            fs::remove_dir_all(&later).map_err(Error::io(&later, "remove the folder"))?;
        }
        Ok(())
    }

    fn unknown(&self, name: &str, names: &[String]) -> Error {
        let message = if names.is_empty() {
            "no such checkpoint, and no other".to_owned()
        } else {
            format!("no such checkpoint; there are: {}", names.join(", "))
        };
        Error::run(&self.folder.join(name), message)
    }

    /// The file with the weights that were judged best and its BLAKE3, while its checkpoint is kept.
    ///
    /// # Errors
    /// A checkpoint whose state cannot be read.
    pub fn best_weights(&self, progress: &Progress) -> Result<Option<(PathBuf, String)>> {
        let steps = &progress.evaluation_steps;
        let found = steps.iter().find(|(epochs, _)| Some(*epochs) == progress.best);
        let Some(name) = found.map(|&(_, steps)| name_of(steps, true)) else { return Ok(None) };
        let folder = self.folder.join(&name);
        if !folder.is_dir() {
            return Ok(None);
        }
        let files = self.state(&name)?.files;
        let of = |file: &str| Some((folder.join(file), files.get(file)?.clone()));
        Ok(of(AVERAGE).or_else(|| of(WEIGHTS)))
    }

    /// Whether the best epoch of a run that goes back to `progress` can still become its model.
    ///
    /// # Errors
    /// If its weights are not kept any more.
    pub(crate) fn check_best(&self, progress: &Progress) -> Result<()> {
        let Some(epoch) = progress.best else { return Ok(()) };
        if self.best_weights(progress)?.is_some() {
            return Ok(());
        }
        let message = format!(
            "the weights of epoch {epoch}, the best one up to step {}, are not kept any more, and the model would be another \
             than that of a run that never went on; begin at another checkpoint, or let the last epoch's weights become \
             the model (`--set train.select=last --force`)",
            progress.steps
        );
        Err(Error::run(&self.folder, message))
    }

    /// Restores `name`, or the newest; `None` if there is none at all. Returns where the run stands
    /// and how long `metrics.jsonl` was.
    ///
    /// # Errors
    /// If a file of it is missing or not what was written, or its weights are not all numbers: the error names the file,
    /// and the newest checkpoint before it that is whole.
    pub fn restore(
        &self,
        name: Option<&str>,
        parts: &mut Parts,
    ) -> Result<Option<(Progress, u64)>> {
        let Some((name, state)) = self.find(name)? else { return Ok(None) };
        let folder = self.folder.join(&name);
        parts.model.load_weights(&folder.join(WEIGHTS))?;
        self.check_finite(&name, WEIGHTS, parts.model)?;
        let moments = weights::load(&folder.join(OPTIMIZER))?;
        parts.optimizer.restore(state.progress.steps, &moments, &parts.model.vars())?;
        if let Some(average) = parts.average {
            // A recipe that averages only from here on starts at the weights as they are.
            let file = if state.files.contains_key(AVERAGE) { AVERAGE } else { WEIGHTS };
            average.model.load_weights(&folder.join(file))?;
            self.check_finite(&name, file, &average.model)?;
        }
        if state.files.contains_key(DYNAMICS) {
            let path = folder.join(DYNAMICS);
            let found = EpochDynamics::load(&path)?;
            if found.len() != parts.dynamics.len() {
                let (found, rows) = (found.len(), parts.dynamics.len());
                return Err(Error::run(
                    &path,
                    format!("of {found} training rows; there are {rows}"),
                ));
            }
            *parts.dynamics = found;
        }
        Ok(Some((state.progress, state.metrics_len)))
    }

    /// Whether the weights that were read from a checkpoint's file are numbers.
    fn check_finite(&self, name: &str, file: &str, model: &Model) -> Result<()> {
        let Some(parameter) = model.not_finite()? else { return Ok(()) };
        let message = format!("`{parameter}` holds an infinity or a NaN: the run had diverged");
        let error = Error::run(&self.folder.join(name).join(file), message);
        Err(self.offer(name, &self.names()?, &error))
    }

    /// The checkpoint of this name, or the newest, once all of it is known to be whole.
    fn find(&self, name: Option<&str>) -> Result<Option<(String, State)>> {
        let names = self.names()?;
        let name = match name {
            Some(name) if !names.iter().any(|known| known == name) => {
                return Err(self.unknown(name, &names));
            }
            Some(name) => name,
            None => match names.last() {
                Some(name) => name,
                None => return Ok(None),
            },
        };
        let state = self.verify(name).map_err(|error| self.offer(name, &names, &error))?;
        Ok(Some((name.to_owned(), state)))
    }

    /// What `state.json` says; the other files are not looked at.
    fn state(&self, name: &str) -> Result<State> {
        State::read(&self.folder.join(name))
    }

    fn verify(&self, name: &str) -> Result<State> {
        let folder = self.folder.join(name);
        let state = self.state(name)?;
        for (file, written) in &state.files {
            let path = folder.join(file);
            if fingerprint::of_file(&path)? != *written {
                let message = "not what was written: damaged or cut short (its BLAKE3 differs)";
                return Err(Error::run(&path, message));
            }
        }
        Ok(state)
    }

    fn offer(&self, name: &str, names: &[String], error: &Error) -> Error {
        let whole = |other: &&String| self.verify(other).is_ok();
        let older = names.iter().rev().skip_while(|other| *other != name).skip(1).find(whole);
        let newer = || names.iter().rev().take_while(|other| *other != name).find(whole);
        let advice = if let Some(whole) = older {
            format!(
                "the checkpoint before it, {whole}, is whole: resume with `--checkpoint {whole}`"
            )
        } else if let Some(whole) = newer() {
            format!(
                "none before it is whole, {whole} after it is: resume with `--checkpoint {whole}`"
            )
        } else {
            "no checkpoint is whole: train again with another `--out`".to_owned()
        };
        Error::Checkpoint { problem: error.to_string(), advice }
    }
}

#[cfg(test)]
mod tests;
