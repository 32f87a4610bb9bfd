//! `tokenizer.json`: writing the portable form, reading it back, and running a pipeline of somebody else's.

use std::io::Write as _;
use std::path::Path;

use serde_json::Value;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::{
    ModelWrapper, NormalizedString, Normalizer as _, NormalizerWrapper, OffsetReferential,
    OffsetType, PreTokenizedString, PreTokenizer as _, PreTokenizerWrapper,
};

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

impl Portable {
    /// Visits the tokens of a raw text in order.
    pub(super) fn for_each(&self, text: &str, visit: &mut dyn FnMut(&str)) -> Result<()> {
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

    /// The portable `tokenizer.json` as text; the same tokenizer gives the same bytes.
    ///
    /// # Errors
    /// [`Error::NoVocabulary`] before it has one.
    pub fn to_json(&self) -> Result<String> {
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

    /// Reads a portable `tokenizer.json`, this crate's or another's of the same shape.
    ///
    /// # Errors
    /// [`Error::TokenizerFile`] naming the file and what stands in the way: a model that is not `WordLevel`, missing
    /// specials, ids with gaps, or a section (added tokens, post-processor, truncation, padding) whose ids this crate
    /// would not give.
    pub fn load(path: &Path) -> Result<Tokenizer> {
        let bytes =
            std::fs::read(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
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
        let vocabulary = vocabulary_of(&file)?;
        for section in ["added_tokens", "post_processor", "truncation", "padding"] {
            let present = file.get(section).is_some_and(|value| match value {
                Value::Null => false,
                Value::Array(entries) => !entries.is_empty(),
                _ => true,
            });
            if present {
                return Err(other(
                    format!("a `{section}` section"),
                    "none: it would change the ids",
                ));
            }
        }
        let section = |name: &str| file.get(name).cloned().unwrap_or(Value::Null);
        let (normalizer, pre_tokenizer) = (section("normalizer"), section("pre_tokenizer"));
        let tokenizer = if let Some(named) =
            Tokenizer::recognise(&normalizer, &pre_tokenizer).map_err(Shape::Own)?
        {
            named
        } else {
            let portable = Portable {
                normalizer: readable("normalizer", normalizer)?,
                pre_tokenizer: readable("pre_tokenizer", pre_tokenizer)?,
            };
            Tokenizer { engine: Engine::Foreign(portable.into()).into(), vocabulary: None }
        };
        tokenizer.with_vocabulary(&vocabulary).map_err(Shape::Own)
    }
}

/// Why bytes are no tokenizer: an error that already says all, or a shape that the caller names the file of.
enum Shape {
    Own(Error),
    Other { found: String, expected: String },
}

fn other(found: impl Into<String>, expected: impl Into<String>) -> Shape {
    Shape::Other { found: found.into(), expected: expected.into() }
}

/// A section of the file as `tokenizers` reads it; null is none.
fn readable<T: serde::de::DeserializeOwned>(
    name: &str,
    section: Value,
) -> std::result::Result<Option<T>, Shape> {
    serde_json::from_value(section).map_err(|error| {
        other(
            format!("a `{name}` section that cannot be read ({error})"),
            "one that tokenizers 0.23 reads",
        )
    })
}

/// The vocabulary of a `WordLevel` model whose ids are 0, 1, 2, … with `<unk>` and `<pad>` first.
fn vocabulary_of(file: &Value) -> std::result::Result<Vocabulary, Shape> {
    let model = file
        .get("model")
        .ok_or_else(|| other("no `model` section", "a model of the type WordLevel"))?;
    match model.get("type").and_then(Value::as_str) {
        Some("WordLevel") => {}
        Some(found) => return Err(other(format!("a model of the type {found}"), "WordLevel")),
        None => {
            return Err(other("a model without a type", "a model of the type WordLevel"));
        }
    }
    let unknown = Vocabulary::SPECIALS[0];
    match model.get("unk_token").and_then(Value::as_str) {
        Some(found) if found == unknown => {}
        found => {
            return Err(other(
                format!("unk_token {}", found.unwrap_or("missing")),
                format!("unk_token {unknown}"),
            ));
        }
    }
    let entries = model
        .get("vocab")
        .and_then(Value::as_object)
        .ok_or_else(|| other("a model without a `vocab` of words and ids", "words and ids"))?;
    let mut tokens: Vec<Option<&String>> = vec![None; entries.len()];
    for (token, id) in entries {
        let place = id.as_u64().and_then(|id| tokens.get_mut(usize::try_from(id).ok()?));
        match place {
            Some(place @ None) => *place = Some(token),
            Some(Some(taken)) => {
                return Err(other(
                    format!("id {id} for both `{taken}` and `{token}`"),
                    "each id once",
                ));
            }
            None => {
                let expected = format!("ids 0 to {} without gaps", entries.len().saturating_sub(1));
                return Err(other(
                    format!("id {id} for `{token}` among {} words", entries.len()),
                    expected,
                ));
            }
        }
    }
    let tokens = tokens.into_iter().flatten().cloned().collect();
    Vocabulary::from_tokens(tokens)
        .map_err(|error| other(error.to_string(), "<unk> = 0, <pad> = 1, then words"))
}
