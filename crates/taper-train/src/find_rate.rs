//! A learning rate by trial: a range test, in which the rate grows with every step (Smith 2017).

use std::path::Path;

use candle_core::Device;
use serde::Serialize;

use crate::artifacts::Prepared;
use crate::batch::epoch_batches;
use crate::evaluate::Labelled;
use crate::model::{Model, ModelConfig};
use crate::optimizer::Optimizer;
use crate::plot::{Axis, Chart, Look};
use crate::recipe::Recipe;
use crate::step::{LabelledBatch, step};
use crate::{Error, Result, atomic};

/// Which rates are tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateRange {
    /// The first rate.
    pub from: f64,
    /// The last one.
    pub to: f64,
    /// Steps between them; the rate grows by the same factor at each.
    pub steps: u32,
}

/// A step of the trial.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RatePoint {
    /// The learning rate of the step.
    pub rate: f64,
    /// The loss before it, in nats.
    pub loss: f64,
    /// The running mean of the losses, each weighing 0.98 of the next, corrected for its start at 0.
    pub smoothed: f64,
}

/// What a trial found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RateTrial {
    /// Every step, until the smoothed loss was four times its lowest, or no number.
    pub points: Vec<RatePoint>,
    /// The rate at which the smoothed loss fell fastest over the logarithm of the rate, on its way to the
    /// [lowest](Self::lowest); `None` where it fell no further than the batches' scatter makes it fall.
    pub steepest: Option<f64>,
    /// A tenth of the rate at which the smoothed loss was lowest; `None` as before.
    pub lowest_tenth: Option<f64>,
}

impl RateTrial {
    fn new(points: Vec<RatePoint>) -> Self {
        let mut trial = Self { points, steepest: None, lowest_tenth: None };
        if let Some(lowest) = trial.lowest().filter(|lowest| trial.falls_by(*lowest)) {
            trial.steepest = steepest(&trial.points[trial.settled()..=lowest], trial.width());
            trial.lowest_tenth = Some(trial.points[lowest].rate / 10.0);
        }
        trial
    }

    /// Whether the smoothed loss falls by then, and by more than by chance: three standard errors of the mean it falls from, and as many
    /// more as the lowest of all the means, so many of which are of different losses, may lie below.
    fn falls_by(&self, lowest: usize) -> bool {
        let (settled, points) = (self.settled(), &self.points[..=lowest]);
        let fall =
            points.get(settled).map_or(0.0, |first| first.smoothed - points[lowest].smoothed);
        // A mean is of as many losses as came by, and never of more than these.
        let most = (1.0 + SMOOTHING) / (1.0 - SMOOTHING);
        let error = scatter(points) / ((settled + 1) as f64).min(most).sqrt();
        let different = 1.0 + self.points.len() as f64 / most;
        fall > (3.0 + (2.0 * different.ln()).sqrt()) * error
    }

    /// A tenth of the steps.
    fn width(&self) -> usize {
        self.points.len() / 10 + 1
    }

    /// The first point after a tenth of the steps: before, the mean is one of a few losses, and jumps.
    fn settled(&self) -> usize {
        self.width() - 1
    }

    /// The number of the point, from 0, whose smoothed loss is the lowest, the first tenth of the steps left out; the first
    /// of equal ones.
    pub fn lowest(&self) -> Option<usize> {
        let smoothed = self.points.iter().map(|point| point.smoothed).enumerate();
        let settled = smoothed.skip(self.settled());
        settled.min_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(number, _)| number)
    }

    /// The losses over the rates, as an SVG file's text.
    pub fn svg(&self) -> String {
        let line = |of: fn(&RatePoint) -> f64| {
            self.points.iter().map(|point| [point.rate, of(point)]).collect()
        };
        let axes = (Axis::new("learning rate").log(), Axis::new("loss (nats)"));
        Chart::new("Loss by learning rate", axes.0, axes.1)
            .with("steps", Look::Pale, line(|point| point.loss))
            .with("smoothed", Look::Line, line(|point| point.smoothed))
            .draw()
            .file()
    }

    /// Writes [`Self::svg`], whole or not at all.
    pub fn write_svg(&self, path: &Path) -> Result<()> {
        atomic::write(path, self.svg().as_bytes())
    }
}

const SMOOTHING: f64 = 0.98;

/// Trains a new model of the recipe on one batch after another, at a growing rate; `listen` hears every step and ends
/// the trial by saying `false`. Schedule, averages, evaluations and dropped words play no part.
///
/// # Errors
/// If the range is empty.
pub fn find_rate(
    recipe: &Recipe,
    prepared: &Prepared,
    device: &Device,
    range: RateRange,
    listen: &mut dyn FnMut(&RatePoint) -> bool,
) -> Result<RateTrial> {
    let RateRange { from, to, steps } = range;
    if !(from > 0.0 && from < to && to.is_finite() && steps > 1) {
        return Err(Error::RecipeConflict {
            message: format!(
                "a trial of {steps} steps at rates from {from} to {to}; expected at least 2 steps from a rate above 0 \
                 to a greater one"
            ),
        });
    }
    let manifest = prepared.manifest();
    manifest.check_labels(recipe)?;
    let (names, words) = (&manifest.class_names, manifest.vocabulary);
    let config = ModelConfig::of_recipe(recipe, names, words, manifest.specials, String::new());
    let view = config.view();
    let model = Model::for_training(config, recipe, prepared.embeddings()?, device)?;
    let mut optimizer = Optimizer::new(&recipe.train.optimizer);
    let split = prepared.encoded("train")?;
    let labelled = Labelled::new(&split, "train")?;
    let lengths = labelled.lengths(view);
    let objective = labelled.objective(&recipe.train, &manifest.class_names);
    let mut batches = (1..).flat_map(|epoch| epoch_batches(&lengths, recipe, epoch));

    let mut points: Vec<RatePoint> = Vec::new();
    let (mut mean, mut lowest) = (0.0, f64::INFINITY);
    for number in 0..steps {
        let share = f64::from(number) / f64::from(steps - 1);
        let rate = from * (to / from).powf(share);
        let group: Vec<LabelledBatch> = batches
            .by_ref()
            .take(recipe.train.accumulate)
            .map(|rows| {
                let (texts, labels) = labelled.batch(&rows);
                Ok(LabelledBatch { tokens: view.batch(&texts)?, labels })
            })
            .collect::<Result<_>>()?;
        let factor = rate / recipe.train.optimizer.learning_rate;
        let report = step(&model, &mut optimizer, recipe, &objective, &group, factor)?;
        if !report.is_finite() {
            break;
        }
        mean = SMOOTHING * mean + (1.0 - SMOOTHING) * report.loss;
        let smoothed = mean / (1.0 - SMOOTHING.powi(number as i32 + 1));
        let point = RatePoint { rate, loss: report.loss, smoothed };
        points.push(point);
        lowest = smoothed.min(lowest);
        if smoothed > 4.0 * lowest || !listen(&point) {
            break;
        }
    }
    Ok(RateTrial::new(points))
}

/// Where the smoothed loss falls fastest over a tenth of the steps, of the points up to the lowest: as many steps are the
/// same factor of the rate everywhere. What falls after it only comes back from where the rate was too large.
fn steepest(points: &[RatePoint], width: usize) -> Option<f64> {
    let width = width.min(points.len() - 1);
    let windows = points.windows(width + 1);
    let falls = windows.map(|part| (part[0].smoothed - part[width].smoothed, part[width / 2].rate));
    let (fall, rate) = falls.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (fall > 0.0).then_some(rate)
}

/// The standard deviation of the losses about the line between their neighbours: what falls or rises steadily has none.
fn scatter(points: &[RatePoint]) -> f64 {
    let bends: Vec<f64> = points
        .windows(3)
        .map(|three| three[0].loss - 2.0 * three[1].loss + three[2].loss)
        .collect();
    let squares: f64 = bends.iter().map(|bend| bend * bend).sum();
    // A bend is of three losses: its variance is 1 + 4 + 1 times theirs.
    (squares / (6.0 * bends.len().max(1) as f64)).sqrt()
}

#[cfg(test)]
mod tests {
    use taper_lstm::Philox;

    use super::*;

    fn points(smoothed: &[f64]) -> Vec<RatePoint> {
        let rates = (0..).map(|number| 10f64.powi(number - 5));
        rates
            .zip(smoothed)
            .map(|(rate, &smoothed)| RatePoint { rate, loss: 0.0, smoothed })
            .collect()
    }

    #[test]
    fn the_trial_can_be_seen() {
        let points = points(&[0.7, 0.69, 0.5, 0.4, 0.9]);
        let svg = RateTrial { points, steepest: None, lowest_tenth: None }.svg();
        assert!(svg.contains("learning rate") && svg.contains("smoothed") && !svg.contains("NaN"));
    }

    #[test]
    fn the_steepest_fall_and_a_tenth_of_the_lowest() {
        let trial = RateTrial::new(points(&[0.7, 0.69, 0.5, 0.4, 0.9]));
        assert_eq!(trial.steepest, Some(1e-4));
        assert_eq!(trial.lowest(), Some(3));
        assert!((trial.lowest_tenth.unwrap_or(0.0) - 1e-3).abs() < 1e-12);
    }

    #[test]
    fn a_fall_after_the_lowest_is_none_to_go_by() {
        // From 5 back to 0.9 it falls far, but has been at 0.5 before.
        let trial = RateTrial::new(points(&[0.7, 0.69, 0.6, 0.5, 5.0, 0.9]));
        assert_eq!((trial.steepest, trial.lowest()), (Some(1e-3), Some(3)));
        // The first of twenty losses happens to be low.
        let lucky = [0.1].into_iter().chain((1..20).map(|n| 1.0 - 0.01 * f64::from(n)));
        let trial = RateTrial::new(points(&lucky.collect::<Vec<_>>()));
        assert!((trial.lowest_tenth.unwrap_or(0.0) / 1e13 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_fall_within_the_scatter_is_none_to_go_by() {
        let trial = |scatter: f64| {
            let mut points = points(&[0.69, 0.69, 0.69, 0.68, 0.67, 0.9]);
            for (number, point) in points.iter_mut().enumerate() {
                point.loss = point.smoothed + if number % 2 == 0 { scatter } else { -scatter };
            }
            RateTrial::new(points).steepest
        };
        assert_eq!((trial(0.0001), trial(0.1)), (Some(1e-2), None));
    }

    #[test]
    fn of_noise_alone_hardly_ever_a_rate_is_advised() {
        let advises = |steps: u64, seed: u64| {
            let noise = Philox::new(seed, 0, 0);
            let mut mean = 0.0;
            let point = |number: u64| {
                let loss = 0.69 + 0.05 * noise.normal(number);
                mean = SMOOTHING * mean + (1.0 - SMOOTHING) * loss;
                let smoothed = mean / (1.0 - SMOOTHING.powi(number as i32 + 1));
                RatePoint { rate: 1e-5 * 1.01f64.powi(number as i32), loss, smoothed }
            };
            RateTrial::new((0..steps).map(point).collect()).steepest.is_some()
        };
        for steps in [100, 1000, 5000] {
            let advised = (1..=50).filter(|seed| advises(steps, *seed)).count();
            assert!(advised <= 2, "{advised} of 50, {steps} steps");
        }
    }

    #[test]
    fn where_the_loss_never_falls_below_its_first_nothing_is_advised() {
        let rising: [&[f64]; 5] = [&[], &[0.5], &[0.5, 0.6], &[0.5, 0.9, 0.6, 0.55], &[0.5, 0.5]];
        for smoothed in rising {
            let trial = RateTrial::new(points(smoothed));
            assert_eq!((trial.steepest, trial.lowest_tenth), (None, None), "{smoothed:?}");
        }
    }
}
