//! Word vectors from files: which formats there are, and the one door to them.
//!
//! | format | what it is | its room |
//! | --- | --- | --- |
//! | GloVe | text: a word and its numbers a line | `text` |
//! | word2vec text, fastText `.vec` | the same below a line `rows dimensions` | `text` |
//! | word2vec binary | that line, then words and bytes | `binary` |
//! | safetensors | a matrix, and a list of its words | `matrix` |
//!
//! Each room begins with its grammar. All but the last may lie in a zip, gzip or Zstandard file.

mod archive;
mod binary;
mod format;
mod intake;
mod matrix;
mod parse;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod text;

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

pub use format::{FileReport, VectorFormat};
pub use table::Vectors;

use crate::error::Result;
use format::{BYTE_ORDER_MARK, Content};
use intake::Intake;
use source::{BUFFER, Origin};

/// Reads the vectors of the wanted words from a file, and says what the file was.
///
/// Its first bytes say what it is, not its name: text as GloVe, word2vec or fastText write it, or word2vec's binary
/// format, plain or in a zip, gzip or Zstandard file; or a safetensors file. In a zip, `member` names the entry;
/// without it, it is the only `.txt`, `.vec` or `.bin`, or else the one that ends in `.{dimensions}d.txt`. A
/// safetensors file has the matrix as its tensor `embeddings` (or its only one), `[rows, dimensions]` as F32, F16, BF16
/// or F64, and the words in its metadata under `words`, a JSON array, or in a `words.txt` beside it, a word a line.
///
/// A word in text may contain spaces: a line is split from the right. Of every row the width is checked; the numbers
/// of wanted words are parsed. The first row of a word counts.
///
/// # Errors
/// [`Error::VectorLine`](crate::Error::VectorLine) and [`Error::VectorRow`](crate::Error::VectorRow) name the first
/// bad line or row: too few or too many numbers, a number that is none or not finite, no word, data that break off.
/// [`Error::VectorFile`](crate::Error::VectorFile) for what is wrong with a file as a whole: more or fewer rows than
/// its header or list of words has, another dimension, an error page, a git-lfs pointer, an empty file.
pub fn read_vectors(
    path: &Path,
    member: Option<&str>,
    dimensions: usize,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<(Vectors, FileReport)> {
    let mut intake = Intake::new(dimensions, wanted)?;
    let origin = Origin { path, member: None };
    let mut file = source::open(&origin)?;
    if member.is_none() && matrix::is_one(&source::start(&mut file, 9, path)?) {
        matrix::read(&mut file, &origin, &mut intake)?;
        return Ok(intake.finish(VectorFormat::Safetensors));
    }
    let mut format = VectorFormat::Glove;
    source::unpack(file, &origin, member, dimensions, &mut |stream, origin| {
        format = read_stream(stream, origin, &mut intake)?;
        Ok(())
    })?;
    Ok(intake.finish(format))
}

/// The file of words that a file of vectors may need beside it: what else a fingerprint of the vectors must know.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) where the file cannot be read.
pub fn words_beside(path: &Path) -> Result<Option<PathBuf>> {
    let mut file = source::open(&Origin { path, member: None })?;
    let words = matrix::word_file(path);
    let needed = matrix::is_one(&source::start(&mut file, 9, path)?) && words.exists();
    Ok(needed.then_some(words))
}

/// How much of a stream is looked at before it is read.
const HEAD: u64 = 1 << 16;

fn read_stream(
    stream: &mut dyn Read,
    origin: &Origin<'_>,
    intake: &mut Intake<'_>,
) -> Result<VectorFormat> {
    let mut head = Vec::new();
    Read::take(&mut *stream, HEAD).read_to_end(&mut head).map_err(|error| {
        origin.whole(
            format!("data that cannot be read ({error})"),
            "whole data: is the file truncated or damaged?",
        )
    })?;
    if head.is_empty() {
        return Err(origin.whole("an empty file", EXPECTED));
    }
    let head = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&head);
    let content = Content::of(head, intake.dimensions());
    if let Content::Text(Some(header)) | Content::Binary(header) = content
        && header.dimensions != intake.dimensions() as u64
    {
        let found = format!("vectors of {} numbers (its first line says)", header.dimensions);
        return Err(origin.whole(found, format!("{} numbers", intake.dimensions())));
    }
    let behind_header = match content {
        Content::Binary(header) => head.get(header.length..).unwrap_or_default(),
        _ => head,
    };
    let mut reader = BufReader::with_capacity(BUFFER, behind_header.chain(stream));
    match content {
        Content::Other(found) => Err(origin.whole(found, EXPECTED)),
        Content::Binary(header) => {
            binary::read(&mut reader, header, origin, intake)?;
            Ok(VectorFormat::Word2vecBinary)
        }
        Content::Text(header) => {
            text::read(&mut reader, header, origin, intake)?;
            Ok(header.map_or(VectorFormat::Glove, |_| VectorFormat::Word2vecText))
        }
    }
}

const EXPECTED: &str = "word vectors: GloVe's or word2vec's text, plain or in a .zip, .gz or .zst, word2vec's binary \
                        format, or a safetensors matrix";
