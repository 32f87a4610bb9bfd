//! The last stage: every text as token ids, to `encoded/*.parquet`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, ListBuilder, PrimitiveArray, PrimitiveBuilder,
    RecordBatch, UInt32Array,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Field, Int64Type, Schema, SchemaRef, UInt16Type, UInt32Type,
};
use taper_corpus::{ShardWriter, batches, shards};
use taper_text::Tokenizer;

use super::text::{BATCH_ROWS, texts};
use crate::artifacts::LABELS;
use crate::fingerprint::Fingerprint;
use crate::manifest::{SplitManifest, Stage};
use crate::{Error, Result};

const VERSION: u32 = 1;
const MAX_SHARD_BYTES: u64 = 500 << 20;

/// What the stage depends on: the tokenizer with its vocabulary, whether it is from elsewhere, and every split's records in
/// order.
pub(super) fn fingerprint(
    tokenizer_hash: &str,
    from_elsewhere: bool,
    splits: &BTreeMap<String, SplitManifest>,
) -> String {
    let mut fingerprint =
        Fingerprint::new(Stage::Encoded.name(), VERSION).field("tokenizer", tokenizer_hash);
    if from_elsewhere {
        fingerprint = fingerprint.field("patterns", "as Oniguruma reads them");
    }
    for (name, split) in splits {
        fingerprint = fingerprint.field(name, &split.records);
    }
    fingerprint.finish()
}

/// Ids that fit take half the room.
fn fits_u16(vocabulary: usize) -> bool {
    vocabulary <= 1 << 16
}

/// The columns `id`, `tokens`, `length`, `label`; where a text may have several labels, a list `labels` in its place.
fn schema(vocabulary: usize, label: &str) -> SchemaRef {
    let token = if fits_u16(vocabulary) { DataType::UInt16 } else { DataType::UInt32 };
    let tokens = DataType::List(Arc::new(Field::new("item", token, false)));
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("tokens", tokens, false),
        Field::new("length", DataType::UInt32, false),
        match label {
            LABELS => Field::new(LABELS, DataType::new_list(DataType::UInt32, true), true),
            _ => Field::new(label, DataType::UInt32, true),
        },
    ]))
}

/// Encodes one split and enters its token counts into `numbers`.
///
/// A text without a single token is kept, with an empty list: rows stay rows, and the network reads it as one unknown word.
pub(super) fn build(
    tokenizer: &Tokenizer,
    vocabulary: usize,
    corpus: &Path,
    folder: &Path,
    (split, numbers): (&str, &mut SplitManifest),
    multi_label: bool,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let label = if multi_label { LABELS } else { "label" };
    let schema = schema(vocabulary, label);
    let mut writer =
        ShardWriter::create(folder, split, schema.clone(), &BTreeMap::new(), MAX_SHARD_BYTES)?;
    (numbers.tokens, numbers.empty, numbers.longest) = (0, 0, 0);
    for batch in batches(&shards(corpus, split)?, &["id", "text", label], BATCH_ROWS)? {
        let batch = batch?;
        let encoded = tokenizer.encode_all(&texts(&batch, 1, corpus)?)?;
        for ids in &encoded {
            let length = ids.len() as u64;
            numbers.tokens += length;
            numbers.empty += u64::from(length == 0);
            numbers.longest = numbers.longest.max(length);
        }
        writer.write(&to_batch(&schema, &batch, &encoded, corpus)?)?;
        progress(batch.num_rows() as u64);
    }
    writer.finish()?;
    Ok(())
}

fn to_batch(
    schema: &SchemaRef,
    texts: &RecordBatch,
    encoded: &[Vec<u32>],
    corpus: &Path,
) -> Result<RecordBatch> {
    let foreign = || Error::prepared(corpus, "not the corpus that was written; prepare again");
    let field = match schema.field(1).data_type() {
        DataType::List(field) => field.clone(),
        _ => return Err(foreign()),
    };
    let tokens = if field.data_type() == &DataType::UInt16 {
        // The vocabulary was measured: every id fits.
        lists::<UInt16Type>(encoded, field, |id| id as u16)
    } else {
        lists::<UInt32Type>(encoded, field, |id| id)
    };
    let lengths: UInt32Array = encoded.iter().map(|ids| Some(ids.len() as u32)).collect();
    let labels = texts.column(2);
    let labels: ArrayRef = if let Some(lists) = labels.as_list_opt::<i32>() {
        Arc::new(label_lists(lists).ok_or_else(foreign)?)
    } else {
        let labels = labels.as_primitive_opt::<Int64Type>().ok_or_else(foreign)?;
        let narrow = |label: Option<i64>| label.and_then(|label| u32::try_from(label).ok());
        Arc::new(labels.iter().map(narrow).collect::<PrimitiveArray<UInt32Type>>())
    };
    let columns: Vec<ArrayRef> = vec![texts.column(0).clone(), tokens, Arc::new(lengths), labels];
    RecordBatch::try_new(schema.clone(), columns)
        .map_err(|error| Error::prepared(corpus, format!("cannot be encoded: {error}")))
}

/// `None` where they are no lists of integers.
fn label_lists(lists: &ListArray) -> Option<ListArray> {
    let mut builder = ListBuilder::new(PrimitiveBuilder::<UInt32Type>::new());
    for row in 0..lists.len() {
        let list = lists.is_valid(row).then(|| lists.value(row));
        let Some(list) = list else {
            builder.append_null();
            continue;
        };
        let labels = list.as_primitive_opt::<Int64Type>()?;
        builder.append_value(labels.iter().map(|label| u32::try_from(label?).ok()));
    }
    Some(builder.finish())
}

fn lists<T: ArrowPrimitiveType>(
    encoded: &[Vec<u32>],
    field: Arc<Field>,
    narrow: impl Fn(u32) -> T::Native,
) -> ArrayRef {
    let total = encoded.iter().map(Vec::len).sum();
    let mut builder =
        ListBuilder::with_capacity(PrimitiveBuilder::<T>::with_capacity(total), encoded.len())
            .with_field(field);
    for ids in encoded {
        for &id in ids {
            builder.values().append_value(narrow(id));
        }
        builder.append(true);
    }
    Arc::new(builder.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_take_two_bytes_while_they_fit() {
        for (vocabulary, wanted) in [(65_536, DataType::UInt16), (65_537, DataType::UInt32)] {
            let schema = schema(vocabulary, "label");
            let DataType::List(field) = schema.field(1).data_type() else {
                panic!("tokens are a list");
            };
            assert_eq!(field.data_type(), &wanted);
        }
    }
}
