//! The memory as an account: what every token paid in, how much of it is left, what of it is shown.

use std::ops::Range;

use crate::steps::Steps;

/// Where the memory of one sequence in one direction of one layer comes from.
///
/// `c_t = f_t c_{t-1} + i_t g_t` (Hochreiter & Schmidhuber 1997, with Gers et al.'s forget gate) unrolls to
/// `c_T = (f_1 … f_T) c_0 + sum over t of (f_{t+1} … f_T) i_t g_t`: exactly, unit by unit. Token `t`'s deposit is
/// `i_t g_t`, and what survives of it the deposit times the forget gates after it.
///
/// This says what lies in the memory, not why: the gates themselves depend on all that was read, so without
/// a token the deposits of the others would be others.
#[derive(Debug, Clone)]
pub struct Ledger {
    units: usize,
    deposits: Vec<f64>,
    surviving: Vec<f64>,
    released: Vec<f64>,
    initial: Vec<f64>,
    residual: f64,
}

impl Ledger {
    /// Draws up the account. It is made from the gates alone; the traced memory only checks it.
    pub fn of(steps: &Steps) -> Self {
        let units = steps.units();
        let mut deposits = vec![0.0; steps.len() * units];
        let mut surviving = deposits.clone();
        let mut kept = vec![1.0; units];
        for t in steps.order().rev() {
            for unit in 0..units {
                let deposit = steps.i(t)[unit] * steps.g(t)[unit];
                deposits[t * units + unit] = deposit;
                surviving[t * units + unit] = kept[unit] * deposit;
                kept[unit] *= steps.f(t)[unit];
            }
        }
        let initial: Vec<f64> = kept.iter().zip(steps.initial()).map(|(k, c)| k * c).collect();

        let (memory, shown) = (steps.c(steps.last()), steps.o(steps.last()));
        let mut sums = initial.clone();
        for row in surviving.chunks(units) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        let largest = memory.iter().fold(0.0_f64, |largest, c| largest.max(c.abs()));
        let off = sums.iter().zip(memory).fold(0.0_f64, |off, (sum, c)| off.max((sum - c).abs()));
        let residual = if off == 0.0 { 0.0 } else { off / largest };

        let factors: Vec<f64> = memory
            .iter()
            .zip(shown)
            // tanh(c) / c goes to 1 where c goes to 0.
            .map(|(&c, o)| if c == 0.0 { *o } else { o * c.tanh() / c })
            .collect();
        let released = surviving
            .chunks(units)
            .flat_map(|row| row.iter().zip(&factors).map(|(value, factor)| value * factor))
            .collect();
        Self { units, deposits, surviving, released, initial, residual }
    }

    /// What step `t` wrote into every unit, `i_t g_t`, `[units]`.
    pub fn deposit(&self, t: usize) -> &[f64] {
        &self.deposits[t * self.units..][..self.units]
    }

    /// What is left of it when the direction has read everything, `[units]`. Over all steps, and with
    /// [`Self::initial`], these add up to the final memory.
    pub fn surviving(&self, t: usize) -> &[f64] {
        &self.surviving[t * self.units..][..self.units]
    }

    /// Its part in what the output gate lets out at the end, `[units]`: `o_T tanh(c_T)`, shared out in
    /// proportion to what survives. Over all steps (and the initial memory's share) these add up to the final h,
    /// before any projection.
    pub fn released(&self, t: usize) -> &[f64] {
        &self.released[t * self.units..][..self.units]
    }

    /// What is left of the memory the sequence started with, `[units]`.
    pub fn initial(&self) -> &[f64] {
        &self.initial
    }

    /// The largest difference between the account's sum and the traced memory, over the largest magnitude in
    /// that memory: rounding, unless something is wrong.
    pub fn residual(&self) -> f64 {
        self.residual
    }
}

/// What the memory consists of after every step, by the part of the text it came from.
#[derive(Debug, Clone)]
pub struct Composition {
    /// The parts: runs of tokens of about the same length, in the text's order.
    pub parts: Vec<Range<usize>>,
    /// For every step, after it was read: the magnitude of what is left of every part's deposits, summed over
    /// units; last, that of the initial memory. `[len, parts + 1]`
    pub magnitudes: Vec<Vec<f64>>,
}

impl Composition {
    /// Follows the deposits of up to `parts` parts of the text through all steps.
    pub fn of(steps: &Steps, parts: usize) -> Self {
        let (len, units) = (steps.len(), steps.units());
        let count = parts.clamp(1, len);
        let parts: Vec<Range<usize>> =
            (0..count).map(|part| part * len / count..(part + 1) * len / count).collect();
        let mut memory = vec![0.0; count * units];
        memory.extend(steps.initial());
        let mut magnitudes = vec![Vec::new(); len];
        for t in steps.order() {
            let part = parts.partition_point(|part| part.end <= t);
            for (index, rows) in memory.chunks_mut(units).enumerate() {
                for (unit, value) in rows.iter_mut().enumerate() {
                    *value *= steps.f(t)[unit];
                    if index == part {
                        *value += steps.i(t)[unit] * steps.g(t)[unit];
                    }
                }
            }
            magnitudes[t] = memory.chunks(units).map(magnitude).collect();
        }
        Self { parts, magnitudes }
    }
}

fn magnitude(values: &[f64]) -> f64 {
    values.iter().map(|value| value.abs()).sum()
}
