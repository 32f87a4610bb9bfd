//! A run whose checkpoints are gone: it cannot go on, and beginning at its first epoch is for the user to decide.

use std::fs;

use super::{METRICS, Run};
use crate::events::TrainEvent;
use crate::{Error, Result, recipe};

impl Run {
    /// Whether there is a checkpoint to go on from, or there never was one: such a run begins at its beginning.
    ///
    /// # Errors
    /// If there is none, and `metrics.jsonl` tells of one.
    pub(crate) fn check_checkpoints(&self) -> Result<()> {
        if !self.checkpoints().names()?.is_empty() {
            return Ok(());
        }
        let path = self.folder.join(METRICS);
        let bytes = fs::read(&path).map_err(Error::io(&path, "read"))?;
        let lines = bytes.split(|byte| *byte == b'\n');
        // What is no event tells of nothing.
        let events = lines.filter_map(|line| serde_json::from_slice(line).ok());
        let Some(last) = last_checkpoint(events) else { return Ok(()) };
        let folder = self.folder.join("checkpoints");
        let message = format!(
            "has no checkpoint left, and {METRICS} tells of one {last}: put them back, or begin anew in another folder \
             (`taper train --recipe {} --out RUN`)",
            self.folder.join(recipe::FILE).display()
        );
        Err(Error::run(&folder, message))
    }
}

/// Where the last checkpoint stood that a history tells of, in words.
fn last_checkpoint(events: impl Iterator<Item = TrainEvent>) -> Option<String> {
    let (mut last, mut stands): (Option<String>, Option<u32>) = (None, None);
    for event in events {
        // One is written right after these, and nothing happens before it is: whatever follows tells of it, and the
        // process may have ended where nothing does.
        if let Some(epoch) = stands.take() {
            last = Some(format!("after epoch {epoch}"));
        }
        match event {
            TrainEvent::EpochFinished { epoch, .. } | TrainEvent::Evaluated { epoch, .. } => {
                stands = Some(epoch);
            }
            TrainEvent::Checkpointed { name } => last = Some(format!("called {name}")),
            _ => {}
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(events: &[&TrainEvent]) -> Option<String> {
        last_checkpoint(events.iter().map(|&event| event.clone()))
    }

    #[test]
    fn a_history_tells_of_a_checkpoint_by_its_name_or_by_what_follows_an_epoch() {
        let started = TrainEvent::EpochStarted { epoch: 1, batches: 9, done: 0 };
        let finished = TrainEvent::EpochFinished {
            epoch: 1,
            loss: 0.5,
            accuracy: 0.5,
            mean_batch_accuracy: 0.5,
            tokens: 9,
            seconds: 1.0,
        };
        let evaluation = crate::Evaluation::default();
        let evaluated = TrainEvent::Evaluated { epoch: 1, evaluation, best: true };
        let named = TrainEvent::Checkpointed { name: "step-00000007".to_owned() };
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[&started]), None);
        // Killed before the checkpoint was there.
        assert_eq!(told(&[&started, &finished]), None);
        let after = Some("after epoch 1".to_owned());
        assert_eq!(told(&[&started, &finished, &evaluated]), after);
        assert_eq!(told(&[&evaluated, &started]), after);
        assert_eq!(told(&[&started, &named]), Some("called step-00000007".to_owned()));
    }
}
