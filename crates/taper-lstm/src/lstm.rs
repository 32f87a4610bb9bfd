//! Stacked, bidirectional LSTM layers over packed sequences: PyTorch's `nn.LSTM`.

use candle_core::Tensor;
use candle_nn::VarBuilder;

use crate::cell::{NUM_GATES, uniform};
use crate::config::LstmConfig;
use crate::dropout::{Dropout, Mode};
use crate::error::{Error, Result};
use crate::kernel::{LayerSequence, LayerShape, supports};
use crate::packed::{PackedSequence, select};

/// The stream of dropout masks between layers `l` and `l + 1` is `STREAM + l`.
const STREAM: u32 = 0x1000;

/// A multi-layer LSTM with PyTorch's parameters and names: `weight_ih_l{k}` `[4 * hidden_size, input]`,
/// `weight_hh_l{k}` `[4 * hidden_size, hidden_size]`, `bias_ih_l{k}`, `bias_hh_l{k}` `[4 * hidden_size]`,
/// the second direction's with the suffix `_reverse`; gates in the order i, f, g, o.
///
/// A step is [`crate::LstmCell::step`]; here a layer's whole sequence is one operation.
#[derive(Debug, Clone)]
pub struct Lstm {
    config: LstmConfig,
    /// The parameters of every layer, direction by direction, in PyTorch's order.
    layers: Vec<Vec<Tensor>>,
    dropout: Vec<Dropout>,
}

/// The memory of an LSTM before or after a batch.
#[derive(Debug, Clone)]
pub struct LstmState {
    /// What the cells show: `[num_layers * directions, batch, hidden_size]`, in the batch's order.
    pub h: Tensor,
    /// What the cells hold, in the same shape.
    pub c: Tensor,
}

impl Lstm {
    /// Builds the layers; parameters are taken from `vb`, or drawn as PyTorch does.
    ///
    /// # Errors
    /// If `config` is out of range, or `vb` lacks a parameter or has one of another shape.
    pub fn new(config: &LstmConfig, vb: &VarBuilder) -> Result<Self> {
        config.check()?;
        if !supports(vb.dtype) {
            return Err(Error::Config {
                key: "dtype",
                found: format!("{:?}", vb.dtype),
                expected: "F32 or F64",
            });
        }
        let layers = (0..config.num_layers)
            .map(|layer| layer_parameters(config, layer, vb))
            .collect::<Result<_>>()?;
        let dropout = (1..config.num_layers as u32)
            .map(|layer| Dropout::new(config.dropout, STREAM + layer))
            .collect::<Result<_>>()?;
        Ok(Self { config: config.clone(), layers, dropout })
    }

    /// The shape it was built with.
    pub fn config(&self) -> &LstmConfig {
        &self.config
    }

    /// Runs a packed batch; without `state` the memory starts at zero.
    ///
    /// The second direction starts at each sequence's own last step, and the final states are those
    /// after each sequence's own last (or, going backward, first) step.
    ///
    /// # Shapes
    /// `input.data()`: `[total, input_size]`; the result's: `[total, directions * hidden_size]`
    ///
    /// # Errors
    /// If a shape disagrees with the configuration.
    pub fn forward(
        &self,
        input: &PackedSequence,
        state: Option<&LstmState>,
        mode: Mode,
    ) -> Result<(PackedSequence, LstmState)> {
        let packing = input.packing();
        let (total, features) = input.data().dims2()?;
        if features != self.config.input_size {
            let expected = [total, self.config.input_size];
            return Err(Error::shape("the LSTM's input", input.data().dims(), &expected));
        }
        let initial = self.initial_state(input, state)?;
        let mut x = input.data().clone();
        let (mut h_n, mut c_n) = (Vec::new(), Vec::new());
        for (layer, parameters) in self.layers.iter().enumerate() {
            if layer > 0 {
                x = self.dropout[layer - 1].forward(&x, mode)?;
            }
            let shape = LayerShape {
                input_size: self.config.layer_input_size(layer),
                hidden_size: self.config.hidden_size,
                directions: self.config.num_directions(),
                bias: self.config.bias,
                packing: packing.clone(),
            };
            let (h_seq, h, c) = run_layer(shape, &x, parameters, &initial, layer, mode)?;
            x = h_seq;
            h_n.push(h);
            c_n.push(c);
        }
        let unsorted = packing.unsorted_indices();
        let state = LstmState {
            h: select(&Tensor::cat(&h_n, 0)?, unsorted, 1)?,
            c: select(&Tensor::cat(&c_n, 0)?, unsorted, 1)?,
        };
        Ok((input.with_data(x)?, state))
    }

    /// h and c stacked, `[2, layers * directions, batch, hidden_size]`, in the packed order.
    fn initial_state(&self, input: &PackedSequence, state: Option<&LstmState>) -> Result<Tensor> {
        let layers = self.config.num_layers * self.config.num_directions();
        let batch = input.packing().batch_size();
        let expected = [layers, batch, self.config.hidden_size];
        let Some(LstmState { h, c }) = state else {
            let (dtype, device) = (input.data().dtype(), input.data().device());
            return Ok(Tensor::zeros(&[&[2], &expected[..]].concat()[..], dtype, device)?);
        };
        for (what, tensor) in [("the initial h", h), ("the initial c", c)] {
            if tensor.dims() != expected {
                return Err(Error::shape(what, tensor.dims(), &expected));
            }
        }
        select(&Tensor::stack(&[h, c], 0)?, input.packing().sorted_indices(), 2)
    }
}

/// Draws or loads the parameters of one layer.
fn layer_parameters(config: &LstmConfig, layer: usize, vb: &VarBuilder) -> Result<Vec<Tensor>> {
    let (hidden, input) = (config.hidden_size, config.layer_input_size(layer));
    let (rows, init) = (NUM_GATES * hidden, uniform(hidden));
    let mut parameters = Vec::new();
    for suffix in &["", "_reverse"][..config.num_directions()] {
        let mut get = |name: &str, shape: &[usize]| -> Result<()> {
            let name = format!("{name}_l{layer}{suffix}");
            parameters.push(vb.get_with_hints(shape, &name, init)?);
            Ok(())
        };
        get("weight_ih", &[rows, input])?;
        get("weight_hh", &[rows, hidden])?;
        if config.bias {
            get("bias_ih", &[rows])?;
            get("bias_hh", &[rows])?;
        }
    }
    Ok(parameters)
}

/// One layer as one operation: `h_seq` `[total, directions * hidden]`, then `h_n` and `c_n`
/// `[directions, batch, hidden]` in the packed order.
fn run_layer(
    shape: LayerShape,
    x: &Tensor,
    parameters: &[Tensor],
    initial: &Tensor,
    layer: usize,
    mode: Mode,
) -> Result<(Tensor, Tensor, Tensor)> {
    let flat = parameters.iter().map(Tensor::flatten_all).collect::<Result<Vec<_>, _>>()?;
    let weights = Tensor::cat(&flat, 0)?;
    let directions = shape.directions;
    let initial = initial.narrow(1, layer * directions, directions)?.contiguous()?;
    let sequence = (shape.total(), directions * shape.hidden_size);
    let states = (directions, shape.batch(), shape.hidden_size);
    let (sequence_len, state_len) = (shape.sequence_len(), shape.state_len());
    let x = x.contiguous()?;
    let output = match mode {
        Mode::Train { .. } => x.apply_op3(&weights, &initial, LayerSequence::new(shape, true))?,
        Mode::Evaluate => {
            x.apply_op3_no_bwd(&weights, &initial, &LayerSequence::new(shape, false))?
        }
    };
    Ok((
        output.narrow(0, 0, sequence_len)?.reshape(sequence)?,
        output.narrow(0, sequence_len, state_len)?.reshape(states)?,
        output.narrow(0, sequence_len + state_len, state_len)?.reshape(states)?,
    ))
}
