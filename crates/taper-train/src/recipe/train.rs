//! The table `[train]`: the optimisation, and when to look at how well it goes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CheckpointPolicy, Optimizer, Schedule};

/// `[train]`: batches, optimizer, evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Train {
    /// Passes over the training split; fewer with `patience`.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub epochs: usize,
    /// Texts a batch.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub batch_size: usize,
    /// Most tokens a batch: where texts are long, it has fewer of them. A text of more is a batch of its own.
    #[schemars(range(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_tokens: Option<usize>,
    /// Batches a step: their gradients are added up to that of one batch with all their texts.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub accumulate: usize,
    /// Batches drawn at once, sorted by length and cut into buckets: more is less padding and less shuffling.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub batches_per_pool: usize,
    /// Longest text in tokens; of a longer one `truncate` says what is kept. Without it texts are never cut.
    #[schemars(range(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// What is kept of a text longer than `max_length`.
    pub truncate: Truncate,
    /// Gradients of a greater L2 norm (over all parameters) are scaled down to it. Without it they are left alone.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Share of a label's probability that is spread evenly over all classes (Szegedy et al. 2016); with `data.labels =
    /// "multi"`, over having each label and not having it.
    #[schemars(extend("minimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub label_smoothing: f64,
    /// How much a class's texts count for in the loss.
    pub class_weights: ClassWeights,
    /// Decay of a running mean of the weights, which is judged and saved in their place: 0.999, as a rule. Until
    /// step t it is at most (1 + t) / (10 + t).
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema: Option<f64>,
    /// The split each epoch is judged by.
    pub evaluate_on: EvaluateOn,
    /// When an epoch is judged.
    pub evaluate: Evaluate,
    /// Which epoch's weights become the model.
    pub select: Select,
    /// Stops after so many evaluations in a row that were not better than the best. Without it all epochs are trained.
    #[schemars(range(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
    /// A line of accuracy every so many batches; none without it.
    #[schemars(range(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_every: Option<usize>,
    /// Leaves the word vectors as they are.
    pub freeze_embedding: bool,
    /// The numbers that the recurrent weights are multiplied in.
    pub precision: Precision,
    /// What the LSTM keeps of a batch for its backward pass.
    pub activations: Activations,
    /// How gradients become steps.
    pub optimizer: Optimizer,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// When checkpoints are written beside those of each epoch, and which are kept.
    pub checkpoint: CheckpointPolicy,
}

impl Default for Train {
    fn default() -> Self {
        Self {
            epochs: 5,
            batch_size: 32,
            batch_tokens: None,
            accumulate: 1,
            batches_per_pool: 100,
            max_length: None,
            truncate: Truncate::Head,
            clip_norm: None,
            label_smoothing: 0.0,
            class_weights: ClassWeights::None,
            ema: None,
            evaluate_on: EvaluateOn::Validation,
            evaluate: Evaluate::After,
            select: Select::Best,
            patience: None,
            report_every: None,
            freeze_embedding: false,
            precision: Precision::F32,
            activations: Activations::Keep,
            optimizer: Optimizer::default(),
            schedule: Schedule::default(),
            checkpoint: CheckpointPolicy::default(),
        }
    }
}

/// `train.precision`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// All in f32.
    #[default]
    F32,
    /// Recurrent weights and hidden states in bfloat16, memory and sums in f32; CUDA only.
    Bf16,
}

/// `train.activations`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activations {
    /// The gates of every step: the fastest.
    #[default]
    Keep,
    /// The outputs alone; the gates are computed again, to the same bits. Less memory, a third more work.
    Recompute,
}

/// The split each epoch is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EvaluateOn {
    /// The data set's own, or the one `data.hold_out` takes from the training split.
    Validation,
    /// The test split, as the tutorial does; it can choose neither the model nor the learning rate then.
    Test,
}

impl EvaluateOn {
    /// The split's name on disk.
    pub fn split(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// When an epoch is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Evaluate {
    /// Before its training, as the tutorial does.
    Before,
    /// After its training.
    After,
}

/// Which epoch's weights become the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Select {
    /// The one with the best accuracy on the validation split; with `data.labels = "multi"`, the best micro F1.
    Best,
    /// The last.
    Last,
}

/// What is kept of a text longer than `train.max_length`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Truncate {
    /// Its beginning.
    #[default]
    Head,
    /// Its end.
    Tail,
    /// A quarter of `max_length` from its beginning, the rest from its end (Sun et al. 2019).
    HeadTail,
}

/// How much a class's texts count for in the loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClassWeights {
    /// Every text the same.
    #[default]
    None,
    /// Texts / (classes * texts of the class) in the training split: all classes together the same. With `data.labels =
    /// "multi"`, a label's texts count by the number of the others over theirs (`PyTorch`'s `pos_weight`).
    Balanced,
}
