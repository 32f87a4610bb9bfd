//! What goes around an answer, around handlers made for it.
#![allow(clippy::unwrap_used)]

use std::io::{self, Write};
use std::sync::Mutex;

use http_body_util::BodyExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;

use super::*;
use crate::metrics::Metrics;
use crate::models::Models;
use crate::options::Limits;

/// What is logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self) -> Vec<Value> {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn times_are_logged_to_the_microsecond() {
    for (nanoseconds, expected) in [
        (0, "0.0"),
        (499, "0.0"),
        (9_623, "0.01"),
        (9_624_000, "9.624"),
        (1_234_567, "1.235"),
        (30_000_000_001, "30000.0"),
    ] {
        let took = Duration::from_nanos(nanoseconds);
        assert_eq!(json!(milliseconds(took)).to_string(), expected);
    }
}

#[test]
fn a_panic_is_answered_and_logged_without_its_message() {
    let metrics = Arc::new(Metrics::new([]));
    let app = Arc::new(App::new(Models::none(), Limits::default(), metrics));
    // As a slice off a character's boundary panics: with the text in its message.
    let breaks = |body: String| async move { body["zebrafish ".len() + 1..].to_owned() };
    let service =
        TowerToHyperService::new(surrounded(Router::new().route("/breaks", post(breaks)), &app));
    let ask = |body: &'static str| {
        let request = Request::post("/breaks?zebrafish").body(Body::from(body)).unwrap();
        let answer = async {
            let (head, body) = service.call(request).await.unwrap().into_parts();
            (head, body.collect().await.unwrap().to_bytes())
        };
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(answer)
    };
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true);
    let subscriber = subscriber.with_writer(move || writer.clone()).finish();
    let (broken, well) = tracing::subscriber::with_default(subscriber, || {
        (ask("zebrafish é"), ask("zebrafish and more"))
    });

    let (head, body) = broken;
    assert_eq!(head.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(head.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(head.headers[header::CACHE_CONTROL], "no-store");
    let problem: Value = serde_json::from_slice(&body).unwrap();
    let expected = json!({ "code": "internal", "message": "the server failed; its log says why" });
    assert_eq!(problem, json!({ "error": expected }));
    // The next request is answered as if nothing had been.
    assert_eq!((well.0.status, &well.1[..]), (StatusCode::OK, &b"nd more"[..]));

    let lines = log.lines();
    let told = |line: &Value| (line["level"].clone(), line["message"].clone());
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(told(&lines[0]), (json!("ERROR"), json!("a request's handler panicked")));
    for (line, status) in lines[1..].iter().zip([500, 200]) {
        assert_eq!((&line["route"], &line["status"]), (&json!("/breaks"), &json!(status)));
    }
    assert!(!format!("{lines:?}").contains("zebrafish"), "{lines:?}");
    let counted = app.metrics.text(Format::Text).unwrap();
    assert!(counted.contains("status=\"500\"} 1"), "{counted}");
    // Its place is given back.
    assert_eq!(app.requests.available_permits(), app.limits.requests);
}
