//! Parquet files named as on the Hub: `text` string, `label` `ClassLabel`, perhaps `id` and `group`.

use std::path::PathBuf;

use crate::columns::{Records, class_names_of};
use crate::error::Result;
use crate::layout::{ShardSets, UNSUPERVISED};
use crate::source::VisitFrom;

/// A folder (or list) of `<split>-00000-of-0000N.parquet`.
///
/// Splits come in the order train, validation, test, unsupervised, others. A label of -1 or null is
/// no label, which only `unsupervised`, and a test split where no row has one, may have. Rows without an `id` are called by their place:
/// `train/17`.
#[derive(Debug, Clone)]
pub struct HubLayout {
    splits: ShardSets,
    class_names: Vec<String>,
}

impl HubLayout {
    /// # Errors
    /// A split without rows, a column of another type, files that disagree about their classes.
    pub(crate) fn new(splits: ShardSets) -> Result<Self> {
        Ok(Self { class_names: class_names_of(&splits)?, splits })
    }

    /// The splits and their files, in the order they are read.
    pub fn splits(&self) -> &[(String, Vec<PathBuf>)] {
        &self.splits
    }

    /// The names of the `ClassLabel`; the numbers up to the highest label where there are none.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The splits in which the first row has no label, `unsupervised` aside.
    pub(super) fn without_labels(&self) -> Result<Vec<&str>> {
        let mut without = Vec::new();
        for (split, files) in self.splits.iter().filter(|(split, _)| split != UNSUPERVISED) {
            let first = Records::new(split, files, &self.class_names).next().transpose()?;
            without.extend(first.filter(|first| first.label.is_none()).map(|_| split.as_str()));
        }
        Ok(without)
    }

    pub(super) fn for_each(&self, visit: &mut VisitFrom<'_>) -> Result<()> {
        for (split, files) in &self.splits {
            let mut records = Records::new(split, files, &self.class_names);
            while let Some(record) = records.next().transpose()? {
                visit(split, record, records.origin())?;
            }
        }
        Ok(())
    }
}
