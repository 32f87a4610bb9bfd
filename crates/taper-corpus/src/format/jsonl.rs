//! JSON lines: an object a line, columns by key.
//!
//! ```text
//! file   = line*
//! line   = object LF              RFC 8259, in UTF-8; blank lines are passed over
//! value  = string | integer | true | false | null
//! ```
//! A text is a string; labels, groups and ids may be integers or booleans too, which are read as they
//! are written. Where a text may have several labels, they are a list of those, or a string that is split. Keys that are not asked for may hold anything; those that are must stand in one of the
//! first hundred lines.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Deserializer as _, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::{Deserializer, Value};

use super::detect::SAMPLE;
use super::pick::{LabelUse, pick};
use super::{DataFile, Raw, Row, Rows, bad, line, several};
use crate::error::{Error, Place, Position, Result};
use crate::input::{Frames, Input};
use crate::settings::{ColumnSettings, Limits};

/// Lines whose keys are looked at.
const LINES: usize = 100;

/// The keys of the first objects, in order of first use. Where the first line is longer than a sample, as much is
/// looked at as a row may hold.
///
/// # Errors
/// What the disk or the decompressor refuses.
pub(super) fn keys(input: &mut Input, limits: &Limits) -> Result<Vec<String>> {
    let keys = keys_in(&input.head(SAMPLE)?.0);
    if keys.is_empty() { Ok(keys_in(&input.head(limits.row_bytes)?.0)) } else { Ok(keys) }
}

fn keys_in(sample: &[u8]) -> Vec<String> {
    let (mut keys, mut known) = (Vec::new(), BTreeSet::new());
    for line in sample.split(|&byte| byte == b'\n').take(LINES) {
        // A line that is no object is told when its turn comes.
        if let Ok(pairs) = object(line, None) {
            keys.extend(
                pairs.into_iter().map(|pair| pair.0).filter(|key| known.insert(key.clone())),
            );
        }
    }
    keys
}

/// What is wrong with the first line that is not blank, and its number from 1, where it is no object.
pub(super) fn first_problem(sample: &[u8]) -> Option<(u64, String)> {
    let mut lines = (1..).zip(sample.split(|&byte| byte == b'\n'));
    let (number, line) = lines.find(|(_, line)| !line.trim_ascii().is_empty())?;
    Some((number, problem(&object(line, None).err()?)))
}

/// The values of the keys that are `wanted` (without it, every key with null).
fn object(line: &[u8], wanted: Option<&[String]>) -> serde_json::Result<Vec<(String, Value)>> {
    struct Pairs<'a>(Option<&'a [String]>);

    impl<'de> Visitor<'de> for Pairs<'_> {
        type Value = Vec<(String, Value)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object such as {\"text\": \"…\", \"label\": \"…\"}")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs: Self::Value = Vec::new();
            while let Some(key) = map.next_key::<String>()? {
                let value = match self.0 {
                    Some(wanted) if wanted.contains(&key) => {
                        if pairs.iter().any(|pair| pair.0 == key) {
                            return Err(A::Error::custom(format!(
                                "the key `{key}` stands there twice"
                            )));
                        }
                        map.next_value()?
                    }
                    wanted => {
                        map.next_value::<IgnoredAny>()?;
                        if wanted.is_some() {
                            continue;
                        }
                        Value::Null
                    }
                };
                pairs.push((key, value));
            }
            Ok(pairs)
        }
    }

    let mut deserializer = Deserializer::from_slice(line);
    let pairs = deserializer.deserialize_map(Pairs(wanted))?;
    deserializer.end()?;
    Ok(pairs)
}

/// The rows of a file of JSON lines.
pub(super) struct JsonRows {
    frames: Frames,
    columns: Names,
    separator: Option<String>,
    wanted: Vec<String>,
}

/// The keys that hold what.
#[derive(Default)]
struct Names {
    text: Vec<String>,
    label: Option<String>,
    group: Option<String>,
    id: Option<String>,
}

impl JsonRows {
    pub(super) fn new(mut input: Input, file: &DataFile, limits: &Limits) -> Result<Self> {
        let keys = keys(&mut input, limits)?;
        let (frames, columns) = (Frames::new(input, None, limits), Names::default());
        let separator = file.separator.clone();
        let mut rows = Self { frames, columns, separator, wanted: Vec::new() };
        if keys.is_empty() {
            // No line has a key, so none has the column; the first one says more.
            match rows.next()? {
                Some(Row { raw: Err(bad), .. }) => return Err(bad.error),
                Some(_) => {}
                None => return Err(Error::NoRows { place: Place::file(&file.path), split: None }),
            }
        }
        rows.columns = names(&file.path, &keys, &file.columns, file.label)?;
        let Names { text, label, group, id } = &rows.columns;
        let rest = [label, group, id];
        rows.wanted = text.iter().chain(rest.into_iter().flatten()).cloned().collect();
        Ok(rows)
    }
}

/// A key that is told must stand in the first lines too: later it could be a slip of the pen.
fn names(path: &Path, keys: &[String], told: &ColumnSettings, label: LabelUse) -> Result<Names> {
    let picks = pick(path, keys, told, label)?;
    let name = |at: usize| keys[at].clone();
    Ok(Names {
        text: picks.text.into_iter().map(name).collect(),
        label: picks.label.map(name),
        group: picks.group.map(name),
        id: picks.id.map(name),
    })
}

impl Rows for JsonRows {
    fn next(&mut self) -> Result<Option<Row>> {
        let path: PathBuf = self.frames.path().to_owned();
        loop {
            let Some(frame) = self.frames.next()? else {
                return Ok(None);
            };
            if frame.problem.is_none() && frame.bytes.trim_ascii().is_empty() {
                continue;
            }
            let place = || Place::file(&path).at_line(frame.line);
            let raw = line(&frame, place).and_then(|text| {
                read(text, &self.wanted, &self.columns, self.separator.as_deref())
                    .map_err(|problem| Error::Malformed { place: place(), problem })
            });
            let raw = raw.map_err(|error| bad(error, frame.bytes));
            return Ok(Some(Row { position: Some(Position::Line(frame.line)), raw }));
        }
    }

    fn path(&self) -> &Path {
        self.frames.path()
    }
}

fn problem(error: &serde_json::Error) -> String {
    let [mut message, column] = [error.to_string(), error.column().to_string()];
    // serde_json counts lines too, and here there is one.
    if let Some(at) = message.find(" at line ") {
        message.truncate(at);
    }
    format!("not a JSON object ({message}, column {column})")
}

fn read(
    line: &str,
    wanted: &[String],
    columns: &Names,
    separator: Option<&str>,
) -> Result<Raw, String> {
    let pairs = object(line.as_bytes(), Some(wanted)).map_err(|error| problem(&error))?;
    let value = |key: &String| pairs.iter().find(|pair| pair.0 == *key).map(|pair| &pair.1);
    let mut texts = Vec::with_capacity(columns.text.len());
    for key in &columns.text {
        match value(key) {
            Some(Value::String(text)) => texts.push(text.as_str()),
            Some(other) => return Err(format!("`{key}` holds {}, expected a string", kind(other))),
            None => return Err(format!("has no `{key}`, expected a string")),
        }
    }
    let found = |key: &Option<String>| match key {
        Some(key) => value(key).map_or(Ok(None), |value| word(key, value)),
        None => Ok(None),
    };
    let labels = columns.label.as_ref().and_then(|key| Some((key, value(key)?))).zip(separator);
    Ok(Raw {
        label: if separator.is_none() { found(&columns.label)? } else { None },
        labels: labels.map_or(Ok(None), |((key, value), by)| list(key, value, by))?,
        group: found(&columns.group)?,
        id: found(&columns.id)?,
        text: texts.join("\n"),
    })
}

fn word(key: &str, value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(word) => Ok(Some(word.clone()).filter(|word| !word.trim().is_empty())),
        Value::Bool(word) => Ok(Some(word.to_string())),
        Value::Number(number) if !number.is_f64() => Ok(Some(number.to_string())),
        other => Err(format!("`{key}` holds {}, expected a string or an integer", kind(other))),
    }
}

/// The labels of a text that may have several.
fn list(key: &str, value: &Value, separator: &str) -> Result<Option<Vec<String>>, String> {
    let item = |value| {
        let missing = || format!("`{key}` holds a list with an empty label");
        word(key, value)?.ok_or_else(missing)
    };
    match value {
        Value::Null => Ok(None),
        Value::Array(values) => values.iter().map(item).collect::<Result<_, _>>().map(Some),
        Value::String(cell) => several::split(cell, separator).map(Some),
        other => Ok(word(key, other)?.map(|label| vec![label])),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
