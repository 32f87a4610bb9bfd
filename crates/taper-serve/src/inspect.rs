//! `POST /v1/inspect`: texts seen from inside a model, as JSON or as the page.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use taper_train::inspect::{Method, Subject, page};
use tokio::task::JoinError;
use tokio::time::timeout;

use crate::accept::prefers;
use crate::app::App;
use crate::body;
use crate::models::Loaded;
use crate::problem::Problem;

/// What the page may do: draw itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    text: Option<String>,
    texts: Option<Vec<String>>,
    model: Option<String>,
    method: Option<MethodName>,
}

/// The methods whose time grows with a text's length; occlusion's grows with its square.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(try_from = "String")]
enum MethodName {
    #[default]
    IntegratedGradients,
    GradientXInput,
}

/// From a string rather than as serde's enum, to which a number is a syntax error and an object is welcome.
impl TryFrom<String> for MethodName {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        match name.as_str() {
            "integrated-gradients" => Ok(Self::IntegratedGradients),
            "gradient-x-input" => Ok(Self::GradientXInput),
            _ => Err("expected `integrated-gradients` or `gradient-x-input` as `method`"),
        }
    }
}

impl From<MethodName> for Method {
    fn from(name: MethodName) -> Self {
        match name {
            MethodName::IntegratedGradients => Self::IntegratedGradients,
            MethodName::GradientXInput => Self::GradientXInput,
        }
    }
}

/// How the answer is written.
#[derive(Debug, Clone, Copy)]
enum Form {
    Json,
    Page,
}

impl Form {
    /// The page for whoever would rather have HTML.
    fn of(headers: &HeaderMap) -> Self {
        if prefers(headers, "text/html", "application/json") { Self::Page } else { Self::Json }
    }
}

pub(crate) async fn inspect(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let limits = &app.limits;
    let form = Form::of(request.headers());
    let question: Question = body::json(request, limits).await?;
    let served = app.model(question.model.as_deref())?;
    let texts = body::texts(question.text, question.texts, limits.inspected_texts, limits)?;
    let admitted = Arc::clone(&app.inspections).try_acquire_owned();
    let _admitted = admitted.map_err(|_| Problem::busy("as many inspections wait as may"))?;
    let loaded = served.loaded();
    // Goes with the request: answered late, nobody wants the rest.
    let wanted = Arc::new(());
    let still = Arc::downgrade(&wanted);
    let inspected = async {
        let turn = Arc::clone(&app.inspecting).acquire_owned().await;
        // The turn ends with the work, even if nobody waits for it any more.
        let work = move || {
            let _turn = turn;
            let method = question.method.unwrap_or_default().into();
            written(&loaded, texts, method, form, &|| still.strong_count() > 0)
        };
        tokio::task::spawn_blocking(work).await
    };
    let late = |_| Problem::late(format!("no answer within {:?}", limits.answer_time));
    let found = timeout(limits.answer_time, inspected).await.map_err(late)?;
    let text = found.map_err(|error| unfinished(&error)).flatten().map_err(|message| {
        tracing::error!(model = served.name, message, "cannot inspect");
        Problem::internal()
    })?;
    Ok(match form {
        Form::Json => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Form::Page => ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(text)).into_response(),
    })
}

/// What is said of work that broke off: not a panic's own message, which may quote a text.
fn unfinished(error: &JoinError) -> String {
    if error.is_panic() { "the inspection panicked" } else { "the server ended first" }.to_owned()
}

fn written(
    loaded: &Loaded,
    texts: Vec<String>,
    method: Method,
    form: Form,
    go_on: &dyn Fn() -> bool,
) -> Result<String, String> {
    let subjects: Vec<Subject> = texts.into_iter().map(Subject::from).collect();
    let found = loaded.inspector.inspect_while(&subjects, method, go_on);
    let found = found.map_err(|error| error.to_string())?;
    match form {
        Form::Json => serde_json::to_string(&found).map_err(|error| error.to_string()),
        Form::Page => page(&found).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn breaks() {
        panic!("of a zebrafish");
    }

    #[test]
    fn a_panics_message_is_not_told() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let work = async { tokio::task::spawn_blocking(breaks).await };
        let error = runtime.block_on(work).unwrap_err();
        assert!(error.to_string().contains("zebrafish"), "else there is nothing to keep: {error}");
        assert_eq!(unfinished(&error), "the inspection panicked");
    }
}
