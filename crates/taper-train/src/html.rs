//! What pages are written with: escaped text, and tables that scroll by themselves where the window is narrow.

use std::fmt::Write as _;

/// For text and for attribute values, of HTML and XML: characters that XML has no way to write are replaced.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push(character),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A table; the first cell of each row is its header.
#[derive(Debug)]
pub(crate) struct Table {
    head: String,
    rows: String,
}

impl Table {
    pub(crate) fn new(columns: &[&str]) -> Self {
        let mut table = Self { head: String::new(), rows: String::new() };
        for column in columns {
            table.head(column);
        }
        table
    }

    pub(crate) fn head(&mut self, column: &str) {
        let _ = write!(self.head, "<th scope=\"col\">{}</th>", escape(column));
    }

    pub(crate) fn row(&mut self, name: &str, cells: &[String]) {
        let _ = write!(self.rows, "<tr><th scope=\"row\">{}</th>", escape(name));
        for cell in cells {
            let _ = write!(self.rows, "<td>{}</td>", escape(cell));
        }
        self.rows.push_str("</tr>\n");
    }

    pub(crate) fn finish(self) -> String {
        let Self { head, rows } = self;
        format!(
            "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>\n"
        )
    }
}
