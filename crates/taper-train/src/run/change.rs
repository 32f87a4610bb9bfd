//! A run that goes on by another recipe.

use std::path::Path;

use super::Run;
use crate::events::TrainEvent;
use crate::model::ModelConfig;
use crate::recipe::{self, Difference, Select};
use crate::{Error, Recipe, Result};

impl Run {
    /// Opens a run to go on with it by this recipe: from the checkpoint of this name, or the newest. It may be another than
    /// the run was trained by so far, as that of a `recipe.toml` is that somebody edited.
    ///
    /// Checkpoints after that one are of the recipe that was, and are removed. What changes is told in
    /// `metrics.jsonl` first.
    ///
    /// # Errors
    /// If the change needs other data or another network, or `force` is not given: the error tells all that differs. If
    /// the checkpoint is damaged, or stands within an epoch whose batches would be others, or the best weights up to it
    /// are to become the model and are not kept. Nothing is changed then.
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
        let edited = Self::recipe_of(folder)? != run.recipe;
        let list: Vec<String> = changes.iter().map(|change| format!("  {change}")).collect();
        let list = list.join("\n");
        if let Some(change) = changes.iter().find(|change| !may_change(&change.key)) {
            let key = &change.key;
            let back = if edited {
                format!(", or take back what was edited in {}", recipe::FILE)
            } else {
                String::new()
            };
            let message = format!(
                "`{key}` cannot change within a run: it decides the data, the network or what epochs are judged by; \
                 begin a new run{back}. The recipes differ in\n{list}"
            );
            return Err(Error::run(folder, message));
        }
        if !force {
            let edited = if edited {
                format!(" ({} was edited since)", recipe::FILE)
            } else {
                String::new()
            };
            let message = format!(
                "the recipe is not the one that the run was trained by so far{edited}; `--force` goes on with it all the \
                 same:\n{list}"
            );
            return Err(Error::run(folder, message));
        }
        run.check_checkpoints()?;
        let standing = run.checkpoints().standing(checkpoint)?;
        let (progress, metrics_len) = standing.unwrap_or_default();
        if let Some(change) = changes.iter().find(|change| decides_batches(&change.key))
            && progress.batches > 0
        {
            return Err(run.within_an_epoch(&change.key, progress.epochs + 1)?);
        }
        let selects = changes.iter().any(|change| change.key == "train.select");
        // The weights in the folder may be of another epoch than this checkpoint tells.
        let may_differ = selects || run.checkpoints().is_behind(checkpoint)?;
        if recipe.train.select == Select::Best && may_differ {
            run.checkpoints().check_best(&progress)?;
        }
        run.check_metrics(metrics_len)?;
        run.checkpoints().forget_after(checkpoint)?;
        // Told before it is done: whatever happens in between, a change is never untold.
        run.truncate_metrics(metrics_len)?;
        run.record(&TrainEvent::RecipeChanged { changes: changes.clone() })?;
        run.metrics_len()?;
        let config = ModelConfig { model: recipe.model.clone(), ..run.model_config()? };
        config.write(folder)?;
        Self::follow(folder, recipe)?;
        run.recipe = recipe.clone();
        run.changes = changes;
        Ok(run)
    }

    /// That a key cannot change where the run stands.
    fn within_an_epoch(&self, key: &str, epoch: u32) -> Result<Error> {
        let advice = match self.checkpoints().between_epochs()? {
            Some(name) => {
                format!("`--checkpoint {name}` goes on from between two, or finish the epoch first")
            }
            None => "finish the epoch first".to_owned(),
        };
        let message = format!(
            "`{key}` decides which texts share a batch, and the checkpoint stands within epoch {epoch}: change it \
             between two epochs; {advice}"
        );
        Ok(Error::run(&self.folder, message))
    }

    /// What [`Self::open_changed`] changed; empty from the second call on.
    pub(crate) fn take_changes(&mut self) -> Vec<Difference> {
        std::mem::take(&mut self.changes)
    }
}

/// Whether a run may go on with another value of a recipe's key: not where the data or the network depend on it, and
/// not where evaluations of two splits would be compared.
fn may_change(key: &str) -> bool {
    const FIXED: [&str; 4] =
        ["train.max_length", "train.truncate", "train.optimizer.kind", "train.evaluate_on"];
    let of_training = key.starts_with("train.") || key.starts_with("model.dropout.");
    (of_training && !FIXED.contains(&key)) || key == "seed" || key == "description"
}

/// Whether a recipe's key has a say in which texts share a batch.
fn decides_batches(key: &str) -> bool {
    ["seed", "train.batch_size", "train.batch_tokens", "train.batches_per_pool"].contains(&key)
}

/// Whether a whole line of `metrics.jsonl` tells of another recipe.
pub(super) fn is_change(line: &[u8]) -> bool {
    let event = line.strip_suffix(b"\n").map(serde_json::from_slice);
    matches!(event, Some(Ok(TrainEvent::RecipeChanged { .. })))
}
