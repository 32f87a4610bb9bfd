//! What a network is run on, and the gradients of what comes out.

use candle_core::{Tensor, Var};
use safetensors::Dtype;
use taper_lstm::PackedSequence;

use crate::Result;
use crate::file::File;
use crate::network::{Model, Network};

pub(crate) struct Batch {
    pub(crate) input: Var,
    pub(crate) lengths: Vec<usize>,
    pub(crate) h0: Option<Var>,
    pub(crate) c0: Option<Var>,
    pub(crate) grad_output: Option<Tensor>,
    pub(crate) grad_h_n: Option<Tensor>,
    pub(crate) grad_c_n: Option<Tensor>,
}

impl Batch {
    pub(crate) fn read(file: &File, network: &Network) -> Result<Self> {
        let input = file.get("input", Dtype::F32)?.ok_or("lacks the tensor input")?;
        let (steps, batch, _) = input.dims3()?;
        let lengths = file.get("lengths", Dtype::I64)?.ok_or("lacks the tensor lengths")?;
        if lengths.dims() != [batch] {
            let found = lengths.dims();
            return Err(format!("lengths has shape {found:?}; expected {:?}", [batch]).into());
        }
        if batch == 0 {
            return Err("the batch has no sequences; it needs at least one".into());
        }
        let lengths = lengths.to_vec1::<i64>()?.into_iter().enumerate().map(|(index, length)| {
            let whole = usize::try_from(length).ok().filter(|length| (1..=steps).contains(length));
            let expected = format!("1 to {steps}, the input's steps");
            whole.ok_or(format!("sequence {index} has length {length}; expected {expected}"))
        });
        let lengths = lengths.collect::<Result<_, _>>()?;
        let h_shape = [network.states, batch, network.h_size];
        let c_shape = [network.states, batch, network.hidden_size];
        let memory = |name| match network.model {
            Model::Lstm(_) => file.optional(name, &c_shape),
            Model::Gru(_) | Model::Rnn(_) => Ok(None),
        };
        let var = |state: Option<Tensor>| state.as_ref().map(Var::from_tensor).transpose();
        Ok(Self {
            input: Var::from_tensor(&input)?,
            lengths,
            h0: var(file.optional("h0", &h_shape)?)?,
            c0: var(memory("c0")?)?,
            grad_output: file.optional("grad_output", &[steps, batch, network.output_size])?,
            grad_h_n: file.optional("grad_h_n", &h_shape)?,
            grad_c_n: memory("grad_c_n")?,
        })
    }

    /// Packs `[steps, batch, features]`; what lies past a length is left behind.
    pub(crate) fn pack(&self, padded: &Tensor) -> Result<PackedSequence> {
        let batch_first = padded.transpose(0, 1)?.contiguous()?;
        Ok(PackedSequence::pack_padded(&batch_first, &self.lengths)?)
    }

    /// The vars beside the weights, by name.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&str, &Var)> {
        let vars =
            [("input", Some(&self.input)), ("h0", self.h0.as_ref()), ("c0", self.c0.as_ref())];
        vars.into_iter().filter_map(|(name, var)| Some((name, var?)))
    }
}
