//! Raw texts to token ids on disk, in four stages; what is up to date is kept and says so.
//!
//! | stage | reads | writes |
//! | --- | --- | --- |
//! | corpus | the source | `corpus/<split>-00000-of-0000N.parquet`: id, text, label (or labels), group, and where the row stood |
//! | text | the training texts | `tokenizer.json` with its vocabulary |
//! | vectors | the vocabulary, a vector file | `embeddings.safetensors` `[vocabulary, dimensions]`, `coverage.json` |
//! | encoded | every text, the tokenizer | `encoded/<split>-00000-of-0000N.parquet`: id, tokens, length, label (or labels) |
//!
//! Each stage has a fingerprint of the *content* it reads and of its part of the recipe, never of paths or times: the
//! same rows from another container keep the later stages. New stages are built beside the old ones and swapped in
//! together, `manifest.json` last, so that a full disk or a kill leaves what was there before.
//!
//! Texts go through in batches of rows; memory grows with the words of the vocabulary, not with the rows. With `data.drop_leaks` it grows with the rows too: see
//! [`taper_corpus::duplicates`].

mod corpus;
mod encoded;
mod foreign;
pub(crate) mod leaks;
mod options;
mod source;
pub(crate) mod text;
pub(crate) mod vectors;
pub(crate) mod workspace;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use taper_corpus::{Plan, RejectedWriter, Source, imdb};
use taper_text::{TokenCounts, Tokenizer, Vocabulary};

pub use options::{Dataset, Places, PrepareEvent, PrepareOptions, VectorSource};

use crate::artifacts::{self, Prepared};
use crate::manifest::{Manifest, SplitManifest, Stage};
use crate::recipe::DropLeaks;
use crate::{Error, Recipe, Result};
use source::{Texts, open_path, select};
use workspace::Workspace;

/// Prepares `options.output`, as far as it is not up to date, and opens it.
///
/// # Errors
///
/// A source, vector file or recipe that does not do, by name and place; a folder that another process writes to, or
/// reads while something in it would have to change. Nothing that was prepared before is lost.
pub fn prepare(
    options: &PrepareOptions<'_>,
    events: &mut dyn FnMut(PrepareEvent),
) -> Result<Prepared> {
    options.recipe.check()?;
    options.check_paths()?;
    let mut work = Preparation {
        recipe: options.recipe,
        workspace: Workspace::open(options.output, begin(options.recipe))?,
        events,
    };
    respect_fix(options.recipe, work.workspace.prepared())?;
    work.corpus(&options.dataset)?;
    let counts = work.text()?;
    work.vectors(&options.vectors, counts)?;
    work.encoded()?;
    let (manifest, lock) = work.workspace.commit()?;
    Ok(Prepared::new(options.output, manifest, Some(lock)))
}

/// What `prepare` would read, with the first `rows` rows; no data are fetched or written. Of a data set of the Hub the list
/// of files is asked for, and rows are shown where the files are in its cache.
///
/// # Errors
///
/// A source that cannot be opened; an output with files that nobody prepared, or with the source itself, or without leaks of which
/// the recipe says nothing. Rows that are not as they should be stand in the plan.
pub fn plan(options: &PrepareOptions<'_>, rows: usize) -> Result<Plan> {
    options.recipe.check()?;
    options.check_paths()?;
    foreign::refuse(options.output)?;
    let prepared = Manifest::read(&options.output.join(Manifest::FILE)).ok().flatten();
    respect_fix(options.recipe, prepared.as_ref())?;
    let plan = source_plan(options, rows)?;
    if matches!(options.dataset, Dataset::Path(_)) {
        check_apart(options.recipe, options.output, &plan)?;
    }
    Ok(plan)
}

fn source_plan(options: &PrepareOptions<'_>, rows: usize) -> Result<Plan> {
    match &options.dataset {
        Dataset::Path(path) => Ok(open_path(path, options.recipe)?.plan(rows)?),
        Dataset::Hub(hub, wanted) => {
            let selection = select(hub, wanted, options.recipe)?;
            Ok(selection.plan(hub, &options.recipe.data.source_settings()?, rows)?)
        }
        Dataset::Imdb(_) => Ok(Plan {
            format: format!("{} from the Hugging Face Hub or its cache", imdb::REPOSITORY),
            splits: Vec::new(),
            columns: Vec::new(),
            classes: "neg, pos".to_owned(),
            notes: vec!["rows are shown of files alone".to_owned()],
            rows: Vec::new(),
        }),
    }
}

/// Whether no file of the source lies where something in `folder` is to be replaced, whatever links lead there.
fn check_apart(recipe: &Recipe, folder: &Path, plan: &Plan) -> Result<()> {
    let outputs = Stage::ALL.iter().flat_map(|stage| stage.outputs());
    let outputs: Vec<PathBuf> =
        outputs.filter_map(|name| folder.join(name).canonicalize().ok()).collect();
    let files = plan.splits.iter().flat_map(|split| &split.files);
    for file in files.filter(|_| !outputs.is_empty()) {
        // A member of an archive is where the archive is.
        let real = file.ancestors().find_map(|part| part.canonicalize().ok());
        if real.is_some_and(|real| outputs.iter().any(|output| real.starts_with(output))) {
            let message = format!(
                "{} lies where {} keeps what it prepares, and would be replaced; prepare into another folder",
                file.display(),
                folder.display()
            );
            return Err(Error::Dataset { dataset: recipe.data.dataset.clone(), message });
        }
    }
    Ok(())
}

/// Rows that were dropped come back only when the recipe says so.
fn respect_fix(recipe: &Recipe, prepared: Option<&Manifest>) -> Result<()> {
    let before = prepared.and_then(|manifest| manifest.recipe.data.drop_leaks);
    let (None, Some(dropped @ (DropLeaks::Identical | DropLeaks::Near))) =
        (recipe.data.drop_leaks, before)
    else {
        return Ok(());
    };
    let dropped = format!("{dropped:?}").to_lowercase();
    Err(Error::RecipeConflict {
        message: format!(
            "the folder was prepared with `data.drop_leaks` = \"{dropped}\", as `taper doctor --fix` does, and this \
             recipe does not say; add `--set data.drop_leaks={dropped}` to go on without the dropped texts, or \
             `--set data.drop_leaks=keep` to take them back in"
        ),
    })
}

struct Preparation<'a> {
    recipe: &'a Recipe,
    workspace: Workspace,
    events: &'a mut dyn FnMut(PrepareEvent),
}

impl Preparation<'_> {
    fn corpus(&mut self, dataset: &Dataset) -> Result<()> {
        let texts = Texts::find(dataset, self.recipe, self.events)?;
        let mut own_validation = false;
        if let Texts::Open(source, _) = &texts {
            let plan = source.plan(0)?;
            check_apart(self.recipe, self.workspace.folder(), &plan)?;
            own_validation = plan.splits.iter().any(|split| split.name == "validation");
            if matches!(source, Source::Files(_)) || !plan.notes.is_empty() {
                (self.events)(PrepareEvent::Plan(Box::new(plan)));
            }
        }
        self.workspace.set_origin(texts.origin());
        let identity = texts.identity()?;
        let fingerprint = corpus::fingerprint(self.recipe, &identity);
        if !self.keep(Stage::Corpus, &fingerprint)? {
            let folder = self.begin(Stage::Corpus)?.join("corpus");
            let source = texts.open(self.events)?;
            let outcome = corpus::build(&source, self.recipe, &folder, self.events)?;
            let checked = corpus::check(self.recipe, &outcome.splits);
            if outcome.rejected > 0 {
                // They may be why there is nothing to learn; then they are still where they were written.
                let kept = self.workspace.output(Stage::Corpus, "corpus");
                let file = if checked.is_ok() { kept } else { folder }.join(RejectedWriter::FILE);
                (self.events)(PrepareEvent::Rejected { rows: outcome.rejected, file });
            }
            checked?;
            let origins = source.origins_fingerprint()?;
            self.finish(Stage::Corpus, fingerprint, |manifest| {
                manifest.source = source.describe();
                manifest.origins = Some(origins);
                manifest.class_names = outcome.class_names;
                manifest.splits = outcome.splits;
                manifest.rejected = outcome.rejected;
            })?;
        } else if let Texts::Open(source, _) = &texts {
            let origins = source.origins_fingerprint()?;
            if self.workspace.set_source(source.describe(), &origins) {
                let note = "the same rows as before, in other files or on other lines: which, `taper trace` says only of \
                            data prepared into a new folder";
                (self.events)(PrepareEvent::Note(note.to_owned()));
            }
        }
        if !own_validation {
            self.tell_of_hold_out();
        }
        // Kept stages too: the recipe may ask for a split that the one before did not.
        corpus::check(self.recipe, &self.workspace.manifest().splits)
    }

    /// Rows and groups are drawn one by one: of few of them, the share that is held out may be another than was asked for.
    fn tell_of_hold_out(&mut self) {
        let Some(hold_out) = &self.recipe.data.hold_out else { return };
        let splits = &self.workspace.manifest().splits;
        let rows = |split: &str| splits.get(split).map_or(0, |split| split.rows);
        let (held, all) = (rows("validation"), rows("validation") + rows("train"));
        let asked = hold_out.fraction * all as f64;
        if held == 0 || (held as f64 - asked).abs() > (0.1 * asked).max(1.0) {
            let note = format!(
                "held out {held} of {all} rows, where {} of them is {asked:.1}: rows and groups are drawn one by one",
                hold_out.fraction
            );
            (self.events)(PrepareEvent::Note(note));
        }
    }

    /// Gives the training split's counts, if it had to count.
    fn text(&mut self) -> Result<Option<TokenCounts>> {
        let fingerprint = text::fingerprint(&self.recipe.text, &self.train().content)?;
        if self.keep(Stage::Text, &fingerprint)? {
            return Ok(None);
        }
        let folder = self.begin(Stage::Text)?;
        let (tokenizer, counts) = if let Some(tokenizer) = text::from_file(&self.recipe.text)? {
            for section in tokenizer.ignored() {
                let note = format!(
                    "{}: its `{section}` is not applied: recipes say how much of a text is read",
                    self.recipe.text.tokenizer
                );
                (self.events)(PrepareEvent::Note(note));
            }
            (tokenizer, None)
        } else {
            let counts = self.count(Stage::Text)?;
            (text::build(&self.recipe.text, &counts)?, Some(counts))
        };
        tokenizer.save(&folder.join(artifacts::TOKENIZER))?;
        let vocabulary = vocabulary(&tokenizer, &folder)?;
        let (rows, specials) = (vocabulary.len(), vocabulary.specials());
        self.finish(Stage::Text, fingerprint, |manifest| {
            (manifest.vocabulary, manifest.specials) = (rows, specials);
        })?;
        Ok(counts)
    }

    fn vectors(&mut self, source: &VectorSource, counts: Option<TokenCounts>) -> Result<()> {
        let fingerprint = vectors::fingerprint(
            self.recipe,
            &vectors::identity(source)?,
            &self.tokenizer_hash(),
            &self.train().content,
        );
        if self.keep(Stage::Vectors, &fingerprint)? {
            return Ok(());
        }
        let folder = self.begin(Stage::Vectors)?;
        let aligned = match vectors::locate(source, self.events)? {
            None => None,
            Some(path) => {
                let counts = match counts {
                    Some(counts) => counts,
                    None => self.count(Stage::Vectors)?,
                };
                let (tokenizer, at) = self.tokenizer()?;
                let words = vocabulary(&tokenizer, &at)?;
                Some(vectors::align_to(words, &counts, &path, self.recipe)?)
            }
        };
        vectors::write(&folder, &self.recipe.vectors, aligned.as_ref())?;
        if let Some((alignment, _)) = aligned {
            (self.events)(PrepareEvent::Coverage(Box::new(alignment.coverage)));
        }
        self.finish(Stage::Vectors, fingerprint, |_| {})
    }

    fn encoded(&mut self) -> Result<()> {
        let mut splits = self.workspace.manifest().splits.clone();
        let from_elsewhere = Tokenizer::is_path(&self.recipe.text.tokenizer);
        let fingerprint = encoded::fingerprint(&self.tokenizer_hash(), from_elsewhere, &splits);
        if self.keep(Stage::Encoded, &fingerprint)? {
            return Ok(());
        }
        let folder = self.begin(Stage::Encoded)?.join("encoded");
        let corpus = self.workspace.output(Stage::Corpus, "corpus");
        let (tokenizer, at) = self.tokenizer()?;
        let vocabulary = vocabulary(&tokenizer, &at)?.len();
        let multi_label = self.workspace.manifest().is_multi_label();
        let total = splits.values().map(|split| split.rows).sum();
        let mut rows = 0;
        for (name, numbers) in &mut splits {
            let mut progress = |more| {
                rows += more;
                (self.events)(PrepareEvent::Rows {
                    stage: Stage::Encoded,
                    rows,
                    total: Some(total),
                });
            };
            let split = (name.as_str(), numbers);
            let progress = &mut progress;
            encoded::build(&tokenizer, vocabulary, &corpus, &folder, split, multi_label, progress)?;
        }
        self.finish(Stage::Encoded, fingerprint, |manifest| {
            manifest.splits = splits;
        })
    }

    fn keep(&mut self, stage: Stage, fingerprint: &str) -> Result<bool> {
        let kept = self.workspace.keep(stage, fingerprint)?;
        if kept {
            (self.events)(PrepareEvent::Skipped(stage));
        }
        Ok(kept)
    }

    fn begin(&mut self, stage: Stage) -> Result<PathBuf> {
        let folder = self.workspace.begin(stage)?;
        (self.events)(PrepareEvent::Started(stage));
        Ok(folder)
    }

    fn finish(
        &mut self,
        stage: Stage,
        fingerprint: String,
        outcome: impl FnOnce(&mut Manifest),
    ) -> Result<()> {
        self.workspace.finish(stage, fingerprint, outcome)?;
        (self.events)(PrepareEvent::Finished(stage));
        Ok(())
    }

    fn count(&mut self, stage: Stage) -> Result<TokenCounts> {
        let corpus = self.workspace.output(Stage::Corpus, "corpus");
        let rows = self.train().rows;
        text::count(&self.recipe.text, &corpus, rows, stage, self.events)
    }

    /// `corpus::check` has seen to it that there is one.
    fn train(&self) -> SplitManifest {
        let splits = &self.workspace.manifest().splits;
        splits.get("train").cloned().unwrap_or_default()
    }

    fn tokenizer(&self) -> Result<(Tokenizer, PathBuf)> {
        let path = self.workspace.output(Stage::Text, artifacts::TOKENIZER);
        Ok((Tokenizer::load(&path)?, path))
    }

    fn tokenizer_hash(&self) -> String {
        let stages = &self.workspace.manifest().stages;
        let file =
            stages.get(&Stage::Text).and_then(|record| record.files.get(artifacts::TOKENIZER));
        file.map_or_else(String::new, |file| file.blake3.clone())
    }
}

fn begin(recipe: &Recipe) -> Manifest {
    let mut manifest = Manifest::begin(recipe);
    if ["sample", "imdb"].contains(&recipe.data.dataset.as_str()) {
        manifest.licence = Some(
            "Large Movie Review Dataset (Maas et al., 2011): published for research, without a licence; the reviews \
             belong to their authors"
                .to_owned(),
        );
    }
    manifest
}

fn vocabulary<'a>(tokenizer: &'a Tokenizer, at: &Path) -> Result<&'a Vocabulary> {
    tokenizer
        .vocabulary()
        .ok_or_else(|| Error::prepared(at, "a tokenizer without a vocabulary; prepare again"))
}
