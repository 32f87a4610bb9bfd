//! Regular expressions of a `tokenizer.json`. Python's `tokenizers` runs them by Oniguruma, in Ruby's syntax; here fancy-regex
//! does, which reads most of it alike. What it reads otherwise is put into other words before it sees it:
//!
//! | of the file | to Oniguruma |
//! | --- | --- |
//! | `\w`, `\W`, `\b`, `\B` | word characters are letters, marks, decimal digits and connectors; outside of classes `²³¹¼½¾` too |
//! | `[[:alpha:]]` and its like | of all of Unicode |
//! | `^`, `$` | the ends of every line, `\Z` that of the text or before its last line break |
//! | `(?m)` | `.` is a line break too, which is `(?s)` elsewhere |
//!
//! Left as it is: `(?i:ss)` is `ß` as well to Oniguruma.

use serde_json::Value;

/// Word characters as part of a class.
const WORD: &str = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}";

/// Outside of classes Oniguruma asks a table of Latin-1 first, which has these too.
const LATIN: &str = "²³¹¼½¾";

const LINE_START: &str = r"(?:\A|(?<=\n)(?!\z))";
const LINE_END: &str = r"(?=\n|\z)";
const TEXT_END: &str = r"(?=\n?\z)";

/// The file in fancy-regex's words; `None` where these are its own.
pub(super) fn reworded(file: &Value) -> Option<Value> {
    let mut reworded = file.clone();
    for section in ["normalizer", "pre_tokenizer"] {
        if let Some(section) = reworded.get_mut(section) {
            walk(section);
        }
    }
    (reworded != *file).then_some(reworded)
}

fn walk(value: &mut Value) {
    match value {
        Value::Object(object) => object.iter_mut().for_each(|(key, value)| match value {
            Value::String(pattern) if key == "Regex" => *pattern = translate(pattern),
            value => walk(value),
        }),
        Value::Array(list) => list.iter_mut().for_each(walk),
        _ => {}
    }
}

fn translate(pattern: &str) -> String {
    let (mut said, mut depth, mut rest) = (String::new(), 0_usize, pattern);
    while let Some(first) = rest.chars().next() {
        let (taken, words) = match first {
            '\\' => escape(rest, depth > 0),
            '[' if depth > 0 && rest.starts_with("[:") => posix(rest),
            '[' => {
                depth += 1;
                (class_start(rest), None)
            }
            ']' if depth > 0 => {
                depth -= 1;
                (1, None)
            }
            '^' if depth == 0 => (1, Some(LINE_START.to_owned())),
            '$' if depth == 0 => (1, Some(LINE_END.to_owned())),
            '(' if depth == 0 => flags(rest),
            other => (other.len_utf8(), None),
        };
        let (own, after) = rest.split_at(taken);
        said.push_str(words.as_deref().unwrap_or(own));
        rest = after;
    }
    said
}

/// What a piece of a pattern takes, and other words for it.
type Piece = (usize, Option<String>);

fn escape(rest: &str, in_class: bool) -> Piece {
    let Some(escaped) = rest.chars().nth(1) else { return (1, None) };
    let words = match (escaped, in_class) {
        ('w', true) => Some(WORD.to_owned()),
        ('W', true) => Some(format!("[^{WORD}]")),
        ('w', false) => Some(format!("[{WORD}{LATIN}]")),
        ('W', false) => Some(format!("[^{WORD}{LATIN}]")),
        ('b', false) => Some(boundary("(?!", "(?=")),
        ('B', false) => Some(boundary("(?=", "(?!")),
        ('Z', false) => Some(TEXT_END.to_owned()),
        _ => None,
    };
    (1 + escaped.len_utf8(), words)
}

/// Between two characters: what is to follow a word character, and what anything else.
fn boundary(after_word: &str, after_other: &str) -> String {
    let word = format!("[{WORD}{LATIN}]");
    format!("(?:(?<={word}){after_word}{word})|(?<!{word}){after_other}{word}))")
}

/// Where a class begins, a `]` is one of its characters.
fn class_start(rest: &str) -> usize {
    ["[^]", "[]", "[^"].into_iter().find(|start| rest.starts_with(start)).map_or(1, str::len)
}

/// `[:name:]` within a class, or `[:^name:]`.
fn posix(rest: &str) -> Piece {
    let Some(end) = rest.find(":]") else { return (1, None) };
    let name = &rest[2..end];
    let (negated, name) = name.strip_prefix('^').map_or((false, name), |name| (true, name));
    let set = match name {
        "alnum" => r"\p{Alphabetic}\p{Nd}",
        "alpha" => r"\p{Alphabetic}",
        "blank" => r"\p{Zs}\t",
        "cntrl" => r"\p{Cc}",
        "digit" => r"\p{Nd}",
        "graph" => r"[^\s\p{Cc}\p{Cn}]",
        "lower" => r"\p{Lowercase}",
        "print" => r"[^\s\p{Cc}\p{Cn}]\p{Zs}",
        "punct" => r"\p{P}\p{S}",
        "space" => r"\s",
        "upper" => r"\p{Uppercase}",
        "word" => WORD,
        _ => return (end + 2, None),
    };
    (end + 2, Some(if negated { format!("[^{set}]") } else { set.to_owned() }))
}

/// `(?imx-imx)` or `(?imx-imx:`; any other group is as it is.
fn flags(rest: &str) -> Piece {
    let end = rest.find([':', ')']).unwrap_or(0);
    match rest.get(2..end) {
        Some(letters)
            if rest.starts_with("(?") && letters.bytes().all(|byte| b"imx-".contains(&byte)) =>
        {
            (end, Some(format!("(?{}", letters.replace('m', "s"))))
        }
        _ => (1, None),
    }
}
