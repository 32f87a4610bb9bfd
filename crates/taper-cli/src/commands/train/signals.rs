//! What ends a training from outside. The first SIGINT (Ctrl-C) or SIGTERM (a scheduler that takes the machine back) asks
//! the loop to stop after the step at hand; a second one ends the process at once, and the newest checkpoint stands.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// The signals that are heard, from here on to the end of the process.
#[derive(Debug)]
pub(super) struct Signals {
    stop: Arc<AtomicBool>,
    heard: Arc<AtomicUsize>,
}

impl Signals {
    /// Begins to listen.
    pub(super) fn listen() -> io::Result<Self> {
        let signals = Self { stop: Arc::default(), heard: Arc::default() };
        for signal in [SIGINT, SIGTERM] {
            // In this order: what the first signal sets decides what the second one does.
            flag::register_conditional_shutdown(signal, 128 + signal, signals.stop.clone())?;
            flag::register_usize(signal, signals.heard.clone(), signal as usize)?;
            flag::register(signal, signals.stop.clone())?;
        }
        Ok(signals)
    }

    /// What the loop asks between two steps.
    pub(super) fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    /// What shells and schedulers expect of a process that a signal ended: 130 after SIGINT, 143 after SIGTERM.
    pub(super) fn exit_code(&self) -> u8 {
        128 + self.heard.load(Ordering::SeqCst) as u8
    }
}
