//! The table `[train.optimizer]`: how gradients become steps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `train.optimizer`: Adam, `AdamW` or SGD; the defaults are those of `torch.optim.Adam`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Optimizer {
    /// Which rule.
    pub kind: OptimizerKind,
    /// Step size.
    #[schemars(extend("exclusiveMinimum" = 0.0, "maximum" = 1000.0))]
    pub learning_rate: f64,
    /// Adam's decay of the running mean of gradients.
    #[schemars(extend("minimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub beta1: f64,
    /// Adam's decay of the running mean of squared gradients.
    #[schemars(extend("minimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub beta2: f64,
    /// Added to Adam's denominator, in f32: there must be something left of it there.
    #[schemars(extend("minimum" = 1e-30, "maximum" = 1.0))]
    pub epsilon: f64,
    /// `adam` and `sgd`: added to the gradient, times the weight; `adamw`: the weight shrinks by it, times the step size.
    #[schemars(extend("minimum" = 0.0, "maximum" = 1000.0))]
    pub weight_decay: f64,
    /// `sgd`: decay of the running sum of gradients that it follows.
    #[schemars(extend("minimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub momentum: f64,
    /// `sgd`: looks ahead by the momentum (Nesterov), as `torch.optim.SGD` does.
    pub nesterov: bool,
    /// The embedding's step size as a multiple of `learning_rate`: below 1 it learns slower than the rest.
    #[schemars(extend("minimum" = 0.0, "maximum" = 1000.0))]
    pub embedding_rate: f64,
    /// Steps for which the embedding stays as it is.
    #[schemars(range(max = 4_000_000_000_u32))]
    pub embedding_frozen_steps: u32,
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
            momentum: 0.0,
            nesterov: false,
            embedding_rate: 1.0,
            embedding_frozen_steps: 0,
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
    /// Stochastic gradient descent, with momentum if that is not 0.
    Sgd,
}
