//! Temperature scaling (Guo et al. 2017): one number that logits are divided by, so that probabilities mean what they say.

use super::scores::softmax;

/// No temperature outside of 1 / this and this is believed: it would come of too few rows.
const LARGEST: f64 = 100.0;

/// More halvings than f64 has bits between the bounds.
const HALVINGS: usize = 80;

/// The temperature with the least log loss. The loss is convex in 1 / T, so its slope changes sign once, and halving finds
/// the place; the result is a function of the numbers alone.
///
/// `None` where there is no best one within 0.01 and 100 (all rows right, or worse than chance), and where a logit is not
/// finite.
///
/// # Shapes
/// `labels`: `[rows]`; `logits`: `[rows, classes]`, row-major
pub fn fit_temperature(logits: &[f32], labels: &[u32], classes: usize) -> Option<f64> {
    if logits.iter().any(|logit| !logit.is_finite()) || classes == 0 {
        return None;
    }
    let slope = |scale: f64| -> f64 {
        let rows = logits.chunks_exact(classes).zip(labels);
        let of_row = |(row, label): (&[f32], &u32)| {
            let mean: f64 =
                softmax(row, scale).iter().zip(row).map(|(p, logit)| p * f64::from(*logit)).sum();
            mean - row.get(*label as usize).map_or(0.0, |logit| f64::from(*logit))
        };
        rows.map(of_row).sum()
    };
    // Logarithms of 1 / T.
    let (mut low, mut high) = (-LARGEST.ln(), LARGEST.ln());
    if slope(low.exp()) >= 0.0 || slope(high.exp()) <= 0.0 {
        return None;
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if slope(middle.exp()) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some((-f64::midpoint(low, high)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coin_that_is_too_sure_is_told_the_odds() {
        // Right three times of four with a logit of 4; ln 3 would be honest, for T = 4 / ln 3.
        let logits = [0.0, 4.0].repeat(8);
        let labels = [1, 1, 1, 0, 1, 1, 1, 0];
        let found = fit_temperature(&logits, &labels, 2).unwrap();
        assert!((found - 4.0 / 3.0f64.ln()).abs() < 1e-12, "{found}");
    }

    #[test]
    fn what_no_temperature_helps() {
        let logits = [0.0, 4.0, 4.0, 0.0];
        assert_eq!(fit_temperature(&logits, &[1, 0], 2), None, "all right");
        assert_eq!(fit_temperature(&logits, &[0, 1], 2), None, "all wrong");
        assert_eq!(fit_temperature(&[1.0; 4], &[0, 1], 2), None, "nothing said");
        assert_eq!(fit_temperature(&[f32::NAN, 0.0], &[0], 2), None);
        assert_eq!(fit_temperature(&[], &[], 2), None);
    }
}
