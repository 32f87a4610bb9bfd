//! How training went, by epoch and by step.

use super::Plot;
use crate::events::TrainEvent;
use crate::plot::{Axis, Chart, Look};

/// Points of a line: more than a screen shows apart.
const POINTS: usize = 400;

/// The share of the newest step in the smoothed line is 1 / 50 or more.
const SMOOTHING: f64 = 50.0;

/// A split's name, and a point of its line.
type OfSplit = (String, [f64; 2]);

pub(super) fn plots(events: &[TrainEvent]) -> Vec<Plot> {
    let steps = Steps::of(events);
    let by_epoch = |title, axis: Axis, of: fn(&TrainEvent) -> Option<OfSplit>| {
        let mut chart = Chart::new(title, Axis::new("epoch").whole(), axis);
        let points: Vec<OfSplit> = events.iter().filter_map(of).collect();
        for split in ["train", "validation", "test"] {
            let of_split = points.iter().filter(|(name, _)| name == split);
            let of_split: Vec<[f64; 2]> = of_split.map(|(_, point)| *point).collect();
            if !of_split.is_empty() {
                chart = chart.with(split, Look::Marked, of_split);
            }
        }
        chart.draw()
    };
    let step = || Axis::new("optimizer step");
    let smoothed = |title, axis, values: &[f64]| {
        let (raw, smooth) = (steps.means(values), steps.smoothed(values));
        let chart = Chart::new(title, step(), axis).with("steps", Look::Pale, raw);
        let mut chart = chart.with("smoothed", Look::Line, smooth);
        chart.series[1].colour = 0;
        chart.draw()
    };
    let line = |title, axis, values: &[f64]| {
        Chart::new(title, step(), axis).with("", Look::Line, steps.means(values)).draw()
    };
    let plot = |name, scene, caption| Plot { name, scene, caption };
    vec![
        plot(
            "loss",
            by_epoch("Loss by epoch", Axis::new("loss (nats)"), loss),
            "Mean loss of a text. That of train is taken while it is learned, with dropout, so it may be above the other.",
        ),
        plot(
            "accuracy",
            by_epoch("Accuracy by epoch", Axis::new("accuracy").percent(), accuracy),
            "Correct over total; that of train while it is learned.",
        ),
        plot(
            "loss-by-step",
            smoothed("Loss by step", Axis::new("loss (nats)"), &steps.loss),
            "Each step's batch, before the step; the strong line is a running mean.",
        ),
        plot(
            "accuracy-by-step",
            smoothed("Accuracy by step", Axis::new("accuracy").percent(), &steps.accuracy),
            "Each step's batch, before the step; the strong line is a running mean.",
        ),
        plot(
            "gradient-norm",
            smoothed("Gradient norm", Axis::new("L2 norm").log(), &steps.gradient_norm),
            "Over all parameters, before clipping.",
        ),
        plot(
            "learning-rate",
            line("Learning rate", Axis::new("learning rate").at_least(0.0), &steps.learning_rate),
            "The optimizer's step size after the schedule.",
        ),
        plot(
            "tokens-per-second",
            line("Speed", Axis::new("tokens/s").at_least(0.0), &steps.speed),
            "Tokens learned in a second of a step; evaluation not counted.",
        ),
    ]
}

fn loss(event: &TrainEvent) -> Option<OfSplit> {
    match event {
        TrainEvent::EpochFinished { epoch, loss, .. } => {
            Some(("train".to_owned(), [f64::from(*epoch), *loss]))
        }
        TrainEvent::Evaluated { epoch, evaluation, .. } => {
            Some((evaluation.split.clone(), [f64::from(*epoch), evaluation.loss]))
        }
        _ => None,
    }
}

fn accuracy(event: &TrainEvent) -> Option<OfSplit> {
    match event {
        TrainEvent::EpochFinished { epoch, accuracy, .. } => {
            Some(("train".to_owned(), [f64::from(*epoch), *accuracy]))
        }
        TrainEvent::Evaluated { epoch, evaluation, .. } => {
            Some((evaluation.split.clone(), [f64::from(*epoch), evaluation.accuracy]))
        }
        _ => None,
    }
}

/// Every step's values.
#[derive(Default)]
struct Steps {
    step: Vec<f64>,
    loss: Vec<f64>,
    accuracy: Vec<f64>,
    gradient_norm: Vec<f64>,
    learning_rate: Vec<f64>,
    speed: Vec<f64>,
}

impl Steps {
    fn of(events: &[TrainEvent]) -> Self {
        let mut steps = Self::default();
        for event in events {
            if let TrainEvent::Step {
                step,
                loss,
                accuracy,
                gradient_norm,
                learning_rate,
                tokens,
                seconds,
                ..
            } = event
            {
                steps.step.push(f64::from(*step));
                steps.loss.push(*loss);
                steps.accuracy.push(*accuracy);
                steps.gradient_norm.push(*gradient_norm);
                steps.learning_rate.push(*learning_rate);
                steps.speed.push(*tokens as f64 / seconds);
            }
        }
        steps
    }

    /// As many neighbours at a time as leave [`POINTS`] means.
    fn means(&self, values: &[f64]) -> Vec<[f64; 2]> {
        let every = values.len().div_ceil(POINTS).max(1);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let groups = self.step.chunks(every).zip(values.chunks(every));
        groups.map(|(steps, values)| [mean(steps), mean(values)]).collect()
    }

    /// An exponential mean, which begins as the plain one.
    fn smoothed(&self, values: &[f64]) -> Vec<[f64; 2]> {
        let mut mean = 0.0;
        let smooth = values.iter().enumerate().map(|(index, value)| {
            mean += (value - mean) / (index as f64 + 1.0).min(SMOOTHING);
            mean
        });
        let smooth: Vec<f64> = smooth.collect();
        let every = values.len().div_ceil(POINTS).max(1);
        // The last one of each group, so that the line ends where training does.
        let groups = self.step.chunks(every).zip(smooth.chunks(every));
        groups.filter_map(|(steps, smooth)| Some([*steps.last()?, *smooth.last()?])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_become_short_lines_of_the_same_values() {
        let steps = Steps { step: (1..=1000).map(f64::from).collect(), ..Steps::default() };
        let values: Vec<f64> = (1..=1000).map(|step| f64::from(step % 2)).collect();
        let means = steps.means(&values);
        assert_eq!((means.len(), means[0]), (334, [2.0, 2.0 / 3.0]));
        let smooth = steps.smoothed(&values);
        assert!(smooth.len() <= POINTS && (smooth[333][0] - 1000.0).abs() < 1e-9);
        assert!((smooth[333][1] - 0.5).abs() < 0.02, "{:?}", smooth[333]);
        // The first values are the plain mean.
        let short = Steps { step: vec![1.0, 2.0], ..Steps::default() };
        assert_eq!(short.smoothed(&[4.0, 2.0]), [[1.0, 4.0], [2.0, 3.0]]);
    }
}
