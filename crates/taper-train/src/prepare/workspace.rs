//! The prepared folder while it is worked on: finished stages are kept, new ones are built beside them, and all are
//! swapped in together at the end. Whatever stops preparation, what was there before stays whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::foreign;
use crate::lock::Lock;
use crate::manifest::{FileRecord, HubOrigin, Manifest, Stage, StageRecord};
use crate::{Error, Result, atomic, fingerprint};

/// Where stages are built, within the prepared folder.
pub(super) const BUILDING: &str = ".building";

/// The manifest of what is being replaced, there as well.
pub(super) const REPLACED: &str = "replaced.json";

#[derive(Debug)]
pub(super) struct Workspace {
    folder: PathBuf,
    lock: Lock,
    /// What the folder's own manifest says.
    prepared: Option<Manifest>,
    /// What an earlier, interrupted preparation finished.
    interrupted: Option<Manifest>,
    /// What this preparation has found or made so far.
    manifest: Manifest,
    /// Stages that lie under [`BUILDING`].
    built: Vec<Stage>,
}

impl Workspace {
    /// `begin` is the manifest to fill, without stages.
    pub(super) fn open(folder: &Path, begin: Manifest) -> Result<Self> {
        fs::create_dir_all(folder).map_err(Error::io(folder, "create the folder"))?;
        let lock = Lock::exclusive_or_shared(folder)?;
        Ok(Self {
            prepared: readable(&folder.join(Manifest::FILE))?,
            interrupted: readable(&folder.join(BUILDING).join(Manifest::FILE))?,
            folder: folder.to_owned(),
            lock,
            manifest: begin,
            built: Vec::new(),
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Notes where the texts come from, whether their stage is built or kept.
    pub(super) fn set_origin(&mut self, hub: Option<HubOrigin>) {
        self.manifest.hub = hub;
    }

    /// Notes what the texts were read from this time, where their stage is kept: the same rows may lie in another format,
    /// or elsewhere. Then what the corpus tells of where they stand is not to be told, and the first time this gives true.
    pub(super) fn set_source(&mut self, source: String, origins: &str) -> bool {
        self.manifest.source = source;
        let moved = self.manifest.origins.as_ref().is_some_and(|known| known != origins);
        let before = std::mem::replace(&mut self.manifest.moved, moved);
        moved && !before
    }

    /// What the folder's own manifest said before.
    pub(super) fn prepared(&self) -> Option<&Manifest> {
        self.prepared.as_ref()
    }

    /// The file or folder a finished stage wrote.
    pub(super) fn output(&self, stage: Stage, name: &str) -> PathBuf {
        if self.built.contains(&stage) {
            self.folder.join(BUILDING).join(name)
        } else {
            self.folder.join(name)
        }
    }

    /// Keeps `stage` if it was made with this fingerprint and every file of it is still what was written then.
    pub(super) fn keep(&mut self, stage: Stage, fingerprint: &str) -> Result<bool> {
        let building = self.folder.join(BUILDING);
        let candidates = [
            (self.interrupted.clone(), building, true),
            (self.interrupted.clone(), self.folder.clone(), false),
            (self.prepared.clone(), self.folder.clone(), false),
        ];
        for (manifest, folder, built) in candidates {
            let Some(manifest) = manifest else { continue };
            let Some(record) = manifest.stages.get(&stage) else {
                continue;
            };
            if record.fingerprint != fingerprint || record.verify(&folder).is_err() {
                continue;
            }
            if built {
                self.require_exclusive()?;
                self.built.push(stage);
            }
            let record = record.clone();
            copy_outcome(stage, &manifest, &mut self.manifest);
            self.manifest.stages.insert(stage, record);
            return Ok(true);
        }
        Ok(false)
    }

    /// An empty place to build a stage's outputs in.
    pub(super) fn begin(&mut self, stage: Stage) -> Result<PathBuf> {
        self.require_exclusive()?;
        foreign::refuse(&self.folder)?;
        let building = self.folder.join(BUILDING);
        fs::create_dir_all(&building).map_err(Error::io(&building, "create the folder"))?;
        for name in stage.outputs() {
            remove(&building.join(name))?;
        }
        Ok(building)
    }

    /// Notes a stage as built; `outcome` enters its numbers into the manifest.
    pub(super) fn finish(
        &mut self,
        stage: Stage,
        fingerprint: String,
        outcome: impl FnOnce(&mut Manifest),
    ) -> Result<()> {
        let building = self.folder.join(BUILDING);
        let mut files = BTreeMap::new();
        for name in stage.outputs() {
            record_files(&building, name, &mut files)?;
        }
        outcome(&mut self.manifest);
        let record = StageRecord { fingerprint, files };
        self.manifest.stages.insert(stage, record);
        self.built.push(stage);
        // An interruption from here on costs the next stage only.
        self.manifest.write(&building.join(Manifest::FILE))
    }

    /// Swaps in what was built. Gives back the manifest and the lock, now a reader's.
    pub(super) fn commit(mut self) -> Result<(Manifest, Lock)> {
        let building = self.folder.join(BUILDING);
        let target = self.folder.join(Manifest::FILE);
        if self.built.is_empty() {
            let changed = self.prepared.as_ref() != Some(&self.manifest);
            // Readers do not mind how the recipe spells what they read.
            if changed && self.lock.is_exclusive() {
                self.manifest.write(&target)?;
            }
        } else {
            // The next three steps may be cut short anywhere: the manifest among the built stages tells `keep` what is
            // whole, whichever of the two places a file has got to.
            self.manifest.write(&building.join(Manifest::FILE))?;
            if let Some(prepared) = &self.prepared {
                // Those who look for files of somebody else's know ours by it.
                prepared.write(&building.join(REPLACED))?;
            }
            remove(&target)?;
            for stage in &self.built {
                for name in stage.outputs() {
                    let (from, to) = (building.join(name), self.folder.join(name));
                    remove(&to)?;
                    if from.exists() {
                        fs::rename(&from, &to).map_err(Error::io(&from, "move into place"))?;
                    }
                }
            }
            atomic::sync_folder(&self.folder)?;
            self.manifest.write(&target)?;
        }
        if self.lock.is_exclusive() {
            remove(&building)?;
        }
        self.lock = self.lock.downgrade()?;
        Ok((self.manifest, self.lock))
    }

    fn require_exclusive(&self) -> Result<()> {
        if self.lock.is_exclusive() { Ok(()) } else { Err(self.lock.in_use()) }
    }
}

/// A manifest that cannot be read is as good as none here: its stages are built again.
fn readable(path: &Path) -> Result<Option<Manifest>> {
    match Manifest::read(path) {
        Err(Error::Prepared { .. }) => Ok(None),
        read => read,
    }
}

/// Enters the numbers that `stage` found out into another manifest.
fn copy_outcome(stage: Stage, from: &Manifest, to: &mut Manifest) {
    match stage {
        Stage::Corpus => {
            to.class_names.clone_from(&from.class_names);
            to.source.clone_from(&from.source);
            to.origins.clone_from(&from.origins);
            to.moved = from.moved;
            to.splits.clone_from(&from.splits);
            to.rejected = from.rejected;
            for split in to.splits.values_mut() {
                (split.tokens, split.empty, split.longest) = (0, 0, 0);
            }
        }
        Stage::Text => (to.vocabulary, to.specials) = (from.vocabulary, from.specials),
        Stage::Vectors => {}
        Stage::Encoded => {
            for (name, split) in &mut to.splits {
                if let Some(known) = from.splits.get(name) {
                    split.tokens = known.tokens;
                    split.empty = known.empty;
                    split.longest = known.longest;
                }
            }
        }
    }
}

fn record_files(root: &Path, name: &str, files: &mut BTreeMap<String, FileRecord>) -> Result<()> {
    let path = root.join(name);
    let Ok(metadata) = fs::metadata(&path) else {
        // Not every stage writes all it may: without word vectors there is no matrix.
        return Ok(());
    };
    if metadata.is_dir() {
        for entry in fs::read_dir(&path).map_err(Error::io(&path, "list"))? {
            let entry = entry.map_err(Error::io(&path, "list"))?;
            let below = format!("{name}/{}", entry.file_name().to_string_lossy());
            record_files(root, &below, files)?;
        }
    } else {
        let record = FileRecord { bytes: metadata.len(), blake3: fingerprint::of_file(&path)? };
        files.insert(name.to_owned(), record);
    }
    Ok(())
}

/// Removes a file or folder, if it is there.
fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(path, "remove")(error))
        }
        _ => Ok(()),
    }
}
