//! A safetensors file with a matrix, and the list of its words. The layout:
//!
//! ```text
//! file   = length header data
//! length = eight bytes, the header's length, little-endian
//! header = JSON: the tensors' names, types, shapes and places in the data
//! matrix = the tensor `embeddings`, or the only one: F32, F16, BF16 or F64 [rows, dimensions], row-major
//! words  = the header's metadata entry `words`, a JSON array of strings;
//!          or the file `words.txt` in the same folder, a word a line
//! ```
//!
//! Word i belongs to row i. Of the matrix only the rows of wanted words are read.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::binary::decode;
use super::format::BYTE_ORDER_MARK;
use super::intake::Intake;
use super::source::Origin;
use crate::error::{Error, Result};

/// Bytes before the header.
const LENGTH: u64 = 8;
/// The longest header, as the `safetensors` crate has it.
const LONGEST_HEADER: u64 = 100_000_000;
const MATRIX: &str = "embeddings";
const WORDS: &str = "words";
const WORD_FILE: &str = "words.txt";

/// Whether a file that starts so is in this format.
pub(super) fn is_one(head: &[u8]) -> bool {
    matches!(head, [.., length, 0, 0, 0, 0, b'{'] if head.len() == 9 && *length < 6)
}

/// Where the words of a matrix are looked for if not in its header.
pub(super) fn word_file(path: &Path) -> PathBuf {
    path.with_file_name(WORD_FILE)
}

/// Reads the rows of wanted words.
pub(super) fn read(file: &mut File, origin: &Origin<'_>, intake: &mut Intake<'_>) -> Result<()> {
    let failed = |source| Error::Io { path: origin.path.to_owned(), source };
    let (metadata, data) = header(file, origin)?;
    let (name, tensor) = matrix(&metadata, origin)?;
    let dimensions = intake.dimensions();
    let &[rows, width] = &tensor.shape[..] else {
        let found = format!("`{name}` of shape {:?}", tensor.shape);
        return Err(origin.whole(found, "a matrix, [rows, dimensions]"));
    };
    let known = matches!(tensor.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F64);
    if !known || width != dimensions {
        let found = format!("`{name}` as {:?} {:?}", tensor.dtype, tensor.shape);
        let expected = format!("[rows, {dimensions}] as F32, F16, BF16 or F64");
        return Err(origin.whole(found, expected));
    }
    let words = Words::of(&metadata, origin)?;
    if words.list.len() != rows {
        return Err(origin.whole(
            format!(
                "{} words in {} and `{name}` of shape {:?}",
                words.list.len(),
                words.place,
                tensor.shape
            ),
            "a word for each row",
        ));
    }
    let mut bytes = vec![0; tensor.dtype.bitsize() / 8 * dimensions];
    let mut vector = vec![0.0; dimensions];
    let start = data + tensor.data_offsets.0 as u64;
    for (row, word) in (0_u64..).zip(&words.list) {
        if let Some(word) = intake.admit(word) {
            file.seek(SeekFrom::Start(start + row * bytes.len() as u64)).map_err(failed)?;
            file.read_exact(&mut bytes).map_err(failed)?;
            let decoded = match tensor.dtype {
                Dtype::F16 => decode(&bytes, &mut vector, |x| f16::from_le_bytes(x).to_f32()),
                Dtype::BF16 => decode(&bytes, &mut vector, |x| bf16::from_le_bytes(x).to_f32()),
                Dtype::F64 => decode(&bytes, &mut vector, |x| f64::from_le_bytes(x) as f32),
                _ => decode(&bytes, &mut vector, f32::from_le_bytes),
            };
            decoded.map_err(|problem| origin.row(row + 1, problem))?;
            intake.keep(word, &vector)?;
        }
    }
    Ok(())
}

/// The header, and where the data start.
fn header(file: &mut File, origin: &Origin<'_>) -> Result<(Metadata, u64)> {
    let failed = |source| Error::Io { path: origin.path.to_owned(), source };
    let size = file.metadata().map_err(failed)?.len();
    let mut length = [0; LENGTH as usize];
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    file.read_exact(&mut length).map_err(failed)?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER || LENGTH + length > size {
        let found = format!("a safetensors header of {length} bytes in a file of {size}");
        return Err(origin.whole(found, "a whole file: is it truncated?"));
    }
    let mut json = vec![0; length as usize];
    file.read_exact(&mut json).map_err(failed)?;
    let metadata: Metadata = serde_json::from_slice(&json).map_err(|error| {
        origin.whole(format!("a safetensors header that does not hold ({error})"), "a whole file")
    })?;
    // Offsets in a damaged header may be as large as they like.
    let expected = (LENGTH + length).saturating_add(metadata.data_len() as u64);
    if size != expected {
        let expected = format!("{expected}, as its header says: is it truncated?");
        return Err(origin.whole(format!("{size} bytes"), expected));
    }
    Ok((metadata, LENGTH + length))
}

fn matrix<'m>(metadata: &'m Metadata, origin: &Origin<'_>) -> Result<(String, &'m TensorInfo)> {
    if let Some(tensor) = metadata.info(MATRIX) {
        return Ok((MATRIX.to_owned(), tensor));
    }
    let names = metadata.offset_keys();
    if let [only] = &names[..]
        && let Some(tensor) = metadata.info(only)
    {
        return Ok((only.clone(), tensor));
    }
    let found = format!("the tensors {}", names.join(", "));
    Err(origin.whole(found, format!("one called `{MATRIX}`, or a single one")))
}

/// The words of the rows, as bytes: a list of words is not always UTF-8.
struct Words {
    list: Vec<Vec<u8>>,
    place: &'static str,
}

impl Words {
    fn of(metadata: &Metadata, origin: &Origin<'_>) -> Result<Words> {
        if let Some(json) = metadata.metadata().as_ref().and_then(|entries| entries.get(WORDS)) {
            let list: Vec<String> = serde_json::from_str(json).map_err(|error| {
                let found = format!("a metadata entry `{WORDS}` that is no list ({error})");
                origin.whole(found, "a JSON array of strings")
            })?;
            let list = list.into_iter().map(String::into_bytes).collect();
            return Ok(Words { list, place: "its metadata" });
        }
        let path = word_file(origin.path);
        if !path.exists() {
            return Err(origin.whole(
                "a matrix without words",
                format!("`{WORDS}` in its metadata (a JSON array), or {WORD_FILE} beside it (a word a line)"),
            ));
        }
        let bytes = std::fs::read(&path).map_err(|source| Error::Io { path, source })?;
        let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let lines = text.split(|byte| *byte == b'\n');
        let list = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec());
        Ok(Words { list: list.collect(), place: WORD_FILE })
    }
}
