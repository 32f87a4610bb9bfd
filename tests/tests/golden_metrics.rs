//! Figures against those of scikit-learn, `scipy` and `statsmodels` (`golden/metrics.json`, `golden/label_metrics.json`),
//! to 1e-9.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::Value;
use taper_train::metrics::{
    Confusion, CurvePoint, Figures, LabelScores, McNemar, Resampling, Scores, brier,
    calibration_error, fit_temperature, log_loss, ranking, reliability,
};

fn golden() -> Value {
    golden_file("metrics.json")
}

fn golden_file(name: &str) -> Value {
    let path = format!("{}/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

fn whole(value: &Value) -> Vec<u32> {
    numbers(value).into_iter().map(|number| number as u32).collect()
}

fn scores(case: &Value) -> Scores {
    let classes = case["probabilities"][0].as_array().unwrap().len();
    Scores::new(whole(&case["labels"]), numbers(&case["probabilities"]), classes).unwrap()
}

#[track_caller]
fn assert_close(place: &str, found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-9, "{place}: {found}, expected {expected}");
}

/// Every number of `expected` stands in `found` under the same names, or as `{"value": …}` there; null is null.
fn assert_same(place: &str, found: &Value, expected: &Value) -> usize {
    match expected {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| assert_same(&format!("{place}.{name}"), &found[name], field))
            .sum(),
        Value::Array(items) => {
            assert_eq!(found.as_array().map(Vec::len), Some(items.len()), "{place}");
            let items = items.iter().enumerate();
            items.map(|(at, item)| assert_same(&format!("{place}[{at}]"), &found[at], item)).sum()
        }
        Value::Null => {
            assert!(found.is_null(), "{place}: {found}, expected nothing");
            1
        }
        number => {
            let found = found.get("value").unwrap_or(found);
            let found = found.as_f64().unwrap_or_else(|| panic!("{place}: {found}, not {number}"));
            assert_close(place, found, number.as_f64().unwrap());
            1
        }
    }
}

fn figures(scores: &Scores) -> Value {
    let none = Resampling { resamples: 0, ..Resampling::default() };
    serde_json::to_value(Figures::new(scores, &[], none)).unwrap()
}

#[test]
fn every_figure_is_scikit_learns() {
    let golden = golden();
    let cases = golden["cases"].as_object().unwrap();
    assert_eq!(cases.len(), 13);
    for (name, case) in cases {
        let scores = scores(case);
        let compared = assert_same(name, &figures(&scores), &case["figures"]);
        assert_eq!(compared, 17 + 6 * scores.classes(), "{name}");
        for (function, key) in [
            (log_loss as fn(&Scores) -> Option<f64>, "log_loss"),
            (brier, "brier"),
            (calibration_error, "calibration_error"),
        ] {
            assert_close(name, function(&scores).unwrap(), case["figures"][key].as_f64().unwrap());
        }
        let once = vec![1; scores.len()];
        let confusion =
            Confusion::new(scores.labels(), scores.predicted(), &once, scores.classes());
        let confusion = serde_json::to_value(confusion).unwrap();
        assert_same(name, &confusion, &case["confusion"]);
        let bins = serde_json::to_value(reliability(&scores)).unwrap();
        assert_same(name, &bins, &case["reliability"]);
    }
}

#[test]
fn so_are_those_of_rows_that_count_more_than_once() {
    for (name, case) in golden()["cases"].as_object().unwrap() {
        let scores = scores(case);
        let rows: Vec<usize> = (0..scores.len())
            .zip(whole(&case["weights"]))
            .flat_map(|(row, weight)| std::iter::repeat_n(row, weight as usize))
            .collect();
        let classes = scores.classes();
        let labels = rows.iter().map(|row| scores.labels()[*row]).collect();
        let row = |row: &usize| &scores.probabilities()[row * classes..(row + 1) * classes];
        let probabilities = rows.iter().flat_map(row).copied().collect();
        let drawn = Scores::new(labels, probabilities, classes).unwrap();
        assert_same(name, &figures(&drawn), &case["weighted_figures"]);
    }
}

#[test]
fn figures_of_several_labels_a_text_are_scikit_learns() {
    let golden = golden_file("label_metrics.json");
    let cases = golden["cases"].as_object().unwrap();
    assert_eq!(cases.len(), 13);
    let none = Resampling { resamples: 0, ..Resampling::default() };
    for (name, case) in cases {
        let sets: Vec<Vec<u32>> = case["labels"].as_array().unwrap().iter().map(whole).collect();
        let labels = case["probabilities"][0].as_array().unwrap().len();
        let probabilities = numbers(&case["probabilities"]);
        let threshold = case["threshold"].as_f64().unwrap();
        let figures = |rows: &[usize]| {
            let sets: Vec<&[u32]> = rows.iter().map(|row| sets[*row].as_slice()).collect();
            let of_row = |row: &usize| &probabilities[row * labels..(row + 1) * labels];
            let probabilities = rows.iter().flat_map(of_row).copied().collect();
            let scores = LabelScores::new(&sets, probabilities, labels, threshold).unwrap();
            serde_json::to_value(scores.figures(&[], none)).unwrap()
        };
        let rows: Vec<usize> = (0..sets.len()).collect();
        let compared = assert_same(name, &figures(&rows), &case["figures"]);
        assert_eq!(compared, 18 + 6 * labels, "{name}");
        let drawn: Vec<usize> = (0..sets.len())
            .zip(whole(&case["weights"]))
            .flat_map(|(row, weight)| std::iter::repeat_n(row, weight as usize))
            .collect();
        assert_same(name, &figures(&drawn), &case["weighted_figures"]);
    }
}

#[test]
fn curves_have_scikit_learns_points() {
    let points = |curve: Vec<CurvePoint>| -> Vec<[f64; 2]> {
        curve.iter().map(|point| [point.x, point.y]).collect()
    };
    for (name, case) in golden()["cases"].as_object().unwrap() {
        let scores = scores(case);
        for class in 0..scores.classes() {
            let ranking = ranking(&scores, class).unwrap();
            for (kind, found) in [
                ("roc", points(ranking.roc_curve())),
                ("precision_recall", points(ranking.precision_recall_curve())),
            ] {
                let place = format!("{name}, class {class}, {kind}");
                let expected = numbers(&case["curves"][class][kind]);
                let found: Vec<f64> = found.into_iter().flatten().collect();
                assert_eq!(found.len(), expected.len(), "{place}");
                for (found, expected) in found.into_iter().zip(expected) {
                    assert_close(&place, found, expected);
                }
            }
        }
    }
}

#[test]
fn temperatures_are_scipys() {
    for case in golden()["temperatures"].as_array().unwrap() {
        let classes = case["logits"][0].as_array().unwrap().len();
        let logits: Vec<f32> = numbers(&case["logits"]).into_iter().map(|x| x as f32).collect();
        let found = fit_temperature(&logits, &whole(&case["labels"]), classes).unwrap();
        assert_close("temperature", found, case["temperature"].as_f64().unwrap());
    }
}

#[test]
fn mcnemars_test_is_statsmodels() {
    for case in golden()["mcnemar"].as_array().unwrap() {
        let [first, second] =
            ["only_first", "only_second"].map(|side| case[side].as_u64().unwrap());
        let found = McNemar::new(first, second);
        for (name, found) in [
            ("exact_p", found.exact_p),
            ("chi_squared", found.chi_squared.unwrap()),
            ("chi_squared_p", found.chi_squared_p.unwrap()),
        ] {
            let expected = case[name].as_f64().unwrap();
            // Relative: a p-value of 1e-12 is to be right, too.
            let error = (found - expected).abs() / expected.abs().max(1e-30);
            assert!(error <= 1e-9, "{first} and {second}: {name} {found}, expected {expected}");
        }
    }
}
