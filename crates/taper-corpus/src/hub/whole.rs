//! Did a file arrive whole, and is it a file at all?

use std::path::Path;

use crate::error::{Error, Result};
use crate::verify::{Inspection, inspect, is_sha256};

/// Neither a stub nor a page, and, where the server's tag is a sha256, of that hash.
pub(super) fn whole(path: &Path, url: &str, tag: &str) -> Result<Inspection> {
    let found = inspect(path)?;
    if let Some(impostor) = found.impostor {
        return Err(instead(url, impostor));
    }
    if is_sha256(tag) && !tag.eq_ignore_ascii_case(&found.sha256) {
        return Err(Error::Transfer {
            url: url.to_owned(),
            expected: format!("sha256 {tag}"),
            found: format!("sha256 {} ({} bytes)", found.sha256, found.bytes),
        });
    }
    Ok(found)
}

/// The refusal of a stub or a page.
pub(super) fn instead(url: &str, impostor: &str) -> Error {
    Error::Hub {
        url: url.to_owned(),
        problem: format!("the server answered with {impostor}; check the endpoint and the token"),
    }
}
