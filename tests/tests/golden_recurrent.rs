//! The GRU, the plain RNN and the LSTM with a projection against PyTorch: every output, state and
//! gradient of `golden/recurrent.safetensors` (see `golden/README.md`).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod golden;

use candle_core::Tensor;
use candle_nn::VarBuilder;
use golden::Case;
use taper_lstm::{
    Gru, Lstm, LstmConfig, LstmState, Mode, Nonlinearity, PackedSequence, RecurrentConfig, Rnn,
};

const TRAIN: Mode = Mode::Train { seed: 0, step: 0 };

fn cases_of(cell: &str) -> Vec<Case> {
    let mut cases = golden::cases("recurrent.safetensors");
    assert_eq!(cases.len(), 12);
    cases.retain(|case| case.name.starts_with(cell));
    assert_eq!(cases.len(), 3);
    cases
}

fn config(case: &Case, gates: usize) -> RecurrentConfig {
    let (rows, input_size) = case.weight_shape("weight_ih_l0");
    RecurrentConfig {
        num_layers: case.num_layers(),
        bidirectional: case.flag("bidirectional"),
        bias: case.flag("bias"),
        ..RecurrentConfig::new(input_size, rows / gates)
    }
}

#[test]
fn the_gru_is_pytorchs() {
    for case in cases_of("gru") {
        case.check(|vb, input, [h_0, _]| {
            let gru = Gru::new(&config(&case, 3), vb).unwrap();
            let (output, h_n) = gru.forward(input, h_0, TRAIN).unwrap();
            (output, h_n, None)
        });
    }
}

#[test]
fn the_plain_rnn_is_pytorchs() {
    for (cell, nonlinearity) in [("rnn_tanh", Nonlinearity::Tanh), ("rnn_relu", Nonlinearity::Relu)]
    {
        for case in cases_of(cell) {
            case.check(|vb, input, [h_0, _]| {
                let rnn = Rnn::new(nonlinearity, &config(&case, 1), vb).unwrap();
                let (output, h_n) = rnn.forward(input, h_0, TRAIN).unwrap();
                (output, h_n, None)
            });
        }
    }
}

fn projected(case: &Case, vb: &VarBuilder) -> Lstm {
    let (proj_size, hidden_size) = case.weight_shape("weight_hr_l0");
    let RecurrentConfig { input_size, num_layers, bidirectional, bias, .. } = config(case, 4);
    let config = LstmConfig {
        num_layers,
        bidirectional,
        bias,
        proj_size: Some(proj_size),
        ..LstmConfig::new(input_size, hidden_size)
    };
    Lstm::new(&config, vb).unwrap()
}

#[test]
fn the_projected_lstm_is_pytorchs() {
    for case in cases_of("lstm") {
        case.check(|vb, input: &PackedSequence, [h, c]: [Option<&Tensor>; 2]| {
            let state = h.zip(c).map(|(h, c)| LstmState { h: h.clone(), c: c.clone() });
            let lstm = projected(&case, vb);
            let (output, state) = lstm.forward(input, state.as_ref(), TRAIN).unwrap();
            (output, state.h, Some(state.c))
        });
    }
}
