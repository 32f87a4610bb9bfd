//! The table `[train.checkpoint]`: when checkpoints are written, and which are kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `train.checkpoint`: one is written after each epoch, each evaluation and each interruption, and as often as this says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointPolicy {
    /// Every so many steps.
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_steps: Option<u32>,
    /// So many minutes after the last one.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_minutes: Option<f64>,
    /// The newest so many are kept.
    #[schemars(range(min = 1))]
    pub keep_last: usize,
    /// The one with the best evaluation is kept, and what was the best to each that is kept: whoever goes back to one
    /// needs it.
    pub keep_best: bool,
    /// That of every so many epochs is kept.
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_every_epochs: Option<u32>,
}

impl Default for CheckpointPolicy {
    fn default() -> Self {
        Self {
            every_steps: None,
            every_minutes: None,
            keep_last: 4,
            keep_best: true,
            keep_every_epochs: None,
        }
    }
}
