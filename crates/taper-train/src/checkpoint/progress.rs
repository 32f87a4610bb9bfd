//! Where a run stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::evaluate::Evaluation;
use crate::metrics::Tally;

/// Where a run stands between two steps. There is no generator state: randomness is a function of
/// the seed and these numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Epochs whose batches are all learned.
    pub epochs: u32,
    /// Batches of the next epoch already learned.
    pub batches: usize,
    /// Optimizer steps of the run.
    pub steps: u32,
    /// Sums over the batches of the epoch so far.
    pub tally: Tally,
    /// Evaluations so far, with the number of epochs learned before each.
    pub evaluations: Vec<(u32, Evaluation)>,
    /// The number of epochs after which the best evaluation was made.
    pub best: Option<u32>,
    /// For every evaluation, the number of epochs and of optimizer steps before it.
    #[serde(default)]
    pub evaluation_steps: Vec<(u32, u32)>,
    /// Seconds of the run so far, over all its processes.
    pub seconds: f64,
}

impl Progress {
    /// The best evaluation so far.
    pub fn best(&self) -> Option<&Evaluation> {
        let found = self.evaluations.iter().find(|(epochs, _)| Some(*epochs) == self.best);
        found.map(|(_, evaluation)| evaluation)
    }

    /// For every evaluation, the number of optimizer steps before it, and the epoch that was best after it.
    pub(super) fn bests(&self) -> Vec<(u32, u32)> {
        let steps: BTreeMap<u32, u32> = self.evaluation_steps.iter().copied().collect();
        let mut best: Option<(u32, f64)> = None;
        let evaluations = self.evaluations.iter().filter_map(|(epochs, evaluation)| {
            let score = evaluation.score();
            let (epoch, _) = *match &mut best {
                Some(best) if score <= best.1 => best,
                other => other.insert((*epochs, score)),
            };
            Some((*steps.get(epochs)?, epoch))
        });
        evaluations.collect()
    }

    /// Whether the evaluation that belongs to this point was made.
    pub fn evaluated(&self) -> bool {
        self.evaluations.last().is_some_and(|(epochs, _)| *epochs == self.epochs)
    }
}
