//! Predictions as JSON lines, CSV or Parquet.
//!
//! | field | |
//! | --- | --- |
//! | `row` | row of the input, from 1 |
//! | `id` | the input's name for it; empty or absent where it has none |
//! | `label`, `probability` | the most probable class; of several labels the most probable, given or not |
//! | `labels` | where a text may have several: those it is given, a list; in CSV with `|` between |
//! | `probabilities` | an object by class in JSON; elsewhere a column `probability_CLASS` for each |
//! | `tokens`, `unknown_tokens`, `truncated` | what the model read of it |
//! | `text` | the text, if it is wanted |

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float32Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde::Serialize;
use taper_corpus::Text;

use super::Prediction;
use crate::model::ModelConfig;
use crate::{Error, Result};

/// Rows handed to Parquet's encoder at a time, and of one row group.
const PARQUET_ROWS: usize = 4096;
const ROW_GROUP: usize = 1 << 17;

/// Between the labels of a text in CSV.
const BETWEEN: &str = "|";

/// How predictions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// An object a line.
    Jsonl,
    /// A table of lines, RFC 4180 with a header and LF.
    Csv,
    /// Parquet, zstd.
    Parquet,
}

impl OutputFormat {
    /// By a file's ending: `.jsonl` or `.ndjson`, `.csv`, `.parquet`.
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_lowercase();
        match extension.as_str() {
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// Writes predictions one at a time; memory does not grow with them.
pub struct PredictionWriter<W: Write + Send> {
    name: PathBuf,
    with_text: bool,
    kind: Kind<W>,
}

enum Kind<W: Write + Send> {
    Jsonl(W),
    Csv(Box<csv::Writer<W>>),
    Parquet(Box<Table<W>>),
}

struct Table<W: Write + Send> {
    writer: ArrowWriter<W>,
    schema: Arc<Schema>,
    rows: Vec<(Text, Prediction)>,
}

impl<W: Write + Send> std::fmt::Debug for PredictionWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PredictionWriter").field("name", &self.name).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Line<'a> {
    row: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    label: &'a str,
    probability: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a [String]>,
    #[serde(serialize_with = "super::as_map")]
    probabilities: &'a [(String, f32)],
    tokens: usize,
    unknown_tokens: usize,
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

impl<W: Write + Send> PredictionWriter<W> {
    /// Writes to `out`, which errors call `name`, what a model of this configuration says; with the texts themselves if
    /// `with_text`.
    ///
    /// # Errors
    /// CSV of any number of labels a text where one of them holds what stands between them; what `out` refuses.
    pub fn new(
        name: &Path,
        out: W,
        format: OutputFormat,
        config: &ModelConfig,
        with_text: bool,
    ) -> Result<Self> {
        let columns = columns(config, with_text);
        let kind = match format {
            OutputFormat::Jsonl => Kind::Jsonl(out),
            OutputFormat::Csv => {
                let bars = config.class_names.iter().find(|label| label.contains(BETWEEN));
                if let Some(label) = bars.filter(|_| config.threshold.is_some()) {
                    let message = format!(
                        "a text has any number of labels, which CSV holds with `{BETWEEN}` between them, and the label \
                         `{label}` has one itself; write JSON lines or Parquet"
                    );
                    return Err(Error::run(name, message));
                }
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(columns).map_err(refused(name))?;
                Kind::Csv(Box::new(writer))
            }
            OutputFormat::Parquet => Kind::Parquet(Box::new(
                Table::new(out, columns).map_err(|error| failed(name, error))?,
            )),
        };
        Ok(Self { name: name.to_owned(), with_text, kind })
    }

    /// Adds a row.
    pub fn write(&mut self, text: Text, prediction: Prediction) -> Result<()> {
        let name = &self.name;
        match &mut self.kind {
            Kind::Jsonl(out) => {
                let line = Line {
                    row: text.row,
                    id: text.id.as_deref(),
                    label: &prediction.label,
                    probability: prediction.probability,
                    labels: prediction.labels.as_deref(),
                    probabilities: &prediction.probabilities,
                    tokens: prediction.tokens,
                    unknown_tokens: prediction.unknown_tokens,
                    truncated: prediction.truncated,
                    text: self.with_text.then_some(&text.text),
                };
                serde_json::to_writer(&mut *out, &line).map_err(refused(name))?;
                out.write_all(b"\n").map_err(refused(name))
            }
            Kind::Csv(writer) => {
                let mut fields = vec![
                    text.row.to_string(),
                    text.id.unwrap_or_default(),
                    prediction.label,
                    prediction.probability.to_string(),
                ];
                fields.extend(prediction.labels.map(|labels| labels.join(BETWEEN)));
                fields.extend(prediction.probabilities.iter().map(|pair| pair.1.to_string()));
                fields.push(prediction.tokens.to_string());
                fields.push(prediction.unknown_tokens.to_string());
                fields.push(prediction.truncated.to_string());
                fields.extend(self.with_text.then_some(text.text));
                writer.write_record(&fields).map_err(refused(name))
            }
            Kind::Parquet(table) => {
                table.rows.push((text, prediction));
                if table.rows.len() < PARQUET_ROWS {
                    return Ok(());
                }
                table.flush(self.with_text).map_err(|error| failed(name, error))
            }
        }
    }

    /// Writes what is left, and gives back what was written to.
    pub fn finish(self) -> Result<W> {
        let name = &self.name;
        let mut out = match self.kind {
            Kind::Jsonl(out) => out,
            Kind::Csv(writer) => {
                writer.into_inner().map_err(|error| Error::io(name, "write")(error.into_error()))?
            }
            Kind::Parquet(mut table) => {
                let flushed = table.flush(self.with_text);
                let closed = flushed.and_then(|()| table.writer.into_inner());
                closed.map_err(|error| failed(name, error))?
            }
        };
        out.flush().map_err(refused(name))?;
        Ok(out)
    }
}

fn columns(config: &ModelConfig, with_text: bool) -> Vec<String> {
    let mut names: Vec<String> = ["row", "id", "label", "probability"].map(Into::into).into();
    names.extend(config.threshold.map(|_| "labels".to_owned()));
    names.extend(config.class_names.iter().map(|class| format!("probability_{class}")));
    names.extend(["tokens", "unknown_tokens", "truncated"].map(Into::into));
    names.extend(with_text.then(|| "text".to_owned()));
    names
}

impl<W: Write + Send> Table<W> {
    fn new(out: W, columns: Vec<String>) -> Result<Self, ParquetError> {
        let fields = columns.into_iter().map(|name| {
            let kind = match name.as_str() {
                "row" | "tokens" | "unknown_tokens" => DataType::UInt64,
                "id" | "label" | "text" => DataType::Utf8,
                "labels" => DataType::new_list(DataType::Utf8, true),
                "truncated" => DataType::Boolean,
                _ => DataType::Float32,
            };
            let nullable = name == "id";
            Field::new(name, kind, nullable)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .build();
        let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties))?;
        Ok(Self { writer, schema, rows: Vec::new() })
    }

    fn flush(&mut self, with_text: bool) -> Result<(), ParquetError> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        let predictions = || rows.iter().map(|row| &row.1);
        let counts = |count: fn(&Prediction) -> usize| -> ArrayRef {
            Arc::new(UInt64Array::from_iter_values(predictions().map(|p| count(p) as u64)))
        };
        let numbers = rows.iter().map(|row| row.0.row);
        let ids: StringArray = rows.iter().map(|row| row.0.id.as_deref()).collect();
        let labels = StringArray::from_iter_values(predictions().map(|p| &p.label));
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from_iter_values(numbers)),
            Arc::new(ids),
            Arc::new(labels),
            Arc::new(Float32Array::from_iter_values(predictions().map(|p| p.probability))),
        ];
        if rows.first().is_some_and(|row| row.1.labels.is_some()) {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for prediction in predictions() {
                lists.append_value(prediction.labels.iter().flatten().map(Some));
            }
            columns.push(Arc::new(lists.finish()));
        }
        let classes = rows.first().map_or(0, |row| row.1.probabilities.len());
        for class in 0..classes {
            let of_class = predictions().map(|p| p.probabilities[class].1);
            columns.push(Arc::new(Float32Array::from_iter_values(of_class)));
        }
        columns.push(counts(|p| p.tokens));
        columns.push(counts(|p| p.unknown_tokens));
        let truncated: BooleanArray = predictions().map(|p| Some(p.truncated)).collect();
        columns.push(Arc::new(truncated));
        if with_text {
            let texts = rows.iter().map(|row| &row.0.text);
            columns.push(Arc::new(StringArray::from_iter_values(texts)));
        }
        self.writer.write(&RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

/// For `map_err`: what the file system, or a reader at the other end, refused.
fn refused<E: Into<std::io::Error>>(name: &Path) -> impl FnOnce(E) -> Error {
    move |error| Error::io(name, "write")(error.into())
}

fn failed(name: &Path, error: ParquetError) -> Error {
    let error = match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(error) => *error,
            Err(inner) => std::io::Error::other(inner),
        },
        other => std::io::Error::other(other),
    };
    Error::io(name, "write")(error)
}
