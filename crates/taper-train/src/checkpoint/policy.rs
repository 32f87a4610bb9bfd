//! When a checkpoint is due and which of them are kept: decisions only, the caller acts on them.

use std::collections::BTreeSet;

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
    /// The epoch that was best when it was written.
    pub best: Option<u32>,
}

/// Whether a checkpoint is due, `steps` steps and `minutes` minutes after the last one.
pub fn due(policy: &CheckpointPolicy, steps: u32, minutes: f64) -> Option<Action> {
    let often = policy.every_steps.is_some_and(|every| steps >= every);
    let late = policy.every_minutes.is_some_and(|every| minutes >= every);
    (steps > 0 && (often || late)).then_some(Action::Save)
}

/// What to remove of `points`, oldest first, given the epoch that was best so far.
///
/// Where the best is kept, so is what was the best to each point that is: a run that goes back to it needs that.
pub fn tidy(policy: &CheckpointPolicy, points: &[Point], best: Option<u32>) -> Vec<Action> {
    let newest = points.len().saturating_sub(policy.keep_last);
    let every = |epoch: u32| {
        epoch > 0 && policy.keep_every_epochs.is_some_and(|every| epoch.is_multiple_of(every))
    };
    let (old, new) = points.split_at(newest);
    let (kept, mut old): (Vec<_>, Vec<_>) =
        old.iter().partition(|point| point.evaluated.is_some_and(every));
    if policy.keep_best {
        let of_points = new.iter().chain(kept).filter_map(|point| point.best);
        let bests: BTreeSet<u32> = of_points.chain(best).collect();
        old.retain(|point| !point.evaluated.is_some_and(|epoch| bests.contains(&epoch)));
    }
    old.into_iter().map(|point| Action::Delete(point.name.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points() -> Vec<Point> {
        let point = |steps: u32, evaluated, best| {
            let name = format!("step-{steps}");
            Point { name, steps, evaluated, best: Some(best) }
        };
        vec![
            point(0, Some(0), 0),
            point(10, Some(1), 1),
            point(15, None, 1),
            point(20, Some(2), 1),
            point(30, Some(3), 1),
            point(35, None, 1),
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
        let not_best = CheckpointPolicy { keep_best: false, ..policy.clone() };
        assert_eq!(deleted(&not_best, Some(1)), [0, 10, 15, 20]);
        let second = CheckpointPolicy { keep_every_epochs: Some(2), ..policy.clone() };
        assert_eq!(deleted(&second, Some(1)), [0, 15]);
        let many = CheckpointPolicy { keep_last: 20, ..policy };
        assert!(deleted(&many, None).is_empty());
    }

    #[test]
    fn what_was_best_to_a_kept_one_is_kept() {
        let mut points = points();
        points[5] = Point { evaluated: Some(4), best: Some(4), ..points[5].clone() };
        let deleted = |policy: &CheckpointPolicy| tidy(policy, &points, Some(4)).len();
        // The third's best is the first; the fourth is its own.
        let policy = CheckpointPolicy { keep_last: 2, ..CheckpointPolicy::default() };
        let left: Vec<Action> = tidy(&policy, &points, Some(4));
        assert!(!left.contains(&Action::Delete("step-10".to_owned())), "{left:?}");
        assert_eq!(left.len(), 3);
        // Nothing that is kept refers to the first any more.
        assert_eq!(deleted(&CheckpointPolicy { keep_last: 1, ..policy.clone() }), 5);
        let third = CheckpointPolicy { keep_last: 1, keep_every_epochs: Some(3), ..policy };
        assert_eq!(deleted(&third), 3);
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
