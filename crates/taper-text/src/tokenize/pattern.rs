//! Regular expressions of a `tokenizer.json`. Python's `tokenizers` runs them by Oniguruma, in Ruby's syntax; here fancy-regex
//! does, which reads most of it alike. What it reads otherwise is put into other words before it sees it:
//!
//! | of the file | to Oniguruma |
//! | --- | --- |
//! | `\w`, `\W`, `\b`, `\B` | word characters are letters, marks, decimal digits and connectors; outside of classes `²³¹¼½¾` too |
//! | `[[:alpha:]]` and its like, `\p{^L}`, `\R` | of all of Unicode |
//! | `^`, `$` | the ends of every line, `\Z` that of the text or before its last line break |
//! | `(?m)` | `.` is a line break too, which is `(?s)` elsewhere |
//! | `(?i)` and its like, alone | to the end of the group around it, alternatives included |
//! | `{1,3}+`, `{2}?` | repeated once more, or optional |
//! | `\<`, `[+--]`, `(?#…)` | `<`, a range, nothing |
//!
//! Left as they are: `(?i:ss)`, which finds `ß` as well there, bytes (`\xE2\x80\x99`), and comments of `(?x)`.

use serde_json::Value;

/// Word characters as part of a class.
const WORD: &str = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}";

/// Outside of classes Oniguruma asks a table of Latin-1 first, which has these too.
const LATIN: &str = "²³¹¼½¾";

const LINE_START: &str = r"(?:\A|(?<=\n)(?!\z))";
const LINE_END: &str = r"(?m:$)";
const TEXT_END: &str = r"(?=\n?\z)";
const LINE_BREAK: &str = r"(?>\r\n|[\n\x0B\x0C\r\x{85}\x{2028}\x{2029}])";

/// The file in fancy-regex's words; `None` where these are its own.
pub(super) fn reworded(file: &Value) -> Option<Value> {
    let of = |name: &'static str| {
        let own = file.get(name)?;
        let mut section = own.clone();
        walk(&mut section);
        (section != *own).then_some((name, section))
    };
    let changed: Vec<_> = ["normalizer", "pre_tokenizer"].into_iter().filter_map(of).collect();
    if changed.is_empty() {
        return None;
    }
    let mut file = file.clone();
    for (name, section) in changed {
        file.as_object_mut()?.insert(name.to_owned(), section);
    }
    Some(file)
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
    let mut translation = Translation::default();
    let mut rest = pattern;
    while !rest.is_empty() {
        let taken = translation.take(rest);
        rest = &rest[taken..];
    }
    translation.close();
    translation.said
}

/// A pattern in other words, as far as it is read.
#[derive(Default)]
struct Translation {
    said: String,
    /// Classes that are open, one within the other.
    classes: usize,
    /// Where in `said` begins what a quantifier here would repeat.
    atom: usize,
    /// Where in `said` the open groups begin.
    groups: Vec<Group>,
}

struct Group {
    start: usize,
    /// Opened here, for an option that holds to the end of the group around it.
    ours: bool,
}

impl Translation {
    /// Takes what `rest` begins with; the bytes of it.
    fn take(&mut self, rest: &str) -> usize {
        let first = rest.chars().next().unwrap_or_default();
        if self.classes > 0 {
            return self.within_class(first, rest);
        }
        if !matches!(first, '+' | '*' | '?' | '{' | ')') {
            self.atom = self.said.len();
        }
        match first {
            '\\' => self.say(escape(rest, false), rest),
            '[' => {
                self.classes = 1;
                self.say((class_start(rest), None), rest)
            }
            '^' => self.say((1, Some(LINE_START.to_owned())), rest),
            '$' => self.say((1, Some(LINE_END.to_owned())), rest),
            '(' => self.open(rest),
            ')' => {
                self.close();
                self.atom = self.groups.pop().map_or(self.said.len(), |group| group.start);
                self.say((1, None), rest)
            }
            '{' => self.repeat(rest),
            other => self.say((other.len_utf8(), None), rest),
        }
    }

    fn within_class(&mut self, first: char, rest: &str) -> usize {
        let piece = match first {
            '\\' => escape(rest, true),
            '[' => posix(rest).unwrap_or_else(|| {
                self.classes += 1;
                (class_start(rest), None)
            }),
            ']' => {
                self.classes -= 1;
                (1, None)
            }
            // Differences of sets to fancy-regex.
            '-' if rest.starts_with("--") => (2, Some(r"-\-".to_owned())),
            '~' if rest.starts_with("~~") => (2, Some(r"~\~".to_owned())),
            other => (other.len_utf8(), None),
        };
        self.say(piece, rest)
    }

    fn say(&mut self, (taken, words): Piece, rest: &str) -> usize {
        self.said.push_str(words.as_deref().unwrap_or(&rest[..taken]));
        taken
    }

    /// A group, an option, or a comment.
    fn open(&mut self, rest: &str) -> usize {
        if let Some(comment) = rest.strip_prefix("(?#")
            && let Some(end) = comment.find(')')
        {
            return "(?#".len() + end + 1;
        }
        let letters = rest
            .strip_prefix("(?")
            .map_or(0, |rest| rest.bytes().take_while(|byte| b"imx-".contains(byte)).count());
        let end = 2 + letters;
        let ours = letters > 0 && rest[end..].starts_with(')');
        let start = self.said.len();
        self.groups.push(Group { start, ours });
        if ours || (letters > 0 && rest[end..].starts_with(':')) {
            let options = rest[2..end].replace('m', "s");
            return self.say((end + 1, Some(format!("(?{options}:"))), rest);
        }
        self.say((1, None), rest)
    }

    /// Closes the groups that were opened here.
    fn close(&mut self) {
        while self.groups.pop_if(|group| group.ours).is_some() {
            self.said.push(')');
        }
    }

    /// A quantifier in braces, or a brace.
    fn repeat(&mut self, rest: &str) -> usize {
        let Some((counts, after)) = rest[1..].split_once('}') else {
            return self.say((1, None), rest);
        };
        let number = |digits: &str| digits.len() < 8 && digits.bytes().all(|b| b.is_ascii_digit());
        let (least, most) = counts.split_once(',').unwrap_or((counts, counts));
        if !number(least) || !number(most) || least.len() + most.len() == 0 {
            return self.say((1, None), rest);
        }
        let braces = match (least, counts.contains(',')) {
            ("", true) => format!("{{0,{most}}}"),
            _ => format!("{{{counts}}}"),
        };
        let taken = counts.len() + 2;
        let once_more = match after.as_bytes().first() {
            Some(b'+') => "+",
            Some(b'?') if !counts.contains(',') => "?",
            _ => return self.say((taken, Some(braces)), rest),
        };
        self.said.insert_str(self.atom, "(?:");
        self.say((taken + 1, Some(format!("{braces}){once_more}"))), rest);
        // What repeats this again is refused: nobody writes it, and long rows of it would take forever.
        self.atom = self.said.len();
        taken + 1
    }
}

/// What a piece of a pattern takes, and other words for it.
type Piece = (usize, Option<String>);

fn escape(rest: &str, in_class: bool) -> Piece {
    let Some(escaped) = rest.chars().nth(1) else { return (1, None) };
    let plain = 1 + escaped.len_utf8();
    // `\p{L}`, `\x{2019}`: no quantifier.
    let braces = rest[plain..].strip_prefix('{').and_then(|inner| inner.find('}'));
    let taken = match braces {
        Some(end) if matches!(escaped, 'p' | 'P' | 'x') => plain + end + 2,
        _ => plain,
    };
    let words = match (escaped, in_class) {
        ('w', true) => Some(WORD.to_owned()),
        ('W', true) => Some(format!("[^{WORD}]")),
        ('w', false) => Some(format!("[{WORD}{LATIN}]")),
        ('W', false) => Some(format!("[^{WORD}{LATIN}]")),
        ('b', false) => Some(boundary("(?!", "(?=")),
        ('B', false) => Some(boundary("(?=", "(?!")),
        ('Z', false) => Some(TEXT_END.to_owned()),
        ('R', false) => Some(LINE_BREAK.to_owned()),
        ('<' | '>', _) => Some(escaped.to_string()),
        ('p' | 'P', _) if taken > plain && rest[plain..].starts_with("{^") => {
            let other = if escaped == 'p' { 'P' } else { 'p' };
            Some(format!("\\{other}{{{}", &rest[plain + 2..taken]))
        }
        _ => None,
    };
    (taken, words)
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

/// `[:name:]` within a class, or `[:^name:]`; anything else is a class within the class.
fn posix(rest: &str) -> Option<Piece> {
    let inner = rest.strip_prefix("[:")?;
    let (negated, inner) = inner.strip_prefix('^').map_or((false, inner), |inner| (true, inner));
    let letters = inner.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (name, after) = inner.split_at(letters);
    after.strip_prefix(":]")?;
    let taken = 2 + usize::from(negated) + letters + 2;
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
        _ => return Some((taken, None)),
    };
    Some((taken, Some(if negated { format!("[^{set}]") } else { set.to_owned() })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_read_alike_stays() {
        for pattern in [
            r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
            r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|\s*[\r\n]+",
            r"(?<year>\d{4})(?=-)(?:a|b)++[a-z&&[^x]]x{2,}?",
            "[[:ascii:]]\\",
            "",
        ] {
            assert_eq!(translate(pattern), pattern);
        }
    }

    #[test]
    fn what_is_broken_stays_broken_and_ends() {
        for pattern in [
            "[[:]a]",
            r"[\w[:]]+",
            "[[:alpha:]",
            "[:alpha:]",
            "{1}+",
            "(((",
            ")))",
            "a{",
            "(?#",
            "(?i",
            r"\p{",
            r"\p{^",
        ] {
            translate(pattern);
        }
        for piece in ["(", "[", "[:", "(?i)", "{1}+", "(?#"] {
            translate(&piece.repeat(20_000));
        }
    }
}
