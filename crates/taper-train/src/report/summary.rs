//! Tables of figures: of the finished model, of its classes and slices, and of the epochs.

use std::fmt::Write as _;

use super::{Judgement, Material, duration, percent, thousands};
use crate::assess::{Contamination, Slice};
use crate::events::TrainEvent;
use crate::html::{Table, escape};
use crate::metrics::Estimate;

/// `0.8620 (0.8400 – 0.8830)`; a dash where the figure is undefined.
fn shown(estimate: Option<Estimate>) -> String {
    let Some(Estimate { value, low, high }) = estimate else { return "–".to_owned() };
    match low.zip(high) {
        Some((low, high)) => format!("{value:.4} ({low:.4}\u{a0}–\u{a0}{high:.4})"),
        None => format!("{value:.4}"),
    }
}

/// The figures that sum a run up.
pub(super) fn headline(material: &Material, page: &mut String) {
    let Some(Judgement { assessment, scored }) = material.judgement else {
        page.push_str(
            "<p>The run is not finished, or its model or data are not at hand: there are no figures of a finished model yet.</p>\n",
        );
        return;
    };
    let figures = &assessment.figures;
    let interval = match assessment.resampling.resamples {
        0 => String::new(),
        _ => format!(" ({:.0} % interval)", 100.0 * assessment.resampling.confidence),
    };
    let _ = writeln!(
        page,
        "<p>The model on the {} texts of <b>{}</b>, {} of them right. Intervals are bootstrapped over the texts.</p>",
        thousands(scored.rows.len() as u64),
        escape(&scored.split),
        thousands(assessment.evaluation.correct)
    );
    let mut table = Table::new(&["figure", &format!("value{interval}")]);
    let multi_label = assessment.threshold.is_some();
    for (name, estimate, is_of_labels) in [
        ("accuracy", figures.accuracy, true),
        ("macro F1", figures.macro_average.f1, true),
        ("Matthews' correlation", figures.matthews, false),
        ("ROC-AUC", figures.roc_auc, true),
        ("average precision", figures.average_precision, true),
        ("log loss (nats)", figures.log_loss, true),
        ("Brier score", figures.brier, true),
        ("expected calibration error", figures.calibration_error, false),
    ] {
        if is_of_labels || !multi_label {
            table.row(name, &[shown(estimate)]);
        }
    }
    if multi_label {
        table.row("micro F1", &[shown(figures.micro_average.f1)]);
        table.row("Hamming loss", &[shown(figures.hamming_loss)]);
    }
    page.push_str(&table.finish());
    if let Some(threshold) = assessment.threshold {
        let _ = writeln!(
            page,
            "<p>A text has any number of labels: those of a probability of at least {threshold}. It is right, and counts \
             for accuracy, where all are.</p>"
        );
    }
    if let Some(temperature) = assessment.temperature {
        let _ = writeln!(
            page,
            "<p>Probabilities are at the temperature {temperature:.3} that was fitted on validation.</p>"
        );
    }
}

/// Classes and slices.
pub(super) fn details(judgement: &Judgement, page: &mut String) {
    let assessment = &judgement.assessment;
    page.push_str("<h3>Classes</h3>\n");
    let mut table = Table::new(&[
        "class",
        "texts",
        "precision",
        "recall",
        "F1",
        "ROC-AUC",
        "average precision",
    ]);
    for class in &assessment.figures.classes {
        let figures =
            [class.precision, class.recall, class.f1, class.roc_auc, class.average_precision];
        let mut cells = vec![thousands(class.support)];
        cells.extend(figures.map(shown));
        table.row(&class.class, &cells);
    }
    page.push_str(&table.finish());
    page.push_str("<h3>Accuracy by length</h3>\n");
    page.push_str(&slices("tokens", &assessment.by_length, |tokens| thousands(tokens as u64)));
    page.push_str("<h3>Accuracy by share of unknown tokens</h3>\n");
    page.push_str(&slices("unknown", &assessment.by_unknown_share, percent));
    if let Some(Contamination { identical, near, contaminated, clean }) = assessment.contamination {
        page.push_str("<h3>Texts that train has, too</h3>\n");
        let mut table = Table::new(&["texts", "number", "accuracy"]);
        let both = thousands(identical + near);
        table.row("in train, or nearly so", &[both, shown(contaminated)]);
        let others = assessment.evaluation.rows.saturating_sub(identical + near);
        table.row("all others", &[thousands(others), shown(clean)]);
        page.push_str(&table.finish());
    }
}

fn slices(what: &str, slices: &[Slice], value: impl Fn(f64) -> String) -> String {
    let mut table = Table::new(&[what, "texts", "right", "accuracy"]);
    for slice in slices {
        let range = format!("{} to {}", value(slice.from), value(slice.to));
        let counts = [thousands(slice.rows), thousands(slice.correct), shown(Some(slice.accuracy))];
        table.row(&range, &counts);
    }
    table.finish()
}

/// A row an epoch.
pub(super) fn epochs(material: &Material, page: &mut String) {
    let mut table = Table::new(&["epoch", "split", "loss", "accuracy", "tokens/s", "time", ""]);
    for event in &material.events {
        match event {
            TrainEvent::EpochFinished { epoch, loss, accuracy, tokens, seconds, .. } => {
                let speed = thousands((*tokens as f64 / seconds) as u64);
                let figures = [format!("{loss:.4}"), percent(*accuracy)];
                let [loss, accuracy] = figures;
                let cells =
                    ["train".to_owned(), loss, accuracy, speed, duration(*seconds), String::new()];
                table.row(&epoch.to_string(), &cells);
            }
            TrainEvent::Evaluated { epoch, evaluation, best } => {
                let best = if *best { "best" } else { "" };
                let cells = [
                    evaluation.split.clone(),
                    format!("{:.4}", evaluation.loss),
                    percent(evaluation.accuracy),
                    String::new(),
                    String::new(),
                    best.to_owned(),
                ];
                table.row(&epoch.to_string(), &cells);
            }
            _ => {}
        }
    }
    page.push_str(&table.finish());
}

/// How many training texts were forgotten, or never learned.
pub(super) fn dynamics(material: &Material, page: &mut String) {
    let rows = &material.dynamics;
    let of = |matches: &dyn Fn(&crate::dynamics::RowDynamics) -> bool| {
        let count = rows.iter().filter(|row| matches(row)).count();
        vec![thousands(count as u64), percent(count as f64 / (rows.len() as f64).max(1.0))]
    };
    let mut table = Table::new(&["training texts", "number", "share"]);
    table.row("always right", &of(&|row| row.correctness >= 1.0));
    table.row("right and later wrong at least once", &of(&|row| row.forgotten > 0));
    table.row("never right", &of(&|row| !row.was_learned()));
    page.push_str(&table.finish());
}
