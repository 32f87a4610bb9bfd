//! One step of training: logits, loss, gradients, and the optimizer's move.

use taper_lstm::TokenBatch;

use crate::Result;
use crate::gradients::Gradients;
use crate::loss::{Objective, Verdict};
use crate::model::Model;
use crate::optimizer::Optimizer;
use crate::recipe::Recipe;

/// Texts and what they are.
#[derive(Debug, Clone)]
pub struct LabelledBatch {
    /// The texts' ids.
    pub tokens: TokenBatch,
    /// A class a text, or the number of its [`LabelSets`](crate::LabelSets) set.
    pub labels: Vec<u32>,
}

/// What a step saw.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// Mean loss of the texts before the step, in nats: what the objective lowers.
    pub loss: f64,
    /// What each text's label was given before the step.
    pub verdicts: Vec<Verdict>,
    /// L2 norm of the gradient over all parameters, before clipping.
    pub gradient_norm: f64,
}

impl StepReport {
    /// Texts that were right before the step.
    pub fn correct(&self) -> usize {
        self.verdicts.iter().filter(|verdict| verdict.correct).count()
    }

    /// Whether the step was taken: not if the loss or the gradient is infinite or no number.
    pub fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.gradient_norm.is_finite()
    }
}

/// The step that a run has just taken, or tried to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LastStep {
    /// From 1; 0 before the first.
    pub(crate) epoch: u32,
    /// The first of its batches, from 1; 0 where this process took none.
    pub(crate) batch: usize,
    /// From 1.
    pub(crate) step: u32,
    /// Mean loss before it.
    pub(crate) loss: f64,
    /// L2 norm of its gradient.
    pub(crate) gradient_norm: f64,
    /// Its texts, as rows of the training split.
    pub(crate) rows: Vec<usize>,
}

/// Learns the batches of one step, by `rate` times the optimizer's step size. Where the report
/// [is not finite](StepReport::is_finite), the parameters are as before.
pub fn step(
    model: &Model,
    optimizer: &mut Optimizer,
    recipe: &Recipe,
    objective: &Objective,
    batches: &[LabelledBatch],
    rate: f64,
) -> Result<StepReport> {
    let total = batches.iter().map(|batch| objective.weight(&batch.labels)).sum();
    let frozen = recipe.train.freeze_embedding
        || optimizer.steps() < recipe.train.optimizer.embedding_frozen_steps;
    // Each batch of a run has its own dropout masks.
    let first = optimizer.steps() * recipe.train.accumulate as u32;
    let mut gradients: Option<Gradients> = None;
    let mut report = StepReport { loss: 0.0, verdicts: Vec::new(), gradient_norm: 0.0 };
    for (number, LabelledBatch { tokens, labels }) in (first..).zip(batches) {
        let output = model.classifier.forward_train(tokens, recipe.seed, number)?;
        let loss = objective.loss(&output.logits, labels, total)?;
        report.loss += f64::from(loss.to_scalar::<f32>()?);
        report.verdicts.extend(objective.verdicts(&output.logits, labels)?);
        let collected = Gradients::collect(output.backward(&loss)?, &model.vars(), frozen);
        gradients = Some(match gradients {
            None => collected,
            Some(sum) => sum.plus(collected)?,
        });
    }
    let mut gradients = gradients.unwrap_or_default();
    report.gradient_norm = gradients.norm()?;
    if report.is_finite() {
        if let Some(max_norm) = recipe.train.clip_norm {
            gradients.clip(report.gradient_norm, max_norm)?;
        }
        optimizer.step(&model.vars(), &gradients, rate)?;
    }
    Ok(report)
}
