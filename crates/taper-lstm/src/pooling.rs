//! From the outputs of all steps to one vector a sequence. Only real steps count.

use candle_core::{D, DType, Tensor};
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
    /// The largest output of every feature over time. Of equal ones the first is the largest, as `torch.max` has it:
    /// it gets the whole gradient.
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

/// The backward pass of candle's `max` gives all of the gradient to each of the largest, so with a graph the largest
/// are picked, one by one; and on CUDA always, where its `max` knows no NaN.
fn max(output: &PackedSequence) -> Result<Tensor> {
    let padded = output.with_data(output.data().detach())?.pad(f64::NEG_INFINITY)?;
    if !output.data().track_op() && padded.device().is_cpu() {
        return Ok(padded.max(1)?);
    }
    let packing = output.packing();
    let (batch, _, features) = padded.dims3()?;
    let device = padded.device();
    let offsets: Vec<u32> = packing.offsets().iter().map(|&offset| offset as u32).collect();
    let steps = first_largest(&padded, packing.lengths())?.flatten_all()?;
    let rows = Tensor::new(offsets, device)?.index_select(&steps, 0)?.reshape((batch, features))?;
    let positions = Tensor::new(packing.unsorted_indices(), device)?.reshape((batch, 1))?;
    Ok(output.data().contiguous()?.gather(&rows.broadcast_add(&positions)?, 0)?)
}

/// The first step at which every feature is largest, `[batch, features]`, of `[batch, steps, features]`.
fn first_largest(padded: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    if padded.device().is_cpu() { Ok(padded.argmax(1)?) } else { first_by_rank(padded, lengths) }
}

/// [`first_largest`] where `argmax` may name any of equal steps, and `max` passes over NaN: the largest weigh the more the
/// earlier they are, the first step a little whatever it holds, and padding nothing.
fn first_by_rank(padded: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let (batch, steps, _) = padded.dims3()?;
    let weight = |length: usize, step: usize| (steps - step + 1) * usize::from(step < length);
    let weights = lengths.iter().flat_map(|&length| {
        (0..steps).map(move |step| u32::try_from(weight(length, step)).unwrap_or(u32::MAX))
    });
    let weights = Tensor::from_iter(weights, padded.device())?.reshape((batch, steps, 1))?;
    let first = (0..steps).map(|step| u32::from(step == 0));
    let first = Tensor::from_iter(first, padded.device())?.reshape((1, steps, 1))?;
    let largest = padded.broadcast_eq(&padded.max_keepdim(1)?)?.to_dtype(DType::U32)?;
    Ok(largest.broadcast_mul(&weights)?.broadcast_add(&first)?.argmax(1)?)
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
    use candle_core::{Device, Var};

    /// `[batch, steps, features]`; beyond the lengths 2, 5, 4 stand what would be largest.
    fn tied() -> (Tensor, [usize; 3]) {
        let steps = [
            [[1f32, -0.5], [1.0, -0.75], [9.0, 9.0], [9.0, 9.0], [9.0, 9.0]],
            [[0.25, 0.5], [0.75, 0.5], [0.5, 0.5], [0.75, 0.5], [0.75, 0.5]],
            [[-1.0, 0.0], [-2.0, 0.0], [-1.0, 0.125], [-1.0, 0.125], [9.0, 9.0]],
        ];
        (Tensor::new(&steps, &Device::Cpu).unwrap(), [2, 5, 4])
    }

    /// Where `tied` is largest first.
    const FIRST: [[u32; 2]; 3] = [[0, 0], [1, 0], [0, 2]];

    #[test]
    fn the_first_of_equal_steps_gets_the_gradient_of_the_maximum() {
        let (padded, lengths) = tied();
        let var = Var::from_tensor(&padded).unwrap();
        let output = PackedSequence::pack_padded(&var, &lengths).unwrap();
        let upstream = [[2f32, 3.0], [5.0, 7.0], [11.0, 13.0]];
        let h = Tensor::zeros((1, 3, 2), DType::F32, &Device::Cpu).unwrap();
        let state = LstmState { c: h.clone(), h };
        for pooling in [Pooling::Max, Pooling::LastMaxMean] {
            let parameters = Parameters::new(1);
            let vb = parameters.var_builder(DType::F32, &Device::Cpu);
            let pooled = Pool::new(pooling, 2, 2, &vb).unwrap().forward(&output, &state).unwrap();
            let start = if pooling == Pooling::Max { 0 } else { 2 };
            let largest = pooled.narrow(1, start, 2).unwrap();
            let plain = output.pad(f64::NEG_INFINITY).unwrap().max(1).unwrap();
            let values = |tensor: &Tensor| tensor.to_vec2::<f32>().unwrap();
            assert_eq!(values(&largest), values(&plain));
            let loss = largest.mul(&Tensor::new(&upstream, &Device::Cpu).unwrap()).unwrap();
            let gradients = loss.sum_all().unwrap().backward().unwrap();
            let found: Vec<Vec<Vec<f32>>> = gradients.get(&var).unwrap().to_vec3().unwrap();
            for (sequence, steps) in found.iter().enumerate() {
                for (t, step) in steps.iter().enumerate() {
                    let expected = [0, 1].map(|feature| {
                        let first = FIRST[sequence][feature] as usize == t;
                        if first { upstream[sequence][feature] } else { 0.0 }
                    });
                    assert_eq!(step[..], expected, "{pooling:?}: sequence {sequence}, step {t}");
                }
            }
        }
    }

    #[test]
    fn the_first_of_equal_steps_is_the_same_on_every_device() {
        let (padded, lengths) = tied();
        let output = PackedSequence::pack_padded(&padded, &lengths).unwrap();
        let padded = output.pad(f64::NEG_INFINITY).unwrap();
        for find in [first_largest, first_by_rank] {
            assert_eq!(find(&padded, &lengths).unwrap().to_vec2::<u32>().unwrap(), FIRST);
        }
        // Where nothing is equal to the largest, a step that is there: any but the padding.
        let nan = (&padded * f64::NAN).unwrap();
        for find in [first_largest, first_by_rank] {
            assert_eq!(find(&nan, &lengths).unwrap().to_vec2::<u32>().unwrap(), [[0; 2]; 3]);
        }
    }

    #[test]
    fn padding_is_never_the_largest_where_a_maximum_passes_over_nan() {
        // So the largest of a sequence of NaNs is its padding, as here the third step of the first sequence.
        let padded = Tensor::new(&[[[-1f32], [-1.0], [0.0]], [[0.0]; 3]], &Device::Cpu).unwrap();
        let steps = first_by_rank(&padded, &[2, 3]).unwrap();
        assert_eq!(steps.to_vec2::<u32>().unwrap(), [[0], [0]]);
    }

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
