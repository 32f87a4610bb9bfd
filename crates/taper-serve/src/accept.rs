//! What a client would rather have, by its `accept`.

use std::cmp::Reverse;

use axum::http::{HeaderMap, header};

/// Whether `other` is to be answered in place of `usual`, the form without an `accept`: if its q-value is the higher one,
/// or as high and its range stands first. Each has the q-value of the narrowest range that it is in; of several, the
/// highest. Parameters but `q` are passed over, and ranges whose `q` is no number from 0 to 1. Who accepts neither gets
/// the usual.
pub(crate) fn prefers(headers: &HeaderMap, other: &str, usual: &str) -> bool {
    let other = rank(headers, other);
    other > rank(headers, usual) && other.0 > 0
}

/// How much a type is wanted: thousandths of its q-value, then how early its range stands.
type Rank = (u16, Reverse<usize>);

fn rank(headers: &HeaderMap, kind: &str) -> Rank {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = values.flat_map(|value| value.split(',')).enumerate();
    let ranks = ranges.filter_map(|(at, range)| {
        let mut parts = range.split(';').map(str::trim);
        let width = width(parts.next()?, kind)?;
        let q = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        Some((Reverse(width), quality(q.unwrap_or("1"))?, Reverse(at)))
    });
    ranks.max().map_or((0, Reverse(usize::MAX)), |(_, quality, at)| (quality, at))
}

/// How wide a range is, if `kind` is in it: 0 for the type itself.
fn width(range: &str, kind: &str) -> Option<u8> {
    let (main, _) = kind.split_once('/')?;
    let (range_main, range_sub) = range.split_once('/')?;
    if range.eq_ignore_ascii_case(kind) {
        Some(0)
    } else if range_sub != "*" {
        None
    } else if range_main.eq_ignore_ascii_case(main) {
        Some(1)
    } else {
        (range_main == "*").then_some(2)
    }
}

fn quality(q: &str) -> Option<u16> {
    let q: f32 = q.parse().ok()?;
    (0.0..=1.0).contains(&q).then(|| (q * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn page(accepts: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for accept in accepts {
            headers.append(header::ACCEPT, HeaderValue::from_static(accept));
        }
        prefers(&headers, "text/html", "application/json")
    }

    #[test]
    fn the_higher_quality_wins_then_who_stands_first() {
        for accept in [
            "text/html",
            "TEXT/HTML",
            "text/html; charset=utf-8",
            "text/html, application/json",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "application/json;q=0.8, text/html;q=0.9",
            "application/json ; q=0.8 , text/html ; Q=0.801",
            "text/*, application/json;q=0.5",
            "*/*;q=0.1, text/html;q=0.2",
            "application/json;q=0, */*",
            "application/json;q=2, text/html;q=0.1",
            "text/html;level=1;q=0.4, text/html;q=0.7, application/json;q=0.5",
        ] {
            assert!(page(&[accept]), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "application/json",
            "application/json, text/html",
            "*/*, text/html",
            "text/html;q=0",
            "text/html;q=0.000, */*;q=0.1",
            "text/html;q=0.8, application/json;q=0.9",
            "text/html;q=0.5, application/*",
            "text/html;q=0, text/*;q=1",
            "text/html;q=x",
            "text/html;q=-1",
            "text/html;q=NaN",
            "text/htmlx",
            "x-text/html",
            "text",
            "image/png",
            ",;,/,",
        ] {
            assert!(!page(&[accept]), "{accept}");
        }
        assert!(
            page(&["image/png", "text/html"]) && page(&["application/json;q=0.1", "text/html"])
        );
        assert!(!page(&[]) && !page(&["application/json", "text/html"]));
    }
}
