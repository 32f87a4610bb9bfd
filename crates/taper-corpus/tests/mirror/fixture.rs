//! One file on a mirror, and how to fetch it without long waits.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use taper_corpus::{Error, HubConfig, HubFile, HubRepo, Patience, fetch};

use super::Mirror;

pub(crate) const PATH: &str = "datasets/someone/reviews/resolve/main/data/file.bin";

pub(crate) fn config(mirror: &Mirror, cache: &Path) -> HubConfig {
    let patience = Patience {
        silence: Duration::from_millis(300),
        attempts: 5,
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_secs(1),
    };
    HubConfig { patience, ..HubConfig::new(&mirror.endpoint, cache) }
}

pub(crate) fn file() -> HubFile {
    HubFile {
        repo: HubRepo::Dataset("someone/reviews".to_owned()),
        revision: "main".to_owned(),
        path: "data/file.bin".to_owned(),
        sha256: None,
    }
}

pub(crate) fn content() -> Vec<u8> {
    (0..200_000_u32).flat_map(u32::to_le_bytes).collect()
}

pub(crate) fn get(config: &HubConfig, file: &HubFile) -> Result<PathBuf, Error> {
    fetch(config, file, &mut |_, _| {})
}

/// Every file below a folder that is not a lock.
pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files_below(&path));
        } else if path.extension().is_none_or(|extension| extension != "lock") {
            found.push(path);
        }
    }
    found
}
