//! A running mean of a model's weights: judged and saved in their place, since it forgets the noise of single steps.

use std::collections::BTreeMap;

use candle_core::{CpuStorage, InplaceOp2, Layout, Var, bail};
use rayon::prelude::*;

use crate::Result;
use crate::model::Model;

/// Weights that follow another model's: `a <- d a + (1 - d) w` after every step, where `d` is the decay, or
/// `(1 + t) / (10 + t)` until step `t` makes that larger (as TensorFlow's `ExponentialMovingAverage` has it).
#[derive(Debug)]
pub struct Average {
    /// The model with the averaged weights.
    pub model: Model,
    decay: f64,
}

/// Elements that a task of the thread pool takes at a time.
const PIECE: usize = 1 << 14;

impl Average {
    /// Starts at the weights of `model`, a copy of its own.
    pub fn new(model: Model, decay: f64) -> Self {
        Self { model, decay }
    }

    /// Follows `vars`, which have taken `steps` steps.
    pub fn follow(&self, vars: &BTreeMap<String, Var>, steps: u32) -> Result<()> {
        let steps = f64::from(steps);
        let keep = self.decay.min((1.0 + steps) / (10.0 + steps));
        for (name, own) in self.model.vars() {
            if let Some(var) = vars.get(&name) {
                let weights = var.as_detached_tensor();
                if own.device().is_cpu() {
                    own.inplace_op2(&weights, &Lerp { keep })?;
                } else {
                    own.set(&((own.as_detached_tensor() * keep)? + (weights * (1.0 - keep))?)?)?;
                }
            }
        }
        Ok(())
    }
}

/// `a = keep * a + (1 - keep) * w`
struct Lerp {
    keep: f64,
}

impl InplaceOp2 for Lerp {
    fn name(&self) -> &'static str {
        "running-mean"
    }

    fn cpu_fwd(
        &self,
        average: &mut CpuStorage,
        l1: &Layout,
        weights: &CpuStorage,
        l2: &Layout,
    ) -> candle_core::Result<()> {
        let (Some((a1, b1)), Some((a2, b2))) = (l1.contiguous_offsets(), l2.contiguous_offsets())
        else {
            bail!("the running mean takes contiguous tensors");
        };
        let CpuStorage::F32(average) = average else { bail!("the running mean takes f32") };
        let (keep, take) = (self.keep as f32, (1.0 - self.keep) as f32);
        let weights = weights.as_slice::<f32>()?[a2..b2].par_chunks(PIECE);
        average[a1..b1].par_chunks_mut(PIECE).zip(weights).for_each(|(average, weights)| {
            for (a, &w) in average.iter_mut().zip(weights) {
                *a = keep * *a + take * w;
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Recipe;
    use crate::model::ModelConfig;
    use candle_core::Device;

    #[test]
    fn follows_slower_and_slower() {
        let recipe = Recipe::load("quickstart", &["model.hidden_size=2".into()]).unwrap();
        let config = ModelConfig::of_recipe(
            &recipe,
            &["no".into(), "yes".into()],
            5,
            taper_text::Specials::default(),
            String::new(),
        );
        let leader = Model::new(config.clone(), 1, None, &Device::Cpu).unwrap();
        let average = Average::new(Model::new(config, 1, None, &Device::Cpu).unwrap(), 0.5);
        let vars = leader.vars();
        let value = |model: &Model| -> f32 { model.vars()["fc.bias"].to_vec1::<f32>().unwrap()[0] };
        let (mut expected, bias) = (value(&leader), vars["fc.bias"].clone());
        for (steps, keep) in [(1, 2.0 / 11.0), (2, 3.0 / 12.0), (100, 0.5)] {
            bias.set(&(bias.as_detached_tensor() + 1.0).unwrap()).unwrap();
            average.follow(&vars, steps).unwrap();
            expected = keep * expected + (1.0 - keep) * value(&leader);
            assert!((value(&average.model) - expected).abs() < 1e-6);
        }
    }
}
