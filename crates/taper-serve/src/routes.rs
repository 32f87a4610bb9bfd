//! Which path answers what, and what goes around every answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, State};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tower_http::catch_panic::CatchPanicLayer;

use crate::accept::prefers;
use crate::app::App;
use crate::inspect::inspect;
use crate::metrics::Format;
use crate::predict::predict;
use crate::problem::Problem;

const PAGE: &str = include_str!("page.html");
const OPENAPI: &str = include_str!("openapi.json");
const HEALTH: &str = r#"{"status":"ok"}"#;
const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

/// What the form may do: ask this server, and show the answer in a frame.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answered however much there is to do.
const ALWAYS: [&str; 2] = ["/healthz", "/metrics"];

pub(crate) fn router(app: &Arc<App>) -> Router {
    let routes = Router::new()
        .route("/", get(([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE))))
        .route("/v1/predict", post(predict))
        .route("/v1/inspect", post(inspect))
        .route("/v1/models", get(|State(app): State<Arc<App>>| async move { models(&app) }))
        .route("/healthz", get((JSON, HEALTH)))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get((JSON, OPENAPI)));
    surrounded(routes, app)
}

/// Routes with what goes around all of them: a panic is answered, too, and its message, which may quote a text, is not told.
fn surrounded(routes: Router<Arc<App>>, app: &Arc<App>) -> Router {
    routes
        .fallback(not_found())
        .method_not_allowed_fallback(not_allowed())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::clone(app), around))
        .with_state(Arc::clone(app))
}

/// Admits a request or refuses it, then counts and logs it: route, status and time, never its path or a text.
async fn around(State(app): State<Arc<App>>, request: Request<Body>, next: Next) -> Response {
    let start = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    let method = known(request.method());
    let permit = Arc::clone(&app.requests).try_acquire_owned();
    let mut response = if permit.is_ok() || ALWAYS.contains(&route) {
        next.run(request).await
    } else {
        Problem::busy("as many requests are in hand as may be").into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if *app.stop.borrow() {
        // The next request is for another server.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let (status, took) = (response.status().as_u16(), start.elapsed());
    app.metrics.answered(route, status, took);
    let milliseconds = milliseconds(took);
    tracing::info!(method, route, status, milliseconds, "answered");
    response
}

/// To the microsecond, for people to read.
fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}

/// A method as it is written, if it is one of HTTP's own: others are words of the client's.
fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 8] =
        ["GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "CONNECT"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a request's handler panicked");
    Problem::internal().into_response()
}

fn not_found() -> Problem {
    let message = "there is nothing here; /openapi.json says what there is";
    Problem::new(StatusCode::NOT_FOUND, "not_found", message)
}

fn not_allowed() -> Problem {
    let message = "not with this method; `allow` says with which";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

fn models(app: &App) -> Response {
    Json(json!({ "models": app.models.about() })).into_response()
}

async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Problem> {
    app.models.measure();
    let format = if prefers(&headers, "application/openmetrics-text", "text/plain") {
        Format::OpenMetrics
    } else {
        Format::Text
    };
    let text = app.metrics.text(format).ok_or_else(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, format.content_type())], text).into_response())
}

#[cfg(test)]
mod tests;
