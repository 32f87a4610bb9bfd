//! A recipe as TOML on its way to [`super::Recipe`]: where each key was written, overrides, and the check of every
//! value against the schema.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use taper_text::Tokenizer;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::schema::Node;
use crate::{Error, Result};

/// The keys and values, and where each came from.
#[derive(Debug)]
pub(super) struct Document {
    origin: String,
    table: Table,
    /// Dotted key -> `file:line`, or the override that set it.
    places: BTreeMap<String, String>,
}

impl Document {
    pub(super) fn parse(text: &str, origin: &str) -> Result<Self> {
        let syntax = |error: toml::de::Error| Error::RecipeSyntax {
            place: error.span().map_or_else(
                || origin.to_owned(),
                |span| format!("{origin}:{}", line_of(text, span.start)),
            ),
            message: format!("not TOML: {}", error.message()),
        };
        let spanned = DeTable::parse(text).map_err(syntax)?;
        let mut places = BTreeMap::new();
        locate(spanned.get_ref(), "", text, origin, &mut places);
        Ok(Self { origin: origin.to_owned(), table: toml::from_str(text).map_err(syntax)?, places })
    }

    pub(super) fn of(value: &impl Serialize) -> Result<Self> {
        Ok(Self {
            origin: "recipe".to_owned(),
            table: Table::try_from(value).map_err(|error| Error::RecipeSyntax {
                place: "recipe".to_owned(),
                message: format!("cannot be written as TOML: {error}"),
            })?,
            places: BTreeMap::new(),
        })
    }

    /// Applies one `key=value`.
    pub(super) fn set(&mut self, assignment: &str) -> Result<()> {
        let place = format!("--set {assignment}");
        let (key, text) = assignment.split_once('=').ok_or_else(|| Error::RecipeSyntax {
            place: place.clone(),
            message: "expected KEY=VALUE, such as train.epochs=2".to_owned(),
        })?;
        let (key, text) = (key.trim(), text.trim());
        let node = find(key, &place)?;
        if let Some(allowed) = beyond_toml(text, node) {
            let (key, value) = (key.to_owned(), text.to_owned());
            return Err(Error::BadValue { place, key, value, allowed });
        }

        let path: Vec<&str> = key.split('.').collect();
        let (last, parents) = path.split_last().unwrap_or((&key, &[]));
        let mut table = &mut self.table;
        for name in parents {
            let entry = table.entry(*name).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(inner) = entry else {
                // The file gives a plain value where a table belongs; `check` would have said so too.
                return Err(bad_value(&place, key, entry, "must be a table"));
            };
            table = inner;
        }
        if text == "none" && node.is_optional() {
            table.remove(*last);
        } else {
            table.insert((*last).to_owned(), parse_value(text, node));
        }
        let below = format!("{key}.");
        self.places.retain(|known, _| !known.starts_with(&below));
        self.places.insert(key.to_owned(), place);
        Ok(())
    }

    /// Every key known, every value of the right type and within its limits.
    pub(super) fn check(&self) -> Result<()> {
        self.check_table(&self.table, "", Node::root())
    }

    pub(super) fn deserialize<T: DeserializeOwned>(self) -> Result<T> {
        let origin = self.origin;
        self.table
            .try_into()
            .map_err(|error| Error::RecipeSyntax { place: origin, message: error.to_string() })
    }

    fn check_table(&self, table: &Table, prefix: &str, node: Node) -> Result<()> {
        for (name, value) in table {
            let key = join(prefix, name);
            let place = self.place(&key);
            let Some(node) = node.key(name) else {
                return Err(unknown_key(place, &key, node));
            };
            if node.keys().is_some() {
                let Value::Table(inner) = value else {
                    return Err(bad_value(place, &key, value, "must be a table"));
                };
                self.check_table(inner, &key, node)?;
            } else {
                check_value(place, &key, value, node)?;
            }
        }
        Ok(())
    }

    /// The place of `key`, or of the table it was set with.
    fn place(&self, key: &str) -> &str {
        let mut key = key;
        loop {
            if let Some(place) = self.places.get(key) {
                return place;
            }
            match key.rsplit_once('.') {
                Some((parent, _)) => key = parent,
                None => return &self.origin,
            }
        }
    }
}

/// The nearest of `known`, if it is near enough to be a slip of the fingers.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.75)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate.to_owned())
}

fn check_value(place: &str, key: &str, value: &Value, node: Node) -> Result<()> {
    let fail = |allowed: &str| Err(bad_value(place, key, value, allowed));
    if let Some(choices) = node.choices() {
        let found = value.as_str().unwrap_or_default();
        if choices.contains(&found) || (node.or_path() && Tokenizer::is_path(found)) {
            return Ok(());
        }
        let path = if node.or_path() { ", or the path of a tokenizer.json" } else { "" };
        let quoted: Vec<String> = choices.iter().map(|choice| format!("\"{choice}\"")).collect();
        let suggestion = nearest(found, choices.into_iter())
            .map_or_else(String::new, |choice| format!(" (did you mean \"{choice}\"?)"));
        return fail(&format!("must be one of {}{path}{suggestion}", quoted.join(", ")));
    }
    match (node.kind(), value) {
        (Some("string"), Value::String(text)) => {
            if (text.chars().count() as u64) < node.min_length() {
                return fail("must not be empty");
            }
            Ok(())
        }
        (Some("string"), _) => fail("must be a string"),
        (Some("boolean"), Value::Boolean(_)) => Ok(()),
        (Some("boolean"), _) => fail("must be true or false"),
        (Some("integer" | "number"), Value::Integer(number)) => {
            node.range_error(*number as f64).map_or(Ok(()), |allowed| fail(&allowed))
        }
        (Some("number"), Value::Float(number)) => {
            node.range_error(*number).map_or(Ok(()), |allowed| fail(&allowed))
        }
        (Some("integer"), _) => fail("must be a whole number"),
        (Some("number"), _) => fail("must be a number"),
        // No other types exist; serde has the last word.
        _ => Ok(()),
    }
}

/// Walks the schema along a dotted key.
fn find(key: &str, place: &str) -> Result<Node> {
    let mut node = Node::root();
    let mut prefix = String::new();
    for name in key.split('.') {
        prefix = join(&prefix, name);
        node = node.key(name).ok_or_else(|| unknown_key(place, &prefix, node))?;
    }
    Ok(node)
}

/// An override's value: TOML, or else a string without its quotes, or a list without its brackets.
fn parse_value(text: &str, node: Node) -> Value {
    if node.kind() == Some("string") && !text.starts_with(['"', '\'']) {
        return Value::String(text.to_owned());
    }
    if node.kind() == Some("array") && !text.starts_with('[') {
        let each = text.split(',').map(|part| Value::String(part.trim().to_owned()));
        return Value::Array(each.collect());
    }
    // Through a document of one key: that reads numbers, inline tables and quoted strings alike.
    toml::from_str::<Table>(&format!("value = {text}"))
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// What would be right in the place of a whole number that is none of TOML's, which have 64 bits.
fn beyond_toml(text: &str, node: Node) -> Option<String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let whole = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let number = text.replace('_', "");
    if node.kind() != Some("integer") || !whole || number.parse::<i64>().is_ok() {
        return None;
    }
    // Neither digits alone nor underscores: no number, which `check` says.
    let number: f64 = number.parse().ok()?;
    let too_large = || format!("too large: must be at most {}", i64::MAX);
    Some(node.range_error(number).unwrap_or_else(too_large))
}

fn unknown_key(place: &str, key: &str, node: Node) -> Error {
    let (parent, name) = key.rsplit_once('.').unwrap_or(("", key));
    let known = node.keys().unwrap_or_default();
    // A key right but for its table is the commonest slip: `epochs` for `train.epochs`.
    let suggestion = nearest(name, known.iter().copied())
        .map(|near| join(parent, &near))
        .or_else(|| elsewhere(name));
    Error::UnknownKey {
        place: place.to_owned(),
        key: key.to_owned(),
        suggestion: suggestion.map(Into::into),
        table: if parent.is_empty() { "a recipe".to_owned() } else { parent.to_owned() },
        known: known.into_iter().map(str::to_owned).collect(),
    }
}

/// The full key of a `name` that exists in another table.
fn elsewhere(name: &str) -> Option<String> {
    fn search(node: Node, prefix: &str, name: &str) -> Option<String> {
        node.keys()?.into_iter().find_map(|key| {
            let path = join(prefix, key);
            if key == name && !prefix.is_empty() {
                return Some(path);
            }
            search(node.key(key)?, &path, name)
        })
    }
    search(Node::root(), "", name)
}

fn bad_value(place: &str, key: &str, value: &Value, allowed: &str) -> Error {
    Error::BadValue {
        place: place.to_owned(),
        key: key.to_owned(),
        value: value.to_string(),
        allowed: allowed.to_owned(),
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn locate(
    table: &DeTable<'_>,
    prefix: &str,
    text: &str,
    origin: &str,
    places: &mut BTreeMap<String, String>,
) {
    for (name, value) in table {
        let key = join(prefix, name.get_ref());
        let place = format!("{origin}:{}", line_of(text, name.span().start));
        if let DeValue::Table(inner) = Spanned::get_ref(value) {
            locate(inner, &key, text, origin, places);
        }
        places.insert(key, place);
    }
}

/// Counted from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
