//! A `tokenizer.json` from anywhere: the ids that Python gives with it (golden/foreign.py wrote the files and the ids), and
//! what is refused by name.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use taper_text::{
    AlignOptions, Error, Missing, Normalization, Specials, TokenCounts, Tokenizer, align,
    read_vectors, spellings,
};

#[derive(Deserialize)]
struct Row {
    ids: Vec<u32>,
    tokens: Vec<String>,
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn file(name: &str) -> PathBuf {
    golden(&format!("foreign-{name}.tokenizer.json"))
}

fn texts() -> Vec<String> {
    let mut texts: Vec<String> =
        serde_json::from_slice(&std::fs::read(golden("texts.json")).unwrap()).unwrap();
    texts.push(String::new());
    texts
}

#[test]
fn ids_and_tokens_are_those_of_python() {
    let mut rows: HashMap<String, Value> =
        serde_json::from_slice(&std::fs::read(golden("foreign.python.json")).unwrap()).unwrap();
    let texts = texts();
    for name in ["byte-bpe", "bpe", "word-piece", "unigram"] {
        let tokenizer = Tokenizer::load(&file(name)).unwrap();
        let rows: Vec<Row> = serde_json::from_value(rows.remove(name).unwrap()).unwrap();
        assert_eq!(rows.len(), texts.len());
        for (text, row) in texts.iter().zip(&rows) {
            assert_eq!(tokenizer.encode(text).unwrap(), row.ids, "{name}: {text}");
            assert_eq!(tokenizer.tokens(text).unwrap(), row.tokens, "{name}: {text}");
        }
        let together: Vec<Vec<u32>> = rows.into_iter().map(|row| row.ids).collect();
        assert_eq!(tokenizer.encode_all(&texts).unwrap(), together);
        assert_eq!((tokenizer.name(), tokenizer.normalization()), (None, None));
    }
}

#[derive(Deserialize)]
struct Patterns {
    texts: Vec<String>,
    rows: Vec<Cuts>,
}

/// What a regular expression does to every text: the pieces it cuts, and the text where `_` replaces what it finds.
#[derive(Deserialize)]
struct Cuts {
    pattern: String,
    pieces: Vec<Vec<String>>,
    replaced: Vec<String>,
}

#[test]
fn patterns_cut_and_replace_as_in_python() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let patterns = std::fs::read(golden("patterns.python.json")).unwrap();
    let Patterns { texts, rows } = serde_json::from_slice(&patterns).unwrap();
    for Cuts { pattern, pieces, replaced } in rows {
        let regex = json!({"Regex": pattern});
        let split =
            json!({"type": "Split", "pattern": regex, "behavior": "Isolated", "invert": false});
        let replace = json!({"type": "Replace", "pattern": regex, "content": "_"});
        // Every piece that is expected is a token, so that each stands for itself.
        let known: BTreeSet<&String> = pieces.iter().flatten().chain(&replaced).collect();
        let vocab: Map<String, Value> = ["[UNK]"]
            .into_iter()
            .chain(known.into_iter().map(String::as_str))
            .enumerate()
            .map(|(id, token)| (token.to_owned(), json!(id)))
            .collect();
        let tokens = |section: &str, step: &Value, text: &str| {
            let mut file =
                json!({"model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"}});
            file[section] = step.clone();
            std::fs::write(&path, file.to_string()).unwrap();
            Tokenizer::load(&path).unwrap().tokens(text).unwrap()
        };
        for ((text, pieces), replaced) in texts.iter().zip(&pieces).zip(&replaced) {
            assert_eq!(tokens("pre_tokenizer", &split, text), *pieces, "{pattern}: {text:?}");
            let whole = tokens("normalizer", &replace, text);
            assert_eq!(whole.concat(), *replaced, "{pattern}: {text:?}");
        }
    }
}

#[test]
fn the_specials_are_the_files_own() {
    for (name, unknown, padding, rows, ignored) in [
        // Nothing is unknown to bytes; padding has a row of its own behind the file's.
        ("byte-bpe", None, 400, 401, &[][..]),
        ("bpe", Some(3), 1, 300, &["truncation", "padding"]),
        ("word-piece", Some(1), 0, 300, &[]),
    ] {
        let tokenizer = Tokenizer::load(&file(name)).unwrap();
        let vocabulary = tokenizer.vocabulary().unwrap();
        assert_eq!(vocabulary.specials(), Specials { unknown, padding }, "{name}");
        assert_eq!((vocabulary.len(), tokenizer.ignored()), (rows, ignored), "{name}");
        assert_eq!(vocabulary.words().count(), rows - 1 - usize::from(unknown.is_some()), "{name}");
        assert_eq!(vocabulary.specials().of_nothing(), unknown.unwrap_or(padding));
    }
    let tokenizer = Tokenizer::load(&file("unigram")).unwrap();
    let vocabulary = tokenizer.vocabulary().unwrap();
    assert_eq!(vocabulary.token(vocabulary.id("Mr. Bean").unwrap()), Some("Mr. Bean"));
    assert_eq!(vocabulary.specials().padding as usize, vocabulary.len() - 1);
}

#[test]
fn what_every_text_is_given_is_no_padding() {
    // A pad token that the post-processor adds as well, as where it is the end of text.
    let folder = tempfile::tempdir().unwrap();
    let tokenizer = changed(folder.path(), "word-piece", |file| {
        file["padding"] = json!({"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 3, "pad_type_id": 0, "pad_token": "[SEP]"});
        let vocab = file["model"]["vocab"].as_object_mut().unwrap();
        let id = vocab.remove("[PAD]").unwrap();
        vocab.insert("[padding]".to_owned(), id);
        file["added_tokens"][0]["content"] = json!("[padding]");
    });
    assert_eq!(tokenizer.unwrap().vocabulary().unwrap().specials().padding, 300);
}

#[test]
fn the_row_for_padding_has_a_name_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let tokenizer = changed(folder.path(), "word-piece", |file| {
        let vocab = file["model"]["vocab"].as_object_mut().unwrap();
        for (old, new) in [("[UNK]", "<pad>"), ("[PAD]", "[padding]")] {
            let id = vocab.remove(old).unwrap();
            vocab.insert(new.to_owned(), id);
        }
        file["model"]["unk_token"] = json!("<pad>");
        file["added_tokens"][0]["content"] = json!("[padding]");
        file["added_tokens"][1]["content"] = json!("<pad>");
    });
    let tokenizer = tokenizer.unwrap();
    let vocabulary = tokenizer.vocabulary().unwrap();
    assert_eq!(vocabulary.specials(), Specials { unknown: Some(1), padding: 300 });
    assert_eq!(vocabulary.token(300), Some("<pad>_"));
    assert_eq!(vocabulary.id("<pad>"), Some(1));
}

#[test]
fn saved_it_is_the_file_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("tokenizer.json");
    for name in ["byte-bpe", "bpe", "word-piece", "unigram"] {
        let tokenizer =
            Tokenizer::open(file(name).to_str().unwrap(), Normalization::default()).unwrap();
        tokenizer.save(&copy).unwrap();
        assert_eq!(std::fs::read(&copy).unwrap(), std::fs::read(file(name)).unwrap());
        let loaded = Tokenizer::load(&copy).unwrap();
        assert_eq!(loaded.vocabulary(), tokenizer.vocabulary());
        let counted = tokenizer.with_vocabulary(tokenizer.vocabulary().unwrap());
        assert!(counted.is_err(), "its vocabulary is its own");
    }
}

#[test]
fn rows_are_aligned_by_the_files_ids() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.txt");
    std::fs::write(&path, "a 1 2\n[PAD] 3 4\n[UNK] 5 6\n[CLS] 7 8\n").unwrap();
    let tokenizer = Tokenizer::load(&file("word-piece")).unwrap();
    let vocabulary = tokenizer.vocabulary().unwrap();
    let counts = TokenCounts::counts_of(&["a b"], &tokenizer).unwrap();
    let wanted = spellings(vocabulary);
    let (vectors, _) = read_vectors(&path, None, 2, &|word| wanted.contains(word)).unwrap();
    let options =
        AlignOptions { missing: Missing::Uniform { bound: 0.5 }, ..AlignOptions::default() };
    let aligned = align(vocabulary, &counts, &vectors, &options).unwrap();
    let row = |token: &str| {
        let id = vocabulary.id(token).unwrap() as usize;
        (&aligned.matrix[2 * id..2 * id + 2], aligned.has_vector[id])
    };
    assert_eq!(row("a"), (&[1.0, 2.0][..], true));
    assert_eq!(row("[CLS]"), (&[7.0, 8.0][..], true));
    assert_eq!(row("[PAD]"), (&[0.0, 0.0][..], false));
    let (unknown, has) = row("[UNK]");
    assert!(!has && unknown.iter().all(|value| value.abs() <= 0.5 && *value != 0.0), "{unknown:?}");
    assert_eq!(aligned.matrix.len(), 2 * vocabulary.len());
    assert_eq!(aligned.coverage.vocabulary_rows, 298);
    assert_eq!(aligned.coverage.rows_with_vector, 2);
    // [CLS] a b [SEP]
    assert_eq!((aligned.coverage.tokens, aligned.coverage.tokens_with_vector), (4, 2));
}

/// A file with one change.
fn changed(
    folder: &Path,
    name: &str,
    change: impl FnOnce(&mut Value),
) -> taper_text::Result<Tokenizer> {
    let mut value = serde_json::from_slice(&std::fs::read(file(name)).unwrap()).unwrap();
    change(&mut value);
    let path = folder.join("tokenizer.json");
    std::fs::write(&path, value.to_string()).unwrap();
    Tokenizer::load(&path)
}

fn add(file: &mut Value, token: &str, id: Value) {
    file["model"]["vocab"].as_object_mut().unwrap().insert(token.to_owned(), id);
}

type Change = fn(&mut Value);

#[test]
fn what_cannot_be_stood_behind_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &str, Change, &str); 15] = [
        (
            "another model",
            "bpe",
            |file| file["model"]["type"] = json!("Neural"),
            "a model of the type Neural",
        ),
        ("no model", "bpe", |file| file["model"] = Value::Null, "no `model` section"),
        ("a list", "bpe", |file| *file = json!([1, 2]), "no `model` section"),
        (
            "no unknown token",
            "word-piece",
            |file| file["model"]["unk_token"] = json!("[WHAT]"),
            "unknown token `[WHAT]` is not in its vocabulary",
        ),
        (
            "an unknown token BPE lacks",
            "bpe",
            |file| file["model"]["unk_token"] = json!("[WHAT]"),
            "unknown token `[WHAT]` is not in its vocabulary",
        ),
        (
            "Unigram without one",
            "unigram",
            |file| file["model"]["unk_id"] = Value::Null,
            "without `unk_id`",
        ),
        (
            "Unigram's beyond",
            "unigram",
            |file| file["model"]["unk_id"] = json!(4_000),
            "cannot be read",
        ),
        ("dropout", "bpe", |file| file["model"]["dropout"] = json!(0.1), "a dropout of 0.1"),
        (
            "a hole",
            "word-piece",
            |file| add(file, "zzx", json!(900)),
            "id 900 for `zzx` among 301 tokens, and none with id 300",
        ),
        ("an id twice", "word-piece", |file| add(file, "zzx", json!(299)), "id 299 for both"),
        (
            "an id beyond u32",
            "word-piece",
            |file| add(file, "zzx", json!(1_u64 << 32)),
            "cannot be read",
        ),
        ("a negative id", "word-piece", |file| add(file, "zzx", json!(-1)), "cannot be read"),
        (
            "a template without its token",
            "word-piece",
            |file| file["post_processor"]["special_tokens"] = json!({}),
            "a template that adds `[CLS]` without defining it",
        ),
        (
            "a template's id beyond",
            "word-piece",
            |file| file["post_processor"]["special_tokens"]["[SEP]"]["ids"] = json!([300]),
            "gives every text the id 300, and 300 tokens",
        ),
        (
            "no vocabulary",
            "word-piece",
            |file| file["model"]["vocab"] = json!({}),
            "tokenizer.json",
        ),
    ];
    for (name, of, change, says) in cases {
        let error = changed(folder.path(), of, change).expect_err(name);
        let message = error.to_string();
        assert!(matches!(error, Error::TokenizerFile { .. }), "{name}: {message}");
        assert!(message.contains(says) && message.contains("tokenizer.json:"), "{name}: {message}");
    }
    let path = folder.path().join("tokenizer.json");
    for bytes in [
        &b""[..],
        b"<!DOCTYPE html>",
        b"\xff\xfe",
        b"{\"model\": {\"type\": \"BPE\"",
        b"{\"a\": 1e999}",
    ] {
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(Tokenizer::load(&path), Err(Error::TokenizerFile { .. })), "{bytes:?}");
    }
}

#[test]
fn a_file_cut_or_changed_anywhere_is_an_error_or_a_tokenizer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    for name in ["byte-bpe", "bpe", "word-piece", "unigram"] {
        let whole = std::fs::read(file(name)).unwrap();
        for place in (0..whole.len()).step_by(97) {
            std::fs::write(&path, &whole[..place]).unwrap();
            assert!(Tokenizer::load(&path).is_err());
            for byte in [b'0', b'"', b'9', b'}'] {
                let mut bytes = whole.clone();
                bytes[place] = byte;
                std::fs::write(&path, &bytes).unwrap();
                // An error or ids below the vocabulary's length, never a panic.
                if let Ok(tokenizer) = Tokenizer::load(&path)
                    && let Ok(ids) = tokenizer.encode("A fine film, isn't it? \u{1f600}")
                {
                    let rows = tokenizer.vocabulary().unwrap().len();
                    assert!(ids.iter().all(|id| (*id as usize) < rows), "{name} at {place}");
                }
            }
        }
    }
}
