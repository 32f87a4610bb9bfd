//! Runs a recurrent network that a safetensors file describes and writes what came out, gradients
//! included: how another implementation's numbers are held against this one's.
//!
//! ```sh
//! cargo run --release -p taper-lstm --example replay -- IN.safetensors OUT.safetensors
//!     [--device cpu|cuda|cuda:N] [--precision f32|bf16]
//! ```
//!
//! IN's metadata, all strings: `cell` (`lstm`, `gru`, `rnn_tanh` or `rnn_relu`), `hidden_size`, `num_layers`,
//! and, where they are not no or none, `bidirectional` and `proj_size`. Its tensors, f32 but for `lengths`, with
//! T = steps, B = batch, D = input features, P = `proj_size` or `hidden_size`, N = layers * directions:
//!
//! - the weights under PyTorch's names; without any `bias_…` there are none
//! - `input` `[T, B, D]`; `lengths` `[B]`, i64, in any order. What lies past a length is never read.
//! - `h0` `[N, B, P]`, `c0` `[N, B, hidden_size]`: optional, zeros where they are not given
//! - `grad_output` `[T, B, directions * P]`, `grad_h_n`, `grad_c_n` as `h0`, `c0`: optional
//!
//! OUT: `output` `[T, B, directions * P]`, zero past each length; `h_n`; `c_n` of an LSTM; and where a
//! `grad_…` is given, `grad.NAME` for `input`, every weight, and `h0` and `c0` if given: the gradients of
//! `sum(output * grad_output) + sum(h_n * grad_h_n) + sum(c_n * grad_c_n)`.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

mod batch;
mod file;
mod network;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use candle_core::{DType, Device, Tensor};
use taper_lstm::{Mode, PackedSequence, Precision, weights};

use batch::Batch;
use file::File;
use network::Network;

const USAGE: &str = "usage: replay IN.safetensors OUT.safetensors [--device cpu|cuda|cuda:N] \
                     [--precision f32|bf16]";

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into()).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let arguments = match Arguments::parse(&arguments) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("replay: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("replay: {problem}");
            ExitCode::FAILURE
        }
    }
}

struct Arguments {
    input: PathBuf,
    output: PathBuf,
    /// The number of a CUDA device, or the CPU.
    cuda: Option<usize>,
    precision: Precision,
}

impl Arguments {
    fn parse(arguments: &[String]) -> Result<Self> {
        let (mut paths, mut cuda, mut precision) = (Vec::new(), None, Precision::F32);
        let mut rest = arguments.iter().map(String::as_str);
        while let Some(argument) = rest.next() {
            let Some(flag) = argument.strip_prefix("--") else {
                paths.push(PathBuf::from(argument));
                continue;
            };
            let (flag, value) = match flag.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                None => (flag, None),
            };
            let mut value =
                || value.or_else(|| rest.next()).ok_or(format!("--{flag} needs a value"));
            match flag {
                "device" => cuda = parse_device(value()?)?,
                "precision" => precision = parse_precision(value()?)?,
                _ => return Err(format!("there is no --{flag}").into()),
            }
        }
        let [input, output] = <[PathBuf; 2]>::try_from(paths)
            .map_err(|paths| format!("found {} paths; expected IN and OUT", paths.len()))?;
        Ok(Self { input, output, cuda, precision })
    }
}

fn parse_device(value: &str) -> Result<Option<usize>> {
    let number = match value {
        "cpu" => return Ok(None),
        "cuda" => Some(0),
        _ => value.strip_prefix("cuda:").and_then(|number| number.parse().ok()),
    };
    let device = number.ok_or(format!("--device is {value}; expected cpu, cuda or cuda:N"))?;
    Ok(Some(device))
}

fn parse_precision(value: &str) -> Result<Precision> {
    match value {
        "f32" => Ok(Precision::F32),
        "bf16" => Ok(Precision::Bf16),
        _ => Err(format!("--precision is {value}; expected f32 or bf16").into()),
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let device = match arguments.cuda {
        None if arguments.precision == Precision::Bf16 => {
            return Err("--precision bf16 needs --device cuda".into());
        }
        None => Device::Cpu,
        Some(number) => taper_lstm::cuda_device(number)?,
    };
    let results = load_and_replay(&arguments.input, arguments.precision, &device)
        .map_err(|problem| format!("{}: {problem}", arguments.input.display()))?;
    let results = results
        .into_iter()
        .map(|(name, tensor)| Ok((name, tensor.detach().to_device(&Device::Cpu)?.contiguous()?)));
    Ok(weights::save(&results.collect::<Result<_>>()?, &arguments.output)?)
}

fn load_and_replay(
    path: &Path,
    precision: Precision,
    device: &Device,
) -> Result<BTreeMap<String, Tensor>> {
    let bytes = std::fs::read(path)?;
    let file = File::new(&bytes, device)?;
    let network = Network::read(&file, precision)?;
    let batch = Batch::read(&file, &network)?;
    file.check_unasked()?;
    replay(&network, &batch)
}

fn replay(network: &Network, batch: &Batch) -> Result<BTreeMap<String, Tensor>> {
    let Batch { grad_output, grad_h_n, grad_c_n, .. } = batch;
    let backward = grad_output.is_some() || grad_h_n.is_some() || grad_c_n.is_some();
    let mode = if backward { Mode::Train { seed: 0, step: 0 } } else { Mode::Evaluate };
    let (output, h_n, c_n) = network.forward(batch, mode)?;

    let mut results = BTreeMap::new();
    if backward {
        let grad_output = grad_output.as_ref().map(|grad| batch.pack(grad)).transpose()?;
        let grad_output = grad_output.as_ref().map(PackedSequence::data);
        let mut loss = Tensor::zeros((), DType::F32, h_n.device())?;
        for (result, grad) in [
            (Some(output.data()), grad_output),
            (Some(&h_n), grad_h_n.as_ref()),
            (c_n.as_ref(), grad_c_n.as_ref()),
        ] {
            if let (Some(result), Some(grad)) = (result, grad) {
                loss = (loss + (result * grad)?.sum_all()?)?;
            }
        }
        let gradients = loss.backward()?;
        let weights = network.weights.iter().map(|(name, var)| (name.as_str(), var));
        for (name, var) in weights.chain(batch.given()) {
            let gradient = gradients.get(var).cloned().map_or_else(|| var.zeros_like(), Ok)?;
            results.insert(format!("grad.{name}"), gradient);
        }
    }
    let output = output.pad(0.0)?.transpose(0, 1)?;
    let missing = batch.input.dim(0)? - output.dim(0)?;
    results.insert("output".to_owned(), output.pad_with_zeros(0, 0, missing)?);
    results.insert("h_n".to_owned(), h_n);
    results.extend(c_n.map(|c_n| ("c_n".to_owned(), c_n)));
    Ok(results)
}
