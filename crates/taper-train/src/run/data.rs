//! Which data a run is trained on, and whether what lies somewhere is that data.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Run;
use crate::artifacts::Prepared;
use crate::manifest::{Manifest, RecipeTables, Stage};
use crate::{Error, Recipe, Result, atomic, recipe};

const PREPARED: &str = "prepared.json";
const EMBEDDINGS: &str = "embeddings.safetensors";

/// `prepared.json`: the data a run is trained on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparedReference {
    /// Where it lay; a hint, for it may move.
    pub path: PathBuf,
    /// The fingerprint of its encoded texts: ids, order, labels, tokenizer.
    pub fingerprint: String,
    /// The vectors that the embedding begins with: the BLAKE3 of `embeddings.safetensors`, or [`Self::NO_VECTORS`].
    /// `None` in runs of versions that did not write it: nothing is known of theirs, and nothing compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vectors: Option<String>,
}

impl PreparedReference {
    /// In the place of a hash, where the embedding begins with random numbers.
    pub const NO_VECTORS: &str = "none";

    /// What a run on this data writes down.
    pub(super) fn of(prepared: &Prepared) -> Result<Self> {
        let folder = prepared.folder();
        Ok(Self {
            path: fs::canonicalize(folder).map_err(Error::io(folder, "resolve"))?,
            fingerprint: texts_of(prepared.manifest()),
            vectors: Some(vectors_of(prepared.manifest())),
        })
    }

    pub(super) fn write(&self, run: &Path) -> Result<()> {
        let path = run.join(PREPARED);
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::run(&path, format!("cannot be written as JSON: {error}")))?;
        atomic::write(&path, &bytes)
    }

    /// Whether the vectors of prepared data are known to be others than the run's.
    pub(crate) fn has_other_vectors(&self, manifest: &Manifest) -> bool {
        self.vectors.as_ref().is_some_and(|vectors| *vectors != vectors_of(manifest))
    }

    /// The same texts, by the same tokenizer?
    fn check_texts(&self, run: &Path, prepared: &Prepared) -> Result<()> {
        let found = texts_of(prepared.manifest());
        if found == self.fingerprint {
            return Ok(());
        }
        let what = format!(
            "not the data that the run in {} is trained on: other texts, labels or tokens (fingerprint {}, the run's {})",
            run.display(),
            short(&found),
            short(&self.fingerprint)
        );
        Err(self.differs(run, prepared, &what)?)
    }

    /// The same vectors, as far as the run knows its own?
    fn check_vectors(&self, run: &Path, prepared: &Prepared) -> Result<()> {
        let Some(vectors) = &self.vectors else { return Ok(()) };
        let found = vectors_of(prepared.manifest());
        if found == *vectors {
            return Ok(());
        }
        let what = format!(
            "has the texts that the run in {} is trained on, but other word vectors ({EMBEDDINGS} is {}, the run's {})",
            run.display(),
            short(&found),
            short(vectors)
        );
        Err(self.differs(run, prepared, &what)?)
    }

    /// An error that goes on with the keys of the recipe that tell the two apart.
    fn differs(&self, run: &Path, prepared: &Prepared, what: &str) -> Result<Error> {
        let was = Run::recipe_of(run)?;
        let manifest = prepared.manifest();
        let RecipeTables { data, text, vectors } = manifest.recipe.clone();
        let now = Recipe { data, text, vectors, seed: manifest.seed, ..was.clone() };
        let keys = was.differences(&now)?;
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let why = if keys.is_empty() {
            "prepared by the same recipe, so a file that it names has changed".to_owned()
        } else {
            format!("prepared by another recipe ({})", keys.join("; "))
        };
        let recipe = run.join(recipe::FILE);
        let message = format!(
            "{what}; {why}. Prepare the run's again: `taper prepare --recipe {} --prepared {}`",
            recipe.display(),
            self.path.display()
        );
        Ok(Error::prepared(prepared.folder(), message))
    }
}

impl Run {
    /// Which data the run in `folder` is trained on.
    pub fn prepared_of(folder: &Path) -> Result<PreparedReference> {
        let path = folder.join(PREPARED);
        if !path.exists() {
            let message = format!(
                "no run: there is no {PREPARED} in it, which names its data; where the command has `--prepared`, say which"
            );
            return Err(Error::run(folder, message));
        }
        let bytes = fs::read(&path).map_err(Error::io(&path, "read"))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::run(&path, format!("not a reference to data: {error}")))
    }

    /// Opens the data the run in `folder` is trained on, to judge a model by its texts: the vectors that the embedding
    /// began with have no say in that, and may be others by now.
    ///
    /// # Errors
    /// If it is gone, or its texts have become others.
    pub fn open_prepared(folder: &Path) -> Result<Prepared> {
        let reference = Self::prepared_of(folder)?;
        if !reference.path.is_dir() {
            let message = format!(
                "gone, and the run in {} was trained on it: prepare it there again (`taper prepare --recipe {} --prepared \
                 {}`), or say where it is now (`--prepared`, where the command has it)",
                folder.display(),
                folder.join(recipe::FILE).display(),
                reference.path.display()
            );
            return Err(Error::prepared(&reference.path, message));
        }
        let prepared = Prepared::open(&reference.path)?;
        reference.check_texts(folder, &prepared)?;
        Ok(prepared)
    }

    /// Opens the data of the run in `folder` to train on it, where they lay or where they have `moved`.
    ///
    /// # Errors
    /// As [`Self::open_prepared`], and if the word vectors have become others: the error tells which keys of the recipe
    /// differ. Vectors that the run [does not know](PreparedReference::vectors) are not compared.
    pub fn open_to_train(folder: &Path, moved: Option<&Path>) -> Result<Prepared> {
        let Some(place) = moved else {
            let prepared = Self::open_prepared(folder)?;
            Self::check_prepared(folder, &prepared)?;
            return Ok(prepared);
        };
        // A folder that is no run is told first.
        Self::prepared_of(folder)?;
        let prepared = Prepared::open(place)?;
        Self::check_prepared(folder, &prepared)?;
        Ok(prepared)
    }

    /// Whether the run in `folder` is trained on these texts and vectors.
    pub(crate) fn check_prepared(folder: &Path, prepared: &Prepared) -> Result<()> {
        let reference = Self::prepared_of(folder)?;
        reference.check_texts(folder, prepared)?;
        reference.check_vectors(folder, prepared)
    }
}

fn texts_of(manifest: &Manifest) -> String {
    let record = manifest.stages.get(&Stage::Encoded);
    record.map(|record| record.fingerprint.clone()).unwrap_or_default()
}

/// The hash of what was written, not the stage's fingerprint: the same numbers out of another file are the same vectors.
fn vectors_of(manifest: &Manifest) -> String {
    let record = manifest.stages.get(&Stage::Vectors);
    let file = record.and_then(|record| record.files.get(EMBEDDINGS));
    file.map_or_else(|| PreparedReference::NO_VECTORS.to_owned(), |file| file.blake3.clone())
}

/// As much of a hash as people compare.
fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}
