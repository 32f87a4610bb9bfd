//! Batches against a model that is a function.

use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use super::*;

fn prediction(text: &str) -> Prediction {
    Prediction {
        text: text.to_owned(),
        label: text.to_owned(),
        probability: 1.0,
        labels: None,
        probabilities: Vec::new(),
        tokens: 1,
        unknown_tokens: 0,
        truncated: false,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn texts(of: &[&str]) -> Vec<String> {
    of.iter().map(|&text| text.to_owned()).collect()
}

/// A queue that reads a batch each time something is sent through the gate.
fn gated(limits: &Limits) -> (Arc<Queue>, Sender<()>, Arc<Mutex<Vec<usize>>>) {
    let (gate, closed) = mpsc::channel();
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sizes);
    let predict = move |texts: &[&str]| {
        closed.recv().ok();
        assert!(!texts.contains(&"panic"), "told to");
        Ok(texts.iter().map(|text| prediction(text)).collect())
    };
    let seen = move |size| seen.lock().unwrap().push(size);
    (Arc::new(Queue::start("test", limits, predict, seen).unwrap()), gate, sizes)
}

fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "it never came true");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_waits_is_read_together_and_every_request_gets_its_own() {
    let limits = Limits { queue_texts: 8, linger: Duration::ZERO, ..Limits::default() };
    let (queue, gate, sizes) = gated(&limits);
    let runtime = runtime();
    let ask = |of: &[&str]| {
        let (queue, of) = (Arc::clone(&queue), texts(of));
        runtime.spawn(async move { queue.ask(of).await })
    };
    let first = ask(&["a"]);
    until(|| sizes.lock().unwrap().len() == 1);
    let (second, third) = (ask(&["b", "c"]), ask(&["d"]));
    until(|| queue.texts() == 4);
    // Five more do not fit, four do.
    assert_eq!(runtime.block_on(queue.ask(texts(&["x"; 5]))), Err(Refusal::Full));
    gate.send(()).unwrap();
    gate.send(()).unwrap();
    let labels = |answer: Answer| -> Vec<String> {
        answer.unwrap().into_iter().map(|prediction| prediction.label).collect()
    };
    assert_eq!(labels(runtime.block_on(first).unwrap()), ["a"]);
    assert_eq!(labels(runtime.block_on(second).unwrap()), ["b", "c"]);
    assert_eq!(labels(runtime.block_on(third).unwrap()), ["d"]);
    assert_eq!(*sizes.lock().unwrap(), [1, 3]);
    until(|| queue.texts() == 0);
}

#[test]
fn one_text_that_breaks_the_model_takes_nothing_else_down() {
    let limits = Limits { linger: Duration::ZERO, ..Limits::default() };
    let (queue, gate, sizes) = gated(&limits);
    let runtime = runtime();
    let ask = |of: &'static str| {
        let queue = Arc::clone(&queue);
        runtime.spawn(async move { queue.ask(texts(&[of])).await })
    };
    let first = ask("a");
    until(|| sizes.lock().unwrap().len() == 1);
    let (bad, good) = (ask("panic"), ask("b"));
    until(|| queue.texts() == 3);
    drop(gate);
    assert!(runtime.block_on(first).unwrap().is_ok());
    assert!(matches!(runtime.block_on(bad).unwrap(), Err(Refusal::Failed(_))));
    assert!(runtime.block_on(good).unwrap().is_ok());
    assert!(runtime.block_on(queue.ask(texts(&["c"]))).is_ok());
}

#[test]
fn who_has_gone_is_not_read_for() {
    let limits = Limits { linger: Duration::ZERO, ..Limits::default() };
    let (queue, gate, sizes) = gated(&limits);
    let runtime = runtime();
    let ask = |of: &'static str| {
        let queue = Arc::clone(&queue);
        runtime.spawn(async move { queue.ask(texts(&[of])).await })
    };
    let first = ask("a");
    until(|| sizes.lock().unwrap().len() == 1);
    let gone = ask("b");
    until(|| queue.texts() == 2);
    gone.abort();
    until(|| gone.is_finished());
    drop(gate);
    assert!(runtime.block_on(first).unwrap().is_ok());
    until(|| queue.texts() == 0);
    assert_eq!(*sizes.lock().unwrap(), [1]);
}

#[test]
fn bytes_are_bounded_and_a_large_request_is_taken_alone() {
    let limits = Limits { queue_bytes: 10, linger: Duration::ZERO, ..Limits::default() };
    let (queue, gate, sizes) = gated(&limits);
    let runtime = runtime();
    let ask = |of: &[&str]| {
        let (queue, of) = (Arc::clone(&queue), texts(of));
        runtime.spawn(async move { queue.ask(of).await })
    };
    let first = ask(&["12345", "678"]);
    until(|| sizes.lock().unwrap().len() == 1);
    assert_eq!(runtime.block_on(queue.ask(texts(&["123"]))), Err(Refusal::Full));
    // What was refused has left nothing behind.
    assert_eq!(queue.texts(), 2);
    drop(gate);
    assert!(runtime.block_on(first).unwrap().is_ok());
    until(|| queue.texts() == 0);
    assert!(runtime.block_on(ask(&["a text of far more than ten bytes"])).unwrap().is_ok());
}

#[test]
fn who_has_waited_for_a_batch_does_not_wait_for_company() {
    let limits = Limits { linger: Duration::from_mins(1), ..Limits::default() };
    let (room, (reply, _answer)) = (Room::new(1), oneshot::channel());
    let [texts_room, bytes_room] = [0, 0].map(|none| room.take(none).unwrap());
    let arrived = Instant::now().checked_sub(Duration::from_secs(61)).unwrap();
    let job = Job { texts: texts(&["a"]), arrived, reply, _room: [texts_room, bytes_room] };
    let (_jobs, waiting) = channel();
    let start = Instant::now();
    assert_eq!(collect(job, &waiting, &limits).len(), 1);
    assert!(start.elapsed() < Duration::from_secs(20));
}
