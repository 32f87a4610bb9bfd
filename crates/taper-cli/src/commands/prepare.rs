//! `taper prepare`: labelled texts to token ids, vocabulary and aligned vectors.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use indicatif::ProgressBar;
use taper_text::Coverage;
use taper_train::manifest::{Manifest, Stage};
use taper_train::prepare::{Places, PrepareEvent, PrepareOptions};
use taper_train::recipe::OnError;
use taper_train::{Prepared, Recipe, doctor, prepare};

use crate::args::{PrepareArgs, RecipeChoice};
use crate::console::{Console, harmless, lines, print, thousands};
use crate::environment;

pub(crate) fn run(args: &PrepareArgs, data: &Path, console: &Console) -> Result<ExitCode> {
    let recipe = recipe(&args.choice)?;
    if args.dry_run {
        return dry_run(args, &recipe, data);
    }
    let prepared = run_stages(&args.choice, &recipe, data, console)?;
    if args.json {
        print(serde_json::to_string(prepared.manifest())?)?;
    } else {
        print(sizes(prepared.manifest()))?;
        print(format_args!("prepared in {}", prepared.folder().display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Rows that `--dry-run` shows.
const SHOWN_ROWS: usize = 5;

fn dry_run(args: &PrepareArgs, recipe: &Recipe, data: &Path) -> Result<ExitCode> {
    let (output, places) = (output(&args.choice, data), places(data)?);
    let options = PrepareOptions::new(recipe, &places, &output);
    let plan = taper_train::prepare::plan(&options, SHOWN_ROWS)?;
    let stops =
        recipe.data.on_error == OnError::Stop && plan.rows.iter().any(|row| row.problem.is_some());
    if args.json {
        print(serde_json::to_string(&plan)?)?;
    } else {
        let shown = lines(&plan.to_string());
        let then = if stops {
            "would stop at the row with `!`; `--on-error skip` passes over such rows".to_owned()
        } else {
            format!("would be prepared in {}", output.display())
        };
        print(format_args!("{shown}{then}"))?;
    }
    Ok(if stops { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The recipe that the flags choose.
pub(crate) fn recipe(choice: &RecipeChoice) -> Result<Recipe> {
    let mut recipe = Recipe::load(choice.recipe(), &choice.overrides)?;
    if let Some(dataset) = &choice.dataset {
        recipe.data.dataset.clone_from(dataset);
    }
    if let Some(on_error) = choice.on_error {
        recipe.data.on_error = on_error;
    }
    if let Some(vectors) = &choice.vectors {
        recipe.vectors.source.clone_from(vectors);
    }
    recipe.check()?;
    Ok(recipe)
}

/// What runs and prepared data of a recipe are called: its name, or its file's.
pub(crate) fn name(choice: &RecipeChoice) -> String {
    let recipe = choice.recipe();
    let stem = Path::new(recipe).file_stem().unwrap_or(recipe.as_ref());
    stem.to_string_lossy().into_owned()
}

/// Prepares what is not up to date, and says so.
pub(crate) fn run_stages(
    choice: &RecipeChoice,
    recipe: &Recipe,
    data: &Path,
    console: &Console,
) -> Result<Prepared> {
    run_into(&output(choice, data), recipe, data, console)
}

/// The same into a folder. Where the texts are new, says which occur twice.
pub(crate) fn run_into(
    output: &Path,
    recipe: &Recipe,
    data: &Path,
    console: &Console,
) -> Result<Prepared> {
    let places = places(data)?;
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

fn output(choice: &RecipeChoice, data: &Path) -> PathBuf {
    choice.prepared.clone().unwrap_or_else(|| data.join("prepared").join(name(choice)))
}

pub(super) fn places(data: &Path) -> Result<Places> {
    Ok(Places { sample: data.join("sample"), hub: environment::hub()? })
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
            PrepareEvent::Plan(plan) => {
                self.clear();
                for line in plan.to_string().lines() {
                    self.console.say(None, line);
                }
                // Of many rows this takes a while, and nothing tells how far it is.
                let bar = self.console.bar(0, "{spinner} {msg} {elapsed}");
                self.bar =
                    Some(bar.with_message("reading the rows, to see whether they are known"));
            }
            PrepareEvent::Note(note) => self.console.say(self.bar.as_ref(), &note),
            PrepareEvent::Rejected { rows, file } => {
                let message =
                    format!("{} rows were passed over: {}", thousands(rows), file.display());
                self.console.say(self.bar.as_ref(), &message);
            }
            PrepareEvent::Skipped(stage) => {
                self.clear();
                self.console.say(None, &format!("{stage}: up to date"));
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
                for line in coverage_lines(&coverage) {
                    self.console.say(self.bar.as_ref(), &line);
                }
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

/// How many missing words the summary names; `coverage.json` names more.
const NAMED: usize = 8;

/// What the vectors cover, what another option would, and the words that miss one; the rest is in `coverage.json`.
fn coverage_lines(coverage: &Coverage) -> Vec<String> {
    let share = |tokens: u64| 100.0 * tokens as f64 / (coverage.tokens as f64).max(1.0);
    let mut lines = vec![format!(
        "vectors for {} of {} words; of {} tokens {:.1} % are in the vocabulary, {:.1} % have a vector",
        thousands(coverage.rows_with_vector as u64),
        thousands(coverage.vocabulary_rows as u64),
        thousands(coverage.tokens),
        share(coverage.tokens_in_vocabulary),
        share(coverage.tokens_with_vector),
    )];
    let (fallback, subwords) = (coverage.options.fallback, coverage.options.subwords);
    let more = fallback.rows.saturating_sub(coverage.rows_with_vector);
    if more > 0 {
        lines.push(format!(
            "vectors.case = \"fallback\" would cover {} more words, {:.1} % of the tokens",
            thousands(more as u64),
            share(fallback.tokens.saturating_sub(coverage.tokens_with_vector)),
        ));
    }
    if subwords.rows > 0 {
        lines.push(format!(
            "vectors.missing = \"subwords\" gives a row to {} words without a vector, {:.1} % of the tokens",
            thousands(subwords.rows as u64),
            share(subwords.tokens),
        ));
    }
    let named = coverage.most_frequent_missing.iter().take(NAMED);
    let named: Vec<String> =
        named.map(|word| format!("{} ({})", word.token, thousands(word.count))).collect();
    if !named.is_empty() {
        lines.push(format!("most frequent without a vector: {}", named.join(", ")));
    }
    lines
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
            harmless(name),
            thousands(split.rows),
            thousands(split.tokens),
            thousands(split.longest),
            harmless(&labels.join(", ")),
        ]);
    }
    table.to_string()
}
