//! The third stage: a row of numbers for each word of the vocabulary, and how many words have one.

use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};
use taper_text::{
    AlignOptions, Alignment, Case, FileReport, Missing, TokenCounts, Vocabulary, align,
    read_vectors, spellings, words_beside,
};

use super::{PrepareEvent, VectorSource};
use crate::artifacts::{HAS_VECTOR, VectorsReport};
use crate::fingerprint::{self, Fingerprint};
use crate::gradients::EMBEDDING;
use crate::manifest::Stage;
use crate::recipe::{self, Vectors};
use crate::{Error, Recipe, Result, atomic};

const VERSION: u32 = 3;

/// What the stage depends on: the `[vectors]` table, the vectors, the vocabulary and the counts.
pub(super) fn fingerprint(
    recipe: &Recipe,
    source_identity: &str,
    tokenizer_hash: &str,
    train_content: &str,
) -> String {
    let vectors = &recipe.vectors;
    let mut fingerprint = Fingerprint::new(Stage::Vectors.name(), VERSION)
        .field("source", source_identity)
        .field("dimensions", &vectors.dimensions.to_string());
    if source_identity != NONE {
        fingerprint = fingerprint
            .field("member", vectors.member.as_deref().unwrap_or_default())
            .field("case", &format!("{:?}", vectors.case))
            .field("missing", &format!("{:?}", vectors.missing))
            .field("tokenizer", tokenizer_hash)
            .field("train", train_content);
        if matches!(vectors.missing, recipe::Missing::Normal | recipe::Missing::Uniform) {
            fingerprint = fingerprint
                .field("missing_scale", &vectors.missing_scale.to_string())
                .field("seed", &recipe.seed.to_string());
        }
    }
    fingerprint.finish()
}

const NONE: &str = "none";

/// What the vectors are, wherever they lie: a pinned file is known without reading (or fetching) it.
pub(super) fn identity(source: &VectorSource) -> Result<String> {
    match source {
        VectorSource::None => Ok(NONE.to_owned()),
        VectorSource::Path(path) => match words_beside(path)? {
            None => fingerprint::of_file(path),
            Some(words) => {
                Ok(format!("{} {}", fingerprint::of_file(path)?, fingerprint::of_file(&words)?))
            }
        },
        VectorSource::Glove6B(_) => {
            let file = taper_corpus::glove_6b();
            Ok(format!(
                "{:?} {} {} {}",
                file.repo,
                file.revision,
                file.path,
                file.sha256.unwrap_or_default()
            ))
        }
    }
}

/// Fetches the vectors if need be. `None` without vectors.
pub(super) fn locate(
    source: &VectorSource,
    events: &mut dyn FnMut(PrepareEvent),
) -> Result<Option<PathBuf>> {
    match source {
        VectorSource::None => Ok(None),
        VectorSource::Path(path) => Ok(Some(path.clone())),
        VectorSource::Glove6B(hub) => {
            let mut progress = |done, total| events(PrepareEvent::Download { done, total });
            let file = taper_corpus::glove_6b();
            Ok(Some(taper_corpus::fetch(hub, &file, &mut progress)?))
        }
    }
}

pub(super) fn align_to(
    vocabulary: &Vocabulary,
    counts: &TokenCounts,
    path: &Path,
    recipe: &Recipe,
) -> Result<(Alignment, FileReport)> {
    let table = &recipe.vectors;
    let spellings = spellings(vocabulary);
    let wanted = |word: &str| spellings.contains(word);
    let (vectors, file) = read_vectors(path, table.member.as_deref(), table.dimensions, &wanted)?;
    let options = align_options(table, recipe.seed);
    Ok((align(vocabulary, counts, &vectors, &options)?, file))
}

/// Writes `embeddings.safetensors` (if there is a matrix) and `coverage.json`.
pub(super) fn write(
    folder: &Path,
    table: &Vectors,
    aligned: Option<&(Alignment, FileReport)>,
) -> Result<()> {
    if let Some((alignment, _)) = aligned {
        let path = folder.join("embeddings.safetensors");
        let failed = |error: safetensors::SafeTensorError| {
            Error::prepared(&path, format!("cannot be written: {error}"))
        };
        let bytes: Vec<u8> =
            alignment.matrix.iter().flat_map(|value| value.to_le_bytes()).collect();
        let rows = alignment.matrix.len() / alignment.dimensions.max(1);
        let view = TensorView::new(Dtype::F32, vec![rows, alignment.dimensions], &bytes)
            .map_err(failed)?;
        let flags: Vec<u8> = alignment.has_vector.iter().map(|has| u8::from(*has)).collect();
        let flags = TensorView::new(Dtype::U8, vec![flags.len()], &flags).map_err(failed)?;
        let tensors = [(EMBEDDING, view), (HAS_VECTOR, flags)];
        atomic::write(&path, &safetensors::serialize(tensors, None).map_err(failed)?)?;
    }
    let report = VectorsReport {
        source: table.source.clone(),
        dimensions: table.dimensions,
        file: aligned.map(|(_, file)| file.clone()),
        coverage: aligned.map(|(alignment, _)| alignment.coverage.clone()),
    };
    let path = folder.join("coverage.json");
    let mut json = serde_json::to_vec_pretty(&report)
        .map_err(|error| Error::prepared(&path, format!("cannot be written: {error}")))?;
    json.push(b'\n');
    atomic::write(&path, &json)
}

fn align_options(table: &Vectors, seed: u64) -> AlignOptions {
    let scale = table.missing_scale as f32;
    AlignOptions {
        case: match table.case {
            recipe::Case::Exact => Case::Exact,
            recipe::Case::Lower => Case::Lower,
            recipe::Case::Fallback => Case::Fallback,
        },
        missing: match table.missing {
            recipe::Missing::Zero => Missing::Zero,
            recipe::Missing::Subwords => Missing::Subwords,
            recipe::Missing::Normal => Missing::Normal { std: scale },
            recipe::Missing::Uniform => Missing::Uniform { bound: scale },
        },
        seed,
    }
}
