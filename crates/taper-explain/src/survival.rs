//! How much of a gradient survives on its way back through time, beside the forget gates it passes.

use taper_lstm::{Classifier, GradientNorms, LstmTrace};

use crate::error::{Error, Result, check};
use crate::steps::{Steps, numbers};
use crate::target::Target;

/// The norms of `d target / d h_t` and `d target / d c_t` at every step of a trace, layer by layer and direction
/// by direction (see [`LstmTrace::gradient_norms`]).
///
/// A loss differs from its logit by a factor only, where there is one logit: the gradient of binary
/// cross-entropy is `p - y` times that of the logit.
///
/// # Errors
/// If the target is not one of `classifier`'s, or the trace is not of its LSTM.
pub fn gradient_norms(
    classifier: &Classifier,
    trace: &LstmTrace,
    target: Target,
) -> Result<Vec<Vec<GradientNorms>>> {
    let (output, state) = target.gradients(classifier, trace)?;
    Ok(trace.gradient_norms(output.as_ref(), state.as_ref())?)
}

/// One sequence in one direction of one layer, by distance: entry `d` is the step that is followed by `d` more in
/// the order of reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Survival {
    /// L2 norm of the gradient that reaches h, `[len]`.
    pub h: Vec<f64>,
    /// L2 norm of the gradient that reaches the memory c, `[len]`.
    pub c: Vec<f64>,
    /// The product of the forget gates of the `d` later steps, averaged over units, `[len]`: what the memory's own way
    /// through time lets through of a gradient.
    pub kept: Vec<f64>,
}

impl Survival {
    /// Sequence `sequence` of the trace that `steps` and `norms` were taken from.
    ///
    /// # Errors
    /// If there is no such sequence, or a norm is not finite.
    pub fn of(
        trace: &LstmTrace,
        steps: &Steps,
        norms: &[Vec<GradientNorms>],
        sequence: usize,
    ) -> Result<Self> {
        let (layer, direction) = (steps.layer(), steps.direction());
        check("layer", layer, norms.len())?;
        check("direction", direction, norms[layer].len())?;
        let packing = trace.output.packing();
        check("sequence", sequence, packing.batch_size())?;
        let found = packing.lengths()[sequence];
        if found != steps.len() {
            return Err(Error::Length { what: "the sequence", found, expected: steps.len() });
        }
        let norms = &norms[layer][direction];
        let by_distance = |values: &[f64], what: &str| -> Result<Vec<f64>> {
            let rows = steps.order().rev().filter_map(|t| packing.row(sequence, t));
            let values: Vec<f64> = rows.map(|row| values[row]).collect();
            match values.iter().position(|value| !value.is_finite()) {
                Some(at) => Err(Error::NotFinite {
                    what: format!("the gradient of {what}, layer {layer}, {at} steps from the end"),
                    found: values[at],
                }),
                None => Ok(values),
            }
        };
        let (h, c) = (numbers(&norms.h)?, numbers(&norms.c)?);
        let mut product = vec![1.0; steps.units()];
        let mut kept = Vec::with_capacity(steps.len());
        for t in steps.order().rev() {
            kept.push(product.iter().sum::<f64>() / steps.units() as f64);
            product.iter_mut().zip(steps.f(t)).for_each(|(product, f)| *product *= f);
        }
        Ok(Self { h: by_distance(&h, "h")?, c: by_distance(&c, "c")?, kept })
    }
}
