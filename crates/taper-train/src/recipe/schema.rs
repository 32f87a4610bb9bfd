//! The JSON schema of recipes, and reading limits out of it: limits are written once, as attributes of the fields.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Recipe;

/// The whole schema, without `$ref`s.
pub(super) fn recipe() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
        SchemaSettings::draft2020_12()
            .with(|settings| settings.inline_subschemas = true)
            .into_generator()
            .into_root_schema_for::<Recipe>()
            .to_value()
    });
    &SCHEMA
}

/// The schema of one key or table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node(&'static Value);

impl Node {
    pub(super) fn root() -> Self {
        Self(recipe())
    }

    /// The keys, if this is a table.
    pub(super) fn keys(self) -> Option<Vec<&'static str>> {
        let properties = self.inner().0.get("properties")?.as_object()?;
        Some(properties.keys().map(String::as_str).collect())
    }

    pub(super) fn key(self, name: &str) -> Option<Self> {
        self.inner().0.get("properties")?.get(name).map(Self)
    }

    /// Whether the key may be left out for good, rather than take a default.
    pub(super) fn is_optional(self) -> bool {
        let null = Value::from("null");
        let types = self.0.get("type").and_then(Value::as_array);
        types.is_some_and(|types| types.contains(&null)) || self.alternatives().is_some()
    }

    /// The words a key accepts, if it accepts only some.
    pub(super) fn choices(self) -> Option<Vec<&'static str>> {
        let inner = self.inner().0;
        let words = inner.get("enum").or_else(|| inner.pointer("/anyOf/0/enum"));
        if let Some(words) = words.and_then(Value::as_array) {
            return Some(words.iter().filter_map(Value::as_str).collect());
        }
        let variants = inner.get("oneOf")?.as_array()?;
        Some(variants.iter().filter_map(|variant| variant.get("const")?.as_str()).collect())
    }

    /// Whether a key with choices takes a path, too.
    pub(super) fn or_path(self) -> bool {
        self.inner().0.pointer("/anyOf/1/pattern").is_some()
    }

    /// The JSON type: `string`, `boolean`, `integer`, `number` or `object`.
    pub(super) fn kind(self) -> Option<&'static str> {
        match self.inner().0.get("type")? {
            Value::String(kind) => Some(kind),
            Value::Array(kinds) => {
                kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null")
            }
            _ => None,
        }
    }

    /// What is wrong with `number`, as what would be right: `must be at least 0 and less than 1`.
    pub(super) fn range_error(self, number: f64) -> Option<String> {
        let limit = |name: &str| self.inner().0.get(name).and_then(Value::as_f64);
        // Without a limit the numbers still have to be finite; NaN holds none.
        let limits = [
            ("minimum", "at least", number >= limit("minimum").unwrap_or(f64::MIN)),
            (
                "exclusiveMinimum",
                "greater than",
                number > limit("exclusiveMinimum").unwrap_or(f64::NEG_INFINITY),
            ),
            ("maximum", "at most", number <= limit("maximum").unwrap_or(f64::MAX)),
            (
                "exclusiveMaximum",
                "less than",
                number < limit("exclusiveMaximum").unwrap_or(f64::INFINITY),
            ),
        ];
        if limits.iter().all(|(_, _, held)| *held) {
            return None;
        }
        let range: Vec<String> = limits
            .iter()
            .filter_map(|(name, words, _)| Some((words, limit(name)?)))
            .map(|(words, limit)| match limit {
                tiny if tiny > 0.0 && tiny < 1e-6 => format!("{words} {tiny:e}"),
                limit => format!("{words} {limit}"),
            })
            .collect();
        Some(if range.is_empty() {
            "must be a finite number".to_owned()
        } else {
            format!("must be {}", range.join(" and "))
        })
    }

    pub(super) fn min_length(self) -> u64 {
        let inner = self.inner().0;
        inner.get("minLength").and_then(Value::as_u64).unwrap_or(0)
    }

    fn alternatives(self) -> Option<&'static Vec<Value>> {
        let alternatives = self.0.get("anyOf")?.as_array()?;
        let is_null = |one: &Value| one.get("type").is_some_and(|kind| kind == "null");
        alternatives.iter().any(is_null).then_some(alternatives)
    }

    /// An optional table is `anyOf` the table and `null`.
    fn inner(self) -> Self {
        let table = self.alternatives().and_then(|alternatives| {
            alternatives
                .iter()
                .find(|alternative| alternative.get("type").is_none_or(|kind| kind != "null"))
        });
        table.map_or(self, Self)
    }
}
