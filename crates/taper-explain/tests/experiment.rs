//! The experiment about gates, small: what must come out of it at any size.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use taper_explain::{CHOICES, CellKind, Contestant, Error, Settings, compare_cells};

fn run(settings: &Settings) -> Vec<Contestant> {
    let mut told = Vec::new();
    let found = compare_cells(settings, &mut |cell, step, share| told.push((cell, step, share)));
    let found = found.unwrap();
    let listed = found.iter().flat_map(|one| {
        one.accuracy.iter().map(|&(step, share)| (one.cell, step, share)).collect::<Vec<_>>()
    });
    assert_eq!(told, listed.collect::<Vec<_>>(), "what is told is what is reported");
    found
}

#[test]
fn the_memory_carries_a_gradient_where_the_rnn_has_lost_it() {
    let settings =
        Settings { length: 30, steps: 400, every: 400, hidden_size: 16, ..Settings::default() };
    let found = run(&settings);
    assert_eq!(found.iter().map(|one| one.cell).collect::<Vec<_>>(), CellKind::ALL);
    let [rnn, gru, _, lstm] = &found[..] else { panic!("four networks") };
    let share = |one: &Contestant| one.accuracy[0].1;
    assert!(share(lstm) > 0.95 && share(gru) > 0.95, "{} {}", share(lstm), share(gru));
    // A guess: chance is 12.5 %.
    assert!(share(rnn) < 0.2, "{}", share(rnn));
    // Before training, a gradient fades in all; slowest where forget gates stand open.
    let faded = |reach: &[f64]| reach[reach.len() - 1] / reach[0];
    let untrained = |cell: usize| faded(&found[cell].untrained.h);
    assert!(untrained(0) < 1e-4, "{}", untrained(0));
    assert!(untrained(2) > untrained(0) * 1e-3 && untrained(3) > 1e3 * untrained(2));
    // Afterwards the LSTM's memory lets it through.
    let kept = faded(lstm.trained.c.as_ref().unwrap());
    assert!(kept > 0.01, "{kept}");
    assert!(rnn.trained.c.is_none() && gru.trained.c.is_none());
    for one in &found {
        assert_eq!(one.untrained.h.len(), 30);
        assert!(one.trained.h.iter().chain(&one.untrained.h).all(|norm| norm.is_finite()));
        assert!(one.accuracy[0].1 > 0.5 / CHOICES as f64);
    }
}

#[test]
fn the_same_seed_gives_the_same_numbers_and_another_does_not() {
    let settings =
        Settings { length: 8, steps: 6, every: 4, hidden_size: 5, ..Settings::default() };
    let found = run(&settings);
    assert_eq!(found, run(&settings));
    assert_eq!(found[0].accuracy.iter().map(|entry| entry.0).collect::<Vec<_>>(), [4, 6]);
    assert_ne!(found, run(&Settings { seed: 2, ..settings }));
    assert!(found[1].parameters > found[0].parameters && found[2].parameters > found[1].parameters);
}

#[test]
fn an_experiment_of_no_size_or_without_end_is_refused() {
    for settings in [
        Settings { length: 1, ..Settings::default() },
        Settings { hidden_size: 0, ..Settings::default() },
        Settings { steps: 0, ..Settings::default() },
        Settings { every: 0, ..Settings::default() },
        Settings { length: 99_999_999, ..Settings::default() },
        Settings { hidden_size: 99_999_999, ..Settings::default() },
        Settings { steps: usize::MAX, ..Settings::default() },
        Settings { every: usize::MAX, ..Settings::default() },
    ] {
        let error = compare_cells(&settings, &mut |_, _, _| ()).unwrap_err();
        assert!(matches!(error, Error::Setting { .. }), "{error}");
        assert!(error.to_string().contains("at least"), "{error}");
        assert!(error.to_string().contains("at most"), "{error}");
    }
    for learning_rate in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        let settings = Settings { learning_rate, ..Settings::default() };
        let error = compare_cells(&settings, &mut |_, _, _| ()).unwrap_err();
        assert!(error.to_string().contains("above 0"), "{error}");
    }
}
