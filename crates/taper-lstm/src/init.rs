//! Trainable parameters: drawn from a seed by name, kept in the order of their names.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Shape, Tensor, Var, bail};
use candle_nn::init::{Init, NormalOrUniform};
use candle_nn::var_builder::{SimpleBackend, VarBuilder};

use crate::error::{Error, Result};
use crate::random::Philox;
use crate::weights;

/// The stream of random numbers that parameters are drawn from.
const STREAM: u32 = 0x1217;

/// The trainable parameters of a model, by PyTorch's names.
///
/// Where candle's `VarMap` draws from an unseeded generator and lists in the order of a hash map,
/// this draws every parameter from (seed, name) and lists by name: the same seed gives the same
/// bits, whatever order the layers are built in.
///
/// ```
/// use candle_core::{DType, Device};
/// use taper_lstm::{Lstm, LstmConfig, Parameters};
/// let parameters = Parameters::new(1);
/// let vb = parameters.var_builder(DType::F32, &Device::Cpu);
/// let lstm = Lstm::new(&LstmConfig::new(3, 5), &vb.pp("rnn"))?;
/// let names: Vec<String> = parameters.vars().into_keys().collect();
/// assert_eq!(names[0], "rnn.bias_hh_l0");
/// # Ok::<(), taper_lstm::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Parameters {
    seed: u64,
    vars: Arc<Mutex<BTreeMap<String, Var>>>,
}

impl Parameters {
    /// No parameters yet; layers add theirs when they are built with [`Self::var_builder`].
    pub fn new(seed: u64) -> Self {
        Self { seed, vars: Arc::default() }
    }

    /// What layers are built with.
    pub fn var_builder(&self, dtype: DType, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), dtype, device.clone())
    }

    /// All parameters, by name.
    pub fn vars(&self) -> BTreeMap<String, Var> {
        self.lock().clone()
    }

    /// Number of trainable scalars.
    pub fn count(&self) -> usize {
        self.lock().values().map(|var| var.elem_count()).sum()
    }

    /// Writes all parameters as safetensors under their names, atomically.
    pub fn save(&self, path: &Path) -> Result<()> {
        let tensors = self.vars().into_iter().map(|(name, var)| (name, var.as_detached_tensor()));
        weights::save(&tensors.collect(), path)
    }

    /// Sets every parameter from a safetensors file.
    ///
    /// # Errors
    /// If the file lacks a parameter, holds an unknown one, or one of another shape: all of them are
    /// named, and nothing is changed.
    pub fn load(&self, path: &Path) -> Result<()> {
        self.set(&weights::load(path)?).map_err(|problem| match problem {
            Error::Weights { problem, .. } => Error::Weights { path: path.to_owned(), problem },
            other => other,
        })
    }

    /// Sets every parameter from tensors of the same names and shapes.
    ///
    /// # Errors
    /// As [`Self::load`], with an empty path.
    pub fn set(&self, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
        let vars = self.lock();
        let mut problems = Vec::new();
        for (name, var) in vars.iter() {
            match tensors.get(name) {
                None => problems.push(format!("lacks {name} {:?}", var.dims())),
                Some(tensor) if tensor.dims() != var.dims() => problems.push(format!(
                    "has {name} of shape {:?} where the model has {:?}",
                    tensor.dims(),
                    var.dims()
                )),
                Some(_) => {}
            }
        }
        let unknown = tensors.keys().filter(|name| !vars.contains_key(*name));
        problems.extend(unknown.map(|name| format!("has {name}, which the model does not have")));
        if !problems.is_empty() {
            return Err(Error::Weights { path: "".into(), problem: problems.join("; ") });
        }
        for (name, var) in vars.iter() {
            if let Some(tensor) = tensors.get(name) {
                var.set(&tensor.to_device(var.device())?.to_dtype(var.dtype())?)?;
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Var>> {
        // The map is only ever inserted into: a panic elsewhere cannot have left it half-changed.
        self.vars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self, shape: &Shape, name: &str, init: Init) -> candle_core::Result<Vec<f64>> {
        let numbers = Philox::new(self.seed ^ name_key(name), STREAM, 0);
        let indices = 0..shape.elem_count() as u64;
        Ok(match init {
            Init::Const(value) => indices.map(|_| value).collect(),
            Init::Uniform { lo, up } => {
                indices.map(|i| lo + (up - lo) * numbers.uniform(i)).collect()
            }
            Init::Randn { mean, stdev } => {
                indices.map(|i| mean + stdev * numbers.normal(i)).collect()
            }
            Init::Kaiming { dist, fan, non_linearity } => {
                let std = non_linearity.gain() / (fan.for_shape(shape) as f64).sqrt();
                let init = match dist {
                    NormalOrUniform::Normal => Init::Randn { mean: 0.0, stdev: std },
                    NormalOrUniform::Uniform => {
                        let bound = 3f64.sqrt() * std;
                        Init::Uniform { lo: -bound, up: bound }
                    }
                };
                self.draw(shape, name, init)?
            }
        })
    }
}

/// FNV-1a, so that a parameter's numbers depend on its name alone.
fn name_key(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl SimpleBackend for Parameters {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        if let Some(var) = self.lock().get(name) {
            if var.shape() != &shape {
                bail!("parameter {name} exists with shape {:?}, not {shape:?}", var.dims());
            }
            return Ok(var.as_tensor().clone());
        }
        let values = Tensor::from_vec(self.draw(&shape, name, init)?, shape, &Device::Cpu)?;
        let var = Var::from_tensor(&values.to_dtype(dtype)?.to_device(device)?)?;
        let tensor = var.as_tensor().clone();
        self.lock().insert(name.to_owned(), var);
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        match self.lock().get(name) {
            Some(var) => Ok(var.as_tensor().clone()),
            None => bail!("there is no parameter {name} yet, and its shape is not known"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn draw(seed: u64, names: &[&str]) -> BTreeMap<String, Vec<f32>> {
        let parameters = Parameters::new(seed);
        let vb = parameters.var_builder(DType::F32, &Device::Cpu);
        for name in names {
            let init = Init::Uniform { lo: -0.5, up: 0.5 };
            vb.get_with_hints((4, 3), name, init).unwrap();
        }
        let vars = parameters.vars().into_iter();
        vars.map(|(name, var)| (name, var.flatten_all().unwrap().to_vec1().unwrap())).collect()
    }

    #[test]
    fn values_depend_on_seed_and_name_not_on_order() {
        assert_eq!(draw(1, &["a", "b"]), draw(1, &["b", "a"]));
        assert_ne!(draw(1, &["a"]), draw(2, &["a"]));
        let both = draw(1, &["a", "b"]);
        assert_ne!(both["a"], both["b"]);
        assert!(both["a"].iter().all(|v| (-0.5..0.5).contains(v)));
    }

    #[test]
    fn a_file_of_another_shape_changes_nothing() {
        let parameters = Parameters::new(1);
        let vb = parameters.var_builder(DType::F32, &Device::Cpu);
        vb.get((2, 2), "a").unwrap();
        vb.get(3, "b").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.safetensors");
        let tensors: BTreeMap<String, Tensor> = [("a", (2, 3)), ("c", (1, 1))]
            .map(|(name, shape)| {
                (name.to_owned(), Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap())
            })
            .into();
        weights::save(&tensors, &path).unwrap();
        let error = parameters.load(&path).unwrap_err().to_string();
        for part in ["model.safetensors", "a of shape [2, 3]", "[2, 2]", "lacks b [3]", "has c"] {
            assert!(error.contains(part), "{error:?} lacks {part:?}");
        }
        let a: Vec<f32> = parameters.vars()["a"].flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(a, [0.0; 4]);
    }
}
