//! One step of every cell and its derivative, as tensor operations to be held against the equations.
//!
//! `from_input` is `W_ih x + b_ih` and `from_state` is `W_hh h + b_hh`, both `[alive, gate_rows]`: the GRU's
//! reset gate stands between the two, as in PyTorch.

use candle_core::{D, Result, Tensor, bail};
use candle_nn::ops::sigmoid;

use super::Step;
use crate::config::Cell;

/// What a step computed on its way, each `[alive, hidden_size]`.
#[derive(Debug, Clone)]
pub(crate) enum Gates {
    Lstm {
        i: Tensor,
        f: Tensor,
        g: Tensor,
        o: Tensor,
    },
    Gru {
        r: Tensor,
        z: Tensor,
        n: Tensor,
        /// `W_hn h + b_hn`, which r scales
        n_from_state: Tensor,
    },
    RnnTanh,
    RnnRelu,
}

/// A cell after a step.
pub(super) struct After {
    pub(super) gates: Gates,
    pub(super) c: Option<Tensor>,
    /// h, but for a projection
    pub(super) shown: Tensor,
}

pub(super) fn forward(
    cell: Cell,
    from_input: &Tensor,
    from_state: &Tensor,
    h: &Tensor,
    c: Option<&Tensor>,
) -> Result<After> {
    match (cell, c) {
        (Cell::Lstm, Some(c)) => lstm(&(from_input + from_state)?, c),
        (Cell::Lstm, None) => bail!("an LSTM's step needs its memory"),
        (Cell::Gru, _) => gru(from_input, from_state, h),
        (Cell::RnnTanh, _) => {
            let shown = (from_input + from_state)?.tanh()?;
            Ok(After { gates: Gates::RnnTanh, c: None, shown })
        }
        (Cell::RnnRelu, _) => {
            let sum = (from_input + from_state)?;
            let shown = where_positive(&sum, &sum)?;
            Ok(After { gates: Gates::RnnRelu, c: None, shown })
        }
    }
}

/// ```text
/// i, f, o = sigmoid(·)   g = tanh(·)
/// c' = f * c + i * g
/// h' = o * tanh(c')
/// ```
fn lstm(sums: &Tensor, c: &Tensor) -> Result<After> {
    let parts = sums.chunk(4, D::Minus1)?;
    let i = sigmoid(&parts[0])?;
    let f = sigmoid(&parts[1])?;
    let g = parts[2].tanh()?;
    let o = sigmoid(&parts[3])?;
    let c = ((&f * c)? + (&i * &g)?)?;
    let shown = (&o * c.tanh()?)?;
    Ok(After { gates: Gates::Lstm { i, f, g, o }, c: Some(c), shown })
}

/// ```text
/// r, z = sigmoid(·)
/// n = tanh(W_in x + b_in + r * (W_hn h + b_hn))
/// h' = (1 - z) * n + z * h
/// ```
fn gru(from_input: &Tensor, from_state: &Tensor, h: &Tensor) -> Result<After> {
    let from_input = from_input.chunk(3, D::Minus1)?;
    let from_state = from_state.chunk(3, D::Minus1)?;
    let r = sigmoid(&(&from_input[0] + &from_state[0])?)?;
    let z = sigmoid(&(&from_input[1] + &from_state[1])?)?;
    let n_from_state = from_state[2].contiguous()?;
    let n = (&from_input[2] + (&r * &n_from_state)?)?.tanh()?;
    let shown = ((one_minus(&z)? * &n)? + (&z * h)?)?;
    Ok(After { gates: Gates::Gru { r, z, n, n_from_state }, c: None, shown })
}

/// The gradients that leave a step.
pub(super) struct Before {
    pub(super) dfrom_input: Tensor,
    pub(super) dfrom_state: Tensor,
    /// What reaches the previous h past `W_hh`.
    pub(super) dh_previous: Option<Tensor>,
    /// All that reached c at this step, and what goes on to the previous c.
    pub(super) dc: Option<(Tensor, Tensor)>,
}

/// `dh` is the gradient of what the cell shows, `dc` that of its memory from later steps.
pub(super) fn backward(step: &Step, dh: &Tensor, dc: Option<&Tensor>) -> Result<Before> {
    match &step.gates {
        Gates::Lstm { i, f, g, o } => {
            let (Some(c), Some(c_previous), Some(dc)) = (&step.c, &step.c_previous, dc) else {
                bail!("an LSTM's step needs its memory");
            };
            let shown = c.tanh()?;
            let dc = (dc + ((dh * o)? * one_minus(&shown.sqr()?)?)?)?;
            let gates = [
                ((&dc * g)? * sigmoid_slope(i)?)?,
                ((&dc * c_previous)? * sigmoid_slope(f)?)?,
                ((&dc * i)? * one_minus(&g.sqr()?)?)?,
                ((dh * shown)? * sigmoid_slope(o)?)?,
            ];
            let dc_previous = (&dc * f)?;
            Ok(Before { dc: Some((dc, dc_previous)), ..same(Tensor::cat(&gates, D::Minus1)?) })
        }
        Gates::Gru { r, z, n, n_from_state } => {
            let dn = ((dh * one_minus(z)?)? * one_minus(&n.sqr()?)?)?;
            let dr = ((&dn * n_from_state)? * sigmoid_slope(r)?)?;
            let dz = ((dh * (&step.h_previous - n)?)? * sigmoid_slope(z)?)?;
            Ok(Before {
                dfrom_input: Tensor::cat(&[&dr, &dz, &dn], D::Minus1)?,
                dfrom_state: Tensor::cat(&[&dr, &dz, &(&dn * r)?], D::Minus1)?,
                dh_previous: Some((dh * z)?),
                dc: None,
            })
        }
        Gates::RnnTanh => Ok(same((dh * one_minus(&step.shown.sqr()?)?)?)),
        Gates::RnnRelu => Ok(same(where_positive(&step.shown, dh)?)),
    }
}

/// A sum's two parts have its gradient.
fn same(dsum: Tensor) -> Before {
    Before { dfrom_input: dsum.clone(), dfrom_state: dsum, dh_previous: None, dc: None }
}

fn one_minus(x: &Tensor) -> Result<Tensor> {
    x.affine(-1.0, 1.0)
}

/// The derivative of a sigmoid with value `y`: `y * (1 - y)`.
fn sigmoid_slope(y: &Tensor) -> Result<Tensor> {
    y * one_minus(y)?
}

/// `values` where `x` is positive or no number, else 0: a NaN goes on, as in PyTorch.
fn where_positive(x: &Tensor, values: &Tensor) -> Result<Tensor> {
    x.le(0.0)?.where_cond(&values.zeros_like()?, values)
}
