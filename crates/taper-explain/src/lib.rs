#![doc = include_str!("../README.md")]

mod adaptive;
mod attribution;
mod behaviour;
mod error;
mod experiment;
mod ledger;
mod quadrature;
mod steps;
mod survival;
mod target;

pub use adaptive::Accuracy;
pub use attribution::{
    Attribution, DEFAULT_STEPS, Integrated, MAX_ROWS, adaptive_integrated_gradients,
    adaptive_integrated_gradients_while, gradient_x_input, integrated_gradients, occlusion,
};
pub use behaviour::{Behaviour, Counts, Tally};
pub use error::{Error, Result};
pub use experiment::{CHOICES, CellKind, Contestant, JUDGED, Reach, Settings, compare_cells};
pub use ledger::{Composition, Ledger};
pub use steps::Steps;
pub use survival::{Survival, gradient_norms};
pub use target::Target;
