//! Which number of the model is explained.

use candle_core::{Tensor, Var};
use candle_nn::Module;
use taper_lstm::{Classifier, LstmState, LstmTrace};

use crate::error::{Result, check};

/// The number that an explanation explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A logit; of a classifier with one logit, logit 0 is the log-odds of its second class.
    Logit(usize),
    /// How far one logit lies above another: why this class rather than that?
    Difference {
        /// The logit that counts up.
        of: usize,
        /// The logit that counts down.
        from: usize,
    },
}

impl Target {
    /// The number for every text of a batch.
    ///
    /// # Shapes
    /// `logits`: `[batch, num_logits]`; result: `[batch]`
    ///
    /// # Errors
    /// If there is no such logit.
    pub fn of(self, logits: &Tensor) -> Result<Tensor> {
        let (_, count) = logits.dims2()?;
        let logit = |index: usize| -> Result<Tensor> {
            check("logit", index, count)?;
            Ok(logits.narrow(1, index, 1)?.squeeze(1)?)
        };
        Ok(match self {
            Self::Logit(index) => logit(index)?,
            Self::Difference { of, from } => (logit(of)? - logit(from)?)?,
        })
    }

    /// The gradients of the target (summed over the batch) with respect to what a trace ended in: the last
    /// layer's outputs, where pooling reads them, and the final states.
    pub(crate) fn gradients(
        self,
        classifier: &Classifier,
        trace: &LstmTrace,
    ) -> Result<(Option<Tensor>, Option<LstmState>)> {
        let output = Var::from_tensor(&trace.output.data().detach())?;
        let h = Var::from_tensor(&trace.state.h.detach())?;
        let state = LstmState { h: h.as_tensor().clone(), c: trace.state.c.clone() };
        let packed = trace.output.with_data(output.as_tensor().clone())?;
        let logits = classifier.fc().forward(&classifier.pool(&packed, &state)?)?;
        let mut store = self.of(&logits)?.sum_all()?.backward()?;
        let h = store.remove(&h);
        let state = match h {
            Some(h) => Some(LstmState { h, c: trace.state.c.zeros_like()? }),
            None => None,
        };
        Ok((store.remove(&output), state))
    }
}
