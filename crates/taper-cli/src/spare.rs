//! What an output must not replace: what it is made from.

use std::path::Path;

use anyhow::{Result, bail};

/// Files and folders of runs, models and prepared data that a command reads; what else lies there may be written over.
const PARTS: [&str; 15] = [
    "README.md",
    "checkpoints",
    "config.json",
    "corpus",
    "coverage.json",
    "dynamics",
    "embeddings.safetensors",
    "encoded",
    "manifest.json",
    "metrics.jsonl",
    "model.safetensors",
    "prepared.json",
    "recipe.toml",
    ".recipe.toml",
    "tokenizer.json",
];

/// Refuses an output that is a part of the run, model or prepared data in `folder`, whatever links lead there.
///
/// # Errors
/// If it is one, by name.
pub(crate) fn parts(output: &Path, folder: &Path) -> Result<()> {
    let (Ok(to), Ok(from)) = (output.canonicalize(), folder.canonicalize()) else { return Ok(()) };
    let first = to.strip_prefix(&from).ok().and_then(|inner| inner.iter().next());
    if let Some(name) = first.filter(|name| PARTS.iter().any(|part| name == part)) {
        bail!(
            "{}: is a part of {} ({}), and would be replaced; give another file",
            output.display(),
            folder.display(),
            name.display()
        );
    }
    Ok(())
}

/// Refuses an output that is the file that is read, or the archive whose member is, whatever links lead there.
///
/// # Errors
/// If it is.
pub(crate) fn input(output: &Path, input: &Path) -> Result<()> {
    let Some(from) = input.ancestors().find_map(|part| part.canonicalize().ok()) else {
        return Ok(());
    };
    if from.is_file() && output.canonicalize().is_ok_and(|to| to == from) {
        bail!(
            "{}: the texts are in it, and it would be replaced; give another file",
            output.display()
        );
    }
    Ok(())
}
