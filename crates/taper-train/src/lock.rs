//! One writer or many readers of a folder, across processes.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// The lock file's name in a folder.
pub(crate) const FILE: &str = ".lock";

/// How long a reader waits for a writer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A held lock; the system releases it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
    exclusive: bool,
}

impl Lock {
    /// The writer's lock, at once or not at all.
    pub(crate) fn exclusive(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let file = create(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, path, exclusive: true }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse { path }),
            Err(TryLockError::Error(error)) => Err(Error::io(&path, "lock")(error)),
        }
    }

    /// The writer's lock, or the reader's where other readers stand in the way.
    pub(crate) fn exclusive_or_shared(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let file = create(&path)?;
        let exclusive = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(error)) => return Err(Error::io(&path, "lock")(error)),
        };
        let lock = Self { file, path, exclusive };
        if !lock.exclusive {
            lock.share()?;
        }
        Ok(lock)
    }

    /// The reader's lock; `None` where the folder cannot be written to, and so nobody writes.
    pub(crate) fn shared(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        let Ok(file) = File::open(&path) else {
            return Ok(None);
        };
        let lock = Self { file, path, exclusive: false };
        lock.share()?;
        Ok(Some(lock))
    }

    /// Gives the writer's lock up for the reader's.
    pub(crate) fn downgrade(mut self) -> Result<Self> {
        if self.exclusive {
            self.file.unlock().map_err(Error::io(&self.path, "unlock"))?;
            self.exclusive = false;
            self.share()?;
        }
        Ok(self)
    }

    pub(crate) fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    pub(crate) fn in_use(&self) -> Error {
        Error::InUse { path: self.path.clone() }
    }

    /// Waits a little for a writer: most only look whether anything is to be done.
    fn share(&self) -> Result<()> {
        let patience = Instant::now() + PATIENCE;
        loop {
            match self.file.try_lock_shared() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) if Instant::now() < patience => {
                    std::thread::sleep(PATIENCE / 100);
                }
                Err(TryLockError::WouldBlock) => return Err(self.in_use()),
                Err(TryLockError::Error(error)) => {
                    return Err(Error::io(&self.path, "lock")(error));
                }
            }
        }
    }
}

fn create(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    options.open(path).map_err(Error::io(path, "open the lock file"))
}
