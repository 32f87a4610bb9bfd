//! `taper gradients`, from outside, at sizes that take seconds.

use std::fs;

use serde_json::Value;

use crate::taper::{failure, json, run, stderr};

const TINY: [&str; 7] = ["gradients", "--length", "8", "--steps", "12", "--hidden-size", "6"];

#[test]
fn four_cells_on_one_task_as_figures_words_and_plots() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new/plots");
    let with = |more: &[&str]| -> Vec<String> {
        TINY.iter().chain(more).map(|&argument| argument.to_owned()).collect()
    };
    let ask = |more: &[&str]| -> Value {
        let arguments = with(more);
        json(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let found = ask(&["--json", "--out", out.to_str().unwrap()]);
    assert_eq!(
        (&found["format"], &found["length"], &found["steps"]),
        (&1.into(), &8.into(), &12.into())
    );
    assert_eq!(found["chance"], 0.125);
    let cells = found["cells"].as_array().unwrap();
    let names: Vec<&str> = cells.iter().map(|cell| cell["cell"].as_str().unwrap()).collect();
    assert_eq!(names, ["RNN", "GRU", "LSTM, forget bias 0", "LSTM, forget bias 1"]);
    for (cell, gates) in cells.iter().zip([1, 3, 4, 4]) {
        // Two products and two biases a gate, and the linear layer.
        let parameters = gates * (6 * 9 + 6 * 6 + 12) + 8 * 6 + 8;
        assert_eq!(cell["parameters"], parameters);
        for when in ["untrained", "trained"] {
            let norms = cell[when]["h"].as_array().unwrap();
            assert_eq!(norms.len(), 8);
            assert!(norms.iter().all(|norm| norm.as_f64().unwrap() > 0.0), "{norms:?}");
            assert_eq!(cell[when]["c"].is_array(), gates == 4);
        }
        assert_ne!(cell["untrained"]["h"], cell["trained"]["h"]);
        let accuracy = cell["accuracy"].as_array().unwrap();
        assert_eq!(accuracy.len(), 6);
        assert_eq!(accuracy[5]["step"], 12);
        assert!(accuracy.iter().all(|at| (0.0..=1.0).contains(&at["share"].as_f64().unwrap())));
    }
    for (name, says) in [
        ("untrained.svg", "Before training"),
        ("trained.svg", "After training"),
        ("recall.svg", "chance"),
    ] {
        let svg = fs::read_to_string(out.join(name)).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains(says) && !svg.contains("NaN"), "{svg}");
    }
    assert_eq!(ask(&["--json"]), found, "the same seed gives the same numbers");
    assert_ne!(ask(&["--json", "--seed", "2"])["cells"], found["cells"]);
    let slower = ask(&["--json", "--learning-rate", "0.001"]);
    assert_eq!(slower["learning_rate"], 0.001);
    assert_eq!(slower["cells"][0]["untrained"], found["cells"][0]["untrained"]);
    assert_ne!(slower["cells"][0]["trained"], found["cells"][0]["trained"]);

    let output = run(&TINY);
    let words = String::from_utf8(output.stdout.clone()).unwrap();
    for part in ["gradient of", "recalled after", "12 steps", "guessing names 12.5 %"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert!(stderr(&output).contains("RNN: step 2, "), "{}", stderr(&output));
}

#[test]
fn what_it_cannot_do_is_told() {
    let message = failure(&["gradients", "--length", "1"]);
    assert!(message.contains("the length of sequences"), "{message}");
    assert!(failure(&["gradients", "--steps", "0"]).contains("the number of steps"));
    for rate in ["0", "-1", "nan", "inf"] {
        let message = failure(&["gradients", &format!("--learning-rate={rate}")]);
        assert!(message.contains("the learning rate is"), "{message}");
    }
    for (option, named) in [("--length", "the length"), ("--hidden-size", "the number of units")] {
        let message = failure(&["gradients", option, "99999999"]);
        assert!(message.contains(named) && message.contains("at most"), "{message}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let out = file.join("plots");
    let arguments = [&TINY[..], &["--out", out.to_str().unwrap()]].concat();
    let message = failure(&arguments);
    assert!(message.contains("cannot make the folder"), "{message}");
    assert!(!message.contains("recalled"), "before any training: {message}");
}
