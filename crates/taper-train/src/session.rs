//! Who trains: a process, its program and its machine, as the binary finds them.

use serde::{Deserialize, Serialize};

/// A process that trains a run, from its start or from a checkpoint on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Seconds since 1970 when it began.
    pub began: u64,
    /// Version of the program.
    pub taper: String,
    /// The operating system and its version.
    pub system: String,
    /// The CPU's model.
    pub cpu: String,
    /// Its physical cores.
    pub cores: usize,
    /// Threads the process computes with.
    pub threads: usize,
    /// Memory of the machine in bytes.
    pub memory: u64,
    /// Where the model is: `cpu`, or which GPU.
    pub device: String,
}
