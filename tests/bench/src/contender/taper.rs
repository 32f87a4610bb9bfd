//! Taper: its own training step and its own inference, on packed batches; in f32, and in 8 bits.

use std::time::Instant;

use anyhow::Result;
use candle_core::Device;
use taper_lstm::TokenBatch;
use taper_train::loss::Objective;
use taper_train::model::{Model, ModelConfig, Specials};
use taper_train::optimizer::Optimizer;
use taper_train::recipe::{self, Activations};
use taper_train::step::{LabelledBatch, step};
use taper_train::{Inference, Quantization, Recipe};

use super::{Contender, TAPER, Task};
use crate::args::Precision;
use crate::shape::TUTORIAL;
use crate::workload::{Workload, tutorial};

pub(super) struct Taper {
    model: Model,
    /// With the weights from before all training: their values cost nobody anything.
    inference: Inference,
    optimizer: Optimizer,
    recipe: Recipe,
    device: Device,
    batches: Vec<LabelledBatch>,
}

impl Taper {
    pub(super) fn new(
        workload: &Workload,
        device: &Device,
        recompute: bool,
        precision: Precision,
    ) -> Result<Self> {
        let activations = if recompute { "recompute" } else { "keep" };
        let precision = match precision {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        };
        let recipe = tutorial(&[
            "train.clip_norm=none",
            &format!("train.activations={activations}"),
            &format!("train.precision={precision}"),
        ])?;
        let config = ModelConfig {
            format: ModelConfig::FORMAT,
            taper: env!("CARGO_PKG_VERSION").into(),
            class_names: vec!["neg".into(), "pos".into()],
            vocabulary_size: workload.vocabulary,
            dimensions: TUTORIAL.input_size,
            specials: Specials::default(),
            max_length: None,
            truncate: recipe.train.truncate,
            model: recipe.model.clone(),
            tokenizer_blake3: String::new(),
            temperature: None,
            threshold: None,
            weights_blake3: None,
        };
        let model = Model::for_training(config, &recipe, None, device)?;
        Ok(Self {
            inference: Inference::new(&model, Quantization::F32)?,
            model,
            optimizer: Optimizer::new(&recipe.train.optimizer),
            device: device.clone(),
            batches: packed(workload)?,
            recipe,
        })
    }
}

/// The workload's batches as Taper takes them.
fn packed(workload: &Workload) -> Result<Vec<LabelledBatch>> {
    let batches = workload.batches.iter().map(|batch| {
        let texts: Vec<&[u32]> = batch.texts.iter().map(Vec::as_slice).collect();
        Ok(LabelledBatch { tokens: TokenBatch::new(&texts)?, labels: batch.labels.clone() })
    });
    batches.collect()
}

impl Contender for Taper {
    fn name(&self) -> &str {
        TAPER
    }

    fn about(&self) -> String {
        let activations = match self.recipe.train.activations {
            Activations::Keep => "kept",
            Activations::Recompute => "recomputed",
        };
        let precision = match self.recipe.train.precision {
            recipe::Precision::F32 => "f32",
            recipe::Precision::Bf16 => "bf16",
        };
        let version = env!("CARGO_PKG_VERSION");
        format!("Taper {version}, packed, activations {activations}, {precision}")
    }

    fn run(&mut self, task: Task, batch: usize) -> Result<Option<f64>> {
        let batch = &self.batches[batch];
        self.device.synchronize()?;
        let start = Instant::now();
        match task {
            Task::Train => {
                let (model, objective) = (&self.model, Objective::default());
                let batch = std::slice::from_ref(batch);
                step(model, &mut self.optimizer, &self.recipe, &objective, batch, 1.0)?;
            }
            Task::Infer => {
                self.inference.logits(&batch.tokens)?.to_vec2::<f32>()?;
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
    batches: Vec<LabelledBatch>,
}

impl TaperInt8 {
    pub(super) fn new(workload: &Workload) -> Result<Self> {
        let batches = packed(workload)?;
        let Taper { model, .. } = Taper::new(workload, &Device::Cpu, false, Precision::F32)?;
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
                self.inference.logits(&self.batches[batch].tokens)?.to_vec2::<f32>()?;
                Some(start.elapsed().as_secs_f64())
            }
        })
    }
}
