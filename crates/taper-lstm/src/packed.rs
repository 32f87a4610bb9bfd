//! Ragged batches without padding: the real steps only, sorted by length, time-major, as
//! `torch.nn.utils.rnn.pack_padded_sequence(enforce_sorted=False)` lays them out.

use std::sync::Arc;

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};

/// How the steps of a batch lie in a packed tensor.
///
/// The sequences are sorted by falling length, so that the ones alive at step `t` are always the
/// first `batch_sizes[t]`; step `t` occupies the rows `offsets[t] .. offsets[t] + batch_sizes[t]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packing {
    lengths: Vec<usize>,
    batch_sizes: Vec<usize>,
    offsets: Vec<usize>,
    sorted_indices: Vec<u32>,
    unsorted_indices: Vec<u32>,
}

impl Packing {
    /// The packing of sequences with these lengths, in the batch's order. Equal lengths keep their order.
    ///
    /// # Errors
    /// If there is no sequence, or one of length 0.
    pub fn new(lengths: &[usize]) -> Result<Self> {
        if lengths.is_empty() {
            return Err(Error::EmptyBatch);
        }
        if let Some(index) = lengths.iter().position(|&length| length == 0) {
            return Err(Error::EmptySequence { index });
        }
        let mut sorted_indices: Vec<u32> = (0..lengths.len() as u32).collect();
        sorted_indices.sort_by_key(|&index| std::cmp::Reverse(lengths[index as usize]));
        let mut unsorted_indices = vec![0; lengths.len()];
        for (position, &index) in (0..).zip(&sorted_indices) {
            unsorted_indices[index as usize] = position;
        }
        let longest = lengths[sorted_indices[0] as usize];
        let (mut batch_sizes, mut offsets) = (Vec::new(), Vec::new());
        let (mut alive, mut total) = (lengths.len(), 0);
        for t in 0..longest {
            while lengths[sorted_indices[alive - 1] as usize] <= t {
                alive -= 1;
            }
            batch_sizes.push(alive);
            offsets.push(total);
            total += alive;
        }
        Ok(Self {
            lengths: lengths.to_vec(),
            batch_sizes,
            offsets,
            sorted_indices,
            unsorted_indices,
        })
    }

    /// Length of every sequence, in the batch's order.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Sequences alive at every step.
    pub fn batch_sizes(&self) -> &[usize] {
        &self.batch_sizes
    }

    /// First packed row of every step.
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// Sequences in the batch.
    pub fn batch_size(&self) -> usize {
        self.lengths.len()
    }

    /// Steps of the longest sequence.
    pub fn num_steps(&self) -> usize {
        self.batch_sizes.len()
    }

    /// Rows of a packed tensor: the real steps of all sequences.
    pub fn total(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// For every packed position, which sequence of the batch it holds: `sorted = batch[sorted_indices]`.
    pub fn sorted_indices(&self) -> &[u32] {
        &self.sorted_indices
    }

    /// The inverse: `batch = sorted[unsorted_indices]`.
    pub fn unsorted_indices(&self) -> &[u32] {
        &self.unsorted_indices
    }

    /// The packed row of step `t` of sequence `index` (in the batch's order), if it has that step.
    pub fn row(&self, index: usize, t: usize) -> Option<usize> {
        let position = *self.unsorted_indices.get(index)? as usize;
        (t < self.lengths[index]).then(|| self.offsets[t] + position)
    }

    /// For every packed row, its (sequence in the batch's order, step).
    pub fn steps(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.batch_sizes.iter().enumerate().flat_map(|(t, &alive)| {
            self.sorted_indices[..alive].iter().map(move |&index| (index as usize, t))
        })
    }

    /// Packs one value a step, token ids as a rule: `sequences[b][t]` to the packed order.
    ///
    /// # Errors
    /// If the sequences do not have this packing's lengths.
    pub fn pack<T: Copy>(&self, sequences: &[&[T]]) -> Result<Vec<T>> {
        let found: Vec<usize> = sequences.iter().map(|sequence| sequence.len()).collect();
        if found != self.lengths {
            return Err(Error::shape(
                "the lengths of the sequences to pack",
                &found,
                &self.lengths,
            ));
        }
        Ok(self.steps().map(|(index, t)| sequences[index][t]).collect())
    }
}

/// A packed tensor with its packing.
#[derive(Debug, Clone)]
pub struct PackedSequence {
    data: Tensor,
    packing: Arc<Packing>,
}

impl PackedSequence {
    /// Packed rows as they are.
    ///
    /// # Shapes
    /// `data`: `[packing.total(), features]`
    pub fn new(data: Tensor, packing: Arc<Packing>) -> Result<Self> {
        let (rows, features) = data.dims2()?;
        if rows != packing.total() {
            return Err(Error::shape("packed data", data.dims(), &[packing.total(), features]));
        }
        Ok(Self { data, packing })
    }

    /// Packs a padded tensor; gradients flow back to it.
    ///
    /// # Shapes
    /// `padded`: `[batch, steps, features]`, with `steps` at least the longest of `lengths`
    ///
    /// # Errors
    /// Another number of sequences than of lengths; a length of 0, or one beyond `steps`.
    pub fn pack_padded(padded: &Tensor, lengths: &[usize]) -> Result<Self> {
        let &[batch, steps, features] = padded.dims() else {
            return Err(Error::shape("padded input", padded.dims(), &[lengths.len(), 0, 0]));
        };
        if batch != lengths.len() {
            let expected = [lengths.len(), steps, features];
            return Err(Error::shape("padded input", padded.dims(), &expected));
        }
        if let Some((index, &length)) =
            lengths.iter().enumerate().find(|(_, length)| **length > steps)
        {
            return Err(Error::SequenceTooLong { index, length, steps });
        }
        let packing = Packing::new(lengths)?;
        let rows: Vec<u32> = packing.steps().map(|(index, t)| (index * steps + t) as u32).collect();
        let rows = Tensor::new(rows, padded.device())?;
        let data = padded.reshape((batch * steps, features))?.index_select(&rows, 0)?;
        Ok(Self { data, packing: Arc::new(packing) })
    }

    /// The padded form, `padding` past every sequence's end.
    ///
    /// # Shapes
    /// result: `[batch, packing.num_steps(), features]`
    pub fn pad(&self, padding: f64) -> Result<Tensor> {
        let (total, features) = self.data.dims2()?;
        let (batch, steps) = (self.packing.batch_size(), self.packing.num_steps());
        let mut rows = vec![total as u32; batch * steps];
        for (row, (index, t)) in (0..).zip(self.packing.steps()) {
            rows[index * steps + t] = row;
        }
        let device = self.data.device();
        let fill = Tensor::full(padding, (1, features), device)?.to_dtype(self.data.dtype())?;
        let extended = Tensor::cat(&[&self.data, &fill], 0)?;
        let padded = extended.index_select(&Tensor::new(rows, device)?, 0)?;
        Ok(padded.reshape((batch, steps, features))?)
    }

    /// The packed rows, `[total, features]`.
    pub fn data(&self) -> &Tensor {
        &self.data
    }

    /// How the rows lie.
    pub fn packing(&self) -> &Arc<Packing> {
        &self.packing
    }

    /// Other data in the same packing.
    pub fn with_data(&self, data: Tensor) -> Result<Self> {
        Self::new(data, self.packing.clone())
    }
}

/// Rows of `x` picked by `indices`, for sorting and unsorting states.
pub(crate) fn select(x: &Tensor, indices: &[u32], dim: usize) -> Result<Tensor> {
    Ok(x.index_select(&Tensor::new(indices, &Device::Cpu)?.to_device(x.device())?, dim)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn layout_of_a_small_batch() {
        let packing = Packing::new(&[2, 4, 1, 4]).unwrap();
        assert_eq!(packing.batch_sizes(), [4, 3, 2, 2]);
        assert_eq!(packing.offsets(), [0, 4, 7, 9]);
        assert_eq!(packing.sorted_indices(), [1, 3, 0, 2]);
        assert_eq!(packing.unsorted_indices(), [2, 0, 3, 1]);
        assert_eq!(packing.row(0, 1), Some(6));
        assert_eq!(packing.row(0, 2), None);
    }

    #[test]
    fn refuses_what_has_no_last_state() {
        assert!(matches!(Packing::new(&[]), Err(Error::EmptyBatch)));
        assert!(matches!(Packing::new(&[3, 0]), Err(Error::EmptySequence { index: 1 })));
        let packing = Packing::new(&[2]).unwrap();
        assert!(packing.pack(&[&[1, 2, 3][..]]).is_err());

        let padded = Tensor::zeros((2, 5, 1), candle_core::DType::F32, &Device::Cpu).unwrap();
        let message = |lengths: &[usize]| {
            PackedSequence::pack_padded(&padded, lengths).unwrap_err().to_string()
        };
        for length in [6, usize::MAX] {
            let message = message(&[5, length]);
            let expected =
                format!("sequence 1 of the batch has length {length}; the padded input has 5");
            assert!(message.starts_with(&expected), "{message}");
        }
        assert!(message(&[5]).starts_with("padded input has shape [2, 5, 1]; expected [1, 5, 1]"));
    }

    proptest! {
        #[test]
        fn packing_then_padding_is_the_identity(lengths in prop::collection::vec(1usize..12, 1..9)) {
            let steps = lengths.iter().max().copied().unwrap_or(0);
            let padded: Vec<f32> = lengths
                .iter()
                .enumerate()
                .flat_map(|(b, &n)| (0..steps).map(move |t| if t < n { (b * 100 + t) as f32 } else { -1.0 }))
                .collect();
            let padded = Tensor::from_vec(padded, (lengths.len(), steps, 1), &Device::Cpu).unwrap();
            let packed = PackedSequence::pack_padded(&padded, &lengths).unwrap();
            let again: Vec<f32> = packed.pad(-1.0).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            prop_assert_eq!(again, padded.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        }

        #[test]
        fn every_step_has_its_row(lengths in prop::collection::vec(1usize..12, 1..9)) {
            let packing = Packing::new(&lengths).unwrap();
            for (row, (index, t)) in packing.steps().enumerate() {
                prop_assert_eq!(packing.row(index, t), Some(row));
            }
            prop_assert_eq!(packing.steps().count(), packing.total());
        }
    }
}
