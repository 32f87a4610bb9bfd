//! What a run shows while it trains: a few lines that stay in place on a terminal, lines one after another elsewhere.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use taper_train::{Recipe, TrainEvent};

use crate::console::{Console, thousands};
use crate::machine::Memory;

/// How often the memory is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Listens to a run.
pub(crate) struct Progress<'a> {
    console: &'a Console,
    epochs: usize,
    report_every: Option<usize>,
    bar: Option<ProgressBar>,
    seen: Seen,
    memory: Memory,
    resident: u64,
    looked: Option<Instant>,
}

/// The epoch, and sums since it, or its resumption, began.
#[derive(Default)]
struct Seen {
    epoch: u32,
    /// Batches of the epoch.
    total: usize,
    /// Those of them that were learned before.
    done: usize,
    steps: f64,
    accuracy: f64,
    loss: f64,
    tokens: f64,
    seconds: f64,
}

impl Seen {
    fn line(&self) -> String {
        format!(
            "loss {:.4}  accuracy {:.2} %  {} tokens/s",
            self.loss / self.steps,
            100.0 * self.accuracy / self.steps,
            thousands((self.tokens / self.seconds) as u64),
        )
    }

    /// Seconds that the epoch and the run take yet, at the pace so far; evaluations not counted.
    fn left(&self, batch: usize, epochs: usize) -> [f64; 2] {
        let a_batch = self.seconds / batch.saturating_sub(self.done).max(1) as f64;
        let epoch = self.total.saturating_sub(batch) as f64 * a_batch;
        let to_come = epochs.saturating_sub(self.epoch as usize);
        [epoch, epoch + (to_come * self.total) as f64 * a_batch]
    }
}

impl<'a> Progress<'a> {
    pub(crate) fn new(console: &'a Console, recipe: &Recipe) -> Self {
        Self {
            console,
            epochs: recipe.train.epochs,
            report_every: recipe.train.report_every,
            bar: None,
            seen: Seen::default(),
            memory: Memory::new(),
            resident: 0,
            looked: None,
        }
    }

    pub(crate) fn hear(&mut self, event: &TrainEvent) {
        match event {
            TrainEvent::EpochStarted { epoch, batches, done } => {
                let bar =
                    self.console.bar(*batches as u64, "{prefix} {wide_bar} {pos}/{len}\n{msg}");
                bar.set_prefix(format!("epoch {epoch}/{}", self.epochs));
                bar.set_position(*done as u64);
                self.replace(bar);
                self.seen = Seen { epoch: *epoch, total: *batches, done: *done, ..Seen::default() };
            }
            TrainEvent::Step {
                batch,
                loss,
                accuracy,
                gradient_norm,
                learning_rate,
                tokens,
                seconds,
                ..
            } => {
                let seen = &mut self.seen;
                seen.steps += 1.0;
                seen.accuracy += accuracy;
                seen.loss += loss;
                seen.tokens += *tokens as f64;
                seen.seconds += seconds;
                self.step(*batch, *gradient_norm, *learning_rate);
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
                     {:.2} %){}{}",
                    self.epochs,
                    evaluation.split,
                    evaluation.loss,
                    100.0 * evaluation.accuracy,
                    evaluation.correct,
                    evaluation.rows,
                    100.0 * evaluation.mean_batch_accuracy,
                    evaluation
                        .micro_f1
                        .map_or_else(String::new, |f1| format!("  micro F1 {f1:.4}")),
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

    fn step(&mut self, batch: usize, gradient_norm: f64, learning_rate: f64) {
        let line = self.seen.line();
        if self.report_every.is_some_and(|every| batch.is_multiple_of(every)) {
            let message = format!("epoch {}  batch {batch}  {line}", self.seen.epoch);
            self.console.say(self.bar.as_ref(), &message);
        }
        let Some(bar) = self.bar.as_ref().filter(|bar| !bar.is_hidden()) else { return };
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            (self.resident, self.looked) = (self.memory.resident(), Some(Instant::now()));
        }
        let [epoch, run] = self.seen.left(batch, self.epochs).map(clock);
        bar.set_position(batch as u64);
        bar.set_message(format!(
            "{line}\ngradient {gradient_norm:.3}  rate {learning_rate:.2e}  {} MiB  left {epoch}, run {run}",
            thousands(self.resident >> 20),
        ));
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

/// `75` as `1:15`, `4000` as `1:06:40`.
fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (minutes, rest) = (seconds / 60, seconds % 60);
    match minutes / 60 {
        0 => format!("{minutes}:{rest:02}"),
        hours => format!("{hours}:{:02}:{rest:02}", minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_that_of_the_batches_to_come() {
        let seen = Seen { epoch: 2, total: 100, done: 50, seconds: 5.0, ..Seen::default() };
        // Ten batches in five seconds; forty of this epoch and a hundred each of two more.
        let [epoch, run] = seen.left(60, 4);
        assert!((epoch - 20.0).abs() < 1e-9 && (run - 120.0).abs() < 1e-9, "{epoch} {run}");
        assert_eq!([0.4, 75.0, 4000.0].map(clock), ["0:00", "1:15", "1:06:40"]);
    }
}
