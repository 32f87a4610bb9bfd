//! The gradients of one step: dense for all parameters but the embedding, whose are a few rows.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, Var};
use taper_lstm::{Embedded, RowGradient};

use crate::Result;

/// The embedding's parameter, the one with a row-sparse gradient.
pub(crate) const EMBEDDING: &str = "embedding.weight";

/// A parameter's gradient.
#[derive(Debug, Clone)]
pub enum Gradient {
    /// Of the parameter's shape.
    Dense(Tensor),
    /// Of some rows; all others are zero.
    Rows(RowGradient),
}

/// Gradients by the parameters' names.
#[derive(Debug, Clone, Default)]
pub struct Gradients(pub BTreeMap<String, Gradient>);

impl Gradients {
    /// Reads a backward pass; a frozen embedding has no gradient.
    pub fn collect(
        store: &GradStore,
        vars: &BTreeMap<String, Var>,
        embedded: &Embedded,
        freeze_embedding: bool,
    ) -> Result<Self> {
        let mut gradients = BTreeMap::new();
        for (name, var) in vars {
            if let Some(gradient) = store.get(var) {
                gradients.insert(name.clone(), Gradient::Dense(gradient.clone()));
            }
        }
        if !freeze_embedding && let Some(rows) = embedded.row_gradient(store)? {
            gradients.insert(EMBEDDING.to_owned(), Gradient::Rows(rows));
        }
        Ok(Self(gradients))
    }

    /// The L2 norm over all parameters, summed in the order of their names.
    pub fn norm(&self) -> Result<f64> {
        let mut sum = 0.0;
        for gradient in self.0.values() {
            let (Gradient::Dense(values) | Gradient::Rows(RowGradient { values, .. })) = gradient;
            let squares = values.sqr()?.sum_all()?.to_dtype(DType::F64)?;
            sum += squares.to_scalar::<f64>()?;
        }
        Ok(sum.sqrt())
    }

    /// Scales down to `max_norm` if `norm` is larger, as `torch.nn.utils.clip_grad_norm_` does.
    pub fn clip(&mut self, norm: f64, max_norm: f64) -> Result<()> {
        let scale = max_norm / (norm + 1e-6);
        if scale >= 1.0 {
            return Ok(());
        }
        for gradient in self.0.values_mut() {
            let (Gradient::Dense(values) | Gradient::Rows(RowGradient { values, .. })) = gradient;
            *values = (&*values * scale)?;
        }
        Ok(())
    }
}
