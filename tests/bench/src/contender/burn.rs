//! burn's `BiLstm` on the shortest batch, in a program of its own (`burn/`), which cargo builds when it is asked for.
//!
//! Its graph copies the outputs of all steps at every step: the work is quadratic in the length.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use tempfile::NamedTempFile;

use super::{Contender, Field, Scope, Task};
use crate::script::Script;

pub(super) const NAME: &str = "burn";

pub(super) struct Burn {
    program: Script,
    version: String,
    /// What the program has read.
    _batches: NamedTempFile,
}

impl Burn {
    pub(super) fn new(field: &Field) -> Result<Self> {
        let batches = field.batches()?;
        let threads = field.threads.to_string();
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("burn/Cargo.toml");
        let mut command = Command::new("cargo");
        command.args(["run", "--release", "--locked", "--manifest-path"]).arg(manifest);
        command.args(["--", "--batches"]).arg(batches.path());
        command.env("RAYON_NUM_THREADS", threads);
        let program = Script::start(NAME, &mut command)?;
        let version = program.about(NAME).unwrap_or("?").to_owned();
        Ok(Self { program, version, _batches: batches })
    }
}

impl Contender for Burn {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> String {
        format!("burn {}'s BiLstm on its backend flex, padded", self.version)
    }

    fn scope(&self) -> Scope {
        Scope::Shortest
    }

    fn run(&mut self, task: Task, batch: usize) -> Result<Option<f64>> {
        if batch != 0 {
            return Ok(None);
        }
        let task = if task == Task::Train { "train" } else { "infer" };
        self.program.seconds(&format!("padded {task} {batch}")).map(Some)
    }

    fn process(&self) -> u32 {
        self.program.process()
    }
}
