//! The texts of a data set: opened, or, where they are pinned, known without being fetched.

use std::path::Path;

use taper_corpus::{HubConfig, HubDataset, HubSelection, ImdbParts, Source, imdb};

use super::{Dataset, PrepareEvent};
use crate::manifest::HubOrigin;
use crate::{Error, Recipe, Result};

/// Nothing here learns from unlabelled reviews.
const IMDB_PARTS: ImdbParts = ImdbParts::Labelled;

/// The texts, and where on the Hub they come from.
pub(super) enum Texts<'a> {
    Open(Source, Option<HubOrigin>),
    Imdb(&'a HubConfig),
}

impl<'a> Texts<'a> {
    pub(super) fn find(
        dataset: &'a Dataset,
        recipe: &Recipe,
        events: &mut dyn FnMut(PrepareEvent),
    ) -> Result<Self> {
        match dataset {
            Dataset::Path(path) => Ok(Self::Open(open_path(path, recipe)?, None)),
            Dataset::Imdb(hub) => Ok(Self::Imdb(hub)),
            Dataset::Hub(hub, wanted) => {
                let selection = select(hub, wanted, recipe)?;
                let mut progress = |done, total| events(PrepareEvent::Download { done, total });
                let settings = recipe.data.source_settings()?;
                let source = selection.fetch(hub, &settings, &mut progress)?;
                Ok(Self::Open(source, Some(HubOrigin::from(&selection))))
            }
        }
    }

    pub(super) fn origin(&self) -> Option<HubOrigin> {
        match self {
            Self::Open(_, origin) => origin.clone(),
            Self::Imdb(_) => None,
        }
    }

    /// What the texts are, whatever they lie in.
    pub(super) fn identity(&self) -> Result<String> {
        match self {
            Self::Open(source, _) => Ok(source.fingerprint()?),
            Self::Imdb(_) => Ok(format!("{} {} {IMDB_PARTS:?}", imdb::REPOSITORY, imdb::REVISION)),
        }
    }

    pub(super) fn open(self, events: &mut dyn FnMut(PrepareEvent)) -> Result<Source> {
        match self {
            Self::Open(source, _) => Ok(source),
            Self::Imdb(hub) => {
                let mut progress = |done, total| events(PrepareEvent::Download { done, total });
                Ok(imdb::fetch_imdb(hub, IMDB_PARTS, &mut progress)?)
            }
        }
    }
}

pub(super) fn open_path(path: &Path, recipe: &Recipe) -> Result<Source> {
    Ok(Source::open_with(path, &recipe.data.source_settings()?)?)
}

/// Which files of a data set of the Hub; where it has none to give, a path may have been meant.
pub(super) fn select(
    hub: &HubConfig,
    wanted: &HubDataset,
    recipe: &Recipe,
) -> Result<HubSelection> {
    use taper_corpus::Error as Corpus;
    match wanted.select(hub, &recipe.data.source_settings()?) {
        Err(error @ (Corpus::Hub { .. } | Corpus::Offline { .. })) => Err(Error::Dataset {
            dataset: wanted.id.clone(),
            message: format!("no such file or folder here, and as a data set of the Hub: {error}"),
        }),
        selected => Ok(selected?),
    }
}
