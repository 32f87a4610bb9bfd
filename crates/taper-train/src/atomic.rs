//! Small files that are either the old one or the new one, never half of one.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::{Error, Result};

/// Writes `bytes` beside `path`, syncs, and renames over it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = folder_of(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".taper-");
    // For everyone the umask lets in: temporary files are private by default, and the file keeps its mode.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(Error::io(path, "create"))?;
    file.as_file_mut().write_all(bytes).map_err(Error::io(path, "write"))?;
    file.as_file().sync_all().map_err(Error::io(path, "write"))?;
    file.persist(path).map_err(|error| Error::io(path, "rename a new file to")(error.error))?;
    sync_folder(folder)
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
