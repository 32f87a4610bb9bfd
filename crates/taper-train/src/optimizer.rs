//! Adam and `AdamW` whose whole state can be saved, with row-sparse gradients and one pass a tensor.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
use taper_lstm::RowGradient;

use crate::gradients::{Gradient, Gradients};
use crate::recipe::{Optimizer as Settings, OptimizerKind};
use crate::{Error, Result};

mod inplace;

use inplace::{Decay, Power, Scatter, Update};

/// Adam (Kingma and Ba 2015) or `AdamW` (Loshchilov and Hutter 2019), as `torch.optim` has them.
///
/// A parameter without a gradient in a step is left alone; a row without one, in a row-sparse
/// gradient, has a gradient of zero: its moments decay and it still moves, as in dense Adam.
#[derive(Debug)]
pub struct Optimizer {
    settings: Settings,
    steps: u32,
    moments: BTreeMap<String, Moments>,
}

/// Running means of a parameter's gradients and of their squares.
#[derive(Debug, Clone)]
struct Moments {
    first: Var,
    second: Var,
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

    /// Moves every parameter that has a gradient.
    pub fn step(&mut self, vars: &BTreeMap<String, Var>, gradients: &Gradients) -> Result<()> {
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
                let moments = Moments { first: zeros()?, second: zeros()? };
                self.moments.insert(name.clone(), moments);
            }
            self.update(var, gradient, &self.moments[name])?;
        }
        Ok(())
    }

    fn update(&self, var: &Var, gradient: &Gradient, moments: &Moments) -> Result<()> {
        let Settings { kind, learning_rate, beta1, beta2, epsilon, weight_decay } = self.settings;
        let gradient = match (gradient, kind) {
            // PyTorch's Adam adds the decay to the gradient, which makes every row's dense.
            (gradient, OptimizerKind::Adam) if weight_decay > 0.0 => {
                let decay = (var.as_detached_tensor() * weight_decay)?;
                Gradient::Dense((dense(gradient, var)? + decay)?)
            }
            (gradient, _) => gradient.clone(),
        };
        let steps = f64::from(self.steps);
        let update = Update {
            step_size: learning_rate / (1.0 - beta1.powf(steps)),
            denominator_scale: 1.0 / (1.0 - beta2.powf(steps)).sqrt(),
            epsilon,
            shrink: match kind {
                OptimizerKind::Adam => 1.0,
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

    /// All moments, as `first.NAME` and `second.NAME`; with [`Self::steps`] the whole state.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let mut state = BTreeMap::new();
        for (name, Moments { first, second }) in &self.moments {
            state.insert(format!("first.{name}"), first.as_detached_tensor());
            state.insert(format!("second.{name}"), second.as_detached_tensor());
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
        for (name, var) in vars {
            let get = |which: &str| state.get(&format!("{which}.{name}"));
            let (Some(first), Some(second)) = (get("first"), get("second")) else {
                continue;
            };
            if first.dims() != var.dims() || second.dims() != var.dims() {
                return Err(Error::Run {
                    path: name.into(),
                    message: format!(
                        "moments of shape {:?} and {:?}; the parameter has {:?}",
                        first.dims(),
                        second.dims(),
                        var.dims()
                    ),
                });
            }
            let copy = |moment: &Tensor| Var::from_tensor(&moment.to_device(var.device())?);
            moments.insert(name.clone(), Moments { first: copy(first)?, second: copy(second)? });
        }
        if 2 * moments.len() != state.len() {
            return Err(Error::Run {
                path: "optimizer".into(),
                message: format!("{} moments for {} parameters", state.len(), moments.len()),
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
    Moments { first, second }: &Moments,
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
    Moments { first, second }: &Moments,
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
    Moments { first, second }: &Moments,
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
