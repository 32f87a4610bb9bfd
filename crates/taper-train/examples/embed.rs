//! A trained model in a program of one's own: `cargo run -p taper-train --example embed -- runs/quickstart "A lovely film."`
#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use candle_core::Device;
use taper_train::{Predictor, Quantization};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let model = PathBuf::from(arguments.next().unwrap_or_else(|| "runs/quickstart".into()));
    let predictor = Predictor::open(&model, &Device::Cpu, Quantization::F32)?;
    for prediction in predictor.predict(&arguments.collect::<Vec<_>>())? {
        println!("{} {:.3} {}", prediction.label, prediction.probability, prediction.text);
    }
    Ok(())
}
