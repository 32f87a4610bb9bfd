//! Where the lines come from: a text file, or a zip, gzip or Zstandard file around it, told by the first bytes.

use std::fs::File;
use std::io::{BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use super::BUFFER;
use crate::error::{Error, Result};

/// What errors name.
pub(super) struct Origin<'a> {
    pub(super) path: &'a Path,
    pub(super) member: Option<&'a str>,
}

const EXPECTED: &str = "word vectors as text, or in a .zip, .gz or .zst file";

/// Opens the file, finds the text in it and hands it to `visit`.
pub(super) fn read(
    path: &Path,
    member: Option<&str>,
    dimensions: usize,
    visit: &mut dyn FnMut(&mut dyn Read, &Origin<'_>) -> Result<()>,
) -> Result<()> {
    let failed = |source: std::io::Error| Error::Io { path: path.to_owned(), source };
    let origin = Origin { path, member: None };
    let mut file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(origin.whole("a folder", EXPECTED));
    }
    let mut start = Vec::new();
    file.by_ref().take(512).read_to_end(&mut start).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let kind = Kind::of(&start);
    if let (Some(member), false) = (member, matches!(kind, Kind::Zip)) {
        let expected = format!("a zip file, since the member {member} is asked for");
        return Err(origin.whole(kind.describe(), expected));
    }
    match kind {
        Kind::Text => visit(&mut file, &origin),
        // One .gz may hold several streams after one another.
        Kind::Gzip => visit(
            &mut flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(BUFFER, file)),
            &origin,
        ),
        Kind::Zstandard => visit(&mut zstd::Decoder::new(file).map_err(failed)?, &origin),
        Kind::Zip => read_member(file, &origin, member, dimensions, visit),
        other => Err(origin.whole(other.describe(), EXPECTED)),
    }
}

fn read_member(
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
    let found = || {
        format!(
            "a zip with {}",
            if names.is_empty() { "no members".to_owned() } else { names.join(", ") }
        )
    };
    if let Some(member) = member {
        let present = names.contains(&member);
        return if present {
            Ok(member.to_owned())
        } else {
            Err(origin.whole(found(), format!("the member {member}")))
        };
    }
    // What macOS adds beside each file is no text.
    let texts: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "txt"))
        .filter(|name| !name.starts_with("__MACOSX/"))
        .collect();
    if let [only] = texts[..] {
        return Ok(only.to_owned());
    }
    let ending = format!(".{dimensions}d.txt");
    let fitting: Vec<&str> = texts.iter().copied().filter(|name| name.ends_with(&ending)).collect();
    if let [only] = fitting[..] {
        return Ok(only.to_owned());
    }
    Err(origin.whole(
        found(),
        format!("a single .txt member, or one that ends in {ending}: name the member"),
    ))
}

/// What the first bytes of a file say it is.
enum Kind {
    Text,
    Zip,
    Gzip,
    Zstandard,
    Empty,
    Markup,
    LfsPointer,
    Binary,
}

impl Kind {
    fn of(start: &[u8]) -> Kind {
        let lower = start.trim_ascii_start().to_ascii_lowercase();
        match start {
            [] => Kind::Empty,
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Kind::Zip,
            [0x1f, 0x8b, ..] => Kind::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Kind::Zstandard,
            _ if start.starts_with(b"version https://git-lfs") => Kind::LfsPointer,
            _ if [&b"<!doctype"[..], b"<html", b"<?xml"]
                .iter()
                .any(|mark| lower.starts_with(mark)) =>
            {
                Kind::Markup
            }
            _ if start.contains(&0) => Kind::Binary,
            _ => Kind::Text,
        }
    }

    fn describe(&self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Zip => "a zip file",
            Kind::Gzip => "a gzip file",
            Kind::Zstandard => "a Zstandard file",
            Kind::Empty => "an empty file",
            Kind::Markup => "an HTML or XML page (an error page saved in the file's place?)",
            Kind::LfsPointer => "a git-lfs pointer (the file itself was not downloaded)",
            Kind::Binary => "binary data",
        }
    }
}
