//! The embedding lookup, with a gradient that holds only the rows that were looked up.

use std::collections::HashMap;

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use crate::error::{Error, Result};

/// A table of vectors, one a token id.
///
/// candle's own embedding makes a dense gradient of the whole table for every batch. Here the
/// looked-up rows carry no graph, and [`Embedding::row_gradient`] sums their gradients by token.
#[derive(Debug, Clone)]
pub struct Embedding {
    weight: Tensor,
    padding_id: Option<u32>,
}

impl Embedding {
    /// Parameter `weight`, `[rows, dimensions]`, standard normal as in PyTorch. The row of
    /// `padding_id` gets no gradient.
    pub fn new(
        rows: usize,
        dimensions: usize,
        padding_id: Option<u32>,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let init = Init::Randn { mean: 0.0, stdev: 1.0 };
        let weight = vb.get_with_hints((rows, dimensions), "weight", init)?;
        Ok(Self { weight, padding_id })
    }

    /// The table, `[rows, dimensions]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// Looks up `ids`; the result carries no gradient.
    ///
    /// # Shapes
    /// `ids`: `[n]`; result: `[n, dimensions]`
    ///
    /// # Errors
    /// If an id is not below the number of rows.
    pub fn lookup(&self, ids: &[u32]) -> Result<Tensor> {
        let (rows, _) = self.weight.dims2()?;
        if let Some(&id) = ids.iter().find(|&&id| id as usize >= rows) {
            return Err(Error::TokenId { id, rows });
        }
        let ids = Tensor::new(ids, self.weight.device())?;
        Ok(self.weight.detach().index_select(&ids, 0)?)
    }

    /// The gradient of the table, out of that of the looked-up rows of `ids`. Repeated tokens are summed
    /// in the order of the batch: the same bits every time.
    ///
    /// # Shapes
    /// `gradient`: `[n, dimensions]`, a row for each of the `n` ids
    ///
    /// # Errors
    /// If the gradient has another number of rows than there are ids.
    pub fn row_gradient(&self, ids: &[u32], gradient: &Tensor) -> Result<RowGradient> {
        let (n, dimensions) = gradient.dims2()?;
        if n != ids.len() {
            let expected = [ids.len(), dimensions];
            return Err(Error::shape("looked-up rows' gradient", gradient.dims(), &expected));
        }
        let mut rows = Vec::new();
        let mut slot_of = HashMap::new();
        let (mut slots, mut kept) = (Vec::new(), Vec::new());
        for (position, &id) in (0u32..).zip(ids) {
            if Some(id) == self.padding_id {
                continue;
            }
            slots.push(*slot_of.entry(id).or_insert_with(|| {
                rows.push(id);
                rows.len() as u32 - 1
            }));
            kept.push(position);
        }
        let device = gradient.device();
        let zeros = Tensor::zeros((rows.len(), dimensions), gradient.dtype(), device)?;
        if rows.is_empty() {
            return Ok(RowGradient { rows, values: zeros });
        }
        let values = sum_rows(gradient, &zeros, &slots, &kept)?;
        Ok(RowGradient { rows, values })
    }
}

/// `sums` with row `kept[j]` of the gradient added to row `slots[j]`, in the order of `j`.
fn sum_rows(gradient: &Tensor, sums: &Tensor, slots: &[u32], kept: &[u32]) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if gradient.device().is_cuda() {
        let rows = sums.dim(0)?;
        return Ok(crate::kernel::cuda::sum_rows(&gradient.contiguous()?, rows, slots, kept)?);
    }
    let device = gradient.device();
    let gradient = if gradient.dim(0)? == kept.len() {
        gradient.clone()
    } else {
        gradient.index_select(&Tensor::new(kept, device)?, 0)?
    };
    Ok(sums.index_add(&Tensor::new(slots, device)?, &gradient, 0)?)
}

/// The rows of a table that have a gradient, each once.
#[derive(Debug, Clone)]
pub struct RowGradient {
    /// Row numbers, in the order of their first use.
    pub rows: Vec<u32>,
    /// Their gradients, `[rows.len(), dimensions]`.
    pub values: Tensor,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Parameters;
    use candle_core::{DType, Device};

    #[test]
    fn row_gradient_is_the_dense_one_without_its_zeros() {
        let parameters = Parameters::new(1);
        let vb = parameters.var_builder(DType::F64, &Device::Cpu);
        let embedding = Embedding::new(6, 2, Some(1), &vb).unwrap();
        let gradient = [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, 4.0], [5f64, 5.0]];
        let gradient = Tensor::new(&gradient, &Device::Cpu).unwrap();
        let gradient = embedding.row_gradient(&[4, 2, 4, 1, 4], &gradient).unwrap();
        assert_eq!(gradient.rows, [4, 2]);
        let values: Vec<Vec<f64>> = gradient.values.to_vec2().unwrap();
        assert_eq!(values, [[9.0, 9.0], [2.0, 2.0]]);
    }

    #[test]
    fn an_unknown_id_is_named() {
        let vb = Parameters::new(1).var_builder(DType::F32, &Device::Cpu);
        let embedding = Embedding::new(6, 2, None, &vb).unwrap();
        let error = embedding.lookup(&[1, 6]).unwrap_err().to_string();
        assert!(error.contains("id 6") && error.contains("6 rows"), "{error}");
    }
}
