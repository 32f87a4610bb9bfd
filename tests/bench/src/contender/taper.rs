//! Taper: its own training step and its own inference, on packed batches; in f32, and in 8 bits.

use std::rc::Rc;
use std::time::Instant;

use anyhow::Result;
use candle_core::Device;
use taper_lstm::TokenBatch;
use taper_train::model::{Model, ModelConfig, Specials};
use taper_train::optimizer::Optimizer;
use taper_train::step::step;
use taper_train::{Inference, Quantization, Recipe};

use super::{Contender, TAPER, Task};
use crate::shape::TUTORIAL;
use crate::workload::{Workload, tutorial};

pub(super) struct Taper {
    model: Model,
    /// With the weights from before all training: their values cost nobody anything.
    inference: Inference,
    optimizer: Optimizer,
    recipe: Recipe,
    device: Device,
    batches: Vec<TokenBatch>,
    workload: Rc<Workload>,
}

impl Taper {
    pub(super) fn new(workload: Rc<Workload>, device: &Device) -> Result<Self> {
        let recipe = tutorial(&["train.clip_norm=none"])?;
        let config = ModelConfig {
            format: ModelConfig::FORMAT,
            taper: env!("CARGO_PKG_VERSION").into(),
            class_names: vec!["neg".into(), "pos".into()],
            vocabulary_size: workload.vocabulary,
            dimensions: TUTORIAL.input_size,
            specials: Specials::default(),
            max_length: None,
            model: recipe.model.clone(),
            tokenizer_blake3: String::new(),
        };
        let model = Model::new(config, recipe.seed, None, device)?;
        Ok(Self {
            inference: Inference::new(&model, Quantization::F32)?,
            model,
            optimizer: Optimizer::new(&recipe.train.optimizer),
            device: device.clone(),
            batches: packed(&workload)?,
            recipe,
            workload,
        })
    }
}

/// The workload's batches as Taper takes them.
fn packed(workload: &Workload) -> Result<Vec<TokenBatch>> {
    let batches = workload.batches.iter().map(|batch| {
        let texts: Vec<&[u32]> = batch.texts.iter().map(Vec::as_slice).collect();
        Ok(TokenBatch::new(&texts)?)
    });
    batches.collect()
}

impl Contender for Taper {
    fn name(&self) -> &str {
        TAPER
    }

    fn about(&self) -> String {
        format!("Taper {}, packed", env!("CARGO_PKG_VERSION"))
    }

    fn run(&mut self, task: Task, batch: usize) -> Result<Option<f64>> {
        let (tokens, labels) = (&self.batches[batch], &self.workload.batches[batch].labels);
        self.device.synchronize()?;
        let start = Instant::now();
        match task {
            Task::Train => {
                step(&self.model, &mut self.optimizer, &self.recipe, tokens, labels)?;
            }
            Task::Infer => {
                self.inference.logits(tokens)?.to_vec2::<f32>()?;
            }
        }
        self.device.synchronize()?;
        Ok(Some(start.elapsed().as_secs_f64()))
    }
}

/// The name that inference in 8 bits is chosen by.
pub(super) const INT8: &str = "taper-int8";

/// Inference with weights of 8 bits.
pub(super) struct TaperInt8 {
    inference: Inference,
    batches: Vec<TokenBatch>,
}

impl TaperInt8 {
    pub(super) fn new(workload: Rc<Workload>) -> Result<Self> {
        let batches = packed(&workload)?;
        let Taper { model, .. } = Taper::new(workload, &Device::Cpu)?;
        Ok(Self { inference: Inference::new(&model, Quantization::Int8)?, batches })
    }
}

impl Contender for TaperInt8 {
    fn name(&self) -> &str {
        INT8
    }

    fn about(&self) -> String {
        format!("Taper {}, packed, weights of 8 bits", env!("CARGO_PKG_VERSION"))
    }

    fn run(&mut self, task: Task, batch: usize) -> Result<Option<f64>> {
        let start = Instant::now();
        Ok(match task {
            Task::Train => None,
            Task::Infer => {
                self.inference.logits(&self.batches[batch])?.to_vec2::<f32>()?;
                Some(start.elapsed().as_secs_f64())
            }
        })
    }
}
