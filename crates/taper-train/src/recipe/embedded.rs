//! The recipes that come with the crate, by name.

use crate::Error;

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

pub(super) fn unknown(name: &str) -> Error {
    let known: Vec<String> = RECIPES.iter().map(|(known, _)| (*known).to_owned()).collect();
    Error::UnknownRecipe {
        name: name.to_owned(),
        suggestion: document::nearest(name, known.iter().map(String::as_str)),
        known,
    }
}
