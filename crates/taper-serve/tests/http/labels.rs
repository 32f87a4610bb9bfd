//! A model whose texts have any number of labels, beside one whose texts have a class.

use std::time::Duration;

use serde_json::{Value, json};
use taper_serve::Limits;

use crate::served::{Served, model, model_of, predictor};

const LABELS: [&str; 3] = ["<i>art</i>", "law", "sport & play"];
const TEXTS: [&str; 6] = ["a b c", "", "?? ??", "b b b b", "c a", "a c b a c b a"];

/// A server of `tags` and `m`, and the threshold of `tags`: half of the texts have a label that reaches it.
fn serve() -> (Served, f64) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let untold = predictor(&model_of(&at("tags"), 3, &LABELS, Some(0.5)));
    let mut best: Vec<f64> =
        untold.predict(&TEXTS).unwrap().iter().map(|said| f64::from(said.probability)).collect();
    best.sort_by(f64::total_cmp);
    let threshold = f64::midpoint(best[TEXTS.len() / 2 - 1], best[TEXTS.len() / 2]);
    let models =
        [("tags", model_of(&at("tags"), 3, &LABELS, Some(threshold))), ("m", model(&at("m"), 1))];
    let limits = Limits { parting_time: Duration::from_millis(50), ..Limits::default() };
    (Served::of(models, folder, limits), threshold)
}

fn keys(value: &Value) -> Vec<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn labels_are_those_that_reach_the_threshold() {
    let (served, threshold) = serve();
    let expected = predictor(&served.path("tags")).predict(&TEXTS).unwrap();
    let reply = served.post("/v1/predict", &json!({ "texts": TEXTS }));
    assert_eq!(reply.status, 200, "{reply:?}");
    let found = reply.json();
    assert_eq!(found["model"], "tags");
    let found = found["predictions"].as_array().unwrap();
    let mut counts = [0; LABELS.len() + 1];
    for (found, expected) in found.iter().zip(&expected) {
        let mut as_written: Value =
            serde_json::from_str(&serde_json::to_string(expected).unwrap()).unwrap();
        as_written.as_object_mut().unwrap().remove("text");
        assert_eq!(*found, as_written);
        let reach = |label: &&str| found["probabilities"][label].as_f64().unwrap() >= threshold;
        let given: Vec<&str> = LABELS.iter().filter(|label| reach(label)).copied().collect();
        assert_eq!(found["labels"], json!(given));
        counts[given.len()] += 1;
        // The likeliest label, given or not.
        assert_eq!(found["probabilities"][found["label"].as_str().unwrap()], found["probability"]);
    }
    assert_eq!(found.len(), TEXTS.len());
    assert_eq!(counts[0], TEXTS.len() / 2, "{counts:?}");

    // The model beside it has no labels, whoever asks.
    let other = served.post("/v1/predict", &json!({ "texts": TEXTS, "model": "m" })).json();
    assert!(other["predictions"][0].get("labels").is_none(), "{other}");
}

#[test]
fn what_is_said_of_it_is_what_the_description_says() {
    let (served, _) = serve();
    let models = served.get("/v1/models").json();
    let about = |at: usize, what: &str| models["models"][at][what].clone();
    assert_eq!((about(0, "multi_label"), about(1, "multi_label")), (json!(true), json!(false)));
    assert_eq!((about(0, "classes"), about(0, "calibrated")), (json!(LABELS), json!(false)));
    let schemas = &served.get("/openapi.json").json()["components"]["schemas"];
    let answer = served.post("/v1/predict", &json!({ "text": "a" })).json();
    let described = keys(&schemas["Prediction"]["properties"]);
    assert_eq!(described, keys(&answer["predictions"][0]), "`labels`, too");
    let answer = served.post("/v1/inspect", &json!({ "text": "a" })).json();
    let described = keys(&schemas["InspectedPrediction"]["properties"]);
    assert_eq!(described, keys(&answer["texts"][0]["prediction"]), "`labels`, too");
    assert_eq!(keys(&schemas["Model"]["properties"]), keys(&models["models"][0]));
}

#[test]
fn it_is_looked_into_for_a_label_against_its_absence() {
    let (served, _) = serve();
    for method in ["integrated-gradients", "gradient-x-input"] {
        let body = json!({ "texts": ["a b c", ""], "method": method });
        let reply = served.post("/v1/inspect", &body);
        assert_eq!(reply.status, 200, "{reply:?}");
        let found = reply.json();
        let target = &found["texts"][0]["target"];
        let label = target["toward"].as_str().unwrap();
        assert!(LABELS.contains(&label), "{target}");
        assert_eq!(target["away"], format!("not {label}"));
        let page = served.post_for("/v1/inspect", &body, "text/html");
        assert_eq!(page.status, 200, "{page:?}");
        assert!(!page.body.contains("<i>art") && page.body.contains("sport"), "names are escaped");
    }
    // The labels are those of predictions; two texts at a time.
    let mut without = 0;
    for texts in TEXTS.chunks(2) {
        let body = json!({ "texts": texts, "method": "gradient-x-input" });
        let found = served.post("/v1/inspect", &body).json();
        let predicted = served.post("/v1/predict", &json!({ "texts": texts })).json();
        for at in 0..texts.len() {
            let labels = &predicted["predictions"][at]["labels"];
            assert_eq!(found["texts"][at]["prediction"]["labels"], *labels, "{}", texts[at]);
            without += usize::from(labels.as_array().unwrap().is_empty());
        }
    }
    assert_eq!(without, TEXTS.len() / 2);
    let other = served.post("/v1/inspect", &json!({ "text": "a b c", "model": "m" })).json();
    assert!(other["texts"][0]["prediction"].get("labels").is_none(), "{other}");
}

#[test]
fn it_takes_the_place_of_another_and_gives_it_back() {
    let (served, _) = serve();
    let predict = || served.post("/v1/predict", &json!({ "text": "a b", "model": "m" })).json();
    assert!(predict()["predictions"][0]["labels"].is_null());
    model_of(&served.path("m"), 3, &LABELS, Some(0.5));
    assert!(served.handle.reload().iter().all(|(_, done)| done.is_ok()));
    assert!(predict()["predictions"][0]["labels"].is_array());
    model(&served.path("m"), 1);
    assert!(served.handle.reload().iter().all(|(_, done)| done.is_ok()));
    assert!(predict()["predictions"][0]["labels"].is_null());
}
