//! When to stop before the last epoch.

use crate::evaluate::Evaluation;

/// Whether the last `patience` evaluations were all no better (see [`Evaluation::score`]) than the best before them.
pub fn patience_is_out(evaluations: &[(u32, Evaluation)], patience: Option<usize>) -> bool {
    let Some(patience) = patience else { return false };
    let mut best = f64::NEG_INFINITY;
    let mut waited = 0;
    for (_, evaluation) in evaluations {
        if evaluation.score() > best {
            (best, waited) = (evaluation.score(), 0);
        } else {
            waited += 1;
        }
    }
    waited >= patience
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_as_long_as_it_was_told() {
        let evaluations: Vec<(u32, Evaluation)> = [0.5, 0.8, 0.8, 0.9, 0.7, 0.9, 0.6]
            .into_iter()
            .zip(1..)
            .map(|(accuracy, epoch)| (epoch, Evaluation { accuracy, ..Evaluation::default() }))
            .collect();
        let out = |n: usize, patience| patience_is_out(&evaluations[..n], Some(patience));
        assert!(!out(2, 1) && out(3, 1) && !out(4, 1) && out(5, 1));
        assert!(!out(6, 3) && out(7, 3));
        assert!(!patience_is_out(&evaluations, None));
        assert!(!patience_is_out(&[], Some(1)));
    }
}
