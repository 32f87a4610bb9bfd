//! The table `[train]`: the optimisation, and when to look at how well it goes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[train]`: batches, optimizer, evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Train {
    /// Passes over the training split.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub epochs: usize,
    /// Texts a step.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub batch_size: usize,
    /// Batches drawn at once, sorted by length and cut into buckets: more is less padding and less shuffling.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub batches_per_pool: usize,
    /// Longest text in tokens; of a longer one the head is kept. Without it texts are never cut.
    #[schemars(range(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// Gradients of a greater L2 norm (over all parameters) are scaled down to it. Without it they are left alone.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// The split each epoch is judged by.
    pub evaluate_on: EvaluateOn,
    /// When an epoch is judged.
    pub evaluate: Evaluate,
    /// Which epoch's weights become the model.
    pub select: Select,
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
}

impl Default for Train {
    fn default() -> Self {
        Self {
            epochs: 5,
            batch_size: 32,
            batches_per_pool: 100,
            max_length: None,
            clip_norm: None,
            evaluate_on: EvaluateOn::Validation,
            evaluate: Evaluate::After,
            select: Select::Best,
            report_every: None,
            freeze_embedding: false,
            precision: Precision::F32,
            activations: Activations::Keep,
            optimizer: Optimizer::default(),
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

/// `train.optimizer`: Adam or `AdamW`; the defaults are those of `torch.optim.Adam`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Optimizer {
    /// Which rule.
    pub kind: OptimizerKind,
    /// Step size.
    #[schemars(extend("exclusiveMinimum" = 0.0, "maximum" = 1000.0))]
    pub learning_rate: f64,
    /// Decay of the running mean of gradients.
    #[schemars(extend("minimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub beta1: f64,
    /// Decay of the running mean of squared gradients.
    #[schemars(extend("minimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub beta2: f64,
    /// Added to the denominator.
    #[schemars(extend("exclusiveMinimum" = 0.0, "maximum" = 1.0))]
    pub epsilon: f64,
    /// `adam`: added to the gradient, times the weight; `adamw`: the weight shrinks by it, times the step size.
    #[schemars(extend("minimum" = 0.0, "maximum" = 1000.0))]
    pub weight_decay: f64,
}

impl Default for Optimizer {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Adam,
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
        }
    }
}

/// The rule an optimizer follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam (Kingma and Ba, 2015).
    Adam,
    /// Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
    AdamW,
}

/// The split each epoch is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EvaluateOn {
    /// The data set's own, or the one `data.hold_out` takes from the training split.
    Validation,
    /// The test split, as the tutorial does; it cannot choose the model then.
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
    /// The one with the best accuracy on the validation split.
    Best,
    /// The last.
    Last,
}
