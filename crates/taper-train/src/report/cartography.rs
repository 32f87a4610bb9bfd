//! The data map of the training rows (Swayamdipta et al. 2020), what is forgotten (Toneva et al. 2019), and which labels
//! are likely wrong.

use super::Plot;
use crate::dynamics::RowDynamics;
use crate::plot::{Axis, Chart, Look};

/// Dots of the map; of more rows, every so manieth.
const DOTS: usize = 4000;

/// Rows that may be mislabelled.
const SUSPECTS: usize = 20;

pub(super) fn plots(rows: &[RowDynamics]) -> Vec<Plot> {
    if rows.is_empty() {
        return Vec::new();
    }
    let mut plots = vec![
        Plot {
            name: "data-map",
            scene: map(rows).draw(),
            caption: "A dot a training text. At the top the easy ones, to the right those the model wavers on, at the \
                      bottom the hard ones, wrong labels among them.",
        },
        Plot {
            name: "confidence",
            scene: confidence(rows).draw(),
            caption: "Training texts by the mean probability that their label got over the epochs.",
        },
    ];
    if rows.iter().any(|row| row.epochs > 1) {
        plots.push(Plot {
            name: "forgetting",
            scene: forgetting(rows).draw(),
            caption: "Training texts by how often they were right in one epoch and wrong in the next.",
        });
    }
    plots
}

fn map(rows: &[RowDynamics]) -> Chart {
    let y = Axis::new("confidence").between(0.0, 1.0);
    let mut chart = Chart::new("Data map", Axis::new("variability").at_least(0.0), y);
    let every = rows.len().div_ceil(DOTS).max(1);
    let shown: Vec<&RowDynamics> = rows.iter().step_by(every).collect();
    let kind = |row: &RowDynamics| match row.correctness {
        1.0.. => "always right",
        share if share > 0.0 => "sometimes right",
        _ => "never right",
    };
    for (name, colour) in [("always right", 0), ("sometimes right", 4), ("never right", 1)] {
        let of_kind = shown.iter().filter(|row| kind(row) == name);
        let points = of_kind.map(|row| [row.variability, row.confidence]).collect();
        chart = chart.with(name, Look::Dots, points);
        if let Some(series) = chart.series.last_mut() {
            series.colour = colour;
        }
    }
    chart
}

fn confidence(rows: &[RowDynamics]) -> Chart {
    let mut counts = [0_u64; 20];
    for row in rows {
        counts[((row.confidence * 20.0) as usize).min(19)] += 1;
    }
    let bars = counts.iter().enumerate();
    let points = bars.map(|(bin, count)| [bin as f64 / 20.0, *count as f64]).collect();
    let x = Axis::new("confidence").between(0.0, 1.0);
    Chart::new("Training texts by confidence", x, Axis::new("texts").at_least(0.0)).with(
        "",
        Look::Bars(0.05),
        points,
    )
}

fn forgetting(rows: &[RowDynamics]) -> Chart {
    let most = rows.iter().map(|row| row.forgotten).max().unwrap_or(0) as usize;
    // The last bar is of those that never were right.
    let mut counts = vec![0_u64; most + 2];
    for row in rows {
        let bar = if row.was_learned() { row.forgotten as usize } else { most + 1 };
        counts[bar] += 1;
    }
    let named = (0..=most).map(|times| times.to_string()).chain(["never right".to_owned()]);
    let ticks = named.enumerate().map(|(bar, name)| (bar as f64 + 0.5, name)).collect();
    let bars = counts.iter().enumerate();
    let points = bars.map(|(bar, count)| [bar as f64, *count as f64]).collect();
    let x = Axis::new("times forgotten").ticks(ticks);
    Chart::new("Forgetting", x, Axis::new("texts").at_least(0.0)).with("", Look::Bars(1.0), points)
}

/// Rows whose label is likely wrong, the likeliest first: those the model never came to believe, confidence below a half and
/// right in fewer than half of the epochs.
pub(super) fn suspects(rows: &[RowDynamics]) -> Vec<RowDynamics> {
    let doubted = rows.iter().filter(|row| row.confidence < 0.5 && row.correctness < 0.5);
    let mut suspects: Vec<RowDynamics> = doubted.copied().collect();
    suspects.sort_by(|left, right| {
        left.confidence.total_cmp(&right.confidence).then(left.row.cmp(&right.row))
    });
    suspects.truncate(SUSPECTS);
    suspects
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(row: usize, confidence: f64, correctness: f64, forgotten: u32) -> RowDynamics {
        RowDynamics { row, epochs: 4, confidence, variability: 0.1, correctness, forgotten }
    }

    #[test]
    fn labels_are_doubted_that_the_model_never_believed() {
        let rows =
            [row(0, 0.9, 1.0, 0), row(1, 0.3, 0.25, 1), row(2, 0.1, 0.0, 0), row(3, 0.4, 0.5, 2)];
        let found: Vec<usize> = suspects(&rows).iter().map(|row| row.row).collect();
        assert_eq!(found, [2, 1]);
        assert_eq!(plots(&rows).len(), 3);
        assert!(plots(&[]).is_empty());
        let chart = forgetting(&rows);
        assert_eq!(chart.series[0].points, [[0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [3.0, 1.0]]);
    }
}
