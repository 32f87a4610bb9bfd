//! The recipe that a run follows, apart from `recipe.toml`, which people edit: whatever they write there is a change, to be
//! shown and told of before a step is taken by it.

use std::path::Path;

use super::Run;
use crate::model::ModelConfig;
use crate::{Recipe, Result, atomic, recipe};

/// The recipe that the run was trained by so far, every key written out.
const FOLLOWED: &str = ".recipe.toml";

impl Run {
    /// The recipe that the run in `folder` was trained by so far, whatever was written into its `recipe.toml` since. Of a run
    /// of a version that did not keep it apart, it is that one, but for the network and what it reads of a text:
    /// `config.json` tells them.
    ///
    /// # Errors
    /// If the folder is no run.
    pub fn trained_by(folder: &Path) -> Result<Recipe> {
        if let Some(followed) = Self::followed(folder)? {
            return Ok(followed);
        }
        let mut recipe = Self::recipe_of(folder)?;
        let config = ModelConfig::read(folder)?;
        recipe.model = config.model;
        (recipe.train.max_length, recipe.train.truncate) = (config.max_length, config.truncate);
        Ok(recipe)
    }

    /// `None` in runs of versions that did not keep it apart.
    fn followed(folder: &Path) -> Result<Option<Recipe>> {
        let path = folder.join(FOLLOWED);
        if !path.is_file() {
            return Ok(None);
        }
        Recipe::load(&path.to_string_lossy(), &[]).map(Some)
    }

    /// Writes down what the run follows from here on. A `recipe.toml` that says the same stays, comments and all.
    pub(crate) fn follow(folder: &Path, recipe: &Recipe) -> Result<()> {
        let toml = recipe.to_toml()?;
        if Self::followed(folder)?.as_ref() != Some(recipe) {
            atomic::write(&folder.join(FOLLOWED), toml.as_bytes())?;
        }
        // Last: a folder with a recipe is a run that can be resumed.
        let path = folder.join(recipe::FILE);
        if !path.is_file() || Self::recipe_of(folder)? != *recipe {
            atomic::write(&path, toml.as_bytes())?;
        }
        Ok(())
    }
}
