//! Adam, `AdamW` and SGD whose whole state can be saved, with row-sparse gradients and one pass a tensor.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
use taper_lstm::RowGradient;

use crate::gradients::{EMBEDDING, Gradient, Gradients};
use crate::recipe::{Optimizer as Settings, OptimizerKind};
use crate::{Error, Result};

mod inplace;

use inplace::{Decay, Power, Scatter, Update};

/// Adam (Kingma and Ba 2015), `AdamW` (Loshchilov and Hutter 2019) or SGD, as `torch.optim` has them.
///
/// A parameter without a gradient in a step is left alone; a row without one, in a row-sparse
/// gradient, has a gradient of zero: its moments decay and it still moves, as in dense Adam.
#[derive(Debug)]
pub struct Optimizer {
    settings: Settings,
    steps: u32,
    moments: BTreeMap<String, Moments>,
}

/// Running means of a parameter's gradients and of their squares; SGD has the sum of gradients alone.
#[derive(Debug, Clone)]
struct Moments {
    first: Var,
    second: Option<Var>,
}

impl Optimizer {
    /// Without steps taken.
    pub fn new(settings: &Settings) -> Self {
        Self { settings: settings.clone(), steps: 0, moments: BTreeMap::new() }
    }

    /// Steps taken.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// Moves every parameter that has a gradient, by `rate` times the step size of the settings.
    pub fn step(
        &mut self,
        vars: &BTreeMap<String, Var>,
        gradients: &Gradients,
        rate: f64,
    ) -> Result<()> {
        self.steps += 1;
        for (name, gradient) in &gradients.0 {
            let Some(var) = vars.get(name) else {
                return Err(Error::Run {
                    path: name.into(),
                    message: "a gradient without a parameter".into(),
                });
            };
            if !self.moments.contains_key(name) {
                let zeros = || Var::from_tensor(&var.zeros_like()?);
                let second = match self.settings.kind {
                    OptimizerKind::Sgd => None,
                    OptimizerKind::Adam | OptimizerKind::AdamW => Some(zeros()?),
                };
                let moments = Moments { first: zeros()?, second };
                self.moments.insert(name.clone(), moments);
            }
            let Settings { learning_rate, embedding_rate, embedding_frozen_steps, .. } =
                self.settings;
            let (rate, frozen) = match name.as_str() {
                EMBEDDING => (rate * embedding_rate, embedding_frozen_steps),
                _ => (rate, 0),
            };
            let steps = self.steps.saturating_sub(frozen).max(1);
            self.update(var, gradient, &self.moments[name], rate * learning_rate, steps)?;
        }
        Ok(())
    }

    /// The parameter's step number `steps`, from 1.
    fn update(
        &self,
        var: &Var,
        gradient: &Gradient,
        Moments { first, second }: &Moments,
        learning_rate: f64,
        steps: u32,
    ) -> Result<()> {
        let Settings { kind, beta1, beta2, epsilon, weight_decay, .. } = self.settings;
        let gradient = match (gradient, kind) {
            // PyTorch's Adam and SGD add the decay to the gradient, which makes every row's dense.
            (gradient, OptimizerKind::Adam | OptimizerKind::Sgd) if weight_decay > 0.0 => {
                let decay = (var.as_detached_tensor() * weight_decay)?;
                Gradient::Dense((dense(gradient, var)? + decay)?)
            }
            (gradient, _) => gradient.clone(),
        };
        let Some(second) = second else {
            return self.descend(var, &gradient, first, learning_rate);
        };
        let moments = [first, second];
        let steps = f64::from(steps);
        let update = Update {
            step_size: learning_rate / (1.0 - beta1.powf(steps)),
            denominator_scale: 1.0 / (1.0 - beta2.powf(steps)).sqrt(),
            epsilon,
            shrink: match kind {
                OptimizerKind::Adam | OptimizerKind::Sgd => 1.0,
                OptimizerKind::AdamW => 1.0 - learning_rate * weight_decay,
            },
        };
        if var.device().is_cpu() {
            update_in_place(var, &gradient, moments, [beta1, beta2], &update)
        } else {
            #[cfg(feature = "cuda")]
            let update_there = update_on_cuda;
            #[cfg(not(feature = "cuda"))]
            let update_there = update_by_tensors;
            update_there(var, &gradient, moments, [beta1, beta2], &update)
        }
    }

    /// `torch.optim.SGD`: buffer = momentum * buffer + gradient (the first time the gradient alone, which is the same
    /// as from a buffer of zeros), and the parameter follows it.
    fn descend(
        &self,
        var: &Var,
        gradient: &Gradient,
        buffer: &Var,
        learning_rate: f64,
    ) -> Result<()> {
        let Settings { momentum, nesterov, .. } = self.settings;
        let gradient = dense(gradient, var)?;
        let moved = if momentum == 0.0 {
            gradient
        } else {
            let sum = ((buffer.as_detached_tensor() * momentum)? + &gradient)?;
            buffer.set(&sum)?;
            if nesterov { (gradient + (sum * momentum)?)? } else { sum }
        };
        Ok(var.set(&(var.as_detached_tensor() - (moved * learning_rate)?)?)?)
    }

    /// All moments, as `first.NAME` and `second.NAME`; with [`Self::steps`] the whole state.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let mut state = BTreeMap::new();
        for (name, Moments { first, second }) in &self.moments {
            state.insert(format!("first.{name}"), first.as_detached_tensor());
            if let Some(second) = second {
                state.insert(format!("second.{name}"), second.as_detached_tensor());
            }
        }
        state
    }

    /// Takes up a saved state.
    ///
    /// # Errors
    /// If a moment is of another shape than its parameter, or belongs to none.
    pub fn restore(
        &mut self,
        steps: u32,
        state: &BTreeMap<String, Tensor>,
        vars: &BTreeMap<String, Var>,
    ) -> Result<()> {
        let mut moments = BTreeMap::new();
        let mut taken = 0;
        for (name, var) in vars {
            let get = |which: &str| -> Result<Option<Var>> {
                let Some(moment) = state.get(&format!("{which}.{name}")) else { return Ok(None) };
                if moment.dims() != var.dims() {
                    let (found, expected) = (moment.dims(), var.dims());
                    let message =
                        format!("moments of shape {found:?}; the parameter has {expected:?}");
                    return Err(Error::Run { path: name.into(), message });
                }
                Ok(Some(Var::from_tensor(&moment.to_device(var.device())?)?))
            };
            let second = match self.settings.kind {
                OptimizerKind::Sgd => None,
                OptimizerKind::Adam | OptimizerKind::AdamW => get("second")?,
            };
            if let Some(first) = get("first")? {
                taken += 1 + usize::from(second.is_some());
                moments.insert(name.clone(), Moments { first, second });
            }
        }
        let whole = self.settings.kind == OptimizerKind::Sgd
            || moments.values().all(|moments| moments.second.is_some());
        if taken != state.len() || !whole {
            return Err(Error::Run {
                path: "optimizer".into(),
                message: format!(
                    "{} moments, of which {taken} belong to {} of the parameters; another model or another \
                     `train.optimizer.kind` made them",
                    state.len(),
                    moments.len()
                ),
            });
        }
        (self.steps, self.moments) = (steps, moments);
        Ok(())
    }
}

/// On the CPU: one pass over a tensor for each of the three formulas.
fn update_in_place(
    var: &Var,
    gradient: &Gradient,
    [first, second]: [&Var; 2],
    [beta1, beta2]: [f64; 2],
    update: &Update,
) -> Result<()> {
    match gradient {
        Gradient::Dense(gradient) => {
            let gradient = gradient.contiguous()?;
            first.inplace_op2(&gradient, &Decay { beta: beta1, power: Power::One })?;
            second.inplace_op2(&gradient, &Decay { beta: beta2, power: Power::Two })?;
        }
        Gradient::Rows(RowGradient { rows, values }) => {
            let values = values.contiguous()?;
            first.inplace_op2(&values, &Scatter { rows, beta: beta1, power: Power::One })?;
            second.inplace_op2(&values, &Scatter { rows, beta: beta2, power: Power::Two })?;
        }
    }
    Ok(var.inplace_op3(first, second, update)?)
}

/// On CUDA: one kernel a tensor, for all three formulas.
#[cfg(feature = "cuda")]
fn update_on_cuda(
    var: &Var,
    gradient: &Gradient,
    [first, second]: [&Var; 2],
    [beta1, beta2]: [f64; 2],
    update: &Update,
) -> Result<()> {
    use taper_lstm::cuda::{AdamGradient, AdamStep, adam_step};
    let &Update { step_size, denominator_scale, epsilon, shrink } = update;
    let step = AdamStep { beta1, beta2, step_size, denominator_scale, epsilon, shrink };
    let tensors = [var.as_tensor(), first.as_tensor(), second.as_tensor()];
    match gradient {
        Gradient::Dense(gradient) => {
            adam_step(tensors, AdamGradient::Dense(&gradient.contiguous()?), &step)?;
        }
        Gradient::Rows(RowGradient { rows, values }) => {
            let values = values.contiguous()?;
            adam_step(tensors, AdamGradient::Rows { rows, values: &values }, &step)?;
        }
    }
    Ok(())
}

/// On other devices: the same formulas as tensor operations.
#[cfg(any(test, not(feature = "cuda")))]
fn update_by_tensors(
    var: &Var,
    gradient: &Gradient,
    [first, second]: [&Var; 2],
    [beta1, beta2]: [f64; 2],
    update: &Update,
) -> Result<()> {
    let gradient = dense(gradient, var)?;
    let (m, v) = (first.as_detached_tensor(), second.as_detached_tensor());
    let m = ((m * beta1)? + (&gradient * (1.0 - beta1))?)?;
    let v = ((v * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
    let denominator = ((v.sqrt()? * update.denominator_scale)? + update.epsilon)?;
    let moved = ((&m * update.step_size)? / denominator)?;
    var.set(&((var.as_detached_tensor() * update.shrink)? - moved)?)?;
    first.set(&m)?;
    Ok(second.set(&v)?)
}

/// A gradient in the parameter's shape.
fn dense(gradient: &Gradient, var: &Var) -> Result<Tensor> {
    match gradient {
        Gradient::Dense(gradient) => Ok(gradient.clone()),
        Gradient::Rows(RowGradient { rows, values }) => {
            let rows = Tensor::new(rows.as_slice(), values.device())?;
            Ok(var.zeros_like()?.index_add(&rows, values, 0)?)
        }
    }
}

#[cfg(test)]
mod tests;
