//! The built program, run on the committed sample with a network small enough to train in seconds.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// Overrides that make a run of a second or two: 250 steps an epoch.
const SMALL: [&str; 5] = [
    "train.epochs=2",
    "train.max_length=24",
    "model.hidden_size=6",
    "model.pooling=concat",
    "train.batch_size=8",
];

pub(crate) fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data")
}

/// `taper`, deaf to the surroundings' own settings.
pub(crate) fn taper() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taper"));
    command.env("TAPER_DATA", data()).env("HF_HUB_OFFLINE", "1").env_remove("HF_ENDPOINT");
    command
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    taper().args(arguments).stdin(Stdio::null()).output().unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs, asserts success, and parses what it printed.
pub(crate) fn json(arguments: &[&str]) -> Value {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs, asserts exit code 1, and returns the message.
pub(crate) fn failure(arguments: &[&str]) -> String {
    let output = run(arguments);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
    assert!(message.contains("error: "), "{message}");
    message
}

/// The sample, prepared once for all tests of a file.
pub(crate) fn prepared() -> &'static str {
    static PREPARED: OnceLock<(TempDir, String)> = OnceLock::new();
    let (_, path) = PREPARED.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prepared").to_str().unwrap().to_owned();
        let output = run(&["prepare", "--prepared", &path]);
        assert!(output.status.success(), "{}", stderr(&output));
        (folder, path)
    });
    path
}

/// Arguments of a small training run into `out`.
pub(crate) fn training(out: &Path) -> Vec<String> {
    let mut arguments = vec!["train", "--json", "--prepared", prepared()];
    for setting in SMALL {
        arguments.extend(["--set", setting]);
    }
    arguments.extend(["--out", out.to_str().unwrap()]);
    arguments.into_iter().map(str::to_owned).collect()
}

/// Trains to the end; returns what it printed.
pub(crate) fn train(out: &Path, more: &[&str]) -> Value {
    let arguments = training(out);
    let arguments: Vec<&str> =
        arguments.iter().map(String::as_str).chain(more.iter().copied()).collect();
    json(&arguments)
}

/// The bits of a run's model.
pub(crate) fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("model.safetensors")).unwrap()
}

/// Names of a run's checkpoints, oldest first.
pub(crate) fn checkpoints(run: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(run.join("checkpoints")) else {
        return Vec::new();
    };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.starts_with("step-"));
    names.sort();
    names
}
