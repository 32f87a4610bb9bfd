//! Figures as tables.

use comfy_table::Table;
use taper_train::metrics::{Confusion, Estimate, Figures, Resampling};

use super::train::plain_table;
use crate::console::{harmless, thousands};

/// Classes whose confusion matrix fits a terminal.
const MATRIX_CLASSES: usize = 12;

/// Takes one figure of all.
type Of = fn(&Figures) -> Option<Estimate>;

/// `0.8620 [0.8400, 0.8830]`; a dash where the figure is undefined.
pub(super) fn shown(estimate: Option<Estimate>) -> String {
    let Some(Estimate { value, low, high }) = estimate else { return "-".to_owned() };
    match low.zip(high) {
        Some((low, high)) => format!("{value:.4} [{low:.4}, {high:.4}]"),
        None => format!("{value:.4}"),
    }
}

/// A column of each model's figures.
pub(super) fn table(models: &[(&str, &Figures)], resampling: Resampling) -> Table {
    let mut table = plain_table();
    let figure = match resampling.resamples {
        0 => "figure".to_owned(),
        _ => format!("figure [{} % interval]", 100.0 * resampling.confidence),
    };
    table.set_header(std::iter::once(figure).chain(models.iter().map(|(name, _)| harmless(name))));
    let rows: [(&str, Of); 14] = [
        ("accuracy", |all| all.accuracy),
        ("balanced accuracy", |all| all.balanced_accuracy),
        ("macro precision", |all| all.macro_average.precision),
        ("macro recall", |all| all.macro_average.recall),
        ("macro F1", |all| all.macro_average.f1),
        ("weighted precision", |all| all.weighted_average.precision),
        ("weighted recall", |all| all.weighted_average.recall),
        ("weighted F1", |all| all.weighted_average.f1),
        ("MCC", |all| all.matthews),
        ("ROC-AUC", |all| all.roc_auc),
        ("PR-AUC", |all| all.average_precision),
        ("log loss", |all| all.log_loss),
        ("Brier score", |all| all.brier),
        ("calibration error", |all| all.calibration_error),
    ];
    let labels: [(&str, Of); 4] = [
        ("micro precision", |all| all.micro_average.precision),
        ("micro recall", |all| all.micro_average.recall),
        ("micro F1", |all| all.micro_average.f1),
        ("Hamming loss", |all| all.hamming_loss),
    ];
    // Where a text may have several labels, there is a Hamming loss, and some of the others are not.
    let multi_label = models.iter().any(|(_, all)| all.hamming_loss.is_some());
    let means_something = |of: Of| !multi_label || models.iter().any(|(_, all)| of(all).is_some());
    let rows = rows.into_iter().filter(|(_, of)| means_something(*of));
    for (name, of) in rows.chain(labels.into_iter().filter(|_| multi_label)) {
        let values = models.iter().map(|(_, figures)| shown(of(figures)));
        table.add_row(std::iter::once(name.to_owned()).chain(values));
    }
    table
}

/// A line a class.
pub(super) fn classes(figures: &Figures) -> Table {
    let mut table = plain_table();
    table.set_header(["class", "texts", "precision", "recall", "F1", "ROC-AUC", "PR-AUC"]);
    for class in &figures.classes {
        table.add_row([
            harmless(&class.class),
            thousands(class.support),
            shown(class.precision),
            shown(class.recall),
            shown(class.f1),
            shown(class.roc_auc),
            shown(class.average_precision),
        ]);
    }
    table
}

/// Labels down, predictions across; `None` where there are too many classes to show.
pub(super) fn matrix(confusion: &Confusion, names: &[String]) -> Option<Table> {
    if names.len() > MATRIX_CLASSES {
        return None;
    }
    let mut table = plain_table();
    let across = names.iter().map(|name| format!("taken for {}", harmless(name)));
    table.set_header(std::iter::once("class".to_owned()).chain(across));
    for (name, row) in names.iter().zip(confusion.counts()) {
        let counts = row.iter().map(|count| thousands(*count));
        table.add_row(std::iter::once(harmless(name)).chain(counts));
    }
    Some(table)
}
