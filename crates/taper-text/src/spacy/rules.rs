//! spaCy's rules for English: what is cut off the front of a chunk, off its end, and out of its middle.
//!
//! A chunk is what stands between white space. Its special cases are in `exceptions.txt`, its letters in `alphabet.rs`;
//! all else that spaCy writes down in `lang/punctuation.py`, `lang/char_classes.py` and `lang/en/punctuation.py` is here.
//! Each rule is quoted as spaCy has it, and answered for by the code below it. `a` stands for a letter, `al` for a
//! lower-case, `au` for an upper-case one (letters without case are both), `q` for a quote.

use foldhash::HashSet;

use super::class::{Class, Classes};

/// Tokens of their own at either end of a chunk.
pub(crate) const PUNCTUATION: &str = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪";

/// Quotes and the brackets of other scripts, at either end too.
pub(crate) const QUOTES: &str = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉⟦⟧\u{2329}\u{232a}";

/// At the front: these as well, and [`CURRENCY`].
pub(super) const PREFIXES: &str = "§%=—–";

/// At the end: these as well.
pub(super) const SUFFIXES: &str = "—–";

/// At the front, and at the end after a digit.
pub(crate) const CURRENCY: &str = "$£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫€₭₮₯₰₱₲₳₴₵₶₷₸₹₺₻₼₽₾₿";

/// Written with letters; where [`CURRENCY`] is.
const DOLLARS: [&str; 3] = ["US$", "C$", "A$"];

/// At the end after a digit. (`тбكم` is spaCy's: two of its lines meet there.)
const UNITS: &str = "km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh \
    mph hPa Pa mbar mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм кг г мг м/с \
    км/ч кПа Па мбар Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ тбكم كم² كم³ م م² م³ سم سم² سم³ مم مم² مم³ كم غرام جرام جم كغ ملغ \
    كوب اكواب";

/// A full stop that ends a chunk is apart after these, [`PUNCTUATION`], [`QUOTES`], digits and lower-case letters. (The
/// bar is spaCy's: a list joined for an alternation, used as a class.)
pub(super) const BEFORE_STOP: &str = "%²-+|";

/// The rules, ready to be asked.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) classes: Classes,
    /// [`UNITS`], [`DOLLARS`] and [`CURRENCY`].
    after_digit: HashSet<String>,
    /// The longest of them, in bytes.
    longest_after_digit: usize,
}

impl Rules {
    pub(super) fn new() -> Rules {
        let after_digit: HashSet<String> = UNITS
            .split(' ')
            .chain(DOLLARS)
            .map(str::to_owned)
            .chain(CURRENCY.chars().map(String::from))
            .collect();
        let longest_after_digit = after_digit.iter().map(String::len).max().unwrap_or(0);
        Rules { classes: Classes::new(), after_digit, longest_after_digit }
    }

    /// Whether any rule would take this apart.
    pub(super) fn apply(&self, chunk: &str) -> bool {
        self.prefix(chunk) > 0 || self.suffix(chunk) > 0 || self.infix(chunk, 0).is_some()
    }

    /// The bytes to cut off the front as one token; 0 for none.
    pub(super) fn prefix(&self, chunk: &str) -> usize {
        match chunk.as_bytes() {
            // \.\.+
            [b'.', ..] => Some(leading(chunk, '.')).filter(|dots| *dots > 1).unwrap_or(0),
            // \+(?![0-9])
            [b'+', next, ..] if next.is_ascii_digit() => 0,
            [b'+', ..] => 1,
            // US\$ C\$ A\$
            [b'U' | b'C' | b'A', ..] => DOLLARS
                .iter()
                .find(|dollar| chunk.starts_with(**dollar))
                .map_or(0, |dollar| dollar.len()),
            _ => match chunk.chars().next() {
                Some(first) if self.classes.of(first).is(Class::PREFIX) => first.len_utf8(),
                _ => 0,
            },
        }
    }

    /// The bytes to cut off the end as one token; 0 for none. Where several rules apply, the longest wins.
    pub(super) fn suffix(&self, chunk: &str) -> usize {
        let bytes = chunk.as_bytes();
        let mut before = chunk.chars();
        let Some(last) = before.next_back() else { return 0 };
        let fixed = match last {
            '.' => self.stop(chunk, before),
            // 's 'S ’s ’S
            's' | 'S' if matches!(before.clone().next_back(), Some('\'' | '’')) => {
                1 + before.next_back().map_or(0, char::len_utf8)
            }
            // (?<=[0-9])\+
            '+' => usize::from(self.classes.are(before.next_back(), Class::DIGIT)),
            // …… before …
            '…' if before.next_back() == Some('…') => 2 * '…'.len_utf8(),
            _ if self.classes.of(last).is(Class::SUFFIX) => last.len_utf8(),
            _ => 0,
        };
        // (?<=[0-9])(?:UNITS) and (?<=[0-9])(?:CURRENCY)
        let digit =
            bytes.iter().rev().take(self.longest_after_digit + 1).position(u8::is_ascii_digit);
        match digit {
            Some(unit)
                if unit > fixed && self.after_digit.contains(&chunk[bytes.len() - unit..]) =>
            {
                unit
            }
            _ => fixed,
        }
    }

    /// The full stops at the end.
    fn stop(&self, chunk: &str, mut before: std::str::Chars<'_>) -> usize {
        // \.\.+
        let dots = chunk.bytes().rev().take_while(|byte| *byte == b'.').count();
        if dots > 1 {
            return dots;
        }
        let (last, second) = (before.next_back(), before.next_back());
        // (?<=[0-9 al % ² - + PUNCTUATION QUOTES])\.
        let apart = self.classes.are(last, Class::BEFORE_STOP)
            // (?<=[au][au])\.
            || self.classes.are(last, Class::UPPER) && self.classes.are(second, Class::UPPER)
            // (?<=°[FfCcKk])\.
            || second == Some('°') && matches!(last, Some('F' | 'f' | 'C' | 'c' | 'K' | 'k'));
        usize::from(apart)
    }

    /// The first token at or after `from` that stands in the middle of a chunk, as start and end.
    pub(super) fn infix(&self, chunk: &str, from: usize) -> Option<(usize, usize)> {
        let bytes = chunk.as_bytes();
        let mut at = from;
        while at < bytes.len() {
            let byte = bytes[at];
            if !MAY_BE_INFIX[usize::from(byte)] {
                at += 1;
                continue;
            }
            match self.infix_at(chunk, at) {
                0 => at += chunk[at..].chars().next().map_or(1, char::len_utf8),
                found => return Some((at, at + found)),
            }
        }
        None
    }

    /// The bytes of the infix that starts here; 0 for none.
    fn infix_at(&self, chunk: &str, at: usize) -> usize {
        let (before, rest) = chunk.split_at(at);
        let Some(first) = rest.chars().next() else { return 0 };
        let before = || before.chars().next_back();
        let after = |length: usize| rest[length..].chars().next();
        let is = |character, class| self.classes.are(character, class);
        let (letter, alphanumeric) = (Class::LETTER, Class::LETTER.or(Class::DIGIT));
        match first {
            // \.\.+ and (?<=[al q])\.(?=[au q])
            '.' => match leading(rest, '.') {
                1 if is(before(), Class::LOWER.or(Class::QUOTE))
                    && is(after(1), Class::UPPER.or(Class::QUOTE)) =>
                {
                    1
                }
                1 => 0,
                dots => dots,
            },
            // (?<=[0-9])[+\-\*^](?=[0-9-])
            '+' | '-' | '*' | '^'
                if is(before(), Class::DIGIT)
                    && (is(after(1), Class::DIGIT) || after(1) == Some('-')) =>
            {
                1
            }
            // (?<=[a0-9])(?:-|–|—|--|---|——|~)(?=[a])
            '-' | '–' | '—' | '~' if is(before(), alphanumeric) => {
                let hyphens = leading(rest, first);
                let longest = match first {
                    '-' => 3,
                    '—' => 2,
                    _ => 1,
                };
                let within = hyphens <= longest * first.len_utf8() && is(after(hyphens), letter);
                if within { hyphens } else { 0 }
            }
            // (?<=[a]),(?=[a])
            ',' => usize::from(is(before(), letter) && is(after(1), letter)),
            // (?<=[a0-9])[:<>=/](?=[a])
            ':' | '<' | '>' | '=' | '/' => {
                usize::from(is(before(), alphanumeric) && is(after(1), letter))
            }
            // … and ICONS
            _ if self.classes.of(first).is(Class::INFIX) => first.len_utf8(),
            _ => 0,
        }
    }
}

/// The bytes in which an infix may begin: its ASCII characters, and the first byte of any other character.
const MAY_BE_INFIX: [bool; 256] = {
    let mut table = [false; 256];
    let ascii = b".,+-*^~:<>=/";
    let mut at = 0;
    while at < ascii.len() {
        table[ascii[at] as usize] = true;
        at += 1;
    }
    at = 0xc2;
    while at < table.len() {
        table[at] = true;
        at += 1;
    }
    table
};

/// The bytes of the run of one character that a text starts with.
fn leading(text: &str, character: char) -> usize {
    text.len() - text.trim_start_matches(character).len()
}
