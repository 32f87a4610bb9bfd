//! The classifier as ONNX operators: `Gather`, an `LSTM` a layer, pooling over the real steps, `Gemm`.
//!
//! Time comes first inside (the operator's layout 0), as `[time, batch, features]`.

use super::graph::Graph;
use super::proto::{AttributeProto, FLOAT, INT32};
use super::weights::{AttentionWeights, LayerWeights, Weights};
use taper_lstm::Pooling;

/// Names of the graph's ends.
pub(super) const IDS: &str = "ids";
pub(super) const LENGTHS: &str = "lengths";
pub(super) const LOGITS: &str = "logits";
pub(super) const PROBABILITIES: &str = "probabilities";

/// How logits become probabilities.
#[derive(Clone, Copy)]
pub(super) enum Head {
    /// Those of the classes are 1 together, at this temperature.
    Classes { temperature: Option<f64> },
    /// Each label has its own.
    Labels,
}

/// Builds everything between [`IDS`] (and [`LENGTHS`], if padding is not to be read) and the outputs.
/// The logits are as the network gives them.
pub(super) fn build(
    graph: &mut Graph,
    weights: &Weights,
    pooling: Pooling,
    masked: bool,
    head: Head,
) {
    let transposed = AttributeProto::ints("perm", &[1, 0]);
    let ids = graph.node("Transpose", &[IDS], "ids_by_time", vec![transposed]);
    let table = graph.floats("embedding.weight", &weights.embedding.0, &weights.embedding.1);
    let mut x = graph.node("Gather", &[&table, &ids], "embedded", vec![]);
    let steps = masked.then(|| {
        let to = AttributeProto::int("to", INT32 as usize);
        graph.node("Cast", &[LENGTHS], "sequence_lens", vec![to])
    });
    let mut last = String::new();
    for (number, layer) in weights.layers.iter().enumerate() {
        (x, last) = lstm(graph, number, layer, &x, steps.as_deref());
    }
    let pooled = match &weights.attention {
        Some(attention) => attend(graph, attention, &x, masked),
        None => pool(graph, pooling, &x, &last, masked),
    };
    let fc = graph.floats("fc.weight", &weights.fc.0, &weights.fc.1);
    let bias = graph.floats("fc.bias", &[weights.fc_bias.len()], &weights.fc_bias);
    let by_rows = AttributeProto::int("transB", 1);
    graph.node("Gemm", &[&pooled, &fc, &bias], LOGITS, vec![by_rows]);
    let logits = match head {
        Head::Labels => {
            graph.node("Sigmoid", &[LOGITS], PROBABILITIES, vec![]);
            return;
        }
        Head::Classes { temperature: None } => LOGITS.to_owned(),
        Head::Classes { temperature: Some(temperature) } => {
            let temperature = graph.floats("temperature", &[], &[temperature as f32]);
            graph.node("Div", &[LOGITS, &temperature], "tempered", vec![])
        }
    };
    probabilities(graph, &logits, weights.fc_bias.len());
}

/// One layer: the outputs of all steps, `[time, batch, features]`, and the final states, `[batch, features]`.
fn lstm(
    graph: &mut Graph,
    number: usize,
    layer: &LayerWeights,
    x: &str,
    steps: Option<&str>,
) -> (String, String) {
    let LayerWeights { directions, hidden_size, input_size, .. } = *layer;
    let name = |part: &str| format!("rnn.l{number}.{part}");
    let rows = 4 * hidden_size;
    let w = graph.floats(&name("W"), &[directions, rows, input_size], &layer.w);
    let r = graph.floats(&name("R"), &[directions, rows, hidden_size], &layer.r);
    let b = graph.floats(&name("B"), &[directions, 2 * rows], &layer.b);
    let mut input = vec![x, &w, &r, &b];
    input.extend(steps);
    let direction = if directions == 2 { "bidirectional" } else { "forward" };
    let attributes = vec![
        AttributeProto::int("hidden_size", hidden_size),
        AttributeProto::string("direction", direction),
    ];
    let (all, last) = (name("Y"), name("Y_h"));
    graph.node_of("LSTM", &input, &name("LSTM"), &[&all, &last], attributes);
    // [time, directions, batch, hidden] and [directions, batch, hidden]: a step's directions side by side.
    let perm = AttributeProto::ints("perm", &[0, 2, 1, 3]);
    let all = graph.node("Transpose", &[&all], &name("Y_by_batch"), vec![perm]);
    let shape = graph.ints("steps_shape", &[3], &[0, 0, -1]);
    let all = graph.node("Reshape", &[&all, &shape], &name("steps"), vec![]);
    let perm = AttributeProto::ints("perm", &[1, 0, 2]);
    let last = graph.node("Transpose", &[&last], &name("Y_h_by_batch"), vec![perm]);
    let shape = graph.ints("states_shape", &[2], &[0, -1]);
    let last = graph.node("Reshape", &[&last, &shape], &name("states"), vec![]);
    (all, last)
}

/// `[batch, features]` of all steps and the final states.
fn pool(graph: &mut Graph, pooling: Pooling, steps: &str, last: &str, masked: bool) -> String {
    match pooling {
        // Attention has weights of its own.
        Pooling::Last | Pooling::Attention => last.to_owned(),
        Pooling::Max => max(graph, steps, masked),
        Pooling::Mean => mean(graph, steps, masked),
        Pooling::LastMaxMean => {
            let (max, mean) = (max(graph, steps, masked), mean(graph, steps, masked));
            let axis = AttributeProto::int("axis", 1);
            graph.node("Concat", &[last, &max, &mean], "pooled", vec![axis])
        }
    }
}

/// The steps' mean under the attention's weights.
fn attend(graph: &mut Graph, weights: &AttentionWeights, steps: &str, masked: bool) -> String {
    let AttentionWeights { hidden: (rows, hidden), score } = weights;
    let hidden = graph.floats("attention.hidden", rows, hidden);
    let hidden = graph.node("MatMul", &[steps, &hidden], "attention_hidden", vec![]);
    let hidden = graph.node("Tanh", &[&hidden], "attention_tanh", vec![]);
    let score = graph.floats("attention.score", &[score.len(), 1], score);
    let scores = graph.node("MatMul", &[&hidden, &score], "scores", vec![]);
    let scores = real(graph, &scores, masked, "lowest", f32::NEG_INFINITY);
    let axis = vec![AttributeProto::int("axis", 0)];
    let shares = graph.node("Softmax", &[&scores], "attention", axis);
    let weighted = graph.node("Mul", &[steps, &shares], "attended", vec![]);
    let axes = graph.ints("axis_0", &[1], &[0]);
    let keepdims = vec![AttributeProto::int("keepdims", 0)];
    graph.node("ReduceSum", &[&weighted, &axes], "attended_sum", keepdims)
}

fn over_time() -> Vec<AttributeProto> {
    vec![AttributeProto::ints("axes", &[0]), AttributeProto::int("keepdims", 0)]
}

fn max(graph: &mut Graph, steps: &str, masked: bool) -> String {
    let steps = real(graph, steps, masked, "lowest", f32::NEG_INFINITY);
    graph.node("ReduceMax", &[&steps], "max", over_time())
}

fn mean(graph: &mut Graph, steps: &str, masked: bool) -> String {
    if !masked {
        return graph.node("ReduceMean", &[steps], "mean", over_time());
    }
    let steps = real(graph, steps, masked, "zero", 0.0);
    let axes = graph.ints("axis_0", &[1], &[0]);
    let keepdims = vec![AttributeProto::int("keepdims", 0)];
    let sum = graph.node("ReduceSum", &[&steps, &axes], "sum", keepdims);
    let to = vec![AttributeProto::int("to", FLOAT as usize)];
    let counts = graph.node("Cast", &[LENGTHS], "counts", to);
    let axes = graph.ints("axis_1", &[1], &[1]);
    let counts = graph.node("Unsqueeze", &[&counts, &axes], "counts_by_row", vec![]);
    graph.node("Div", &[&sum, &counts], "mean", vec![])
}

/// The steps, with `otherwise` past each text's length.
fn real(graph: &mut Graph, steps: &str, masked: bool, name: &str, otherwise: f32) -> String {
    if !masked {
        return steps.to_owned();
    }
    let mask = mask(graph);
    let otherwise = graph.floats(name, &[], &[otherwise]);
    graph.node("Where", &[&mask, steps, &otherwise], &format!("steps_or_{name}"), vec![])
}

/// Which steps are real: `[time, batch, 1]`.
fn mask(graph: &mut Graph) -> String {
    let name = "is_real";
    if graph.proto.node.iter().any(|node| node.name == name) {
        return name.to_owned();
    }
    let range = vec![AttributeProto::int("start", 1), AttributeProto::int("end", 2)];
    let time = graph.node("Shape", &[IDS], "time_as_list", range);
    let axis_0 = graph.ints("axis_0", &[1], &[0]);
    let time = graph.node("Squeeze", &[&time, &axis_0], "time", vec![]);
    let (start, step) = (graph.ints("range_start", &[], &[0]), graph.ints("range_step", &[], &[1]));
    let places = graph.node("Range", &[&start, &time, &step], "places", vec![]);
    let axis_1 = graph.ints("axis_1", &[1], &[1]);
    let places = graph.node("Unsqueeze", &[&places, &axis_1], "places_by_row", vec![]);
    let lengths = graph.node("Unsqueeze", &[LENGTHS, &axis_0], "lengths_by_column", vec![]);
    let real = graph.node("Less", &[&places, &lengths], "is_real_by_text", vec![]);
    let axis_2 = graph.ints("axis_2", &[1], &[2]);
    graph.node("Unsqueeze", &[&real, &axis_2], name, vec![])
}

/// One logit is the log-odds of the second of two classes.
fn probabilities(graph: &mut Graph, logits: &str, num_logits: usize) {
    let axis = || vec![AttributeProto::int("axis", 1)];
    if num_logits > 1 {
        graph.node("Softmax", &[logits], PROBABILITIES, axis());
        return;
    }
    let second = graph.node("Sigmoid", &[logits], "second", vec![]);
    let negated = graph.node("Neg", &[logits], "negated", vec![]);
    let first = graph.node("Sigmoid", &[&negated], "first", vec![]);
    graph.node("Concat", &[&first, &second], PROBABILITIES, axis());
}
