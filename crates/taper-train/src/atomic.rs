//! Files that are either the old one or the new one, never half of one.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// A file that takes its name when it is whole; dropped before, it leaves nothing behind.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl AtomicFile {
    /// Begins a file beside `path`.
    pub fn create(path: &Path) -> Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".taper-");
        // For everyone the umask lets in: temporary files are private by default, and the file keeps its mode.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder_of(path)).map_err(Error::io(path, "create"))?;
        Ok(Self { path: path.to_owned(), file: BufWriter::with_capacity(1 << 16, file) })
    }

    /// Syncs, and renames over what stood at the path.
    pub fn commit(self) -> Result<()> {
        let Self { path, file } = self;
        let file =
            file.into_inner().map_err(|error| Error::io(&path, "write")(error.into_error()))?;
        file.as_file().sync_all().map_err(Error::io(&path, "write"))?;
        file.persist(&path)
            .map_err(|error| Error::io(&path, "rename a new file to")(error.error))?;
        sync_folder(folder_of(&path))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes `bytes` beside `path`, syncs, and renames over it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).map_err(Error::io(path, "write"))?;
    file.commit()
}

/// Makes renames in `folder` last through a loss of power.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    // Folders can be opened as files on Unix only; elsewhere the file system keeps its own order.
    if cfg!(unix) {
        let opened = File::open(folder).map_err(Error::io(folder, "open the folder"))?;
        opened.sync_all().map_err(Error::io(folder, "sync the folder"))?;
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}
