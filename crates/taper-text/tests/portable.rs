//! `tokenizer.json`: written and read back, and refused where it is of another shape.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use serde_json::{Value, json};
use taper_text::{Error, Normalization, TokenCounts, Tokenizer, Vocabulary, VocabularyOptions};

const TEXT: &str = "Mr. Bean isn't bad, he's \"great\" and\tGREAT ... naïve 8/10 <br /> a\u{300}";

fn trained(name: &str, lowercase: bool) -> Tokenizer {
    let tokenizer = Tokenizer::named(name, Normalization { lowercase }).unwrap();
    let counts = TokenCounts::counts_of(&[TEXT], &tokenizer).unwrap();
    let options = VocabularyOptions { max_size: Some(12), ..VocabularyOptions::default() };
    tokenizer.with_vocabulary(&Vocabulary::build(&counts, &options).unwrap()).unwrap()
}

/// The file of a good tokenizer with one change.
fn changed(change: impl Fn(&mut Value)) -> Value {
    let mut file = serde_json::from_str(&trained("english", false).to_json().unwrap()).unwrap();
    change(&mut file);
    file
}

fn load(file: &Value, folder: &Path) -> taper_text::Result<Tokenizer> {
    let path = folder.join("tokenizer.json");
    std::fs::write(&path, file.to_string()).unwrap();
    Tokenizer::load(&path)
}

#[test]
fn what_is_saved_loads_and_gives_the_same_ids() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    for name in Tokenizer::NAMES {
        for lowercase in [false, true] {
            let saved = trained(name, lowercase);
            saved.save(&path).unwrap();
            let loaded = Tokenizer::load(&path).unwrap();
            assert_eq!(loaded.encode(TEXT).unwrap(), saved.encode(TEXT).unwrap());
            assert_eq!(loaded.vocabulary(), saved.vocabulary());
            assert_eq!(
                (loaded.name(), loaded.normalization()),
                (Some(*name), Some(Normalization { lowercase }))
            );
            assert_eq!(loaded.to_json().unwrap(), std::fs::read_to_string(&path).unwrap());
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn a_failed_save_leaves_nothing_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("tokenizer.json");
    std::fs::create_dir_all(taken.join("inside")).unwrap();
    let error = trained("english", false).save(&taken).unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if *path == taken), "{error}");
    assert!(taken.join("inside").exists());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    let nowhere = folder.path().join("absent/tokenizer.json");
    assert!(matches!(trained("english", false).save(&nowhere), Err(Error::Io { .. })));
}

#[test]
fn a_pipeline_of_somebody_else_gives_the_ids_of_the_library() {
    let folder = tempfile::tempdir().unwrap();
    for (normalizer, pre_tokenizer) in [
        (json!({"type": "Lowercase"}), json!({"type": "BertPreTokenizer"})),
        (Value::Null, json!({"type": "Whitespace"})),
        (json!({"type": "NFD"}), Value::Null),
    ] {
        let file = changed(|file| {
            file["normalizer"] = normalizer.clone();
            file["pre_tokenizer"] = pre_tokenizer.clone();
        });
        let loaded = load(&file, folder.path()).unwrap();
        assert_eq!(loaded.name(), None);
        let library = tokenizers::Tokenizer::from_bytes(file.to_string()).unwrap();
        for text in [TEXT, "great", "", " ", "is bad Bean, and"] {
            assert_eq!(
                loaded.encode(text).unwrap(),
                library.encode(text, false).unwrap().get_ids(),
                "{text}"
            );
        }
        let again = load(&serde_json::from_str(&loaded.to_json().unwrap()).unwrap(), folder.path())
            .unwrap();
        assert_eq!(again.encode(TEXT).unwrap(), loaded.encode(TEXT).unwrap());
    }
}

#[test]
fn a_file_of_another_shape_is_read_as_it_is_or_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, Value, &str); 8] = [
        ("no model", changed(|file| file["model"] = Value::Null), "no `model` section"),
        ("no <unk>", changed(|file| drop(vocab(file).remove("<unk>"))), "without gaps"),
        (
            "other <unk>",
            changed(|file| file["model"]["unk_token"] = json!("[UNK]")),
            "unknown token `[UNK]`",
        ),
        ("gap", changed(|file| drop(vocab(file).remove("great"))), "without gaps"),
        (
            "one id twice",
            changed(|file| file["model"]["vocab"]["<pad>"] = json!(2)),
            "id 2 for both",
        ),
        (
            "negative id",
            changed(|file| file["model"]["vocab"]["<pad>"] = json!(-1)),
            "cannot be read",
        ),
        (
            "unknown step",
            changed(|file| file["pre_tokenizer"] = json!({"type": "Spacy"})),
            "cannot be read",
        ),
        ("array", json!([1, 2]), "no `model` section"),
    ];
    for (name, file, expected) in cases {
        let error = load(&file, folder.path()).expect_err(name);
        assert!(matches!(error, Error::TokenizerFile { .. }), "{name}: {error:?}");
        let message = error.to_string();
        assert!(
            message.contains(expected) && message.contains("tokenizer.json:"),
            "{name}: {message}"
        );
    }
    // Our cut with other specials is another's file: its ids are the library's.
    for file in [changed(|file| rename(file, "<pad>", "[PAD]")), changed(swap_specials)] {
        let loaded = load(&file, folder.path()).unwrap();
        assert_eq!(loaded.name(), None);
        let library = tokenizers::Tokenizer::from_bytes(file.to_string()).unwrap();
        assert_eq!(loaded.encode(TEXT).unwrap(), library.encode(TEXT, true).unwrap().get_ids());
    }
    let swapped = load(&changed(swap_specials), folder.path()).unwrap();
    let specials = swapped.vocabulary().unwrap().specials();
    assert_eq!((specials.unknown, specials.padding), (Some(1), 0));
    let path = folder.path().join("tokenizer.json");
    let whole = trained("english", false).to_json().unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(Tokenizer::load(&path).unwrap_err().to_string().contains("no JSON"));
    assert!(matches!(Tokenizer::load(&folder.path().join("absent.json")), Err(Error::Io { .. })));
}

fn vocab(file: &mut Value) -> &mut serde_json::Map<String, Value> {
    file["model"]["vocab"].as_object_mut().unwrap()
}

fn rename(file: &mut Value, from: &str, to: &str) {
    let id = vocab(file).remove(from).unwrap();
    vocab(file).insert(to.to_owned(), id);
}

fn swap_specials(file: &mut Value) {
    file["model"]["vocab"]["<unk>"] = json!(1);
    file["model"]["vocab"]["<pad>"] = json!(0);
}
