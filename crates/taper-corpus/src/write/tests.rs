//! Shards: names, bytes, and what stands in the folder at each moment.
#![allow(clippy::unwrap_used)]

use arrow::array::{Array, AsArray, ListArray, StringArray, UInt16Array};
use arrow::datatypes::{DataType, Field, Schema, UInt16Type};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::*;
use crate::layout::shards;
use crate::read::batches;

/// Token lists, as `encoded/` holds them: the writer knows nothing of corpora.
fn batch(rows: std::ops::Range<u16>) -> RecordBatch {
    let lists = rows.clone().map(|row| Some((0..5).map(move |n| Some(row.wrapping_mul(n + 7)))));
    let tokens = ListArray::from_iter_primitive::<UInt16Type, _, _>(lists);
    let lengths = UInt16Array::from_iter_values(rows.map(|row| row % 9));
    let schema = Schema::new(vec![
        Field::new("tokens", tokens.data_type().clone(), false),
        Field::new("length", DataType::UInt16, false),
    ]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(tokens), Arc::new(lengths)]).unwrap()
}

fn write(dir: &Path, cuts: &[u16], max_shard_bytes: u64) -> Vec<PathBuf> {
    let metadata = BTreeMap::from([("taper.seed".to_owned(), "1".to_owned())]);
    let schema = batch(0..1).schema();
    let mut writer = ShardWriter::create(dir, "train", schema, &metadata, max_shard_bytes).unwrap();
    for pair in cuts.windows(2) {
        writer.write(&batch(pair[0]..pair[1])).unwrap();
    }
    writer.finish().unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn equal_rows_give_equal_bytes_however_they_come() {
    let dir = tempfile::tempdir().unwrap();
    let at_once = write(&dir.path().join("a"), &[0, 9_000], 20_000);
    let in_pieces = write(&dir.path().join("b"), &[0, 1, 1_500, 1_501, 8_000, 9_000], 20_000);
    assert!(at_once.len() > 1);
    assert_eq!(at_once.len(), in_pieces.len());
    for (a, b) in at_once.iter().zip(&in_pieces) {
        assert_eq!(a.file_name(), b.file_name());
        assert_eq!(fs::read(a).unwrap(), fs::read(b).unwrap());
    }
}

#[test]
fn long_rows_come_and_go_few_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, false)]));
    let mut writer =
        ShardWriter::create(dir.path(), "train", schema.clone(), &BTreeMap::new(), 1 << 30)
            .unwrap();
    let text = |row: u8| format!("{row}").repeat(10 << 20);
    for row in 0..9 {
        let column = StringArray::from_iter_values([text(row)]);
        writer
            .write(&RecordBatch::try_new(schema.clone(), vec![Arc::new(column)]).unwrap())
            .unwrap();
        assert!(writer.rows.get_buffered_rows() < 7);
    }
    let files = writer.finish().unwrap();
    let mut rows = 0;
    for batch in batches(&files, &["text"], 2048).unwrap() {
        let batch = batch.unwrap();
        assert!(batch.num_rows() < 7, "{}", batch.num_rows());
        for found in batch.column(0).as_string::<i32>() {
            assert_eq!(found.unwrap(), text(rows));
            rows += 1;
        }
    }
    assert_eq!(rows, 9);
}

#[test]
fn rows_come_back_in_order_across_shards_and_columns_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let files = write(dir.path(), &[0, 9_000], 20_000);
    assert_eq!(shards(dir.path(), "train").unwrap(), files);
    let mut rows = Vec::new();
    for batch in batches(&files, &["length", "tokens"], 700).unwrap() {
        let batch = batch.unwrap();
        assert!(batch.num_rows() <= 700);
        assert_eq!(batch.schema().field(0).name(), "length");
        let tokens = batch.column(1).as_list::<i32>();
        for row in 0..batch.num_rows() {
            rows.push(tokens.value(row).as_primitive::<UInt16Type>().values().to_vec());
        }
    }
    let expected: Vec<Vec<u16>> =
        (0..9_000_u16).map(|r| (0..5).map(|n| r.wrapping_mul(n + 7)).collect()).collect();
    assert_eq!(rows, expected);
    let message = batches(&files, &["lenght"], 10).unwrap_err().to_string();
    assert!(
        message.contains("`lenght` is missing") && message.contains("tokens, length"),
        "{message}"
    );
}

#[test]
fn files_are_zstd_and_carry_their_metadata() {
    let dir = tempfile::tempdir().unwrap();
    let files = write(dir.path(), &[0, 2_000], u64::MAX);
    assert_eq!(names(dir.path()), ["train-00000-of-00001.parquet"]);
    let reader = SerializedFileReader::new(File::open(&files[0]).unwrap()).unwrap();
    let column = reader.metadata().row_group(0).column(0);
    assert!(matches!(column.compression(), Compression::ZSTD(_)));
    let footer = reader.metadata().file_metadata();
    assert_eq!(crate::schema::metadata_value(footer, "taper.seed"), Some("1"));
    // What pyarrow sees: the stored Arrow schema alone.
    let mut keys = footer.key_value_metadata().unwrap().clone();
    keys.retain(|pair| pair.key == "ARROW:schema");
    let schema = parquet_to_arrow_schema(footer.schema_descr(), Some(&keys)).unwrap();
    assert_eq!(schema.metadata().get("taper.seed").map(String::as_str), Some("1"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&files[0]).unwrap().permissions().mode();
        assert_ne!(mode & 0o044, 0, "readable as the umask lets it be: {mode:o}");
    }
}

#[test]
fn nothing_is_visible_before_the_end_and_stale_shards_go() {
    let dir = tempfile::tempdir().unwrap();
    let before = write(dir.path(), &[0, 9_000], 20_000);
    assert!(before.len() > 1);
    fs::write(dir.path().join("notes.txt"), b"mine").unwrap();
    write(&dir.path().join("elsewhere"), &[0, 10], u64::MAX);
    let first = fs::read(&before[0]).unwrap();

    let schema = batch(0..1).schema();
    let mut writer =
        ShardWriter::create(dir.path(), "train", schema, &BTreeMap::new(), u64::MAX).unwrap();
    writer.write(&batch(0..3_000)).unwrap();
    assert_eq!(shards(dir.path(), "train").unwrap(), before);
    drop(writer);
    assert_eq!(names(dir.path()).len(), before.len() + 2, "a writer given up leaves nothing");
    assert_eq!(fs::read(&before[0]).unwrap(), first);

    write(dir.path(), &[0, 3_000], u64::MAX);
    assert_eq!(names(dir.path()), ["elsewhere", "notes.txt", "train-00000-of-00001.parquet"]);
}

#[test]
fn a_split_without_rows_is_one_file_without_rows() {
    let dir = tempfile::tempdir().unwrap();
    let files = write(dir.path(), &[0], u64::MAX);
    assert_eq!(files.len(), 1);
    assert_eq!(batches(&files, &["tokens"], 10).unwrap().count(), 0);
}

#[test]
fn other_columns_and_impossible_names_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Utf8, false)]));
    let mut writer =
        ShardWriter::create(dir.path(), "train", schema.clone(), &BTreeMap::new(), 1).unwrap();
    let message = writer.write(&batch(0..1)).unwrap_err().to_string();
    assert!(
        message.contains("train-00000-of-?????.parquet") && message.contains("tokens"),
        "{message}"
    );
    for name in ["", "../train", "a-b", ".train", "a b"] {
        let created = ShardWriter::create(dir.path(), name, schema.clone(), &BTreeMap::new(), 1);
        assert!(matches!(created, Err(Error::SplitName { .. })), "{name}");
    }
}
