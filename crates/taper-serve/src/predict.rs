//! `POST /v1/predict`: texts to classes.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use serde::{Deserialize, Serialize, Serializer};
use taper_train::Prediction;
use tokio::time::timeout;

use crate::app::App;
use crate::body;
use crate::problem::Problem;
use crate::queue::Refusal;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    text: Option<String>,
    texts: Option<Vec<String>>,
    model: Option<String>,
}

/// Predictions in the order of the texts, which are not repeated.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    model: String,
    predictions: Vec<Predicted>,
}

#[derive(Debug, Serialize)]
struct Predicted {
    label: String,
    probability: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<String>>,
    #[serde(serialize_with = "as_map")]
    probabilities: Vec<(String, f32)>,
    tokens: usize,
    unknown_tokens: usize,
    truncated: bool,
}

impl From<Prediction> for Predicted {
    fn from(prediction: Prediction) -> Self {
        let Prediction { text: _, label, probability, labels, probabilities, .. } = prediction;
        let Prediction { tokens, unknown_tokens, truncated, .. } = prediction;
        Self { label, probability, labels, probabilities, tokens, unknown_tokens, truncated }
    }
}

fn as_map<S: Serializer>(pairs: &[(String, f32)], out: S) -> Result<S::Ok, S::Error> {
    out.collect_map(pairs.iter().map(|(name, probability)| (name, probability)))
}

pub(crate) async fn predict(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Json<Answer>, Problem> {
    let limits = &app.limits;
    let question: Question = body::json(request, limits).await?;
    let served = app.model(question.model.as_deref())?;
    // More than the queue holds would be told to come again for ever.
    let max = limits.texts.min(limits.queue_texts);
    let texts = body::texts(question.text, question.texts, max, limits)?;
    let answer = timeout(limits.answer_time, served.queue.ask(texts)).await;
    let late = |_| Problem::late(format!("no answer within {:?}", limits.answer_time));
    let predictions = answer.map_err(late)?.map_err(|refusal| match refusal {
        Refusal::Full => Problem::busy("the model's queue is full"),
        Refusal::Failed(message) => {
            tracing::error!(model = served.name, message, "cannot predict");
            Problem::internal()
        }
    })?;
    let predictions = predictions.into_iter().map(Predicted::from).collect();
    Ok(Json(Answer { model: served.name.clone(), predictions }))
}
