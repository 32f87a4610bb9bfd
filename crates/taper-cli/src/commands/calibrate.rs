//! `taper calibrate`: a run's temperature, fitted again.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use taper_train::calibrate::{Fit, VALIDATION};
use taper_train::{DeviceChoice, Inference, Model, Prepared, Quantization, Run, calibrate};

use super::evaluate::BATCH_SIZE;
use crate::console::{Console, print, thousands};

#[derive(Debug, clap::Args)]
pub(crate) struct CalibrateArgs {
    /// A run's folder, or an imported model; its config.json gets the temperature.
    pub(crate) run: PathBuf,

    /// Prepared data, if it is no longer where the run was trained, or there was none.
    #[arg(long, value_name = "DIR")]
    pub(crate) prepared: Option<PathBuf>,

    /// Where to compute: auto, cpu, cuda or cuda:N.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub(crate) device: DeviceChoice,

    /// Prints the outcome as one line of JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: &CalibrateArgs, console: &Console) -> Result<ExitCode> {
    // Locked, so that no training writes beside it. An imported model has no recipe, and no training.
    let is_run = args.run.join("recipe.toml").is_file();
    let run = if is_run { Some(Run::open(&args.run)?) } else { None };
    let (model, _) = Model::open(&args.run, &args.device.open()?)?;
    let inference = Inference::new(&model, Quantization::F32)?;
    let prepared = match &args.prepared {
        Some(folder) => Prepared::open(folder)?,
        None => Run::open_prepared(&args.run)?,
    };
    if !prepared.manifest().splits.contains_key(VALIDATION) {
        bail!(
            "{}: no validation split to fit a temperature on; `data.hold_out` takes one from train",
            prepared.folder().display()
        );
    }
    let bar = console.bar(0, "{msg} {wide_bar} {pos}/{len} {eta}");
    bar.set_message("calibrating");
    let batch_size = run.as_ref().map_or(BATCH_SIZE, |run| run.recipe().train.batch_size);
    let done = calibrate(&args.run, &inference, &prepared, batch_size, &mut |rows, total| {
        bar.set_length(total);
        bar.set_position(rows);
        true
    })?;
    bar.finish_and_clear();
    // It is only ever stopped by `progress` saying so.
    let done = done.context("the calibration was stopped")?;
    if args.json {
        print(json!(done))?;
        return Ok(ExitCode::SUCCESS);
    }
    match done.temperature {
        Some(temperature) => print(format_args!("temperature {temperature:.3}"))?,
        None => print("no temperature fits; probabilities stay as trained")?,
    }
    for (what, fit) in [("before", done.before), ("after", done.after)] {
        let Some(Fit { log_loss: Some(loss), brier: Some(brier), calibration_error: Some(error) }) =
            fit
        else {
            continue;
        };
        let rows = thousands(done.rows as u64);
        print(format_args!(
            "{what:6} log loss {loss:.4}, Brier score {brier:.4}, calibration error {error:.4} ({rows} texts of \
             validation)"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
