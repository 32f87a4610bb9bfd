//! What a run shows while it trains: a bar on a terminal, lines elsewhere.

use indicatif::ProgressBar;
use taper_train::{Recipe, TrainEvent};

use crate::console::{Console, thousands};

/// Listens to a run.
pub(crate) struct Progress<'a> {
    console: &'a Console,
    epochs: usize,
    report_every: Option<usize>,
    bar: Option<ProgressBar>,
    seen: Seen,
}

/// Sums since the epoch, or its resumption, began.
#[derive(Default)]
struct Seen {
    batches: f64,
    accuracy: f64,
    loss: f64,
    tokens: f64,
    seconds: f64,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(console: &'a Console, recipe: &Recipe) -> Self {
        let report_every = recipe.train.report_every;
        let epochs = recipe.train.epochs;
        Self { console, epochs, report_every, bar: None, seen: Seen::default() }
    }

    pub(crate) fn hear(&mut self, event: &TrainEvent) {
        match event {
            TrainEvent::EpochStarted { epoch, batches, done } => {
                let template = "{prefix} {wide_bar} {pos}/{len} {msg} {eta}";
                let bar = self.console.bar(*batches as u64, template);
                bar.set_prefix(format!("epoch {epoch}/{}", self.epochs));
                bar.set_position(*done as u64);
                self.replace(bar);
                self.seen = Seen::default();
            }
            TrainEvent::Step { epoch, batch, loss, accuracy, tokens, seconds, .. } => {
                self.step(*epoch, *batch, *loss, *accuracy, *tokens as f64, *seconds);
            }
            TrainEvent::EpochFinished {
                epoch,
                loss,
                accuracy,
                mean_batch_accuracy,
                tokens,
                seconds,
            } => {
                self.clear();
                let message = format!(
                    "epoch {epoch}/{}  train  loss {loss:.4}  accuracy {:.2} % (mean of batches \
                     {:.2} %)  {} tokens/s  {seconds:.1} s",
                    self.epochs,
                    100.0 * accuracy,
                    100.0 * mean_batch_accuracy,
                    thousands((*tokens as f64 / seconds) as u64),
                );
                self.console.say(None, &message);
            }
            TrainEvent::Evaluating { split, rows, total } => {
                if self.bar.is_none() {
                    let bar = self.console.bar(*total, "{prefix} {wide_bar} {pos}/{len} {eta}");
                    bar.set_prefix(format!("evaluating {split}"));
                    self.replace(bar);
                }
                if let Some(bar) = &self.bar {
                    bar.set_position(*rows);
                }
                if rows == total {
                    self.clear();
                }
            }
            TrainEvent::Evaluated { epoch, evaluation, best } => {
                self.clear();
                let message = format!(
                    "epoch {epoch}/{}  {}  loss {:.4}  accuracy {:.2} % ({}/{}; mean of batches \
                     {:.2} %){}",
                    self.epochs,
                    evaluation.split,
                    evaluation.loss,
                    100.0 * evaluation.accuracy,
                    evaluation.correct,
                    evaluation.rows,
                    100.0 * evaluation.mean_batch_accuracy,
                    if *best { "  best" } else { "" },
                );
                self.console.say(None, &message);
            }
            TrainEvent::StoppedEarly { epoch } => {
                self.clear();
                let message = format!("stopped after epoch {epoch}: no better one came in time");
                self.console.say(None, &message);
            }
            TrainEvent::RecipeChanged { changes } => {
                for change in changes {
                    self.console.say(None, &format!("recipe   {change}"));
                }
            }
            _ => {}
        }
    }

    fn step(
        &mut self,
        epoch: u32,
        batch: usize,
        loss: f64,
        accuracy: f64,
        tokens: f64,
        seconds: f64,
    ) {
        let seen = &mut self.seen;
        seen.batches += 1.0;
        seen.accuracy += accuracy;
        seen.loss += loss;
        seen.tokens += tokens;
        seen.seconds += seconds;
        let line = format!(
            "loss {:.4}  accuracy {:.2} %  {} tokens/s",
            seen.loss / seen.batches,
            100.0 * seen.accuracy / seen.batches,
            thousands((seen.tokens / seen.seconds) as u64),
        );
        if self.report_every.is_some_and(|every| batch.is_multiple_of(every)) {
            let message = format!("epoch {epoch}  batch {batch}  {line}");
            self.console.say(self.bar.as_ref(), &message);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(batch as u64);
            bar.set_message(line);
        }
    }

    fn replace(&mut self, bar: ProgressBar) {
        self.clear();
        self.bar = Some(bar);
    }

    pub(crate) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
