//! Files that are either the old one or the new one, never half of one.
//!
//! A symbolic link is followed: what it leads to is replaced, and the link stays. What is no regular file (a device, a
//! pipe, `/dev/stdout`) is never replaced, but written to as it is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// What the names of files that are still being written begin with; those of [`taper_lstm::weights`], too.
const TEMPORARY: &str = ".taper-";

/// Symbolic links that are followed one after the other, as many as Linux follows.
const MAX_LINKS: usize = 40;

/// A file that takes its name when it is whole; dropped before, it leaves nothing behind.
///
/// If the path leads to something other than a regular file, that is written to directly: it is never replaced.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    file: Target,
}

#[derive(Debug)]
enum Target {
    /// Beside the file that it becomes.
    Beside(BufWriter<NamedTempFile>),
    /// A device, a pipe or an open file of this process.
    Direct(BufWriter<File>),
}

impl AtomicFile {
    /// Begins a file beside the one that `path` leads to, or opens what is there if it is no regular file. Opening a named
    /// pipe waits for its reader.
    ///
    /// # Errors
    /// If it cannot be made or opened: `path` is a folder, or there is none for it.
    pub fn create(path: &Path) -> Result<Self> {
        let Some(end) = replaceable(path).map_err(Error::io(path, "follow"))? else {
            // What is there stays: standard output may be a file that others have written to.
            let file = OpenOptions::new().append(true).open(path);
            let file = file.map_err(Error::io(path, "write to"))?;
            return Ok(Self { path: path.to_owned(), file: Target::Direct(BufWriter::new(file)) });
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY);
        // For everyone the umask lets in: temporary files are private by default, and the file keeps its mode.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder_of(&end)).map_err(Error::io(path, "create"))?;
        let file = Target::Beside(BufWriter::with_capacity(1 << 16, file));
        Ok(Self { path: end, file })
    }

    /// Syncs, and renames over what stood at the path's end; what is written to directly has its last bytes.
    ///
    /// # Errors
    /// If the disk is full, the pipe has no reader any more, or the name cannot be taken.
    pub fn commit(self) -> Result<()> {
        let Self { path, file } = self;
        let file = match file {
            Target::Beside(file) => file,
            Target::Direct(mut file) => return file.flush().map_err(Error::io(&path, "write")),
        };
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
        match &mut self.file {
            Target::Beside(file) => file.write(bytes),
            Target::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.file {
            Target::Beside(file) => file.flush(),
            Target::Direct(file) => file.flush(),
        }
    }
}

/// The end of the symbolic links that `path` may be, which need not exist; `None` if what is there must not be replaced.
fn replaceable(path: &Path) -> io::Result<Option<PathBuf>> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Ok(None);
    }
    let mut end = path.to_owned();
    for _ in 0..MAX_LINKS {
        // These stand for a process's open files, whatever their links say.
        if ["/proc", "/dev/fd"].iter().any(|folder| end.starts_with(folder)) {
            return Ok(None);
        }
        let Ok(next) = fs::read_link(&end) else {
            return Ok(Some(end));
        };
        end = folder_of(&end).join(next);
    }
    Err(io::Error::other("its symbolic links lead nowhere"))
}

/// Writes `bytes` beside `path`, syncs, and renames over it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).map_err(Error::io(path, "write"))?;
    file.commit()
}

/// Removes what a process that was killed left half written in `folder` and the folders right below it.
pub(crate) fn sweep(folder: &Path) -> Result<()> {
    for below in sweep_one(folder)? {
        sweep_one(&below)?;
    }
    Ok(())
}

/// Gives the folders within.
fn sweep_one(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io(folder, "list the folder"))? {
        let entry = entry.map_err(Error::io(folder, "list the folder"))?;
        let (path, kind) = (entry.path(), entry.file_type());
        let kind = kind.map_err(Error::io(&path, "look at"))?;
        if kind.is_dir() {
            folders.push(path);
        } else if kind.is_file() && entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            match fs::remove_file(&path) {
                // Of a process that just now gave it its name.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(Error::io(&path, "remove"))?,
            }
        }
    }
    Ok(folders)
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

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Read;
    use std::os::unix::fs::{FileTypeExt, symlink};
    use std::process::Command;

    use super::*;

    #[test]
    fn a_symbolic_link_stays_and_its_end_is_replaced() {
        let room = tempfile::tempdir().unwrap();
        let at = |name: &str| room.path().join(name);
        fs::create_dir(at("far")).unwrap();
        fs::write(at("far/old"), "old").unwrap();
        symlink("far/old", at("middle")).unwrap();
        symlink(at("middle"), at("link")).unwrap();
        symlink("far/new", at("dangling")).unwrap();
        write(&at("link"), b"newer").unwrap();
        write(&at("dangling"), b"made").unwrap();
        for link in ["link", "middle", "dangling"] {
            assert!(at(link).is_symlink(), "{link}");
        }
        assert_eq!(fs::read(at("far/old")).unwrap(), b"newer");
        assert_eq!(fs::read(at("far/new")).unwrap(), b"made");
        assert_eq!(fs::read_dir(at("far")).unwrap().count(), 2);
        drop(AtomicFile::create(&at("link")).unwrap());
        assert_eq!(fs::read(at("far/old")).unwrap(), b"newer");
        symlink("round", at("round")).unwrap();
        let message = write(&at("round"), b"x").unwrap_err().to_string();
        assert!(message.contains("round"), "{message}");
    }

    #[test]
    fn a_pipe_stays_one_and_is_written_through() {
        let room = tempfile::tempdir().unwrap();
        let pipe = room.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let link = room.path().join("link");
        symlink("pipe", &link).unwrap();
        for path in [&pipe, &link] {
            let reader = pipe.clone();
            let reader = std::thread::spawn(move || {
                // Open for both: neither side waits for the other.
                let mut file = OpenOptions::new().read(true).write(true).open(reader).unwrap();
                let mut bytes = [0; 5];
                file.read_exact(&mut bytes).unwrap();
                bytes
            });
            write(path, b"bytes").unwrap();
            // A writer that replaced the pipe is found here; its reader would wait for ever.
            assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
            assert_eq!(&reader.join().unwrap(), b"bytes");
        }
        assert!(link.is_symlink());
    }

    #[test]
    fn an_open_file_is_gone_on_with_and_a_folder_is_refused() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("out");
        let mut file = File::create(&path).unwrap();
        if cfg!(target_os = "linux") {
            use std::os::fd::AsRawFd;
            file.write_all(b"before ").unwrap();
            let open = format!("/dev/fd/{}", file.as_raw_fd());
            write(Path::new(&open), b"after").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"before after");
        }
        assert!(write(room.path(), b"x").is_err());
        assert!(write(&room.path().join("no/x"), b"x").unwrap_err().to_string().contains("no/x"));
    }
}
