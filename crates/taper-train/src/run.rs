//! A run's folder: its lock, its recipe, its metrics, and at the end its model.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;
use taper_corpus::Record;

use crate::artifacts::{Prepared, TOKENIZER};
use crate::checkpoint::Checkpoints;
use crate::events::TrainEvent;
use crate::lock::{self, Lock};
use crate::manifest::Stage;
use crate::model::{self, ModelConfig};
use crate::recipe::Difference;
use crate::session::Session;
use crate::step::StepReport;
use crate::{Error, Recipe, Result, atomic, fingerprint};

const RECIPE: &str = "recipe.toml";
const METRICS: &str = "metrics.jsonl";
const PREPARED: &str = "prepared.json";
const DIVERGED: &str = "diverged.json";

/// A run's folder, locked against other processes for as long as this lives.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    recipe: Recipe,
    metrics: File,
    changes: Vec<Difference>,
    session: Option<Session>,
    _lock: Lock,
}

/// `prepared.json`: the data a run is trained on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparedReference {
    /// Where it lay; a hint, for it may move.
    pub path: PathBuf,
    /// The fingerprint of its encoded texts, which decides.
    pub fingerprint: String,
}

impl Run {
    /// Begins a run in a new or empty folder.
    ///
    /// # Errors
    /// If the folder holds anything, or another process uses it.
    pub fn create(folder: &Path, recipe: &Recipe, prepared: &Prepared) -> Result<Self> {
        fs::create_dir_all(folder).map_err(Error::io(folder, "create the folder"))?;
        let lock = Lock::exclusive(folder)?;
        Self::check_free(folder)?;
        let manifest = prepared.manifest();
        let tokenizer = folder.join(TOKENIZER);
        let path = prepared.tokenizer_path();
        let bytes = fs::read(&path).map_err(Error::io(&path, "read"))?;
        atomic::write(&tokenizer, &bytes)?;
        let blake3 = fingerprint::of_file(&tokenizer)?;
        let (names, words) = (&manifest.class_names, manifest.vocabulary);
        ModelConfig::of_recipe(recipe, names, words, manifest.specials, blake3).write(folder)?;
        let reference = PreparedReference {
            path: fs::canonicalize(prepared.folder()).map_err(Error::io(&path, "resolve"))?,
            fingerprint: fingerprint_of(prepared),
        };
        let path = folder.join(PREPARED);
        let bytes = serde_json::to_vec_pretty(&reference)
            .map_err(|error| Error::run(&path, format!("cannot be written as JSON: {error}")))?;
        atomic::write(&path, &bytes)?;
        // The recipe last: a folder with a recipe is a run that can be resumed.
        atomic::write(&folder.join(RECIPE), recipe.to_toml()?.as_bytes())?;
        Ok(Self {
            metrics: open_metrics(folder)?,
            folder: folder.into(),
            recipe: recipe.clone(),
            changes: Vec::new(),
            session: None,
            _lock: lock,
        })
    }

    /// Whether a run can begin in `folder`: it does not exist, or holds nothing.
    pub fn check_free(folder: &Path) -> Result<()> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            read => read.map_err(Error::io(folder, "list the folder"))?,
        };
        if entries.flatten().any(|entry| entry.file_name() != lock::FILE) {
            let message = "holds files already; give another `--out`, or go on with `--resume`";
            return Err(Error::run(folder, message));
        }
        Ok(())
    }

    /// Opens a run to go on with it.
    ///
    /// # Errors
    /// If the folder is no run, or another process uses it.
    pub fn open(folder: &Path) -> Result<Self> {
        let recipe = Self::recipe_of(folder)?;
        let lock = Lock::exclusive(folder)?;
        let (metrics, changes) = (open_metrics(folder)?, Vec::new());
        Ok(Self { metrics, folder: folder.into(), recipe, changes, session: None, _lock: lock })
    }

    /// Opens a run to go on with it by another recipe: from the checkpoint of this name, or the newest.
    ///
    /// Checkpoints after that one are of the recipe that was, and are removed. What changes is told in
    /// `metrics.jsonl`, once training goes on.
    ///
    /// # Errors
    /// If the change needs other data or another network, or `force` is not given: the error tells all that differs.
    pub fn open_changed(
        folder: &Path,
        recipe: &Recipe,
        checkpoint: Option<&str>,
        force: bool,
    ) -> Result<Self> {
        let mut run = Self::open(folder)?;
        let changes = run.recipe.differences(recipe)?;
        if changes.is_empty() {
            return Ok(run);
        }
        let list: Vec<String> = changes.iter().map(|change| format!("  {change}")).collect();
        let list = list.join("\n");
        if let Some(change) = changes.iter().find(|change| !may_change(&change.key)) {
            let key = &change.key;
            let message = format!(
                "`{key}` cannot change within a run: it decides the data or the network; begin a new run. The recipes \
                 differ in\n{list}"
            );
            return Err(Error::run(folder, message));
        }
        if !force {
            let message = format!(
                "the recipe is not the one the run began with; `--force` goes on with it all the same:\n{list}"
            );
            return Err(Error::run(folder, message));
        }
        run.checkpoints().forget_after(checkpoint)?;
        let config = ModelConfig { model: recipe.model.clone(), ..run.model_config()? };
        config.write(folder)?;
        atomic::write(&folder.join(RECIPE), recipe.to_toml()?.as_bytes())?;
        run.recipe = recipe.clone();
        run.changes = changes;
        Ok(run)
    }

    /// What [`Self::open_changed`] changed; empty from the second call on.
    pub(crate) fn take_changes(&mut self) -> Vec<Difference> {
        std::mem::take(&mut self.changes)
    }

    /// Says which process and machine trains it from here on: for `metrics.jsonl` and the report.
    pub fn begin_session(&mut self, session: Session) {
        self.session = Some(session);
    }

    pub(crate) fn take_session(&mut self) -> Option<Session> {
        self.session.take()
    }

    /// The recipe of the run in `folder`.
    pub fn recipe_of(folder: &Path) -> Result<Recipe> {
        let path = folder.join(RECIPE);
        if !path.is_file() {
            let message = format!("no run: there is no {RECIPE} in it; `taper train` makes one");
            return Err(Error::run(folder, message));
        }
        Recipe::load(&path.to_string_lossy(), &[])
    }

    /// Which data the run in `folder` is trained on.
    pub fn prepared_of(folder: &Path) -> Result<PreparedReference> {
        let path = folder.join(PREPARED);
        let bytes = fs::read(&path).map_err(Error::io(&path, "read"))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::run(&path, format!("not a reference to data: {error}")))
    }

    /// Opens the data the run in `folder` is trained on.
    ///
    /// # Errors
    /// If it is gone, or has become another.
    pub fn open_prepared(folder: &Path) -> Result<Prepared> {
        let reference = Self::prepared_of(folder)?;
        let prepared = Prepared::open(&reference.path)?;
        if fingerprint_of(&prepared) != reference.fingerprint {
            let message = format!(
                "prepared anew and different since the run in {} began; prepare the run's recipe \
                 again ({})",
                folder.display(),
                folder.join(RECIPE).display()
            );
            return Err(Error::prepared(&reference.path, message));
        }
        Ok(prepared)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The recipe it follows.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The model's configuration.
    pub fn model_config(&self) -> Result<ModelConfig> {
        ModelConfig::read(&self.folder)
    }

    /// Where the model's weights stand, once there are any worth keeping.
    pub fn weights_path(&self) -> PathBuf {
        self.folder.join(model::WEIGHTS)
    }

    /// Puts weights of a checkpoint in the model's place.
    pub(crate) fn adopt_weights(&self, path: &Path) -> Result<()> {
        let bytes = fs::read(path).map_err(Error::io(path, "read"))?;
        let place = self.weights_path();
        if fs::read(&place).is_ok_and(|present| present == bytes) {
            return Ok(());
        }
        atomic::write(&place, &bytes)
    }

    /// Writes the texts of a step that could not be taken, with what was found; returns the file's path.
    pub(crate) fn dump_batch(
        &self,
        epoch: u32,
        batch: usize,
        step: u32,
        report: &StepReport,
        texts: &[Record],
    ) -> Result<PathBuf> {
        let path = self.folder.join(DIVERGED);
        let texts: Vec<_> = texts
            .iter()
            .map(|Record { id, text, label, labels, .. }| match labels {
                None => json!({"id": id, "label": label, "text": text}),
                Some(labels) => json!({"id": id, "labels": labels, "text": text}),
            })
            .collect();
        // JSON has no NaN and no infinity: as words.
        let document = json!({
            "epoch": epoch,
            "batch": batch,
            "step": step,
            "loss": report.loss.to_string(),
            "gradient_norm": report.gradient_norm.to_string(),
            "texts": texts,
        });
        let bytes = serde_json::to_vec_pretty(&document)
            .map_err(|error| Error::run(&path, format!("cannot be written as JSON: {error}")))?;
        atomic::write(&path, &bytes)?;
        Ok(path)
    }

    /// The checkpoints of the run in `folder`.
    pub(crate) fn checkpoints_of(folder: &Path) -> Checkpoints {
        Checkpoints::new(folder.join("checkpoints"))
    }

    /// Its checkpoints.
    pub fn checkpoints(&self) -> Checkpoints {
        Self::checkpoints_of(&self.folder)
    }

    /// Adds a line to `metrics.jsonl`.
    pub(crate) fn record(&mut self, event: &TrainEvent) -> Result<()> {
        let path = self.folder.join(METRICS);
        let mut line = serde_json::to_vec(event)
            .map_err(|error| Error::run(&path, format!("cannot be written as JSON: {error}")))?;
        line.push(b'\n');
        self.metrics.write_all(&line).map_err(Error::io(&path, "write"))
    }

    /// Length of `metrics.jsonl`, synced.
    pub(crate) fn metrics_len(&mut self) -> Result<u64> {
        let path = self.folder.join(METRICS);
        self.metrics.sync_all().map_err(Error::io(&path, "sync"))?;
        self.metrics.stream_position().map_err(Error::io(&path, "read"))
    }

    /// Cuts `metrics.jsonl` back to what it held at a checkpoint.
    pub(crate) fn truncate_metrics(&mut self, len: u64) -> Result<()> {
        let path = self.folder.join(METRICS);
        self.metrics.set_len(len).map_err(Error::io(&path, "truncate"))?;
        self.metrics.seek(SeekFrom::Start(len)).map_err(Error::io(&path, "seek in"))?;
        Ok(())
    }

    /// Writes the model card.
    pub(crate) fn write_card(&self, card: &str) -> Result<()> {
        atomic::write(&self.folder.join(model::CARD), card.as_bytes())
    }
}

/// Whether a run may go on with another value of a recipe's key: not where the data or the network depend on it.
fn may_change(key: &str) -> bool {
    const FIXED: [&str; 3] = ["train.max_length", "train.truncate", "train.optimizer.kind"];
    let of_training = key.starts_with("train.") || key.starts_with("model.dropout.");
    (of_training && !FIXED.contains(&key)) || key == "seed" || key == "description"
}

fn fingerprint_of(prepared: &Prepared) -> String {
    let stages = &prepared.manifest().stages;
    stages.get(&Stage::Encoded).map(|record| record.fingerprint.clone()).unwrap_or_default()
}

fn open_metrics(folder: &Path) -> Result<File> {
    let path = folder.join(METRICS);
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(Error::io(&path, "open"))?;
    file.seek(SeekFrom::End(0)).map_err(Error::io(&path, "seek in"))?;
    Ok(file)
}
