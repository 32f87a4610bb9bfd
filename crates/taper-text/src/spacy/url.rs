//! Whether a whole chunk is an address on the web: spaCy's `URL_PATTERN`, read from left to right once.
//!
//! ```text
//! address = [ scheme "://" ] [ any+ "@" ] ( ip | host ) [ ":" digit{2,5} ] [ ("/" | "?" | "#") any* ]
//! scheme  = ( letter or number | "_" | "+" | "-" | "." ){2,}
//! host    = ( label "." )+ al{2,63}
//! label   = x | x ( x | "_" | "-" ){0,62} x            x = [A-Za-z0-9\u00a1-\uffff]
//! ip      = [1-9]… 1 to 223, two octets, 1 to 254; not 10.… 127.… 169.254.… 192.168.… 172.16.… to 172.31.…
//! ```

use unicode_normalization_alignments::char::is_combining_mark;

use super::class::{Class, Classes};

/// Whether spaCy would leave this chunk, which holds no white space, whole.
pub(super) fn is_address(chunk: &str, classes: &Classes) -> bool {
    // What precedes "@" may be anything, a scheme too.
    let scheme = chunk
        .split_once("://")
        .filter(|(scheme, _)| scheme.chars().nth(1).is_some() && scheme.chars().all(is_of_scheme))
        .map(|(_, rest)| rest);
    let users = chunk.match_indices('@').filter(|(at, _)| *at > 0).map(|(at, _)| &chunk[at + 1..]);
    std::iter::once(chunk).chain(scheme).chain(users).any(|rest| is_place(rest, classes))
}

fn is_of_scheme(character: char) -> bool {
    // Python's \w: letters and numbers, but neither marks nor the circled letters that Unicode calls alphabetic.
    let circled = matches!(character, 'Ⓐ'..='ⓩ' | '\u{1f130}'..='\u{1f149}' | '\u{1f150}'..='\u{1f169}' | '\u{1f170}'..='\u{1f189}');
    matches!(character, '_' | '+' | '-' | '.')
        || character.is_alphanumeric() && !is_combining_mark(character) && !circled
}

fn is_of_label(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '\u{a1}'..='\u{ffff}')
}

/// A host or IP number, then a port and a path, which may be missing.
fn is_place(text: &str, classes: &Classes) -> bool {
    let digit = |character: char| classes.of(character).is(Class::ANY_DIGIT);
    let of_top = |character: char| classes.of(character).is(Class::LOWER.or(Class::ANY_DIGIT));
    let of_host = |character: char| {
        is_of_label(character) || matches!(character, '_' | '-' | '.') || of_top(character)
    };
    let end = text.find(|character| !of_host(character)).unwrap_or(text.len());
    let (host, mut rest) = text.split_at(end);
    if !is_host(host, classes) && !is_public_ip(host, digit) {
        return false;
    }
    if let Some(port) = rest.strip_prefix(':') {
        let end = port.find(|character| !digit(character)).unwrap_or(port.len());
        if !(2..=5).contains(&port[..end].chars().count()) {
            return false;
        }
        rest = &port[end..];
    }
    rest.is_empty() || rest.starts_with(['/', '?', '#'])
}

fn is_host(host: &str, classes: &Classes) -> bool {
    let Some((labels, top)) = host.rsplit_once('.') else { return false };
    let label = |label: &str| {
        let inner = |character| is_of_label(character) || matches!(character, '_' | '-');
        label.starts_with(is_of_label)
            && label.ends_with(is_of_label)
            && label.chars().all(inner)
            && label.chars().nth(64).is_none()
    };
    (2..=63).contains(&top.chars().take(64).count())
        && top.chars().all(|character| classes.of(character).is(Class::LOWER))
        && labels.split('.').all(label)
}

fn is_public_ip(host: &str, digit: impl Fn(char) -> bool) -> bool {
    let octets: Vec<Vec<char>> =
        host.splitn(5, '.').map(|octet| octet.chars().take(4).collect()).collect();
    let [first, second, third, fourth] = octets.as_slice() else { return false };
    // 1 to 99 without a leading zero, then 100 to 199: what the first and the last have in common.
    let common = |octet: &[char]| match octet {
        ['1'..='9'] => true,
        ['1'..='9', one] => digit(*one),
        ['1', tens, one] => digit(*tens) && digit(*one),
        _ => false,
    };
    let up_to_249 = |octet: &[char]| matches!(octet, ['2', '0'..='4', one] if digit(*one));
    let first_fits = common(first)
        || matches!(first.as_slice(), ['2', '0' | '1', one] if digit(*one))
        || matches!(first.as_slice(), ['2', '2', '0'..='3']);
    let middle_fits = |octet: &[char]| {
        let short = (1..=2).contains(&octet.len()) || octet.len() == 3 && octet[0] == '1';
        short && octet.iter().copied().all(&digit)
            || up_to_249(octet)
            || matches!(octet, ['2', '5', '0'..='5'])
    };
    let last_fits =
        common(fourth) || up_to_249(fourth) || matches!(fourth.as_slice(), ['2', '5', '0'..='4']);
    let private = match (first.as_slice(), second.as_slice()) {
        (['1', '0'] | ['1', '2', '7'], _)
        | (['1', '6', '9'], ['2', '5', '4'])
        | (['1', '9', '2'], ['1', '6', '8'])
        | (['1', '7', '2'], ['1', '6'..='9'] | ['3', '0' | '1']) => true,
        (['1', '7', '2'], ['2', last]) => digit(*last),
        _ => false,
    };
    first_fits && middle_fits(second) && middle_fits(third) && last_fits && !private
}
