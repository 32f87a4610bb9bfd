//! What to prepare, from where and to where; and what happens meanwhile.

use std::path::{Path, PathBuf};

use taper_corpus::{HubConfig, HubDataset, Plan, Source, SourceSettings};
use taper_text::Coverage;

use crate::manifest::Stage;
use crate::recipe::Hub;
use crate::{Error, Recipe, Result, recipe};

/// Where labelled texts come from.
#[derive(Debug, Clone)]
pub enum Dataset {
    /// A file, glob, folder, archive or member of one that [`taper_corpus::Source::open`] knows.
    Path(PathBuf),
    /// IMDB, from the Hugging Face Hub or its cache.
    Imdb(HubConfig),
    /// Any data set of the Hugging Face Hub that has Parquet, from there or from its cache.
    Hub(HubConfig, HubDataset),
}

/// Where word vectors come from.
#[derive(Debug, Clone)]
pub enum VectorSource {
    /// Nowhere: the embedding starts from random numbers.
    None,
    /// A file that [`taper_text::read_vectors`] knows.
    Path(PathBuf),
    /// GloVe 6B, from the Hugging Face Hub or its cache.
    Glove6B(HubConfig),
}

/// The two places that recipes name without a path.
#[derive(Debug, Clone)]
pub struct Places {
    /// The folder of the committed sample, `data/sample`.
    pub sample: PathBuf,
    /// The Hub, as the environment has it.
    pub hub: HubConfig,
}

impl Places {
    /// The sample's vectors, within its folder.
    pub const SAMPLE_VECTORS: &'static str = "glove.6B.100d.txt.zst";

    /// Resolves `data.dataset`: `sample`, `imdb`, a path that exists, `OWNER/NAME`, or a path.
    pub fn dataset(&self, recipe: &Recipe) -> Dataset {
        match recipe.data.dataset.as_str() {
            "sample" => Dataset::Path(self.sample.clone()),
            "imdb" => Dataset::Imdb(self.hub.clone()),
            id if HubDataset::is_id(id) && !is_here(Path::new(id)) => {
                let asked = &recipe.data.hub;
                let (config, revision) = (asked.config.clone(), asked.revision.clone());
                Dataset::Hub(self.hub.clone(), HubDataset { id: id.to_owned(), revision, config })
            }
            path => Dataset::Path(path.into()),
        }
    }

    /// Resolves `vectors.source`: `sample`, `glove.6B`, `none` or a path.
    pub fn vectors(&self, recipe: &Recipe) -> VectorSource {
        match recipe.vectors.source.as_str() {
            "none" => VectorSource::None,
            "sample" => VectorSource::Path(self.sample.join(Self::SAMPLE_VECTORS)),
            "glove.6B" => VectorSource::Glove6B(self.hub.clone()),
            path => VectorSource::Path(path.into()),
        }
    }
}

/// What to prepare, from where and to where.
#[derive(Debug, Clone)]
pub struct PrepareOptions<'a> {
    /// Decides everything but the places.
    pub recipe: &'a Recipe,
    /// What `recipe.data.dataset` stands for here.
    pub dataset: Dataset,
    /// What `recipe.vectors.source` stands for here.
    pub vectors: VectorSource,
    /// The folder to write; what is up to date in it is kept.
    pub output: &'a Path,
}

impl<'a> PrepareOptions<'a> {
    /// Resolves the recipe's names by `places`.
    pub fn new(recipe: &'a Recipe, places: &Places, output: &'a Path) -> Self {
        Self { recipe, dataset: places.dataset(recipe), vectors: places.vectors(recipe), output }
    }

    /// A name that is no name ends up as a path to nowhere; better told with the names there are.
    pub(super) fn check_paths(&self) -> Result<()> {
        if let Dataset::Path(path) = &self.dataset
            && !Source::is_pattern(path)
            && !is_here(path)
        {
            let names = ["sample", "imdb", "OWNER/NAME on the Hub"];
            let within = "of archives, the members of a .zip alone can be named so: unpack it, or give the file itself";
            return Err(nowhere(path, "data.dataset", &self.recipe.data.dataset, &names, within));
        }
        if !matches!(self.dataset, Dataset::Hub(..)) && self.recipe.data.hub != Hub::default() {
            return Err(Error::RecipeConflict {
                message: format!(
                    "`data.hub` is for data sets of the Hub, OWNER/NAME, and \"{}\" is another one{}",
                    self.recipe.data.dataset,
                    match &self.dataset {
                        Dataset::Path(path) if is_here(path) =>
                            ": a path that exists wins over a data set of that name",
                        _ => "",
                    }
                ),
            });
        }
        if let Dataset::Imdb(_) = self.dataset
            && self.recipe.data.source_settings()? != SourceSettings::default()
        {
            return Err(Error::Dataset {
                dataset: self.recipe.data.dataset.clone(),
                message: "has its columns, classes and splits by itself; leave out format, files, columns, csv, \
                          labels, label_names and on_error"
                    .to_owned(),
            });
        }
        if let VectorSource::Path(path) = &self.vectors
            && !path.exists()
        {
            let names = ["sample", "glove.6B", "none"];
            let within = "give that, and which of an archive's members by `vectors.member`";
            return Err(nowhere(
                path,
                "vectors.source",
                &self.recipe.vectors.source,
                &names,
                within,
            ));
        }
        Ok(())
    }
}

/// Whether a path leads to something, or into a zip archive, where opening it tells what there is.
fn is_here(path: &Path) -> bool {
    path.exists() || Source::is_within_archive(path)
}

/// `within` is what to do about a path that goes on behind a file.
fn nowhere(path: &Path, key: &str, named: &str, names: &[&str], within: &str) -> Error {
    let dataset = path.display().to_string();
    if let Some(file) = path.ancestors().skip(1).find(|above| above.is_file()) {
        return Error::Dataset {
            dataset,
            message: format!("{} is a file; {within}", file.display()),
        };
    }
    let suggestion = recipe::nearest(named, names.iter().copied())
        .filter(|name| name != named)
        .map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"));
    Error::Dataset {
        dataset,
        message: format!(
            "no such file or folder, for `{key}` = \"{named}\"{suggestion}; known by name are {}",
            names.join(", ")
        ),
    }
}

/// What happens during preparation, for whoever draws bars and writes logs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum PrepareEvent {
    /// What files were found to be, where that was detected; before any work.
    Plan(Box<Plan>),
    /// Something that is not done as might be expected, in a sentence.
    Note(String),
    /// Rows were passed over.
    Rejected {
        /// How many.
        rows: u64,
        /// Where they are written down, once preparation has ended.
        file: PathBuf,
    },
    /// A file comes from the Hub.
    Download {
        /// Bytes so far.
        done: u64,
        /// Bytes in all, where the server says.
        total: Option<u64>,
    },
    /// A stage is up to date.
    Skipped(Stage),
    /// A stage is built.
    Started(Stage),
    /// Rows of a stage so far.
    Rows {
        /// Which stage.
        stage: Stage,
        /// Rows so far.
        rows: u64,
        /// Rows in all; not known while a source is read for the first time.
        total: Option<u64>,
    },
    /// A stage is on the disk.
    Finished(Stage),
    /// What the word vectors cover; only from a stage that is built.
    Coverage(Box<Coverage>),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    #[test]
    fn paths_may_go_on_in_a_zip_archive_and_in_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        // Enough to be known as an archive; what is in it is another crate's.
        fs::write(at("a.zip"), b"PK\x03\x04").unwrap();
        fs::write(at("a.tar.gz"), b"\x1f\x8b").unwrap();
        let check = |settings: &[String]| {
            let hub = HubConfig::new("http://localhost:9", at("cache"));
            let places = Places { sample: at("a.zip").into(), hub };
            let recipe = Recipe::parse("", "test", settings).unwrap();
            PrepareOptions::new(&recipe, &places, folder.path()).check_paths()
        };
        let dataset =
            |path: &str| check(&[format!("data.dataset={path}"), "vectors.source=none".to_owned()]);
        for path in ["a.zip", "a.zip/train.csv", "a.zip/train", "a.zip/b/*.csv"] {
            dataset(&at(path)).unwrap();
        }
        let message = dataset(&at("a.tar.gz/train.csv")).unwrap_err().to_string();
        assert!(
            message.contains("a.tar.gz is a file; of archives, the members of a .zip"),
            "{message}"
        );
        let message = dataset(&at("b.zip/train.csv")).unwrap_err().to_string();
        assert!(message.contains("no such file or folder"), "{message}");
        let vectors = format!("vectors.source={}", at("a.zip/glove.txt"));
        let message = check(&["data.dataset=sample".to_owned(), vectors]).unwrap_err().to_string();
        assert!(
            message.contains("a.zip is a file; give that") && message.contains("vectors.member"),
            "{message}"
        );
    }
}
