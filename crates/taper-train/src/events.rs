//! What happens during training: for bars and tables, and, a line of JSON each, for `metrics.jsonl`.

use serde::{Deserialize, Serialize};

use crate::evaluate::Evaluation;
use crate::recipe::Difference;
use crate::session::Session;

/// Something that happened; `metrics.jsonl` holds them in this order and shape, tagged by `event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum TrainEvent {
    /// A process begins to train, or goes on after a resume.
    Session {
        /// Which program, where.
        #[serde(flatten)]
        session: Session,
    },
    /// An epoch begins, or goes on after a resume.
    EpochStarted {
        /// From 1.
        epoch: u32,
        /// Batches of the epoch.
        batches: usize,
        /// Batches already done, if the run was interrupted in the epoch.
        done: usize,
    },
    /// A step was taken.
    Step {
        /// From 1.
        epoch: u32,
        /// Batches of the epoch done.
        batch: usize,
        /// Optimizer steps of the run.
        step: u32,
        /// Mean loss of its texts before the step, in nats.
        loss: f64,
        /// Share of its texts that was right before the step.
        accuracy: f64,
        /// L2 norm of the gradient over all parameters, before clipping.
        gradient_norm: f64,
        /// The learning rate of the step.
        learning_rate: f64,
        /// Tokens read.
        tokens: usize,
        /// Seconds the step took.
        seconds: f64,
    },
    /// All batches of an epoch were learned.
    EpochFinished {
        /// From 1.
        epoch: u32,
        /// Mean loss of a text while it was learned, in nats.
        loss: f64,
        /// Correct over total while learning.
        accuracy: f64,
        /// Mean of the batches' accuracies, as the tutorial prints it.
        mean_batch_accuracy: f64,
        /// Tokens read.
        tokens: u64,
        /// Seconds of training in this process, evaluation not counted.
        seconds: f64,
    },
    /// Batches of an evaluation so far; not written to `metrics.jsonl`.
    #[serde(skip)]
    Evaluating {
        /// The split.
        split: String,
        /// Texts so far.
        rows: u64,
        /// Texts in all.
        total: u64,
    },
    /// A split was evaluated.
    Evaluated {
        /// The epoch whose training was last; 0 before the first.
        epoch: u32,
        /// The figures.
        #[serde(flatten)]
        evaluation: Evaluation,
        /// Whether this is the best so far.
        best: bool,
    },
    /// The recipe let no more epochs pass without a better one.
    StoppedEarly {
        /// The last epoch that was trained.
        epoch: u32,
    },
    /// The run goes on with another recipe than it began with.
    RecipeChanged {
        /// What differs.
        changes: Vec<Difference>,
    },
    /// A checkpoint is on the disk.
    Checkpointed {
        /// Its name below `checkpoints/`.
        name: String,
    },
}
