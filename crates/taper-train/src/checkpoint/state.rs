//! `state.json` of a checkpoint: where the run stands at it, and what its other files are.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Checkpoints, OPTIMIZER, Progress, WEIGHTS};
use crate::{Error, Result, atomic};

const STATE: &str = "state.json";

const FORMAT: u32 = 1;

/// `state.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct State {
    format: u32,
    pub(super) progress: Progress,
    /// Length of `metrics.jsonl` at this point: what was written after it is cut off on resume.
    pub(super) metrics_len: u64,
    /// BLAKE3 of the other files, by name.
    pub(super) files: BTreeMap<String, String>,
    /// BLAKE3 of this file with zeros in the place of this; none in those of versions that did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blake3: Option<String>,
}

/// As long as a hash.
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

impl State {
    pub(super) fn new(
        progress: &Progress,
        metrics_len: u64,
        files: BTreeMap<String, String>,
    ) -> Self {
        Self { format: FORMAT, progress: progress.clone(), metrics_len, files, blake3: None }
    }

    /// Reads that of the checkpoint in `folder`; the other files are not looked at.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(STATE);
        let bytes = fs::read(&path).map_err(Error::io(&path, "read"))?;
        let state: Self = serde_json::from_slice(&bytes)
            .map_err(|error| Error::run(&path, format!("not a checkpoint's state: {error}")))?;
        if state.format != FORMAT {
            let message = format!("version {}; this program reads version {FORMAT}", state.format);
            return Err(Error::run(&path, message));
        }
        if let Some(told) = &state.blake3
            && *told != hash(&String::from_utf8_lossy(&bytes).replacen(told, ZEROS, 1))
        {
            return Err(Error::run(
                &path,
                "changed since it was written: it has not the BLAKE3 that it tells",
            ));
        }
        for file in [WEIGHTS, OPTIMIZER] {
            if !state.files.contains_key(file) {
                return Err(Error::run(&path, format!("does not tell the BLAKE3 of {file}")));
            }
        }
        Ok(state)
    }

    /// Writes that of the checkpoint in `folder`, whole or not at all.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(STATE);
        let unsigned = Self { blake3: Some(ZEROS.to_owned()), ..self.clone() };
        let text = serde_json::to_string_pretty(&unsigned)
            .map_err(|error| Error::run(&path, format!("cannot be written: {error}")))?;
        atomic::write(&path, text.replacen(ZEROS, &hash(&text), 1).as_bytes())
    }
}

fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

impl Checkpoints {
    /// Takes down that `metrics.jsonl` was removed: what is written to it from here on comes after every checkpoint that
    /// there is, the first byte too. Of one that is damaged nothing is known, and nobody goes on from it.
    pub(crate) fn begin_metrics_anew(&self) -> Result<()> {
        for name in self.names()? {
            let folder = self.folder.join(name);
            let Ok(state) = State::read(&folder) else { continue };
            if state.metrics_len > 0 {
                State { metrics_len: 0, ..state }.write(&folder)?;
            }
        }
        Ok(())
    }
}
