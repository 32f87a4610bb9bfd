//! The gradients of one step: dense for all parameters but the embedding, whose are a few rows.

use std::collections::BTreeMap;

use candle_core::{CpuStorage, DType, Storage, Tensor, Var};
use rayon::prelude::*;
use taper_lstm::{ClassifierGradients, RowGradient};

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
        gradients: ClassifierGradients,
        vars: &BTreeMap<String, Var>,
        freeze_embedding: bool,
    ) -> Self {
        let ClassifierGradients { parameters, embedding } = gradients;
        let mut gradients = BTreeMap::new();
        for (name, var) in vars {
            if let Some(gradient) = parameters.get(var) {
                gradients.insert(name.clone(), Gradient::Dense(gradient.clone()));
            }
        }
        if !freeze_embedding {
            gradients.insert(EMBEDDING.to_owned(), Gradient::Rows(embedding));
        }
        Self(gradients)
    }

    /// The L2 norm over all parameters, summed in the order of their names.
    pub fn norm(&self) -> Result<f64> {
        let mut sum = 0.0;
        for gradient in self.0.values() {
            let (Gradient::Dense(values) | Gradient::Rows(RowGradient { values, .. })) = gradient;
            sum += sum_of_squares(values)?;
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

/// On the CPU in f64, by pieces whose sums are added in order: the same bits at any thread count.
fn sum_of_squares(values: &Tensor) -> Result<f64> {
    const PIECE: usize = 1 << 14;
    let values = values.contiguous()?;
    let (storage, layout) = values.storage_and_layout();
    let (Storage::Cpu(CpuStorage::F32(all)), Some((start, end))) =
        (&*storage, layout.contiguous_offsets())
    else {
        return Ok(values.sqr()?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?);
    };
    let square = |&value: &f32| f64::from(value) * f64::from(value);
    let pieces = all[start..end].par_chunks(PIECE);
    let sums: Vec<f64> = pieces.map(|piece| piece.iter().map(square).sum()).collect();
    Ok(sums.iter().sum())
}
