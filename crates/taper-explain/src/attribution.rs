//! Which tokens a prediction rests on: integrated gradients, gradient times input, occlusion.
//!
//! All in evaluation mode, on whatever device and in whatever type the classifier is, against a text of
//! the same length whose embeddings are all zero (padding's). A pass holds at most [`MAX_ROWS`] embedded tokens (or one
//! text, if that is longer), so memory does not grow with the number of steps.

use candle_core::{Tensor, Var};
use candle_nn::Module;
use taper_lstm::{Classifier, Mode, PackedSequence, Packing, TokenBatch};

use crate::adaptive::{Accuracy, Way, integrate};
use crate::error::{Error, Result};
use crate::quadrature::gauss_legendre;
use crate::steps::numbers;
use crate::target::Target;

/// Points that are enough for small networks and short texts; [`Attribution::completeness_error`] tells.
pub const DEFAULT_STEPS: usize = 64;

/// Embedded tokens in one pass, unless one text alone has more.
pub const MAX_ROWS: usize = 8192;

/// What every token added to a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribution {
    /// In the text's order.
    pub tokens: Vec<f64>,
    /// The target for the text.
    pub value: f64,
    /// The target for the text of zeros.
    pub baseline: f64,
}

impl Attribution {
    /// What there is to explain: `value - baseline`.
    pub fn difference(&self) -> f64 {
        self.value - self.baseline
    }

    /// How far the tokens' sum misses the difference, as a share of it. Integrated gradients are complete:
    /// whatever is missing is the integration's error. (The other methods promise no sum.) Where there is no
    /// difference to explain, any miss is infinitely large.
    pub fn completeness_error(&self) -> f64 {
        let miss = (self.tokens.iter().sum::<f64>() - self.difference()).abs();
        if miss == 0.0 { 0.0 } else { miss / self.difference().abs() }
    }
}

/// Integrated gradients (Sundararajan et al. 2017): the gradient of the target with respect to every embedded token,
/// integrated over the straight way from zeros to the text at `steps` points of Gauss-Legendre quadrature, times the
/// embedding.
///
/// # Errors
/// If there are no tokens or no steps, an id or the target is not the classifier's, or the target is not finite.
pub fn integrated_gradients(
    classifier: &Classifier,
    ids: &[u32],
    target: Target,
    steps: usize,
) -> Result<Attribution> {
    if steps == 0 {
        return Err(Error::NoSteps);
    }
    Text::new(classifier, ids, target)?.weighted_gradients(&gauss_legendre(steps))
}

/// Integrated gradients with the cost of their accuracy; see [`adaptive_integrated_gradients`].
#[derive(Debug, Clone, PartialEq)]
pub struct Integrated {
    /// What every token added.
    pub attribution: Attribution,
    /// Gradients computed.
    pub steps: usize,
    /// How much of the target's change, as a share of its difference, was in jumps: in stretches of the way less
    /// than a millionth long, where only the direction of the gradients is known and the size is that of the jump. It can be
    /// above 1, since jumps go up and down.
    pub jumps: f64,
}

/// Integrated gradients at points put where the target changes: the way from zeros is halved where the gradients miss the
/// target's known difference, until all misses together are within the tolerance or the steps are spent. For long
/// texts, on whose way the target jumps; no fixed number of points resolves that.
///
/// # Errors
/// As [`integrated_gradients`].
pub fn adaptive_integrated_gradients(
    classifier: &Classifier,
    ids: &[u32],
    target: Target,
    accuracy: Accuracy,
) -> Result<Integrated> {
    adaptive_integrated_gradients_while(classifier, ids, target, accuracy, &|| true)
}

/// [`adaptive_integrated_gradients`] as long as `go_on`, asked before every pass over the text, says that an answer is wanted: of
/// long texts it takes seconds.
///
/// # Errors
/// As [`integrated_gradients`]; [`Error::Stopped`] once `go_on` is false.
pub fn adaptive_integrated_gradients_while(
    classifier: &Classifier,
    ids: &[u32],
    target: Target,
    accuracy: Accuracy,
    go_on: &dyn Fn() -> bool,
) -> Result<Integrated> {
    let text = Text { go_on, ..Text::new(classifier, ids, target)? };
    let integral = integrate(&text, accuracy)?;
    let (value, baseline) = (integral.value, integral.baseline);
    let attribution = Attribution { tokens: integral.parts, value, baseline };
    let size = attribution.difference().abs();
    let jumps = if integral.jumps == 0.0 { 0.0 } else { integral.jumps / size };
    Ok(Integrated { attribution, steps: integral.steps, jumps })
}

/// The gradient of the target with respect to every embedded token, times the embedding: one backward pass, and right
/// as far as the network is linear.
///
/// # Errors
/// As [`integrated_gradients`].
pub fn gradient_x_input(
    classifier: &Classifier,
    ids: &[u32],
    target: Target,
) -> Result<Attribution> {
    Text::new(classifier, ids, target)?.weighted_gradients(&[(1.0, 1.0)])
}

/// How far the target falls when one token's embedding is zero. Reads the text once a token: time grows with
/// the square of the length.
///
/// # Errors
/// As [`integrated_gradients`].
pub fn occlusion(classifier: &Classifier, ids: &[u32], target: Target) -> Result<Attribution> {
    let text = Text::new(classifier, ids, target)?;
    let (value, baseline) = text.ends()?;
    let len = ids.len();
    let mut tokens = Vec::with_capacity(len);
    while tokens.len() < len {
        let (first, count) = (tokens.len(), text.at_a_time().min(len - tokens.len()));
        let mut mask = vec![1_f32; len * count];
        (0..count).for_each(|column| mask[(first + column) * count + column] = 0.0);
        let mask = Tensor::from_vec(mask, (len, count, 1), text.rows.device())?;
        let without = text.evaluate(&mask.to_dtype(text.rows.dtype())?)?;
        tokens.extend(without.into_iter().map(|without| value - without));
    }
    Ok(Attribution { tokens, value, baseline })
}

/// A text's embeddings, and what is asked about them.
struct Text<'a> {
    classifier: &'a Classifier,
    target: Target,
    /// `[len, dimensions]`
    rows: Tensor,
    /// Whether an answer is wanted still.
    go_on: &'a dyn Fn() -> bool,
}

impl<'a> Text<'a> {
    fn new(classifier: &'a Classifier, ids: &[u32], target: Target) -> Result<Self> {
        // The door for empty texts.
        let batch = TokenBatch::new(&[ids])?;
        let rows = classifier.embedding().lookup(batch.ids())?;
        Ok(Self { classifier, target, rows, go_on: &|| true })
    }

    fn check(&self) -> Result<()> {
        if (self.go_on)() { Ok(()) } else { Err(Error::Stopped) }
    }

    fn len(&self) -> Result<usize> {
        Ok(self.rows.dim(0)?)
    }

    /// Copies of the text, each token of each scaled: a packed batch lies time-major.
    ///
    /// # Shapes
    /// `scale`: broadcasts to `[len, copies, 1]`; result: `[len * copies, dimensions]`
    fn scaled(&self, scale: &Tensor) -> Result<PackedSequence> {
        let (len, copies) = (self.len()?, scale.dim(1)?);
        let packing = Packing::new(&vec![len; copies])?;
        let rows = self.rows.unsqueeze(1)?.broadcast_mul(scale)?.flatten(0, 1)?;
        Ok(PackedSequence::new(rows.contiguous()?, packing.into())?)
    }

    fn scales(&self, values: impl Iterator<Item = f64>) -> Result<Tensor> {
        let values: Vec<f64> = values.collect();
        let count = values.len();
        let scales = Tensor::from_vec(values, (1, count, 1), &candle_core::Device::Cpu)?;
        Ok(scales.to_dtype(self.rows.dtype())?.to_device(self.rows.device())?)
    }

    /// The target of scaled copies.
    fn evaluate(&self, scale: &Tensor) -> Result<Vec<f64>> {
        let (output, state) =
            self.classifier.lstm().forward(&self.scaled(scale)?, None, Mode::Evaluate)?;
        let pooled = self.classifier.pool(&output, &state)?;
        let values = numbers(&self.target.of(&self.classifier.fc().forward(&pooled)?)?)?;
        match values.iter().find(|value| !value.is_finite()) {
            Some(&found) => Err(Error::NotFinite { what: "the target's logit".into(), found }),
            None => Ok(values),
        }
    }

    /// The target of the text and that of zeros.
    fn ends(&self) -> Result<(f64, f64)> {
        let at = |scale| Ok::<_, Error>(self.evaluate(&self.scales(std::iter::once(scale))?)?[0]);
        Ok((at(1.0)?, at(0.0)?))
    }

    /// The weighted sum of the gradients at points of the way from zeros to the text, times the text.
    fn weighted_gradients(&self, points: &[(f64, f64)]) -> Result<Attribution> {
        let (value, baseline) = self.ends()?;
        let mut sum = self.rows.zeros_like()?;
        for points in points.chunks(self.at_a_time()) {
            let at: Vec<f64> = points.iter().map(|point| point.0).collect();
            // No gradient: the target does not depend on the text.
            let Some(gradient) = self.gradients(&at)? else { continue };
            let weights = self.scales(points.iter().map(|point| point.1))?;
            sum = (sum + gradient.broadcast_mul(&weights)?.sum(1)?)?;
        }
        let tokens = finite(numbers(&(sum * &self.rows)?.sum(1)?)?)?;
        Ok(Attribution { tokens, value, baseline })
    }

    /// The gradients at points of the way, `[len, points, dimensions]`, if there are any.
    fn gradients(&self, at: &[f64]) -> Result<Option<Tensor>> {
        let packed = self.scaled(&self.scales(at.iter().copied())?)?;
        let x = Var::from_tensor(packed.data())?;
        let logits = self.classifier.forward_embedded(&packed.with_data(x.as_tensor().clone())?)?;
        let mut store = self.target.of(&logits)?.sum_all()?.backward()?;
        let (len, dimensions) = self.rows.dims2()?;
        let shape = (len, at.len(), dimensions);
        Ok(store.remove(&x).map(|gradient| gradient.reshape(shape)).transpose()?)
    }
}

impl Way for Text<'_> {
    fn values(&self, at: &[f64]) -> Result<Vec<f64>> {
        let mut values = Vec::with_capacity(at.len());
        for at in at.chunks(Way::at_a_time(self)) {
            self.check()?;
            values.extend(self.evaluate(&self.scales(at.iter().copied())?)?);
        }
        Ok(values)
    }

    fn parts(&self, at: &[f64]) -> Result<Vec<Vec<f64>>> {
        let len = self.len()?;
        let mut parts = Vec::with_capacity(at.len());
        for at in at.chunks(Way::at_a_time(self)) {
            self.check()?;
            let Some(gradient) = self.gradients(at)? else {
                parts.resize(parts.len() + at.len(), vec![0.0; len]);
                continue;
            };
            let by_point = gradient.broadcast_mul(&self.rows.unsqueeze(1)?)?.sum(2)?.t()?;
            let by_point = finite(numbers(&by_point.contiguous()?)?)?;
            parts.extend(by_point.chunks(len).map(<[f64]>::to_vec));
        }
        Ok(parts)
    }

    fn at_a_time(&self) -> usize {
        (MAX_ROWS / self.rows.dims()[0].max(1)).max(1)
    }
}

/// Numbers, one or more for each token, that can be added up.
fn finite(tokens: Vec<f64>) -> Result<Vec<f64>> {
    match tokens.iter().find(|token| !token.is_finite()) {
        Some(&found) => Err(Error::NotFinite { what: "the gradient of a token".into(), found }),
        None => Ok(tokens),
    }
}
