//! How a layer's numbers lie in memory: blocks of 16 hidden units, the slots of a block side by side.
//!
//! The pre-activations of one packed row are `[blocks][slots][BLOCK]`: what a unit's gates need stands
//! within 256 bytes, and the last block is filled up with units that are always zero. A *slot* is a
//! sum of its own: the LSTM's four gates; the GRU's r and z, and apart from each other the two halves
//! of n, of which r scales the second; a plain RNN's only one.

use super::math::Real;
use crate::config::Cell;
use crate::kernel::{LayerShape, WeightRanges};

/// Units of a block: the lanes of the widest register.
pub(super) const BLOCK: usize = 16;

/// The sizes that follow from a layer's shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks {
    pub(super) hidden: usize,
    pub(super) slots: usize,
    /// Which slots the rows of `weight_ih` and `weight_hh` belong to, gate by gate.
    input_slots: &'static [usize],
    hidden_slots: &'static [usize],
}

impl Blocks {
    pub(super) fn of(shape: &LayerShape) -> Self {
        let (slots, input_slots, hidden_slots): (_, &[usize], &[usize]) = match shape.cell {
            Cell::Lstm => (4, &[0, 1, 2, 3], &[0, 1, 2, 3]),
            Cell::Gru => (4, &[0, 1, 2], &[0, 1, 3]),
            Cell::RnnTanh | Cell::RnnRelu => (1, &[0], &[0]),
        };
        Self { hidden: shape.hidden_size, slots, input_slots, hidden_slots }
    }

    /// Blocks of hidden units, the last one perhaps not full.
    pub(super) fn count(&self) -> usize {
        self.hidden.div_ceil(BLOCK)
    }

    /// Hidden units, filled up to whole blocks: the width of a row of states.
    pub(super) fn padded(&self) -> usize {
        self.count() * BLOCK
    }

    /// The width of a row of pre-activations.
    pub(super) fn width(&self) -> usize {
        self.slots * self.padded()
    }

    fn column(&self, slot: usize, unit: usize) -> usize {
        (unit / BLOCK * self.slots + slot) * BLOCK + unit % BLOCK
    }

    /// Where a column stands in panels of `lanes` units with all their slots: how many columns stand
    /// in the panels before its own, its slot, and its lane.
    pub(super) fn place(&self, column: usize, lanes: usize) -> (usize, usize, usize) {
        let (block, unit) = (column / BLOCK / self.slots, column % BLOCK);
        let before = (block * BLOCK + unit / lanes * lanes) * self.slots;
        (before, column / BLOCK % self.slots, unit % lanes)
    }

    /// For every row of `weight_ih`, its column among the pre-activations.
    pub(super) fn input_columns(&self) -> impl Iterator<Item = usize> {
        self.columns(self.input_slots)
    }

    /// The same for `weight_hh`.
    pub(super) fn hidden_columns(&self) -> impl Iterator<Item = usize> {
        self.columns(self.hidden_slots)
    }

    fn columns(&self, slots: &'static [usize]) -> impl Iterator<Item = usize> {
        let blocks = *self;
        slots
            .iter()
            .flat_map(move |&slot| (0..blocks.hidden).map(move |unit| blocks.column(slot, unit)))
    }

    /// `[rows, hidden]` as `[rows, padded]`.
    pub(super) fn pad<T: Real>(&self, rows: &[T]) -> Vec<T> {
        let mut padded = vec![T::default(); rows.len() / self.hidden * self.padded()];
        for (to, from) in padded.chunks_exact_mut(self.padded()).zip(rows.chunks_exact(self.hidden))
        {
            to[..self.hidden].copy_from_slice(from);
        }
        padded
    }

    /// Copies `[rows, padded]` to `[rows, hidden]`.
    pub(super) fn unpad<T: Real>(&self, padded: &[T], rows: &mut [T]) {
        for (to, from) in rows.chunks_exact_mut(self.hidden).zip(padded.chunks_exact(self.padded()))
        {
            to.copy_from_slice(&from[..self.hidden]);
        }
    }

    /// Copies `[width, columns]` of gradients back to the gates' order, `[gate_rows, columns]`.
    pub(super) fn gate_rows<T: Real>(&self, side: Side, columns: usize, from: &[T], to: &mut [T]) {
        let order = match side {
            Side::Input => self.columns(self.input_slots),
            Side::Hidden => self.columns(self.hidden_slots),
        };
        for (to, column) in to.chunks_exact_mut(columns).zip(order) {
            to.copy_from_slice(&from[column * columns..][..columns]);
        }
    }
}

/// What a pre-activation is a sum over.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    Input,
    Hidden,
}

/// One direction's parameters for the forward pass.
pub(super) struct Weights<T> {
    /// `[width, input_size]`, zeros in the rows that no gate owns.
    pub(super) input: Vec<T>,
    /// What is added to the input's products, `[width]`.
    pub(super) input_bias: Vec<T>,
    /// What the recurrent sums start from, `[width]`.
    pub(super) hidden_bias: Vec<T>,
    /// `weight_hh` in panels, `[blocks][BLOCK / lanes][hidden][slots][lanes]`.
    pub(super) panels: Aligned<T>,
}

impl<T: Real> Weights<T> {
    pub(super) fn new(
        blocks: &Blocks,
        ranges: &WeightRanges,
        weights: &[T],
        input_size: usize,
        lanes: usize,
    ) -> Self {
        let (width, hidden, slots) = (blocks.width(), blocks.hidden, blocks.slots);
        let mut input_bias = vec![T::default(); width];
        let mut hidden_bias = input_bias.clone();
        for (column, &bias) in blocks.input_columns().zip(&weights[ranges.bias_ih.clone()]) {
            input_bias[column] = bias;
        }
        for (column, &bias) in blocks.hidden_columns().zip(&weights[ranges.bias_hh.clone()]) {
            hidden_bias[column] = bias;
        }
        let mut panels = Aligned::zeros(width * hidden);
        let target = panels.as_mut();
        let rows = weights[ranges.weight_hh.clone()].chunks_exact(hidden);
        for (column, row) in blocks.hidden_columns().zip(rows) {
            let (panel, slot, lane) = blocks.place(column, lanes);
            for (k, &weight) in row.iter().enumerate() {
                target[panel * hidden + (k * slots + slot) * lanes + lane] = weight;
            }
        }
        let input = input_rows(blocks, &weights[ranges.weight_ih.clone()], input_size);
        Self { input, input_bias, hidden_bias, panels }
    }
}

/// `weight_ih` in the order of the pre-activations, `[width, input_size]`.
pub(super) fn input_rows<T: Real>(blocks: &Blocks, weight_ih: &[T], input_size: usize) -> Vec<T> {
    let mut input = vec![T::default(); blocks.width() * input_size];
    for (column, row) in blocks.input_columns().zip(weight_ih.chunks_exact(input_size)) {
        input[column * input_size..][..input_size].copy_from_slice(row);
    }
    input
}

/// `weight_hh` for the backward pass, which sums over pre-activations: for every group of `columns`
/// hidden units ([`Self::groups`]), `[width][columns]`.
pub(super) struct Transposed<T> {
    panels: Aligned<T>,
    groups: Vec<(usize, usize)>,
}

impl<T: Real> Transposed<T> {
    pub(super) fn new(blocks: &Blocks, weight_hh: &[T], lanes: usize) -> Self {
        let (width, hidden, padded) = (blocks.width(), blocks.hidden, blocks.padded());
        let mut groups = Vec::new();
        let mut first = 0;
        while first < padded {
            let columns = if padded - first >= 4 * lanes { 4 * lanes } else { lanes };
            groups.push((first, columns));
            first += columns;
        }
        let mut panels = Aligned::zeros(width * padded);
        let target = panels.as_mut();
        for (k, row) in blocks.hidden_columns().zip(weight_hh.chunks_exact(hidden)) {
            for &(first, columns) in &groups {
                let group = &row[first.min(hidden)..(first + columns).min(hidden)];
                target[first * width + k * columns..][..group.len()].copy_from_slice(group);
            }
        }
        Self { panels, groups }
    }

    /// First column, number of columns, and panel of every group.
    pub(super) fn groups(&self, width: usize) -> impl Iterator<Item = (usize, usize, &[T])> {
        self.groups.iter().map(move |&(first, columns)| {
            (first, columns, &self.panels.as_ref()[first * width..][..columns * width])
        })
    }
}

/// Numbers that begin at a cache line, so that no register's load crosses one.
pub(super) struct Aligned<T> {
    data: Vec<T>,
    start: usize,
}

impl<T: Copy + Default> Aligned<T> {
    const LINE: usize = 64;

    pub(super) fn zeros(len: usize) -> Self {
        let data = vec![T::default(); len + Self::LINE / size_of::<T>()];
        let start = data.as_ptr().align_offset(Self::LINE).min(data.len() - len);
        let mut aligned = Self { data, start };
        aligned.data.truncate(aligned.start + len);
        aligned
    }

    pub(super) fn as_mut(&mut self) -> &mut [T] {
        &mut self.data[self.start..]
    }
}

impl<T> AsRef<[T]> for Aligned<T> {
    fn as_ref(&self) -> &[T] {
        &self.data[self.start..]
    }
}
