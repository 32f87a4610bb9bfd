//! `taper recipe`: what can be trained and how.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use taper_train::Recipe;

use crate::args::{RecipeArgs, RecipeCommand};

pub(crate) fn run(args: &RecipeArgs) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match &args.command {
        RecipeCommand::List => {
            for (name, description) in Recipe::embedded() {
                writeln!(out, "{name:12} {description}")?;
            }
        }
        RecipeCommand::Show { recipe, overrides } => {
            write!(out, "{}", Recipe::load(recipe, overrides)?.to_toml()?)?;
        }
        RecipeCommand::Schema => writeln!(out, "{:#}", Recipe::schema())?,
    }
    Ok(ExitCode::SUCCESS)
}
