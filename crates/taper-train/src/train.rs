//! The training loop.

mod finish;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use candle_core::Device;
use taper_lstm::Quantization;

use crate::artifacts::{EncodedSplit, Prepared};
use crate::average::Average;
use crate::batch::{drop_words, epoch_batches};
use crate::checkpoint::{Parts, Progress, policy};
use crate::dynamics::{self, EpochDynamics};
use crate::evaluate::{Evaluation, Labelled, evaluate};
use crate::events::TrainEvent;
use crate::inference::Inference;
use crate::model::Model;
use crate::optimizer::Optimizer;
use crate::recipe::{Evaluate, Recipe, Select};
use crate::run::Run;
use crate::schedule;
use crate::step::{LabelledBatch, StepReport, step};
use crate::stopping::patience_is_out;
use crate::tensorboard;
use crate::{Error, Result};

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
///
/// # Errors
/// Data that are not the run's, texts or vectors. Among others [`Error::Diverged`], where a loss is infinite or no number: the batch is in the run's folder then, and
/// the checkpoints are as they were.
pub fn train(
    run: &mut Run,
    prepared: &Prepared,
    device: &Device,
    checkpoint: Option<&str>,
    stop: &AtomicBool,
    listen: &mut dyn FnMut(&TrainEvent),
) -> Result<Outcome> {
    Run::check_prepared(run.folder(), prepared)?;
    prepared.manifest().check_labels(run.recipe())?;
    prepared.manifest().check_evaluation(run.recipe())?;
    let training = prepared.encoded("train")?;
    let held_out = prepared.encoded(run.recipe().train.evaluate_on.split())?;
    let mut trainer = Trainer::new(run, prepared, device, checkpoint, stop, listen)?;
    loop {
        if trainer.evaluation_is_due() && !trainer.evaluate_epoch(&held_out)? {
            return trainer.interrupted();
        }
        if trainer.is_over()? {
            return trainer.finish();
        }
        if !trainer.learn_epoch(&training)? {
            return trainer.interrupted();
        }
        trainer.checkpoint()?;
        tensorboard::write(trainer.run.folder())?;
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
    /// The weights that are judged and saved, where they are not the model's own.
    average: Option<Average>,
    optimizer: Optimizer,
    progress: Progress,
    /// What the epoch so far gave each training row.
    dynamics: EpochDynamics,
    /// Since the last addition to `progress.seconds`.
    clock: Instant,
    /// Optimizer steps at the last checkpoint.
    saved: u32,
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
        let new = || {
            let embeddings = prepared.embeddings()?;
            Model::for_training(run.model_config()?, &recipe, embeddings, device)
        };
        let model = new()?;
        let average = match recipe.train.ema {
            Some(decay) => Some(Average::new(new()?, decay)),
            None => None,
        };
        let mut optimizer = Optimizer::new(&recipe.train.optimizer);
        let checkpoints = run.checkpoints();
        checkpoints.sweep()?;
        let rows = prepared.manifest().split(prepared.folder(), "train")?.rows;
        let mut dynamics = EpochDynamics::new(rows as usize);
        let mut parts = Parts {
            model: &model,
            optimizer: &mut optimizer,
            average: average.as_ref(),
            dynamics: &mut dynamics,
        };
        let restored = checkpoints.restore(checkpoint, &mut parts)?;
        let (mut progress, metrics_len) = restored.unwrap_or_default();
        // Those after a named one are learned again, or damaged: what they say of the metrics no longer holds.
        let back = checkpoints.forget_after(checkpoint)? || run.went_back();
        run.truncate_metrics(metrics_len)?;
        dynamics::forget_after(run.folder(), progress.epochs)?;
        if recipe.train.select == Select::Best {
            // Those in the run's folder may be of an epoch that is still to come.
            match checkpoints.best_weights(&progress)? {
                Some((best, blake3)) => run.adopt_weights(&best, &blake3)?,
                // Or of one that never comes; then the best of the epochs from here on is chosen.
                None if back => progress.best = None,
                None => {}
            }
        }
        let (clock, saved) = (Instant::now(), progress.steps);
        let (session, changes) = (run.take_session(), run.take_changes());
        #[rustfmt::skip]
        let mut trainer = Self {
            run, recipe, prepared, stop, listen, model, average, optimizer, progress, dynamics, clock, saved,
        };
        if let Some(session) = session {
            trainer.emit(&TrainEvent::Session { session })?;
        }
        if !changes.is_empty() {
            // Written down when it was changed.
            (trainer.listen)(&TrainEvent::RecipeChanged { changes });
        }
        Ok(trainer)
    }

    /// The weights to judge and to keep.
    fn judged(&self) -> &Model {
        self.average.as_ref().map_or(&self.model, |average| &average.model)
    }

    /// Whether no epoch is left, or patience is out.
    fn is_over(&mut self) -> Result<bool> {
        let Progress { epochs, batches, .. } = self.progress;
        if epochs as usize >= self.recipe.train.epochs {
            return Ok(true);
        }
        let patience = self.recipe.train.patience;
        let out = batches == 0 && patience_is_out(&self.progress.evaluations, patience);
        if out {
            self.emit(&TrainEvent::StoppedEarly { epoch: epochs })?;
        }
        Ok(out)
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
        let objective = labelled.objective(&self.recipe.train, &self.model.config.class_names);
        let epoch = self.progress.epochs + 1;
        let batches = epoch_batches(&labelled.lengths(view), &self.recipe, epoch);
        let done = self.progress.batches;
        let Some(left) = batches.get(done..) else {
            let message = format!(
                "stands after batch {done} of an epoch that has {} now: what decides the batches has changed since; go on \
                 from a checkpoint between two epochs",
                batches.len()
            );
            return Err(Error::run(self.run.folder(), message));
        };
        self.emit(&TrainEvent::EpochStarted { epoch, batches: batches.len(), done })?;
        let (started, tokens_before) = (Instant::now(), self.progress.tally.tokens);
        for group in left.chunks(self.recipe.train.accumulate) {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let clock = Instant::now();
            let rate = self.rate(batches.len());
            let learned = self.batches(&labelled, group)?;
            let report =
                step(&self.model, &mut self.optimizer, &self.recipe, &objective, &learned, rate)?;
            if !report.is_finite() {
                return Err(self.diverged(&labelled, group, &report)?);
            }
            if let Some(average) = &self.average {
                average.follow(&self.model.vars(), self.optimizer.steps())?;
            }
            let rows = learned.iter().map(|batch| batch.labels.len()).sum();
            let tokens = learned.iter().map(|batch| batch.tokens.packing().total()).sum();
            let correct = report.correct();
            self.progress.tally.add(rows, correct, tokens, report.loss);
            let places = group.iter().flatten().map(|&at| labelled.row(at));
            self.dynamics.record(places, &report.verdicts);
            self.progress.batches += group.len();
            self.progress.steps += 1;
            self.emit(&TrainEvent::Step {
                epoch,
                batch: self.progress.batches,
                step: self.progress.steps,
                loss: report.loss,
                accuracy: correct as f64 / rows as f64,
                gradient_norm: report.gradient_norm,
                learning_rate: rate * self.recipe.train.optimizer.learning_rate,
                tokens,
                seconds: clock.elapsed().as_secs_f64(),
            })?;
            if self.checkpoint_is_due() {
                self.checkpoint()?;
            }
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
        self.dynamics.keep(self.run.folder(), epoch)?;
        self.dynamics = EpochDynamics::new(self.dynamics.len());
        Ok(true)
    }

    /// The factor of the learning rate at the step at hand, of an epoch of so many batches.
    fn rate(&self, batches: usize) -> f64 {
        let Progress { epochs, batches: learned, .. } = self.progress;
        let epochs = f64::from(epochs) + learned as f64 / batches as f64;
        let done = epochs / self.recipe.train.epochs as f64;
        schedule::factor(&self.recipe.train.schedule, done, &self.progress.evaluations)
    }

    /// The batches of a step, as the model reads them.
    fn batches(&self, labelled: &Labelled, group: &[Vec<usize>]) -> Result<Vec<LabelledBatch>> {
        let (view, p) = (self.model.config.view(), self.recipe.model.dropout.word);
        let unknown = view.specials.unknown.unwrap_or(view.specials.padding);
        let batch = |(number, rows): (u32, &Vec<usize>)| {
            let (texts, labels) = labelled.batch(rows);
            if p == 0.0 {
                return Ok(LabelledBatch { tokens: view.batch(&texts)?, labels });
            }
            let dropped = drop_words(&texts, p, unknown, self.recipe.seed, number);
            let texts: Vec<&[u32]> = dropped.iter().map(Vec::as_slice).collect();
            Ok(LabelledBatch { tokens: view.batch(&texts)?, labels })
        };
        let first = self.progress.steps * self.recipe.train.accumulate as u32;
        (first..).zip(group).map(batch).collect()
    }

    /// Puts the texts of the step at hand into the run's folder, and makes the error.
    fn diverged(
        &self,
        labelled: &Labelled,
        group: &[Vec<usize>],
        report: &StepReport,
    ) -> Result<Error> {
        let Progress { epochs, batches, steps, .. } = self.progress;
        let rows: Vec<usize> = group.iter().flatten().map(|&at| labelled.row(at)).collect();
        let texts = self.prepared.records("train", &rows)?;
        let (epoch, batch, step) = (epochs + 1, batches + 1, steps + 1);
        let dump = self.run.dump_batch(epoch, batch, step, report, &texts)?;
        let checkpoint = self.run.checkpoints().names()?.pop();
        let StepReport { loss, gradient_norm, .. } = *report;
        Ok(Error::Diverged { epoch, batch, step, loss, gradient_norm, dump, checkpoint })
    }

    /// Judges the weights as they stand, and keeps them if they are the best; `false` if it was
    /// asked to stop.
    fn evaluate_epoch(&mut self, held_out: &EncodedSplit) -> Result<bool> {
        let name = self.recipe.train.evaluate_on.split();
        let Some(evaluation) = self.evaluate(held_out, name)? else {
            return Ok(false);
        };
        let epochs = self.progress.epochs;
        let best = self.progress.best().is_none_or(|best| evaluation.score() > best.score());
        self.progress.evaluations.push((epochs, evaluation.clone()));
        self.progress.evaluation_steps.push((epochs, self.progress.steps));
        if best {
            self.progress.best = Some(epochs);
        }
        if best && self.recipe.train.select == Select::Best {
            self.judged().save_weights(&self.run.weights_path())?;
        }
        self.emit(&TrainEvent::Evaluated { epoch: epochs, evaluation, best })?;
        self.checkpoint()?;
        Ok(true)
    }

    fn evaluate(&mut self, split: &EncodedSplit, name: &str) -> Result<Option<Evaluation>> {
        let inference = Inference::new(self.judged(), Quantization::F32)?;
        let (listen, stop) = (&mut *self.listen, self.stop);
        let batch_size = self.recipe.train.batch_size;
        evaluate(&inference, split, name, batch_size, &mut |rows, total| {
            listen(&TrainEvent::Evaluating { split: name.to_owned(), rows, total });
            !stop.load(Ordering::Relaxed)
        })
    }

    fn checkpoint_is_due(&self) -> bool {
        let (steps, minutes) =
            (self.progress.steps - self.saved, self.clock.elapsed().as_secs_f64() / 60.0);
        policy::due(&self.recipe.train.checkpoint, steps, minutes).is_some()
    }

    fn checkpoint(&mut self) -> Result<String> {
        self.progress.seconds += self.clock.elapsed().as_secs_f64();
        (self.clock, self.saved) = (Instant::now(), self.progress.steps);
        let len = self.run.metrics_len()?;
        let (checkpoints, policy) = (self.run.checkpoints(), &self.recipe.train.checkpoint);
        let parts = Parts {
            model: &self.model,
            optimizer: &mut self.optimizer,
            average: self.average.as_ref(),
            dynamics: &mut self.dynamics,
        };
        let name = checkpoints.save(&self.progress, len, &parts, policy)?;
        (self.listen)(&TrainEvent::Checkpointed { name: name.clone() });
        Ok(name)
    }

    fn interrupted(mut self) -> Result<Outcome> {
        Ok(Outcome::Interrupted { checkpoint: self.checkpoint()? })
    }

    fn emit(&mut self, event: &TrainEvent) -> Result<()> {
        self.run.record(event)?;
        (self.listen)(event);
        Ok(())
    }
}
