//! Peak memory of a process while it works, as Linux counts it; nothing is known elsewhere.

use std::fs;

use anyhow::Result;
use serde::Serialize;

/// Resident memory in MiB.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Memory {
    /// Before the work.
    pub(crate) before_mib: f64,
    /// The most while it lasted.
    pub(crate) peak_mib: f64,
}

/// Does some work of `process` and says how much memory that took at the most; `None` where the
/// kernel does not say, or does not let the peak be reset.
pub(crate) fn peak_of(process: u32, work: impl FnOnce() -> Result<()>) -> Result<Option<Memory>> {
    let reset = fs::write(format!("/proc/{process}/clear_refs"), "5").is_ok();
    let before = status(process, "VmRSS:");
    work()?;
    let peak = status(process, "VmHWM:").filter(|_| reset);
    Ok(before.zip(peak).map(|(before_mib, peak_mib)| Memory { before_mib, peak_mib }))
}

/// A size of `/proc/PID/status`, in MiB.
fn status(process: u32, key: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some((kib / 1024.0 * 10.0).round() / 10.0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_seen() {
        let work = || {
            std::hint::black_box(vec![1_u8; 64 << 20]);
            Ok(())
        };
        // A sandbox may forbid the reset; then nothing is claimed.
        if let Some(memory) = peak_of(std::process::id(), work).unwrap() {
            assert!(memory.peak_mib > memory.before_mib + 60.0, "{memory:?}");
        }
    }
}
