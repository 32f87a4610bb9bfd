//! The description at `/openapi.json` against what there is: paths, questions, answers, problems.

use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use taper_serve::Limits;

use crate::schema::{Schema, resolved};
use crate::served::{Reply, Served, read, request, serve, serve_with, started};

/// The document, as the server gives it.
struct Description(Value);

impl Description {
    fn of(served: &Served) -> Self {
        Self(served.get("/openapi.json").json())
    }

    fn operation(&self, method: &str, path: &str) -> &Value {
        let operation = &self.0["paths"][path][method];
        assert!(operation.is_object(), "{method} {path} is not described");
        operation
    }

    /// Whether a question is one, as it is described.
    fn takes(&self, path: &str, question: &Value) -> bool {
        let body = &self.operation("post", path)["requestBody"]["content"]["application/json"];
        Schema::new(&self.0, &body["schema"]).errors(question).is_empty()
    }

    /// The answer's status and type are described, and so is its body.
    fn has(&self, method: &str, path: &str, reply: &Reply) {
        let status = reply.status.to_string();
        let described = resolved(&self.0, &self.operation(method, path)["responses"][&status]);
        assert!(described["description"].is_string(), "{method} {path}, {status}");
        let kind = reply.kind();
        let schema = &described["content"][kind]["schema"];
        assert!(schema.is_object(), "{method} {path}, {status}: {kind}");
        let body = match kind {
            "application/json" => reply.json(),
            _ => Value::String(reply.body.clone()),
        };
        let errors = Schema::new(&self.0, schema).errors(&body);
        assert!(errors.is_empty(), "{method} {path}, {status}: {errors:?}");
    }
}

#[test]
fn what_the_description_says_there_is_there_is() {
    let served = serve();
    let openapi = served.get("/openapi.json").json();
    assert_eq!(openapi["openapi"], "3.1.0");
    assert_eq!(openapi["info"]["version"], env!("CARGO_PKG_VERSION"));
    let description = Description::of(&served);
    let paths = openapi["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 7);
    for (path, methods) in paths {
        // Those that are answered however much there is to do are never too busy.
        let always = ["/healthz", "/metrics"].contains(&path.as_str());
        for (method, about) in methods.as_object().unwrap() {
            let good = about["requestBody"]["content"]["application/json"]["example"].clone();
            let reply = if method == "post" { served.post(path, &good) } else { served.get(path) };
            assert_eq!(reply.status, 200, "{method} {path}: {reply:?}");
            description.has(method, path, &reply);
            assert_eq!(about["responses"]["503"].is_null(), always, "{path}");
        }
    }
    let page = served.post_for("/v1/inspect", &json!({ "text": "a" }), "text/html");
    description.has("post", "/v1/inspect", &page);
    let metrics = served.get_for("/metrics", "application/openmetrics-text");
    description.has("get", "/metrics", &metrics);
    // Every field of an answer is described, and every field described is answered.
    let schemas = &openapi["components"]["schemas"];
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let answer = served.post("/v1/predict", &json!({ "text": "a" })).json();
    assert_eq!(fields(&schemas["Predictions"]["properties"]), fields(&answer));
    // `labels` are of models of several labels a text, alone.
    let mut always = fields(&schemas["Prediction"]["properties"]);
    always.retain(|field| field != "labels");
    assert_eq!(always, fields(&answer["predictions"][0]));
    let answer = served.post("/v1/inspect", &json!({ "text": "a" })).json();
    let mut always = fields(&schemas["InspectedPrediction"]["properties"]);
    always.retain(|field| field != "labels");
    assert_eq!(always, fields(&answer["texts"][0]["prediction"]));
    let models = served.get("/v1/models").json();
    assert_eq!(fields(&schemas["Model"]["properties"]), fields(&models["models"][0]));
}

#[test]
fn the_server_takes_the_questions_that_are_described_and_no_others() {
    let served = serve();
    let description = Description::of(&served);
    let questions = [
        (json!({ "text": "a" }), true),
        (json!({ "texts": ["a", ""] }), true),
        (json!({ "text": "a", "model": "other" }), true),
        (json!({ "text": "a", "model": null }), true),
        // Clients that write every field they know.
        (json!({ "text": "a", "texts": null }), true),
        (json!({ "text": null, "texts": ["a"] }), true),
        (json!({}), false),
        (json!({ "text": "a", "texts": ["b"] }), false),
        (json!({ "text": null }), false),
        (json!({ "text": null, "texts": null }), false),
        (json!({ "texts": [] }), false),
        (json!({ "texts": "a" }), false),
        (json!({ "texts": ["a", 1] }), false),
        (json!({ "text": ["a"] }), false),
        (json!({ "text": "a", "model": 1 }), false),
        (json!({ "text": "a", "modle": "m" }), false),
        // Fields in their order are no object.
        (json!(["a"]), false),
        (json!(["a", null, null]), false),
        (json!(["a", null, null, null]), false),
        (json!("a"), false),
    ];
    for path in ["/v1/predict", "/v1/inspect"] {
        let method = [
            (json!({ "text": "a", "method": "gradient-x-input" }), path == "/v1/inspect"),
            (json!({ "text": "a", "method": "occlusion" }), false),
            (json!({ "text": "a", "method": 5 }), false),
            (json!({ "text": "a", "method": { "integrated-gradients": null } }), false),
            (json!({ "text": "a", "method": null }), path == "/v1/inspect"),
        ];
        for (question, taken) in questions.iter().chain(&method) {
            let reply = served.post(path, question);
            assert_eq!(reply.status, if *taken { 200 } else { 422 }, "{path} {question}");
            assert_eq!(description.takes(path, question), *taken, "{path} {question}");
            description.has("post", path, &reply);
        }
    }
}

/// All that a client can bring about; how a failure of ours is answered is in `routes/tests.rs`.
#[test]
fn every_problem_is_described() {
    let body_time = Duration::from_millis(300);
    let served = serve_with(Limits { body_bytes: 1000, body_time, ..Limits::default() });
    let one = serve_with(Limits { requests: 1, ..Limits::default() });
    let description = Description::of(&served);
    let good: &[u8] = b"{\"text\": \"a\"}";
    for path in ["/v1/predict", "/v1/inspect"] {
        let has = |reply: &Reply, status| {
            assert_eq!(reply.status, status, "{path}: {reply:?}");
            description.has("post", path, reply);
        };
        has(&served.raw_post(path, b"{"), 400);
        has(&served.raw_post(path, &[b' '; 1001]), 413);
        has(&served.post(path, &json!({ "text": "a", "model": "none" })), 422);
        let packed = String::from_utf8(request(path, good)).unwrap();
        let packed = packed.replace("\r\nhost", "\r\ncontent-encoding: gzip\r\nhost");
        has(&served.raw(packed.as_bytes()), 415);
        has(&read(&mut started(&served, &request(path, good))), 408);
    }
    // With one in hand that waits for its last byte, others are too many.
    let mut held = started(&one, &request("/v1/predict", good));
    for (path, methods) in description.0["paths"].as_object().unwrap() {
        for (method, about) in methods.as_object().unwrap() {
            let question = json!({ "text": "a" });
            let reply = if method == "post" { one.post(path, &question) } else { one.get(path) };
            description.has(method, path, &reply);
            let refused = reply.status == 503;
            assert_eq!(refused, !about["responses"]["503"].is_null(), "{method} {path}");
        }
    }
    held.write_all(b"}").unwrap();
    description.has("post", "/v1/predict", &read(&mut held));
    // A failure of ours is described as the same problem.
    for path in ["/v1/predict", "/v1/inspect"] {
        let responses = &description.operation("post", path)["responses"];
        assert_eq!(responses["500"], responses["400"]);
    }
}
