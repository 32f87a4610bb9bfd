//! The gates and the memory of one sequence in one direction of one layer, as numbers on the CPU.

use candle_core::{DType, Device, Tensor};
use taper_lstm::{LstmState, LstmTrace};

use crate::error::{Error, Result, check};

/// One sequence's way through one direction of one layer: what every explanation of the memory starts from.
///
/// Steps are numbered as the text is, from 0; [`Self::order`] is the order in which the direction reads them.
/// All numbers are finite and in f64. Takes `5 * len * units` of them.
#[derive(Debug, Clone)]
pub struct Steps {
    layer: usize,
    direction: usize,
    len: usize,
    units: usize,
    /// i, f, g, o, c: each `[len, units]`
    values: [Vec<f64>; 5],
    initial: Vec<f64>,
}

impl Steps {
    /// Takes sequence `sequence` (in the batch's order) out of a trace. `initial` is the state the trace
    /// started from, if there was one.
    ///
    /// # Errors
    /// If there is no such layer, direction or sequence, or a number is not finite (the error names the gate and
    /// the step).
    pub fn of(
        trace: &LstmTrace,
        initial: Option<&LstmState>,
        sequence: usize,
        (layer, direction): (usize, usize),
    ) -> Result<Self> {
        check("layer", layer, trace.layers.len())?;
        let directions = &trace.layers[layer];
        check("direction", direction, directions.len())?;
        let packing = trace.output.packing();
        check("sequence", sequence, packing.batch_size())?;
        let len = packing.lengths()[sequence];
        let rows: Vec<u32> =
            (0..len).filter_map(|t| packing.row(sequence, t)).map(|row| row as u32).collect();
        let traced = &directions[direction];
        let rows = Tensor::new(rows, traced.c.device())?;
        let (_, units) = traced.c.dims2()?;
        let place =
            |what: &str, at: &str| format!("{what} of layer {layer}, direction {direction}, {at}");
        let mut values: [Vec<f64>; 5] = Default::default();
        let gates = [&traced.i, &traced.f, &traced.g, &traced.o, &traced.c];
        for ((value, tensor), name) in values.iter_mut().zip(gates).zip(["i", "f", "g", "o", "c"]) {
            *value = numbers(&tensor.index_select(&rows, 0)?)?;
            if let Some(at) = value.iter().position(|number| !number.is_finite()) {
                let what = place(name, &format!("step {}, unit {}", at / units, at % units));
                return Err(Error::NotFinite { what, found: value[at] });
            }
        }
        let initial = match initial {
            Some(state) => {
                let row = layer * directions.len() + direction;
                check("row of the initial c", row, state.c.dim(0)?)?;
                check("sequence of the initial c", sequence, state.c.dim(1)?)?;
                numbers(&state.c.get(row)?.get(sequence)?)?
            }
            None => vec![0.0; units],
        };
        if initial.len() != units {
            return Err(Error::Length {
                what: "the initial c",
                found: initial.len(),
                expected: units,
            });
        }
        if let Some(&found) = initial.iter().find(|number| !number.is_finite()) {
            return Err(Error::NotFinite { what: place("c", "before the first step"), found });
        }
        Ok(Self { layer, direction, len, units, values, initial })
    }

    /// The layer, from 0 at the input.
    pub fn layer(&self) -> usize {
        self.layer
    }

    /// 0 reads the text forward, 1 backward.
    pub fn direction(&self) -> usize {
        self.direction
    }

    /// Steps; at least 1.
    #[allow(clippy::len_without_is_empty, reason = "a sequence has at least one step")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Units of the direction: its `hidden_size`.
    pub fn units(&self) -> usize {
        self.units
    }

    /// The steps in the order of reading.
    pub fn order(&self) -> impl DoubleEndedIterator<Item = usize> + Clone + use<> {
        let (len, backward) = (self.len, self.direction == 1);
        (0..len).map(move |read| if backward { len - 1 - read } else { read })
    }

    /// The last step this direction reads; its memory is what is left of all.
    pub fn last(&self) -> usize {
        if self.direction == 1 { 0 } else { self.len - 1 }
    }

    fn row(&self, value: usize, t: usize) -> &[f64] {
        &self.values[value][t * self.units..][..self.units]
    }

    /// Input gates at step `t`, `[units]`.
    pub fn i(&self, t: usize) -> &[f64] {
        self.row(0, t)
    }

    /// Forget gates at step `t`, `[units]`.
    pub fn f(&self, t: usize) -> &[f64] {
        self.row(1, t)
    }

    /// Candidates at step `t`, `[units]`.
    pub fn g(&self, t: usize) -> &[f64] {
        self.row(2, t)
    }

    /// Output gates at step `t`, `[units]`.
    pub fn o(&self, t: usize) -> &[f64] {
        self.row(3, t)
    }

    /// The memory after step `t` was read, `[units]`.
    pub fn c(&self, t: usize) -> &[f64] {
        self.row(4, t)
    }

    /// The memory before step `t` was read, `[units]`.
    pub fn before(&self, t: usize) -> &[f64] {
        let previous = if self.direction == 1 { t + 1 } else { t.wrapping_sub(1) };
        if previous < self.len { self.c(previous) } else { &self.initial }
    }

    /// The memory before anything was read, `[units]`.
    pub fn initial(&self) -> &[f64] {
        &self.initial
    }
}

/// All elements in f64, whatever type and device they are on.
pub(crate) fn numbers(tensor: &Tensor) -> Result<Vec<f64>> {
    let tensor = tensor.detach().flatten_all()?.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    Ok(tensor.to_vec1()?)
}
