//! A request's body: bounded in bytes and in time, then JSON; and the texts in it.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::time::timeout;

use crate::options::Limits;
use crate::problem::Problem;

/// Of a body that is too large, how much more is read so that its client, still sending, hears the answer.
const DRAINED_BYTES: usize = 16 << 20;
/// And for how long.
const DRAINED_TIME: Duration = Duration::from_secs(1);

/// Memory taken for a body before any of it is there, at the most: its length is the client's word.
const RESERVED_BYTES: usize = 1 << 20;

/// The body, an object, as `T`.
///
/// - 415: not `application/json`, or packed;
/// - 413: more bytes than [`Limits::body_bytes`];
/// - 408: slower than [`Limits::body_time`];
/// - 400: cut short, not UTF-8, no JSON;
/// - 422: JSON of another shape, or with values that cannot be read.
pub(crate) async fn json<T: DeserializeOwned>(
    request: Request<Body>,
    limits: &Limits,
) -> Result<T, Problem> {
    let (head, body) = request.into_parts();
    check_type(&head.headers)?;
    let announced = content_length(&head.headers);
    if announced.is_some_and(|bytes| bytes > limits.body_bytes) && waits(&head.headers) {
        return Err(too_large(limits.body_bytes));
    }
    let bytes = timeout(limits.body_time, read(body, announced, limits.body_bytes)).await;
    let bytes = bytes.map_err(|_| {
        let message = format!("the body did not come within {:?}", limits.body_time);
        Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", message)
    })??;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let message = format!("the body is not UTF-8 from byte {} on", error.valid_up_to() + 1);
        Problem::new(StatusCode::BAD_REQUEST, "not_utf8", message)
    })?;
    let found = serde_json::from_str(text).map_err(|error| refused(text, &error))?;
    // Fields without their names, in a list, are a struct for serde as well.
    if text.trim_start().starts_with('{') {
        Ok(found)
    } else {
        Err(Problem::unprocessable("unexpected_json", "expected an object"))
    }
}

/// Malformed is what is not JSON by its grammar, whatever serde would have had in its place: to serde, a number too large
/// for a double and half a surrogate pair are syntax, too.
fn refused(text: &str, error: &serde_json::Error) -> Problem {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Problem::unprocessable("unexpected_json", shape(error)),
        Err(error) => Problem::new(StatusCode::BAD_REQUEST, "malformed_json", error.to_string()),
    }
}

/// What serde says of a shape, without the value it found: that may be a text.
fn shape(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((_, expected)) => format!("expected {expected}"),
        None => message,
    }
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let value =
        |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let essence = value(header::CONTENT_TYPE).and_then(|value| value.split(';').next());
    let is_json =
        essence.is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"));
    if is_json && !headers.contains_key(header::CONTENT_ENCODING) {
        return Ok(());
    }
    let message = "the body must be JSON in UTF-8, not packed: `content-type: application/json`";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message))
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether the body is sent only once it is asked for, which reading it would do.
fn waits(headers: &HeaderMap) -> bool {
    let expect = headers.get(header::EXPECT);
    expect.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

async fn read(mut body: Body, announced: Option<usize>, max: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0).min(max).min(RESERVED_BYTES));
    let mut fits = announced.is_none_or(|announced| announced <= max);
    while fits && let Some(data) = next(&mut body).await? {
        fits = bytes.len() + data.len() <= max;
        bytes.extend_from_slice(&data);
    }
    if fits {
        return Ok(bytes);
    }
    drop(bytes);
    let _ = timeout(DRAINED_TIME, drain(body)).await;
    Err(too_large(max))
}

fn too_large(max: usize) -> Problem {
    Problem::too_large("body_too_large", format!("the body has more than {max} bytes"))
}

async fn drain(mut body: Body) {
    let mut left = DRAINED_BYTES;
    while let Ok(Some(data)) = next(&mut body).await {
        match left.checked_sub(data.len()) {
            Some(rest) => left = rest,
            None => break,
        }
    }
}

/// The next bytes; trailers are passed over.
async fn next(body: &mut Body) -> Result<Option<axum::body::Bytes>, Problem> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            let message = "the body ends before its length, or its chunks are broken";
            Problem::new(StatusCode::BAD_REQUEST, "broken_body", message)
        })?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// The texts of a request that has either `text` or `texts`, within limits.
pub(crate) fn texts(
    text: Option<String>,
    texts: Option<Vec<String>>,
    max: usize,
    limits: &Limits,
) -> Result<Vec<String>, Problem> {
    let texts = match (text, texts) {
        (Some(text), None) => vec![text],
        (None, Some(texts)) => texts,
        (Some(_), Some(_)) => {
            let message = "both `text` and `texts` are there; expected one of them";
            return Err(Problem::unprocessable("text_and_texts", message));
        }
        (None, None) => {
            let message = "expected either `text`, a string, or `texts`, a list of strings";
            return Err(Problem::unprocessable("no_text", message));
        }
    };
    if texts.is_empty() {
        return Err(Problem::unprocessable("no_text", "`texts` is empty; it needs one at least"));
    }
    if texts.len() > max {
        let message = format!("{} texts; a request may have {max}", texts.len());
        return Err(Problem::too_large("too_many_texts", message));
    }
    let too_long = |text: &String| text.len() > limits.text_bytes;
    if let Some(at) = texts.iter().position(too_long) {
        let (found, max) = (texts[at].len(), limits.text_bytes);
        let message = format!("text {at} (from 0) has {found} bytes; a text may have {max}");
        return Err(Problem::too_large("text_too_long", message));
    }
    Ok(texts)
}
