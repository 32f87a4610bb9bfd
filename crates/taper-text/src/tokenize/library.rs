//! A `tokenizer.json` from anywhere, run by the `tokenizers` library: BPE, `WordPiece`, Unigram, or a `WordLevel` that is not
//! one of ours. Ids are those of `Tokenizer.from_file(path).encode(text)` in Python, special tokens included.
//!
//! | of the file | here |
//! | --- | --- |
//! | ids, normalizer, pre-tokenizer, model, added tokens | as they are |
//! | regular expressions | in other words where Oniguruma, which Python runs, reads them otherwise ([`super::pattern`]) |
//! | post-processor (`[CLS]`, `[SEP]`) | applied, as is Python's default |
//! | truncation, padding | not applied: a recipe says how much is read, and a batch packs or pads |
//! | unknown token | the model's; BPE may do without |
//! | padding token | that of the padding section, else `[PAD]`, `<pad>`, … of the vocabulary; else one more row after the last |
//! | BPE dropout, ids with gaps | refused: ids would be drawn anew each time, rows would stand for nothing |

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;
use tokenizers::{Model as _, ModelWrapper};

use super::pattern::reworded;
use super::shape::{Shape, other};
use crate::error::{Error, Result};
use crate::vocabulary::{Specials, Vocabulary};

/// What padding is usually called.
const PADDINGS: [&str; 5] = ["[PAD]", "<pad>", "<|pad|>", "<|padding|>", "<PAD>"];

/// What the row that is added for padding is called; `<pad>_` where a token of the file has that name.
const ADDED_PADDING: &str = "<pad>";

/// The library's tokenizer, and the file it was read from.
pub(crate) struct Library {
    pub(super) file: Vec<u8>,
    /// The sections of the file that are not applied.
    pub(super) ignored: Vec<&'static str>,
    tokenizer: tokenizers::Tokenizer,
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library").field("bytes", &self.file.len()).finish_non_exhaustive()
    }
}

impl Library {
    /// `value` is what `file` says.
    pub(super) fn read(
        file: &[u8],
        value: &Value,
    ) -> std::result::Result<(Library, Vocabulary), Shape> {
        let model = value
            .get("model")
            .filter(|model| model.is_object())
            .ok_or_else(|| other("no `model` section", MODELS))?;
        if let Some(found) = model.get("type").and_then(Value::as_str)
            && !["BPE", "WordPiece", "WordLevel", "Unigram"].contains(&found)
        {
            return Err(other(format!("a model of the type {found}"), MODELS));
        }
        check_templates(value.get("post_processor").unwrap_or(&Value::Null))?;
        let unreadable = |problem: String| {
            other(
                format!("a file that cannot be read ({problem})"),
                "one that tokenizers 0.23 reads",
            )
        };
        let reworded = reworded(value).map(|value| value.to_string());
        let bytes = reworded.as_ref().map_or(file, |text| text.as_bytes());
        let mut tokenizer = guarded(|| tokenizers::Tokenizer::from_bytes(bytes))
            .map_err(|problem| unreadable(problem.to_string()))?;
        let is_set = |section: &&str| value.get(*section).is_some_and(|set| !set.is_null());
        let ignored: Vec<_> = ["truncation", "padding"].into_iter().filter(is_set).collect();
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|problem| unreadable(problem.to_string()))?;

        let mut tokens = in_order(&tokenizer)?;
        let unknown = unknown(&tokenizer, model)?;
        let library = Library { file: file.to_vec(), ignored, tokenizer };
        // What the post-processor adds to every text is read: it is no padding, whatever it is called.
        let always = library.ids("").map_err(|problem| unreadable(problem.to_string()))?;
        if let Some(id) = always.iter().find(|id| **id as usize >= tokens.len()) {
            return Err(other(
                format!(
                    "a post-processor that gives every text the id {id}, and {} tokens",
                    tokens.len()
                ),
                "ids of its tokens alone: none else would have a row",
            ));
        }
        let added: HashSet<u32> = always.into_iter().chain(unknown).collect();
        let told = value.pointer("/padding/pad_id").and_then(Value::as_u64);
        let told = told.and_then(|id| u32::try_from(id).ok());
        let named = PADDINGS.iter().filter_map(|name| library.tokenizer.token_to_id(name));
        let mut known = told.into_iter().chain(named);
        let padding = known.find(|id| (*id as usize) < tokens.len() && !added.contains(id));
        let padding = padding.unwrap_or_else(|| {
            let mut name = ADDED_PADDING.to_owned();
            while tokens.contains(&name) {
                name.push('_');
            }
            tokens.push(name);
            tokens.len() as u32 - 1
        });
        let vocabulary = Vocabulary::of_file(tokens, Specials { unknown, padding });
        Ok((library, vocabulary))
    }

    /// The ids of a text, with those that the post-processor adds.
    pub(crate) fn ids(&self, text: &str) -> Result<Vec<u32>> {
        Ok(guarded(|| self.tokenizer.encode_fast(text, true))?.get_ids().to_vec())
    }

    /// Its tokens: the quick way has none.
    pub(super) fn tokens(&self, text: &str) -> Result<Vec<String>> {
        Ok(guarded(|| self.tokenizer.encode(text, true))?.get_tokens().to_vec())
    }
}

const MODELS: &str = "a model of the type BPE, WordPiece, WordLevel or Unigram";

/// The library has no say in what a file holds, and panics at some of it.
fn guarded<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| Error::Pipeline(error.to_string())),
        Err(_) => {
            Err(Error::Pipeline("the tokenizers library panicked: is the file damaged?".to_owned()))
        }
    }
}

/// All tokens in the order of their ids, added ones too.
fn in_order(tokenizer: &tokenizers::Tokenizer) -> std::result::Result<Vec<String>, Shape> {
    let mut entries: Vec<(u32, String)> =
        tokenizer.get_vocab(true).into_iter().map(|(token, id)| (id, token)).collect();
    entries.sort();
    if entries.is_empty() {
        return Err(other("a vocabulary without a token", "one with tokens"));
    }
    if let Some([one, other_one]) = entries.array_windows().find(|[one, next]| one.0 == next.0) {
        let found = format!("id {} for both `{}` and `{}`", one.0, one.1, other_one.1);
        return Err(other(found, "each id once"));
    }
    let count = entries.len();
    if let Some((place, (id, token))) =
        entries.iter().enumerate().find(|(place, (id, _))| *id as usize != *place)
    {
        return Err(other(
            format!("id {id} for `{token}` among {count} tokens, and none with id {place}"),
            format!("ids 0 to {} without gaps", count - 1),
        ));
    }
    Ok(entries.into_iter().map(|(_, token)| token).collect())
}

/// The id of the unknown token.
fn unknown(
    tokenizer: &tokenizers::Tokenizer,
    section: &Value,
) -> std::result::Result<Option<u32>, Shape> {
    let of = |model: &str, token: &str| {
        tokenizer.get_model().token_to_id(token).map(Some).ok_or_else(|| {
            other(
                format!("a {model} model whose unknown token `{token}` is not in its vocabulary"),
                "an unknown token: without one it cannot encode every text",
            )
        })
    };
    match tokenizer.get_model() {
        ModelWrapper::BPE(bpe) => {
            if let Some(dropout) = bpe.dropout.filter(|dropout| *dropout > 0.0) {
                return Err(other(
                    format!("BPE with a dropout of {dropout}"),
                    "none: the same text would have other ids each time",
                ));
            }
            bpe.unk_token.as_ref().map_or(Ok(None), |token| of("BPE", token))
        }
        ModelWrapper::WordPiece(model) => of("WordPiece", &model.unk_token),
        ModelWrapper::WordLevel(model) => of("WordLevel", &model.unk_token),
        ModelWrapper::Unigram(_) => {
            let id = section.get("unk_id").and_then(Value::as_u64);
            let id = id.and_then(|id| u32::try_from(id).ok());
            id.map(Some).ok_or_else(|| {
                other(
                    "a Unigram model without `unk_id`",
                    "an unknown token: without one it cannot encode every text",
                )
            })
        }
    }
}

/// A template may name tokens that it does not define; the library looks them up unchecked.
fn check_templates(section: &Value) -> std::result::Result<(), Shape> {
    if section.get("type").and_then(Value::as_str) == Some("TemplateProcessing") {
        let known = section.get("special_tokens").and_then(Value::as_object);
        for pieces in ["single", "pair"].iter().filter_map(|key| section.get(key)?.as_array()) {
            let names =
                pieces.iter().filter_map(|piece| piece.pointer("/SpecialToken/id")?.as_str());
            for name in names {
                if known.is_none_or(|known| !known.contains_key(name)) {
                    return Err(other(
                        format!("a template that adds `{name}` without defining it"),
                        "each token of the template among its `special_tokens`",
                    ));
                }
            }
        }
    }
    let inner = section.get("processors").and_then(Value::as_array);
    inner.into_iter().flatten().try_for_each(check_templates)
}
