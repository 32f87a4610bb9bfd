//! A stream of texts to a stream of predictions.
//!
//! Reading and writing stay on the caller's thread, between the computations of all.

use super::{Prediction, Predictor};
use crate::{Error, Result};

/// Texts in hand at a time: enough for batches of about one length.
const TEXTS: usize = 4096;

/// And bytes of them, where texts are long.
const BYTES: usize = 16 << 20;

/// What [`Predictor::predict_stream`] gives: each text with its prediction, in order.
#[derive(Debug)]
pub struct Predictions<'a, I, T> {
    predictor: &'a Predictor,
    /// Nothing once it has ended.
    texts: Option<I>,
    ready: std::iter::Zip<std::vec::IntoIter<T>, std::vec::IntoIter<Prediction>>,
    /// What ended the texts, to be told after the predictions that are ready.
    error: Option<Error>,
}

impl<'a, I, T, E> Predictions<'a, I, T>
where
    I: Iterator<Item = Result<T, E>>,
    T: AsRef<str> + Sync,
    Error: From<E>,
{
    pub(super) fn new(predictor: &'a Predictor, texts: I) -> Self {
        let ready = Vec::new().into_iter().zip(Vec::new());
        Self { predictor, texts: Some(texts), ready, error: None }
    }

    /// Takes some texts, and predicts them.
    fn refill(&mut self) {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while let Some(texts) = &mut self.texts
            && taken.len() < TEXTS
            && bytes < BYTES
        {
            match texts.next() {
                Some(Ok(text)) => {
                    bytes += text.as_ref().len();
                    taken.push(text);
                }
                Some(Err(error)) => {
                    self.error = Some(error.into());
                    self.texts = None;
                }
                None => self.texts = None,
            }
        }
        match self.predictor.predict(&taken) {
            Ok(predictions) => self.ready = taken.into_iter().zip(predictions),
            Err(error) => (self.error, self.texts) = (Some(error), None),
        }
    }
}

impl<I, T, E> Iterator for Predictions<'_, I, T>
where
    I: Iterator<Item = Result<T, E>>,
    T: AsRef<str> + Sync,
    Error: From<E>,
{
    type Item = Result<(T, Prediction)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(pair) = self.ready.next() {
                return Some(Ok(pair));
            }
            if let Some(error) = self.error.take() {
                return Some(Err(error));
            }
            self.texts.as_ref()?;
            self.refill();
        }
    }
}
