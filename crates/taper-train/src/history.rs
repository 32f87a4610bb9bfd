//! `metrics.jsonl`, read back.

use std::fs;
use std::path::Path;

use crate::events::TrainEvent;
use crate::{Error, Result};

/// Everything that happened in a run so far. The last line may be half written: a run that is still in training.
///
/// # Errors
/// A line that is no event, by its number.
pub fn history(run: &Path) -> Result<Vec<TrainEvent>> {
    let path = run.join("metrics.jsonl");
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.map_err(Error::io(&path, "read"))?,
    };
    parse(&path, &text)
}

/// The events in what `metrics.jsonl` holds, or held at some point.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Vec<TrainEvent>> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let events = whole.lines().enumerate().map(|(line, text)| {
        serde_json::from_str(text)
            .map_err(|error| Error::run(path, format!("line {}: no event ({error})", line + 1)))
    });
    events.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn whole_lines_are_read_and_broken_ones_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(history(folder.path()).unwrap().is_empty());
        let path = folder.path().join("metrics.jsonl");
        let line = "{\"event\":\"epoch_started\",\"epoch\":1,\"batches\":3,\"done\":0}\n";
        fs::write(&path, format!("{line}{{\"event\":\"st")).unwrap();
        let started = TrainEvent::EpochStarted { epoch: 1, batches: 3, done: 0 };
        assert_eq!(history(folder.path()).unwrap(), [started]);
        fs::write(&path, format!("{line}{{}}\n")).unwrap();
        let message = history(folder.path()).unwrap_err().to_string();
        assert!(message.contains("metrics.jsonl: line 2: no event"), "{message}");
    }
}
