//! What was found in a source and what will be read of it, to be shown before work starts.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// What will be read: printed, it says so in a few lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The format, for people: `CSV (`,` between fields, quoted by `"`, with a header)`.
    pub format: String,
    /// The splits in the order they are read.
    pub splits: Vec<PlannedSplit>,
    /// The columns, where rows have any.
    pub columns: Vec<PlannedColumn>,
    /// Where class names come from; the names where they are known before all rows are read.
    pub classes: String,
    /// What is passed over, or was guessed.
    pub notes: Vec<String>,
    /// The first rows.
    pub rows: Vec<PlannedRow>,
}

/// A split and its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedSplit {
    /// The split.
    pub name: String,
    /// Its files, or the folders of its classes.
    pub files: Vec<PathBuf>,
}

/// A column and what it is read as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedColumn {
    /// Its number, from 1.
    pub number: usize,
    /// Its name; its number where it has none.
    pub name: String,
    /// `text`, `label`, `group` or `id`; nothing where it is not read.
    pub role: Option<&'static str>,
}

/// A row as it will be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedRow {
    /// Its split.
    pub split: String,
    /// Its label as it is written; several with ` | ` between them.
    pub label: Option<String>,
    /// Its group.
    pub group: Option<String>,
    /// Its text, whole.
    pub text: String,
    /// What is wrong with it, if it is not as it should be; then there is no text.
    pub problem: Option<String>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "format   {}", line(&self.format))?;
        for split in &self.splits {
            const SHOWN: usize = 3;
            let files = split.files.iter().take(SHOWN).map(|path| path.display().to_string());
            let files = files.collect::<Vec<_>>().join(", ");
            let more = match split.files.len().saturating_sub(SHOWN) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            writeln!(f, "split    {}: {}{more}", line(&split.name), line(&files))?;
        }
        if !self.columns.is_empty() {
            let columns = self.columns.iter().map(|column| {
                let number = column.number.to_string();
                let name =
                    if column.name == number { String::new() } else { format!(" {}", column.name) };
                let role = column.role.map_or_else(String::new, |role| format!(" = {role}"));
                format!("{number}{name}{role}")
            });
            writeln!(f, "columns  {}", line(&columns.collect::<Vec<_>>().join(" | ")))?;
        }
        writeln!(f, "classes  {}", line(&self.classes))?;
        for note in &self.notes {
            writeln!(f, "note     {}", line(note))?;
        }
        for row in &self.rows {
            write!(f, "row      {}", line(&row.split))?;
            if let Some(problem) = &row.problem {
                writeln!(f, "  ! {}", line(problem))?;
                continue;
            }
            let words = [("", &row.label), ("group ", &row.group)];
            for (name, word) in words {
                if let Some(word) = word {
                    write!(f, "  [{name}{}]", line(word))?;
                }
            }
            writeln!(f, "  {}", beginning(&row.text))?;
        }
        Ok(())
    }
}

/// In one line, and harmless to a terminal: names and texts may come from strangers.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// One line of a text, 80 characters at the most.
fn beginning(text: &str) -> String {
    const SHOWN: usize = 80;
    let shown = line(&text.chars().take(SHOWN).collect::<String>());
    if text.chars().nth(SHOWN).is_some() { shown + "…" } else { shown }
}
