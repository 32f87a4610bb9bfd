//! The training loop.

mod diverged;
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
use crate::step::{LabelledBatch, LastStep, step};
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
/// Data that are not the run's, texts or vectors; a run whose checkpoints are gone. Among others [`Error::Diverged`],
/// where a step's loss or gradient, the weights at a checkpoint, or the loss of an evaluation are infinite or no number:
/// the step's texts are in the run's folder then, and its checkpoints and its model as they were. Weights are looked through
/// before each checkpoint, not after each step: the step that is named is the one before the checkpoint.
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
    /// The step last taken, or tried.
    last_step: LastStep,
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
        run.check_checkpoints()?;
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
        let (progress, metrics_len) = restored.unwrap_or_default();
        let selects_best = recipe.train.select == Select::Best;
        if selects_best && checkpoints.is_behind(checkpoint)? {
            checkpoints.check_best(&progress)?;
        }
        run.check_metrics(metrics_len)?;
        // Those after a named one are learned again, or damaged: what they say of the metrics no longer holds.
        checkpoints.forget_after(checkpoint)?;
        run.truncate_metrics(metrics_len)?;
        dynamics::forget_after(run.folder(), progress.epochs)?;
        if selects_best && let Some((best, blake3)) = checkpoints.best_weights(&progress)? {
            // Those in the run's folder may be of an epoch that is still to come.
            run.adopt_weights(&best, &blake3)?;
        }
        let (clock, saved) = (Instant::now(), progress.steps);
        let last_step = LastStep::before(&progress);
        let (session, changes) = (run.take_session(), run.take_changes());
        #[rustfmt::skip]
        let mut trainer = Self {
            run, recipe, prepared, stop, listen, model, average, optimizer, progress, dynamics, last_step, clock, saved,
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
        Run::follow(self.run.folder(), &self.recipe)?;
        self.emit(&TrainEvent::EpochStarted { epoch, batches: batches.len(), done })?;
        let (started, tokens_before) = (Instant::now(), self.progress.tally.tokens);
        for group in left.chunks(self.recipe.train.accumulate) {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let clock = Instant::now();
            let rate = self.rate(group.len(), batches.len());
            let learned = self.batches(&labelled, group)?;
            let report =
                step(&self.model, &mut self.optimizer, &self.recipe, &objective, &learned, rate)?;
            self.last_step = LastStep {
                epoch,
                batch: self.progress.batches + 1,
                step: self.progress.steps + 1,
                loss: report.loss,
                gradient_norm: report.gradient_norm,
                rows: group.iter().flatten().map(|&at| labelled.row(at)).collect(),
            };
            self.check_step()?;
            if let Some(average) = &self.average {
                average.follow(&self.model.vars(), self.optimizer.steps())?;
            }
            let rows = learned.iter().map(|batch| batch.labels.len()).sum();
            let tokens = learned.iter().map(|batch| batch.tokens.packing().total()).sum();
            let correct = report.correct();
            self.progress.tally.add(rows, correct, tokens, report.loss);
            self.dynamics.record(self.last_step.rows.iter().copied(), &report.verdicts);
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

    /// The factor of the learning rate at the step at hand, of so many of an epoch's batches.
    fn rate(&self, group: usize, batches: usize) -> f64 {
        let Progress { epochs, batches: learned, ref evaluations, .. } = self.progress;
        let epochs = f64::from(epochs) + learned as f64 / batches as f64;
        let all = self.recipe.train.epochs as f64;
        let step = group as f64 / batches as f64 / all;
        schedule::factor(&self.recipe.train.schedule, epochs / all, step, evaluations)
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

    /// Judges the weights as they stand, and keeps them if they are the best; `false` if it was
    /// asked to stop.
    fn evaluate_epoch(&mut self, held_out: &EncodedSplit) -> Result<bool> {
        let name = self.recipe.train.evaluate_on.split();
        let Some(evaluation) = self.evaluate(held_out, name)? else {
            return Ok(false);
        };
        self.check_evaluation(&evaluation)?;
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

    /// All weights that are kept come by here: those that are no numbers end the run.
    fn checkpoint(&mut self) -> Result<String> {
        self.check_weights()?;
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
        self.emit(&TrainEvent::Checkpointed { name: name.clone() })?;
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
