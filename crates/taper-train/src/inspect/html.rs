//! The page: the inspection's JSON with what draws it, in one file that fetches nothing.

use std::path::Path;

use super::document::Inspection;
use crate::{Error, Result, atomic};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/page.js");
const CHARTS: &str = include_str!("page/charts.js");

/// Writes [`page`] to a file: whole, or as it was before.
///
/// # Errors
/// A folder that cannot be written to.
pub fn write_page(path: &Path, inspection: &Inspection) -> Result<()> {
    atomic::write(path, page(inspection)?.as_bytes())
}

/// The page as one HTML document. Its element `data` holds the inspection as JSON, as `--json` prints it.
///
/// # Errors
/// Numbers that JSON does not have; an inspection holds none.
pub fn page(inspection: &Inspection) -> Result<String> {
    let data = serde_json::to_string(inspection)
        .map_err(|error| Error::run(Path::new("page"), format!("cannot be written: {error}")))?;
    let mut page = String::with_capacity(data.len() + data.len() / 8 + 40_000);
    let mut rest = PAGE;
    // One pass over the template: what is put in is not looked at again.
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        page.push_str(before);
        match name {
            "style" => page.push_str(STYLE),
            "script" => [CHARTS, SCRIPT].into_iter().for_each(|part| page.push_str(part)),
            "data" => push_in_script(&mut page, &data),
            _ => {}
        }
        rest = after;
    }
    page.push_str(rest);
    Ok(page)
}

/// JSON that is the same JSON, and that no HTML parser takes for the end of its element: these characters stand in
/// strings alone.
fn push_in_script(page: &mut String, json: &str) {
    for character in json.chars() {
        match character {
            '<' => page.push_str("\\u003c"),
            '>' => page.push_str("\\u003e"),
            '&' => page.push_str("\\u0026"),
            '\u{2028}' => page.push_str("\\u2028"),
            '\u{2029}' => page.push_str("\\u2029"),
            other => page.push(other),
        }
    }
}
