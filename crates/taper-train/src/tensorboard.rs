//! A run's scalars as TensorBoard reads them: `tensorboard/events.out.tfevents.0.taper`.
//!
//! The file is a sequence of `TFRecord`s, each `length: u64, masked CRC-32C of length, bytes, masked CRC-32C of bytes`, little
//! endian; the bytes are the message `tensorflow.Event`. Its content is a function of `metrics.jsonl`.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use prost::Message;

use crate::events::TrainEvent;
use crate::history::history;
use crate::{Error, Result, atomic};

const FOLDER: &str = "tensorboard";
const FILE: &str = "events.out.tfevents.0.taper";

/// `tensorflow.Event`, as far as scalars need it.
#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Scalars>,
}

/// `tensorflow.Summary`.
#[derive(Clone, PartialEq, Message)]
struct Scalars {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

/// `tensorflow.Summary.Value`.
#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    // Written where it is 0, too: a value must be there.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// Brings the file up to date. What a reader has seen stays as it is: new events are appended, unless the run went back to
/// an earlier checkpoint.
pub(crate) fn write(run: &Path) -> Result<()> {
    let folder = run.join(FOLDER);
    fs::create_dir_all(&folder).map_err(Error::io(&folder, "create the folder"))?;
    let path = folder.join(FILE);
    let bytes = file_of(&history(run)?);
    let written = fs::read(&path).unwrap_or_default();
    match bytes.strip_prefix(written.as_slice()) {
        Some(new) if !written.is_empty() => {
            let mut file =
                OpenOptions::new().append(true).open(&path).map_err(Error::io(&path, "open"))?;
            file.write_all(new).map_err(Error::io(&path, "write"))
        }
        _ => atomic::write(&path, &bytes),
    }
}

fn file_of(events: &[TrainEvent]) -> Vec<u8> {
    let mut file = Vec::new();
    let version = Event { file_version: Some("brain.Event:2".to_owned()), ..Event::default() };
    record(&version, &mut file);
    let mut wall_time = 0.0;
    for event in events {
        let (step, scalars) = match event {
            TrainEvent::Session { session } => {
                wall_time = session.began as f64;
                continue;
            }
            TrainEvent::Step {
                step,
                loss,
                accuracy,
                gradient_norm,
                learning_rate,
                tokens,
                seconds,
                ..
            } => {
                wall_time += seconds;
                let scalars = vec![
                    ("step/loss".to_owned(), *loss),
                    ("step/accuracy".to_owned(), *accuracy),
                    ("step/gradient_norm".to_owned(), *gradient_norm),
                    ("step/learning_rate".to_owned(), *learning_rate),
                    ("step/tokens_per_second".to_owned(), *tokens as f64 / seconds),
                ];
                (*step, scalars)
            }
            TrainEvent::EpochFinished { epoch, loss, accuracy, .. } => {
                (*epoch, of_epoch("train", *loss, *accuracy))
            }
            TrainEvent::Evaluated { epoch, evaluation, .. } => {
                (*epoch, of_epoch(&evaluation.split, evaluation.loss, evaluation.accuracy))
            }
            _ => continue,
        };
        let scalar = |(tag, value)| Scalar { tag, simple_value: Some(value as f32) };
        let value = scalars.into_iter().map(scalar).collect();
        let step = i64::from(step);
        let event = Event { wall_time, step, summary: Some(Scalars { value }), file_version: None };
        record(&event, &mut file);
    }
    file
}

fn of_epoch(split: &str, loss: f64, accuracy: f64) -> Vec<(String, f64)> {
    vec![(format!("epoch_loss/{split}"), loss), (format!("epoch_accuracy/{split}"), accuracy)]
}

/// Appends a `TFRecord`.
fn record(event: &Event, file: &mut Vec<u8>) {
    let bytes = event.encode_to_vec();
    let length = (bytes.len() as u64).to_le_bytes();
    file.extend_from_slice(&length);
    file.extend_from_slice(&masked(&length).to_le_bytes());
    file.extend_from_slice(&bytes);
    file.extend_from_slice(&masked(&bytes).to_le_bytes());
}

/// CRC-32C, so rotated and shifted that a CRC of bytes with CRCs in them is of use.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn step(step: u32) -> TrainEvent {
        TrainEvent::Step {
            epoch: 1,
            batch: 1,
            step,
            loss: 0.5,
            accuracy: 0.0,
            gradient_norm: 2.0,
            learning_rate: 1e-3,
            tokens: 100,
            seconds: 0.25,
        }
    }

    /// The bytes that `EventFileWriter` of `TensorBoard` 2.21 writes for the same events (`tests/golden/event_files.py`).
    #[test]
    fn the_bytes_are_tensorboards() {
        let bytes = file_of(&[step(3)]);
        let hex = bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        assert_eq!(hex, include_str!("../../../tests/golden/event_files.hex").trim());
    }

    #[test]
    fn what_was_written_stays_and_what_went_back_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FOLDER).join(FILE);
        let tell = |events: &[TrainEvent]| {
            let lines = events.iter().map(|event| serde_json::to_string(event).unwrap() + "\n");
            fs::write(folder.path().join("metrics.jsonl"), lines.collect::<String>()).unwrap();
            write(folder.path()).unwrap();
            fs::read(&path).unwrap()
        };
        let one = tell(&[step(1)]);
        let before = fs::File::open(&path).unwrap();
        let two = tell(&[step(1), step(2)]);
        // A reader that had it open has the new events, too.
        assert_eq!(before.metadata().unwrap().len(), two.len() as u64);
        assert!(two.starts_with(&one) && two.len() > one.len());
        // An append that was cut short is completed.
        fs::write(&path, &two[..two.len() - 7]).unwrap();
        assert_eq!(tell(&[step(1), step(2)]), two);
        assert_eq!(tell(&[step(1)]), one);
    }
}
