//! A run's folder: its lock, its recipe, its metrics, and at the end its model.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use taper_corpus::Record;

use crate::artifacts::{Prepared, TOKENIZER};
use crate::checkpoint::Checkpoints;
use crate::events::TrainEvent;
use crate::lock::{self, Lock};
use crate::model::{self, ModelConfig};
use crate::recipe::{self, Difference};
use crate::session::Session;
use crate::step::LastStep;
use crate::{Error, Recipe, Result, atomic, fingerprint, history};

mod change;
mod data;
mod followed;
mod lost;

pub use data::PreparedReference;

const METRICS: &str = "metrics.jsonl";
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

impl Run {
    /// Begins a run in a new or empty folder.
    ///
    /// # Errors
    /// If the folder holds anything, or another process uses it. If the network would have too many parameters: then
    /// there is no folder.
    pub fn create(folder: &Path, recipe: &Recipe, prepared: &Prepared) -> Result<Self> {
        let manifest = prepared.manifest();
        let path = prepared.tokenizer_path();
        let (names, words) = (&manifest.class_names, manifest.vocabulary);
        let blake3 = fingerprint::of_file(&path)?;
        let config = ModelConfig::of_recipe(recipe, names, words, manifest.specials, blake3);
        config.check_size()?;
        fs::create_dir_all(folder).map_err(Error::io(folder, "create the folder"))?;
        let lock = Lock::exclusive(folder)?;
        Self::check_free(folder)?;
        let bytes = fs::read(&path).map_err(Error::io(&path, "read"))?;
        atomic::write(&folder.join(TOKENIZER), &bytes)?;
        config.write(folder)?;
        PreparedReference::of(prepared)?.write(folder)?;
        Self::follow(folder, recipe)?;
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

    /// Opens a run to go on with it, by the recipe that it was trained by so far, whatever was written into its
    /// `recipe.toml` since: [`Self::open_changed`] with [`Self::recipe_of`] tells of that.
    ///
    /// # Errors
    /// If the folder is no run, or another process uses it.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::recipe_of(folder)?;
        let lock = Lock::exclusive(folder)?;
        atomic::sweep(folder)?;
        let recipe = Self::trained_by(folder)?;
        Ok(Self {
            metrics: open_metrics(folder)?,
            folder: folder.into(),
            recipe,
            changes: Vec::new(),
            session: None,
            _lock: lock,
        })
    }

    /// Says which process and machine trains it from here on: for `metrics.jsonl` and the report.
    pub fn begin_session(&mut self, session: Session) {
        self.session = Some(session);
    }

    pub(crate) fn take_session(&mut self) -> Option<Session> {
        self.session.take()
    }

    /// The recipe in the `recipe.toml` of the run in `folder`.
    pub fn recipe_of(folder: &Path) -> Result<Recipe> {
        let path = folder.join(recipe::FILE);
        if !path.is_file() {
            let message =
                format!("no run: there is no {} in it; `taper train` makes one", recipe::FILE);
            return Err(Error::run(folder, message));
        }
        Recipe::load(&path.to_string_lossy(), &[])
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

    /// Puts weights of a checkpoint, of this BLAKE3, in the model's place.
    ///
    /// # Errors
    /// If they are damaged, and do not stand there already.
    pub(crate) fn adopt_weights(&self, path: &Path, blake3: &str) -> Result<()> {
        let place = self.weights_path();
        if place.is_file() && fingerprint::of_file(&place)? == blake3 {
            return Ok(());
        }
        if fingerprint::of_file(path)? != blake3 {
            let message = "the best weights so far, and not what was written (their BLAKE3 differs); resume from a \
                           checkpoint before it, or with `--set train.select=last --force`";
            return Err(Error::run(path, message));
        }
        let bytes = fs::read(path).map_err(Error::io(path, "read"))?;
        atomic::write(&place, &bytes)
    }

    /// Writes the texts of a step that diverged, with what was found; returns the file's path.
    pub(crate) fn dump_batch(
        &self,
        step: &LastStep,
        found: &str,
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
            "epoch": step.epoch,
            "batch": step.batch,
            "step": step.step,
            "found": found,
            "loss": step.loss.to_string(),
            "gradient_norm": step.gradient_norm.to_string(),
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

    /// Whether `metrics.jsonl` still has all that it held at a checkpoint, line by line. Where it was removed a history
    /// begins anew, if with a change of the recipe.
    pub(crate) fn check_metrics(&self, len: u64) -> Result<()> {
        let path = self.folder.join(METRICS);
        let bytes = fs::read(&path).map_err(Error::io(&path, "read"))?;
        let (found, len) = (bytes.len(), len as usize);
        let anew = bytes.split_inclusive(|byte| *byte == b'\n').all(change::is_change);
        if found < len && !anew {
            let message = format!(
                "cut short: {found} bytes, where the checkpoint was written after {len}; put it back, begin at an older \
                 `--checkpoint`, or remove it: the report then tells of the epochs from here on alone"
            );
            return Err(Error::run(&path, message));
        }
        let held = String::from_utf8_lossy(&bytes[..len.min(found)]);
        history::parse(&path, &held).map(|_| ())
    }

    /// Cuts `metrics.jsonl` back to what it held at a checkpoint, but for changes of the recipe after it: they hold. What
    /// is begun anew (see [`Self::check_metrics`]) is from here on what each checkpoint goes by.
    pub(crate) fn truncate_metrics(&mut self, len: u64) -> Result<()> {
        let path = self.folder.join(METRICS);
        let mut tail = Vec::new();
        let mut file = File::open(&path).map_err(Error::io(&path, "open"))?;
        let held = file.metadata().map_err(Error::io(&path, "look at"))?.len();
        if held < len {
            // It was removed: the next time it is no shorter than any checkpoint says.
            self.checkpoints().begin_metrics_anew()?;
        }
        // Never longer than it is: the hole would read as zeros.
        let len = held.min(len);
        file.seek(SeekFrom::Start(len)).map_err(Error::io(&path, "seek in"))?;
        file.read_to_end(&mut tail).map_err(Error::io(&path, "read"))?;
        let lines = tail.split_inclusive(|byte| *byte == b'\n');
        let changes: Vec<u8> =
            lines.filter(|line| change::is_change(line)).flatten().copied().collect();
        self.metrics.seek(SeekFrom::Start(len)).map_err(Error::io(&path, "seek in"))?;
        self.metrics.write_all(&changes).map_err(Error::io(&path, "write"))?;
        let len = len + changes.len() as u64;
        self.metrics.set_len(len).map_err(Error::io(&path, "truncate"))
    }

    /// Writes the model card.
    pub(crate) fn write_card(&self, card: &str) -> Result<()> {
        atomic::write(&self.folder.join(model::CARD), card.as_bytes())
    }
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
