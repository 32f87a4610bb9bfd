//! IMDB from the Hub: `stanfordnlp/imdb` at one revision, known by its hashes.
//!
//! A mirror may serve the same reviews re-encoded (another compression, another Parquet writer), so
//! a file is accepted as what it should be by either of two fingerprints: the sha256 of the Hub's
//! own file, or the [`ContentFingerprint`] of its rows, which does not change with order or
//! encoding. Anything else is refused, with both.

use std::path::Path;

use crate::error::{Error, Result};
use crate::fingerprint::ContentFingerprint;
use crate::hub::{HubConfig, HubFile, HubRepo, Progress, fetch_checked};
use crate::source::{HubLayout, Source};
use crate::verify::Inspection;

/// The data set's id on the Hub.
pub const REPOSITORY: &str = "stanfordnlp/imdb";

/// The commit that is fetched.
pub const REVISION: &str = "e6281661ce1c48d982bc483cf8a173c1bbeb5d31";

/// Which splits to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImdbParts {
    /// Train and test: 50,000 reviews, 42 MB.
    Labelled,
    /// The 50,000 reviews without a label too: 84 MB.
    All,
}

/// A split's file, by both its fingerprints.
struct Pin {
    split: &'static str,
    sha256: &'static str,
    content: &'static str,
}

const PINS: [Pin; 3] = [
    Pin {
        split: "train",
        sha256: "db47d16b5c297cc0dd625e519c81319c24c9149e70e8496de5475f6fa928342c",
        content: "4fba0b31170644eb37bc485029d633e570602c428b9d46a0875e35af21260d78",
    },
    Pin {
        split: "test",
        sha256: "b52e26e2f872d282ffac460bf9770b25ac6f102cda0e6ca7158df98c94e8b3da",
        content: "3a7b422fd4796369a07990235a5a9b336488044f7720a3bd7d41cff50183fa6a",
    },
    Pin {
        split: "unsupervised",
        sha256: "74d14fbfcbb39fb7d299c38ca9f0ae6d231bf97108da85d620027ba437b6d52e",
        // Of the original archive's `train/unsup`.
        content: "15698f5532762b5c535d3b8a5b5833423cf2d6fe6f4a54453ca23671c0ba5fd5",
    },
];

/// Brings the pinned files into the cache (or finds them there) and opens them.
///
/// `progress` is told of each file from its first byte on.
///
/// # Errors
/// As [`fetch`](crate::hub::fetch); and [`Error::WrongFile`] where neither fingerprint fits.
pub fn fetch_imdb(
    config: &HubConfig,
    parts: ImdbParts,
    progress: &mut Progress<'_>,
) -> Result<Source> {
    let count = match parts {
        ImdbParts::Labelled => 2,
        ImdbParts::All => 3,
    };
    let mut splits = Vec::new();
    for pin in &PINS[..count] {
        let file = pin.file();
        let url = file.url(config);
        let path =
            fetch_checked(config, &file, progress, &|path, found| pin.check(path, &url, found))?;
        splits.push((pin.split.to_owned(), vec![path]));
    }
    HubLayout::new(splits).map(Source::HubLayout)
}

impl Pin {
    fn file(&self) -> HubFile {
        HubFile {
            repo: HubRepo::Dataset(REPOSITORY.to_owned()),
            revision: REVISION.to_owned(),
            path: format!("plain_text/{}-00000-of-00001.parquet", self.split),
            sha256: Some(self.sha256.to_owned()),
        }
    }

    fn check(&self, path: &Path, url: &str, found: &Inspection) -> Result<()> {
        if found.sha256 == self.sha256 {
            return Ok(());
        }
        let content = match self.content_of(path) {
            Ok(content) if content == self.content => return Ok(()),
            Ok(content) => format!("content {content}"),
            Err(error) => format!("no readable content ({error})"),
        };
        Err(Error::WrongFile {
            path: path.to_owned(),
            url: url.to_owned(),
            expected: format!("sha256 {} or content {}", self.sha256, self.content),
            found: format!("sha256 {} and {content}", found.sha256),
        })
    }

    fn content_of(&self, path: &Path) -> Result<String> {
        let layout = HubLayout::new(vec![(self.split.to_owned(), vec![path.to_owned()])])?;
        let mut content = ContentFingerprint::new();
        Source::HubLayout(layout).for_each(&mut |_, record| {
            content.add(&record.text, record.label);
            Ok(())
        })?;
        Ok(content.finish())
    }
}
