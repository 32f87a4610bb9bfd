//! One step of training: logits, loss, gradients, and the optimizer's move.

use taper_lstm::TokenBatch;

use crate::evaluate::count_correct;
use crate::gradients::Gradients;
use crate::loss::{cross_entropy, predicted_classes};
use crate::model::Model;
use crate::optimizer::Optimizer;
use crate::recipe::Recipe;
use crate::{Error, Result};

/// What a step saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Mean loss of the batch before the step, in nats.
    pub loss: f64,
    /// Texts that were right before the step.
    pub correct: usize,
    /// L2 norm of the gradient over all parameters, before clipping.
    pub gradient_norm: f64,
}

/// Learns one batch.
///
/// # Errors
/// If the loss or the gradient is not finite; the parameters are then as before the step.
pub fn step(
    model: &Model,
    optimizer: &mut Optimizer,
    recipe: &Recipe,
    batch: &TokenBatch,
    labels: &[u32],
) -> Result<StepReport> {
    let step = optimizer.steps();
    let output = model.classifier.forward_train(batch, recipe.seed, step)?;
    let loss = cross_entropy(&output.logits, labels)?;
    let correct = count_correct(&predicted_classes(&output.logits)?, labels);
    let frozen = recipe.train.freeze_embedding;
    let mut gradients = Gradients::collect(output.backward(&loss)?, &model.vars(), frozen);
    let gradient_norm = gradients.norm()?;
    let loss = f64::from(loss.to_scalar::<f32>()?);
    if !loss.is_finite() || !gradient_norm.is_finite() {
        return Err(Error::Diverged { step: step + 1, loss, gradient_norm });
    }
    if let Some(max_norm) = recipe.train.clip_norm {
        gradients.clip(gradient_norm, max_norm)?;
    }
    optimizer.step(&model.vars(), &gradients)?;
    Ok(StepReport { loss, correct, gradient_norm })
}
