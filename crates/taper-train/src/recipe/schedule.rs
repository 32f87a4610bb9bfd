//! The table `[train.schedule]`: how the learning rate changes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// `train.schedule`: factors of `train.optimizer.learning_rate`, by how much of the run is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// The shape.
    pub kind: ScheduleKind,
    /// Share of the run in which the rate rises, from 0 in a straight line (`one_cycle`: from a 25th, along a cosine).
    /// `one_cycle` and `slanted_triangular` take 0.3 and 0.1 where this is 0.
    #[schemars(extend("minimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub warmup: f64,
    /// `linear`, `cosine` and `plateau`: the factor that is not gone below.
    #[schemars(extend("minimum" = 0.0, "maximum" = 1.0))]
    pub floor: f64,
    /// `plateau`: what the rate is multiplied by each time it stands still.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub factor: f64,
    /// `plateau`: evaluations in a row without a better loss that are let pass.
    #[schemars(range(max = 1_000_000))]
    pub patience: usize,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { kind: ScheduleKind::Constant, warmup: 0.0, floor: 0.0, factor: 0.5, patience: 0 }
    }
}

impl Schedule {
    /// Whether all that is set has a say in this shape.
    pub(super) fn check(&self) -> Result<()> {
        use ScheduleKind::{Cosine, Linear, Plateau};
        let usual = Self::default();
        for (key, is_set, kinds) in [
            ("floor", self.floor > usual.floor, &[Linear, Cosine, Plateau][..]),
            ("factor", self.factor.to_bits() != usual.factor.to_bits(), &[Plateau][..]),
            ("patience", self.patience != usual.patience, &[Plateau][..]),
        ] {
            if is_set && !kinds.contains(&self.kind) {
                let [kinds, kind] = [kinds, &[self.kind]].map(|kinds| {
                    let names = kinds.iter().map(|kind| format!("\"{}\"", kind.name()));
                    names.collect::<Vec<_>>().join(", ")
                });
                return Err(Error::RecipeConflict {
                    message: format!(
                        "`train.schedule.{key}` is of `kind` = {kinds}, and it is {kind}; leave `{key}` out"
                    ),
                });
            }
        }
        Ok(())
    }
}

/// The shape of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// The same rate to the end.
    Constant,
    /// A straight line down to the floor.
    Linear,
    /// Half a cosine down to the floor (Loshchilov and Hutter 2017, without restarts).
    Cosine,
    /// Up from a 25th and down to a 250,000th, along cosines (Smith 2018, as `torch.optim.lr_scheduler.OneCycleLR`
    /// has it, without its cycle of momentum).
    OneCycle,
    /// Up from a 32nd and down to it in straight lines (Howard and Ruder 2018).
    SlantedTriangular,
    /// Lower each time that the loss of the evaluated split no longer falls; that split cannot be the test split.
    Plateau,
}

impl ScheduleKind {
    /// As recipes have it.
    fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Linear => "linear",
            Self::Cosine => "cosine",
            Self::OneCycle => "one_cycle",
            Self::SlantedTriangular => "slanted_triangular",
            Self::Plateau => "plateau",
        }
    }
}
