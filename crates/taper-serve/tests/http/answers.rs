//! What good requests are answered.

use serde_json::{Value, json};

use crate::served::{predictor, serve};

#[test]
fn predictions_are_the_predictors() {
    let served = serve();
    let texts = ["a b c", "", "?? ?? ??", "a b c a b c a b", "b"];
    for name in ["m", "other"] {
        let expected = predictor(&served.path(name)).predict(&texts).unwrap();
        let reply = served.post("/v1/predict", &json!({ "texts": texts, "model": name }));
        assert_eq!(reply.status, 200, "{reply:?}");
        let found = reply.json();
        assert_eq!(found["model"], name);
        let found = found["predictions"].as_array().unwrap();
        assert_eq!(found.len(), texts.len());
        for (found, expected) in found.iter().zip(&expected) {
            // Numbers as they are written: `to_value` would widen them.
            let expected = serde_json::to_string(expected).unwrap();
            let mut expected: Value = serde_json::from_str(&expected).unwrap();
            expected.as_object_mut().unwrap().remove("text");
            assert_eq!(*found, expected);
        }
        assert_eq!(
            (&found[2]["unknown_tokens"], &found[3]["truncated"]),
            (&json!(3), &json!(true))
        );
    }
    let one = served.post("/v1/predict", &json!({ "text": "a b c" })).json();
    let all = served.post("/v1/predict", &json!({ "texts": ["a b c"], "model": null })).json();
    assert_eq!((&one["model"], &one), (&json!("m"), &all));
    let long = served.post("/v1/predict", &json!({ "text": "a ".repeat(100_000) })).json();
    assert_eq!(long["predictions"][0]["tokens"], 100_000);
}

#[test]
fn inspections_are_json_or_the_page_with_html_escaped() {
    let served = serve();
    let text = "a </script><img src=x onerror=alert(1)> & \u{2028} b";
    let reply = served.post("/v1/inspect", &json!({ "text": text }));
    assert_eq!(reply.status, 200, "{reply:?}");
    let found = reply.json();
    assert_eq!((&found["format"], &found["texts"][0]["text"]), (&json!(1), &json!(text)));
    assert_eq!(found["method"], "integrated-gradients");

    let body = json!({ "texts": [text, "b c"], "model": "other", "method": "gradient-x-input" });
    let page = served.post_for("/v1/inspect", &body, "text/html, */*;q=0.1");
    assert_eq!(page.status, 200);
    assert!(page.head.contains("text/html") && page.head.contains("default-src 'none'"));
    assert!(!page.body.contains("<img") && page.body.matches("</script>").count() == 2);
    let (_, data) = page.body.split_once("id=\"data\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["texts"][1]["text"], "b c");

    for (accept, kind) in [
        ("TEXT/HTML", "text/html"),
        ("text/html;q=0", "application/json"),
        ("application/json, text/html", "application/json"),
        ("text/html;q=0.8, application/json;q=0.9", "application/json"),
    ] {
        let reply = served.post_for("/v1/inspect", &body, accept);
        assert_eq!((reply.status, reply.kind()), (200, kind), "{accept}");
    }

    // Nothing to read, nothing that is known, far more than the model reads: each its tokens, whether known, and why cut.
    let long = "a ".repeat(100_000);
    for (text, read, known, in_text, cut) in [
        ("", 1, false, 0, Value::Null),
        ("?? ??", 2, false, 2, Value::Null),
        (long.as_str(), 6, true, 100_000, json!("model")),
    ] {
        let reply = served.post("/v1/inspect", &json!({ "text": text }));
        assert_eq!(reply.status, 200, "{reply:?}");
        let found = &reply.json()["texts"][0];
        let tokens = found["tokens"].as_array().unwrap();
        assert_eq!((tokens.len(), &found["tokens_in_text"]), (read, &json!(in_text)));
        assert!(tokens.iter().all(|token| token["known"] == known), "{tokens:?}");
        assert_eq!(found["cut"], cut);
        assert_eq!(
            served.post_for("/v1/inspect", &json!({ "text": text }), "text/html").status,
            200
        );
    }
}

#[test]
fn the_form_and_what_is_known_of_the_models() {
    let served = serve();
    let form = served.get("/");
    assert!(form.status == 200 && form.head.contains("connect-src 'self'"), "{form:?}");
    for elsewhere in ["http://", "https://", "src=", "href=", "innerHTML"] {
        assert!(!form.body.contains(elsewhere), "{elsewhere}");
    }
    assert_eq!(served.get("/healthz").json(), json!({ "status": "ok" }));
    let models = served.get("/v1/models").json();
    assert_eq!(
        (&models["models"][0]["name"], &models["models"][0]["default"]),
        (&json!("m"), &json!(true))
    );
    assert_eq!(
        (&models["models"][1]["calibrated"], &models["models"][1]["max_length"]),
        (&json!(true), &json!(6))
    );
    assert_eq!(models["models"][1]["classes"], json!(["<b>bad</b>", "good"]));
}

#[test]
fn what_is_counted() {
    let served = serve();
    served.post("/v1/predict", &json!({ "texts": ["a", "b", "c"] }));
    served.get("/nothing/of/the/kind?text=secret");
    served.handle.reload();
    let reply = served.get_for("/metrics", "application/openmetrics-text;version=1.0.0");
    assert!(reply.head.contains("openmetrics-text"), "{}", reply.head);
    for line in [
        "taper_requests_total{route=\"/v1/predict\",status=\"200\"} 1",
        "taper_requests_total{route=\"other\",status=\"404\"} 1",
        "taper_request_duration_seconds_count{route=\"/v1/predict\"} 1",
        "taper_texts_total{model=\"m\"} 3",
        "taper_batch_texts_bucket{le=\"4.0\",model=\"m\"} 1",
        "taper_queue_texts{model=\"other\"} 0",
        "taper_reloads_total{model=\"m\",outcome=\"done\"} 1",
        "taper_connections 1",
        // What has not happened is counted, too.
        "taper_texts_total{model=\"other\"} 0",
        "taper_batch_texts_count{model=\"other\"} 0",
        "taper_reloads_total{model=\"m\",outcome=\"failed\"} 0",
        concat!("taper_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "# EOF",
    ] {
        assert!(reply.body.lines().any(|found| found == line), "{line}\n{}", reply.body);
    }
    assert!(!reply.body.contains("secret"));
}
