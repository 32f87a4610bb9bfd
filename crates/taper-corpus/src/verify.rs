//! Is this file what it should be? Hashes, and the two impostors that mirrors hand out.

use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// How a git-lfs pointer begins: a mirror made by plain git holds these in place of the data.
const LFS_STUB: &[u8] = b"version https://git-lfs.github.com/spec/";

/// A file's sha256, and what its first bytes give away.
pub(crate) struct Inspection {
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
    pub(crate) impostor: Option<&'static str>,
}

/// Reads a file once: its hash, its length, and whether it is a stub or an error page.
pub(crate) fn inspect(path: &Path) -> Result<Inspection> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 17];
    let (mut bytes, mut impostor) = (0, None);
    loop {
        let read = file.read(&mut buffer).map_err(Error::io("read", path))?;
        if read == 0 {
            break;
        }
        if bytes == 0 {
            impostor = unmask(&buffer[..read]);
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
    if bytes == 0 {
        impostor = Some("an empty file");
    }
    Ok(Inspection { sha256: hex(&hasher.finalize()), bytes, impostor })
}

/// Whether a file that begins so is a stub or an error page, and which.
pub(crate) fn unmask(start: &[u8]) -> Option<&'static str> {
    if start.starts_with(LFS_STUB) {
        return Some("a git-lfs pointer, not the file it points to");
    }
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let begins =
        |tag: &[u8]| start.get(..tag.len()).is_some_and(|head| head.eq_ignore_ascii_case(tag));
    if begins(b"<!doctype html") || begins(b"<html") {
        return Some("an HTML page (an error or log-in page), not the file");
    }
    None
}

/// Whether a server's tag has the form of a sha256.
pub(crate) fn is_sha256(tag: &str) -> bool {
    tag.len() == 64 && tag.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn impostors_are_unmasked_and_data_is_not() {
        assert!(unmask(b"version https://git-lfs.github.com/spec/v1\noid sha256:00").is_some());
        assert!(unmask(b"\n  <!DOCTYPE html><html>").is_some());
        assert!(unmask(b"\xef\xbb\xbf<HTML lang=en>").is_some());
        for data in [&b"PAR1"[..], b"PK\x03\x04", b"<ht", b""] {
            assert!(unmask(data).is_none());
        }
    }

    #[test]
    fn the_hash_is_sha256() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"abc").unwrap();
        let inspection = inspect(file.path()).unwrap();
        assert_eq!(inspection.bytes, 3);
        assert_eq!(
            inspection.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(is_sha256(&inspection.sha256));
    }
}
