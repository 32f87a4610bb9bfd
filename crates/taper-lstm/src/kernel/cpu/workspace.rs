//! Large buffers that stay from one batch to the next: fresh memory costs a page fault every 4 KiB,
//! which for the longest reviews is a tenth of the time.

use std::sync::{Mutex, PoisonError};

use super::vector::Instructions;

/// Buffers that wait for the next batch.
#[derive(Debug, Default)]
pub(crate) struct Workspace<T>(Mutex<Vec<Vec<T>>>);

/// What the kernels of a model run with: the machine's instructions, and a workspace for each type.
#[derive(Debug)]
pub(crate) struct Context {
    pub(super) instructions: Instructions,
    pub(super) f32: Workspace<f32>,
    pub(super) f64: Workspace<f64>,
}

impl Context {
    /// With `instructions`, which the machine must have.
    pub(super) fn with(instructions: Instructions) -> Self {
        Self { instructions, f32: Workspace::default(), f64: Workspace::default() }
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::with(Instructions::detect())
    }
}

impl<T: Copy + Default> Workspace<T> {
    /// More than the layers of a deep model hold at a time; what is given beyond is freed.
    const MOST: usize = 64;

    /// `len` numbers of any value: the caller writes every one of them.
    pub(super) fn take(&self, len: usize) -> Vec<T> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The smallest that is large enough; else the largest, which grows.
        let best = (0..waiting.len()).min_by_key(|&at| {
            let capacity = waiting[at].capacity();
            (capacity < len, if capacity < len { usize::MAX - capacity } else { capacity })
        });
        let mut buffer = best.map(|at| waiting.swap_remove(at)).unwrap_or_default();
        drop(waiting);
        if buffer.capacity() < len {
            // A new one, zeroed by the system: growing would copy what nobody reads.
            return vec![T::default(); len];
        }
        buffer.resize(len, T::default());
        buffer
    }

    /// Takes a buffer back.
    pub(super) fn give(&self, buffer: Vec<T>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < Self::MOST && buffer.capacity() > 0 {
            waiting.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_buffer_that_is_large_enough_comes_back() {
        let workspace = Workspace::<f32>::default();
        for len in [10, 30, 20] {
            workspace.give(vec![1.0; len]);
        }
        let taken = workspace.take(15);
        assert_eq!((taken.len(), taken.capacity()), (15, 20));
        assert_eq!(workspace.take(40), vec![0.0; 40]);
        assert_eq!(workspace.take(5).capacity(), 10);
    }
}
