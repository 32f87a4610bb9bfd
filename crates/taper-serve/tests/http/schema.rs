//! JSON Schema, as much of it as the description uses. A word it does not know is an error: nothing goes unchecked.

use serde_json::Value;

/// A schema, in the document that its references point into.
pub(crate) struct Schema<'a> {
    document: &'a Value,
    schema: &'a Value,
}

/// What a value stands for: another place of the document, if it is a reference.
pub(crate) fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            let pointer = reference.strip_prefix('#').unwrap();
            resolved(document, document.pointer(pointer).expect(reference))
        }
        None => value,
    }
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => panic!("`{name}` is no type"),
    }
}

impl<'a> Schema<'a> {
    pub(crate) fn new(document: &'a Value, schema: &'a Value) -> Self {
        Self { document, schema: resolved(document, schema) }
    }

    fn sub(&self, schema: &'a Value) -> Self {
        Self::new(self.document, schema)
    }

    /// What of `value` the schema does not allow.
    pub(crate) fn errors(&self, value: &Value) -> Vec<String> {
        let words = self.schema.as_object().expect("a schema is an object");
        words.iter().flat_map(|(word, rule)| self.broken(word, rule, value)).collect()
    }

    fn broken(&self, word: &str, rule: &'a Value, value: &Value) -> Vec<String> {
        let rules = || rule.as_array().unwrap().iter();
        let fields = || value.as_object().into_iter().flatten();
        let holds = match word {
            "description" | "default" => true,
            "type" if rule.is_array() => {
                rules().any(|name| has_type(value, name.as_str().unwrap()))
            }
            "type" => has_type(value, rule.as_str().unwrap()),
            "const" => value == rule,
            "enum" => rules().any(|one| one == value),
            "minItems" => {
                value.as_array().is_none_or(|it| it.len() as u64 >= rule.as_u64().unwrap())
            }
            "required" => {
                !value.is_object()
                    || rules().all(|name| value.get(name.as_str().unwrap()).is_some())
            }
            "oneOf" => rules().filter(|one| self.sub(one).errors(value).is_empty()).count() == 1,
            "additionalProperties" => {
                let own = &self.schema["properties"];
                let others = fields().filter(|(name, _)| own.get(name.as_str()).is_none());
                let fits = |other: &Value| match rule {
                    Value::Bool(allowed) => *allowed,
                    schema => self.sub(schema).errors(other).is_empty(),
                };
                others.map(|(_, other)| other).all(fits)
            }
            "items" => {
                let items = value.as_array().into_iter().flatten();
                return items.flat_map(|item| self.sub(rule).errors(item)).collect();
            }
            "properties" => {
                let described = fields().filter_map(|(name, field)| Some((rule.get(name)?, field)));
                return described.flat_map(|(rule, field)| self.sub(rule).errors(field)).collect();
            }
            _ => panic!("`{word}` is not checked"),
        };
        if holds { Vec::new() } else { vec![format!("{word}: {rule} does not hold for {value}")] }
    }
}
