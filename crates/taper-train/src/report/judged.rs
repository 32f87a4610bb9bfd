//! The finished model on the split that judges it.

use super::{Judgement, Plot};
use crate::plot::{Axis, Chart, Look, matrix};

/// Classes that have curves of their own in a plot.
const CLASSES: usize = 8;

const BINS: usize = 20;

/// Where a text may have several labels, those that still mean something: no confusion, and no one wrong answer.
pub(super) fn plots(judgement: &Judgement) -> Vec<Plot> {
    let assessment = &judgement.assessment;
    let plot = |name, scene, caption| Plot { name, scene, caption };
    let mut plots = Vec::new();
    if let Some(confusion) = &assessment.confusion {
        plots.push(plot(
            "confusion",
            matrix("Confusion matrix", &assessment.class_names, confusion.counts()),
            "Rows are labels, columns what the model took them for; shaded by share of the label.",
        ));
    }
    plots.push(plot(
        "roc",
        roc(judgement).draw(),
        "What is found of a class against what is wrongly taken for it, at every threshold.",
    ));
    plots.push(plot(
        "precision-recall",
        precision_recall(judgement).draw(),
        "How much of what is taken for a class is right, against how much of the class is found.",
    ));
    if !is_multi_label(judgement) {
        plots.push(plot(
            "reliability",
            reliability(judgement).draw(),
            "How often texts of a confidence are right. Below the diagonal the model is surer than it should be; bars \
             are the share of texts.",
        ));
    }
    plots.push(plot(
        "lengths",
        lengths(judgement).draw(),
        "Texts by number of tokens, those that the model has right and wrong, each as a share of all.",
    ));
    if !is_multi_label(judgement) {
        plots.push(plot(
            "errors",
            errors(judgement).draw(),
            "Wrong texts by the probability that the model gave its wrong answer: to the right are those it was sure of.",
        ));
    }
    plots
}

pub(super) fn is_multi_label(judgement: &Judgement) -> bool {
    judgement.assessment.threshold.is_some()
}

/// Of two classes the second; of more, and of labels, the first ones.
fn curves(judgement: &Judgement) -> &[crate::assess::ClassCurves] {
    let curves = &judgement.assessment.curves;
    if curves.len() == 2 && !is_multi_label(judgement) {
        &curves[1..]
    } else {
        &curves[..curves.len().min(CLASSES)]
    }
}

fn roc(judgement: &Judgement) -> Chart {
    let rates = |label| Axis::new(label).percent().between(0.0, 1.0);
    let mut chart =
        Chart::new("ROC curve", rates("false-positive rate"), rates("true-positive rate"));
    for class in curves(judgement) {
        let points = class.roc.iter().map(|point| [point.x, point.y]).collect();
        chart = chart.with(&class.class, Look::Line, points);
    }
    chart.with("chance", Look::Ideal, vec![[0.0, 0.0], [1.0, 1.0]])
}

fn precision_recall(judgement: &Judgement) -> Chart {
    let rates = |label| Axis::new(label).percent().between(0.0, 1.0);
    let mut chart = Chart::new("Precision and recall", rates("recall"), rates("precision"));
    for class in curves(judgement) {
        let points = class.precision_recall.iter().map(|point| [point.x, point.y]).collect();
        chart = chart.with(&class.class, Look::Line, points);
    }
    chart
}

fn reliability(judgement: &Judgement) -> Chart {
    let bins = &judgement.assessment.reliability;
    let total = bins.iter().map(|bin| bin.rows).sum::<u64>().max(1) as f64;
    let rates = |label| Axis::new(label).percent().between(0.0, 1.0);
    let width = bins.first().map_or(0.1, |bin| bin.to - bin.above);
    let share = bins.iter().map(|bin| [bin.above, bin.rows as f64 / total]).collect();
    let filled = bins.iter().filter(|bin| bin.rows > 0);
    let right = filled.map(|bin| [bin.confidence, bin.accuracy]).collect();
    let mut chart = Chart::new("Reliability", rates("confidence"), rates("accuracy"))
        .with("share of texts", Look::Bars(width), share)
        .with("accuracy", Look::Marked, right)
        .with("ideal", Look::Ideal, vec![[0.0, 0.0], [1.0, 1.0]]);
    chart.series[0].colour = 5;
    chart.series[1].colour = 0;
    chart
}

/// By powers of the square root of two.
fn lengths(judgement: &Judgement) -> Chart {
    let right = right(judgement);
    let rows = &judgement.scored.rows;
    let bin = |tokens: usize| (2.0 * (tokens.max(1) as f64).log2()).floor();
    let most = rows.iter().map(|row| bin(row.tokens)).fold(0.0, f64::max) as usize;
    let mut counts = [vec![0_u64; most + 1], vec![0; most + 1]];
    for (row, right) in rows.iter().zip(&right) {
        counts[usize::from(!right)][bin(row.tokens) as usize] += 1;
    }
    let first = (0..=most).find(|bin| counts[0][*bin] + counts[1][*bin] > 0).unwrap_or(0);
    let total = rows.len().max(1) as f64;
    let ticks = (0..24).map(|bits| (f64::from(2 * bits), (1_u64 << bits).to_string())).collect();
    let x = Axis::new("tokens").ticks(ticks);
    let mut chart =
        Chart::new("Texts by length", x, Axis::new("share of texts").percent().at_least(0.0));
    for (name, counts) in ["right", "wrong"].into_iter().zip(counts) {
        let bars = counts.iter().enumerate().skip(first);
        let points = bars.map(|(bin, count)| [bin as f64, *count as f64 / total]).collect();
        chart = chart.with(name, Look::Outline(1.0), points);
    }
    chart
}

fn errors(judgement: &Judgement) -> Chart {
    let mut counts = [0_u64; BINS];
    for mistake in mistakes(judgement) {
        let bin = (mistake.probability * BINS as f64) as usize;
        counts[bin.min(BINS - 1)] += 1;
    }
    let width = 1.0 / BINS as f64;
    let classes = judgement.scored.classes.max(1) as f64;
    // Less than an even share no chosen class has.
    let first = (BINS as f64 / classes) as usize;
    let bars = counts.iter().enumerate().skip(first);
    let points = bars.map(|(bin, count)| [bin as f64 * width, *count as f64]).collect();
    let x = Axis::new("probability of the wrong answer").percent();
    let mut chart = Chart::new("Errors by confidence", x, Axis::new("texts").at_least(0.0));
    chart = chart.with("", Look::Bars(width), points);
    chart.series[0].colour = 1;
    chart
}

fn right(judgement: &Judgement) -> Vec<bool> {
    let (assessment, scored) = (&judgement.assessment, &judgement.scored);
    if let Some(threshold) = assessment.threshold {
        return scored.label_scores(threshold).map(|scores| scores.right()).unwrap_or_default();
    }
    scored.scores(assessment.temperature).map(|scores| scores.right()).unwrap_or_default()
}

/// A text that the model has wrong.
pub(super) struct Mistake {
    /// Its place in the split.
    pub(super) row: usize,
    pub(super) label: u32,
    pub(super) predicted: u32,
    /// What the model gave its answer.
    pub(super) probability: f64,
}

/// All of them, the surest first.
pub(super) fn mistakes(judgement: &Judgement) -> Vec<Mistake> {
    let Judgement { assessment, scored } = judgement;
    let Ok(scores) = scored.scores(assessment.temperature) else { return Vec::new() };
    let rows = scored.rows.iter().zip(scores.rows()).zip(scores.predicted());
    let mistake = rows.filter(|((row, _), predicted)| row.label != **predicted);
    let mut mistakes: Vec<Mistake> = mistake
        .map(|((row, (probabilities, label)), &predicted)| Mistake {
            row: row.row,
            label,
            predicted,
            probability: probabilities.get(predicted as usize).copied().unwrap_or_default(),
        })
        .collect();
    mistakes.sort_by(|left, right| {
        right.probability.total_cmp(&left.probability).then(left.row.cmp(&right.row))
    });
    mistakes
}
