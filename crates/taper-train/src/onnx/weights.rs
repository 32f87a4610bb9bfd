//! A model's parameters as ONNX's `LSTM` wants them: gates in the order i, o, f, g (its `iofc`) where PyTorch and
//! Taper have i, f, g, o.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Var;

use crate::model::Model;
use crate::recipe::Pooling;
use crate::{Error, Result};

/// The blocks of PyTorch's stacked weights, in ONNX's order.
const GATES: [usize; 4] = [0, 3, 1, 2];

/// All parameters, row-major.
pub(super) struct Weights {
    pub(super) embedding: (Vec<usize>, Vec<f32>),
    pub(super) layers: Vec<LayerWeights>,
    /// Of attention pooling.
    pub(super) attention: Option<AttentionWeights>,
    pub(super) fc: (Vec<usize>, Vec<f32>),
    pub(super) fc_bias: Vec<f32>,
}

/// One layer's, direction by direction.
pub(super) struct LayerWeights {
    pub(super) directions: usize,
    pub(super) hidden_size: usize,
    pub(super) input_size: usize,
    /// `[directions, 4 * hidden_size, input_size]`
    pub(super) w: Vec<f32>,
    /// `[directions, 4 * hidden_size, hidden_size]`
    pub(super) r: Vec<f32>,
    /// `[directions, 8 * hidden_size]`: those of the input, then those of the hidden state
    pub(super) b: Vec<f32>,
}

/// The attention's, transposed: they stand on the right of a product.
pub(super) struct AttentionWeights {
    /// `[features, hidden_size]`
    pub(super) hidden: (Vec<usize>, Vec<f32>),
    /// `[hidden_size]`
    pub(super) score: Vec<f32>,
}

impl AttentionWeights {
    fn of(vars: &BTreeMap<String, Var>) -> Result<Self> {
        let (dims, rows) = of(vars, "attention.hidden.weight")?;
        let (outputs, inputs) = (rows.len() / dims[1], dims[1]);
        let transposed = (0..inputs).flat_map(|column| (0..outputs).map(move |row| (row, column)));
        let hidden = transposed.map(|(row, column)| rows[row * inputs + column]).collect();
        let score = of(vars, "attention.score.weight")?.1;
        Ok(Self { hidden: (vec![inputs, outputs], hidden), score })
    }

    fn len(&self) -> usize {
        self.hidden.1.len() + self.score.len()
    }
}

impl Weights {
    pub(super) fn of(model: &Model) -> Result<Self> {
        let vars = model.vars();
        let suffixes: &[&str] =
            if model.config.model.bidirectional { &["", "_reverse"] } else { &[""] };
        let hidden_size = model.config.model.hidden_size;
        let layers = (0..model.config.model.num_layers).map(|layer| {
            let mut weights = LayerWeights {
                directions: suffixes.len(),
                hidden_size,
                input_size: 0,
                w: Vec::new(),
                r: Vec::new(),
                b: Vec::new(),
            };
            for suffix in suffixes {
                let part = |name: &str| of(&vars, &format!("rnn.{name}_l{layer}{suffix}"));
                let (dims, w) = part("weight_ih")?;
                weights.input_size = dims.last().copied().unwrap_or(0);
                weights.w.extend(reordered(&w, hidden_size));
                weights.r.extend(reordered(&part("weight_hh")?.1, hidden_size));
                weights.b.extend(reordered(&part("bias_ih")?.1, hidden_size));
                weights.b.extend(reordered(&part("bias_hh")?.1, hidden_size));
            }
            Ok(weights)
        });
        Ok(Self {
            layers: layers.collect::<Result<_>>()?,
            embedding: of(&vars, "embedding.weight")?,
            attention: match model.config.model.pooling {
                Pooling::Attention => Some(AttentionWeights::of(&vars)?),
                _ => None,
            },
            fc: of(&vars, "fc.weight")?,
            fc_bias: of(&vars, "fc.bias")?.1,
        })
    }

    /// Bytes of all of them.
    pub(super) fn bytes(&self) -> usize {
        let layers: usize = self.layers.iter().map(|l| l.w.len() + l.r.len() + l.b.len()).sum();
        let attention = self.attention.as_ref().map_or(0, AttentionWeights::len);
        let head = attention + self.fc.1.len() + self.fc_bias.len();
        size_of::<f32>() * (self.embedding.1.len() + layers + head)
    }
}

fn of(vars: &BTreeMap<String, Var>, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
    let var = vars.get(name).ok_or_else(|| {
        Error::run(Path::new(name), "the model has no such parameter, which the graph needs")
    })?;
    Ok((var.dims().to_vec(), var.as_detached_tensor().flatten_all()?.to_vec1()?))
}

/// Blocks of `hidden_size` rows in ONNX's order.
fn reordered(stacked: &[f32], hidden_size: usize) -> Vec<f32> {
    let block = stacked.len() / GATES.len();
    debug_assert_eq!(block % hidden_size, 0);
    GATES.iter().flat_map(|&gate| &stacked[gate * block..][..block]).copied().collect()
}
