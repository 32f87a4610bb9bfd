//! Parquet files named as on the Hub: `text` string, `label` `ClassLabel`, perhaps `id` and `group`.

use std::path::PathBuf;

use crate::columns::{Records, class_names_of};
use crate::error::Result;
use crate::layout::ShardSets;
use crate::source::Visit;

/// A folder (or list) of `<split>-00000-of-0000N.parquet`.
///
/// Splits come in the order train, validation, test, unsupervised, others. A label of -1 or null is
/// no label, which only `unsupervised` may have. Rows without an `id` are called by their place:
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

    pub(super) fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        for (split, files) in &self.splits {
            for record in Records::new(split, files, &self.class_names) {
                visit(split, record?)?;
            }
        }
        Ok(())
    }
}
