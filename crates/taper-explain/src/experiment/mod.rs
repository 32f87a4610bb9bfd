//! Why there are gates, as an experiment: the same data, seed and size for a plain RNN, a GRU and two LSTMs.
//!
//! The task is recall, as in the experiments of Hochreiter and Schmidhuber (1997) whose inputs are random but for one that
//! is marked, early on: the symbol after the marker must be named at the end, and what follows it is of the same alphabet.
//! Measured are the accuracy while each network learns, and how much of the loss's gradient reaches each step, before and
//! after.

mod network;
mod task;

use crate::error::{Error, Result};
use network::Network;

/// Which network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    /// `nn.RNN` with tanh: no gates.
    Rnn,
    /// `nn.GRU`.
    Gru,
    /// `nn.LSTM` whose forget gates begin with a bias of 0: half open.
    LstmForget0,
    /// The same with a bias of 1 (Gers et al. 2000): 73 % open.
    LstmForget1,
}

impl CellKind {
    /// All, from the one without gates on.
    pub const ALL: [Self; 4] = [Self::Rnn, Self::Gru, Self::LstmForget0, Self::LstmForget1];

    /// What readers call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rnn => "RNN",
            Self::Gru => "GRU",
            Self::LstmForget0 => "LSTM, forget bias 0",
            Self::LstmForget1 => "LSTM, forget bias 1",
        }
    }
}

/// The experiment's size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Decides parameters and sequences.
    pub seed: u64,
    /// Units of each network; 1 to 256.
    pub hidden_size: usize,
    /// Length of the sequences that are judged; they are trained on with lengths from 2 to this. 2 to 1,000.
    pub length: usize,
    /// Steps of Adam; 1 to 1,000,000.
    pub steps: usize,
    /// Steps between two judgements; 1 to 1,000,000.
    pub every: usize,
    /// Step size of Adam; above 0.
    pub learning_rate: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 1, hidden_size: 32, length: 120, steps: 3000, every: 500, learning_rate: 0.01 }
    }
}

/// The largest experiment: memory grows with units times symbols, time with steps too.
const MOST_UNITS: usize = 256;
const MOST_SYMBOLS: usize = 1_000;
const MOST_STEPS: usize = 1_000_000;

impl Settings {
    /// Whether there is such an experiment; [`compare_cells`] looks, too.
    ///
    /// # Errors
    /// A setting out of its bounds, or a learning rate that is none.
    pub fn check(&self) -> Result<()> {
        for (what, found, least, most) in [
            ("the length of sequences", self.length, 2, MOST_SYMBOLS),
            ("the number of units", self.hidden_size, 1, MOST_UNITS),
            ("the number of steps", self.steps, 1, MOST_STEPS),
            ("the number of steps between judgements", self.every, 1, MOST_STEPS),
        ] {
            if !(least..=most).contains(&found) {
                return Err(Error::Setting { what, found, least, most });
            }
        }
        let found = self.learning_rate;
        if !found.is_finite() || found <= 0.0 {
            return Err(Error::LearningRate { found });
        }
        Ok(())
    }
}

/// Symbols that may be asked for: a guess is right once in so many times.
pub const CHOICES: usize = task::CHOICES;

/// Sequences of a judgement: a guess is right in 12.5 % of them, give or take 0.7.
pub const JUDGED: usize = 2048;

/// How much of a gradient reaches each step: entry `d` is the state that is followed by `d` more steps. L2 norms of a
/// sequence's loss with respect to the state, in f64, averaged over 64 sequences that begin with the marker: the state that
/// has just read what must be recalled is entry `length - 2`.
#[derive(Debug, Clone, PartialEq)]
pub struct Reach {
    /// `‖∂loss/∂h‖`, `[length]`
    pub h: Vec<f64>,
    /// `‖∂loss/∂c‖` of LSTMs, `[length]`
    pub c: Option<Vec<f64>>,
}

/// What became of one network.
#[derive(Debug, Clone, PartialEq)]
pub struct Contestant {
    /// Which one.
    pub cell: CellKind,
    /// Its trainable scalars.
    pub parameters: usize,
    /// Gradients before training.
    pub untrained: Reach,
    /// Gradients after it.
    pub trained: Reach,
    /// `(step, share)` of [`JUDGED`] new sequences of the full length whose answer was named.
    pub accuracy: Vec<(usize, f64)>,
}

/// Runs it, one network after the other; `judged` is told of each judgement.
///
/// # Errors
/// As [`Settings::check`].
pub fn compare_cells(
    settings: &Settings,
    judged: &mut dyn FnMut(CellKind, usize, f64),
) -> Result<Vec<Contestant>> {
    settings.check()?;
    CellKind::ALL.into_iter().map(|cell| contest(cell, settings, judged)).collect()
}

fn contest(
    cell: CellKind,
    settings: &Settings,
    judged: &mut dyn FnMut(CellKind, usize, f64),
) -> Result<Contestant> {
    let network = Network::new(cell, settings)?;
    let probe = task::draw(settings.seed, task::PROBE, 0, &[settings.length; 64], 1);
    let untrained = network.reach(&probe)?;
    let mut accuracy = Vec::new();
    let mut optimizer = network.optimizer(settings.learning_rate)?;
    for step in 0..settings.steps {
        let lengths = task::lengths(settings.seed, step, settings.length);
        let batch = task::draw(settings.seed, task::TRAIN, step as u32, &lengths, task::PLACES);
        network.learn(&batch, &mut optimizer)?;
        let taken = step + 1;
        if taken % settings.every == 0 || taken == settings.steps {
            let test =
                task::draw(settings.seed, task::TEST, 0, &[settings.length; JUDGED], task::PLACES);
            let share = network.accuracy(&test)?;
            judged(cell, taken, share);
            accuracy.push((taken, share));
        }
    }
    let trained = network.reach(&probe)?;
    Ok(Contestant { cell, parameters: network.count(), untrained, trained, accuracy })
}
