//! The large products around the steps: the projected input before them, the gradients of x and the weights
//! after them. Tensor operations, which on CUDA are one product of cuBLAS each over all steps.

use candle_core::{DType, Result, Tensor};

use crate::config::Precision;
use crate::kernel::{LayerShape, WeightRanges};

/// `W_ih` of one direction, `[4 * hidden_size, input_size]`.
fn weight_ih(shape: &LayerShape, weights: &Tensor, direction: usize) -> Result<Tensor> {
    let WeightRanges { weight_ih, .. } = shape.weight_ranges(direction);
    weights
        .narrow(0, weight_ih.start, weight_ih.len())?
        .reshape((shape.gate_rows(), shape.input_size))
}

/// An operand in the numbers that the layer multiplies in.
fn operand(shape: &LayerShape, tensor: &Tensor) -> Result<Tensor> {
    match shape.precision {
        Precision::F32 => Ok(tensor.clone()),
        Precision::Bf16 => tensor.to_dtype(DType::BF16),
    }
}

/// `x W_ih^T` of every direction, each `[total, 4 * hidden_size]`; the kernels add the biases.
pub(super) fn projections(shape: &LayerShape, x: &Tensor, weights: &Tensor) -> Result<Vec<Tensor>> {
    let x = operand(shape, x)?;
    (0..shape.directions)
        .map(|direction| {
            let weight = operand(shape, &weight_ih(shape, weights, direction)?)?;
            x.matmul(&weight.t()?)?.to_dtype(DType::F32)
        })
        .collect()
}

/// The gradients of x and of the weights, from those of the gates.
///
/// # Shapes
/// `dgates`: `[directions, total, 4 * hidden_size]`; `h_previous`, the states before each step:
/// `[directions, total, hidden_size]`; results as `x` and `weights`
pub(super) fn gradients(
    shape: &LayerShape,
    x: &Tensor,
    weights: &Tensor,
    dgates: &Tensor,
    h_previous: &Tensor,
) -> Result<[Tensor; 2]> {
    let x = operand(shape, x)?;
    let mut dx: Option<Tensor> = None;
    let mut dweights = Vec::new();
    for direction in 0..shape.directions {
        let dgates = dgates.get(direction)?;
        // A sum over rows as a product: long columns are slow to sum otherwise.
        let ones = Tensor::ones((1, shape.total()), DType::F32, dgates.device())?;
        let dbias = if shape.bias { Some(ones.matmul(&dgates)?.flatten_all()?) } else { None };
        let dgates = operand(shape, &dgates)?;
        let weight = operand(shape, &weight_ih(shape, weights, direction)?)?;
        let h_previous = operand(shape, &h_previous.get(direction)?)?;
        let part = dgates.matmul(&weight)?.to_dtype(DType::F32)?;
        dx = Some(match dx {
            Some(sum) => (sum + part)?,
            None => part,
        });
        let by = dgates.t()?;
        for with in [&x, &h_previous] {
            dweights.push(by.matmul(with)?.to_dtype(DType::F32)?.flatten_all()?);
        }
        // b_ih and b_hh are added to each other, so their gradients are one.
        dweights.extend(dbias.iter().cloned());
        dweights.extend(dbias);
    }
    let dx = dx.map_or_else(|| x.zeros_like(), Ok)?;
    Ok([dx, Tensor::cat(&dweights, 0)?])
}
