//! Reading vectors: every container, and every bad line by its number.

mod matrix;

use std::io::Write as _;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::error::{Error, LineProblem};

const GOOD: &str = "the 0.5 -1 2e-3\n. . . 1 2 3\nat name@domain.com 4 5 6\nnaïve 7 8 9\n";

struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(TempDir::new().unwrap())
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn gz(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in members {
        writer.start_file(*name, ::zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(text).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn tar() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(GOOD.len() as u64);
    archive.append_data(&mut header, "v.txt", GOOD.as_bytes()).unwrap();
    archive.into_inner().unwrap()
}

fn read(path: &Path, member: Option<&str>) -> Result<Vectors> {
    Ok(report(path, member)?.0)
}

fn report(path: &Path, member: Option<&str>) -> Result<(Vectors, FileReport)> {
    read_vectors(path, member, 3, &|_| true)
}

/// word2vec's binary format, the header as given.
fn word2vec(header: &str, rows: &[(&[u8], [f32; 3])], end: &str) -> Vec<u8> {
    let mut bytes = header.as_bytes().to_vec();
    for (word, vector) in rows {
        bytes.extend_from_slice(word);
        bytes.push(b' ');
        bytes.extend(vector.iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend_from_slice(end.as_bytes());
    }
    bytes
}

/// A safetensors file of one matrix, `[rows, dimensions]`.
fn matrix(name: &str, shape: [usize; 2], values: &[f32], words: Option<&str>) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let view =
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), &bytes);
    let metadata = words.map(|words| [("words".to_owned(), words.to_owned())].into());
    safetensors::serialize([(name, view.unwrap())], metadata).unwrap()
}

/// Noise that hardly compresses, as many lines of one word and three numbers.
fn noise(lines: u32) -> String {
    let number = |seed: u32| f64::from(seed.wrapping_mul(2_654_435_761)) / 1e9;
    let line = |line: u32| {
        format!("w{line} {} {} {}", number(line * 3), number(line * 3 + 1), number(line * 3 + 2))
    };
    (0..lines).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn one_text_reads_alike_from_every_container() {
    let folder = Folder::new();
    let expected = read(&folder.file("plain.txt", GOOD), None).unwrap();
    assert_eq!((expected.len(), expected.dimensions()), (4, 3));
    assert_eq!(expected.get("the"), Some(&[0.5, -1.0, 0.002][..]));
    assert_eq!(expected.get(". . ."), Some(&[1.0, 2.0, 3.0][..]));
    assert_eq!(expected.get("at name@domain.com"), Some(&[4.0, 5.0, 6.0][..]));
    let two_streams = [gz(&GOOD.as_bytes()[..20]), gz(&GOOD.as_bytes()[20..])].concat();
    for (name, bytes) in [
        ("vectors.gz", gz(GOOD.as_bytes())),
        ("joined.gz", two_streams),
        ("vectors.zst", zstd::encode_all(GOOD.as_bytes(), 3).unwrap()),
        (
            "vectors.zip",
            zip(&[("readme.md", b"no"), ("__MACOSX/v.txt", b"no"), ("v.txt", GOOD.as_bytes())]),
        ),
        (
            "named.zip",
            zip(&[("g.50d.txt", b"no"), ("g.3d.txt", GOOD.as_bytes()), ("g.13d.txt", b"no")]),
        ),
        ("windows.txt", GOOD.replace('\n', "\r\n").into_bytes()),
        ("fasttext.txt", GOOD.replace('\n', " \n").into_bytes()),
        ("marked.txt", ["\u{feff}", GOOD].concat().into_bytes()),
        ("word2vec.txt", ["4 3\n", GOOD].concat().into_bytes()),
        ("windows.vec", ["\u{feff}4 3\n", GOOD].concat().replace('\n', "\r\n").into_bytes()),
        ("fasttext.vec", ["4 3 \n", GOOD].concat().replace('\n', " \n").into_bytes()),
        ("word2vec.vec.gz", gz(["4 3\n", GOOD].concat().as_bytes())),
        ("unended.txt", GOOD.trim_end().as_bytes().to_vec()),
        ("misnamed.txt", gz(GOOD.as_bytes())),
    ] {
        assert_eq!(read(&folder.file(name, bytes), None).unwrap(), expected, "{name}");
    }
    let archive = folder.file("two.zip", zip(&[("a.txt", b"no"), ("b.vec", GOOD.as_bytes())]));
    assert_eq!(read(&archive, Some("b.vec")).unwrap(), expected);
}

#[test]
fn only_wanted_words_are_parsed_but_every_width_is_checked() {
    let folder = Folder::new();
    let wanted = |text: &str| {
        Ok::<_, Error>(read_vectors(&folder.file("v.txt", text), None, 3, &|word| word == "b")?.0)
    };
    let vectors = wanted("a 1 x 3\nb 4 5 6\na 1 2 3\n").unwrap();
    assert_eq!((vectors.len(), vectors.get("b")), (1, Some(&[4.0, 5.0, 6.0][..])));
    assert!(matches!(wanted("b 4 5 6\na 1 2\n"), Err(Error::VectorLine { line: 2, .. })));
    assert!(wanted("a 1 2 3\n").unwrap().is_empty());
}

/// Each bad line, the line that is at fault, and what the message must say.
#[test]
fn bad_lines_are_named_by_number() {
    let folder = Folder::new();
    let cases: &[(&str, &[u8], u64, &str)] = &[
        ("short", b"a 1 2 3\nb 1 2\n", 2, "2 fields after the word, expected 3"),
        ("long", b"a 1 2 3\nb 1 2 3 4\n", 2, "4 fields after the word, expected 3"),
        ("another dimension", b"a 1 2\nb 1 2\n", 1, "is the file of another dimension?"),
        ("another dimension, wider", b"a 1 2 3 4 5\n", 1, "5 fields after the word, expected 3"),
        ("tabs", b"a\t1\t2\t3\n", 1, "are there spaces between the numbers?"),
        ("word alone", b"a 1 2 3\nb\n", 2, "0 fields after the word"),
        ("blank", b"a 1 2 3\n\nb 1 2 3\n", 2, "the line is blank"),
        (
            "no word",
            b"a 1 2 3\n 1 2 3\n",
            2,
            "the word is ``, expected one with no space before it",
        ),
        ("two spaces", b"a 1  2 3\n", 1, "more than one space between two numbers"),
        ("two spaces after the word", b"a  1 2 3\n", 1, "the word is `a `"),
        ("two spaces everywhere", b"a  1  2  3\n", 1, "more than one space between two numbers"),
        ("two spaces, narrow", b"a  1 2\n", 1, "field 1 is ``"),
        ("non-numeric", b"a 1 2 3\nb 1 0.5x 3\n", 2, "field 2 is `0.5x`, expected a finite number"),
        ("NaN", b"a 1 2 NaN\n", 1, "field 3 is `NaN`"),
        ("infinite", b"a inf 2 3\n", 1, "field 1 is `inf`"),
        ("too large for f32", b"a 1e39 2 3\n", 1, "field 1 is `1e39`"),
        ("tabs", b"a\t1\t2\t3\n", 1, "0 fields after the word"),
        ("below a header", b"2 3\na 1 2 3\nb 1 2\n", 3, "2 fields after the word, expected 3"),
    ];
    for (name, bytes, number, expected) in cases {
        for (file, bytes, member) in
            [("v.txt", bytes.to_vec(), None), ("v.zip", zip(&[("m.txt", bytes)]), Some("m.txt"))]
        {
            let path = folder.file(file, bytes);
            let error = read(&path, None).unwrap_err();
            let message = error.to_string();
            assert!(message.contains(expected), "{name}: {message}");
            assert!(
                message.contains(file) && message.contains(&format!("line {number}:")),
                "{name}: {message}"
            );
            assert_eq!(message.contains("member m.txt"), member.is_some(), "{name}: {message}");
        }
    }
}

#[test]
fn an_endless_line_is_refused_before_it_fills_the_memory() {
    let folder = Folder::new();
    let error = read(&folder.file("v.txt", "x".repeat(1 << 20)), None).unwrap_err();
    assert!(
        matches!(error, Error::VectorLine { line: 1, problem: LineProblem::TooLong { .. }, .. }),
        "{error}"
    );
}

#[test]
fn the_first_row_of_a_word_counts_and_words_in_other_encodings_are_passed_over() {
    let folder = Folder::new();
    let text = b"a 1 2 3\ncaf\xe9 7 8 9\nb 4 5 6\na 7 8 9\nb 7 8 9\na 7 8 9\n";
    let rows: [(&[u8], [f32; 3]); 6] = [
        (b"a", [1.0, 2.0, 3.0]),
        (b"caf\xe9", [7.0, 8.0, 9.0]),
        (b"b", [4.0, 5.0, 6.0]),
        (b"a", [7.0, 8.0, 9.0]),
        (b"b", [7.0, 8.0, 9.0]),
        (b"a", [7.0, 8.0, 9.0]),
    ];
    let values: Vec<f32> = rows.iter().flat_map(|(_, vector)| *vector).collect();
    folder.file("words.txt", b"a\ncaf\xe9\nb\na\nb\na\n");
    for (file, bytes) in [
        ("v.txt", text.to_vec()),
        ("v.bin", word2vec("6 3\n", &rows, "\n")),
        ("v.safetensors", matrix("embeddings", [6, 3], &values, None)),
    ] {
        let (vectors, report) = report(&folder.file(file, bytes), None).unwrap();
        assert_eq!((vectors.len(), vectors.get("a")), (2, Some(&[1.0, 2.0, 3.0][..])), "{file}");
        assert_eq!(vectors.get("b"), Some(&[4.0, 5.0, 6.0][..]), "{file}");
        assert_eq!((report.rows, report.duplicates, report.not_utf8), (6, 3, 1), "{file}");
    }
}

#[test]
fn headers_that_lie_are_caught() {
    let folder = Folder::new();
    let rows: [(&[u8], [f32; 3]); 2] = [(b"a", [1.5, 2.5, 3.5]), (b"b", [-1.5, 0.5, 4.5])];
    let binary = |header: &str| word2vec(header, &rows, "\n");
    let text = |header: &str| format!("{header}a 1 2 3\nb 4 5 6\n").into_bytes();
    for (file, bytes, expected) in [
        ("few.vec", text("3 3\n"), "found 2 rows; expected 3, as its first line says"),
        ("many.vec", text("1 3\n"), "found 2 rows; expected 1, as its first line says"),
        (
            "narrow.vec",
            text("2 2\n"),
            "found vectors of 2 numbers (its first line says); expected 3",
        ),
        ("bare.vec", b"0 3\n".to_vec(), "no lines"),
        ("few.bin", binary("3 3\n"), "row 3: the data break off here, expected 3 rows"),
        ("many.bin", binary("1 3\n"), "row 2: the data go on here, expected 1 rows"),
        ("wide.bin", binary("2 300\n"), "found vectors of 300 numbers (its first line says)"),
        ("huge.bin", binary("18446744073709551615 3\n"), "row 3: the data break off here"),
        (
            "beyond.vec",
            text("99999999999999999999 3\n"),
            "line 1: 1 fields after the word, expected 3",
        ),
    ] {
        let message = read(&folder.file(file, bytes), None).unwrap_err().to_string();
        assert!(message.contains(file) && message.contains(expected), "{file}: {message}");
    }
}

#[test]
fn bad_rows_of_the_binary_format_are_named_by_number() {
    let folder = Folder::new();
    let whole = word2vec("2 3\n", &[(b"a", [1.5, 2.5, 3.5]), (b"b", [0.1, 0.2, 0.3])], "");
    for kept in 24..whole.len() {
        let message = read(&folder.file("v.bin", &whole[..kept]), None).unwrap_err().to_string();
        assert!(message.contains("v.bin, row 2: the data break off here"), "{kept}: {message}");
    }
    let long = "w".repeat(5000);
    for (name, rows, expected) in [
        ("NaN", [(&b"a"[..], [1.5, f32::NAN, 2.5])], "row 1: field 2 is `NaN`"),
        ("infinite", [(b"a", [f32::INFINITY, 1.5, 2.5])], "row 1: field 1 is `inf`"),
        ("no word", [(b"", [0.1, 0.2, 0.3])], "row 1: the word is ``"),
        ("a long word", [(long.as_bytes(), [0.1, 0.2, 0.3])], "row 1: no space within 4096 bytes"),
    ] {
        let bytes = word2vec("1 3\n", &rows, "");
        let message = read(&folder.file("v.bin", bytes), None).unwrap_err().to_string();
        assert!(message.contains(expected), "{name}: {message}");
    }
}

#[test]
fn a_file_that_unpacks_without_end_is_given_up() {
    let folder = Folder::new();
    let text = "a 1 2 3\n".repeat(5 << 20);
    let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
    for (file, bytes) in [("v.zst", packed), ("v.zip", zip(&[("v.txt", text.as_bytes())]))] {
        let message = read(&folder.file(file, bytes), None).unwrap_err().to_string();
        assert!(message.contains(file) && message.contains("decompression bomb"), "{message}");
    }
}

#[test]
fn what_is_no_vector_file_is_called_by_its_name() {
    let folder = Folder::new();
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 862182613\n";
    for (file, bytes, expected) in [
        ("empty.txt", Vec::new(), "an empty file"),
        ("empty.gz", gz(b""), "an empty file"),
        ("page.txt", b"<html><body>503</body></html>".to_vec(), "error page"),
        ("page.txt.gz", gz(b"<!doctype html>"), "error page"),
        ("stub.txt", lfs.as_bytes().to_vec(), "git-lfs pointer"),
        ("wide.txt", vec![0xff, 0xfe, b'a', 0], "UTF-16 text"),
        ("model.bin", vec![0xba, 0x16, 0x4f, 0x2f, 12, 0, 0, 0], "a fastText model"),
        ("twice.gz.gz", gz(&gz(GOOD.as_bytes())), "a compressed file inside a compressed file"),
        ("v.tar.gz", gz(&tar()), "a tar archive"),
        ("page.zip", b"\n <!DOCTYPE html><html>404</html>".to_vec(), "error page"),
        ("stub.zip", lfs.as_bytes().to_vec(), "git-lfs pointer"),
        ("binary.bin", vec![1, 0, 2, 0], "binary data"),
        ("none.zip", zip(&[("readme.md", b"hello")]), "a single .txt, .vec or .bin member"),
        ("many.zip", zip(&[("a.txt", b"a"), ("b.txt", b"b")]), "a.txt, b.txt"),
        ("bare.zip", zip(&[]), "no members"),
    ] {
        let message = read(&folder.file(file, bytes), None).unwrap_err().to_string();
        assert!(message.contains(expected) && message.contains(file), "{file}: {message}");
    }
    let archive = folder.file("v.zip", zip(&[("a.txt", GOOD.as_bytes())]));
    let message = read(&archive, Some("b.txt")).unwrap_err().to_string();
    assert!(message.contains("the member b.txt") && message.contains("a.txt"), "{message}");
    let message = read(&folder.file("v.txt", GOOD), Some("b.txt")).unwrap_err().to_string();
    assert!(message.contains("found no zip file; expected one"), "{message}");
    assert!(matches!(read(&folder.0.path().join("absent.txt"), None), Err(Error::Io { .. })));
    assert!(read(folder.0.path(), None).unwrap_err().to_string().contains("a folder"));
    assert!(matches!(
        read_vectors(&archive, None, 0, &|_| true),
        Err(Error::Option { option: "dimensions", .. })
    ));
}

#[test]
fn truncated_and_damaged_containers_are_refused_however_they_break_off() {
    let folder = Folder::new();
    let text = noise(20_000);
    let zipped = zip(&[("v.txt", text.as_bytes())]);
    for (file, whole) in [
        ("v.gz", gz(text.as_bytes())),
        ("v.zst", zstd::encode_all(text.as_bytes(), 1).unwrap()),
        ("v.zip", zipped.clone()),
    ] {
        assert_eq!(read(&folder.file(file, &whole), None).unwrap().len(), 20_000);
        for kept in [whole.len() / 2, whole.len() - 1, 12] {
            let message = read(&folder.file(file, &whole[..kept]), None).unwrap_err().to_string();
            assert!(message.contains(file), "{message}");
            assert!(
                message.contains("truncated or damaged") || message.contains("cannot be read"),
                "{message}"
            );
        }
    }
    let mut damaged = zipped;
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x55;
    assert!(read(&folder.file("v.zip", damaged), None).is_err());
}

#[test]
fn the_real_file_reads_where_it_is_at_hand() {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/glove/glove.6B.zip");
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
        return;
    }
    let (vectors, report) =
        read_vectors(&path, None, 100, &|word| matches!(word, "the" | "film" | "Film")).unwrap();
    assert_eq!((report.rows, report.duplicates, report.not_utf8), (200_000, 0, 0));
    assert_eq!((vectors.len(), vectors.dimensions()), (2, 100));
    assert_eq!(vectors.get("the").unwrap()[..2], [-0.038_194, -0.244_87]);
    let message = read_vectors(&path, None, 50, &|_| false).unwrap_err().to_string();
    assert!(message.contains("line 1: 100 fields after the word, expected 50"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let folder = Folder::new();
    let pipe = folder.0.path().join("pipe.txt");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let expected = "a pipe or a device; expected a file";
    for message in [
        read(&pipe, None).unwrap_err().to_string(),
        words_beside(&pipe).unwrap_err().to_string(),
        crate::Tokenizer::load(&pipe).unwrap_err().to_string(),
    ] {
        assert!(message.contains("pipe.txt") && message.contains(expected), "{message}");
    }
}
