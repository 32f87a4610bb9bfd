//! Reading vectors: every container, and every bad line by its number.

use std::io::Write as _;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

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

fn read(path: &Path, member: Option<&str>) -> Result<Vectors> {
    read_vectors(path, member, 3, &|_| true)
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
    let wanted =
        |text: &str| read_vectors(&folder.file("v.txt", text), None, 3, &|word| word == "b");
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
        ("word alone", b"a 1 2 3\nb\n", 2, "0 fields after the word"),
        ("blank", b"a 1 2 3\n\nb 1 2 3\n", 2, "the line is blank"),
        (
            "no word",
            b"a 1 2 3\n 1 2 3\n",
            2,
            "the word is ``, expected one with no space before it",
        ),
        ("two spaces", b"a 1  2 3\n", 1, "4 fields after the word, expected 3"),
        ("two spaces after the word", b"a  1 2 3\n", 1, "the word is `a `"),
        ("two spaces, narrow", b"a  1 2\n", 1, "field 1 is ``"),
        ("non-numeric", b"a 1 2 3\nb 1 0.5x 3\n", 2, "field 2 is `0.5x`, expected a finite number"),
        ("NaN", b"a 1 2 NaN\n", 1, "field 3 is `NaN`"),
        ("infinite", b"a inf 2 3\n", 1, "field 1 is `inf`"),
        ("too large for f32", b"a 1e39 2 3\n", 1, "field 1 is `1e39`"),
        ("tabs", b"a\t1\t2\t3\n", 1, "0 fields after the word"),
        ("duplicate", b"a 1 2 3\nb 1 2 3\na 4 5 6\n", 3, "`a` has a vector already, on line 1"),
        ("not UTF-8", b"a 1 2 3\ncaf\xe9 1 2 3\n", 2, "not UTF-8"),
        ("word2vec header", b"4 3\na 1 2 3\n", 1, "word2vec header (4 words of 3 numbers)"),
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
fn what_is_no_vector_file_is_called_by_its_name() {
    let folder = Folder::new();
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 862182613\n";
    for (file, bytes, expected) in [
        ("empty.txt", Vec::new(), "an empty file"),
        ("empty.gz", gz(b""), "no lines"),
        ("page.zip", b"\n <!DOCTYPE html><html>404</html>".to_vec(), "error page"),
        ("stub.zip", lfs.as_bytes().to_vec(), "git-lfs pointer"),
        ("binary.bin", vec![1, 0, 2, 0], "binary data"),
        ("none.zip", zip(&[("readme.md", b"hello")]), "a single .txt member"),
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
    assert!(message.contains("found text; expected a zip file"), "{message}");
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
        return;
    }
    let vectors =
        read_vectors(&path, None, 100, &|word| matches!(word, "the" | "film" | "Film")).unwrap();
    assert_eq!((vectors.len(), vectors.dimensions()), (2, 100));
    assert_eq!(vectors.get("the").unwrap()[..2], [-0.038_194, -0.244_87]);
    let message = read_vectors(&path, None, 50, &|_| false).unwrap_err().to_string();
    assert!(message.contains("line 1: 100 fields after the word, expected 50"), "{message}");
}
