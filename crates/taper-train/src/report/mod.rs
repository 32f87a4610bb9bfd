//! `report.html` and `plots/` of a run: how it was trained, how good it became, where it is wrong, and what it is made of.
//! One file that fetches nothing; written anew at any time, also for a run that is still in training.

mod cartography;
mod curves;
mod judged;
mod lineage;
mod page;
mod summary;
mod texts;

use std::fs;
use std::path::Path;

use crate::artifacts::Prepared;
use crate::assess::Assessment;
use crate::dynamics::{EpochDynamics, RowDynamics, summarise};
use crate::evaluate::Scored;
use crate::events::TrainEvent;
use crate::history::history;
use crate::model::ModelConfig;
use crate::plot::Scene;
use crate::run::PreparedReference;
use crate::{Error, Recipe, Result, Run, atomic};

const FILE: &str = "report.html";
const PLOTS: &str = "plots";

/// A finished model on the split that judges it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// All figures.
    pub assessment: Assessment,
    /// What it said of every row.
    pub scored: Scored,
}

/// A plot by its file's name, and what one should know to read it.
struct Plot {
    name: &'static str,
    scene: Scene,
    caption: &'static str,
}

/// All that a report is made from.
struct Material<'a> {
    run: &'a Path,
    recipe: Recipe,
    config: ModelConfig,
    reference: PreparedReference,
    prepared: Option<&'a Prepared>,
    judgement: Option<&'a Judgement>,
    events: Vec<TrainEvent>,
    dynamics: Vec<RowDynamics>,
    checkpoints: Vec<String>,
}

/// Writes the report of a run to `out`, or its own `report.html`, and the plots into `plots/` as SVG and PNG. Without the prepared
/// data there are no texts in it, without a judgement no figures of a finished model.
///
/// # Errors
/// A folder that is no run, a file in it that is damaged, or one that cannot be written.
pub fn write(
    run: &Path,
    prepared: Option<&Prepared>,
    judgement: Option<&Judgement>,
    out: Option<&Path>,
) -> Result<()> {
    let material = Material {
        run,
        recipe: Run::trained_by(run)?,
        config: ModelConfig::read(run)?,
        reference: Run::prepared_of(run)?,
        prepared,
        judgement,
        events: history(run)?,
        dynamics: summarise(&EpochDynamics::of_run(run)?),
        checkpoints: Run::checkpoints_of(run).names()?,
    };
    let curves = curves::plots(&material.events);
    let judged = judgement.map(judged::plots).unwrap_or_default();
    let maps = cartography::plots(&material.dynamics);
    let folder = run.join(PLOTS);
    fs::create_dir_all(&folder).map_err(Error::io(&folder, "create the folder"))?;
    for Plot { name, scene, .. } in curves.iter().chain(&judged).chain(&maps) {
        atomic::write(&folder.join(format!("{name}.svg")), scene.file().as_bytes())?;
        let path = folder.join(format!("{name}.png"));
        atomic::write(&path, &scene.png(&path)?)?;
    }
    let page = page::page(&material, &curves, &judged, &maps)?;
    atomic::write(out.unwrap_or(&run.join(FILE)), page.as_bytes())
}

/// `12345678` as `12,345,678`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// `1 h 2 min`, `3 min 4 s`, `5.6 s`.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}
