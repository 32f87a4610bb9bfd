//! The training loop.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use candle_core::Device;
use taper_lstm::Quantization;

use crate::Result;
use crate::artifacts::{EncodedSplit, Prepared};
use crate::batch::epoch_batches;
use crate::card;
use crate::checkpoint::Progress;
use crate::evaluate::{Evaluation, Labelled, evaluate};
use crate::events::TrainEvent;
use crate::inference::Inference;
use crate::model::Model;
use crate::optimizer::Optimizer;
use crate::recipe::{Evaluate, Recipe, Select};
use crate::run::Run;
use crate::step::step;

/// How a call of [`train`] ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// All epochs are learned, and the model is in the run's folder.
    Finished(Summary),
    /// It was asked to stop, and did so after this checkpoint.
    Interrupted {
        /// The checkpoint's name.
        checkpoint: String,
    },
}

/// What a finished run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The run's folder.
    pub run: PathBuf,
    /// Seconds over all processes of the run, up to the last checkpoint.
    pub seconds: f64,
    /// The epoch whose weights are the model.
    pub best_epoch: u32,
    /// The model on the test split, where the data set has a labelled one.
    pub test: Option<Evaluation>,
}

/// Trains a run from where it stands to its end.
///
/// `checkpoint` names the one to resume from; without it the newest is taken, or the start. When
/// `stop` becomes true, the run stops after the step at hand, with a checkpoint.
pub fn train(
    run: &mut Run,
    prepared: &Prepared,
    device: &Device,
    checkpoint: Option<&str>,
    stop: &AtomicBool,
    listen: &mut dyn FnMut(&TrainEvent),
) -> Result<Outcome> {
    prepared.manifest().check_evaluation(run.recipe())?;
    let training = prepared.encoded("train")?;
    let held_out = prepared.encoded(run.recipe().train.evaluate_on.split())?;
    let mut trainer = Trainer::new(run, prepared, device, checkpoint, stop, listen)?;
    loop {
        if trainer.evaluation_is_due() && !trainer.evaluate_epoch(&held_out)? {
            return trainer.interrupted();
        }
        if trainer.progress.epochs as usize == trainer.recipe.train.epochs {
            return trainer.finish();
        }
        if !trainer.learn_epoch(&training)? {
            return trainer.interrupted();
        }
        trainer.checkpoint()?;
    }
}

/// A run in motion.
struct Trainer<'a> {
    run: &'a mut Run,
    recipe: Recipe,
    prepared: &'a Prepared,
    stop: &'a AtomicBool,
    listen: &'a mut dyn FnMut(&TrainEvent),
    model: Model,
    optimizer: Optimizer,
    progress: Progress,
    /// Since the last addition to `progress.seconds`.
    clock: Instant,
}

impl<'a> Trainer<'a> {
    fn new(
        run: &'a mut Run,
        prepared: &'a Prepared,
        device: &Device,
        checkpoint: Option<&str>,
        stop: &'a AtomicBool,
        listen: &'a mut dyn FnMut(&TrainEvent),
    ) -> Result<Self> {
        let recipe = run.recipe().clone();
        run.model_config()?.unseal(run.folder())?;
        let model =
            Model::for_training(run.model_config()?, &recipe, prepared.embeddings()?, device)?;
        let mut optimizer = Optimizer::new(&recipe.train.optimizer);
        let restored = run.checkpoints().restore(checkpoint, &model, &mut optimizer)?;
        let (progress, metrics_len) = restored.unwrap_or_default();
        run.truncate_metrics(metrics_len)?;
        let clock = Instant::now();
        Ok(Self { run, recipe, prepared, stop, listen, model, optimizer, progress, clock })
    }

    /// Whether the weights as they stand, between two epochs, are still to be judged.
    fn evaluation_is_due(&self) -> bool {
        let Progress { epochs, batches, .. } = self.progress;
        let wanted = match self.recipe.train.evaluate {
            Evaluate::After => epochs > 0,
            // The last epoch's weights are judged too where the best are to be chosen.
            Evaluate::Before => {
                (epochs as usize) < self.recipe.train.epochs
                    || self.recipe.train.select == Select::Best
            }
        };
        wanted && batches == 0 && !self.progress.evaluated()
    }

    /// Learns what is left of an epoch; `false` if it was asked to stop.
    fn learn_epoch(&mut self, training: &EncodedSplit) -> Result<bool> {
        let view = self.model.config.view();
        let labelled = Labelled::new(training, "train")?;
        let epoch = self.progress.epochs + 1;
        let batches = epoch_batches(&labelled.lengths(view), &self.recipe, epoch);
        let done = self.progress.batches;
        self.emit(&TrainEvent::EpochStarted { epoch, batches: batches.len(), done })?;
        let (started, tokens_before) = (Instant::now(), self.progress.tally.tokens);
        for rows in &batches[done..] {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let clock = Instant::now();
            let (texts, labels) = labelled.batch(rows);
            let batch = view.batch(&texts)?;
            let report = step(&self.model, &mut self.optimizer, &self.recipe, &batch, &labels)?;
            let tokens = batch.packing().total();
            self.progress.tally.add(labels.len(), report.correct, tokens, report.loss);
            self.progress.batches += 1;
            self.progress.steps += 1;
            self.emit(&TrainEvent::Step {
                epoch,
                batch: self.progress.batches,
                step: self.progress.steps,
                loss: report.loss,
                accuracy: report.correct as f64 / labels.len() as f64,
                gradient_norm: report.gradient_norm,
                tokens,
                seconds: clock.elapsed().as_secs_f64(),
            })?;
        }
        let tally = std::mem::take(&mut self.progress.tally);
        self.emit(&TrainEvent::EpochFinished {
            epoch,
            loss: tally.loss(),
            accuracy: tally.accuracy(),
            mean_batch_accuracy: tally.mean_batch_accuracy(),
            tokens: tally.tokens - tokens_before,
            seconds: started.elapsed().as_secs_f64(),
        })?;
        (self.progress.epochs, self.progress.batches) = (epoch, 0);
        Ok(true)
    }

    /// Judges the weights as they stand, and keeps them if they are the best; `false` if it was
    /// asked to stop.
    fn evaluate_epoch(&mut self, held_out: &EncodedSplit) -> Result<bool> {
        let name = self.recipe.train.evaluate_on.split();
        let Some(evaluation) = self.evaluate(held_out, name)? else {
            return Ok(false);
        };
        let epochs = self.progress.epochs;
        let best = self.progress.best().is_none_or(|best| evaluation.accuracy > best.accuracy);
        self.progress.evaluations.push((epochs, evaluation.clone()));
        if best {
            self.progress.best = Some(epochs);
        }
        if best && self.recipe.train.select == Select::Best {
            self.model.save_weights(&self.run.weights_path())?;
        }
        self.emit(&TrainEvent::Evaluated { epoch: epochs, evaluation, best })?;
        self.checkpoint()?;
        Ok(true)
    }

    fn evaluate(&mut self, split: &EncodedSplit, name: &str) -> Result<Option<Evaluation>> {
        let inference = Inference::new(&self.model, Quantization::F32)?;
        let (listen, stop) = (&mut *self.listen, self.stop);
        let batch_size = self.recipe.train.batch_size;
        evaluate(&inference, split, name, batch_size, &mut |rows, total| {
            listen(&TrainEvent::Evaluating { split: name.to_owned(), rows, total });
            !stop.load(Ordering::Relaxed)
        })
    }

    fn checkpoint(&mut self) -> Result<String> {
        self.progress.seconds += self.clock.elapsed().as_secs_f64();
        self.clock = Instant::now();
        let len = self.run.metrics_len()?;
        let checkpoints = self.run.checkpoints();
        let name = checkpoints.save(&self.progress, len, &self.model, &self.optimizer)?;
        (self.listen)(&TrainEvent::Checkpointed { name: name.clone() });
        Ok(name)
    }

    fn interrupted(mut self) -> Result<Outcome> {
        Ok(Outcome::Interrupted { checkpoint: self.checkpoint()? })
    }

    /// Puts the chosen weights in place, and reads the test split once.
    fn finish(mut self) -> Result<Outcome> {
        let weights = self.run.weights_path();
        let best_epoch = match self.recipe.train.select {
            Select::Last => {
                self.model.save_weights(&weights)?;
                self.progress.epochs
            }
            Select::Best => {
                self.model.load_weights(&weights)?;
                self.progress.best.unwrap_or(self.progress.epochs)
            }
        };
        let test = match self.prepared.manifest().splits.get("test") {
            Some(split) if split.unlabelled < split.rows => {
                let split = self.prepared.encoded("test")?;
                let Some(evaluation) = self.evaluate(&split, "test")? else {
                    return self.interrupted();
                };
                Some(evaluation)
            }
            _ => None,
        };
        self.model.config.seal(self.run.folder())?;
        let seconds = self.progress.seconds + self.clock.elapsed().as_secs_f64();
        let run = self.run.folder().to_owned();
        let summary = Summary { run, seconds, best_epoch, test };
        let card = card::write(
            &self.recipe,
            &self.model,
            self.prepared,
            best_epoch,
            summary.test.as_ref(),
        );
        self.run.write_card(&card)?;
        Ok(Outcome::Finished(summary))
    }

    fn emit(&mut self, event: &TrainEvent) -> Result<()> {
        self.run.record(event)?;
        (self.listen)(event);
        Ok(())
    }
}
