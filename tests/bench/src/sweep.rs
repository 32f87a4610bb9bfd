//! One bidirectional layer over sizes, batches and lengths; and time against tokens.

use std::time::Instant;

use anyhow::Result;
use candle_core::{DType, Device, Tensor, Var};
use serde::Serialize;
use taper_lstm::{Lstm, LstmConfig, Mode, PackedSequence, Parameters, Precision};

use crate::args;
use crate::shape::Shape;

const HIDDEN: [usize; 5] = [64, 128, 256, 512, 1024];
const BATCH: [usize; 5] = [1, 8, 30, 64, 256];
const LENGTH: [usize; 3] = [32, 272, 1024];
/// A cell that takes more arithmetic than this for one forward and backward pass is left out.
const MOST_FLOPS: f64 = 4e11;
/// Time against tokens: one layer of 256, eight sequences.
const LINE_LENGTHS: [usize; 7] = [64, 128, 256, 512, 1024, 2048, 4096];
const LINE_HIDDEN: usize = 256;
const LINE_BATCH: usize = 8;
/// A cell is repeated for this long, but not more often than this; the fastest counts.
const SECONDS: f64 = 0.4;
const REPEATS: usize = 10;

/// The JSON document.
#[derive(Debug, Serialize)]
pub(crate) struct Sweep {
    /// One bidirectional layer whose input is as wide as its state.
    pub(crate) cells: Vec<Cell>,
    /// Forward and backward, one layer of 256, batches of eight.
    pub(crate) line: Line,
}

/// A size, and how fast a layer of it is.
#[derive(Debug, Serialize)]
pub(crate) struct Cell {
    pub(crate) hidden: usize,
    pub(crate) batch: usize,
    pub(crate) length: usize,
    pub(crate) infer_tokens_per_s: f64,
    pub(crate) train_tokens_per_s: f64,
}

/// Points (tokens, seconds) and the straight line through them.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) slope: f64,
    pub(crate) intercept: f64,
    /// Coefficient of determination: 1 is a straight line.
    pub(crate) r2: f64,
}

/// Runs all cells that are small enough, then the line.
///
/// # Errors
/// A device that cannot do it; of one that does not do every size, the others are left out.
pub(crate) fn sweep(device: &Device, precision: args::Precision) -> Result<Sweep> {
    let mut cells = Vec::new();
    for hidden in HIDDEN {
        let layer = Layer::new(hidden, device, precision)?;
        for batch in BATCH {
            for length in LENGTH {
                let shape =
                    Shape { input_size: hidden, hidden_size: hidden, num_layers: 1, directions: 2 };
                let tokens = (batch * length) as f64;
                if shape.training_flops_with_embedding() * tokens > MOST_FLOPS {
                    continue;
                }
                eprintln!("hidden {hidden}, batch {batch}, length {length}");
                let speed = |train| Ok(tokens / layer.seconds(batch, length, train)?);
                let speeds: Result<[f64; 2]> = speed(false).and_then(|one| Ok([one, speed(true)?]));
                match speeds {
                    Ok([infer_tokens_per_s, train_tokens_per_s]) => cells.push(Cell {
                        hidden,
                        batch,
                        length,
                        infer_tokens_per_s,
                        train_tokens_per_s,
                    }),
                    Err(error) => eprintln!("left out: {error:#}"),
                }
            }
        }
    }
    let layer = Layer::new(LINE_HIDDEN, device, precision)?;
    let mut points = Vec::new();
    for length in LINE_LENGTHS {
        eprintln!("time against tokens: length {length}");
        let seconds = layer.seconds(LINE_BATCH, length, true)?;
        points.push(((LINE_BATCH * length) as f64, seconds));
    }
    Ok(Sweep { cells, line: Line::through(points) })
}

/// One bidirectional layer.
struct Layer {
    lstm: Lstm,
    /// Keeps the parameters trainable.
    _parameters: Parameters,
    device: Device,
}

impl Layer {
    fn new(hidden: usize, device: &Device, precision: args::Precision) -> Result<Self> {
        let parameters = Parameters::new(1);
        let precision = match precision {
            args::Precision::F32 => Precision::F32,
            args::Precision::Bf16 => Precision::Bf16,
        };
        let config =
            LstmConfig { bidirectional: true, precision, ..LstmConfig::new(hidden, hidden) };
        let lstm = Lstm::new(&config, &parameters.var_builder(DType::F32, device))?;
        Ok(Self { lstm, _parameters: parameters, device: device.clone() })
    }

    /// The fastest of some passes over `batch` sequences of one length.
    fn seconds(&self, batch: usize, length: usize, train: bool) -> Result<f64> {
        let features = self.lstm.config().input_size;
        let shape = (batch, length, features);
        let values = (0..batch * length * features).map(|i| (i % 23) as f32 / 11.0 - 1.0);
        let x = Tensor::from_vec(values.collect::<Vec<f32>>(), shape, &self.device)?;
        let input = PackedSequence::pack_padded(&x, &vec![length; batch])?;
        let input = input.with_data(Var::from_tensor(input.data())?.into_inner())?;
        let mut best = f64::INFINITY;
        let begin = Instant::now();
        for repeat in 0..REPEATS {
            self.device.synchronize()?;
            let start = Instant::now();
            if train {
                let (output, _) =
                    self.lstm.forward(&input, None, Mode::Train { seed: 1, step: 0 })?;
                // By columns first: on CUDA candle sums all of a tensor in one block.
                output.data().sum(1)?.sum_all()?.backward()?;
            } else {
                self.lstm.forward(&input, None, Mode::Evaluate)?;
            }
            self.device.synchronize()?;
            best = best.min(start.elapsed().as_secs_f64());
            if repeat > 0 && begin.elapsed().as_secs_f64() > SECONDS {
                break;
            }
        }
        Ok(best)
    }
}

impl Line {
    /// Least squares.
    fn through(points: Vec<(f64, f64)>) -> Self {
        let count = points.len() as f64;
        let mean =
            |values: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(values).sum::<f64>() / count;
        let (x, y) = (mean(&|point| point.0), mean(&|point| point.1));
        let covariance = mean(&|point| (point.0 - x) * (point.1 - y));
        let slope = covariance / mean(&|point| (point.0 - x).powi(2));
        let intercept = y - slope * x;
        let residual = mean(&|point| (point.1 - intercept - slope * point.0).powi(2));
        let r2 = 1.0 - residual / mean(&|point| (point.1 - y).powi(2));
        Self { points, slope, intercept, r2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_is_found_and_a_bent_one_is_not() {
        let line =
            Line::through((1..9).map(|x| (f64::from(x), 2.0 + 0.5 * f64::from(x))).collect());
        assert!((line.slope - 0.5).abs() < 1e-12 && (line.intercept - 2.0).abs() < 1e-12);
        assert!((line.r2 - 1.0).abs() < 1e-12);
        let bent = Line::through((1..9).map(|x| (f64::from(x), f64::from(x).powi(2))).collect());
        assert!(bent.r2 < 0.97, "{}", bent.r2);
    }
}
