//! `taper train`: the first screen, the run, and the final table.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use candle_core::Device;
use comfy_table::{Table, presets};
use serde_json::json;
use taper_train::{Error, Evaluation, Model, Outcome, Prepared, Recipe, Run, Summary, train};

use super::prepare;
use crate::args::TrainArgs;
use crate::console::{Console, harmless, print, thousands};

mod progress;
mod signals;

use progress::Progress;
use signals::Signals;

const UNKNOWN_VECTORS: &str = "the run is of a version that did not write down its word vectors: only its texts and tokens were compared";

pub(crate) fn run(args: &TrainArgs, data: &Path, console: &Console) -> Result<ExitCode> {
    let device = args.device.open()?;
    let (mut run, prepared) = if let Some(folder) = &args.resume {
        // The data first: without them nothing of the run is touched.
        match Run::open_to_train(folder, args.choice.prepared.as_deref()) {
            Ok(prepared) => {
                if Run::prepared_of(folder)?.vectors.is_none() {
                    console.say(None, UNKNOWN_VECTORS);
                }
                (resumed(folder, args, &device)?, prepared)
            }
            // Whatever is wrong with the run itself is told first.
            Err(error) => return Err(Run::recipe_of(folder).err().unwrap_or(error).into()),
        }
    } else {
        let recipe = prepare::recipe(&args.choice)?;
        let folder = args.out.clone().unwrap_or_else(|| free_folder(&args.choice));
        Run::check_free(&folder)?;
        Model::check_device(&recipe, &device)?;
        let prepared = prepare::run_stages(&args.choice, &recipe, data, console)?;
        (Run::create(&folder, &recipe, &prepared)?, prepared)
    };
    first_screen(&run, &prepared, &device, console)?;
    run.begin_session(crate::machine::session(&device));

    let signals = Signals::listen().context("cannot listen for signals")?;
    let mut progress = Progress::new(console, run.recipe());
    let checkpoint = args.checkpoint.as_deref();
    let outcome = train(&mut run, &prepared, &device, checkpoint, signals.stop(), &mut |event| {
        progress.hear(event);
    });
    progress.clear();
    match outcome? {
        Outcome::Finished(summary) => {
            report(&summary, args.json)?;
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Interrupted { checkpoint } => {
            let moved = args.choice.prepared.as_ref().filter(|_| args.resume.is_some());
            let moved = moved.map(|place| format!(" --prepared {}", place.display()));
            let message = format!(
                "interrupted after {checkpoint}; go on with `taper train --resume {}{}`",
                run.folder().display(),
                moved.unwrap_or_default()
            );
            console.say(None, &message);
            Ok(ExitCode::from(signals.exit_code()))
        }
    }
}

/// The run to go on with, by the recipe that stands in its folder or the one that the flags make of it.
fn resumed(folder: &Path, args: &TrainArgs, device: &Device) -> Result<Run> {
    let overrides = &args.choice.overrides;
    let recipe = match &args.choice.recipe {
        Some(recipe) => Recipe::load(recipe, overrides)?,
        None if overrides.is_empty() => Run::recipe_of(folder)?,
        None => {
            let own = Run::recipe_of(folder)?.to_toml()?;
            Recipe::parse(&own, &folder.join("recipe.toml").to_string_lossy(), overrides)?
        }
    };
    Model::check_device(&recipe, device)?;
    Ok(Run::open_changed(folder, &recipe, args.checkpoint.as_deref(), args.force)?)
}

/// `runs/NAME`, or the first `runs/NAME-N` that is not taken; the first that cannot be looked at, too.
fn free_folder(choice: &crate::args::RecipeChoice) -> PathBuf {
    let base = Path::new("runs").join(prepare::name(choice));
    let numbered =
        (2..).map(|number| base.with_file_name(format!("{}-{number}", prepare::name(choice))));
    let mut folders = std::iter::once(base.clone()).chain(numbered);
    let taken = |folder: &PathBuf| matches!(Run::check_free(folder), Err(Error::Run { .. }));
    folders.find(|folder| !taken(folder)).unwrap_or(base)
}

/// Device, data, sizes, parameters, and one review with its label.
fn first_screen(run: &Run, prepared: &Prepared, device: &Device, console: &Console) -> Result<()> {
    let manifest = prepared.manifest();
    let recipe = run.recipe();
    let parameters = run.model_config()?.parameters();
    console.say(None, &format!("run      {}", run.folder().display()));
    console.say(None, &format!("device   {}", describe(device)));
    console.say(None, &format!("data     {} ({})", manifest.dataset, manifest.source));
    let table = &recipe.model;
    let network = format!(
        "network  {} x {}LSTM of {}, vocabulary {}, {} parameters",
        table.num_layers,
        if table.bidirectional { "bidirectional " } else { "" },
        table.hidden_size,
        thousands(manifest.vocabulary as u64),
        thousands(parameters)
    );
    console.say(None, &network);
    console.say(None, &prepare::sizes(manifest));
    if let Some(record) = prepared.records("train", &[0])?.first() {
        let label = manifest.label_of(record).unwrap_or_else(|| "no label".to_owned());
        let mut text: String = record.text.chars().take(300).collect();
        if text.len() < record.text.len() {
            text.push('…');
        }
        let example = harmless(&format!("for example, {label}: {text}"));
        console.say(None, &format!("{example}\n"));
    }
    Ok(())
}

fn describe(device: &Device) -> String {
    match device {
        Device::Cpu => format!("cpu, {} threads", rayon::current_num_threads()),
        other => format!("{:?}", other.location()),
    }
}

fn report(summary: &Summary, json: bool) -> Result<()> {
    let Summary { run, seconds, best_epoch, test } = summary;
    if json {
        let test = test.as_ref().map(
            |Evaluation { rows, correct, accuracy, micro_f1, .. }| match micro_f1 {
                None => json!({"rows": rows, "correct": correct, "accuracy": accuracy}),
                Some(micro_f1) => {
                    json!({"rows": rows, "correct": correct, "accuracy": accuracy, "micro_f1": micro_f1})
                }
            },
        );
        let run = run.to_string_lossy();
        return print(
            json!({"run": run, "seconds": seconds, "best_epoch": best_epoch, "test": test}),
        );
    }
    if let Some(test) = test {
        print(table(&[("test", test.clone())]))?;
    }
    print(format_args!(
        "epoch {best_epoch}, {seconds:.1} s; the model and report.html are in {}",
        run.display()
    ))
}

/// Evaluations, a row each.
pub(crate) fn table(evaluations: &[(&str, Evaluation)]) -> Table {
    let mut table = plain_table();
    let micro_f1 = evaluations.iter().any(|(_, evaluation)| evaluation.micro_f1.is_some());
    let head = ["split", "texts", "correct", "accuracy", "mean of batches", "loss"];
    table.set_header(head.into_iter().chain(micro_f1.then_some("micro F1")));
    for (_, evaluation) in evaluations {
        let row = [
            evaluation.split.clone(),
            thousands(evaluation.rows),
            thousands(evaluation.correct),
            format!("{:.2} %", 100.0 * evaluation.accuracy),
            format!("{:.2} %", 100.0 * evaluation.mean_batch_accuracy),
            format!("{:.4}", evaluation.loss),
        ];
        table.add_row(row.into_iter().chain(evaluation.micro_f1.map(|f1| format!("{f1:.4}"))));
    }
    table
}

/// A table in plain characters, which also pastes into Markdown.
pub(crate) fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table
}
