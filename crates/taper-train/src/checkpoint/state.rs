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
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    format: u32,
    pub(super) progress: Progress,
    /// Length of `metrics.jsonl` at this point: what was written after it is cut off on resume.
    pub(super) metrics_len: u64,
    /// BLAKE3 of the other files, by name.
    pub(super) files: BTreeMap<String, String>,
}

impl State {
    pub(super) fn new(
        progress: &Progress,
        metrics_len: u64,
        files: BTreeMap<String, String>,
    ) -> Self {
        Self { format: FORMAT, progress: progress.clone(), metrics_len, files }
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
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::run(&path, format!("cannot be written: {error}")))?;
        atomic::write(&path, &bytes)
    }
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
