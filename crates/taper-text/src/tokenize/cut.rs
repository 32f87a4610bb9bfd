//! Cutting a normalised text, directly: the twin of the portable pre-tokenizer, without alignments.

use std::collections::HashMap;

use regex::Regex;
use serde_json::Value;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::pre_tokenizers::whitespace::{Whitespace, WhitespaceSplit};
use tokenizers::{PreTokenizerWrapper, SplitDelimiterBehavior};

use super::{english, likeness};
use crate::chunk::Space;
use crate::error::{Error, Result};
use crate::spacy;

/// A way of cutting.
#[derive(Debug)]
pub(crate) enum Cut {
    /// At white space only.
    Whitespace,
    /// [`UNICODE`].
    Unicode(Regex),
    /// As the Penn Treebank and spaCy do.
    English(Box<English>),
    /// As spaCy does, to the byte.
    Spacy,
}

/// What `tokenizers` calls `Whitespace`: a run of word characters, or of anything else that is no white space.
const UNICODE: &str = r"\w+|[^\w\s]+";

/// The three stages of `english`: pieces, then endings off the pieces, then words written as one.
#[derive(Debug)]
pub(crate) struct English {
    piece: Regex,
    endings: Vec<Regex>,
    /// A word written as one, and where it parts (in bytes).
    joined: HashMap<String, usize>,
    longest_joined: usize,
}

impl Cut {
    pub(super) fn unicode() -> Result<Cut> {
        regex(UNICODE).map(Cut::Unicode)
    }

    pub(super) fn english() -> Result<Cut> {
        let joined: HashMap<String, usize> = english::joined()
            .into_iter()
            .map(|(head, tail)| (format!("{head}{tail}"), head.len()))
            .collect();
        Ok(Cut::English(Box::new(English {
            piece: regex(&english::piece())?,
            endings: english::ENDINGS.iter().map(|ending| regex(ending)).collect::<Result<_>>()?,
            longest_joined: joined.keys().map(String::len).max().unwrap_or(0),
            joined,
        })))
    }

    /// Visits the tokens of a normalised text in order.
    pub(super) fn for_each(&self, text: &str, visit: &mut dyn FnMut(&str)) {
        match self {
            Cut::Whitespace => text.split_whitespace().for_each(visit),
            Cut::Unicode(run) => run.find_iter(text).for_each(|found| visit(found.as_str())),
            Cut::Spacy => {
                for span in spacy::spans(text) {
                    visit(&text[span.start..span.end]);
                }
            }
            Cut::English(english) => {
                english
                    .piece
                    .find_iter(text)
                    .for_each(|piece| english.part(piece.as_str(), 0, visit));
            }
        }
    }

    /// What parts the chunks, each of which is cut for itself ([`Cut::part`]).
    pub(crate) fn space(&self) -> Space {
        match self {
            Cut::Spacy => spacy::SPACE,
            Cut::Whitespace | Cut::Unicode(_) | Cut::English(_) => Space::Unicode,
        }
    }

    /// Visits the tokens of one chunk in order; false where they are a matter of the whole text.
    pub(crate) fn part(
        &self,
        chunk: &str,
        scratch: &mut spacy::Scratch,
        visit: &mut dyn FnMut(&str),
    ) -> bool {
        if let Cut::Spacy = self {
            let Some(spans) = spacy::spans_of_chunk(chunk, scratch) else { return false };
            for span in spans {
                visit(&chunk[span.start..span.end]);
            }
        } else {
            self.for_each(chunk, visit);
        }
        true
    }

    /// The token that is made of the white space from `start` to `end`.
    pub(crate) fn space_token<'t>(
        &self,
        text: &'t str,
        start: usize,
        end: usize,
    ) -> Option<&'t str> {
        let Cut::Spacy = self else { return None };
        let span = spacy::space_token(text.as_bytes(), start, end)?;
        Some(&text[span.start..span.end])
    }

    /// Whether a section of a file could be the portable form of this cut: its main pattern or type read, nothing compiled.
    pub(super) fn may_be(name: &str, section: &Value) -> bool {
        let pattern =
            |step: usize| section.pointer(&format!("/pretokenizers/{step}/pattern/Regex"));
        match name {
            "english" => pattern(0).is_some_and(|found| *found == english::piece()),
            "spacy" => pattern(2).is_some_and(|found| *found == likeness::token()),
            "unicode" => section.get("type").is_some_and(|found| *found == "Whitespace"),
            _ => true,
        }
    }

    /// The same as a pre-tokenizer of `tokenizers`.
    pub(super) fn portable(&self) -> Result<PreTokenizerWrapper> {
        let split = |pattern: String, behavior, invert| -> Result<PreTokenizerWrapper> {
            let split = Split::new(SplitPattern::Regex(pattern), behavior, invert)
                .map_err(|error| Error::Pipeline(error.to_string()))?;
            Ok(split.into())
        };
        let steps = match self {
            Cut::Whitespace => return Ok(WhitespaceSplit.into()),
            Cut::Unicode(_) => return Ok(Whitespace.into()),
            Cut::Spacy => vec![
                split(likeness::gap(), SplitDelimiterBehavior::Removed, false)?,
                split(likeness::space(), SplitDelimiterBehavior::Isolated, false)?,
                split(likeness::token(), SplitDelimiterBehavior::Removed, true)?,
            ],
            Cut::English(_) => {
                let mut steps =
                    vec![split(english::piece(), SplitDelimiterBehavior::Removed, true)?];
                for ending in english::ENDINGS {
                    let isolated = SplitDelimiterBehavior::Isolated;
                    steps.push(split((*ending).to_owned(), isolated, false)?);
                }
                let joined = english::joined_pattern();
                steps.push(split(joined, SplitDelimiterBehavior::Isolated, false)?);
                steps
            }
        };
        Ok(Sequence::new(steps).into())
    }
}

fn regex(pattern: &str) -> Result<Regex> {
    Regex::new(pattern).map_err(|error| Error::Pipeline(error.to_string()))
}

impl English {
    /// Parts a piece from stage `stage` on.
    fn part(&self, piece: &str, stage: usize, visit: &mut dyn FnMut(&str)) {
        // Every ending begins at, or right before, an apostrophe: most pieces have none.
        if let Some(ending) =
            self.endings.get(stage).filter(|_| piece.contains(english::APOSTROPHES))
        {
            return match ending.find(piece).map(|found| found.start()) {
                Some(start) if start > 0 => {
                    self.part(&piece[..start], stage + 1, visit);
                    self.part(&piece[start..], stage + 1, visit);
                }
                _ => self.part(piece, stage + 1, visit),
            };
        }
        match self.joined.get(piece).filter(|_| piece.len() <= self.longest_joined) {
            Some(at) => {
                visit(&piece[..*at]);
                visit(&piece[*at..]);
            }
            None => visit(piece),
        }
    }
}
