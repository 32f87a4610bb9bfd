//! How well scores put the rows of one class before all others: ROC and precision-recall, curves and areas.
//!
//! Sorted once; weights (of a resample) then need a walk over the rows alone. Equal scores are one step of a curve.

use serde::{Deserialize, Serialize};

/// Rows by score, highest first.
#[derive(Debug, Clone)]
pub struct Ranking {
    /// Rows, in order.
    order: Vec<u32>,
    /// In that order: whether the row is of the class.
    positive: Vec<bool>,
    /// Where each run of equal scores ends.
    ends: Vec<u32>,
    /// The score of each run.
    scores: Vec<f64>,
}

/// A point of a curve: what is taken for the class where its score is at least `threshold`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// `None` above all scores, where nothing is taken.
    pub threshold: Option<f64>,
    /// False-positive rate of a ROC curve, recall of a precision-recall curve.
    pub x: f64,
    /// True-positive rate (recall) of a ROC curve, precision of a precision-recall curve.
    pub y: f64,
}

/// Weights of both kinds, up to a run's end.
#[derive(Debug, Clone, Copy, Default)]
struct Passed {
    positive: u64,
    negative: u64,
}

impl Ranking {
    /// Sorts; `None` where a score is not a finite number.
    ///
    /// # Shapes
    /// `scores`, `positive`: `[rows]`
    pub fn new(scores: &[f64], positive: &[bool]) -> Option<Self> {
        if scores.iter().any(|score| !score.is_finite()) {
            return None;
        }
        let mut order: Vec<u32> = (0..).take(scores.len()).collect();
        order.sort_by(|left, right| {
            scores[*right as usize].total_cmp(&scores[*left as usize]).then(left.cmp(right))
        });
        let sorted: Vec<f64> = order.iter().map(|row| scores[*row as usize]).collect();
        let (mut ends, mut steps) = (Vec::new(), Vec::new());
        for (end, score) in (1..).zip(&sorted) {
            if sorted.get(end as usize) != Some(score) {
                ends.push(end);
                steps.push(*score);
            }
        }
        let positive = order.iter().map(|row| positive[*row as usize]).collect();
        Some(Self { order, positive, ends, scores: steps })
    }

    /// Area under the ROC curve: how often a row of the class has a higher score than another, ties counting half.
    /// `None` where rows of either kind are missing.
    pub fn roc_auc(&self, weights: &[u32]) -> Option<f64> {
        let (mut area, mut before) = (0.0, Passed::default());
        let all = self.walk(weights, |_, now| {
            let width = now.negative - before.negative;
            area += width as f64 * (now.positive + before.positive) as f64;
            before = now;
        });
        let pairs = all.positive as f64 * all.negative as f64;
        (pairs > 0.0).then(|| area / 2.0 / pairs)
    }

    /// Average precision: the sum of precisions, each weighted by the recall it adds; 0 without rows of the class, as
    /// scikit-learn has it. `None` of no rows.
    pub fn average_precision(&self, weights: &[u32]) -> Option<f64> {
        let (mut sum, mut before) = (0.0, 0);
        let all = self.walk(weights, |_, now| {
            if now.positive > before {
                let precision = now.positive as f64 / (now.positive + now.negative) as f64;
                sum += (now.positive - before) as f64 * precision;
            }
            before = now.positive;
        });
        let any = all.positive + all.negative > 0;
        any.then(|| if all.positive == 0 { 0.0 } else { sum / all.positive as f64 })
    }

    /// The ROC curve, from (0, 0) to (1, 1); empty where rows of either kind are missing.
    pub fn roc_curve(&self) -> Vec<CurvePoint> {
        let mut points = vec![CurvePoint { threshold: None, x: 0.0, y: 0.0 }];
        let mut passed = Vec::new();
        let all = self.walk(&vec![1; self.order.len()], |score, now| passed.push((score, now)));
        if all.positive == 0 || all.negative == 0 {
            return Vec::new();
        }
        points.extend(passed.into_iter().map(|(score, now)| CurvePoint {
            threshold: Some(score),
            x: now.negative as f64 / all.negative as f64,
            y: now.positive as f64 / all.positive as f64,
        }));
        points
    }

    /// The precision-recall curve, from recall 0 and precision 1 on; empty without rows of the class.
    pub fn precision_recall_curve(&self) -> Vec<CurvePoint> {
        let mut points = vec![CurvePoint { threshold: None, x: 0.0, y: 1.0 }];
        let mut passed = Vec::new();
        let all = self.walk(&vec![1; self.order.len()], |score, now| passed.push((score, now)));
        if all.positive == 0 {
            return Vec::new();
        }
        points.extend(passed.into_iter().map(|(score, now)| CurvePoint {
            threshold: Some(score),
            x: now.positive as f64 / all.positive as f64,
            y: now.positive as f64 / (now.positive + now.negative) as f64,
        }));
        points
    }

    /// Visits the end of every run with what was passed so far, and returns the whole.
    fn walk(&self, weights: &[u32], mut visit: impl FnMut(f64, Passed)) -> Passed {
        let mut passed = Passed::default();
        let mut start = 0;
        for (end, score) in self.ends.iter().zip(&self.scores) {
            let run = start..*end as usize;
            for (row, positive) in self.order[run.clone()].iter().zip(&self.positive[run]) {
                let weight = u64::from(weights[*row as usize]);
                let of_class = u64::from(*positive) * weight;
                passed.positive += of_class;
                passed.negative += weight - of_class;
            }
            start = *end as usize;
            visit(*score, passed);
        }
        passed
    }
}

/// At most `count` (2 or more) of a curve's points, the first and the last among them, evenly taken: enough to draw.
pub fn thinned(points: &[CurvePoint], count: usize) -> Vec<CurvePoint> {
    if points.len() <= count || count < 2 {
        return points.to_vec();
    }
    let last = points.len() - 1;
    (0..count).map(|index| points[index * last / (count - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_the_rows_does_not_count() {
        let scores = [0.1, 0.9, 0.4, 0.4, 0.7];
        let positive = [false, true, true, false, false];
        let ranking = Ranking::new(&scores, &positive).unwrap();
        // Pairs: (0.9 beats 3), (0.4 beats one, ties one, loses one): 3 + 1.5 of 6.
        assert_eq!(ranking.roc_auc(&[1; 5]), Some(4.5 / 6.0));
        let (mut scores, mut positive) = (scores, positive);
        scores.reverse();
        positive.reverse();
        let reversed = Ranking::new(&scores, &positive).unwrap();
        assert_eq!(reversed.roc_auc(&[1; 5]), Some(4.5 / 6.0));
        assert_eq!(reversed.roc_curve(), ranking.roc_curve());
        // A row of weight 2 is two rows; one of weight 0 is none.
        let twice = Ranking::new(&[0.9, 0.9, 0.4], &[true, true, false]).unwrap();
        assert_eq!(twice.average_precision(&[1; 3]), Some(1.0));
        assert_eq!(ranking.average_precision(&[0, 2, 0, 1, 0]), Some(1.0));
    }

    #[test]
    fn hostile_scores() {
        assert!(Ranking::new(&[0.1, f64::NAN], &[true, false]).is_none());
        assert!(Ranking::new(&[0.1, f64::INFINITY], &[true, false]).is_none());
        let none = Ranking::new(&[], &[]).unwrap();
        assert_eq!((none.roc_auc(&[]), none.average_precision(&[])), (None, None));
        assert!(none.roc_curve().is_empty() && none.precision_recall_curve().is_empty());
        let signed = Ranking::new(&[0.0, -0.0], &[true, false]).unwrap();
        assert_eq!(signed.roc_auc(&[1, 1]), Some(0.5), "zero is zero");
    }

    #[test]
    fn thinned_keeps_the_ends() {
        let points: Vec<CurvePoint> =
            (0..1000).map(|x| CurvePoint { threshold: None, x: f64::from(x), y: 0.0 }).collect();
        let few = thinned(&points, 7);
        assert_eq!((few.len(), few[0], few[6]), (7, points[0], points[999]));
        assert_eq!(thinned(&points, 1000), points);
    }
}
