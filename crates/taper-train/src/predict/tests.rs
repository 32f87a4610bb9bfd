//! A stream says what a list says, in its order, and is written the same in every format.
#![allow(clippy::unwrap_used, clippy::float_cmp)]

use std::io::{self, Cursor};
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float32Type, UInt64Type};
use candle_core::Device;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use taper_corpus::{SourceSettings, Text, Texts};
use taper_lstm::Quantization;
use taper_text::{Normalization, Tokenizer, Vocabulary};

use super::{OutputFormat, Prediction, PredictionWriter, Predictor, groups};
use crate::model::{Model, ModelConfig, WEIGHTS};
use crate::{Error, recipe};

/// A model directory with weights as they are drawn.
fn model(folder: &Path, threshold: Option<f64>) -> ModelConfig {
    let words = ["<unk>", "<pad>", "a", "b", "c"].map(str::to_owned);
    let vocabulary = Vocabulary::from_tokens(words.into()).unwrap();
    let tokenizer = Tokenizer::named("whitespace", Normalization::default()).unwrap();
    let path = folder.join("tokenizer.json");
    tokenizer.with_vocabulary(&vocabulary).unwrap().save(&path).unwrap();
    let mut config = ModelConfig {
        format: ModelConfig::FORMAT,
        taper: "test".into(),
        class_names: vec!["x".into(), "y,\"z\"".into(), "w".into()],
        vocabulary_size: 5,
        dimensions: 3,
        max_length: Some(6),
        model: recipe::Model { hidden_size: 4, ..recipe::Model::default() },
        truncate: crate::recipe::Truncate::default(),
        temperature: None,
        threshold,
        specials: taper_text::Specials::default(),
        tokenizer_blake3: crate::fingerprint::of_file(&path).unwrap(),
        weights_blake3: None,
    };
    let model = Model::new(config.clone(), 7, None, &Device::Cpu).unwrap();
    model.save_weights(&folder.join(WEIGHTS)).unwrap();
    config.seal(folder).unwrap();
    config
}

fn open(folder: &Path) -> Predictor {
    Predictor::open(folder, &Device::Cpu, Quantization::F32).unwrap()
}

fn texts(count: usize) -> Vec<String> {
    let text = |at: usize| (0..at % 9).map(|word| ["a ", "b ", "?? "][(at + word) % 3]).collect();
    (0..count).map(text).collect()
}

#[test]
fn a_stream_says_what_a_list_says() {
    let folder = tempfile::tempdir().unwrap();
    model(folder.path(), None);
    let predictor = open(folder.path());
    let texts = texts(9000);
    let stream = predictor.predict_stream(texts.iter().map(Ok::<_, Error>));
    let stream: Vec<(&String, Prediction)> = stream.collect::<Result<_, _>>().unwrap();
    let expected = predictor.predict(&texts).unwrap();
    assert_eq!(stream.len(), 9000);
    for ((text, (given, found)), expected) in texts.iter().zip(&stream).zip(&expected) {
        assert_eq!((text, text), (*given, &found.text));
        assert_eq!((&found.label, found.tokens), (&expected.label, expected.tokens));
        assert!((found.probability - expected.probability).abs() < 1e-6);
    }
    assert!(stream.iter().any(|(_, prediction)| prediction.truncated));
}

#[test]
fn what_comes_before_an_error_is_predicted() {
    let folder = tempfile::tempdir().unwrap();
    model(folder.path(), None);
    let predictor = open(folder.path());
    let broken = || Err(io::Error::other("the disk is gone"));
    let refused = |error: io::Error| Error::io(Path::new("t"), "read")(error);
    let texts = vec![Ok("a"), Ok("b"), broken(), Ok("c")];
    let texts = texts.into_iter().map(|text| text.map_err(refused));
    let mut stream = predictor.predict_stream(texts);
    assert_eq!(stream.next().unwrap().unwrap().0, "a");
    assert_eq!(stream.next().unwrap().unwrap().0, "b");
    assert!(stream.next().unwrap().unwrap_err().to_string().contains("the disk is gone"));
    assert!(stream.next().is_none());
}

#[test]
fn short_batches_run_side_by_side_and_long_ones_alone() {
    let lengths = [30_000, 20_000, 10_000, 9_000, 40_000];
    let batches: Vec<Vec<usize>> = (0..5).map(|row| vec![row]).collect();
    let sizes = |on_cpu| groups(&batches, &lengths, on_cpu).iter().map(|g| g.len()).collect();
    let (on_cpu, elsewhere): (Vec<usize>, Vec<usize>) = (sizes(true), sizes(false));
    assert_eq!(on_cpu, [1, 2, 1, 1]);
    assert_eq!(elsewhere, [1, 1, 1, 1, 1]);
    assert!(groups(&[], &[], true).is_empty());
}

fn written(format: OutputFormat, with_text: bool) -> (Vec<u8>, Vec<Prediction>) {
    written_by(None, format, with_text)
}

fn written_by(
    threshold: Option<f64>,
    format: OutputFormat,
    with_text: bool,
) -> (Vec<u8>, Vec<Prediction>) {
    let folder = tempfile::tempdir().unwrap();
    let config = model(folder.path(), threshold);
    let predictor = open(folder.path());
    let name = Path::new("out");
    let mut writer = PredictionWriter::new(name, Vec::new(), format, &config, with_text).unwrap();
    let lines = Cursor::new(b"a \"b\", c\n\na b a b a b a b\n");
    let texts = Texts::stream(Path::new("in"), lines, &SourceSettings::default()).unwrap();
    let mut predictions = Vec::new();
    for (number, pair) in predictor.predict_stream(texts).enumerate() {
        let (text, prediction) = pair.unwrap();
        predictions.push(prediction.clone());
        let id = (number != 1).then(|| format!("id{number}"));
        writer.write(Text { id, ..text }, prediction).unwrap();
    }
    (writer.finish().unwrap(), predictions)
}

#[test]
fn json_lines() {
    let (bytes, predictions) = written(OutputFormat::Jsonl, true);
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!((&lines[0]["row"], &lines[0]["id"]), (&1.into(), &"id0".into()));
    assert_eq!(lines[0]["text"], "a \"b\", c");
    assert!(lines[1].get("id").is_none());
    assert_eq!((&lines[1]["tokens"], &lines[2]["truncated"]), (&0.into(), &true.into()));
    let probability = lines[0]["probabilities"]["y,\"z\""].as_f64().unwrap();
    assert!((probability - f64::from(predictions[0].probabilities[1].1)).abs() < 1e-7);
    let (bytes, _) = written(OutputFormat::Jsonl, false);
    assert!(!String::from_utf8(bytes).unwrap().contains("text"));
}

#[test]
fn csv_reads_back() {
    let (bytes, predictions) = written(OutputFormat::Csv, true);
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let classes = ["probability_x", "probability_y,\"z\"", "probability_w"];
    assert_eq!(names[..4], ["row", "id", "label", "probability"]);
    assert_eq!(names[4..7], classes);
    assert_eq!(names[7..], ["tokens", "unknown_tokens", "truncated", "text"]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!((&rows[0][10], &rows[1][1], &rows[2][9]), ("a \"b\", c", "", "true"));
    assert_eq!(rows[2][5].parse::<f32>().unwrap(), predictions[2].probabilities[1].1);
}

#[test]
fn parquet_reads_back() {
    let (bytes, predictions) = written(OutputFormat::Parquet, true);
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(path.path(), bytes).unwrap();
    let file = std::fs::File::open(path.path()).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let column = |name: &str| batches[0].column_by_name(name).unwrap().clone();
    assert_eq!(column("row").as_primitive::<UInt64Type>().values()[..], [1, 2, 3]);
    assert_eq!(column("id").null_count(), 1);
    assert_eq!(column("text").as_string::<i32>().value(0), "a \"b\", c");
    assert!(column("truncated").as_boolean().value(2));
    let found = column("probability_w").as_primitive::<Float32Type>().value(1);
    assert!((found - predictions[1].probabilities[2].1).abs() < 1e-7);
}

#[test]
fn a_directory_says_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let message =
        || Predictor::open(path, &Device::Cpu, Quantization::F32).unwrap_err().to_string();
    assert!(message().contains("there is no config.json"), "{}", message());
    std::fs::write(path.join("manifest.json"), "{}").unwrap();
    assert!(message().contains("prepared data"), "{}", message());
    std::fs::remove_file(path.join("manifest.json")).unwrap();
    std::fs::write(path.join("recipe.toml"), "").unwrap();
    assert!(message().contains("a run that lost it"), "{}", message());

    let config = model(path, None);
    open(path);
    let text = std::fs::read_to_string(path.join("config.json")).unwrap();
    let weights = std::fs::read(path.join(WEIGHTS)).unwrap();
    // A later format may have other fields.
    std::fs::write(path.join("config.json"), "{\"format\": 2, \"network\": {}}").unwrap();
    assert!(message().contains("config.json: format 2;"), "{}", message());
    std::fs::write(path.join("config.json"), &text).unwrap();

    let mut flipped = weights.clone();
    *flipped.last_mut().unwrap() ^= 1;
    std::fs::write(path.join(WEIGHTS), &flipped).unwrap();
    let hash = config.weights_blake3.unwrap();
    assert!(message().contains("model.safetensors: BLAKE3"), "{}", message());
    assert!(message().contains(&format!("config.json says {hash}")), "{}", message());
    // A directory of an older version has no hash of them.
    let older = text.replace(&format!(",\n  \"weights_blake3\": \"{hash}\""), "");
    assert!(!older.contains("weights_blake3"), "{older}");
    std::fs::write(path.join("config.json"), &older).unwrap();
    open(path);
    std::fs::write(path.join(WEIGHTS), &weights[..weights.len() - 1]).unwrap();
    assert!(message().contains("not a whole safetensors file"), "{}", message());
    std::fs::remove_file(path.join(WEIGHTS)).unwrap();
    assert!(message().contains("no weights yet"), "{}", message());
}

#[test]
fn of_several_labels_those_above_the_threshold() {
    let folder = tempfile::tempdir().unwrap();
    let threshold = 0.5;
    model(folder.path(), Some(threshold));
    let texts = texts(200);
    for prediction in open(folder.path()).predict(&texts).unwrap() {
        let above = prediction.probabilities.iter().filter(|(_, p)| f64::from(*p) >= threshold);
        let above: Vec<String> = above.map(|(name, _)| name.clone()).collect();
        assert_eq!(prediction.labels, Some(above));
        let most = prediction.probabilities.iter().map(|pair| pair.1).fold(0.0, f32::max);
        assert!((prediction.probability - most).abs() < 1e-9);
    }
    let (bytes, predictions) = written_by(Some(1e-9), OutputFormat::Jsonl, false);
    let line: Value = serde_json::from_slice(bytes.split(|b| *b == b'\n').next().unwrap()).unwrap();
    assert_eq!(line["labels"], serde_json::json!(["x", "y,\"z\"", "w"]));
    assert_eq!(line["label"], predictions[0].label);
    let (bytes, _) = written_by(Some(1e-9), OutputFormat::Csv, false);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("row,id,label,probability,labels,probability_x,"), "{text}");
    assert!(text.contains(",\"x|y,\"\"z\"\"|w\","), "{text}");
    let (bytes, _) = written_by(Some(1.0 - 1e-9), OutputFormat::Parquet, true);
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(path.path(), bytes).unwrap();
    let file = std::fs::File::open(path.path()).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    let labels = batch.column_by_name("labels").unwrap();
    assert_eq!(labels.as_list::<i32>().value(0).len(), 0);
}

#[test]
fn a_label_that_csv_could_not_tell_from_two_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = model(folder.path(), Some(0.5));
    config.class_names[2] = "law|art".into();
    let write = |config: &ModelConfig, format| {
        PredictionWriter::new(Path::new("out.csv"), Vec::new(), format, config, true).map(|_| ())
    };
    let message = write(&config, OutputFormat::Csv).unwrap_err().to_string();
    assert!(message.contains("out.csv: ") && message.contains("`law|art`"), "{message}");
    write(&config, OutputFormat::Jsonl).unwrap();
    // One class a text stands alone in its cell.
    write(&ModelConfig { threshold: None, ..config }, OutputFormat::Csv).unwrap();
}
