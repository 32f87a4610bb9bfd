//! The network a file describes.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor, Var};
use candle_nn::VarBuilder;
use safetensors::Dtype;
use taper_lstm::{
    Gru, Lstm, LstmConfig, LstmState, Mode, Nonlinearity, PackedSequence, Precision,
    RecurrentConfig, Rnn,
};

use crate::Result;
use crate::batch::Batch;
use crate::file::File;

pub(crate) enum Model {
    Lstm(Lstm),
    Gru(Gru),
    Rnn(Rnn),
}

pub(crate) struct Network {
    pub(crate) model: Model,
    pub(crate) weights: BTreeMap<String, Var>,
    /// Layers times directions.
    pub(crate) states: usize,
    pub(crate) hidden_size: usize,
    pub(crate) h_size: usize,
    pub(crate) output_size: usize,
}

impl Network {
    pub(crate) fn read(file: &File, precision: Precision) -> Result<Self> {
        let cell = file.text("cell").ok_or("the metadata lacks cell")?.to_ascii_lowercase();
        let gates = match cell.as_str() {
            "lstm" => 4,
            "gru" => 3,
            "rnn_tanh" | "rnn_relu" => 1,
            _ => {
                let expected = "lstm, gru, rnn_tanh or rnn_relu";
                return Err(format!("the metadata's cell is {cell:?}; expected {expected}").into());
            }
        };
        if gates != 4 && precision == Precision::Bf16 {
            return Err(format!("--precision bf16 is for the cell lstm; found {cell}").into());
        }
        let num_layers = file.number("num_layers")?;
        let hidden_size = file.number("hidden_size")?;
        let bidirectional = file.flag("bidirectional")?;
        let proj_size = match file.text("proj_size") {
            None | Some("" | "0" | "None" | "none" | "null") => None,
            Some(_) if gates != 4 => return Err(format!("a {cell} has no proj_size").into()),
            Some(_) => Some(file.number("proj_size")?),
        };
        let h_size = proj_size.unwrap_or(hidden_size);
        let output_size = if bidirectional { 2 * h_size } else { h_size };
        let bias = file.has_any("bias_");
        let (_, _, input_size) = file
            .get("input", Dtype::F32)?
            .ok_or("lacks the tensor input")?
            .dims3()
            .map_err(|_| "input has not the three dimensions [steps, batch, features]")?;

        let mut weights = BTreeMap::new();
        for layer in 0..num_layers {
            let input = if layer == 0 { input_size } else { output_size };
            for suffix in &["", "_reverse"][..if bidirectional { 2 } else { 1 }] {
                let mut read = |name: &str, shape: &[usize]| -> Result<()> {
                    weights.extend([file.weight(format!("{name}_l{layer}{suffix}"), shape)?]);
                    Ok(())
                };
                read("weight_ih", &[gates * hidden_size, input])?;
                read("weight_hh", &[gates * hidden_size, h_size])?;
                if bias {
                    read("bias_ih", &[gates * hidden_size])?;
                    read("bias_hh", &[gates * hidden_size])?;
                }
                if let Some(size) = proj_size {
                    read("weight_hr", &[size, hidden_size])?;
                }
            }
        }
        let tensors = weights.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone()));
        let vb = VarBuilder::from_tensors(tensors.collect(), DType::F32, &file.device);
        let layers = RecurrentConfig {
            num_layers,
            bidirectional,
            bias,
            ..RecurrentConfig::new(input_size, hidden_size)
        };
        let model = match cell.as_str() {
            "lstm" => {
                let config = LstmConfig {
                    num_layers,
                    bidirectional,
                    bias,
                    proj_size,
                    precision,
                    ..LstmConfig::new(input_size, hidden_size)
                };
                Model::Lstm(Lstm::new(&config, &vb)?)
            }
            "gru" => Model::Gru(Gru::new(&layers, &vb)?),
            "rnn_tanh" => Model::Rnn(Rnn::new(Nonlinearity::Tanh, &layers, &vb)?),
            _ => Model::Rnn(Rnn::new(Nonlinearity::Relu, &layers, &vb)?),
        };
        let states = num_layers * layers.num_directions();
        Ok(Self { model, weights, states, hidden_size, h_size, output_size })
    }

    /// Outputs, `h_n` and, of an LSTM, `c_n`.
    pub(crate) fn forward(
        &self,
        batch: &Batch,
        mode: Mode,
    ) -> Result<(PackedSequence, Tensor, Option<Tensor>)> {
        let packed = batch.pack(&batch.input)?;
        let [h0, c0] = [&batch.h0, &batch.c0].map(|state| state.as_ref().map(Var::as_tensor));
        let (output, h_n) = match &self.model {
            Model::Lstm(lstm) => {
                let zeros = |size| {
                    let shape = (self.states, batch.lengths.len(), size);
                    Tensor::zeros(shape, DType::F32, packed.data().device())
                };
                let state = LstmState {
                    h: h0.cloned().map_or_else(|| zeros(self.h_size), Ok)?,
                    c: c0.cloned().map_or_else(|| zeros(self.hidden_size), Ok)?,
                };
                let (output, state) = lstm.forward(&packed, Some(&state), mode)?;
                return Ok((output, state.h, Some(state.c)));
            }
            Model::Gru(gru) => gru.forward(&packed, h0, mode)?,
            Model::Rnn(rnn) => rnn.forward(&packed, h0, mode)?,
        };
        Ok((output, h_n, None))
    }
}
