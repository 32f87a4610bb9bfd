//! What each pair of input and forget gate does to the memory: remember, add, erase, overwrite.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::steps::Steps;

/// What one unit does at one step. A gate of at least a half counts as open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Behaviour {
    /// Input closed, forget open: the memory stays.
    Remember,
    /// Both open: something is added to what stays.
    Add,
    /// Both closed: the memory goes, and nothing takes its place.
    Erase,
    /// Input open, forget closed: something else takes the memory's place.
    Overwrite,
}

impl Behaviour {
    /// All four, in the order of [`Counts::units`].
    pub const ALL: [Self; 4] = [Self::Remember, Self::Add, Self::Erase, Self::Overwrite];

    /// What a unit with these gates does.
    pub fn of(i: f64, f: f64) -> Self {
        match (i >= 0.5, f >= 0.5) {
            (false, true) => Self::Remember,
            (true, true) => Self::Add,
            (false, false) => Self::Erase,
            (true, false) => Self::Overwrite,
        }
    }

    /// "remember", "add", "erase" or "overwrite".
    pub fn name(self) -> &'static str {
        match self {
            Self::Remember => "remember",
            Self::Add => "add",
            Self::Erase => "erase",
            Self::Overwrite => "overwrite",
        }
    }
}

/// How often each behaviour was seen, with the gates' own values: 0.49 and 0.51 are not far apart.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Counts {
    /// Units (at as many steps as were counted) by behaviour, in the order of [`Behaviour::ALL`].
    pub units: [u64; 4],
    sum_i: f64,
    sum_f: f64,
}

impl Counts {
    /// Of all units at step `t`.
    pub fn at(steps: &Steps, t: usize) -> Self {
        let mut counts = Self::default();
        for (&i, &f) in steps.i(t).iter().zip(steps.f(t)) {
            counts.units[Behaviour::of(i, f) as usize] += 1;
            counts.sum_i += i;
            counts.sum_f += f;
        }
        counts
    }

    /// Of all units at all steps.
    pub fn over(steps: &Steps) -> Self {
        let mut counts = Self::default();
        (0..steps.len()).for_each(|t| counts.add(&Self::at(steps, t)));
        counts
    }

    /// Counts another's units as well.
    pub fn add(&mut self, other: &Self) {
        self.units.iter_mut().zip(other.units).for_each(|(count, more)| *count += more);
        self.sum_i += other.sum_i;
        self.sum_f += other.sum_f;
    }

    /// Units counted.
    pub fn total(&self) -> u64 {
        self.units.iter().sum()
    }

    /// The share of each behaviour; they add up to 1, or are all 0 where nothing was counted.
    pub fn shares(&self) -> [f64; 4] {
        let total = self.total().max(1) as f64;
        self.units.map(|count| count as f64 / total)
    }

    /// The mean input gate.
    pub fn mean_i(&self) -> f64 {
        self.sum_i / self.total().max(1) as f64
    }

    /// The mean forget gate.
    pub fn mean_f(&self) -> f64 {
        self.sum_f / self.total().max(1) as f64
    }
}

/// Behaviour over many texts, by layer, direction and token: which tokens erase, which overwrite?
///
/// Grows with the number of distinct tokens, not with that of texts.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// (layer, direction), then token id.
    tokens: BTreeMap<(usize, usize), BTreeMap<u32, Counts>>,
}

impl Tally {
    /// Counts a sequence's steps; `ids` are its tokens.
    ///
    /// # Errors
    /// If there are not as many ids as steps.
    pub fn add(&mut self, steps: &Steps, ids: &[u32]) -> Result<()> {
        if ids.len() != steps.len() {
            return Err(Error::Length { what: "ids", found: ids.len(), expected: steps.len() });
        }
        let tokens = self.tokens.entry((steps.layer(), steps.direction())).or_default();
        for (t, &id) in ids.iter().enumerate() {
            tokens.entry(id).or_default().add(&Counts::at(steps, t));
        }
        Ok(())
    }

    /// All that was counted of a layer's direction.
    pub fn total(&self, layer: usize, direction: usize) -> Counts {
        let mut total = Counts::default();
        for counts in self.tokens.get(&(layer, direction)).into_iter().flat_map(BTreeMap::values) {
            total.add(counts);
        }
        total
    }

    /// What was counted of a token.
    pub fn token(&self, layer: usize, direction: usize, id: u32) -> Counts {
        let tokens = self.tokens.get(&(layer, direction));
        tokens.and_then(|tokens| tokens.get(&id)).copied().unwrap_or_default()
    }

    /// All that was counted of a layer's direction, token by token, by id.
    pub fn tokens(&self, layer: usize, direction: usize) -> impl Iterator<Item = (u32, &Counts)> {
        let tokens = self.tokens.get(&(layer, direction));
        tokens.into_iter().flatten().map(|(&id, counts)| (id, counts))
    }

    /// Token ids with the share of `behaviour` in what they do, largest first and equal ones by id; of tokens
    /// of which fewer than `at_least` units were counted (occurrences times `hidden_size`) a share says little, and they
    /// are left out.
    pub fn ranked(
        &self,
        (layer, direction): (usize, usize),
        behaviour: Behaviour,
        at_least: u64,
    ) -> Vec<(u32, f64)> {
        let tokens = self.tokens.get(&(layer, direction)).into_iter().flatten();
        let mut ranked: Vec<(u32, f64)> = tokens
            .filter(|(_, counts)| counts.total() >= at_least)
            .map(|(&id, counts)| (id, counts.shares()[behaviour as usize]))
            .collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked
    }
}
