//! The end of a run: the chosen weights in place, calibrated, judged once, and told of.

use std::sync::atomic::Ordering;

use taper_lstm::Quantization;

use super::{Outcome, Summary, Trainer};
use crate::assess::assess;
use crate::calibrate::{VALIDATION, calibrate};
use crate::evaluate::score;
use crate::events::TrainEvent;
use crate::inference::Inference;
use crate::metrics::Resampling;
use crate::recipe::Select;
use crate::report::{self, Judgement};
use crate::{Result, Run, card, tensorboard};

impl Trainer<'_> {
    pub(super) fn finish(mut self) -> Result<Outcome> {
        // A run that was whole has learned nothing since it was opened.
        Run::follow(self.run.folder(), &self.recipe)?;
        let weights = self.run.weights_path();
        let best = self.progress.best.filter(|_| self.recipe.train.select == Select::Best);
        let best_epoch = if let Some(epoch) = best {
            self.judged().load_weights(&weights)?;
            epoch
        } else {
            self.progress.epochs
        };
        if !self.calibrate()? {
            return self.interrupted();
        }
        let splits = &self.prepared.manifest().splits;
        let tested = splits.get("test").is_some_and(|split| split.unlabelled < split.rows);
        let split = if tested { "test" } else { self.recipe.train.evaluate_on.split() };
        let Some(judgement) = self.judge(split)? else {
            return self.interrupted();
        };
        self.check_evaluation(&judgement.assessment.evaluation)?;
        if best.is_none() {
            self.judged().save_weights(&weights)?;
        }
        // As it is on the disk: with the temperature.
        self.run.model_config()?.seal(self.run.folder())?;
        let test = tested.then(|| judgement.assessment.evaluation.clone());
        let seconds = self.progress.seconds + self.clock.elapsed().as_secs_f64();
        let run = self.run.folder().to_owned();
        let evaluation = &judgement.assessment.evaluation;
        let card = card::write(&self.recipe, self.judged(), self.prepared, best_epoch, evaluation)?;
        self.run.write_card(&card)?;
        tensorboard::write(&run)?;
        report::write(&run, Some(self.prepared), Some(&judgement), None)?;
        Ok(Outcome::Finished(Summary { run, seconds, best_epoch, test }))
    }

    /// Reads a split; `None` if it was asked to stop.
    fn judge(&mut self, split: &str) -> Result<Option<Judgement>> {
        let inference = Inference::new(self.judged(), Quantization::F32)?;
        let encoded = self.prepared.encoded(split)?;
        let (listen, stop) = (&mut *self.listen, self.stop);
        let batch_size = self.recipe.train.batch_size;
        let found = score(&inference, &encoded, split, batch_size, &mut |rows, total| {
            listen(&TrainEvent::Evaluating { split: split.to_owned(), rows, total });
            !stop.load(Ordering::Relaxed)
        })?;
        let Some((evaluation, scored)) = found else { return Ok(None) };
        // With the temperature that was just fitted.
        let config = self.run.model_config()?;
        let resampling = Resampling::default();
        let assessment = assess(self.prepared, &config, evaluation, &scored, resampling)?;
        Ok(Some(Judgement { assessment, scored }))
    }

    /// Fits the temperature where there is a validation split; `false` if it was asked to stop.
    fn calibrate(&mut self) -> Result<bool> {
        let inference = Inference::new(self.judged(), Quantization::F32)?;
        let (listen, stop) = (&mut *self.listen, self.stop);
        let batch_size = self.recipe.train.batch_size;
        let told = &mut |rows, total| {
            listen(&TrainEvent::Evaluating { split: VALIDATION.to_owned(), rows, total });
            !stop.load(Ordering::Relaxed)
        };
        let fitted = calibrate(self.run.folder(), &inference, self.prepared, batch_size, told)?;
        Ok(fitted.is_some())
    }
}
