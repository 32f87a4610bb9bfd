//! Integrated gradients where the way from zeros is rough: points are put where they are needed.
//!
//! On a long text the target jumps along the way: a memory with more than one resting state leaves one for another at
//! some scale, and the more steps a text has, the steeper. But over any part of the way the integral is known:
//! it is the target's difference between the part's ends, two forward passes. So a part whose gradients miss that is halved,
//! the worst ones first. What still misses it in a part too narrow for f32 to halve is a jump; gradients within it differ in
//! size and not in direction, so they are scaled to the known difference.

use crate::error::Result;
use crate::quadrature::gauss_legendre;

/// Points in each interval.
const POINTS: usize = 4;

/// Intervals to begin with.
const INTERVALS: usize = 16;

/// Intervals this wide are not halved: embeddings scaled by numbers still closer hardly differ in f32.
const NARROWEST: f64 = 1.0 / (1 << 20) as f64;

/// What the integral is wanted to be, and what it may cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracy {
    /// The sum of all intervals' misses at which it is good enough, as a share of the target's difference.
    pub tolerance: f64,
    /// Gradients that are computed, at the most (and [`crate::DEFAULT_STEPS`] at the least).
    pub steps: usize,
}

impl Default for Accuracy {
    /// 0.5 %, 8,192 gradients.
    fn default() -> Self {
        Self { tolerance: 0.005, steps: 8192 }
    }
}

/// A function along the way from 0 to 1.
pub(crate) trait Way {
    /// Its values.
    fn values(&self, at: &[f64]) -> Result<Vec<f64>>;
    /// Its derivative at each point as parts that add up to it, one for each token.
    fn parts(&self, at: &[f64]) -> Result<Vec<Vec<f64>>>;
    /// Points that are best computed together.
    fn at_a_time(&self) -> usize;
}

/// An integral, part by part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Integral {
    pub(crate) parts: Vec<f64>,
    pub(crate) value: f64,
    pub(crate) baseline: f64,
    /// Derivatives computed.
    pub(crate) steps: usize,
    /// Sum of the magnitudes of the jumps.
    pub(crate) jumps: f64,
}

/// Between `at[0]` and `at[1]`.
struct Interval {
    at: [f64; 2],
    values: [f64; 2],
    parts: Vec<f64>,
}

impl Interval {
    fn difference(&self) -> f64 {
        self.values[1] - self.values[0]
    }

    fn sum(&self) -> f64 {
        self.parts.iter().sum()
    }

    fn miss(&self) -> f64 {
        (self.sum() - self.difference()).abs()
    }

    fn narrow(&self) -> bool {
        self.at[1] - self.at[0] <= NARROWEST
    }
}

pub(crate) fn integrate(way: &impl Way, accuracy: Accuracy) -> Result<Integral> {
    let at: Vec<f64> = (0..=INTERVALS).map(|k| k as f64 / INTERVALS as f64).collect();
    let values = way.values(&at)?;
    let (baseline, value) = (values[0], values[INTERVALS]);
    // Where there is next to no difference, f32's rounding is what is left to miss.
    let goal =
        (accuracy.tolerance * (value - baseline).abs()).max(1e-5 * value.abs().max(baseline.abs()));
    let ends = at.windows(2).zip(values.windows(2));
    let ends: Vec<_> = ends.map(|(at, values)| ([at[0], at[1]], [values[0], values[1]])).collect();
    let mut intervals = measure(way, &ends)?;
    let mut steps = POINTS * INTERVALS;
    loop {
        let halved = worst(&mut intervals, goal, (way.at_a_time() / (2 * POINTS)).max(1));
        if halved.is_empty() || steps + 2 * POINTS * halved.len() > accuracy.steps {
            intervals.extend(halved);
            break;
        }
        steps += 2 * POINTS * halved.len();
        let middles: Vec<f64> =
            halved.iter().map(|interval| f64::midpoint(interval.at[0], interval.at[1])).collect();
        let ends = halved.iter().zip(&middles).zip(way.values(&middles)?);
        let ends = ends.flat_map(|((Interval { at, values, .. }, &middle), value)| {
            [([at[0], middle], [values[0], value]), ([middle, at[1]], [value, values[1]])]
        });
        intervals.extend(measure(way, &ends.collect::<Vec<_>>())?);
    }
    let mut jumps = 0.0;
    let mut parts = vec![0.0; intervals.first().map_or(0, |interval| interval.parts.len())];
    // Always in the same order, whatever was halved when.
    intervals.sort_by(|a, b| a.at[0].total_cmp(&b.at[0]));
    for interval in &intervals {
        let (sum, difference) = (interval.sum(), interval.difference());
        // Nothing to scale where the gradients are all but zero, or point the other way: the miss stays, and shows in
        // the error.
        let agree = sum * difference > 0.0 && sum.abs() > 0.01 * difference.abs();
        let scale = if interval.narrow() && agree {
            jumps += difference.abs();
            difference / sum
        } else {
            1.0
        };
        parts.iter_mut().zip(&interval.parts).for_each(|(all, part)| *all += scale * part);
    }
    Ok(Integral { parts, value, baseline, steps, jumps })
}

/// Takes out what must be halved for the misses of the rest to be within half of `goal`: at the most `most`, the worst.
fn worst(intervals: &mut Vec<Interval>, goal: f64, most: usize) -> Vec<Interval> {
    let miss = |interval: &Interval| if interval.narrow() { 0.0 } else { interval.miss() };
    let mut left: f64 = intervals.iter().map(miss).sum();
    if left <= goal {
        return Vec::new();
    }
    intervals.sort_by(|a, b| miss(b).total_cmp(&miss(a)));
    let count = intervals.iter().take(most).take_while(|interval| {
        let halve = left > goal / 2.0;
        left -= miss(interval);
        halve
    });
    let count = count.count();
    intervals.drain(..count).collect()
}

fn measure(way: &impl Way, ends: &[([f64; 2], [f64; 2])]) -> Result<Vec<Interval>> {
    let rule = gauss_legendre(POINTS);
    let points =
        ends.iter().flat_map(|(at, _)| rule.iter().map(|(x, _)| at[0] + x * (at[1] - at[0])));
    let all = way.parts(&points.collect::<Vec<_>>())?;
    let intervals = ends.iter().zip(all.chunks(POINTS)).map(|(&(at, values), gradients)| {
        let mut parts = vec![0.0; gradients[0].len()];
        for (gradient, (_, weight)) in gradients.iter().zip(&rule) {
            let weight = weight * (at[1] - at[0]);
            parts.iter_mut().zip(gradient).for_each(|(sum, part)| *sum += weight * part);
        }
        Interval { at, values, parts }
    });
    Ok(intervals.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// `a x^2 + height * tanh((x - place) / width)`, of which the second part is two tokens', 3 to -2.
    struct Steep {
        place: f64,
        width: f64,
    }

    impl Way for Steep {
        fn values(&self, at: &[f64]) -> Result<Vec<f64>> {
            Ok(at.iter().map(|x| x * x + ((x - self.place) / self.width).tanh()).collect())
        }

        fn parts(&self, at: &[f64]) -> Result<Vec<Vec<f64>>> {
            let parts = at.iter().map(|x| {
                let steep = (1.0 - ((x - self.place) / self.width).tanh().powi(2)) / self.width;
                vec![2.0 * x, 3.0 * steep, -2.0 * steep]
            });
            Ok(parts.collect())
        }

        fn at_a_time(&self) -> usize {
            64
        }
    }

    /// A jump up, about which all gradients point down.
    struct Contrary;

    impl Way for Contrary {
        fn values(&self, at: &[f64]) -> Result<Vec<f64>> {
            Ok(at.iter().map(|x| f64::from(u8::from(*x > 0.3))).collect())
        }

        fn parts(&self, at: &[f64]) -> Result<Vec<Vec<f64>>> {
            Ok(at.iter().map(|x| vec![if (x - 0.3).abs() < 1e-5 { -1e5 } else { 0.0 }]).collect())
        }

        fn at_a_time(&self) -> usize {
            64
        }
    }

    #[test]
    fn gradients_are_never_turned_around() {
        let found = integrate(&Contrary, Accuracy::default()).unwrap();
        assert!(found.parts[0] <= 0.0, "{:?}", found.parts);
        assert!(found.jumps < 0.5, "{}", found.jumps);
    }

    #[test]
    fn what_is_steep_is_found_and_what_is_steeper_is_a_jump() {
        for (width, jump) in [(0.3, false), (1e-3, false), (1e-5, false), (3e-8, true)] {
            let way = Steep { place: 0.0517, width };
            let found = integrate(&way, Accuracy::default()).unwrap();
            let of = [1.0, 3.0 * (found.value - found.baseline - 1.0)];
            let expected = [of[0], of[1], -2.0 / 3.0 * of[1]];
            for (found, expected) in found.parts.iter().zip(expected) {
                assert!((found - expected).abs() < 0.06, "{width}: {found}, not {expected}");
            }
            assert_eq!(found.jumps > 0.0, jump, "{width}: {}", found.jumps);
            assert!(found.steps < 500, "{width}: {}", found.steps);
        }
        let way = Steep { place: 0.0517, width: 1e-5 };
        let found = integrate(&way, Accuracy { tolerance: 0.005, steps: 100 }).unwrap();
        assert!(found.steps <= 100);
    }
}
