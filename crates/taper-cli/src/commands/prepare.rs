//! `taper prepare`: labelled texts to token ids, vocabulary and aligned vectors.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use indicatif::ProgressBar;
use taper_train::manifest::{Manifest, Stage};
use taper_train::prepare::{Places, PrepareEvent, PrepareOptions};
use taper_train::{Prepared, Recipe, doctor, prepare};

use crate::args::{PrepareArgs, RecipeChoice};
use crate::console::{Console, thousands};
use crate::environment;

pub(crate) fn run(args: &PrepareArgs, data: &Path, console: &Console) -> Result<ExitCode> {
    let recipe = recipe(&args.choice)?;
    let prepared = run_stages(&args.choice, &recipe, data, console)?;
    if args.json {
        println!("{}", serde_json::to_string(prepared.manifest())?);
    } else {
        println!("{}", sizes(prepared.manifest()));
        println!("prepared in {}", prepared.folder().display());
    }
    Ok(ExitCode::SUCCESS)
}

/// The recipe that the flags choose.
pub(crate) fn recipe(choice: &RecipeChoice) -> Result<Recipe> {
    let mut recipe = Recipe::load(&choice.recipe, &choice.overrides)?;
    if let Some(dataset) = &choice.dataset {
        recipe.data.dataset.clone_from(dataset);
    }
    if let Some(vectors) = &choice.vectors {
        recipe.vectors.source.clone_from(vectors);
    }
    recipe.check()?;
    Ok(recipe)
}

/// What runs and prepared data of a recipe are called: its name, or its file's.
pub(crate) fn name(choice: &RecipeChoice) -> String {
    let stem = Path::new(&choice.recipe).file_stem().unwrap_or(choice.recipe.as_ref());
    stem.to_string_lossy().into_owned()
}

/// Prepares what is not up to date, and says so.
pub(crate) fn run_stages(
    choice: &RecipeChoice,
    recipe: &Recipe,
    data: &Path,
    console: &Console,
) -> Result<Prepared> {
    let output: PathBuf =
        choice.prepared.clone().unwrap_or_else(|| data.join("prepared").join(name(choice)));
    run_into(&output, recipe, data, console)
}

/// The same into a folder. Where the texts are new, says which occur twice.
pub(crate) fn run_into(
    output: &Path,
    recipe: &Recipe,
    data: &Path,
    console: &Console,
) -> Result<Prepared> {
    let places = Places { sample: data.join("sample"), hub: environment::hub()? };
    let options = PrepareOptions::new(recipe, &places, output);
    let mut bars = Bars { console, bar: None, new_texts: false };
    let prepared = prepare(&options, &mut |event| bars.hear(event));
    bars.clear();
    let prepared = prepared?;
    if bars.new_texts {
        for line in doctor::glance(&prepared)? {
            let folder = prepared.folder().display();
            console.say(None, &format!("{line}; see `taper doctor {folder}`"));
        }
    }
    Ok(prepared)
}

/// One bar at a time, for whatever is going on.
struct Bars<'a> {
    console: &'a Console,
    bar: Option<ProgressBar>,
    /// The corpus was written anew.
    new_texts: bool,
}

impl Bars<'_> {
    fn hear(&mut self, event: PrepareEvent) {
        match event {
            PrepareEvent::Download { done, total } => {
                const TEMPLATE: &str =
                    "downloading {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
                self.advance(done, total, TEMPLATE, String::new());
            }
            PrepareEvent::Skipped(stage) => {
                self.console.say(self.bar.as_ref(), &format!("{stage}: up to date"));
            }
            PrepareEvent::Started(_) => self.clear(),
            PrepareEvent::Rows { stage, rows, total } => {
                const TEMPLATE: &str = "{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}";
                self.advance(rows, total, TEMPLATE, stage.to_string());
            }
            PrepareEvent::Finished(stage) => {
                self.new_texts |= stage == Stage::Corpus;
                self.clear();
                self.console.say(None, &format!("{stage}: done"));
            }
            PrepareEvent::Coverage(coverage) => {
                let share = |part: u64, whole: u64| 100.0 * part as f64 / (whole as f64).max(1.0);
                let message = format!(
                    "vectors for {} of {} words; of {} tokens {:.1} % are in the vocabulary, \
                     {:.1} % have a vector",
                    thousands(coverage.rows_with_vector as u64),
                    thousands(coverage.vocabulary_rows as u64),
                    thousands(coverage.tokens),
                    share(coverage.tokens_in_vocabulary, coverage.tokens),
                    share(coverage.tokens_with_vector, coverage.tokens),
                );
                self.console.say(self.bar.as_ref(), &message);
            }
            _ => {}
        }
    }

    fn advance(&mut self, done: u64, total: Option<u64>, template: &str, message: String) {
        let console = self.console;
        let bar = self.bar.get_or_insert_with(|| console.bar(0, template).with_message(message));
        bar.set_length(total.unwrap_or(done));
        bar.set_position(done);
        if total == Some(done) {
            self.clear();
        }
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// A table of the splits.
pub(crate) fn sizes(manifest: &Manifest) -> String {
    let mut table = super::train::plain_table();
    table.set_header(["split", "texts", "tokens", "longest", "labels"]);
    for (name, split) in &manifest.splits {
        let mut labels: Vec<String> = manifest
            .class_names
            .iter()
            .zip(&split.labels)
            .map(|(name, count)| format!("{} {name}", thousands(*count)))
            .collect();
        if split.unlabelled > 0 {
            labels.push(format!("{} without", thousands(split.unlabelled)));
        }
        if split.dropped > 0 {
            labels.push(format!("{} dropped", thousands(split.dropped)));
        }
        table.add_row([
            name.clone(),
            thousands(split.rows),
            thousands(split.tokens),
            thousands(split.longest),
            labels.join(", "),
        ]);
    }
    table.to_string()
}
