//! Which rows of a split have a twin among the texts a model learns.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use taper_corpus::duplicates::find_duplicates;

use super::texts::for_batches;
use crate::{Error, Prepared, Result};

/// Whether the training split has a row's text too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Twin {
    /// It has not.
    None,
    /// Nearly so: see [`taper_corpus::duplicates`].
    Near,
    /// Byte by byte.
    Identical,
}

/// For every row of `split`, whether the training split has its text too.
///
/// # Errors
///
/// An unknown split; a file that cannot be read or is not what was written.
pub fn twins_in_training(prepared: &Prepared, split: &str) -> Result<Vec<Twin>> {
    let manifest = prepared.manifest();
    let learned = manifest.split(prepared.folder(), "train")?.rows as u32;
    let judged = manifest.split(prepared.folder(), split)?.rows as u32;
    let found = find_duplicates(|visit| {
        let mut ranks = Vec::new();
        // Of too many alike, every row is compared with some of train's.
        for (rank, split) in [(1, "train"), (0, split)] {
            for_batches(prepared, split, &["text"], &mut |_, texts| {
                ranks.resize(ranks.len() + texts.len(), rank);
                visit(texts);
                Ok(())
            })?;
        }
        Ok::<_, Error>(ranks)
    })?;
    // Of a pair of first ones, the earlier stands in train and the later in `split` alone.
    let across = found.near.iter().filter(|pair| pair.first < learned && pair.second >= learned);
    let near: HashSet<u32> = across.map(|pair| pair.second).collect();
    let twin = |row: u32| match found.first.get(row as usize) {
        Some(first) if *first < learned => Twin::Identical,
        Some(first) if near.contains(first) => Twin::Near,
        _ => Twin::None,
    };
    Ok((learned..learned + judged).map(twin).collect())
}
