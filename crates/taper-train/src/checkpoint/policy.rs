//! When a checkpoint is due and which of them are kept: decisions only, the caller acts on them.

use crate::recipe::CheckpointPolicy;

/// What is done with the checkpoints of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// One is written.
    Save,
    /// The one of this name is removed.
    Delete(String),
}

/// A checkpoint that stands on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Its name.
    pub name: String,
    /// Optimizer steps before it.
    pub steps: u32,
    /// The epoch whose evaluated weights it holds, if it stands there.
    pub evaluated: Option<u32>,
}

/// Whether a checkpoint is due, `steps` steps and `minutes` minutes after the last one.
pub fn due(policy: &CheckpointPolicy, steps: u32, minutes: f64) -> Option<Action> {
    let often = policy.every_steps.is_some_and(|every| steps >= every);
    let late = policy.every_minutes.is_some_and(|every| minutes >= every);
    (steps > 0 && (often || late)).then_some(Action::Save)
}

/// What to remove of `points`, oldest first, given the epoch that was best so far.
pub fn tidy(policy: &CheckpointPolicy, points: &[Point], best: Option<u32>) -> Vec<Action> {
    let newest = points.len().saturating_sub(policy.keep_last);
    let every =
        |epoch: u32| policy.keep_every_epochs.is_some_and(|every| epoch.is_multiple_of(every));
    let kept =
        |epoch: u32| (policy.keep_best && Some(epoch) == best) || (epoch > 0 && every(epoch));
    let old = points[..newest].iter().filter(|point| !point.evaluated.is_some_and(kept));
    old.map(|point| Action::Delete(point.name.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points() -> Vec<Point> {
        let point =
            |steps: u32, evaluated| Point { name: format!("step-{steps}"), steps, evaluated };
        vec![
            point(0, Some(0)),
            point(10, Some(1)),
            point(15, None),
            point(20, Some(2)),
            point(30, Some(3)),
            point(35, None),
        ]
    }

    fn deleted(policy: &CheckpointPolicy, best: Option<u32>) -> Vec<u32> {
        let names = tidy(policy, &points(), best).into_iter().map(|action| match action {
            Action::Delete(name) => name,
            Action::Save => "step-nothing".to_owned(),
        });
        names.filter_map(|name| name.strip_prefix("step-")?.parse().ok()).collect()
    }

    #[test]
    fn the_newest_the_best_and_every_nth_are_kept() {
        let policy = CheckpointPolicy { keep_last: 2, ..CheckpointPolicy::default() };
        assert_eq!(deleted(&policy, Some(1)), [0, 15, 20]);
        assert_eq!(deleted(&policy, None), [0, 10, 15, 20]);
        let not_best = CheckpointPolicy { keep_best: false, ..policy.clone() };
        assert_eq!(deleted(&not_best, Some(1)), [0, 10, 15, 20]);
        let second = CheckpointPolicy { keep_every_epochs: Some(2), ..policy.clone() };
        assert_eq!(deleted(&second, Some(1)), [0, 15]);
        let many = CheckpointPolicy { keep_last: 20, ..policy };
        assert!(deleted(&many, None).is_empty());
    }

    #[test]
    fn due_by_steps_or_minutes() {
        let never = CheckpointPolicy::default();
        assert_eq!(due(&never, 1_000_000, 1e6), None);
        let steps = CheckpointPolicy { every_steps: Some(5), ..never.clone() };
        assert_eq!([4, 5, 6].map(|n| due(&steps, n, 0.0).is_some()), [false, true, true]);
        let minutes = CheckpointPolicy { every_minutes: Some(0.5), ..never };
        assert_eq!([0.4, 0.5].map(|m| due(&minutes, 1, m).is_some()), [false, true]);
        assert_eq!(due(&minutes, 0, 9.0), None);
    }
}
