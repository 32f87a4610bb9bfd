//! A model as an ONNX graph that onnxruntime and its like run: padded token ids in, logits out.
//!
//! | | type and shape | |
//! | --- | --- | --- |
//! | `ids` | i64 `[batch, time]` | token ids, padded with any id of the vocabulary |
//! | `lengths` | i64 `[batch]` | tokens of each text, 1 to `time`; not there where the model reads padding |
//! | `logits` | f32 `[batch, num_logits]` | one for two classes: the log-odds of the second |
//! | `probabilities` | f32 `[batch, classes]` | in the order of `class_names`; softmax of the logits |
//!
//! Where a text may have several labels, each has a logit of which `probabilities` are the logistic function, and the
//! metadata has the `threshold` that a label's probability reaches where a text has it.
//!
//! Cutting texts into tokens is not part of the graph: `tokenizer.json` beside the model does it, in Rust or in
//! Python's `tokenizers`. The caller also cuts texts to `max_length`, and sends a text without tokens as one `unknown_id`
//! (`padding_id` where the metadata have none) of length 1: a row of length 0 has NaN for its logits.

mod graph;
mod network;
mod proto;
mod weights;

use std::path::Path;

use prost::Message;

use crate::model::{Model, ModelConfig};
use crate::recipe::{Padding, Truncate};
use crate::{Error, Result, atomic};
use graph::Graph;
use network::{Head, IDS, LENGTHS, LOGITS, PROBABILITIES};
use proto::{
    Dimension, FLOAT, INT64, ModelProto, OperatorSetIdProto, StringStringEntryProto, ValueInfoProto,
};
use weights::Weights;

/// The version of ONNX's format and of its operators: what runtimes since 2022 read.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;

/// What protobuf can hold in one message, less room for the graph itself.
const MOST_BYTES: usize = (1 << 31) - (1 << 20);

/// The bytes of the graph; the same for the same model.
///
/// Where the model reads padding (`model.padding = "tutorial"`), the graph has no `lengths` and reads all of `time`, so
/// that its logits are those of a batch padded to its longest text.
///
/// # Errors
/// If the parameters are more than a file of ONNX can hold, 2 GiB.
pub fn encode(model: &Model) -> Result<Vec<u8>> {
    let weights = Weights::of(model)?;
    if weights.bytes() > MOST_BYTES {
        let message = format!(
            "{} bytes of parameters; an ONNX file holds {MOST_BYTES}; make the vocabulary smaller",
            weights.bytes()
        );
        return Err(Error::run(Path::new("ONNX"), message));
    }
    let config = &model.config;
    let masked = config.model.padding == Padding::Mask;
    let mut graph = Graph::default();
    let head = match config.threshold {
        None => Head::Classes { temperature: config.temperature },
        Some(_) => Head::Labels,
    };
    network::build(&mut graph, &weights, model.classifier.pooling(), masked, head);
    let batch = || Dimension::dynamic("batch");
    let ids = vec![batch(), Dimension::dynamic("time")];
    graph.proto.name = "classifier".into();
    graph.proto.input.push(ValueInfoProto::tensor(IDS, INT64, ids));
    if masked {
        graph.proto.input.push(ValueInfoProto::tensor(LENGTHS, INT64, vec![batch()]));
    }
    let outputs = [(LOGITS, weights.fc_bias.len()), (PROBABILITIES, config.class_names.len())];
    for (name, size) in outputs {
        let shape = vec![batch(), Dimension::fixed(size)];
        graph.proto.output.push(ValueInfoProto::tensor(name, FLOAT, shape));
    }
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "taper".into(),
        producer_version: config.taper.clone(),
        graph: Some(graph.proto),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        metadata_props: metadata(config),
    };
    Ok(model.encode_to_vec())
}

/// Writes the graph, atomically.
pub fn export(model: &Model, path: &Path) -> Result<()> {
    atomic::write(path, &encode(model)?)
}

/// What a caller of the graph must know.
fn metadata(config: &ModelConfig) -> Vec<StringStringEntryProto> {
    let class_names = serde_json::Value::from(config.class_names.clone()).to_string();
    let truncate = match config.truncate {
        Truncate::Head => "head",
        Truncate::Tail => "tail",
        Truncate::HeadTail => "head_tail",
    };
    let entries = [
        ("class_names", Some(class_names)),
        ("max_length", config.max_length.map(|max| max.to_string())),
        ("truncate", config.max_length.map(|_| truncate.to_owned())),
        ("padding_id", Some(config.specials.padding.to_string())),
        ("taper_version", Some(config.taper.clone())),
        ("threshold", config.threshold.map(|threshold| threshold.to_string())),
        ("tokenizer_blake3", Some(config.tokenizer_blake3.clone())),
        ("unknown_id", config.specials.unknown.map(|id| id.to_string())),
        ("weights_blake3", config.weights_blake3.clone()),
    ];
    let entry = |(key, value): (&str, Option<String>)| {
        Some(StringStringEntryProto { key: key.into(), value: value? })
    };
    entries.into_iter().filter_map(entry).collect()
}
