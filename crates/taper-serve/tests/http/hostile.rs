//! Requests that are wrong, huge, slow, cut short: each its status, and a server that goes on.

use std::io::Write as _;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use serde_json::json;
use taper_serve::Limits;

use crate::served::{Served, read, request, serve, serve_with};

/// It still answers, and nothing in it has failed.
fn well(served: &Served) {
    assert_eq!(served.post("/v1/predict", &json!({ "text": "a" })).status, 200);
    assert!(!served.get("/metrics").body.contains("status=\"500\""));
}

fn problem(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn bodies_that_are_no_question() {
    let served = serve();
    let cases: [(&[u8], u16, &str); 24] = [
        (b"", 400, "malformed_json"),
        (b"{\"text\": \"a\"", 400, "malformed_json"),
        (b"{\"text\": \"a\"} {}", 400, "malformed_json"),
        (b"{'text': 'a'}", 400, "malformed_json"),
        (b"{\"text\": 7", 400, "malformed_json"),
        (b"{\"text\": 1e999", 400, "malformed_json"),
        (b"{\"text\": \"\xff\xfe\"}", 400, "not_utf8"),
        (b"\x00\x01\x02", 400, "malformed_json"),
        (b"{\"text\": 7}", 422, "unexpected_json"),
        // By JSON's grammar there is nothing wrong with these.
        (b"{\"text\": 1e999}", 422, "unexpected_json"),
        (b"{\"text\": \"\\ud800\"}", 422, "unexpected_json"),
        (b"{\"text\": \"a\", \"model\": -1e999}", 422, "unexpected_json"),
        (b"[\"a\"]", 422, "unexpected_json"),
        (b"{\"texts\": \"a\"}", 422, "unexpected_json"),
        (b"{\"texts\": [\"a\", null]}", 422, "unexpected_json"),
        (b"{\"text\": \"a\", \"text\": \"b\"}", 422, "unexpected_json"),
        (b"{\"text\": \"a\", \"modle\": \"m\"}", 422, "unexpected_json"),
        (b"{}", 422, "no_text"),
        (b"null", 422, "unexpected_json"),
        (b"{\"text\": \"a\", \"texts\": [\"b\"]}", 422, "text_and_texts"),
        (b"{\"texts\": []}", 422, "no_text"),
        (b"{\"text\": null}", 422, "no_text"),
        (b"{\"text\": \"a\", \"model\": \"none\"}", 422, "unknown_model"),
        (b"{\"text\": \"a\", \"model\": \"../m\"}", 422, "unknown_model"),
    ];
    for path in ["/v1/predict", "/v1/inspect"] {
        for (body, status, code) in cases {
            let reply = served.raw_post(path, body);
            let shown = String::from_utf8_lossy(body);
            assert_eq!(reply.problem(), problem(status, code), "{path} {shown}: {reply:?}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(served.raw_post(path, deep.as_bytes()).status / 100, 4);
    }
    let object = json!({ "integrated-gradients": null });
    for method in [json!("occlusion"), json!(5), json!([]), json!(true), object] {
        let reply = served.post("/v1/inspect", &json!({ "text": "a", "method": method }));
        assert_eq!(reply.problem(), problem(422, "unexpected_json"), "{method}");
        assert!(reply.body.contains("expected"), "{method}: {reply:?}");
    }
    // A text in the wrong place does not come back.
    let reply = served.post("/v1/predict", &json!({ "texts": "my secret" }));
    assert!(!reply.body.contains("secret"), "{reply:?}");
    well(&served);
}

#[test]
fn the_wrong_path_method_or_type() {
    let served = serve();
    assert_eq!(served.get("/v1/nothing").problem(), problem(404, "not_found"));
    let reply = served.get("/v1/predict");
    assert_eq!(reply.problem(), problem(405, "method_not_allowed"));
    assert!(reply.head.contains("allow") && reply.head.contains("post"), "{}", reply.head);
    assert_eq!(served.post("/healthz", &json!({})).problem(), problem(405, "method_not_allowed"));
    for kind in [
        "content-type: text/plain\r\n",
        "",
        "content-type: application/json\r\ncontent-encoding: gzip\r\n",
    ] {
        let reply = served.raw(
            format!("POST /v1/predict HTTP/1.1\r\nhost: x\r\n{kind}content-length: 2\r\nconnection: close\r\n\r\n{{}}").as_bytes(),
        );
        assert_eq!(reply.problem(), problem(415, "not_json"), "{kind}");
    }
    well(&served);
}

#[test]
fn what_is_no_http() {
    let served = serve();
    assert_eq!(served.raw(b"hello\r\n\r\n").status, 400);
    assert_eq!(served.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").status, 400);
    assert_eq!(served.raw(b"GET / HTTP/1.1\r\nhost x\r\n\r\n").status, 400);
    assert_eq!(served.raw(b"POST /v1/predict HTTP/1.1\r\ncontent-length: -5\r\n\r\n").status, 400);
    let bad_chunk = b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
    assert_eq!(served.raw(bad_chunk).problem(), problem(400, "broken_body"));
    let preface = served.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!((preface.status, &preface.head[..]), (0, ""));
    let head = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(300_000));
    assert_eq!(served.raw(head.as_bytes()).status, 431);
    well(&served);
}

#[test]
fn more_than_the_limits() {
    let limits = Limits { body_bytes: 1000, texts: 3, text_bytes: 100, ..Limits::default() };
    let served = serve_with(limits);
    let (path, a) = ("/v1/predict", "a");
    assert_eq!(served.post(path, &json!({ "texts": [a, a, a] })).status, 200);
    assert_eq!(
        served.post(path, &json!({ "texts": [a, a, a, a] })).problem(),
        problem(413, "too_many_texts")
    );
    assert_eq!(
        served.post("/v1/inspect", &json!({ "texts": [a, a, a] })).problem(),
        problem(413, "too_many_texts")
    );
    assert_eq!(served.post(path, &json!({ "text": a.repeat(100) })).status, 200);
    assert_eq!(
        served.post(path, &json!({ "text": a.repeat(101) })).problem(),
        problem(413, "text_too_long")
    );
    let large = problem(413, "body_too_large");
    // Far more than the sockets hold: the client is still sending when it is refused.
    assert_eq!(served.raw_post(path, &vec![b' '; 4 << 20]).problem(), large);
    let announced = b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n";
    assert_eq!(served.raw(announced).problem(), large);
    // Who waits to be asked for it is not asked.
    let waiting = b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1001\r\nexpect: 100-Continue\r\n\r\n";
    let reply = served.raw(waiting);
    assert_eq!(reply.problem(), large);
    assert!(reply.head.contains("connection: close"), "{}", reply.head);
    let mut chunked = b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..20 {
        chunked.extend_from_slice(b"64\r\n");
        chunked.extend_from_slice(&[b' '; 100]);
        chunked.extend_from_slice(b"\r\n");
    }
    assert_eq!(served.raw(&chunked).problem(), large);
    well(&served);
}

#[test]
fn no_limits_to_speak_of() {
    for most in [usize::MAX, usize::MAX / 8 + 1] {
        let served = serve_with(Limits {
            body_bytes: most,
            texts: most,
            text_bytes: most,
            inspected_texts: most,
            connections: most,
            requests: most,
            queue_texts: most,
            queue_bytes: most,
            inspections: most,
            batch_texts: most,
            ..Limits::default()
        });
        assert_eq!(served.post("/v1/inspect", &json!({ "text": "a" })).status, 200);
        // Nobody has the memory that is announced.
        let mut cut = served.connect();
        let announced = 1_u64 << 60;
        write!(cut, "POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {announced}\r\n\r\n{{").unwrap();
        cut.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read(&mut cut).problem(), problem(400, "broken_body"));
        well(&served);
    }
}

#[test]
fn slow_clients_are_let_go() {
    let (head_time, body_time) = (Duration::from_millis(300), Duration::from_millis(600));
    let served = serve_with(Limits { head_time, body_time, ..Limits::default() });
    let start = Instant::now();
    let mut slow_head = served.connect();
    slow_head.write_all(b"POST /v1/predict HT").unwrap();
    let mut slow_body = served.connect();
    slow_body.write_all(&request("/v1/predict", b"{\"text\": \"a\"}")[..110]).unwrap();
    let mut idle = served.connect();
    for stream in [&mut slow_head, &mut idle] {
        assert_eq!(read(stream).status, 0);
    }
    let reply = read(&mut slow_body);
    assert_eq!(reply.problem(), problem(408, "timeout"));
    assert!(reply.head.contains("connection: close"));
    assert!(start.elapsed() < Duration::from_secs(10));
    well(&served);
}

#[test]
fn half_closed_clients_are_answered_and_broken_off_ones_forgotten() {
    let served = serve();
    let mut whole = served.connect();
    whole.write_all(&request("/v1/predict", b"{\"text\": \"a\"}")).unwrap();
    whole.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read(&mut whole).status, 200);
    let mut cut = served.connect();
    let bytes = request("/v1/predict", b"{\"text\": \"a\"}");
    cut.write_all(&bytes[..bytes.len() - 4]).unwrap();
    cut.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read(&mut cut).problem(), problem(400, "broken_body"));
    // Of a head that is not whole nothing is said, as of none.
    for length in [0, 10, bytes.len() - 20] {
        let mut cut = served.connect();
        cut.write_all(&bytes[..length]).unwrap();
        cut.shutdown(Shutdown::Write).unwrap();
        let reply = read(&mut cut);
        assert_eq!((reply.status, &reply.head[..]), (0, ""), "{length}");
    }
    for length in [0, 10, bytes.len() - 4, bytes.len()] {
        let mut stream = served.connect();
        stream.write_all(&bytes[..length]).unwrap();
    }
    well(&served);
}

#[test]
fn who_takes_no_answers_is_let_go() {
    let served = serve_with(Limits { write_time: Duration::from_millis(300), ..Limits::default() });
    let mut deaf = served.connect();
    deaf.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    // Answers of 8 KB, until both sockets are full of them and of questions.
    let questions = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
    while deaf.write_all(&questions).is_ok() {}
    let start = Instant::now();
    while !served.get("/metrics").body.contains("taper_connections 1\n") {
        assert!(start.elapsed() < Duration::from_secs(20), "still held");
        std::thread::sleep(Duration::from_millis(20));
    }
    well(&served);
}
