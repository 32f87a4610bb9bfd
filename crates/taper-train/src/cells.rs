//! The experiment of `taper gradients` as plots: gradients before and after training, and recall.

use taper_explain::{CHOICES, Contestant, Reach};

use crate::plot::{Axis, Chart, Look};

/// Norms that are drawn: below them nothing is learnt, and the rest would be squeezed.
const LEAST: f64 = 1e-30;

/// Three pictures as SVG that stand alone, with names for their files.
pub fn cell_plots(found: &[Contestant]) -> [(&'static str, String); 3] {
    let file = |chart: Chart| chart.draw().file();
    [
        ("untrained.svg", file(reach("Before training", found, |one| &one.untrained))),
        ("trained.svg", file(reach("After training", found, |one| &one.trained))),
        ("recall.svg", file(recall(found))),
    ]
}

fn reach(title: &str, found: &[Contestant], of: fn(&Contestant) -> &Reach) -> Chart {
    let x = Axis::new("steps from the end").whole();
    let mut chart = Chart::new(title, x, Axis::new("norm of the loss's gradient").log());
    for (colour, one) in found.iter().enumerate() {
        let Reach { h, c } = of(one);
        chart = chart.with_colour(colour, &format!("{}: h", one.cell.name()), Look::Line, curve(h));
        if let Some(c) = c {
            let name = format!("{}: c", one.cell.name());
            chart = chart.with_colour(colour, &name, Look::Dashed, curve(c));
        }
    }
    chart
}

/// A curve ends where it leaves the picture.
fn curve(norms: &[f64]) -> Vec<[f64; 2]> {
    let shown = norms.iter().take_while(|norm| **norm >= LEAST);
    shown.enumerate().map(|(distance, norm)| [distance as f64, *norm]).collect()
}

fn recall(found: &[Contestant]) -> Chart {
    let steps = |one: &Contestant| one.accuracy.last().map_or(0, |(step, _)| *step);
    let last = found.iter().map(steps).max().unwrap_or(0) as f64;
    let chance = 1.0 / CHOICES as f64;
    let x = Axis::new("training steps").at_least(0.0).whole();
    let y = Axis::new("share named").percent().between(0.0, 1.0);
    let mut chart = Chart::new("Recall of the marked symbol", x, y);
    for (colour, one) in found.iter().enumerate() {
        let points = one.accuracy.iter().map(|(step, share)| [*step as f64, *share]).collect();
        chart = chart.with_colour(colour, one.cell.name(), Look::Marked, points);
    }
    chart.with("chance", Look::Ideal, vec![[0.0, chance], [last, chance]])
}

#[cfg(test)]
mod tests {
    use taper_explain::CellKind;

    use super::*;

    #[test]
    fn curves_end_where_they_leave_the_picture_and_nothing_is_not_a_number() {
        let reach = |last: f64| Reach {
            h: vec![1.0, 1e-20, 1e-29, 1e-31, 0.0],
            c: Some(vec![1.0, 0.5, 0.2, last, last]),
        };
        let accuracy = vec![(10, 0.125), (20, 1.0)];
        let cell = CellKind::LstmForget1;
        let (untrained, trained) = (reach(0.1), reach(f64::NAN));
        let one = Contestant { cell, parameters: 7, untrained, trained, accuracy };
        assert_eq!(curve(&one.untrained.h).len(), 3);
        let plots = cell_plots(&[one]);
        for (name, svg) in &plots {
            assert!(svg.starts_with("<svg xmlns=") && svg.contains(cell.name()), "{name}: {svg}");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}: {svg}");
        }
        assert!(plots[0].1.contains("stroke-dasharray") && plots[2].1.contains("chance"));
        for (_, svg) in cell_plots(&[]) {
            assert!(svg.contains("nothing to show yet"), "{svg}");
        }
    }
}
