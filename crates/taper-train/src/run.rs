//! A run's folder: its lock, its recipe, its metrics, and at the end its model.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::artifacts::{Prepared, TOKENIZER};
use crate::checkpoint::Checkpoints;
use crate::events::TrainEvent;
use crate::lock::{self, Lock};
use crate::manifest::Stage;
use crate::model::{self, ModelConfig};
use crate::{Error, Recipe, Result, atomic};

const RECIPE: &str = "recipe.toml";
const METRICS: &str = "metrics.jsonl";
const PREPARED: &str = "prepared.json";

/// A run's folder, locked against other processes for as long as this lives.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    recipe: Recipe,
    metrics: File,
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
        model::config_of(recipe, manifest, &tokenizer)?.write(folder)?;
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
        Ok(Self { metrics: open_metrics(folder)?, folder: folder.into(), recipe, _lock: lock })
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

    /// Its checkpoints.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::new(self.folder.join("checkpoints"))
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
