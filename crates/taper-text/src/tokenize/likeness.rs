//! The `spacy` cut as patterns that a `tokenizer.json` can hold: a likeness, since no pattern peels a word from both ends.
//!
//! Chunks are read from left to right: a special case, something at the end, something in the middle, something at the
//! front, an address, or a run up to one of these. Where the scanner looks at a whole chunk, a look-ahead sees the rest of
//! it and a look-behind a few characters, which is why the two can differ:
//!
//! 1. more than 40 tokens at the end of a chunk, labels, users and schemes of addresses beyond a length;
//! 2. quotes, brackets and special cases right behind dots or dashes in the middle of a chunk (`time"..."Trigger`);
//! 3. special cases put together again, but for those that start a run (`Mr.Bean`, `'em--`, `:)And`);
//! 4. classes of characters: `\p{L}` and its kind for spaCy's lists of blocks, `\p{So}` for its symbols; Arabic and
//!    Cyrillic units.
//!
//! `tests/golden/against_spacy.py` counts the differences. Patterns keep to what fancy-regex and Oniguruma read alike,
//! and every repetition that another could meet is bounded or atomic.

use std::collections::BTreeMap;

use crate::spacy::{CURRENCY, PUNCTUATION, QUOTES, SpecialCase, special_cases};

/// White space as Python sees it, for a class.
const SPACE: &str = r"\x{9}-\x{d}\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}";
/// Letters: lower case, upper case; those without case are both.
const LOWER: &str = r"\p{Ll}\p{Lo}";
const UPPER: &str = r"\p{Lu}\p{Lo}";
/// What starts a token in the middle of a run; special cases and quotes right behind it are left alone.
const JOINTS: &[&str] = &[r"[\-–—~:<>=/,]", "--", "---", "——", "…"];
/// The units that come with Latin letters.
const UNITS: &str = "km²|km³|km/h|kmh|km|kg|kb|KB|mm²|mm³|mm|mg|mph|mbar|mb|m/s|m²|m³|m|dm²|dm³|dm|cm²|cm³|cm|ha|hPa|µm|µg|nm|yd|in|ft|\
    g|tb|t|lb|oz|Pa|MB|M|gb|GB|G|TB|T|K|%";

/// One space after a word, which is no token.
pub(super) fn gap() -> String {
    format!("(?<=[^{SPACE}]) ")
}

/// White space that is a token.
pub(super) fn space() -> String {
    format!("[{SPACE}]+")
}

/// A token within a chunk, or the white space between two.
pub(super) fn token() -> String {
    let (punctuation, quotes, currency) =
        (escaped(PUNCTUATION), escaped(QUOTES), escaped(CURRENCY));
    let infix = [
        r"\.\.+".to_owned(),
        r"(?<=[0-9])[+\-*^](?=[0-9\-])".to_owned(),
        format!(r"(?<=[{LOWER}{quotes}])\.(?=[{UPPER}{quotes}])"),
        r"(?<=\p{L}),(?=\p{L})".to_owned(),
        r"(?<=[\p{L}0-9])(?:-{1,3}|–|—{1,2}|~)(?=\p{L})".to_owned(),
        r"(?<=[\p{L}0-9])[:<>=/](?=\p{L})".to_owned(),
        r"[…\p{So}]".to_owned(),
    ];
    let infix = any(&infix);
    let suffix = [
        r"(?<!\.)\.\.+(?!\.)".to_owned(),
        "……".to_owned(),
        "['’][sS]".to_owned(),
        format!(r"[{punctuation}{quotes}\p{{So}}—–]"),
        r"(?<=[0-9])\+".to_owned(),
        r"(?<=°[FfCcKk])\.".to_owned(),
        format!(r"(?<=[0-9])(?:[{currency}]|US\$|C\$|A\$|{UNITS})(?!\p{{L}})"),
        format!(r"(?<=[0-9{LOWER}%²+\-|{punctuation}{quotes}])\."),
        format!(r"(?<=[{UPPER}][{UPPER}])\."),
    ];
    // Atomic: `…` and `……` would be tried in every combination.
    let suffix = format!("(?>{})", suffix.join("|"));
    let end = format!(r"{suffix}{{0,40}}\z");
    let loose: String = JOINTS
        .iter()
        .map(|joint| (*joint).to_owned())
        .chain((2..=8).map(|dots| format!(r"\.{{{dots}}}")))
        .map(|joint| format!(r"(?<![\p{{L}}0-9]{joint})"))
        .chain([format!(r"(?<![{LOWER}{quotes}]\.)")])
        .collect::<Vec<_>>()
        .concat();

    let cases: Vec<SpecialCase> = special_cases().collect();
    let whole = |rejoined| {
        let of_kind = |case: &&SpecialCase| case.tokens.len() == 1 && case.rejoined == rejoined;
        cases.iter().filter(of_kind).map(|case| case.tokens[0]).collect::<Vec<_>>()
    };
    let parted = |rejoined| {
        let of_kind = move |case: &&SpecialCase| case.tokens.len() > 1 && case.rejoined == rejoined;
        heads(
            cases.iter().filter(of_kind).map(|case| (case.tokens[0], case.tokens[1..].concat())),
            &end,
        )
    };
    let middles = cases.iter().flat_map(|case| {
        (1..case.tokens.len() - 1).map(|at| (case.tokens[at], case.tokens[at + 1..].concat()))
    });
    let abbreviations = whole(true).into_iter().filter_map(|case| case.strip_suffix('.'));
    let abbreviations = abbreviations.filter(|case| case.ends_with(char::is_lowercase));
    let marks = whole(true).into_iter().filter(|case| {
        let mark = |character| format!("{PUNCTUATION}{QUOTES}=%").contains(character);
        case.chars().nth(1).is_some() && case.chars().all(mark)
    });
    any(&[
        space(),
        format!(r"{}(?={end}|(?!\.){infix})", literals(whole(true))),
        format!(r"{}\.(?=[{UPPER}{quotes}])", literals(abbreviations)),
        parted(true),
        format!("{loose}{}(?={end})", literals(whole(false))),
        format!("{loose}{}", parted(false)),
        format!(r"(?<=\p{{L}}){}", heads(middles, &end)),
        format!(r"(?<=\p{{L}})['’](?:ve|m|ll|re|d|y)(?={end})"),
        format!("{suffix}(?={end})"),
        infix.clone(),
        format!("{loose}{}", literals(marks)),
        format!(r"{loose}[§%=—–{punctuation}{quotes}\p{{So}}{currency}]"),
        r"\+(?![0-9])|\.\.+|US\$|C\$|A\$".to_owned(),
        format!("{}(?={end})", address()),
        format!(r"(?:(?<![0-9])(?>[A-Za-z]+)|(?!{infix}|{suffix}{{1,40}}\z).)+"),
    ])
}

fn address() -> String {
    const LABEL: &str = r"A-Za-z0-9\x{a1}-\x{ffff}";
    let host =
        format!(r"(?:[{LABEL}](?:[{LABEL}_\-]{{0,62}}[{LABEL}])?\.){{1,9}}[{LOWER}]{{2,63}}");
    format!(
        r"(?:[\p{{L}}\p{{N}}_+\-.]{{2,20}}://)?(?:[^@]{{1,64}}@)?(?:{host}|[1-9][0-9]{{0,2}}(?:\.[0-9]{{1,3}}){{3}})(?::[0-9]{{2,5}})?(?:[/?#].*?)??"
    )
}

/// First tokens by what follows them, each where it and the end of the chunk follow.
fn heads<'c>(pairs: impl Iterator<Item = (&'c str, String)>, end: &str) -> String {
    let mut heads: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (head, tail) in pairs {
        heads.entry(tail).or_default().push(head);
    }
    let groups: Vec<String> = heads
        .into_iter()
        .map(|(tail, heads)| format!("{}(?={}{end})", literals(heads), escaped(&tail)))
        .collect();
    any(&groups)
}

/// Any of these texts, the longer first.
fn literals<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let mut texts: Vec<&str> = texts.into_iter().collect();
    texts.sort_unstable_by_key(|text| (std::cmp::Reverse(text.len()), *text));
    texts.dedup();
    any(&texts.into_iter().map(escaped).collect::<Vec<_>>())
}

fn any(patterns: &[String]) -> String {
    format!("(?:{})", patterns.join("|"))
}

/// The text for a pattern, within a class or without.
fn escaped(text: &str) -> String {
    let special = |character| r".*+?^$|()[]{}\-&~".contains(character);
    text.chars().flat_map(|one| special(one).then_some('\\').into_iter().chain([one])).collect()
}
