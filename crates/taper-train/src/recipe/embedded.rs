//! The recipes that come with the crate, by name.

use crate::{Error, Result};

use super::{Recipe, document};

/// The default one first.
const RECIPES: [(&str, &str); 2] = [
    (Recipe::DEFAULT_NAME, include_str!("../recipes/quickstart.toml")),
    ("tutorial", include_str!("../recipes/tutorial.toml")),
];

pub(super) fn text(name: &str) -> Option<&'static str> {
    RECIPES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

pub(super) fn list() -> Vec<(&'static str, String)> {
    RECIPES
        .iter()
        .map(|(name, text)| {
            // A test loads every embedded recipe, so the fallback is never seen.
            let description = Recipe::parse(text, name, &[])
                .map_or_else(|_| String::new(), |recipe| recipe.description);
            (*name, description)
        })
        .collect()
}

impl Recipe {
    /// The embedded recipe that has this one's description, and so is where it comes from.
    pub(crate) fn namesake(&self) -> Result<Option<(&'static str, Self)>> {
        match list().into_iter().find(|(_, description)| *description == self.description) {
            Some((name, _)) => Ok(Some((name, Self::load(name, &[])?))),
            None => Ok(None),
        }
    }

    /// What it is for, in a line. An embedded recipe's description is of its own data and network: of a run with others
    /// the line says in what it differs.
    pub(crate) fn headline(&self) -> Result<String> {
        let Some((name, origin)) = self.namesake()? else { return Ok(self.description.clone()) };
        let differences = origin.differences(self)?;
        if differences.is_empty() {
            return Ok(self.description.clone());
        }
        let keys: Vec<String> =
            differences.iter().map(|change| format!("`{}`", change.key)).collect();
        Ok(format!("By the recipe `{name}`, but for {}", keys.join(", ")))
    }
}

pub(super) fn unknown(name: &str) -> Error {
    let known: Vec<String> = RECIPES.iter().map(|(known, _)| (*known).to_owned()).collect();
    Error::UnknownRecipe {
        name: name.to_owned(),
        suggestion: document::nearest(name, known.iter().map(String::as_str)),
        known,
    }
}
