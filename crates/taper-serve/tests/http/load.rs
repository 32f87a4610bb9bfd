//! Many clients at once: batches, reloads under load, a full queue.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use taper_serve::Limits;

use crate::served::{model, predictor, read, request, serve, serve_with, started};

/// Texts of 0 to 8 words.
fn text(at: usize) -> String {
    (0..at % 9).map(|word| ["a ", "b ", "c ", "?? "][(at / 9 + word) % 4]).collect()
}

fn probability(prediction: &Value, class: &str) -> f64 {
    prediction["probabilities"][class].as_f64().unwrap()
}

#[test]
fn texts_read_together_get_what_they_get_alone() {
    let served = serve_with(Limits { linger: Duration::from_millis(20), ..Limits::default() });
    let texts: Vec<String> = (0..480).map(text).collect();
    let expected = predictor(&served.path("m")).predict(&texts).unwrap();
    thread::scope(|scope| {
        for client in 0..16 {
            let (served, texts, expected) = (&served, &texts, &expected);
            scope.spawn(move || {
                for start in (client * 30..client * 30 + 30).step_by(3) {
                    let range = start..start + 3;
                    let reply =
                        served.post("/v1/predict", &json!({ "texts": texts[range.clone()] }));
                    assert_eq!(reply.status, 200, "{reply:?}");
                    let reply = reply.json();
                    for (found, expected) in
                        reply["predictions"].as_array().unwrap().iter().zip(&expected[range])
                    {
                        assert_eq!(found["label"], expected.label.as_str());
                        assert_eq!(found["tokens"], expected.tokens);
                        let expected = f64::from(expected.probabilities[1].1);
                        assert!((probability(found, "good") - expected).abs() < 1e-4);
                    }
                }
            });
        }
    });
    let metrics = served.get("/metrics").body;
    let count = |name: &str| -> usize {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse().unwrap()
    };
    assert_eq!(count("taper_texts_total{model=\"m\"}"), 480);
    let batches = count("taper_batch_texts_count{model=\"m\"}");
    assert!(batches < 160, "{batches} batches of 160 requests: nothing was read together");
}

#[test]
fn a_reload_under_load_loses_nothing() {
    let served = serve();
    let folder = served.path("m");
    let weights = || served.get("/v1/models").json()["models"][0]["weights_blake3"].clone();
    let before = weights();
    let of =
        |folder| f64::from(predictor(folder).predict(&["a b c"]).unwrap()[0].probabilities[1].1);
    let old = of(&folder);
    let (done, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (new, seen) = thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = Vec::new();
                    while !done.load(Ordering::Relaxed) {
                        let reply =
                            served.post("/v1/predict", &json!({ "texts": ["a b c", "a b c"] }));
                        assert_eq!(reply.status, 200, "{reply:?}");
                        let reply = reply.json();
                        let [first, second] =
                            [0, 1].map(|at| probability(&reply["predictions"][at], "good"));
                        // One model answers a request, whichever it is.
                        assert!((first - second).abs() < 1e-6);
                        seen.push(first);
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                    seen
                })
            })
            .collect();
        let more = |count| {
            let until = answers.load(Ordering::Relaxed) + count;
            let start = Instant::now();
            while answers.load(Ordering::Relaxed) < until && start.elapsed().as_secs() < 30 {
                thread::sleep(Duration::from_millis(1));
            }
        };
        more(20);
        model(&folder, 9);
        for _ in 0..5 {
            assert!(served.handle.reload().iter().all(|(_, result)| result.is_ok()));
            more(8);
        }
        let new = of(&folder);
        // What is no model does not take the place of one.
        std::fs::write(folder.join("config.json"), "{\"format\": 7}").unwrap();
        let results = served.handle.reload();
        let error = results[0].1.as_ref().unwrap_err().to_string();
        assert!(error.contains("model `m`") && error.contains("format 7"), "{error}");
        assert!(results[1].1.is_ok());
        more(8);
        done.store(true, Ordering::Relaxed);
        (new, clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>())
    });
    let near = |expected: f64| seen.iter().filter(|found| (*found - expected).abs() < 1e-4).count();
    assert!((old - new).abs() > 1e-3, "the models must differ: {old} {new}");
    assert!(near(old) >= 20 && near(new) >= 8, "{} and {} of {}", near(old), near(new), seen.len());
    assert_eq!(near(old) + near(new), seen.len());
    assert_ne!(weights(), before);
}

#[test]
fn what_does_not_fit_is_refused_with_a_hint() {
    let limits =
        Limits { queue_texts: 4, linger: Duration::from_millis(1500), ..Limits::default() };
    let served = serve_with(limits);
    // To come again would not help.
    let refused = served.post("/v1/predict", &json!({ "texts": ["a", "a", "a", "a", "a"] }));
    assert_eq!(refused.problem(), (413, "too_many_texts".into()));
    let replies: Vec<_> = thread::scope(|scope| {
        let ask = || served.post("/v1/predict", &json!({ "texts": ["a", "b", "c"] }));
        let clients: Vec<_> = (0..3).map(|_| scope.spawn(ask)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1, "{replies:?}");
    for refused in replies.iter().filter(|reply| reply.status != 200) {
        assert_eq!(refused.problem(), (503, "busy".into()));
        assert!(refused.head.contains("retry-after"), "{}", refused.head);
    }
    assert_eq!(served.post("/v1/predict", &json!({ "text": "a" })).status, 200);
}

#[test]
fn requests_and_answers_have_their_limits() {
    let limits =
        Limits { requests: 1, answer_time: Duration::from_millis(50), ..Limits::default() };
    let served = serve_with(Limits { linger: Duration::from_millis(700), ..limits });
    let reply = served.post("/v1/predict", &json!({ "text": "a" }));
    assert_eq!(reply.problem(), (503, "timeout".into()));
    // A request whose body is still to come is in hand; health is asked for nonetheless.
    let bytes = request("/v1/predict", b"{\"text\": \"a\"}");
    let mut held = started(&served, &bytes);
    assert_eq!(served.get("/v1/models").problem(), (503, "busy".into()));
    assert_eq!(served.get("/healthz").status, 200);
    held.write_all(b"}").unwrap();
    assert_eq!(read(&mut held).status, 503);
    assert_eq!(served.get("/v1/models").status, 200);
}
