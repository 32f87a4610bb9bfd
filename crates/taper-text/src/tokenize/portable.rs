//! `tokenizer.json`: writing the portable form, and reading it back; what is another's goes to [`Library`].

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::{ModelWrapper, NormalizerWrapper, PreTokenizerWrapper};

use super::library::Library;
use super::shape::{Shape, other};
use super::{Engine, Tokenizer};
use crate::error::{Error, Result};
use crate::vocabulary::Vocabulary;

/// A pipeline as `tokenizers` runs it: all of `tokenizer.json` but the vocabulary.
#[derive(Debug, Clone)]
pub(super) struct Portable {
    pub(super) normalizer: Option<NormalizerWrapper>,
    pub(super) pre_tokenizer: Option<PreTokenizerWrapper>,
}

/// Whether a section of a file says the same as this step of a pipeline.
pub(super) fn says(step: &impl serde::Serialize, section: &Value) -> Result<bool> {
    let value = serde_json::to_value(step).map_err(|error| Error::Pipeline(error.to_string()))?;
    Ok(value == *section)
}

#[cfg(test)]
impl Portable {
    /// Visits the tokens of a raw text in order.
    pub(super) fn for_each(&self, text: &str, visit: &mut dyn FnMut(&str)) -> Result<()> {
        use tokenizers::{
            NormalizedString, Normalizer as _, OffsetReferential, OffsetType, PreTokenizedString,
            PreTokenizer as _,
        };
        // `tokenizers` visits one empty split for an empty text.
        if text.is_empty() {
            return Ok(());
        }
        let refused = |error: tokenizers::Error| Error::Pipeline(error.to_string());
        let mut normalized = NormalizedString::from(text);
        if let Some(normalizer) = &self.normalizer {
            normalizer.normalize(&mut normalized).map_err(refused)?;
        }
        let mut pieces = PreTokenizedString::from(normalized);
        if let Some(pre_tokenizer) = &self.pre_tokenizer {
            pre_tokenizer.pre_tokenize(&mut pieces).map_err(refused)?;
        }
        for (piece, _, _) in pieces.get_splits(OffsetReferential::Normalized, OffsetType::None) {
            if !piece.is_empty() {
                visit(piece);
            }
        }
        Ok(())
    }
}

impl Tokenizer {
    /// Writes the portable `tokenizer.json`: a sibling temporary file first, then renamed.
    ///
    /// # Errors
    /// [`Error::NoVocabulary`] before it has one; [`Error::Io`] naming the file, which is then as it was before.
    pub fn save(&self, path: &Path) -> Result<()> {
        let json = self.to_json()?;
        let failed = |source: std::io::Error| Error::Io { path: path.to_owned(), source };
        let folder =
            path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".tokenizer-").suffix(".part");
        #[cfg(unix)]
        {
            // As any new file: the temporary file's default would leave it readable to its owner alone.
            use std::os::unix::fs::PermissionsExt as _;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.tempfile_in(folder).map_err(failed)?;
        file.write_all(json.as_bytes()).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(path).map_err(|error| failed(error.error))?;
        #[cfg(unix)]
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok(())
    }

    /// The portable `tokenizer.json` as text; the same tokenizer gives the same bytes. One that was read from a file of
    /// another's gives that file.
    ///
    /// # Errors
    /// [`Error::NoVocabulary`] before it has one.
    pub fn to_json(&self) -> Result<String> {
        if let Some(library) = self.library() {
            // It was read as JSON, which is UTF-8.
            return Ok(String::from_utf8_lossy(&library.file).into_owned());
        }
        let vocabulary = self.vocabulary().ok_or(Error::NoVocabulary)?;
        let refused = |error: tokenizers::Error| Error::Pipeline(error.to_string());
        let ids =
            vocabulary.tokens().iter().zip(0..).map(|(token, id)| (token.clone(), id)).collect();
        let model = WordLevel::builder().vocab(ids).unk_token(Vocabulary::SPECIALS[0].to_owned());
        let mut tokenizer =
            tokenizers::Tokenizer::new(ModelWrapper::WordLevel(model.build().map_err(refused)?));
        let Portable { normalizer, pre_tokenizer } = self.portable()?;
        tokenizer.with_normalizer(normalizer).map_err(refused)?;
        tokenizer.with_pre_tokenizer(pre_tokenizer);
        tokenizer.to_string(true).map_err(refused)
    }

    /// Reads a `tokenizer.json`: this crate's, run directly, or any other, run by the `tokenizers` library as it is (BPE,
    /// `WordPiece`, Unigram, `WordLevel`): its ids, its special tokens and what its post-processor adds, as
    /// `Tokenizer.from_file(path).encode(text)` gives them in Python. Its settings of truncation and padding alone are
    /// not applied ([`Tokenizer::ignored`]). Where no token of it is called padding, a row for it follows the last one.
    ///
    /// # Errors
    /// [`Error::TokenizerFile`] naming the file and what stands in the way: no JSON, a model the library does not know or
    /// cannot read, ids with gaps, an unknown token that is missing though the model needs one, BPE with dropout.
    pub fn load(path: &Path) -> Result<Tokenizer> {
        let failed = |source| Error::Io { path: path.to_owned(), source };
        let found = std::fs::metadata(path).map_err(failed)?;
        // A pipe would wait for whoever writes to it; of a folder the system says what it is.
        if !found.is_file() && !found.is_dir() {
            return Err(Error::TokenizerFile {
                path: path.to_owned(),
                found: "a pipe or a device".to_owned(),
                expected: "a file".to_owned(),
            });
        }
        let bytes = std::fs::read(path).map_err(failed)?;
        Self::from_json(&bytes).map_err(|error| match error {
            Shape::Own(error) => error,
            Shape::Other { found, expected } => {
                Error::TokenizerFile { path: path.to_owned(), found, expected }
            }
        })
    }

    fn from_json(bytes: &[u8]) -> std::result::Result<Tokenizer, Shape> {
        let file: Value = serde_json::from_slice(bytes).map_err(|error| {
            other(format!("no JSON ({error})"), "a tokenizer.json of the tokenizers library")
        })?;
        if let Some(own) = Self::own(&file).map_err(Shape::Own)? {
            return Ok(own);
        }
        let (library, vocabulary) = Library::read(bytes, &file)?;
        let engine = Engine::Library(Box::new(library)).into();
        Ok(Tokenizer { engine, vocabulary: Some(Arc::new(vocabulary)), caches: Arc::default() })
    }

    /// The named tokenizer that a file is of; `None` where it is another's.
    fn own(file: &Value) -> Result<Option<Tokenizer>> {
        let foreign = ["added_tokens", "post_processor", "truncation", "padding"];
        let present = |section: &str| match file.get(section) {
            None | Some(Value::Null) => false,
            Some(Value::Array(entries)) => !entries.is_empty(),
            Some(_) => true,
        };
        if foreign.into_iter().any(present) {
            return Ok(None);
        }
        let Some(vocabulary) = file.get("model").and_then(own_vocabulary) else {
            return Ok(None);
        };
        let section = |name: &str| file.get(name).unwrap_or(&Value::Null);
        let named = Self::recognise(section("normalizer"), section("pre_tokenizer"))?;
        named.map(|named| named.with_vocabulary(&vocabulary)).transpose()
    }
}

/// The vocabulary of a `WordLevel` model whose ids are 0, 1, 2, … with `<unk>` and `<pad>` first.
fn own_vocabulary(model: &Value) -> Option<Vocabulary> {
    let says = |key: &str, word: &str| model.get(key).and_then(Value::as_str) == Some(word);
    if !says("type", "WordLevel") || !says("unk_token", Vocabulary::SPECIALS[0]) {
        return None;
    }
    let entries = model.get("vocab")?.as_object()?;
    let mut tokens: Vec<Option<&String>> = vec![None; entries.len()];
    for (token, id) in entries {
        *tokens.get_mut(usize::try_from(id.as_u64()?).ok()?)? = Some(token);
    }
    let tokens: Option<Vec<String>> = tokens.into_iter().map(Option::<&String>::cloned).collect();
    Vocabulary::from_tokens(tokens?).ok()
}
