//! `taper export`: a model as an ONNX graph.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use candle_core::Device;
use taper_train::{Model, onnx};

use crate::console::print;
use crate::spare;

/// What to write, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    /// A run's folder, or a model directory.
    run: PathBuf,

    /// The file to write. The graph takes padded token ids and lengths, and gives logits and probabilities; of a model that
    /// reads padding (`model.padding = "tutorial"`) it takes the ids alone. Texts are cut into tokens with tokenizer.json
    /// before. A length is 1 or more: a text without tokens is sent as one unknown word (`unknown_id` in the graph's
    /// metadata) of length 1, and of length 0 its logits are NaN.
    #[arg(long, value_name = "FILE")]
    onnx: PathBuf,
}

pub(crate) fn run(args: &ExportArgs) -> Result<ExitCode> {
    spare::parts(&args.onnx, &args.run)?;
    let (model, _) = Model::open(&args.run, &Device::Cpu)?;
    onnx::export(&model, &args.onnx)?;
    print(args.onnx.display())?;
    Ok(ExitCode::SUCCESS)
}
