//! What Prometheus reads at `/metrics`, against the rules of its text format 0.0.4.

use std::collections::HashMap;

use serde_json::json;

use crate::served::serve;

const KINDS: [&str; 5] = ["counter", "gauge", "histogram", "summary", "untyped"];

/// What Prometheus sends of itself, in the order of its settings.
const PROMETHEUS_OPEN: &str = "application/openmetrics-text;version=1.0.0;q=0.5,\
    application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
const PROMETHEUS_TEXT: &str = "text/plain;version=0.0.4;q=0.5,\
    application/openmetrics-text;version=1.0.0;q=0.4,*/*;q=0.2";

/// A sample's name without what a histogram appends.
fn family<'a>(name: &'a str, kinds: &HashMap<&str, &str>) -> &'a str {
    let suffixes = ["_bucket", "_sum", "_count"];
    let base = suffixes.into_iter().find_map(|suffix| name.strip_suffix(suffix));
    base.filter(|base| kinds.get(base) == Some(&"histogram")).unwrap_or(name)
}

/// The type of each family; its samples stand together after its one `HELP` and its one `TYPE`, and have numbers.
fn kinds(text: &str) -> HashMap<&str, &str> {
    assert!(text.ends_with('\n'));
    let mut kinds = HashMap::<&str, &str>::new();
    let (mut helped, mut current) = ("", "");
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            (helped, _) = help.split_once(' ').expect(line);
            assert!(!kinds.contains_key(helped), "{line}");
        } else if let Some(about) = line.strip_prefix("# TYPE ") {
            let (name, kind) = about.split_once(' ').expect(line);
            assert!(KINDS.contains(&kind) && name == helped, "{line}");
            assert_eq!(kinds.insert(name, kind), None, "{line}");
            current = name;
        } else {
            assert!(!line.starts_with('#') && !line.contains(" # "), "{line}");
            let (sample, value) = line.rsplit_once(' ').expect(line);
            let name = sample.split('{').next().unwrap();
            assert_eq!(family(name, &kinds), current, "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    kinds
}

#[test]
fn whoever_asks_for_nothing_else_reads_the_text_format() {
    let served = serve();
    served.post("/v1/predict", &json!({ "texts": ["a", "b", "c"] }));
    for accept in ["*/*", "text/plain", "application/openmetrics-text;q=0", PROMETHEUS_TEXT] {
        let reply = served.get_for("/metrics", accept);
        let expected = "\"content-type\": \"text/plain; version=0.0.4; charset=utf-8\"";
        assert!(reply.head.contains(expected), "{accept}: {}", reply.head);
        let kinds = kinds(&reply.body);
        for (name, kind) in [
            ("taper_build_info", "gauge"),
            ("taper_requests_total", "counter"),
            ("taper_request_duration_seconds", "histogram"),
            ("taper_texts_total", "counter"),
            ("taper_batch_texts", "histogram"),
            ("taper_queue_texts", "gauge"),
            ("taper_reloads_total", "counter"),
            ("taper_connections", "gauge"),
        ] {
            assert_eq!(kinds.get(name), Some(&kind), "{name}: {}", reply.body);
        }
        assert_eq!(kinds.len(), 8, "{kinds:?}");
        let all = "taper_batch_texts_bucket{model=\"m\",le=\"+Inf\"} 1";
        assert!(reply.body.lines().any(|line| line == all), "{}", reply.body);
    }
    for accept in ["application/openmetrics-text", PROMETHEUS_OPEN] {
        let reply = served.get_for("/metrics", accept);
        assert_eq!(reply.kind(), "application/openmetrics-text", "{accept}");
        assert!(reply.body.ends_with("\n# EOF\n"), "{}", reply.body);
        assert!(reply.body.contains("\n# TYPE taper_requests counter\n"), "{}", reply.body);
    }
}
