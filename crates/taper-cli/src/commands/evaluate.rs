//! `taper evaluate`: how often a model is right on a split.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;
use taper_train::{Inference, Model, Prepared, Run, evaluate};

use super::train::table;
use crate::args::EvaluateArgs;
use crate::console::Console;

/// Texts at a time, where no recipe says how many.
const BATCH_SIZE: usize = 32;

pub(crate) fn run(args: &EvaluateArgs, console: &Console) -> Result<ExitCode> {
    let (model, _) = Model::open(&args.run, &args.device.open()?)?;
    let inference = Inference::new(&model, args.numbers.quantization())?;
    let prepared = match &args.prepared {
        Some(folder) => Prepared::open(folder)?,
        None => Run::open_prepared(&args.run)?,
    };
    // An imported model has no recipe.
    let batch_size = if args.run.join("recipe.toml").is_file() {
        Run::recipe_of(&args.run)?.train.batch_size
    } else {
        BATCH_SIZE
    };
    let split = prepared.encoded(&args.split)?;
    let bar = console.bar(split.len() as u64, "{msg} {wide_bar} {pos}/{len} {eta}");
    bar.set_message(format!("evaluating {}", args.split));
    let evaluation = evaluate(&inference, &split, &args.split, batch_size, &mut |rows, _| {
        bar.set_position(rows);
        true
    })?;
    bar.finish_and_clear();
    // It is only ever stopped by `progress` saying so.
    let Some(evaluation) = evaluation else {
        return Ok(ExitCode::FAILURE);
    };
    if args.json {
        let mut figures = json!(evaluation);
        if let Some(figures) = figures.as_object_mut() {
            figures.remove("mean_batch_accuracy");
        }
        println!("{figures}");
    } else {
        println!("{}", table(&[("split", evaluation)]));
    }
    Ok(ExitCode::SUCCESS)
}
