//! From the outputs of all steps to one vector a sequence. Only real steps count.

use candle_core::{D, Tensor};

use crate::error::Result;
use crate::lstm::LstmState;
use crate::packed::PackedSequence;

/// How the steps of a sequence become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The last layer's final states of all directions, side by side.
    Last,
    /// The largest output of every feature over time.
    Max,
    /// The mean output over time.
    Mean,
    /// Last, max and mean side by side.
    LastMaxMean,
}

impl Pooling {
    /// Features of the pooled vector, out of those of one output step.
    pub fn output_size(self, features: usize) -> usize {
        match self {
            Self::Last | Self::Max | Self::Mean => features,
            Self::LastMaxMean => 3 * features,
        }
    }

    /// Whether it reads the outputs of all steps, or the final states alone.
    pub(crate) fn reads_output(self) -> bool {
        self != Self::Last
    }

    /// Pools a packed output, `[total, features]`, to `[batch, self.output_size(features)]`, in the
    /// batch's order.
    pub fn forward(self, output: &PackedSequence, state: &LstmState) -> Result<Tensor> {
        match self {
            Self::Last => last(output, state),
            Self::Max => max(output),
            Self::Mean => mean(output),
            Self::LastMaxMean => {
                let parts = [last(output, state)?, max(output)?, mean(output)?];
                Ok(Tensor::cat(&parts, D::Minus1)?)
            }
        }
    }
}

fn last(output: &PackedSequence, state: &LstmState) -> Result<Tensor> {
    let (_, features) = output.data().dims2()?;
    let (layers, _, hidden) = state.h.dims3()?;
    let directions = features / hidden;
    let parts = (layers - directions..layers).map(|layer| state.h.get(layer));
    Ok(Tensor::cat(&parts.collect::<Result<Vec<_>, _>>()?, D::Minus1)?)
}

fn max(output: &PackedSequence) -> Result<Tensor> {
    Ok(output.pad(f64::NEG_INFINITY)?.max(1)?)
}

/// As a product with the `[batch, total]` matrix that holds `1 / length` where a row is a sequence's.
fn mean(output: &PackedSequence) -> Result<Tensor> {
    let packing = output.packing();
    let total = packing.total();
    let mut shares = vec![0f64; packing.batch_size() * total];
    for (row, (index, _)) in packing.steps().enumerate() {
        shares[index * total + row] = 1.0 / packing.lengths()[index] as f64;
    }
    let data = output.data();
    let shares =
        Tensor::from_vec(shares, (packing.batch_size(), total), &candle_core::Device::Cpu)?;
    Ok(shares.to_dtype(data.dtype())?.to_device(data.device())?.matmul(data)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use candle_core::Device;

    #[test]
    fn padding_has_no_say() {
        let padded = [[[-3f64], [-1.0], [9.0], [9.0]], [[-4.0], [-2.0], [-6.0], [-4.0]]];
        let padded = Tensor::new(&padded, &Device::Cpu).unwrap();
        let output = PackedSequence::pack_padded(&padded, &[2, 4]).unwrap();
        let h = Tensor::new(&[[[5f64], [6.0]]], &Device::Cpu).unwrap();
        let state = LstmState { c: h.clone(), h };
        let pool = |pooling: Pooling| -> Vec<Vec<f64>> {
            pooling.forward(&output, &state).unwrap().to_vec2().unwrap()
        };
        assert_eq!(pool(Pooling::Last), [[5.0], [6.0]]);
        assert_eq!(pool(Pooling::Max), [[-1.0], [-2.0]]);
        assert_eq!(pool(Pooling::Mean), [[-2.0], [-4.0]]);
        assert_eq!(pool(Pooling::LastMaxMean), [[5.0, -1.0, -2.0], [6.0, -2.0, -4.0]]);
    }
}
