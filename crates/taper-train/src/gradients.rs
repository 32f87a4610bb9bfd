//! The gradients of one step: dense for all parameters but the embedding, whose are a few rows.

use std::collections::{BTreeMap, HashMap};

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

impl Gradient {
    fn plus(self, other: Self) -> Result<Self> {
        Ok(match (self, other) {
            (Self::Dense(own), Self::Dense(other)) => Self::Dense((own + other)?),
            (Self::Rows(own), Self::Rows(other)) => Self::Rows(add_rows(&own, &other)?),
            (Self::Dense(dense), Self::Rows(rows)) | (Self::Rows(rows), Self::Dense(dense)) => {
                let at = Tensor::new(rows.rows.as_slice(), dense.device())?;
                Self::Dense(dense.index_add(&at, &rows.values, 0)?)
            }
        })
    }
}

/// The sum of two row gradients, each row once.
fn add_rows(own: &RowGradient, other: &RowGradient) -> Result<RowGradient> {
    let mut rows = own.rows.clone();
    let slot_of: HashMap<u32, u32> = rows.iter().copied().zip(0..).collect();
    let slots: Vec<u32> = other
        .rows
        .iter()
        .map(|row| {
            slot_of.get(row).copied().unwrap_or_else(|| {
                rows.push(*row);
                rows.len() as u32 - 1
            })
        })
        .collect();
    let (dtype, device) = (own.values.dtype(), own.values.device());
    let more = Tensor::zeros((rows.len() - own.rows.len(), own.values.dim(1)?), dtype, device)?;
    let values = Tensor::cat(&[&own.values, &more], 0)?;
    let values = values.index_add(&Tensor::new(slots, device)?, &other.values, 0)?;
    Ok(RowGradient { rows, values })
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

    /// The sum with the gradients of another batch.
    pub fn plus(mut self, other: Self) -> Result<Self> {
        for (name, gradient) in other.0 {
            let sum = match self.0.remove(&name) {
                Some(own) => own.plus(gradient)?,
                None => gradient,
            };
            self.0.insert(name, sum);
        }
        Ok(self)
    }

    /// The L2 norm over all parameters, summed in the order of their names.
    pub fn norm(&self) -> Result<f64> {
        let (mut sum, mut on_device) = (0.0, Vec::new());
        for gradient in self.0.values() {
            let (Gradient::Dense(values) | Gradient::Rows(RowGradient { values, .. })) = gradient;
            if values.device().is_cpu() {
                sum += sum_of_squares(values)?;
            } else if values.elem_count() > 0 {
                on_device.push(sum_of_squares_on_device(values)?);
            }
        }
        if !on_device.is_empty() {
            sum += Tensor::stack(&on_device, 0)?.sum_all()?.to_scalar::<f64>()?;
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
            if values.elem_count() > 0 {
                *values = (&*values * scale)?;
            }
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
        return Ok(sum_of_squares_on_device(&values)?.to_scalar::<f64>()?);
    };
    let square = |&value: &f32| f64::from(value) * f64::from(value);
    let pieces = all[start..end].par_chunks(PIECE);
    let sums: Vec<f64> = pieces.map(|piece| piece.iter().map(square).sum()).collect();
    Ok(sums.iter().sum())
}

/// In f64, by rows first: on CUDA candle sums all of a tensor in one block. A scalar that stays where it is.
fn sum_of_squares_on_device(values: &Tensor) -> Result<Tensor> {
    const ROW: usize = 1 << 10;
    let squares = values.flatten_all()?.to_dtype(DType::F64)?.sqr()?;
    let count = squares.elem_count();
    let rows = squares.pad_with_zeros(0, 0, count.next_multiple_of(ROW) - count)?;
    Ok(rows.reshape(((), ROW))?.sum(1)?.sum_all()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use candle_core::Device;

    fn rows(rows: &[u32], values: &[[f32; 2]]) -> Gradients {
        let shape = (values.len(), 2);
        let values = Tensor::from_vec(values.concat(), shape, &Device::Cpu).unwrap();
        let gradient = Gradient::Rows(RowGradient { rows: rows.to_vec(), values });
        Gradients(BTreeMap::from([(EMBEDDING.to_owned(), gradient)]))
    }

    #[test]
    fn rows_of_two_batches_are_summed_by_row() {
        let sum = rows(&[4, 2], &[[1.0, 1.0], [2.0, 2.0]])
            .plus(rows(&[7, 4], &[[5.0, 5.0], [10.0, 10.0]]))
            .unwrap();
        let Gradient::Rows(RowGradient { rows, values }) = &sum.0[EMBEDDING] else {
            panic!("{sum:?}");
        };
        assert_eq!(rows, &[4, 2, 7]);
        let values: Vec<Vec<f32>> = values.to_vec2().unwrap();
        assert_eq!(values, [[11.0, 11.0], [2.0, 2.0], [5.0, 5.0]]);
    }

    #[test]
    fn the_norm_on_a_device_is_that_on_the_cpu() {
        for count in [1, 1023, 1024, 3000] {
            // The square of the largest is beyond f32.
            let values: Vec<f32> = (0..count).map(|at| at as f32 * 1e17).collect();
            let values = Tensor::from_vec(values, count, &Device::Cpu).unwrap();
            let device = sum_of_squares_on_device(&values).unwrap().to_scalar::<f64>().unwrap();
            let cpu = sum_of_squares(&values).unwrap();
            assert!((device - cpu).abs() <= 1e-12 * cpu, "{count}: {device}, {cpu}");
        }
    }
}
