//! What the aclImdb tree and its archive share: names, URL lists, reviews.
//!
//! ```text
//! {train,test}/{pos,neg}/ID_RATING.txt    a review; the rating is ignored, the folder is the label
//! train/unsup/ID_0.txt                    a review without a label
//! {train,test}/urls_{pos,neg,unsup}.txt   line i (from 0): the page of review i's movie
//! ```
//! Everything else (`README`, `imdb.vocab`, `*.feat`) is passed over.

use std::collections::BTreeMap;

use crate::error::{Error, Place, Result};
use crate::layout::UNSUPERVISED;
use crate::record::Record;

/// The class names, in the order of the Hub's copy.
const CLASSES: [&str; 2] = ["neg", "pos"];

/// The most of one file that is read: a review has at most 14 KB, a list of movies 600 KB.
pub(super) const MOST_BYTES: u64 = 16 << 20;

pub(super) const SETS: [&str; 2] = ["train", "test"];

/// The folder of the reviews without a label, in `train` alone.
const UNSUP: &str = "unsup";

pub(super) fn class_names() -> Vec<String> {
    CLASSES.map(str::to_owned).to_vec()
}

/// A folder of reviews: `train/pos`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Folder {
    pub(super) set: &'static str,
    pub(super) class: &'static str,
}

/// The folders of reviews in the order they are read.
pub(super) const FOLDERS: [Folder; 5] = [
    Folder { set: "train", class: "neg" },
    Folder { set: "train", class: "pos" },
    Folder { set: "test", class: "neg" },
    Folder { set: "test", class: "pos" },
    Folder { set: "train", class: UNSUP },
];

impl Folder {
    /// # Errors
    /// A folder beside `pos`, `neg` and (in `train`) `unsup` would be a class that nobody knows.
    pub(super) fn find(set: &str, class: &str, place: impl FnOnce() -> Place) -> Result<Self> {
        let known = FOLDERS.iter().find(|folder| folder.set == set && folder.class == class);
        known.copied().ok_or_else(|| Error::UnknownLabel {
            place: place(),
            found: format!("{class} (the folder {set}/{class})"),
            classes: class_names(),
        })
    }

    pub(super) fn split(self) -> &'static str {
        if self.class == UNSUP { UNSUPERVISED } else { self.set }
    }

    fn label(self) -> Option<u32> {
        let index = CLASSES.iter().position(|&class| class == self.class)?;
        Some(index as u32)
    }

    pub(super) fn url_list(self) -> String {
        format!("urls_{}.txt", self.class)
    }
}

/// The ID of `ID_RATING.txt`; `None` for hidden files, which systems strew.
///
/// # Errors
/// Any other name.
pub(super) fn review_id(name: &str, place: impl FnOnce() -> Place) -> Result<Option<u32>> {
    if name.starts_with('.') {
        return Ok(None);
    }
    let id = name
        .strip_suffix(".txt")
        .and_then(|stem| stem.split_once('_'))
        .filter(|(_, rating)| !rating.is_empty() && rating.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|(id, _)| id.parse().ok());
    id.map(Some).ok_or_else(|| Error::Malformed {
        place: place(),
        problem: "a review's file must be named ID_RATING.txt, such as 0_9.txt".to_owned(),
    })
}

/// The movie of every review, by the number of its title: four bytes a review.
#[derive(Debug, Default)]
pub(super) struct Movies {
    titles: BTreeMap<Folder, (Place, Vec<u32>)>,
}

impl Movies {
    /// Whether the list of every folder was read.
    pub(super) fn complete(&self) -> bool {
        self.titles.len() == FOLDERS.len()
    }

    /// # Errors
    /// A line without a title number, by its number.
    pub(super) fn add(&mut self, folder: Folder, place: Place, list: &[u8]) -> Result<()> {
        let mut titles = Vec::new();
        let text = utf8(list, &place)?;
        for (index, line) in text.lines().enumerate() {
            let title = title_number(line).ok_or_else(|| Error::Malformed {
                place: place.clone().at_line(index as u64 + 1),
                problem: format!("`{line}` names no movie; expected a page such as http://www.imdb.com/title/tt0064354/"),
            })?;
            titles.push(title);
        }
        self.titles.insert(folder, (place, titles));
        Ok(())
    }

    /// The movie of a review, `tt0064354`; `None` where the folder came without a list.
    fn of(&self, folder: Folder, id: u32) -> Result<Option<String>> {
        let Some((place, titles)) = self.titles.get(&folder) else {
            return Ok(None);
        };
        let title = titles.get(id as usize).ok_or_else(|| Error::Malformed {
            place: place.clone(),
            problem: format!(
                "ends after line {}, but review {id} of {}/{} needs line {}; one line a review is expected",
                titles.len(),
                folder.set,
                folder.class,
                u64::from(id) + 1
            ),
        })?;
        Ok(Some(format!("tt{title:07}")))
    }

    /// A review's bytes as a record.
    ///
    /// # Errors
    /// An empty file; bytes that are not UTF-8, or NUL; a URL list that is too short.
    pub(super) fn record(
        &self,
        folder: Folder,
        id: u32,
        bytes: Vec<u8>,
        place: Place,
    ) -> Result<Record> {
        if bytes.is_empty() {
            return Err(Error::Empty { place });
        }
        if memchr::memchr(0, &bytes).is_some() {
            return Err(Error::nul(place));
        }
        let text = String::from_utf8(bytes)
            .map_err(|error| Error::NotUtf8 { place, offset: error.utf8_error().valid_up_to() })?;
        Ok(Record {
            id: format!("{}/{}/{id}", folder.set, folder.class),
            text,
            label: folder.label(),
            labels: None,
            group: self.of(folder, id)?,
        })
    }
}

fn utf8<'a>(bytes: &'a [u8], place: &Place) -> Result<&'a str> {
    std::str::from_utf8(bytes)
        .map_err(|error| Error::NotUtf8 { place: place.clone(), offset: error.valid_up_to() })
}

/// `.../title/tt0064354/usercomments` -> 64354
fn title_number(url: &str) -> Option<u32> {
    let (_, rest) = url.split_once("/tt")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// Counts reviews, to tell at the end what is missing.
#[derive(Debug, Default)]
pub(super) struct Tally {
    reviews: BTreeMap<Folder, u64>,
}

impl Tally {
    pub(super) fn count(&mut self, folder: Folder) {
        *self.reviews.entry(folder).or_default() += 1;
    }

    /// # Errors
    /// A source without reviews, or without those of one class: half an unpacked tree.
    pub(super) fn check(&self, path: &std::path::Path) -> Result<()> {
        if self.reviews.is_empty() {
            return Err(Error::NoRows { place: Place::file(path), split: None });
        }
        let labelled = FOLDERS.iter().filter(|folder| folder.class != UNSUP);
        match labelled.copied().find(|folder| !self.reviews.contains_key(folder)) {
            None => Ok(()),
            Some(folder) => Err(Error::NoRows {
                place: Place::member(path, &format!("{}/{}", folder.set, folder.class)),
                split: Some(folder.split().to_owned()),
            }),
        }
    }
}
