//! Fingerprints: BLAKE3 of content and configuration, never of paths, times or machines.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::{Error, Result};

/// Collects what a stage depends on.
///
/// Every field is written with its name and length, so that no two different lists of fields hash alike.
#[derive(Debug)]
pub(crate) struct Fingerprint(blake3::Hasher);

impl Fingerprint {
    /// `version` rises when the same input would give another output: then what was prepared before is rebuilt.
    pub(crate) fn new(stage: &str, version: u32) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("taper-train 2026 stage fingerprint");
        framed(&mut hasher, stage.as_bytes());
        hasher.update(&version.to_le_bytes());
        Self(hasher)
    }

    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        framed(&mut self.0, name.as_bytes());
        framed(&mut self.0, value.as_bytes());
        self
    }

    /// 64 hexadecimal digits.
    pub(crate) fn finish(self) -> String {
        self.0.finalize().to_hex().to_string()
    }
}

/// The hash of a file's bytes.
pub(crate) fn of_file(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(Error::io(path, "open"))?;
    let mut hasher = blake3::Hasher::new();
    let mut block = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut block).map_err(Error::io(path, "read"))?;
        if count == 0 {
            return Ok(hasher.finalize().to_hex().to_string());
        }
        hasher.update(&block[..count]);
    }
}

fn framed(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_run_into_each_other() {
        let one = Fingerprint::new("text", 1).field("a", "bc").finish();
        assert_ne!(one, Fingerprint::new("text", 1).field("ab", "c").finish());
        assert_ne!(one, Fingerprint::new("text", 2).field("a", "bc").finish());
        assert_eq!(one, Fingerprint::new("text", 1).field("a", "bc").finish());
    }
}
