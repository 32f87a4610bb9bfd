//! Training that went out of bounds: what is looked at, and what is left of it.

use super::Trainer;
use crate::checkpoint::Progress;
use crate::evaluate::Evaluation;
use crate::step::LastStep;
use crate::{Error, Result};

impl LastStep {
    /// Where a process begins that has taken none.
    pub(super) fn before(progress: &Progress) -> Self {
        let &Progress { epochs: epoch, steps: step, .. } = progress;
        Self { epoch, batch: 0, step, loss: 0.0, gradient_norm: 0.0, rows: Vec::new() }
    }
}

impl Trainer<'_> {
    /// Whether the step was taken.
    pub(super) fn check_step(&self) -> Result<()> {
        let LastStep { loss, gradient_norm, .. } = self.last_step;
        if loss.is_finite() && gradient_norm.is_finite() {
            return Ok(());
        }
        self.diverged(&format!("the loss is {loss}, the gradient's norm {gradient_norm}"))
    }

    /// Whether the weights, and their average, are numbers: one pass over them.
    pub(super) fn check_weights(&self) -> Result<()> {
        for model in [Some(&self.model), self.average.as_ref().map(|average| &average.model)] {
            if let Some(name) = model.map(crate::Model::not_finite).transpose()?.flatten() {
                let found = format!("`{name}` holds an infinity or a NaN after it");
                return self.diverged(&found);
            }
        }
        Ok(())
    }

    /// Whether the weights are still good for a loss.
    pub(super) fn check_evaluation(&self, evaluation: &Evaluation) -> Result<()> {
        let Evaluation { split, loss, .. } = evaluation;
        if loss.is_finite() {
            return Ok(());
        }
        self.diverged(&format!("the loss of `{split}` is {loss} after it"))
    }

    /// Puts the texts of the last step into the run's folder, and ends the run.
    fn diverged(&self, found: &str) -> Result<()> {
        let LastStep { epoch, batch, step, ref rows, .. } = self.last_step;
        let dump = if rows.is_empty() {
            None
        } else {
            let texts = self.prepared.records("train", rows)?;
            Some(self.run.dump_batch(&self.last_step, found, &texts)?)
        };
        let checkpoint = self.run.checkpoints().names()?.pop();
        Err(Error::Diverged { epoch, batch, step, found: found.to_owned(), dump, checkpoint })
    }
}
