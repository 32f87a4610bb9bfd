//! Large buffers that stay from one batch to the next: fresh memory costs a page fault every 4 KiB,
//! which for the longest reviews is a tenth of the time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor};

use super::vector::Instructions;

/// Buffers that wait for the next batch.
#[derive(Debug, Default)]
pub(crate) struct Workspace<T>(Mutex<Buffers<T>>);

#[derive(Debug, Default)]
struct Buffers<T> {
    waiting: Vec<Vec<T>>,
    /// Taken and not given yet: no more come back than went out, whoever made them.
    lent: usize,
}

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

impl Context {
    /// Takes back the buffer of a tensor that was made of one, and leaves the tensor without numbers: nothing
    /// may read it any more, nor what shares them. A tensor that is a part of others is left as it is.
    pub(crate) fn reclaim(&self, tensor: &Tensor) -> Result<()> {
        if tensor.device().is_cpu() { tensor.inplace_op1(&Reclaim(self)) } else { Ok(()) }
    }
}

#[cfg(test)]
impl Context {
    /// How many buffers wait, of all types.
    pub(crate) fn waiting(&self) -> usize {
        self.f32.buffers().waiting.len() + self.f64.buffers().waiting.len()
    }

    /// How many buffers are out, of all types.
    pub(crate) fn lent(&self) -> usize {
        self.f32.buffers().lent + self.f64.buffers().lent
    }
}

struct Reclaim<'a>(&'a Context);

impl InplaceOp1 for Reclaim<'_> {
    fn name(&self) -> &'static str {
        "reclaim"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let len = layout.shape().elem_count();
        match storage {
            CpuStorage::F32(buffer) if buffer.len() == len => {
                self.0.f32.give(std::mem::take(buffer));
            }
            CpuStorage::F64(buffer) if buffer.len() == len => {
                self.0.f64.give(std::mem::take(buffer));
            }
            _ => {}
        }
        Ok(())
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

    fn buffers(&self) -> MutexGuard<'_, Buffers<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `len` numbers of any value: the caller writes every one of them.
    pub(super) fn take(&self, len: usize) -> Vec<T> {
        let mut buffers = self.buffers();
        let Buffers { waiting, lent } = &mut *buffers;
        *lent = Self::MOST.min(*lent + 1);
        // The smallest that is large enough; else the largest, which grows.
        let best = (0..waiting.len()).min_by_key(|&at| {
            let capacity = waiting[at].capacity();
            (capacity < len, if capacity < len { usize::MAX - capacity } else { capacity })
        });
        let mut buffer = best.map(|at| waiting.swap_remove(at)).unwrap_or_default();
        drop(buffers);
        if buffer.capacity() < len {
            // A new one, zeroed by the system: growing would copy what nobody reads.
            return vec![T::default(); len];
        }
        buffer.resize(len, T::default());
        buffer
    }

    /// Takes a buffer back.
    pub(super) fn give(&self, buffer: Vec<T>) {
        let mut buffers = self.buffers();
        if buffers.lent > 0 && buffers.waiting.len() < Self::MOST && buffer.capacity() > 0 {
            buffers.lent -= 1;
            buffers.waiting.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use candle_core::Device;

    use super::*;

    #[test]
    fn the_smallest_buffer_that_is_large_enough_comes_back() {
        let workspace = Workspace::<f32>::default();
        let buffers = [10, 30, 20].map(|len| workspace.take(len));
        for buffer in buffers {
            workspace.give(buffer);
        }
        let taken = workspace.take(15);
        assert_eq!((taken.len(), taken.capacity()), (15, 20));
        assert_eq!(workspace.take(40), vec![0.0; 40]);
        assert_eq!(workspace.take(5).capacity(), 10);
    }

    #[test]
    fn no_more_come_back_than_went_out() {
        let workspace = Workspace::<f32>::default();
        workspace.give(vec![1.0; 10]);
        assert_eq!(workspace.take(5), vec![0.0; 5]);
    }

    #[test]
    fn a_tensor_that_is_a_part_keeps_its_numbers() {
        let context = Context::default();
        let whole = Tensor::from_vec(context.f32.take(6), 6, &Device::Cpu).unwrap();
        context.reclaim(&whole.narrow(0, 0, 3).unwrap()).unwrap();
        assert_eq!(whole.to_vec1::<f32>().unwrap(), [0.0; 6]);
        context.reclaim(&whole).unwrap();
        context.reclaim(&whole).unwrap();
        assert_eq!(context.f32.take(0).capacity(), 6);
        assert_eq!(context.f32.take(0).capacity(), 0);
    }
}
