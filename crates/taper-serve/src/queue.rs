//! Texts of many requests, predicted together: one thread a model takes what is waiting, and a little of what comes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use taper_train::Prediction;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::options::Limits;

/// Bytes of text after which a batch takes in no more.
const BATCH_BYTES: usize = 1 << 20;

/// Why a queue gives no predictions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// As many texts wait as may.
    Full,
    /// The model failed, with this message.
    Failed(String),
}

type Answer = Result<Vec<Prediction>, Refusal>;

/// A request's texts on their way.
struct Job {
    texts: Vec<String>,
    arrived: Instant,
    reply: oneshot::Sender<Answer>,
    /// Its part of the queue, until it is answered.
    _room: [OwnedSemaphorePermit; 2],
}

/// The queue in front of one model.
#[derive(Debug)]
pub(crate) struct Queue {
    jobs: Sender<Job>,
    texts: Room,
    bytes: Room,
}

/// How much may be in the queue of something.
#[derive(Debug)]
struct Room {
    capacity: usize,
    left: Arc<Semaphore>,
}

impl Room {
    fn new(capacity: usize) -> Self {
        let capacity = capacity.min(u32::MAX as usize).min(Semaphore::MAX_PERMITS);
        Self { capacity, left: Arc::new(Semaphore::new(capacity)) }
    }

    fn taken(&self) -> usize {
        self.capacity.saturating_sub(self.left.available_permits())
    }

    /// A part of it; all of it for who needs more than there is.
    fn take(&self, amount: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let amount = amount.min(self.capacity) as u32;
        Arc::clone(&self.left).try_acquire_many_owned(amount).map_err(|_| Refusal::Full)
    }
}

impl Queue {
    /// Starts the thread, which ends with the queue. `predict` has an answer for each text or an error; `seen` is told the
    /// size of each batch.
    pub(crate) fn start<P, S>(
        name: &str,
        limits: &Limits,
        predict: P,
        seen: S,
    ) -> std::io::Result<Self>
    where
        P: Fn(&[&str]) -> Result<Vec<Prediction>, String> + Send + 'static,
        S: Fn(usize) + Send + 'static,
    {
        let (jobs, waiting) = channel();
        let (texts, bytes) = (Room::new(limits.queue_texts), Room::new(limits.queue_bytes));
        let limits = limits.clone();
        let work = move || {
            while let Ok(first) = waiting.recv() {
                let batch = collect(first, &waiting, &limits);
                if !batch.is_empty() {
                    seen(batch.iter().map(|job| job.texts.len()).sum());
                    answer(batch, &predict);
                }
            }
        };
        thread::Builder::new().name(format!("model {name}")).spawn(work)?;
        Ok(Self { jobs, texts, bytes })
    }

    /// Texts in hand: waiting or being read.
    pub(crate) fn texts(&self) -> usize {
        self.texts.taken()
    }

    /// Predictions of all texts, in order.
    pub(crate) async fn ask(&self, texts: Vec<String>) -> Answer {
        let room = [self.texts.take(texts.len())?, self.bytes.take(bytes_of(&texts))?];
        let (reply, answer) = oneshot::channel();
        let gone = || Refusal::Failed("the model's thread has ended".into());
        self.jobs
            .send(Job { texts, arrived: Instant::now(), reply, _room: room })
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

fn bytes_of(texts: &[String]) -> usize {
    texts.iter().map(String::len).sum()
}

/// The jobs of one batch: `first`, what waits, and what comes within the linger; who has waited for a batch before has
/// waited. Whoever has gone is left out.
fn collect(first: Job, waiting: &Receiver<Job>, limits: &Limits) -> Vec<Job> {
    let until = first.arrived + limits.linger;
    let (mut batch, mut texts, mut bytes) = (Vec::new(), 0, 0);
    let mut next = Some(first);
    while let Some(job) = next {
        if !job.reply.is_closed() {
            texts += job.texts.len();
            bytes += bytes_of(&job.texts);
            batch.push(job);
        }
        next = if texts >= limits.batch_texts || bytes >= BATCH_BYTES {
            None
        } else {
            waiting.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
        };
    }
    batch
}

/// Answers every job. If a batch fails, each job is tried alone: one text does not take others down.
fn answer<P>(batch: Vec<Job>, predict: &P)
where
    P: Fn(&[&str]) -> Result<Vec<Prediction>, String>,
{
    let texts: Vec<&str> = batch.iter().flat_map(|job| &job.texts).map(String::as_str).collect();
    match guarded(predict, &texts) {
        Ok(predictions) => {
            let mut predictions = predictions.into_iter();
            for job in batch {
                let own = predictions.by_ref().take(job.texts.len()).collect();
                // Its client may have gone.
                let _ = job.reply.send(Ok(own));
            }
        }
        Err(message) if batch.len() == 1 => {
            for job in batch {
                let _ = job.reply.send(Err(Refusal::Failed(message.clone())));
            }
        }
        Err(_) => batch.into_iter().for_each(|job| answer(vec![job], predict)),
    }
}

/// As many predictions as texts, or what went wrong: the thread outlives a panic.
fn guarded<P>(predict: &P, texts: &[&str]) -> Result<Vec<Prediction>, String>
where
    P: Fn(&[&str]) -> Result<Vec<Prediction>, String>,
{
    match catch_unwind(AssertUnwindSafe(|| predict(texts))) {
        Ok(Ok(predictions)) if predictions.len() == texts.len() => Ok(predictions),
        Ok(Ok(predictions)) => {
            Err(format!("{} predictions of {} texts", predictions.len(), texts.len()))
        }
        Ok(Err(message)) => Err(message),
        Err(_) => Err("the model panicked".into()),
    }
}

#[cfg(test)]
mod tests;
