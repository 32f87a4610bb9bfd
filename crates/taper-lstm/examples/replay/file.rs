//! The file a network and a batch are read from: every complaint names what it is about.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use candle_core::safetensors::Load;
use candle_core::{Device, Tensor, Var};
use safetensors::{Dtype, SafeTensors};

use crate::Result;

/// What was read, and which names were asked for.
pub(crate) struct File<'a> {
    tensors: SafeTensors<'a>,
    metadata: HashMap<String, String>,
    pub(crate) device: Device,
    asked: RefCell<BTreeSet<String>>,
}

impl<'a> File<'a> {
    pub(crate) fn new(bytes: &'a [u8], device: &Device) -> Result<Self> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        Ok(Self {
            tensors: SafeTensors::deserialize(bytes)?,
            metadata: header.metadata().clone().unwrap_or_default(),
            device: device.clone(),
            asked: RefCell::default(),
        })
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(|value| value.trim())
    }

    /// A number of the metadata. Numbers of 32 bits: no product of two of them overflows.
    pub(crate) fn number(&self, key: &str) -> Result<usize> {
        let value = self.text(key).ok_or(format!("the metadata lacks {key}"))?;
        let number: u32 = value
            .parse()
            .map_err(|_| format!("the metadata's {key} is {value:?}; expected a number"))?;
        Ok(number as usize)
    }

    pub(crate) fn flag(&self, key: &str) -> Result<bool> {
        match self.text(key).unwrap_or_default().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Ok(true),
            "false" | "0" | "no" | "none" | "" => Ok(false),
            value => {
                Err(format!("the metadata's {key} is {value:?}; expected true or false").into())
            }
        }
    }

    pub(crate) fn has_any(&self, prefix: &str) -> bool {
        self.tensors.names().into_iter().any(|name| name.starts_with(prefix))
    }

    /// A tensor of this type, if the file has it.
    pub(crate) fn get(&self, name: &str, dtype: Dtype) -> Result<Option<Tensor>> {
        self.asked.borrow_mut().insert(name.to_owned());
        let Ok(view) = self.tensors.tensor(name) else {
            return Ok(None);
        };
        if view.dtype() != dtype {
            return Err(format!("{name} is {:?}; expected {dtype:?}", view.dtype()).into());
        }
        Ok(Some(view.load(&self.device)?))
    }

    /// An f32 tensor of this shape, if the file has it.
    pub(crate) fn optional(&self, name: &str, shape: &[usize]) -> Result<Option<Tensor>> {
        let tensor = self.get(name, Dtype::F32)?;
        match tensor {
            Some(tensor) if tensor.dims() != shape => {
                Err(format!("{name} has shape {:?}; expected {shape:?}", tensor.dims()).into())
            }
            tensor => Ok(tensor),
        }
    }

    pub(crate) fn weight(&self, name: String, shape: &[usize]) -> Result<(String, Var)> {
        let tensor =
            self.optional(&name, shape)?.ok_or(format!("lacks the tensor {name} {shape:?}"))?;
        Ok((name, Var::from_tensor(&tensor)?))
    }

    /// A parameter that is there and was not asked for tells of another network.
    pub(crate) fn check_unasked(&self) -> Result<()> {
        let given = ["weight_", "bias_", "h0", "c0", "grad_"];
        let asked = self.asked.borrow();
        let names = self.tensors.names().into_iter().filter(|name| {
            given.iter().any(|prefix| name.starts_with(prefix)) && !asked.contains(*name)
        });
        match names.min() {
            Some(name) => Err(format!("has {name}, which a network of this shape has not").into()),
            None => Ok(()),
        }
    }
}
