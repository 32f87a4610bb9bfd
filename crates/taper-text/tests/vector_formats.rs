//! Properties of the vector readers: one table reads alike from every format and container, and no bytes whatever make a
//! reader panic or keep more than it was given.
#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::path::{Path, PathBuf};

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use taper_text::{VectorFormat, Vectors, read_vectors};
use tempfile::TempDir;

/// Words and vectors, in the order of the file.
#[derive(Debug, Clone)]
struct Table {
    words: Vec<String>,
    vectors: Vec<Vec<f32>>,
}

fn tables() -> impl Strategy<Value = Table> {
    // A space, a line end or a byte order mark within a word is what not every format can say.
    let word = "[\\PC&&[^ \u{a0}\u{feff}]]{1,12}";
    (2_usize..6, btree_set(word, 1..20)).prop_flat_map(|(dimensions, words)| {
        let number = any::<f32>().prop_filter("finite", |value| value.is_finite());
        let words: Vec<String> = words.into_iter().collect();
        vec(vec(number, dimensions), words.len())
            .prop_map(move |vectors| Table { words: words.clone(), vectors })
    })
}

impl Table {
    fn dimensions(&self) -> usize {
        self.vectors[0].len()
    }

    fn text(&self, header: bool, end: &str) -> Vec<u8> {
        let mut text = Vec::new();
        if header {
            write!(text, "{} {}{end}", self.words.len(), self.dimensions()).unwrap();
        }
        for (word, vector) in self.words.iter().zip(&self.vectors) {
            let numbers: Vec<String> = vector.iter().map(|value| format!("{value:e}")).collect();
            write!(text, "{word} {}{end}", numbers.join(" ")).unwrap();
        }
        text
    }

    fn binary(&self, end: &str) -> Vec<u8> {
        let mut bytes = format!("{} {}\n", self.words.len(), self.dimensions()).into_bytes();
        for (word, vector) in self.words.iter().zip(&self.vectors) {
            bytes.extend_from_slice(word.as_bytes());
            bytes.push(b' ');
            bytes.extend(vector.iter().flat_map(|value| value.to_le_bytes()));
            bytes.extend_from_slice(end.as_bytes());
        }
        bytes
    }

    fn matrix(&self, with_words: bool) -> Vec<u8> {
        let bytes: Vec<u8> =
            self.vectors.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
        let shape = vec![self.words.len(), self.dimensions()];
        let view =
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, &bytes).unwrap();
        let words = serde_json::to_string(&self.words).unwrap();
        let metadata = with_words.then(|| [("words".to_owned(), words)].into());
        safetensors::serialize([("vectors", view)], metadata).unwrap()
    }

    /// Every encoding, under the format it must be told as.
    fn encodings(&self) -> Vec<(VectorFormat, Vec<u8>)> {
        let marked = |text: Vec<u8>| [b"\xef\xbb\xbf", &text[..]].concat();
        let mut unended = self.text(false, "\n");
        unended.pop();
        vec![
            (VectorFormat::Glove, self.text(false, "\n")),
            (VectorFormat::Glove, marked(self.text(false, "\r\n"))),
            (VectorFormat::Glove, unended),
            (VectorFormat::Word2vecText, self.text(true, "\n")),
            (VectorFormat::Word2vecText, self.text(true, " \n")),
            (VectorFormat::Word2vecText, marked(self.text(true, "\r\n"))),
            (VectorFormat::Word2vecBinary, self.binary("")),
            (VectorFormat::Word2vecBinary, self.binary("\n")),
            (VectorFormat::Safetensors, self.matrix(true)),
            (VectorFormat::Safetensors, self.matrix(false)),
        ]
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("v.vec", zip::write::SimpleFileOptions::default()).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap().into_inner()
}

fn write(folder: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("vectors");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn read(path: &Path, dimensions: usize) -> taper_text::Result<(Vectors, VectorFormat)> {
    read_vectors(path, None, dimensions, &|_| true).map(|(vectors, report)| {
        assert_eq!(report.rows, vectors.len() as u64 + report.duplicates + report.not_utf8);
        (vectors, report.format)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_table_reads_alike_from_every_format_and_container(table in tables()) {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("words.txt"), table.words.join("\n") + "\n").unwrap();
        let mut expected = Vectors::new(table.dimensions()).unwrap();
        for (word, vector) in table.words.iter().zip(&table.vectors) {
            expected.insert(word, vector).unwrap();
        }
        for (format, bytes) in table.encodings() {
            let mut files = vec![bytes.clone()];
            if format != VectorFormat::Safetensors {
                files.extend([gzip(&bytes), zip(&bytes), zstd::encode_all(&bytes[..], 1).unwrap()]);
            }
            for file in files {
                let (found, told) = read(&write(&folder, &file), table.dimensions()).unwrap();
                prop_assert_eq!(&found, &expected);
                prop_assert_eq!(told, format);
            }
        }
    }

    #[test]
    fn what_is_cut_or_changed_is_read_or_refused(
        table in tables(),
        cut in any::<prop::sample::Index>(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("words.txt"), table.words.join("\n")).unwrap();
        for (_, mut bytes) in table.encodings() {
            for (place, value) in &changes {
                let place = place.index(bytes.len());
                bytes[place] = *value;
            }
            let packed = zip(&bytes);
            let cut_short = |whole: &[u8]| whole[..cut.index(whole.len() + 1)].to_vec();
            for file in [cut_short(&bytes), gzip(&cut_short(&bytes)), cut_short(&packed)] {
                let path = write(&folder, &file);
                if let Err(error) = read(&path, table.dimensions()) {
                    prop_assert!(error.to_string().contains("vectors"), "{}", error);
                }
            }
        }
    }

    #[test]
    fn arbitrary_bytes_are_read_or_refused(
        start in prop::sample::select(vec![
            &b""[..], b"2 3\n", b"2 3\na ", b"PK\x03\x04", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd",
            b"\x20\0\0\0\0\0\0\0{\"e\":", b"\xef\xbb\xbf", b"a 1 2 3\n",
        ]),
        bytes in vec(any::<u8>(), 0..200),
        dimensions in 1_usize..5,
    ) {
        let folder = TempDir::new().unwrap();
        let path = write(&folder, &[start, &bytes[..]].concat());
        let _ = read(&path, dimensions);
    }
}
