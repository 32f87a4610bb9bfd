//! What the figures were measured on, and with which versions.

use std::collections::BTreeMap;
use std::fs;

use serde::Serialize;

/// Processor, threads, and the instruction sets that matter here.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) threads: usize,
    pub(crate) avx2: bool,
    pub(crate) avx512: bool,
    pub(crate) device: String,
}

impl Machine {
    pub(crate) fn new(threads: usize, device: String) -> Self {
        #[cfg(target_arch = "x86_64")]
        let (avx2, avx512) = (
            std::arch::is_x86_feature_detected!("avx2"),
            std::arch::is_x86_feature_detected!("avx512f"),
        );
        #[cfg(not(target_arch = "x86_64"))]
        let (avx2, avx512) = (false, false);
        Self { cpu: cpu(), threads, avx2, avx512, device }
    }
}

fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned())
}

/// Versions of Taper and of the crates under it, as the workspace locks them.
pub(crate) fn versions() -> BTreeMap<&'static str, &'static str> {
    let lock = include_str!("../../../Cargo.lock");
    let mut lines = lock.lines().peekable();
    let mut found = BTreeMap::from([("taper", env!("CARGO_PKG_VERSION"))]);
    while let Some(line) = lines.next() {
        for name in ["candle-core", "candle-nn", "gemm"] {
            if line.strip_prefix("name = ").is_some_and(|rest| rest.trim_matches('"') == name)
                && let Some(version) = lines.peek().and_then(|line| line.strip_prefix("version = "))
            {
                found.insert(name, version.trim_matches('"'));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found() {
        assert_eq!(versions().len(), 4);
    }
}
