//! What the LSTM, the GRU and the plain RNN share: parameters under PyTorch's names, layers stacked on
//! each other with dropout between them, states in the batch's order.

use std::sync::Arc;

use candle_core::{DType, Tensor};
use candle_nn::VarBuilder;

use crate::cell::uniform;
use crate::config::{Cell, RecurrentConfig, StackConfig};
use crate::dropout::{Dropout, Mode};
use crate::error::{Error, Result};
use crate::kernel::cpu::Context;
use crate::kernel::{LayerSequence, LayerShape, supports};
use crate::packed::{PackedSequence, Packing, select};

/// The stream of dropout masks between layers `l` and `l + 1` is `STREAM + l`.
const STREAM: u32 = 0x1000;

/// The stream of masks of layer `l`'s `weight_hh` in direction `d` is `WEIGHT_STREAM + 2 * l + d`.
const WEIGHT_STREAM: u32 = 0x3000;

/// Where `weight_hh` stands among the parameters of a direction.
const WEIGHT_HH: usize = 1;

/// Stacked recurrent layers: `weight_ih_l{k}` `[gates * hidden_size, input]`, `weight_hh_l{k}`
/// `[gates * hidden_size, h_size]`, `bias_ih_l{k}`, `bias_hh_l{k}` `[gates * hidden_size]`, with a projection
/// `weight_hr_l{k}` `[proj_size, hidden_size]`; the second direction's with the suffix `_reverse`.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    config: StackConfig,
    /// The parameters of every layer, direction by direction, in PyTorch's order.
    parameters: Vec<Vec<Tensor>>,
    dropout: Vec<Dropout>,
    context: Arc<Context>,
}

/// States before or after a batch, in its order, or their gradients.
#[derive(Debug, Clone)]
pub(crate) struct States {
    /// `[layers * directions, batch, h_size]`
    pub(crate) h: Tensor,
    /// `[layers * directions, batch, hidden_size]`; LSTM only
    pub(crate) c: Option<Tensor>,
}

impl Layers {
    pub(crate) fn new(config: StackConfig, vb: &VarBuilder) -> Result<Self> {
        config.check()?;
        if !supports(vb.dtype) {
            return Err(Error::Config {
                key: "dtype",
                found: format!("{:?}", vb.dtype),
                expected: "F32 or F64",
            });
        }
        let RecurrentConfig { num_layers, dropout, .. } = config.layers;
        let parameters = (0..num_layers)
            .map(|layer| layer_parameters(&config, layer, vb))
            .collect::<Result<_>>()?;
        let dropout = (1..num_layers as u32)
            .map(|layer| Dropout::new(dropout, STREAM + layer))
            .collect::<Result<_>>()?;
        Ok(Self { config, parameters, dropout, context: Arc::default() })
    }

    /// Runs all layers; without `states` they start at zero.
    pub(crate) fn forward(
        &self,
        input: &PackedSequence,
        states: Option<&States>,
        mode: Mode,
    ) -> Result<(PackedSequence, States)> {
        self.check_input(input)?;
        let packing = input.packing();
        let initial = self.initial(input, states)?;
        let mut x = input.data().clone();
        let (mut h_n, mut c_n) = (Vec::new(), Vec::new());
        for (layer, initial) in initial.iter().enumerate() {
            let keep = mode != Mode::Evaluate;
            let op = self.operation(layer, packing, keep);
            let shape = op.shape().clone();
            let operand = self.drop_between(layer, &x, packing, mode)?.contiguous()?;
            let weights = self.weights(layer, mode)?;
            let output = if keep {
                operand.apply_op3(&weights, initial, op)?
            } else {
                operand.apply_op3_no_bwd(&weights, initial, &op)?
            };
            let (sequence, h, c) = split(&shape, &output)?;
            x = sequence;
            h_n.push(h);
            c_n.extend(c);
        }
        Ok((input.with_data(x)?, final_states(packing, &h_n, &c_n)?))
    }

    pub(crate) fn num_layers(&self) -> usize {
        self.parameters.len()
    }

    /// A layer's sequence, as one operation; `keep` keeps what its backward needs.
    pub(crate) fn operation(
        &self,
        layer: usize,
        packing: &Arc<Packing>,
        keep: bool,
    ) -> LayerSequence {
        LayerSequence::new(self.shape(layer, packing), keep, self.context.clone())
    }

    /// What reaches `layer` of `x` (or of its gradient), which the layer below made.
    pub(crate) fn drop_between(
        &self,
        layer: usize,
        x: &Tensor,
        packing: &Packing,
        mode: Mode,
    ) -> Result<Tensor> {
        match layer.checked_sub(1) {
            Some(below) => self.drop(self.dropout[below], x, packing, mode),
            None => Ok(x.clone()),
        }
    }

    /// Drops elements of packed rows: at every step anew, or a sequence's alike at all its steps.
    pub(crate) fn drop(
        &self,
        dropout: Dropout,
        x: &Tensor,
        packing: &Packing,
        mode: Mode,
    ) -> Result<Tensor> {
        if !self.config.variational {
            return dropout.forward_in(x, mode, &self.context);
        }
        let sequences: Vec<u32> = packing.steps().map(|(index, _)| index as u32).collect();
        dropout.forward_locked(x, &sequences, packing.batch_size(), mode)
    }

    /// Takes back the memory of a tensor that these layers made, and of which nothing is read any more.
    pub(crate) fn give_back(&self, tensor: &Tensor) -> Result<()> {
        Ok(self.context.reclaim(tensor)?)
    }

    #[cfg(test)]
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// A parameter, or its gradient, as a training step meets it.
    fn drop_weight(
        &self,
        layer: usize,
        position: usize,
        weight: &Tensor,
        mode: Mode,
    ) -> Result<Tensor> {
        let a_direction = self.parameters[layer].len() / self.config.layers.num_directions();
        if position % a_direction != WEIGHT_HH {
            return Ok(weight.clone());
        }
        let stream = WEIGHT_STREAM + (2 * layer + position / a_direction) as u32;
        Dropout::new(self.config.weight_dropout, stream)?.forward(weight, mode)
    }

    /// A layer's sizes on a batch.
    pub(crate) fn shape(&self, layer: usize, packing: &Arc<Packing>) -> LayerShape {
        LayerShape {
            cell: self.config.cell,
            input_size: self.config.layer_input_size(layer),
            hidden_size: self.config.layers.hidden_size,
            proj_size: self.config.proj_size,
            directions: self.config.layers.num_directions(),
            bias: self.config.layers.bias,
            precision: self.config.precision,
            activations: self.config.activations,
            packing: packing.clone(),
        }
    }

    /// A layer's parameters in one vector, as [`LayerShape::weight_ranges`] says.
    pub(crate) fn weights(&self, layer: usize, mode: Mode) -> Result<Tensor> {
        let flat = self.parameters[layer].iter().enumerate().map(|(position, parameter)| {
            Ok(self.drop_weight(layer, position, parameter, mode)?.flatten_all()?)
        });
        Ok(Tensor::cat(&flat.collect::<Result<Vec<_>>>()?, 0)?)
    }

    /// A layer's parameters, each with its gradient: its part of that of [`Self::weights`].
    pub(crate) fn by_parameter(
        &self,
        layer: usize,
        gradient: &Tensor,
        mode: Mode,
    ) -> Result<Vec<(Tensor, Tensor)>> {
        let mut first = 0;
        let parts = self.parameters[layer].iter().enumerate().map(|(position, parameter)| {
            let part = gradient.narrow(0, first, parameter.elem_count())?;
            first += parameter.elem_count();
            let part = part.reshape(parameter.shape())?;
            Ok((parameter.clone(), self.drop_weight(layer, position, &part, mode)?))
        });
        parts.collect()
    }

    /// The type of all parameters.
    fn dtype(&self) -> DType {
        self.parameters[0][0].dtype()
    }

    pub(crate) fn check_input(&self, input: &PackedSequence) -> Result<()> {
        let (total, features) = input.data().dims2()?;
        Error::check_type("the input", input.data(), self.dtype())?;
        let expected = self.config.layers.input_size;
        if features != expected {
            return Err(Error::shape("the input", input.data().dims(), &[total, expected]));
        }
        Ok(())
    }

    /// Every layer's initial states, as [`Self::flat_states`].
    pub(crate) fn initial(
        &self,
        input: &PackedSequence,
        states: Option<&States>,
    ) -> Result<Vec<Tensor>> {
        self.flat_states(input, states, ["the initial h", "the initial c"])
    }

    /// Every layer's states as one vector in the packed order, zeros without `states`;
    /// `names` are what an error calls h and c.
    pub(crate) fn flat_states(
        &self,
        input: &PackedSequence,
        states: Option<&States>,
        names: [&'static str; 2],
    ) -> Result<Vec<Tensor>> {
        let packing = input.packing();
        let Some(states) = states else {
            let (dtype, device) = (input.data().dtype(), input.data().device());
            let len = self.shape(0, packing).state_len();
            return (0..self.num_layers())
                .map(|_| Ok(Tensor::zeros(len, dtype, device)?))
                .collect();
        };
        let h = self.sorted(packing, &states.h, names[0], self.config.h_size())?;
        let mut all = vec![h];
        if let Some(c) = &states.c {
            all.push(self.sorted(packing, c, names[1], self.config.layers.hidden_size)?);
        }
        let directions = self.config.layers.num_directions();
        (0..self.num_layers())
            .map(|layer| {
                let part =
                    |state: &Tensor| state.narrow(0, layer * directions, directions)?.flatten_all();
                Ok(Tensor::cat(&all.iter().map(part).collect::<Result<Vec<_>, _>>()?, 0)?)
            })
            .collect()
    }

    fn sorted(
        &self,
        packing: &Packing,
        state: &Tensor,
        what: &'static str,
        size: usize,
    ) -> Result<Tensor> {
        Error::check_type(what, state, self.dtype())?;
        let RecurrentConfig { num_layers, .. } = self.config.layers;
        let rows = num_layers * self.config.layers.num_directions();
        let expected = [rows, packing.batch_size(), size];
        if state.dims() != expected {
            return Err(Error::shape(what, state.dims(), &expected));
        }
        select(state, packing.sorted_indices(), 1)
    }
}

/// Draws or loads the parameters of one layer.
fn layer_parameters(config: &StackConfig, layer: usize, vb: &VarBuilder) -> Result<Vec<Tensor>> {
    let hidden = config.layers.hidden_size;
    let (rows, init) = (config.cell.num_gates() * hidden, uniform(hidden));
    let mut parameters = Vec::new();
    for suffix in &["", "_reverse"][..config.layers.num_directions()] {
        let mut get = |name: &str, shape: &[usize]| -> Result<()> {
            let name = format!("{name}_l{layer}{suffix}");
            parameters.push(vb.get_with_hints(shape, &name, init)?);
            Ok(())
        };
        get("weight_ih", &[rows, config.layer_input_size(layer)])?;
        get("weight_hh", &[rows, config.h_size()])?;
        if config.layers.bias {
            get("bias_ih", &[rows])?;
            get("bias_hh", &[rows])?;
        }
        if let Some(size) = config.proj_size {
            get("weight_hr", &[size, hidden])?;
        }
    }
    Ok(parameters)
}

/// A layer's result: `h_seq` `[total, directions * h_size]`, then `h_n` and `c_n`
/// `[directions, batch, size]` in the packed order.
pub(crate) fn split(
    shape: &LayerShape,
    output: &Tensor,
) -> Result<(Tensor, Tensor, Option<Tensor>)> {
    let (directions, batch) = (shape.directions, shape.batch());
    let (sequence, h) = (shape.sequence_len(), shape.h_len());
    let c = match shape.cell {
        Cell::Lstm => {
            let c = output.narrow(0, sequence + h, shape.c_len())?;
            Some(c.reshape((directions, batch, shape.hidden_size))?)
        }
        Cell::Gru | Cell::RnnTanh | Cell::RnnRelu => None,
    };
    Ok((
        output
            .narrow(0, 0, sequence)?
            .reshape((shape.total(), directions * shape.output_size()))?,
        output.narrow(0, sequence, h)?.reshape((directions, batch, shape.output_size()))?,
        c,
    ))
}

/// The layers' final states on each other, in the batch's order.
pub(crate) fn final_states(packing: &Packing, h_n: &[Tensor], c_n: &[Tensor]) -> Result<States> {
    let stack = |states: &[Tensor]| -> Result<Tensor> {
        select(&Tensor::cat(states, 0)?, packing.unsorted_indices(), 1)
    };
    Ok(States { h: stack(h_n)?, c: if c_n.is_empty() { None } else { Some(stack(c_n)?) } })
}
