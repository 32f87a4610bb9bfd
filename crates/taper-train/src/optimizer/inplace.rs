//! The optimizer's arithmetic, in place: one pass over a tensor each.

use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, bail};
use rayon::prelude::*;

/// What a moment is the running mean of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Power {
    /// The gradient.
    One,
    /// Its square.
    Two,
}

/// `moment = beta * moment + (1 - beta) * gradient^power`
pub(super) struct Decay {
    pub(super) beta: f64,
    pub(super) power: Power,
}

/// As [`Decay`], where only `rows` of the gradient are not zero; each row once.
pub(super) struct Scatter<'a> {
    pub(super) rows: &'a [u32],
    pub(super) beta: f64,
    pub(super) power: Power,
}

/// `p = shrink * p - step_size * first / (denominator_scale * sqrt(second) + epsilon)`
pub(super) struct Update {
    pub(super) step_size: f64,
    pub(super) denominator_scale: f64,
    pub(super) epsilon: f64,
    pub(super) shrink: f64,
}

/// A moment that decays for hundreds of steps would end among the denormals, which are slow and
/// move nothing: below this it is 0.
const TINY: f32 = 1e-30;

/// Elements that a task of the thread pool takes at a time.
const PIECE: usize = 1 << 14;

fn flush(x: f32) -> f32 {
    if x.abs() < TINY { 0.0 } else { x }
}

impl Power {
    fn of(self, gradient: f32) -> f32 {
        match self {
            Self::One => gradient,
            Self::Two => gradient * gradient,
        }
    }
}

fn range(layout: &Layout) -> Result<std::ops::Range<usize>> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(start..end),
        None => bail!("the optimizer takes contiguous tensors"),
    }
}

fn target<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match storage {
        CpuStorage::F32(values) => Ok(&mut values[range(layout)?]),
        _ => bail!("the optimizer takes f32"),
    }
}

fn source<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    Ok(&storage.as_slice::<f32>()?[range(layout)?])
}

impl InplaceOp2 for Decay {
    fn name(&self) -> &'static str {
        "adam-moment"
    }

    fn cpu_fwd(
        &self,
        moment: &mut CpuStorage,
        l1: &Layout,
        gradient: &CpuStorage,
        l2: &Layout,
    ) -> Result<()> {
        let (beta, rest) = (self.beta as f32, (1.0 - self.beta) as f32);
        let moment = target(moment, l1)?.par_chunks_mut(PIECE);
        moment.zip(source(gradient, l2)?.par_chunks(PIECE)).for_each(|(moment, gradient)| {
            for (m, &g) in moment.iter_mut().zip(gradient) {
                *m = flush(beta * *m + rest * self.power.of(g));
            }
        });
        Ok(())
    }
}

impl InplaceOp2 for Scatter<'_> {
    fn name(&self) -> &'static str {
        "adam-moment-rows"
    }

    fn cpu_fwd(
        &self,
        moment: &mut CpuStorage,
        l1: &Layout,
        gradient: &CpuStorage,
        l2: &Layout,
    ) -> Result<()> {
        let (beta, rest) = (self.beta as f32, (1.0 - self.beta) as f32);
        let (_, columns) = l1.shape().dims2()?;
        let moment = target(moment, l1)?;
        moment.par_chunks_mut(PIECE).for_each(|moment| {
            for m in moment {
                *m = flush(beta * *m);
            }
        });
        for (&row, gradient) in self.rows.iter().zip(source(gradient, l2)?.chunks_exact(columns)) {
            let moment = &mut moment[row as usize * columns..][..columns];
            for (m, &g) in moment.iter_mut().zip(gradient) {
                *m += rest * self.power.of(g);
            }
        }
        Ok(())
    }
}

impl InplaceOp3 for Update {
    fn name(&self) -> &'static str {
        "adam-update"
    }

    fn cpu_fwd(
        &self,
        parameter: &mut CpuStorage,
        l1: &Layout,
        first: &CpuStorage,
        l2: &Layout,
        second: &CpuStorage,
        l3: &Layout,
    ) -> Result<()> {
        let (step_size, scale) = (self.step_size as f32, self.denominator_scale as f32);
        let (epsilon, shrink) = (self.epsilon as f32, self.shrink as f32);
        let first = source(first, l2)?.par_chunks(PIECE);
        let moments = first.zip(source(second, l3)?.par_chunks(PIECE));
        let parameter = target(parameter, l1)?.par_chunks_mut(PIECE);
        parameter.zip(moments).for_each(|(parameter, (first, second))| {
            for (p, (&m, &v)) in parameter.iter_mut().zip(first.iter().zip(second)) {
                *p = shrink * *p - step_size * m / (scale * v.sqrt() + epsilon);
            }
        });
        Ok(())
    }
}
