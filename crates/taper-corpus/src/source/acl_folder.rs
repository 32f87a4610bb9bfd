//! The aclImdb tree, unpacked.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Place, Result};
use crate::input::regular;
use crate::origin::Origin;
use crate::source::acl_imdb::{FOLDERS, Folder, MOST_BYTES, Movies, SETS, Tally, review_id};
use crate::source::{VisitFrom, list};

/// A folder with `train/` and `test/`, each with `pos/` and `neg/`.
///
/// Reviews come in the order of their numbers: train neg and pos, test neg and pos, train unsup.
#[derive(Debug, Clone)]
pub struct AclImdbFolder {
    root: PathBuf,
}

impl AclImdbFolder {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The folder that holds `train/` and `test/`.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Whether most files in the folders of reviews are called as reviews are: others may call their classes `neg` and
    /// `pos` too.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub(super) fn looks_like_one(root: &Path) -> Result<bool> {
        let (mut reviews, mut others) = (0_u64, 0_u64);
        for folder in FOLDERS {
            let dir = root.join(folder.set).join(folder.class);
            if !dir.is_dir() {
                continue;
            }
            for entry in fs::read_dir(&dir).map_err(Error::io("list", &dir))? {
                let name = entry.map_err(Error::io("list", &dir))?.file_name();
                match review_id(&name.to_string_lossy(), || Place::file(&dir)) {
                    Ok(Some(_)) => reviews += 1,
                    Ok(None) => {}
                    Err(_) => others += 1,
                }
            }
        }
        Ok(reviews > others)
    }

    pub(super) fn for_each(&self, visit: &mut VisitFrom<'_>) -> Result<()> {
        self.check_classes()?;
        let movies = self.movies()?;
        let mut tally = Tally::default();
        for folder in FOLDERS {
            let dir = self.root.join(folder.set).join(folder.class);
            if !dir.is_dir() {
                continue;
            }
            for (id, path) in reviews(&dir)? {
                let bytes = read(&path)?;
                let record = movies.record(folder, id, bytes, Place::file(&path))?;
                tally.count(folder);
                let file = path.strip_prefix(&self.root).unwrap_or(&path);
                visit(folder.split(), record, Origin::new(file, None))?;
            }
        }
        tally.check(&self.root)
    }

    /// Before anything is read: no folder that would be a class unknown.
    fn check_classes(&self) -> Result<()> {
        for set in SETS {
            let dir = self.root.join(set);
            if !dir.is_dir() {
                continue;
            }
            for folder in list(&dir)?.1 {
                let class = folder.file_name().unwrap_or_default().to_string_lossy();
                Folder::find(set, &class, || Place::file(&self.root))?;
            }
        }
        Ok(())
    }

    fn movies(&self) -> Result<Movies> {
        let mut movies = Movies::default();
        for folder in FOLDERS {
            let path = self.root.join(folder.set).join(folder.url_list());
            if path.is_file() {
                let list = read(&path)?;
                movies.add(folder, Place::file(&path), &list)?;
            }
        }
        Ok(movies)
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    regular(path)?;
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(Error::io("read", path))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Error::too_long(Place::file(path), MOST_BYTES as usize));
    }
    Ok(bytes)
}

/// The reviews of a folder in the order of their numbers.
fn reviews(dir: &Path) -> Result<Vec<(u32, PathBuf)>> {
    let mut reviews = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let path = entry.map_err(Error::io("list", dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(id) = review_id(&name, || Place::file(&path))? {
            reviews.push((id, path));
        }
    }
    reviews.sort();
    if let Some(twice) = reviews.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Error::Malformed {
            place: Place::file(&twice[1].1),
            problem: format!(
                "has the number of {}; a folder holds each review once",
                twice[0].1.display()
            ),
        });
    }
    Ok(reviews)
}
