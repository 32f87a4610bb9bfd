//! What can go wrong in an explanation, and what would have been right.

/// The result of this crate's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of an explanation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A NaN or an infinity where an explanation needs a number: of a model that diverged, as a rule.
    #[error("{what} is {found}; only finite numbers can be explained: look at the model's weights")]
    NotFinite {
        /// Which gate, at which layer, direction and step, or the logit.
        what: String,
        /// The number.
        found: f64,
    },
    /// A layer, direction, sequence or logit that is not there.
    #[error("there is no {what} {found}; there are {count}, from 0")]
    NoSuch {
        /// What was asked for.
        what: &'static str,
        /// Its number.
        found: usize,
        /// How many there are.
        count: usize,
    },
    /// Integration over no points at all.
    #[error("integrated gradients over 0 steps; at least 1 is needed")]
    NoSteps,
    /// An experiment of no size, or of one that no machine gets to the end of.
    #[error("{what} is {found}; it is at least {least} and at most {most}")]
    Setting {
        /// Which setting.
        what: &'static str,
        /// Its value.
        found: usize,
        /// The least that makes sense.
        least: usize,
        /// The most that is tried.
        most: usize,
    },
    /// An experiment that would not move, or not by numbers.
    #[error("the learning rate is {found}; a number above 0 is needed")]
    LearningRate {
        /// Its value.
        found: f64,
    },
    /// Whoever asked wants no answer any more.
    #[error("the explanation was given up")]
    Stopped,
    /// Something with an entry a token does not have the tokens' number.
    #[error("{what} has {found} entries for {expected} steps")]
    Length {
        /// Which argument.
        what: &'static str,
        /// Its entries.
        found: usize,
        /// Steps of the sequence.
        expected: usize,
    },
    /// The engine failed.
    #[error(transparent)]
    Lstm(#[from] taper_lstm::Error),
    /// A tensor operation failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// `count` things there are, numbered from 0: is `found` among them?
pub(crate) fn check(what: &'static str, found: usize, count: usize) -> Result<()> {
    if found < count { Ok(()) } else { Err(Error::NoSuch { what, found, count }) }
}
