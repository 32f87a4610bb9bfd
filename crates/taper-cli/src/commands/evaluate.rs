//! `taper evaluate`: how good a model is on a split, and where its errors are.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use candle_core::Device;
use comfy_table::Table;
use serde_json::json;
use taper_train::assess::{Assessment, Contamination, Slice, write_predictions};
use taper_train::metrics::Estimate;
use taper_train::model::ModelConfig;
use taper_train::{
    Evaluation, Inference, Model, Prepared, Quantization, Run, Scored, assess, score,
};

use super::figures::{self, shown};
use super::train::{plain_table, table};
use crate::args::EvaluateArgs;
use crate::console::{Console, thousands};
use crate::spare;

/// Texts at a time, where no recipe says how many.
pub(super) const BATCH_SIZE: usize = 32;

pub(crate) fn run(args: &EvaluateArgs, console: &Console) -> Result<ExitCode> {
    if let Some(path) = &args.predictions {
        spare::parts(path, &args.run)?;
        args.prepared.as_ref().map_or(Ok(()), |prepared| spare::parts(path, prepared))?;
    }
    let judged = Judged::new(
        &args.run,
        args.prepared.as_deref(),
        &args.split,
        &args.device.open()?,
        args.numbers.quantization(),
        console,
    )?;
    let Judged { config, prepared, evaluation, scored } = judged;
    let found = assess(&prepared, &config, evaluation, &scored, args.intervals.resampling())?;
    if let Some(path) = &args.predictions {
        write_predictions(path, &prepared, &config, &scored)?;
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        let mut figures = json!(found);
        if let Some(figures) = figures.as_object_mut() {
            figures.remove("mean_batch_accuracy");
        }
        writeln!(out, "{figures}")?;
    } else {
        writeln!(out, "{}", in_words(&found))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A run's model, and what it says of a split of its data.
pub(super) struct Judged {
    pub(super) config: ModelConfig,
    pub(super) prepared: Prepared,
    pub(super) evaluation: Evaluation,
    pub(super) scored: Scored,
}

impl Judged {
    pub(super) fn new(
        run: &Path,
        prepared: Option<&Path>,
        split: &str,
        device: &Device,
        quantization: Quantization,
        console: &Console,
    ) -> Result<Self> {
        let (model, _) = Model::open(run, device)?;
        let inference = Inference::new(&model, quantization)?;
        let prepared = match prepared {
            Some(folder) => Prepared::open(folder)?,
            None => Run::open_prepared(run)?,
        };
        model.config.check_data(&prepared)?;
        // An imported model has no recipe.
        let batch_size = if run.join("recipe.toml").is_file() {
            Run::trained_by(run)?.train.batch_size
        } else {
            BATCH_SIZE
        };
        let encoded = prepared.encoded(split)?;
        let bar = console.bar(encoded.len() as u64, "{msg} {wide_bar} {pos}/{len} {eta}");
        bar.set_message(format!("evaluating {split}"));
        let found = score(&inference, &encoded, split, batch_size, &mut |rows, _| {
            bar.set_position(rows);
            true
        })?;
        bar.finish_and_clear();
        // It is only ever stopped by `progress` saying so.
        let (evaluation, scored) = found.context("the evaluation was stopped")?;
        Ok(Self { config: model.config, prepared, evaluation, scored })
    }
}

fn in_words(found: &Assessment) -> String {
    let mut parts = vec![
        table(&[("split", found.evaluation.clone())]).to_string(),
        figures::table(&[("value", &found.figures)], found.resampling).to_string(),
        calibration(found),
        figures::classes(&found.figures).to_string(),
    ];
    let matrix = |confusion| match figures::matrix(confusion, &found.class_names) {
        Some(matrix) => matrix.to_string(),
        None => "the confusion matrix is too wide to show; --json has it".to_owned(),
    };
    parts.extend(found.confusion.as_ref().map(matrix));
    parts.push(slices("tokens", &found.by_length, |tokens| thousands(tokens as u64)).to_string());
    let share = |share: f64| format!("{:.1} %", 100.0 * share);
    parts.push(slices("unknown tokens", &found.by_unknown_share, share).to_string());
    parts.extend(found.contamination.map(|rows| contamination(&rows, found.evaluation.rows)));
    parts.join("\n\n")
}

/// A line: which temperature, and what it is good for.
fn calibration(found: &Assessment) -> String {
    if let Some(threshold) = found.threshold {
        return format!(
            "a text is given every label of a probability of at least {threshold}, and is correct if all are right"
        );
    }
    let Some((temperature, before)) = found.temperature.zip(found.without_temperature) else {
        return "probabilities as trained: no temperature".to_owned();
    };
    let change = |before: Option<f64>, after: Option<Estimate>| match before.zip(after) {
        Some((before, after)) => format!("{before:.4} -> {:.4}", after.value),
        None => "-".to_owned(),
    };
    format!(
        "temperature {temperature:.3} (from validation): log loss {}, Brier score {}, calibration error {}",
        change(before.log_loss, found.figures.log_loss),
        change(before.brier, found.figures.brier),
        change(before.calibration_error, found.figures.calibration_error),
    )
}

fn slices(what: &str, slices: &[Slice], value: impl Fn(f64) -> String) -> Table {
    let mut table = plain_table();
    table.set_header([what, "texts", "correct", "accuracy"]);
    for slice in slices {
        table.add_row([
            format!("{} to {}", value(slice.from), value(slice.to)),
            thousands(slice.rows),
            thousands(slice.correct),
            shown(Some(slice.accuracy)),
        ]);
    }
    table
}

fn contamination(rows: &Contamination, total: u64) -> String {
    let Contamination { identical, near, contaminated, clean } = rows;
    if identical + near == 0 {
        return "no text of the split is in train, identical or nearly so".to_owned();
    }
    let mut table = plain_table();
    table.set_header(["text in train", "texts", "accuracy"]);
    let count = format!("{} + {}", thousands(*identical), thousands(*near));
    table.add_row(["identical + nearly".to_owned(), count, shown(*contaminated)]);
    table.add_row(["no".to_owned(), thousands(total - identical - near), shown(*clean)]);
    table.to_string()
}
