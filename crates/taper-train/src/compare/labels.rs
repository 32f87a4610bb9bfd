//! What two models that give a text any number of labels differ in beside whole sets: each label, and micro F1.

use serde::{Deserialize, Serialize};

use crate::metrics::{Estimate, LabelScores, McNemar, Resampling, holm};

/// Two models on texts of any number of labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelComparison {
    /// F1 over all labels of all texts, of the second less that of the first; the interval is of resamples of pairs.
    pub micro_f1_difference: Estimate,
    /// Every label by itself.
    pub labels: Vec<LabelTest>,
}

/// Two models on one label: whether a text has it or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelTest {
    /// The label.
    pub label: String,
    /// Of texts on which one model is right about the label and the other wrong.
    pub mcnemar: McNemar,
    /// The exact p-value, corrected for there being as many tests as labels (Holm 1979).
    pub holm_p: f64,
}

pub(super) fn compare(
    first: &LabelScores,
    second: &LabelScores,
    pairs: &[(usize, usize)],
    names: &[String],
    resampling: Resampling,
) -> LabelComparison {
    let tests: Vec<McNemar> = (0..names.len())
        .map(|label| {
            let right = [first.right_about(label), second.right_about(label)];
            let count = |of: (bool, bool)| {
                let such = |pair: &&(usize, usize)| (right[0][pair.0], right[1][pair.1]) == of;
                pairs.iter().filter(such).count() as u64
            };
            McNemar::new(count((true, false)), count((false, true)))
        })
        .collect();
    let corrected = holm(&tests.iter().map(|test| test.exact_p).collect::<Vec<_>>());
    let test = |((label, mcnemar), holm_p): ((&String, McNemar), f64)| LabelTest {
        label: label.clone(),
        mcnemar,
        holm_p,
    };
    LabelComparison {
        micro_f1_difference: micro_f1(first, second, pairs, resampling),
        labels: names.iter().zip(tests).zip(corrected).map(test).collect(),
    }
}

/// 2 * right / (has + given), summed over all labels; 0 where that is 0 / 0.
fn micro_f1(
    first: &LabelScores,
    second: &LabelScores,
    pairs: &[(usize, usize)],
    resampling: Resampling,
) -> Estimate {
    let (first, second) = (first.hits(), second.hits());
    let difference = |weights: &[u32]| {
        let f1 = |row: &dyn Fn(&(usize, usize)) -> [u64; 2]| {
            let sum = pairs.iter().zip(weights).fold([0, 0], |sum, (pair, weight)| {
                let [right, all] = row(pair);
                [sum[0] + right * u64::from(*weight), sum[1] + all * u64::from(*weight)]
            });
            if sum[1] == 0 { 0.0 } else { 2.0 * sum[0] as f64 / sum[1] as f64 }
        };
        f1(&|pair| second[pair.1]) - f1(&|pair| first[pair.0])
    };
    let interval = resampling.intervals(pairs.len(), |weights| vec![difference(weights)]);
    let interval = interval.into_iter().next().flatten();
    Estimate {
        value: difference(&vec![1; pairs.len()]),
        low: interval.map(|ends| ends[0]),
        high: interval.map(|ends| ends[1]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_label_is_a_test_and_micro_f1_has_an_interval() {
        let sets: [&[u32]; 4] = [&[0], &[0, 1], &[], &[1]];
        let said = |probabilities: [f64; 8]| {
            LabelScores::new(&sets, probabilities.to_vec(), 2, 0.5).unwrap()
        };
        let perfect = said([0.9, 0.1, 0.9, 0.9, 0.1, 0.1, 0.1, 0.9]);
        // Label 0 is missed twice, label 1 given once where it is not.
        let worse = said([0.1, 0.1, 0.1, 0.9, 0.1, 0.9, 0.1, 0.9]);
        let pairs: Vec<_> = (0..4).map(|row| (row, row)).collect();
        let names = ["a".to_owned(), "b".to_owned()];
        let found = compare(&worse, &perfect, &pairs, &names, Resampling::default());
        let counts = |at: usize| {
            let McNemar { only_first, only_second, .. } = found.labels[at].mcnemar;
            (only_first, only_second)
        };
        assert_eq!((counts(0), counts(1)), ((0, 2), (0, 1)));
        assert_eq!((found.labels[0].mcnemar.exact_p, found.labels[0].holm_p), (0.5, 1.0));
        // 2 right of 4 that are and 3 that are given.
        let difference = found.micro_f1_difference;
        assert!((difference.value - (1.0 - 4.0 / 7.0)).abs() < 1e-12, "{difference:?}");
        assert!(difference.low.unwrap() <= difference.value, "{difference:?}");
        assert!(difference.value <= difference.high.unwrap(), "{difference:?}");
        let same = compare(&perfect, &perfect, &pairs, &names, Resampling::default());
        let none = Estimate { value: 0.0, low: Some(0.0), high: Some(0.0) };
        assert_eq!(same.micro_f1_difference, none);
    }
}
