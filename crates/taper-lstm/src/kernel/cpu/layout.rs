//! How a layer's numbers lie in memory: blocks of 16 hidden units, the slots of a block side by side.
//!
//! The pre-activations of one packed row are `[blocks][slots][BLOCK]`: what a unit's gates need stands
//! within 256 bytes, and the last block is filled up with units that are always zero. A *slot* is a
//! sum of its own: the LSTM's four gates; the GRU's r and z, and apart from each other the two halves
//! of n, of which r scales the second; a plain RNN's only one.

use std::ops::Range;

use super::math::Real;
use super::tile::{Rows, accumulate};
use super::vector::Vector;
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

    /// For every row of `weight_ih` or `weight_hh`, its column among the pre-activations.
    pub(super) fn columns(&self, side: Side) -> impl Iterator<Item = usize> + use<> {
        let blocks = *self;
        let slots = match side {
            Side::Input => self.input_slots,
            Side::Hidden => self.hidden_slots,
        };
        slots
            .iter()
            .flat_map(move |&slot| (0..blocks.hidden).map(move |unit| blocks.column(slot, unit)))
    }

    /// Every `lanes`-th unit, from the first or from the last on.
    #[inline(always)]
    pub(super) fn units(&self, lanes: usize, down: bool) -> impl Iterator<Item = usize> + use<> {
        let count = self.padded() / lanes;
        (0..count).map(move |at| lanes * if down { count - 1 - at } else { at })
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

    /// Copies the columns `part` of gradients, `[width, columns]`, back to the gates' order,
    /// `[gate_rows, part.len()]`.
    pub(super) fn gate_rows<T: Real>(
        &self,
        side: Side,
        from: &[T],
        columns: usize,
        part: Range<usize>,
        to: &mut [T],
    ) {
        for (to, column) in to.chunks_exact_mut(part.len()).zip(self.columns(side)) {
            to.copy_from_slice(&from[column * columns..][part.clone()]);
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
    /// `weight_ih` and `bias_ih`.
    pub(super) input: Panels<T>,
    /// `weight_hh` and `bias_hh`.
    pub(super) hidden: Panels<T>,
}

impl<T: Real> Weights<T> {
    pub(super) fn new(
        blocks: &Blocks,
        ranges: &WeightRanges,
        weights: &[T],
        input_size: usize,
        lanes: usize,
    ) -> Self {
        let part = |range: &Range<usize>| &weights[range.clone()];
        let input = Panels::new(
            blocks,
            Side::Input,
            part(&ranges.weight_ih),
            part(&ranges.bias_ih),
            input_size,
            lanes,
        );
        let hidden = Panels::new(
            blocks,
            Side::Hidden,
            part(&ranges.weight_hh),
            part(&ranges.bias_hh),
            blocks.hidden,
            lanes,
        );
        Self { input, hidden }
    }
}

/// A matrix of weights as tiles read it, `[blocks][BLOCK / lanes][depth][slots][lanes]`, and its bias.
pub(super) struct Panels<T> {
    data: Aligned<T>,
    /// `[width]`, zeros in the columns that no gate owns.
    bias: Vec<T>,
    depth: usize,
}

impl<T: Real> Panels<T> {
    /// `weight`: `[gate_rows, depth]`; `bias`: `[gate_rows]`, or nothing.
    fn new(
        blocks: &Blocks,
        side: Side,
        weight: &[T],
        bias: &[T],
        depth: usize,
        lanes: usize,
    ) -> Self {
        let (width, slots) = (blocks.width(), blocks.slots);
        let mut all = vec![T::default(); width];
        for (column, &bias) in blocks.columns(side).zip(bias) {
            all[column] = bias;
        }
        let mut data = Aligned::zeros(width * depth);
        let target = data.as_mut();
        for (column, row) in blocks.columns(side).zip(weight.chunks_exact(depth)) {
            let (panel, slot, lane) = blocks.place(column, lanes);
            for (k, &weight) in row.iter().enumerate() {
                target[panel * depth + (k * slots + slot) * lanes + lane] = weight;
            }
        }
        Self { data, bias: all, depth }
    }

    /// What the weights are multiplied with has so many numbers.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// `[width]`
    pub(super) fn bias(&self) -> &[T] {
        &self.bias
    }

    /// The weights of as many units as a register has lanes, from `unit` on.
    #[inline(always)]
    pub(super) fn part<V: Vector<Number = T>, const S: usize>(
        &self,
        blocks: &Blocks,
        unit: usize,
    ) -> Part<'_, V, S> {
        let (column, panel) = (blocks.column(0, unit), self.depth * S);
        Part {
            column,
            unit,
            panel: &self.data.as_ref()[unit * panel..][..V::LANES * panel],
            bias: load_slots(&self.bias, column),
        }
    }
}

/// A part of [`Panels`].
pub(super) struct Part<'a, V: Vector, const S: usize> {
    /// Where their pre-activations begin in a row of gates; the slots are [`BLOCK`] apart.
    pub(super) column: usize,
    /// Where they stand in a row of states.
    pub(super) unit: usize,
    panel: &'a [V::Number],
    bias: [V; S],
}

impl<V: Vector, const S: usize> Part<'_, V, S> {
    /// The sums of `R` rows, from row `first` on.
    #[inline(always)]
    pub(super) fn multiply<const R: usize>(
        &self,
        left: Rows<V::Number>,
        first: usize,
    ) -> [[V; S]; R] {
        accumulate([self.bias; R], left, first, 0, self.panel)
    }

    /// Into a row of gates.
    #[inline(always)]
    pub(super) fn store(&self, slots: [V; S], row: &mut [V::Number]) {
        for (slot, value) in slots.into_iter().enumerate() {
            value.store(&mut row[self.column + slot * BLOCK..]);
        }
    }
}

/// A block's slots, out of a row of gates or what is laid out as one.
#[inline(always)]
pub(super) fn load_slots<V: Vector, const S: usize>(from: &[V::Number], column: usize) -> [V; S] {
    let mut slots = [V::splat(V::Number::default()); S];
    for (slot, vector) in slots.iter_mut().enumerate() {
        *vector = V::load(&from[column + slot * BLOCK..]);
    }
    slots
}

/// First column and number of columns of every group: four registers wide, and one where no more is left.
pub(super) fn column_groups(columns: usize, lanes: usize) -> Vec<(usize, usize)> {
    let mut groups = Vec::new();
    let mut first = 0;
    while first < columns {
        let len = if columns - first >= 4 * lanes { 4 * lanes } else { lanes };
        groups.push((first, len));
        first += len;
    }
    groups
}

/// A matrix of weights for the backward pass, which sums over pre-activations: for every group of `columns`
/// of its columns ([`Self::groups`]), `[width][columns]`.
pub(super) struct Transposed<T> {
    panels: Aligned<T>,
    groups: Vec<(usize, usize)>,
    width: usize,
    columns: usize,
}

impl<T: Real> Transposed<T> {
    /// `weight`: `[gate_rows, depth]`
    pub(super) fn new(blocks: &Blocks, side: Side, weight: &[T], lanes: usize) -> Self {
        let (width, depth) = (blocks.width(), weight.len() / blocks.columns(side).count());
        let columns = depth.next_multiple_of(BLOCK);
        let groups = column_groups(columns, lanes);
        let mut panels = Aligned::zeros(width * columns);
        let target = panels.as_mut();
        for (k, row) in blocks.columns(side).zip(weight.chunks_exact(depth)) {
            for &(first, len) in &groups {
                let group = &row[first.min(depth)..(first + len).min(depth)];
                target[first * width + k * len..][..group.len()].copy_from_slice(group);
            }
        }
        Self { panels, groups, width, columns }
    }

    /// Pre-activations that are summed over.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Columns of the products: the weight's, filled up to whole blocks.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// First column, number of columns, and panel of every group; from the last one if `down`.
    #[inline(always)]
    pub(super) fn groups(&self, down: bool) -> impl Iterator<Item = (usize, usize, &[T])> {
        let count = self.groups.len();
        (0..count).map(move |at| {
            let (first, columns) = self.groups[if down { count - 1 - at } else { at }];
            let panel = &self.panels.as_ref()[first * self.width..][..columns * self.width];
            (first, columns, panel)
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
