//! Record batches into records: finds the columns, widens their types, checks every label.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, Schema};
use parquet::errors::ParquetError;

use crate::error::{Error, Place, Position, Result};
use crate::layout::{UNSUPERVISED, may_lack_labels, shards};
use crate::origin::Origin;
use crate::read::{FileBatches, open};
use crate::record::Record;
use crate::schema::{HUGGINGFACE_KEY, class_names, metadata_value};

/// Rows decoded at a time: a few megabytes of reviews.
const BATCH_ROWS: usize = 1024;

/// What the footer of a file says of it.
pub(crate) struct Footer {
    pub(crate) rows: u64,
    pub(crate) class_names: Option<Vec<String>>,
}

/// Reads a file's footer and holds its columns to `text` string, `label` integer, `id` and `group`
/// string (these two optional, and `label` too where the split may go without). Where a text may have several
/// labels, a list `labels` of integers stands in the place of `label`.
pub(crate) fn check_footer(path: &Path, split: &str) -> Result<Footer> {
    let builder = open(path)?;
    let schema = builder.schema();
    let wants_label = !may_lack_labels(split) && !has_label_lists(schema);
    check_column(path, schema, "text", true, is_string, "a column of strings")?;
    check_column(path, schema, "label", wants_label, DataType::is_integer, "a column of integers")?;
    check_column(path, schema, "id", false, is_string, "a column of strings")?;
    check_column(path, schema, "group", false, is_string, "a column of strings")?;
    let footer = builder.metadata().file_metadata();
    Ok(Footer {
        rows: u64::try_from(footer.num_rows()).unwrap_or(0),
        class_names: metadata_value(footer, HUGGINGFACE_KEY).and_then(class_names),
    })
}

/// Whether the first file of every split has a column `text`, and none a `label`, `id` or `group` of another type
/// than a corpus has.
pub(crate) fn is_corpus_like(splits: &[(String, Vec<PathBuf>)]) -> Result<bool> {
    for (split, files) in splits {
        let Some(path) = files.first() else {
            continue;
        };
        let builder = open(path)?;
        let label = builder.schema().field_with_name("label");
        let fits = label.map_or(may_lack_labels(split), |field| field.data_type().is_integer());
        let named = ["id", "group"].map(|column| builder.schema().field_with_name(column));
        let fits = fits && named.iter().flatten().all(|field| is_string(field.data_type()));
        if builder.schema().index_of("text").is_err() || !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a list `labels` stands in the place of `label`.
fn has_label_lists(schema: &Schema) -> bool {
    let list =
        |kind: &DataType| matches!(kind, DataType::List(item) if item.data_type().is_integer());
    schema.index_of("label").is_err()
        && schema.field_with_name("labels").is_ok_and(|field| list(field.data_type()))
}

fn is_string(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn check_column(
    path: &Path,
    schema: &Schema,
    column: &str,
    required: bool,
    fits: impl Fn(&DataType) -> bool,
    expected: &str,
) -> Result<()> {
    let found = match schema.field_with_name(column) {
        Ok(field) if fits(field.data_type()) => return Ok(()),
        Ok(field) => format!("holds {}", field.data_type()),
        Err(_) if !required => return Ok(()),
        Err(_) => "is missing".to_owned(),
    };
    Err(Error::Schema {
        path: path.to_owned(),
        column: column.to_owned(),
        found,
        expected: expected.to_owned(),
    })
}

/// The records of one split; see [`records`].
pub struct Records {
    split: String,
    classes: Vec<String>,
    files: VecDeque<PathBuf>,
    current: Option<FileBatches>,
    ready: std::vec::IntoIter<Record>,
    /// Rows of the files before the current one: ids count through the split.
    earlier: u64,
    in_current: u64,
    /// Whether the first row has a label, and where it stands: the others must be like it.
    first: Option<(bool, Place)>,
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records")
            .field("split", &self.split)
            .field("classes", &self.classes)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// Streams the records of one split of a corpus folder, in the order they were written.
///
/// # Errors
/// A missing shard, a file without rows or class names are told at once; a label that is missing
/// (in a split where another row has one, in `train` and `validation`) or outside the class names when its row is reached.
pub fn records(dir: &Path, split: &str) -> Result<Records> {
    let files = shards(dir, split)?;
    let classes = class_names_of(&[(split.to_owned(), files.clone())])?;
    Ok(Records::new(split, &files, &classes))
}

/// The class names of a data set: those of the `huggingface` key, or, where no file carries it,
/// the numbers up to the highest label.
///
/// # Errors
/// A split without rows, files that disagree, and columns that do not fit are told by name.
pub(crate) fn class_names_of(splits: &[(String, Vec<PathBuf>)]) -> Result<Vec<String>> {
    let mut named: Option<Vec<String>> = None;
    for (split, files) in splits {
        let mut rows = 0;
        for path in files {
            let footer = check_footer(path, split)?;
            rows += footer.rows;
            let Some(classes) = footer.class_names else {
                continue;
            };
            if named.as_ref().is_some_and(|earlier| *earlier != classes) {
                return Err(Error::Malformed {
                    place: Place::file(path),
                    problem: format!(
                        "names the classes {}, but another file of the data set {}; they must agree",
                        classes.join(", "),
                        named.unwrap_or_default().join(", ")
                    ),
                });
            }
            named = Some(classes);
        }
        if rows == 0 {
            let path = files.first().map_or(Path::new(""), PathBuf::as_path);
            return Err(Error::NoRows { place: Place::file(path), split: Some(split.clone()) });
        }
    }
    named.map_or_else(|| numbered_classes(splits), Ok)
}

/// Classes without names are called by their numbers.
fn numbered_classes(splits: &[(String, Vec<PathBuf>)]) -> Result<Vec<String>> {
    let mut highest = -1;
    for path in splits.iter().flat_map(|(_, files)| files) {
        if open(path)?.schema().index_of("label").is_err() {
            continue;
        }
        let mut labels = FileBatches::new(path, &["label".to_owned()], 64 * BATCH_ROWS)?;
        while let Some(next) = labels.next_batch() {
            let (row, batch) = next?;
            let column = widen(path, row, &batch, "label", &DataType::Int64)?;
            let column = column.as_ref().map(AsArray::as_primitive::<Int64Type>);
            highest = highest.max(column.and_then(arrow::compute::max).unwrap_or(-1));
        }
    }
    // A stray huge label must not become as many classes.
    if highest > i64::from(u16::MAX) {
        let path = splits.iter().flat_map(|(_, files)| files).next();
        return Err(Error::Schema {
            path: path.cloned().unwrap_or_default(),
            column: "label".to_owned(),
            found: format!("holds numbers up to {highest} and has no class names"),
            expected: "class names under the `huggingface` key, or numbers below 65536".to_owned(),
        });
    }
    Ok((0..=highest).map(|number| number.to_string()).collect())
}

/// The column as `kind`, where the batch has it. Casts between strings and between integers are
/// free or cheap.
fn widen(
    path: &Path,
    row: u64,
    batch: &RecordBatch,
    column: &str,
    kind: &DataType,
) -> Result<Option<ArrayRef>> {
    let Some(array) = batch.column_by_name(column) else {
        return Ok(None);
    };
    let wide = cast(array, kind).map_err(|error| Error::Parquet {
        place: Place::row(path, row),
        source: ParquetError::from(error),
    })?;
    Ok(Some(wide))
}

impl Records {
    pub(crate) fn new(split: &str, files: &[PathBuf], classes: &[String]) -> Self {
        Self {
            split: split.to_owned(),
            classes: classes.to_vec(),
            files: files.iter().cloned().collect(),
            current: None,
            ready: Vec::new().into_iter(),
            earlier: 0,
            in_current: 0,
            first: None,
        }
    }

    /// Where the record that came last stands: its file, by its name alone, and its row there.
    pub(crate) fn origin(&self) -> Origin {
        let file = self.current.as_ref().and_then(|current| current.path().file_name());
        let row = self.in_current.saturating_sub(self.ready.len() as u64 + 1);
        Origin::new(Path::new(file.unwrap_or_default()), Some(Position::Row(row)))
    }

    fn advance(&mut self) -> Result<Option<Record>> {
        loop {
            if let Some(record) = self.ready.next() {
                return Ok(Some(record));
            }
            if let Some(current) = &mut self.current
                && let Some(next) = current.next_batch()
            {
                let (row, batch) = next?;
                let path = current.path().to_owned();
                self.in_current = row + batch.num_rows() as u64;
                self.ready = self.decode(&path, row, &batch)?.into_iter();
                continue;
            }
            self.earlier += std::mem::take(&mut self.in_current);
            let Some(path) = self.files.pop_front() else {
                self.current = None;
                return Ok(None);
            };
            let schema = open(&path)?.schema().clone();
            let label = if has_label_lists(&schema) { "labels" } else { "label" };
            let known = ["id", "text", label, "group"].into_iter();
            let columns: Vec<String> =
                known.filter(|column| schema.index_of(column).is_ok()).map(str::to_owned).collect();
            self.current = Some(FileBatches::new(&path, &columns, BATCH_ROWS)?);
        }
    }

    fn decode(&mut self, path: &Path, first: u64, batch: &RecordBatch) -> Result<Vec<Record>> {
        let column = |name, kind| widen(path, first, batch, name, kind);
        let ids = column("id", &DataType::Utf8)?;
        let texts = column("text", &DataType::Utf8)?;
        let labels = column("label", &DataType::Int64)?;
        let list = DataType::new_list(DataType::Int64, true);
        let lists = column("labels", &list)?;
        let groups = column("group", &DataType::Utf8)?;
        let mut records = Vec::with_capacity(batch.num_rows());
        for index in 0..batch.num_rows() {
            let row = first + index as u64;
            let text = string(texts.as_ref(), index).ok_or_else(|| Error::Malformed {
                place: Place::row(path, row),
                problem: "the text is null; give every row a string".to_owned(),
            })?;
            if memchr::memchr(0, text.as_bytes()).is_some() {
                return Err(Error::nul(Place::row(path, row)));
            }
            let label = labels.as_ref().map(AsArray::as_primitive::<Int64Type>);
            let label = label.filter(|array| array.is_valid(index)).map(|array| array.value(index));
            let label = match &lists {
                Some(_) => None,
                None => self.check_label(path, row, label)?,
            };
            records.push(Record {
                id: string(ids.as_ref(), index)
                    .unwrap_or_else(|| format!("{}/{}", self.split, self.earlier + row)),
                text,
                label,
                labels: match &lists {
                    Some(lists) => self.check_labels(path, row, lists, index)?,
                    None => None,
                },
                group: string(groups.as_ref(), index),
            });
        }
        Ok(records)
    }

    /// The labels of a row that may have several; `None` where the list is null.
    fn check_labels(
        &mut self,
        path: &Path,
        row: u64,
        lists: &ArrayRef,
        index: usize,
    ) -> Result<Option<Vec<u32>>> {
        let lists = lists.as_list::<i32>();
        let place = || Place::row(path, row);
        self.check_presence(lists.is_valid(index), place)?;
        if lists.is_null(index) {
            return Ok(None);
        }
        let list = lists.value(index);
        let numbers = list.as_primitive::<Int64Type>().iter();
        let label = |number: Option<i64>| {
            let problem = "a list with no label in it at one place".to_owned();
            let number = number.ok_or_else(|| Error::Malformed { place: place(), problem })?;
            self.class(number, place)
        };
        numbers.map(label).collect::<Result<_>>().map(Some)
    }

    /// The Hub writes -1 where a label is withheld; a null says the same.
    fn check_label(&mut self, path: &Path, row: u64, label: Option<i64>) -> Result<Option<u32>> {
        let place = || Place::row(path, row);
        let label = label.filter(|number| *number != -1);
        self.check_presence(label.is_some(), place)?;
        label.map(|number| self.class(number, place)).transpose()
    }

    /// A split has labels in all rows or, where it may lack them, in none.
    fn check_presence(&mut self, labelled: bool, place: impl Fn() -> Place) -> Result<()> {
        if self.split == UNSUPERVISED {
            return Ok(());
        }
        let (expected, first) = self.first.get_or_insert_with(|| (labelled, place()));
        let missing = match (*expected, labelled) {
            (true, false) => Some(place()),
            (false, true) => Some(first.clone()),
            (false, false) if !may_lack_labels(&self.split) => Some(place()),
            _ => None,
        };
        match missing {
            None => Ok(()),
            Some(place) => {
                let (split, classes) = (self.split.clone(), self.classes.clone());
                Err(Error::MissingLabel { place, split, classes })
            }
        }
    }

    fn class(&self, number: i64, place: impl Fn() -> Place) -> Result<u32> {
        u32::try_from(number)
            .ok()
            .filter(|&class| (class as usize) < self.classes.len())
            .ok_or_else(|| Error::UnknownLabel {
                place: place(),
                found: number.to_string(),
                classes: self.classes.clone(),
            })
    }
}

fn string(column: Option<&ArrayRef>, index: usize) -> Option<String> {
    let array = column?.as_string::<i32>();
    array.is_valid(index).then(|| array.value(index).to_owned())
}

impl Iterator for Records {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            self.files.clear();
            self.current = None;
            self.ready = Vec::new().into_iter();
        }
        next.transpose()
    }
}
