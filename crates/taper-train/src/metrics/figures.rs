//! All figures of a split at once, each with its interval: sorted once, then a walk over the rows a resample.

use serde::{Deserialize, Serialize};

use super::bootstrap::Resampling;
use super::calibration::Deviations;
use super::confusion::{Confusion, Retrieval};
use super::ranking::Ranking;
use super::scores::Scores;

/// The place of the calibration error in the order of [`Sorted::values`].
const CALIBRATION_ERROR: usize = 14;

/// A figure and how far other rows might have moved it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Lower end of the interval, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Its upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

/// The figures of a split. `None` is undefined: an area under a ROC curve with rows of one kind alone, anything of no
/// rows, and what needs probabilities where one of them is NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Rows.
    pub rows: u64,
    /// Correct over total; where a text may have several labels, all have to be.
    pub accuracy: Option<Estimate>,
    /// Share of all labels of all rows that are wrong, where a text may have several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hamming_loss: Option<Estimate>,
    /// Mean recall of the classes that have rows.
    pub balanced_accuracy: Option<Estimate>,
    /// Matthews' correlation coefficient, from -1 to 1.
    pub matthews: Option<Estimate>,
    /// Area under the ROC curve: of two classes the second's, of more the mean of one against the rest.
    pub roc_auc: Option<Estimate>,
    /// Average precision (PR-AUC): of two classes the second's, of more the mean of one against the rest.
    pub average_precision: Option<Estimate>,
    /// See [`log_loss`](super::log_loss).
    pub log_loss: Option<Estimate>,
    /// See [`brier`](super::brier).
    pub brier: Option<Estimate>,
    /// See [`calibration_error`](super::calibration_error). Its interval is of values that are shifted to have the figure as
    /// their mean: resampling biases it upwards.
    pub calibration_error: Option<Estimate>,
    /// Mean over the classes, all of one weight.
    #[serde(rename = "macro")]
    pub macro_average: Averages,
    /// Over all rows at once.
    #[serde(rename = "micro")]
    pub micro_average: Averages,
    /// Mean over the classes, weighted by their rows.
    #[serde(rename = "weighted")]
    pub weighted_average: Averages,
    /// Each class.
    pub classes: Vec<ClassFigures>,
}

/// Precision, recall and F1 over classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Averages {
    /// Of the rows taken for a class, those that are of it.
    pub precision: Option<Estimate>,
    /// Of the rows of a class, those taken for it.
    pub recall: Option<Estimate>,
    /// Harmonic mean of the two, class by class.
    pub f1: Option<Estimate>,
}

/// One class against the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassFigures {
    /// Its name.
    pub class: String,
    /// Rows of the class.
    pub support: u64,
    /// Of the rows taken for it, those that are of it.
    pub precision: Option<Estimate>,
    /// Of its rows, those taken for it.
    pub recall: Option<Estimate>,
    /// Harmonic mean of the two.
    pub f1: Option<Estimate>,
    /// Area under its ROC curve.
    pub roc_auc: Option<Estimate>,
    /// Its average precision.
    pub average_precision: Option<Estimate>,
}

impl Figures {
    /// Computes all of them; classes without a name in `class_names` have none.
    pub fn new(scores: &Scores, class_names: &[String], resampling: Resampling) -> Self {
        let sorted = Sorted::new(scores);
        let confusion = sorted.confusion(&vec![1; scores.len()]);
        let supports: Vec<u64> =
            (0..scores.classes()).map(|class| confusion.support(class)).collect();
        let values = |weights: &[u32]| sorted.values(weights);
        Self::estimate(scores.len(), &supports, class_names, resampling, values)
    }

    /// From figures in the order of [`Sorted::values`], as a function of how often each row counts.
    ///
    /// The interval of the calibration error is about its value: chance adds to each bin's distance, and in a resample
    /// once more than in the rows themselves, so that the plain percentiles can all lie above it.
    pub(super) fn estimate(
        rows: usize,
        supports: &[u64],
        class_names: &[String],
        resampling: Resampling,
        of: impl Fn(&[u32]) -> Vec<f64> + Sync,
    ) -> Self {
        let values = of(&vec![1; rows]);
        let resampled = if rows == 0 { Vec::new() } else { resampling.resampled(rows, of) };
        let mut estimates = (0..).zip(values).map(|(index, value): (usize, f64)| {
            let interval = resampled.get(index).and_then(|sorted| {
                if index == CALIBRATION_ERROR {
                    resampling.interval_about(value, sorted)
                } else {
                    resampling.interval(sorted)
                }
            });
            let (low, high) = (interval.map(|ends| ends[0]), interval.map(|ends| ends[1]));
            (!value.is_nan()).then_some(Estimate { value, low, high })
        });
        Self::assemble(rows as u64, supports, class_names, &mut estimates)
    }

    /// Takes figures in the order of [`Sorted::values`].
    fn assemble(
        rows: u64,
        supports: &[u64],
        class_names: &[String],
        estimates: &mut dyn Iterator<Item = Option<Estimate>>,
    ) -> Self {
        let mut next = || estimates.next().flatten();
        let mut averages = || Averages { precision: next(), recall: next(), f1: next() };
        let [macro_average, micro_average, weighted_average] = std::array::from_fn(|_| averages());
        Self {
            rows,
            macro_average,
            micro_average,
            weighted_average,
            accuracy: next(),
            balanced_accuracy: next(),
            matthews: next(),
            log_loss: next(),
            brier: next(),
            calibration_error: next(),
            roc_auc: next(),
            average_precision: next(),
            hamming_loss: next(),
            classes: (0..supports.len())
                .map(|class| ClassFigures {
                    class: class_names.get(class).cloned().unwrap_or_default(),
                    support: supports[class],
                    precision: next(),
                    recall: next(),
                    f1: next(),
                    roc_auc: next(),
                    average_precision: next(),
                })
                .collect(),
        }
    }
}

/// Scores with all that does not change from one resample to the next.
struct Sorted<'a> {
    scores: &'a Scores,
    /// Of each class, unless a score is NaN.
    rankings: Vec<Option<Ranking>>,
    deviations: Option<Deviations>,
}

impl<'a> Sorted<'a> {
    fn new(scores: &'a Scores) -> Self {
        let classes = scores.classes();
        Self {
            scores,
            rankings: (0..classes).map(|class| ranking(scores, class)).collect(),
            deviations: Deviations::new(scores),
        }
    }

    fn confusion(&self, weights: &[u32]) -> Confusion {
        let scores = self.scores;
        Confusion::new(scores.labels(), scores.predicted(), weights, scores.classes())
    }

    /// Every figure where row `i` counts `weights[i]` times, in the order of [`Figures::assemble`]; NaN where undefined.
    fn values(&self, weights: &[u32]) -> Vec<f64> {
        let confusion = self.confusion(weights);
        let mut values = Vec::with_capacity(18 + 5 * self.rankings.len());
        let mut add = |figure: Option<f64>| values.push(figure.unwrap_or(f64::NAN));
        let any = confusion.rows() > 0;
        let retrieval = |figures: Retrieval| {
            [figures.precision, figures.recall, figures.f1].map(|figure| any.then_some(figure))
        };
        for average in
            [confusion.macro_average(), confusion.micro_average(), confusion.weighted_average()]
        {
            retrieval(average).into_iter().for_each(&mut add);
        }
        add(confusion.accuracy());
        add(confusion.balanced_accuracy());
        add(confusion.matthews());
        let deviations = self.deviations.as_ref();
        add(deviations.and_then(|all| all.log_loss(weights)));
        add(deviations.and_then(|all| all.brier(weights)));
        add(deviations.and_then(|all| all.calibration_error(weights)));
        let areas = |area: fn(&Ranking, &[u32]) -> Option<f64>| -> Vec<Option<f64>> {
            self.rankings.iter().map(|ranking| area(ranking.as_ref()?, weights)).collect()
        };
        let roc = areas(Ranking::roc_auc);
        let precision = areas(Ranking::average_precision);
        add(over_classes(&roc));
        add(over_classes(&precision));
        add(None);
        for class in 0..self.rankings.len() {
            retrieval(confusion.class(class)).into_iter().for_each(&mut add);
            add(roc[class]);
            add(precision[class]);
        }
        values
    }
}

/// The ranking of a split's rows by the probability of `class`; `None` where one is NaN.
pub fn ranking(scores: &Scores, class: usize) -> Option<Ranking> {
    let of_class: Vec<f64> = scores.rows().map(|(row, _)| row[class]).collect();
    let positive: Vec<bool> =
        scores.labels().iter().map(|label| *label as usize == class).collect();
    Ranking::new(&of_class, &positive)
}

/// The second class's of two, the mean of more; undefined where one of them is.
fn over_classes(areas: &[Option<f64>]) -> Option<f64> {
    if let [_, second] = areas {
        return *second;
    }
    let sum = areas.iter().copied().sum::<Option<f64>>()?;
    (!areas.is_empty()).then(|| sum / areas.len() as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    fn scores(rows: u32) -> Scores {
        let labels: Vec<u32> = (0..rows).map(|row| row * 7 % 3 % 2).collect();
        let probability = |row: &u32| f64::from(row * 37 % 101) / 101.0;
        let rows = (0..rows).flat_map(|row| [1.0 - probability(&row), probability(&row)]);
        Scores::new(labels, rows.collect(), 2).unwrap()
    }

    fn names() -> Vec<String> {
        vec!["neg".to_owned(), "pos".to_owned()]
    }

    #[test]
    fn a_resample_is_what_its_rows_repeated_would_give() {
        let scores = scores(60);
        let sorted = Sorted::new(&scores);
        let weights: Vec<u32> = (0..60).map(|row| row * 5 % 4).collect();
        let repeated = |row: usize| std::iter::repeat_n(row, weights[row] as usize);
        let rows: Vec<usize> = (0..60).flat_map(repeated).collect();
        let labels = rows.iter().map(|row| scores.labels()[*row]).collect();
        let probabilities =
            rows.iter().flat_map(|row| &scores.probabilities()[2 * row..2 * row + 2]);
        let repeated = Scores::new(labels, probabilities.copied().collect(), 2).unwrap();
        let expected = Sorted::new(&repeated).values(&vec![1; rows.len()]);
        let found = sorted.values(&weights);
        assert_eq!(found.len(), 18 + 10);
        assert_eq!(found.iter().filter(|figure| figure.is_nan()).count(), 1, "no Hamming loss");
        for (found, expected) in found.iter().zip(&expected).filter(|pair| !pair.0.is_nan()) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn every_figure_lies_in_its_interval_and_survives_json() {
        let figures = Figures::new(&scores(200), &names(), Resampling::default());
        let accuracy = figures.accuracy.unwrap();
        assert!(accuracy.low.unwrap() < accuracy.value && accuracy.value < accuracy.high.unwrap());
        let json = serde_json::to_string(&figures).unwrap();
        let mut estimates = json.matches("\"low\"").count();
        assert_eq!(estimates, 17 + 10, "{json}");
        let back: Figures = serde_json::from_str(&json).unwrap();
        assert_eq!(back.classes[1].class, "pos");
        let without = Resampling { resamples: 0, ..Resampling::default() };
        let json = serde_json::to_string(&Figures::new(&scores(9), &names(), without)).unwrap();
        estimates = json.matches("\"low\"").count();
        assert_eq!(estimates, 0);
    }

    #[test]
    fn the_interval_of_a_small_calibration_error_holds_it() {
        // In five bins of a hundred rows each, as many are right as the model says: the error is 0, but for rounding.
        let rows = [55, 65, 75, 85, 95].into_iter().flat_map(|sure: u32| {
            (0..100).map(move |row| (f64::from(sure) / 100.0, u32::from(row < sure)))
        });
        let (sure, labels): (Vec<f64>, Vec<u32>) = rows.unzip();
        let probabilities = sure.iter().flat_map(|sure| [1.0 - sure, *sure]).collect();
        let scores = Scores::new(labels, probabilities, 2).unwrap();
        let resampling = Resampling::default();
        let sorted = Sorted::new(&scores);
        let plain = resampling.intervals(500, |weights| sorted.values(weights));
        let figures = Figures::new(&scores, &names(), resampling);
        let Estimate { value, low, high } = figures.calibration_error.unwrap();
        let ([low, high], [lowest, highest]) =
            ([low.unwrap(), high.unwrap()], plain[CALIBRATION_ERROR].unwrap());
        assert!(value < 1e-12 && value < lowest, "{value} {lowest}");
        assert!((0.0..=value).contains(&low) && value < high, "{low} {value} {high}");
        assert!(high < highest, "{high} {highest}");
        // The others' are as they were.
        let accuracy = figures.accuracy.unwrap();
        assert_eq!(plain[9], Some([accuracy.low.unwrap(), accuracy.high.unwrap()]));
        let brier = figures.brier.unwrap();
        assert_eq!(plain[13], Some([brier.low.unwrap(), brier.high.unwrap()]));
    }

    #[test]
    fn no_rows_and_nan_have_no_figures_but_those_that_need_none() {
        let none = Scores::new(Vec::new(), Vec::new(), 2).unwrap();
        let figures = Figures::new(&none, &names(), Resampling::default());
        let json = serde_json::to_value(&figures).unwrap();
        assert_eq!((&json["accuracy"], &json["macro"]["f1"]), (&().into(), &().into()));
        let nan = Scores::new(vec![0, 1], vec![0.4, 0.6, f64::NAN, f64::NAN], 2).unwrap();
        let figures = Figures::new(&nan, &names(), Resampling::default());
        assert_eq!(figures.accuracy.unwrap().value, 0.0);
        let undefined = [figures.roc_auc, figures.average_precision, figures.log_loss];
        assert_eq!((undefined, figures.brier, figures.calibration_error), ([None; 3], None, None));
        assert!(!serde_json::to_string(&figures).unwrap().contains("NaN"));
    }
}
