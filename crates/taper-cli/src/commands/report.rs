//! `taper report`: a run's page and plots, written anew.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use taper_train::metrics::Resampling;
use taper_train::report::{self, Judgement};
use taper_train::{DeviceChoice, Prepared, Quantization, Run, assess};

use super::evaluate::Judged;
use crate::console::{Console, print};
use crate::spare;

#[derive(Debug, clap::Args)]
pub(crate) struct ReportArgs {
    /// A run's folder; it may still be in training.
    pub(crate) run: PathBuf,

    /// The page. [default: RUN/report.html]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// Prepared data, if it is no longer where the run was trained.
    #[arg(long, value_name = "DIR")]
    pub(crate) prepared: Option<PathBuf>,

    /// Where to compute: auto, cpu, cuda or cuda:N.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub(crate) device: DeviceChoice,
}

pub(crate) fn run(args: &ReportArgs, console: &Console) -> Result<ExitCode> {
    args.out.as_ref().map_or(Ok(()), |out| spare::parts(out, &args.run))?;
    let recipe = Run::trained_by(&args.run)?;
    let opened = match &args.prepared {
        Some(folder) => Prepared::open(folder),
        None => Run::open_prepared(&args.run),
    };
    let prepared = match opened {
        Ok(prepared) => Some(prepared),
        Err(error) if args.prepared.is_none() => {
            console.say(None, &format!("without texts and figures of the model: {error}"));
            None
        }
        Err(error) => return Err(error.into()),
    };
    // The card is the last thing that training writes before the report.
    let finished = args.run.join("README.md").is_file();
    let judgement = match prepared.as_ref().filter(|_| finished) {
        Some(data) => {
            let splits = &data.manifest().splits;
            let tested = splits.get("test").is_some_and(|split| split.unlabelled < split.rows);
            let split = if tested { "test" } else { recipe.train.evaluate_on.split() };
            let judged = Judged::new(
                &args.run,
                Some(data.folder()),
                split,
                &args.device.open()?,
                Quantization::F32,
                console,
            )?;
            let Judged { config, evaluation, scored, .. } = judged;
            let assessment = assess(data, &config, evaluation, &scored, Resampling::default())?;
            Some(Judgement { assessment, scored })
        }
        None => None,
    };
    report::write(&args.run, prepared.as_ref(), judgement.as_ref(), args.out.as_deref())?;
    let page = args.out.clone().unwrap_or_else(|| args.run.join("report.html"));
    print(page.display())?;
    Ok(ExitCode::SUCCESS)
}
