//! The columns of a corpus, and the metadata keys that carry class names and lineage.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::file::metadata::{FileMetaData, KeyValue};
use serde::Serialize;
use serde_json::Value;

/// The key under which Hugging Face's `datasets` keeps the features of a Parquet file.
pub(crate) const HUGGINGFACE_KEY: &str = "huggingface";

/// The prefix of this project's own keys.
pub(crate) const LINEAGE_PREFIX: &str = "taper.";

/// The `huggingface` key's JSON. Structs rather than a JSON map: their order is the columns' and
/// does not hang on which features of `serde_json` a build turns on.
#[derive(Serialize)]
struct Features<C> {
    info: Info<C>,
}

#[derive(Serialize)]
struct Info<C> {
    features: C,
}

#[derive(Serialize)]
struct Columns<'a> {
    id: Feature<'a>,
    text: Feature<'a>,
    label: Feature<'a>,
    group: Feature<'a>,
    #[serde(flatten)]
    origin: Option<OriginFeatures<'a>>,
}

/// As [`Columns`], where a text may have several labels.
#[derive(Serialize)]
struct SeveralColumns<'a> {
    id: Feature<'a>,
    text: Feature<'a>,
    labels: Feature<'a>,
    group: Feature<'a>,
    #[serde(flatten)]
    origin: Option<OriginFeatures<'a>>,
}

#[derive(Serialize)]
struct OriginFeatures<'a> {
    file: Feature<'a>,
    line: Feature<'a>,
    row: Feature<'a>,
}

#[derive(Serialize, Clone, Copy)]
#[serde(tag = "_type")]
enum Feature<'a> {
    Value { dtype: &'a str },
    ClassLabel { names: &'a [String] },
    Sequence { feature: &'a Feature<'a> },
}

/// Which columns a corpus has beside `id`, `text` and `group`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shape {
    /// Whether a text may have several labels: a list `labels` stands in the place of `label`.
    pub(crate) label_sets: bool,
    /// Whether it says where records stood; see [`crate::origin`].
    pub(crate) origins: bool,
}

/// The columns of a corpus: `id`, `text`, `label` (null where unlabelled), `group`.
pub fn corpus_schema() -> SchemaRef {
    Shape::default().schema()
}

impl Shape {
    pub(crate) fn schema(self) -> SchemaRef {
        let mut fields = vec![
            Field::new("id", DataType::Utf8, false),
            Field::new("text", DataType::Utf8, false),
            if self.label_sets {
                Field::new("labels", DataType::new_list(DataType::Int64, true), true)
            } else {
                Field::new("label", DataType::Int64, true)
            },
            Field::new("group", DataType::Utf8, true),
        ];
        if self.origins {
            fields.extend(crate::origin::fields());
        }
        Arc::new(Schema::new(fields))
    }

    /// The metadata of a corpus: the features with their class names, and lineage under `taper.`.
    pub(crate) fn metadata(
        self,
        class_names: &[String],
        lineage: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let string = Feature::Value { dtype: "string" };
        let integer = Feature::Value { dtype: "int64" };
        let (id, text, group) = (string, string, string);
        let origin =
            self.origins.then_some(OriginFeatures { file: string, line: integer, row: integer });
        let class = Feature::ClassLabel { names: class_names };
        let features = if self.label_sets {
            let labels = Feature::Sequence { feature: &class };
            json(SeveralColumns { id, text, labels, group, origin })
        } else {
            json(Columns { id, text, label: class, group, origin })
        };
        let mut metadata = BTreeMap::from([(HUGGINGFACE_KEY.to_owned(), features)]);
        for (key, value) in lineage {
            metadata.insert(format!("{LINEAGE_PREFIX}{key}"), value.clone());
        }
        metadata
    }
}

fn json<C: Serialize>(features: C) -> String {
    // Strings and maps alone: there is nothing in it that JSON could refuse.
    serde_json::to_string(&Features { info: Info { features } }).unwrap_or_default()
}

/// Ordered, so that equal input gives equal bytes.
pub(crate) fn key_values(metadata: &BTreeMap<String, String>) -> Vec<KeyValue> {
    metadata.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect()
}

/// The value of a key in a Parquet footer.
pub(crate) fn metadata_value<'a>(footer: &'a FileMetaData, key: &str) -> Option<&'a str> {
    let pairs = footer.key_value_metadata()?;
    let pair = pairs.iter().find(|pair| pair.key == key)?;
    pair.value.as_deref()
}

/// The class names of the column `label` (or `labels`) from a `huggingface` value, where it holds any.
pub(crate) fn class_names(huggingface: &str) -> Option<Vec<String>> {
    let of = |column| column_class_names(huggingface, column);
    of("label").or_else(|| of("labels"))
}

/// The class names of any column, of labels or of lists of them.
pub(crate) fn column_class_names(huggingface: &str, column: &str) -> Option<Vec<String>> {
    let value: Value = serde_json::from_str(huggingface).ok()?;
    let feature = value.pointer("/info/features")?.get(column)?;
    let names = feature.get("names").or_else(|| feature.pointer("/feature/names"))?.as_array()?;
    names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn class_names_come_back_in_order() {
        let names = vec!["neg".to_owned(), "pos".to_owned()];
        let lineage = BTreeMap::from([("seed".into(), "1".into())]);
        let metadata = Shape::default().metadata(&names, &lineage);
        assert_eq!(class_names(&metadata[HUGGINGFACE_KEY]), Some(names));
        assert_eq!(metadata["taper.seed"], "1");
        assert_eq!(
            metadata[HUGGINGFACE_KEY],
            r#"{"info":{"features":{"id":{"_type":"Value","dtype":"string"},"text":{"_type":"Value","dtype":"string"},"label":{"_type":"ClassLabel","names":["neg","pos"]},"group":{"_type":"Value","dtype":"string"}}}}"#
        );
    }

    #[test]
    fn lists_of_labels_are_sequences_and_origins_come_last() {
        let names = vec!["art".to_owned(), "law".to_owned()];
        let shape = Shape { label_sets: true, origins: true };
        let metadata = shape.metadata(&names, &BTreeMap::new());
        assert_eq!(class_names(&metadata[HUGGINGFACE_KEY]), Some(names));
        let labels = r#""labels":{"_type":"Sequence","feature":{"_type":"ClassLabel","names":["art","law"]}}"#;
        assert!(metadata[HUGGINGFACE_KEY].contains(labels), "{metadata:?}");
        let last = r#""file":{"_type":"Value","dtype":"string"},"line":{"_type":"Value","dtype":"int64"},"row":{"_type":"Value","dtype":"int64"}}}}"#;
        assert!(metadata[HUGGINGFACE_KEY].ends_with(last), "{metadata:?}");
    }

    #[test]
    fn a_label_without_names_has_none() {
        let plain = r#"{"info": {"features": {"label": {"dtype": "int64", "_type": "Value"}}}}"#;
        assert_eq!(class_names(plain), None);
        assert_eq!(class_names("not json"), None);
    }
}
