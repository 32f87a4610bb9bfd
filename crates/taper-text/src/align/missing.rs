//! What the row of a word without a vector holds.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::error::{Error, Result};

/// What a row without a vector holds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Missing {
    /// Zeros.
    #[default]
    Zero,
    /// The mean over its subwords, character n-grams, of the words that have a vector and share them; zeros where there
    /// are none, and for `<unk>`.
    Subwords,
    /// Draws from a normal distribution of mean 0.
    Normal {
        /// The standard deviation.
        std: f32,
    },
    /// Draws from `[-bound, bound)`.
    Uniform {
        /// The bound.
        bound: f32,
    },
}

impl Missing {
    pub(super) fn check(self) -> Result<()> {
        let (option, value) = match self {
            Missing::Zero | Missing::Subwords => return Ok(()),
            Missing::Normal { std } => ("std", std),
            Missing::Uniform { bound } => ("bound", bound),
        };
        if value.is_finite() && value >= 0.0 {
            return Ok(());
        }
        Err(Error::Option {
            option,
            found: value.to_string(),
            expected: "a finite number, 0 or more",
        })
    }

    /// Fills a row with what does not depend on other rows.
    pub(super) fn draw(self, row: &mut [f32], seed: u64, id: u32) {
        let mut draws = ChaCha8Rng::seed_from_u64(seed);
        draws.set_stream(u64::from(id));
        match self {
            Missing::Zero | Missing::Subwords => row.fill(0.0),
            Missing::Uniform { bound } => {
                row.fill_with(|| ((2.0 * unit(&mut draws) - 1.0) * f64::from(bound)) as f32);
            }
            Missing::Normal { std } => row.fill_with(|| {
                // Box and Muller, 1958; one of the two values is enough. 1 - u keeps the logarithm off zero.
                let radius = (-2.0 * (1.0 - unit(&mut draws)).ln()).sqrt();
                (radius * (std::f64::consts::TAU * unit(&mut draws)).cos() * f64::from(std)) as f32
            }),
        }
    }
}

/// A draw from `[0, 1)` with 53 random bits.
fn unit(draws: &mut ChaCha8Rng) -> f64 {
    (draws.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}
