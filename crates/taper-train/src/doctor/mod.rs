//! What is wrong with prepared data, before a model learns it: repeats, leaks, labels that disagree, damage, lengths,
//! coverage, drift.
//!
//! A leak is a text that test has and another split too, or that validation has and another split but test: byte by byte
//! or nearly so. A model that has seen it is not judged by it. `data.drop_leaks` leaves such texts out, wherever they do
//! not judge; [`fixed_recipe`] turns it on. A group (a movie, an author) on both sides makes a figure kinder too, but is no leak by
//! this definition: dropping it is a decision about the data, not a repair.
//!
//! Memory: about 200 bytes a text, one split's tokens, and the distinct groups.

mod contaminated;
mod diagnosis;
mod examples;
mod findings;
mod html;
mod shared;
#[cfg(test)]
mod tests;
mod texts;
mod tokens;

pub use contaminated::{Twin, twins_in_training};
pub use diagnosis::{
    ClassConflicts, Coverage, Cut, Diagnosis, Drift, DriftWord, Example, Finding, Lengths, Pair,
    Repeats, Severity, SplitDefects, SplitDiagnosis,
};
pub use html::{page, write_page};

use taper_corpus::duplicates::find_identical;

use shared::Shared;

use crate::manifest::Manifest;
use crate::recipe::{Data, DropLeaks};
use crate::{Error, Prepared, Recipe, Result};

/// Reads all of prepared data and tells what is found.
///
/// `max_length` is looked at beside the usual places to cut a text short.
///
/// # Errors
///
/// A file that cannot be read or is not what was written.
pub fn examine(prepared: &Prepared, max_length: Option<usize>) -> Result<Diagnosis> {
    let texts = texts::read(prepared)?;
    let mut diagnosis = texts.diagnose(prepared);
    tokens::add(prepared, max_length, &mut diagnosis)?;
    diagnosis.findings = findings::of(&diagnosis);
    texts.add_examples(prepared, &mut diagnosis)?;
    Ok(diagnosis)
}

/// Texts that [`glance`] looks at: 20 MB of hashes. It is called without being asked for, and must not hold more.
const MOST_AT_A_GLANCE: u64 = 1_000_000;

/// A line or two on repeats, at a fraction of the cost of [`examine`]: one pass, identical texts only. Of more than a
/// million texts it says that nobody looked.
///
/// # Errors
///
/// As [`examine`].
pub fn glance(prepared: &Prepared) -> Result<Vec<String>> {
    let rows: u64 = prepared.manifest().splits.values().map(|split| split.rows).sum();
    if rows > MOST_AT_A_GLANCE {
        return Ok(vec![format!("{rows} texts: not looked through for repeats")]);
    }
    let splits = texts::splits(prepared);
    let first = find_identical(|visit| {
        for split in &splits {
            texts::for_batches(prepared, split, &["text"], &mut |_, texts| {
                visit(texts);
                Ok(())
            })?;
        }
        Ok::<(), Error>(())
    })?;
    let shared = Shared::new(prepared, &splits, &first);
    Ok(shared.in_words())
}

/// The recipe that the data was prepared with, but without leaks: what `taper doctor --fix` prepares by.
pub fn fixed_recipe(manifest: &Manifest) -> Recipe {
    Recipe {
        seed: manifest.seed,
        data: Data { drop_leaks: Some(DropLeaks::Near), ..manifest.recipe.data.clone() },
        text: manifest.recipe.text.clone(),
        vectors: manifest.recipe.vectors.clone(),
        ..Recipe::default()
    }
}
