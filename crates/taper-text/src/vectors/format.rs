//! Which format a stream of vectors is in, told by its first bytes; and what is no vector file at all, by its name.

use serde::{Deserialize, Serialize};

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum VectorFormat {
    /// GloVe's text: a word and its numbers a line.
    Glove,
    /// word2vec's text, and fastText's `.vec`: the same below a line of two numbers, rows and dimensions.
    Word2vecText,
    /// word2vec's binary: the same first line, then each word and its numbers as bytes.
    Word2vecBinary,
    /// A safetensors matrix and its list of words.
    Safetensors,
}

/// What a file of vectors was found to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReport {
    /// Its format.
    pub format: VectorFormat,
    /// Rows in it, wanted or not.
    pub rows: u64,
    /// Rows whose word was wanted, but had a vector from an earlier row: the first one stays.
    pub duplicates: u64,
    /// Rows passed over because their word is not UTF-8 (the well-known file of Google News has some).
    pub not_utf8: u64,
}

/// The first line of word2vec's formats: `rows " " dimensions [ " " ] [ "\r" ] "\n"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Rows announced.
    pub(super) rows: u64,
    /// Numbers a row announced.
    pub(super) dimensions: u64,
    /// Bytes of the line, its end included.
    pub(super) length: usize,
}

/// What the first bytes are the start of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Text(Option<Header>),
    Binary(Header),
    /// Nothing that is read here: what it seems to be.
    Other(&'static str),
}

/// The mark that some Windows programs put before UTF-8 text.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Content {
    /// Tells from `head`, the first bytes behind a byte order mark.
    pub(super) fn of(head: &[u8], dimensions: usize) -> Content {
        let start = head.trim_ascii_start();
        let lower = start[..start.len().min(16)].to_ascii_lowercase();
        let markup = [&b"<!doctype"[..], b"<html", b"<?xml"];
        match head {
            [0x1f, 0x8b, ..] | [b'P', b'K', 3, 4, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                return Content::Other("a compressed file inside a compressed file");
            }
            [0xba, 0x16, 0x4f, 0x2f, ..] => {
                return Content::Other("a fastText model (its vectors are in the .vec beside it)");
            }
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Content::Other("UTF-16 text"),
            _ if head.starts_with(b"version https://git-lfs") => {
                return Content::Other("a git-lfs pointer (the file itself was not downloaded)");
            }
            _ if markup.iter().any(|mark| lower.starts_with(mark)) => {
                return Content::Other(
                    "an HTML or XML page (an error page saved in the file's place?)",
                );
            }
            _ if head.get(257..262) == Some(b"ustar") => {
                return Content::Other("a tar archive (unpack it first)");
            }
            _ => {}
        }
        let header = Header::of(head, dimensions);
        match header {
            Some(header) if is_binary(head.get(header.length..).unwrap_or_default()) => {
                Content::Binary(header)
            }
            None if head.contains(&0) => Content::Other("binary data"),
            _ => Content::Text(header),
        }
    }
}

impl Header {
    fn of(head: &[u8], dimensions: usize) -> Option<Header> {
        // Two numbers of twenty digits and what is between and behind them.
        let end = memchr::memchr(b'\n', head.get(..48).unwrap_or(head))?;
        let line = std::str::from_utf8(head.get(..end)?).ok()?;
        let (rows, width) = line.strip_suffix('\r').unwrap_or(line).trim_end().split_once(' ')?;
        let whole = |field: &str| {
            field.bytes().all(|byte| byte.is_ascii_digit()).then(|| field.parse::<u64>().ok())?
        };
        let header = Header { rows: whole(rows)?, dimensions: whole(width)?, length: end + 1 };
        // With one number a word, `7 2` may as well be the word 7.
        (dimensions != 1 || header.dimensions == 1).then_some(header)
    }
}

/// Whether bytes stand below a header and not text. In text, half of what follows the first word are numbers; where they
/// are not, it is a bad line if all the rest looks like text.
fn is_binary(rows: &[u8]) -> bool {
    let line = rows.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or_default();
    let fields = line.trim_ascii_end().split(|byte| *byte == b' ').skip(1);
    let (mut all, mut numbers) = (0, 0);
    for field in fields {
        all += 1;
        let number = std::str::from_utf8(field).is_ok_and(|field| field.parse::<f32>().is_ok());
        numbers += usize::from(number);
    }
    (numbers == 0 || 2 * numbers < all) && !looks_like_text(rows)
}

fn looks_like_text(bytes: &[u8]) -> bool {
    let control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    let whole = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        // A character cut off at the end is no sign of anything.
        Err(error) => error.error_len().is_none(),
    };
    whole && !bytes.iter().any(control)
}
