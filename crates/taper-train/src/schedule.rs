//! The learning rate over a run, as a function of where it stands: there is no state to save.

use std::f64::consts::PI;

use crate::evaluate::Evaluation;
use crate::recipe::{Schedule, ScheduleKind};

/// `OneCycleLR`'s `div_factor`, and this times its `final_div_factor`.
const ONE_CYCLE: [f64; 2] = [25.0, 25.0e4];

/// The `ratio` of Howard and Ruder's slanted triangle.
const SLANT: f64 = 32.0;

/// The factor of the learning rate of a step when `done` of the run is behind (0 at its first step, 1 at its end).
///
/// `step` is the share of the run that the step is: a one-cycle has its peak and its end at a step, as PyTorch has it,
/// and not after one. `evaluations` are those made so far, in order: only a plateau looks at them.
pub fn factor(schedule: &Schedule, done: f64, step: f64, evaluations: &[(u32, Evaluation)]) -> f64 {
    let &Schedule { kind, warmup, floor, .. } = schedule;
    let rising = if warmup > 0.0 { (done / warmup).min(1.0) } else { 1.0 };
    // How much of what follows the rise is behind.
    let after = |warmup: f64| ((done - warmup) / (1.0 - warmup)).clamp(0.0, 1.0);
    let fall = |shape: f64| floor + (1.0 - floor) * shape;
    match kind {
        ScheduleKind::Constant => rising,
        ScheduleKind::Linear => rising * fall(1.0 - after(warmup)),
        ScheduleKind::Cosine => rising * fall(cosine(after(warmup))),
        ScheduleKind::OneCycle => {
            let peak = if warmup > 0.0 { warmup } else { 0.3 };
            let [start, end] = ONE_CYCLE.map(|division| 1.0 / division);
            if done + step < peak {
                1.0 + (start - 1.0) * cosine(done / (peak - step))
            } else {
                end + (1.0 - end) * cosine(((done + step - peak) / (1.0 - peak)).clamp(0.0, 1.0))
            }
        }
        ScheduleKind::SlantedTriangular => {
            let cut = if warmup > 0.0 { warmup } else { 0.1 };
            let height = if done < cut { done / cut } else { 1.0 - after(cut) };
            (1.0 + height * (SLANT - 1.0)) / SLANT
        }
        ScheduleKind::Plateau => rising * plateau(schedule, evaluations).max(floor),
    }
}

/// Half a cosine from 1 to 0.
fn cosine(done: f64) -> f64 {
    f64::midpoint(1.0, (PI * done).cos())
}

/// `torch.optim.lr_scheduler.ReduceLROnPlateau(mode="min", threshold=0)` over the losses.
fn plateau(schedule: &Schedule, evaluations: &[(u32, Evaluation)]) -> f64 {
    let (mut best, mut worse, mut factor) = (f64::INFINITY, 0, 1.0);
    for (_, Evaluation { loss, .. }) in evaluations {
        if *loss < best {
            (best, worse) = (*loss, 0);
        } else {
            worse += 1;
        }
        if worse > schedule.patience {
            (factor, worse) = (factor * schedule.factor, 0);
        }
    }
    factor
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(kind: ScheduleKind, warmup: f64) -> Schedule {
        Schedule { kind, warmup, ..Schedule::default() }
    }

    fn at(schedule: &Schedule, points: &[f64]) -> Vec<f64> {
        points.iter().map(|&done| factor(schedule, done, 0.0, &[])).collect()
    }

    fn close(found: &[f64], expected: &[f64]) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        }
    }

    #[test]
    fn shapes() {
        let constant = schedule(ScheduleKind::Constant, 0.0);
        close(&at(&constant, &[0.0, 0.5, 1.0]), &[1.0, 1.0, 1.0]);
        let warm = schedule(ScheduleKind::Constant, 0.2);
        close(&at(&warm, &[0.0, 0.1, 0.2, 1.0]), &[0.0, 0.5, 1.0, 1.0]);
        let linear = Schedule { floor: 0.2, ..schedule(ScheduleKind::Linear, 0.0) };
        close(&at(&linear, &[0.0, 0.5, 1.0]), &[1.0, 0.6, 0.2]);
        let cosine = schedule(ScheduleKind::Cosine, 0.5);
        close(&at(&cosine, &[0.25, 0.5, 0.75, 1.0]), &[0.5, 1.0, 0.5, 0.0]);
        let one_cycle = schedule(ScheduleKind::OneCycle, 0.0);
        close(&at(&one_cycle, &[0.0, 0.15, 0.3, 1.0]), &[0.04, 0.52, 1.0, 4e-6]);
        let slanted = schedule(ScheduleKind::SlantedTriangular, 0.0);
        close(&at(&slanted, &[0.0, 0.1, 0.55, 1.0]), &[1.0 / 32.0, 1.0, 16.5 / 32.0, 1.0 / 32.0]);
    }

    /// Of `torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=52)`.
    #[test]
    fn a_one_cycle_is_pytorchs() {
        let one_cycle = schedule(ScheduleKind::OneCycle, 0.0);
        let rate = |step: u32| 2e-3 * factor(&one_cycle, f64::from(step) / 52.0, 1.0 / 52.0, &[]);
        assert!((rate(0) - 8e-5).abs() < 1e-15);
        for (step, expected) in [(49, 1.487e-5), (50, 3.730e-6), (51, 8.0e-9)] {
            assert!((rate(step) / expected - 1.0).abs() < 1e-3, "{step}: {}", rate(step));
        }
        // The peak is at step 0.3 * 52 - 1 = 14.6.
        let rates: Vec<f64> = (0..52).map(rate).collect();
        assert!(rates[..15].is_sorted() && rates[15..].is_sorted_by(|a, b| a > b), "{rates:?}");
        assert!(rates[14] < rates[15] && rates[15] < 2e-3);
        // A peak before the first step is fallen from at once.
        let early = schedule(ScheduleKind::OneCycle, 0.01);
        assert!((factor(&early, 0.0, 0.01, &[]) - 1.0).abs() < 1e-12);
        assert!(factor(&early, 0.0, 0.5, &[]) < 0.6);
    }

    #[test]
    fn a_plateau_lowers_the_rate() {
        let plateau = Schedule { patience: 1, ..schedule(ScheduleKind::Plateau, 0.0) };
        let losses = [0.9, 0.8, 0.8, 0.85, 0.7, 0.71, 0.72, 0.73, 0.74];
        let evaluations: Vec<(u32, Evaluation)> = (1..)
            .zip(losses)
            .map(|(epoch, loss)| (epoch, Evaluation { loss, ..Evaluation::default() }))
            .collect();
        let rates: Vec<f64> =
            (0..=losses.len()).map(|n| factor(&plateau, 0.5, 0.1, &evaluations[..n])).collect();
        close(&rates, &[1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]);
        let floored = Schedule { floor: 0.3, ..plateau };
        close(&[factor(&floored, 0.5, 0.1, &evaluations)], &[0.3]);
    }
}
