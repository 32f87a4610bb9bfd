//! From the outputs of all steps to one vector a sequence. Only real steps count.

use candle_core::{D, Tensor};
use candle_nn::{Linear, Module, VarBuilder, ops::softmax};

use crate::cell::uniform;
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
    /// A weighted mean: step t weighs `softmax_t(v . tanh(W h_t))` (Lin et al. 2017, one row of attention).
    Attention,
}

impl Pooling {
    /// Features of the pooled vector, out of those of one output step.
    pub fn output_size(self, features: usize) -> usize {
        match self {
            Self::Last | Self::Max | Self::Mean | Self::Attention => features,
            Self::LastMaxMean => 3 * features,
        }
    }

    /// Whether it reads the outputs of all steps, or the final states alone.
    pub(crate) fn reads_output(self) -> bool {
        self != Self::Last
    }
}

/// A pooling with its parameters: none, but for [`Pooling::Attention`]'s `hidden.weight`
/// `[hidden_size, features]` and `score.weight` `[1, hidden_size]`.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) pooling: Pooling,
    attention: Option<[Linear; 2]>,
}

impl Pool {
    /// `features` are those of one output step.
    pub(crate) fn new(
        pooling: Pooling,
        features: usize,
        hidden_size: usize,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let linear = |inputs, outputs, name: &str| -> Result<Linear> {
            let weight = vb.get_with_hints((outputs, inputs), name, uniform(inputs))?;
            Ok(Linear::new(weight, None))
        };
        let attention = match pooling {
            Pooling::Attention => Some([
                linear(features, hidden_size, "hidden.weight")?,
                linear(hidden_size, 1, "score.weight")?,
            ]),
            _ => None,
        };
        Ok(Self { pooling, attention })
    }

    /// Pools a packed output, `[total, features]`, to `[batch, self.output_size(features)]`, in the
    /// batch's order.
    pub(crate) fn forward(&self, output: &PackedSequence, state: &LstmState) -> Result<Tensor> {
        match (self.pooling, &self.attention) {
            (_, Some(attention)) => attend(output, attention),
            (Pooling::Last | Pooling::Attention, None) => last(output, state),
            (Pooling::Max, None) => max(output),
            (Pooling::Mean, None) => mean(output),
            (Pooling::LastMaxMean, None) => {
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

fn mean(output: &PackedSequence) -> Result<Tensor> {
    let lengths = output.packing().lengths();
    sum(output, output.data(), |index| 1.0 / lengths[index] as f64)
}

/// The sum of `rows` over every sequence's steps, each times its sequence's factor: a product with the
/// `[batch, total]` matrix that holds the factor where a row is a sequence's.
fn sum(output: &PackedSequence, rows: &Tensor, factor: impl Fn(usize) -> f64) -> Result<Tensor> {
    let packing = output.packing();
    let total = packing.total();
    let mut factors = vec![0f64; packing.batch_size() * total];
    for (row, (index, _)) in packing.steps().enumerate() {
        factors[index * total + row] = factor(index);
    }
    let factors =
        Tensor::from_vec(factors, (packing.batch_size(), total), &candle_core::Device::Cpu)?;
    Ok(factors.to_dtype(rows.dtype())?.to_device(rows.device())?.matmul(rows)?)
}

fn attend(output: &PackedSequence, [hidden, score]: &[Linear; 2]) -> Result<Tensor> {
    let packing = output.packing();
    let scores = score.forward(&hidden.forward(output.data())?.tanh()?)?;
    let scores = output.with_data(scores)?.pad(f64::NEG_INFINITY)?;
    let weights = PackedSequence::pack_padded(&softmax(&scores, 1)?, packing.lengths())?;
    sum(output, &output.data().broadcast_mul(weights.data())?, |_| 1.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Parameters;
    use candle_core::{DType, Device};

    #[test]
    fn padding_has_no_say() {
        let padded = [[[-3f64], [-1.0], [9.0], [9.0]], [[-4.0], [-2.0], [-6.0], [-4.0]]];
        let padded = Tensor::new(&padded, &Device::Cpu).unwrap();
        let output = PackedSequence::pack_padded(&padded, &[2, 4]).unwrap();
        let h = Tensor::new(&[[[5f64], [6.0]]], &Device::Cpu).unwrap();
        let state = LstmState { c: h.clone(), h };
        let parameters = Parameters::new(1);
        let vb = parameters.var_builder(DType::F64, &Device::Cpu);
        let pool = |pooling: Pooling| -> Vec<Vec<f64>> {
            let pool = Pool::new(pooling, 1, 1, &vb).unwrap();
            pool.forward(&output, &state).unwrap().to_vec2().unwrap()
        };
        assert_eq!(pool(Pooling::Last), [[5.0], [6.0]]);
        assert_eq!(pool(Pooling::Max), [[-1.0], [-2.0]]);
        assert_eq!(pool(Pooling::Mean), [[-2.0], [-4.0]]);
        assert_eq!(pool(Pooling::LastMaxMean), [[5.0, -1.0, -2.0], [6.0, -2.0, -4.0]]);

        Pool::new(Pooling::Attention, 1, 1, &vb).unwrap();
        let weights = [("hidden.weight", 0.5), ("score.weight", 2.0)];
        let weights =
            weights.map(|(name, w)| (name.to_owned(), Tensor::new(&[[w]], &Device::Cpu).unwrap()));
        parameters.set(&weights.into_iter().collect()).unwrap();
        let attended = |steps: &[f64]| {
            let weights = steps.iter().map(|h| (2.0 * (0.5 * h).tanh()).exp());
            let sum: f64 = weights.clone().zip(steps).map(|(w, h)| w * h).sum();
            sum / weights.sum::<f64>()
        };
        let found = pool(Pooling::Attention);
        for (found, steps) in found.iter().zip([&[-3.0, -1.0][..], &[-4.0, -2.0, -6.0, -4.0]]) {
            assert!((found[0] - attended(steps)).abs() < 1e-12, "{found:?}");
        }
    }
}
