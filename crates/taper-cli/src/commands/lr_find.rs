//! `taper lr-find`: a learning rate by trial.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use taper_train::{DeviceChoice, Model, RatePoint, RateRange, find_rate};

use super::prepare;
use super::train::plain_table;
use crate::args::RecipeChoice;
use crate::console::{Console, print};

#[derive(Debug, clap::Args)]
pub(crate) struct LrFindArgs {
    #[command(flatten)]
    choice: RecipeChoice,

    /// Where to compute: auto, cpu, cuda or cuda:N.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceChoice,

    /// The first, smallest rate.
    #[arg(long, default_value_t = 1e-5, value_name = "RATE")]
    from: f64,

    /// The last, largest rate.
    #[arg(long, default_value_t = 1.0, value_name = "RATE")]
    to: f64,

    /// Steps between them.
    #[arg(long, default_value_t = 100, value_name = "N")]
    steps: u32,

    /// Writes the losses over the rates as a plot, too.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Prints every step as one JSON document.
    #[arg(long)]
    json: bool,
}

/// Rows of the table that is printed, but for that of the lowest loss where it is none of them.
const SHOWN: usize = 20;

pub(crate) fn run(args: &LrFindArgs, data: &Path, console: &Console) -> Result<ExitCode> {
    let device = args.device.open()?;
    let recipe = prepare::recipe(&args.choice)?;
    Model::check_device(&recipe, &device)?;
    let prepared = prepare::run_stages(&args.choice, &recipe, data, console)?;
    let range = RateRange { from: args.from, to: args.to, steps: args.steps };
    let bar = console.bar(u64::from(args.steps), "{wide_bar} {pos}/{len} {msg}");
    let trial = find_rate(&recipe, &prepared, &device, range, &mut |point: &RatePoint| {
        bar.inc(1);
        bar.set_message(format!("rate {:.1e}  loss {:.4}", point.rate, point.smoothed));
        true
    })?;
    bar.finish_and_clear();
    if let Some(path) = &args.svg {
        trial.write_svg(path)?;
    }
    if args.json {
        print(serde_json::to_string(&trial)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = plain_table();
    table.set_header(["learning rate", "loss", "smoothed"]);
    let (every, lowest) = (trial.points.len().div_ceil(SHOWN).max(1), trial.lowest());
    for (number, point) in trial.points.iter().enumerate() {
        if !number.is_multiple_of(every) && Some(number) != lowest {
            continue;
        }
        let RatePoint { rate, loss, smoothed } = point;
        table.add_row([format!("{rate:.2e}"), format!("{loss:.4}"), format!("{smoothed:.4}")]);
    }
    print(&table)?;
    match (trial.steepest, trial.lowest_tenth) {
        (Some(steepest), Some(tenth)) => print(format_args!(
            "the loss fell fastest at {steepest:.1e}; a tenth of where it was lowest (the first tenth of the steps left out) is {tenth:.1e}: try a rate \
             between the two (`--set train.optimizer.learning_rate={steepest:.1e}`)"
        ))?,
        _ => print(
            "after the first tenth of the steps the smoothed loss fell no further than by chance, so there is no rate to advise: try others (`--from`, `--to`) \
             or more steps (`--steps`)",
        )?,
    }
    Ok(ExitCode::SUCCESS)
}
