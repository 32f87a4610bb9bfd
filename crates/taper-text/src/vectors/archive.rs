//! A zip file: which of its members holds the vectors.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use super::source::{BUFFER, Origin};
use crate::error::Result;

/// What vectors are called in archives.
const EXTENSIONS: [&str; 3] = ["txt", "vec", "bin"];

/// How many members an error names.
const NAMED: usize = 20;

/// Hands the member called `member`, or the one that must be meant, to `visit`.
pub(super) fn read(
    file: File,
    origin: &Origin<'_>,
    member: Option<&str>,
    dimensions: usize,
    visit: &mut dyn FnMut(&mut dyn Read, &Origin<'_>) -> Result<()>,
) -> Result<()> {
    let damaged = |error: ZipError| {
        origin.whole(format!("a zip that cannot be read ({error})"), "a whole zip file")
    };
    let mut archive = ZipArchive::new(BufReader::with_capacity(BUFFER, file)).map_err(damaged)?;
    let names: Vec<_> =
        archive.file_names().collect::<std::result::Result<_, _>>().map_err(damaged)?;
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let name = choose(&names, origin, member, dimensions)?;
    let within = Origin { path: origin.path, member: Some(&name) };
    let mut entry = archive.by_name(&name).map_err(damaged)?;
    visit(&mut entry, &within)
}

fn choose(
    names: &[&str],
    origin: &Origin<'_>,
    member: Option<&str>,
    dimensions: usize,
) -> Result<String> {
    let found = || match names {
        [] => "a zip with no members".to_owned(),
        [..] if names.len() <= NAMED => format!("a zip with {}", names.join(", ")),
        [..] => format!("a zip with {} and more", names[..NAMED].join(", ")),
    };
    if let Some(member) = member {
        let present = names.contains(&member);
        return if present {
            Ok(member.to_owned())
        } else {
            Err(origin.whole(found(), format!("the member {member}")))
        };
    }
    // What macOS adds beside each file holds no vectors.
    let candidates: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| {
            let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
            extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
        })
        .filter(|name| !name.starts_with("__MACOSX/"))
        .collect();
    if let [only] = candidates[..] {
        return Ok(only.to_owned());
    }
    let ending = format!(".{dimensions}d.txt");
    let fitting: Vec<&str> =
        candidates.iter().copied().filter(|name| name.ends_with(&ending)).collect();
    if let [only] = fitting[..] {
        return Ok(only.to_owned());
    }
    Err(origin.whole(
        found(),
        format!(
            "a single .txt, .vec or .bin member, or one that ends in {ending}: name the member"
        ),
    ))
}
