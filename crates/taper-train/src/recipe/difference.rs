//! What sets one recipe apart from another, key by key.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::Recipe;
use crate::{Error, Result};

/// A key whose value differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Dotted from the root: `train.epochs`.
    pub key: String,
    /// As TOML; `None` where the key is left out.
    pub was: Option<String>,
    /// As TOML; `None` where the key is left out.
    pub now: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        write!(formatter, "{}: {} -> {}", self.key, word(&self.was), word(&self.now))
    }
}

impl Recipe {
    /// The keys in which `now` differs from this one, in alphabetical order.
    ///
    /// # Errors
    /// A seed that TOML has no integer for.
    pub fn differences(&self, now: &Self) -> Result<Vec<Difference>> {
        let (was, now) = (self.flat()?, now.flat()?);
        let keys: std::collections::BTreeSet<_> = was.keys().chain(now.keys()).collect();
        let differing = keys.into_iter().filter(|key| was.get(*key) != now.get(*key));
        Ok(differing
            .map(|key| Difference {
                key: key.clone(),
                was: was.get(key).cloned(),
                now: now.get(key).cloned(),
            })
            .collect())
    }

    fn flat(&self) -> Result<BTreeMap<String, String>> {
        let table = Table::try_from(self).map_err(|error| Error::RecipeSyntax {
            place: "recipe".to_owned(),
            message: format!("cannot be written as TOML: {error}"),
        })?;
        let mut flat = BTreeMap::new();
        flatten(table, "", &mut flat);
        Ok(flat)
    }
}

fn flatten(table: Table, prefix: &str, flat: &mut BTreeMap<String, String>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) => flatten(inner, &key, flat),
            plain => {
                flat.insert(key, plain.to_string());
            }
        }
    }
}
