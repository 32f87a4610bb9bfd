//! A whole file, or all of standard input, as one text.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use taper_corpus::Limits;

/// The text, which is UTF-8 and no longer than a row of a data set may be.
pub(super) fn read(path: &Path) -> Result<String> {
    if path == Path::new("-") {
        return text(Path::new("standard input"), io::stdin().lock());
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    ensure!(!file.metadata()?.is_dir(), "{} is a folder; expected a file", path.display());
    text(path, file)
}

fn text(name: &Path, reader: impl Read) -> Result<String> {
    let (name, most) = (name.display(), Limits::default().row_bytes);
    let mut bytes = Vec::new();
    let read = reader.take(most as u64 + 1).read_to_end(&mut bytes);
    read.with_context(|| format!("cannot read {name}"))?;
    ensure!(bytes.len() <= most, "{name} is longer than {most} bytes, as long as a text may be");
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to() + 1;
        anyhow!("{name} is not UTF-8 from byte {at} on; convert it first")
    })?;
    // A byte-order mark, which is none of the text: no file that is read has it.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;

    #[test]
    fn a_text_is_whole_utf8_and_bounded() {
        let read = |reader: &mut dyn Read| text(Path::new("x"), reader);
        assert_eq!(read(&mut "two\nlines\n".as_bytes()).unwrap(), "two\nlines\n");
        assert_eq!(read(&mut "\u{feff}a\u{feff}b".as_bytes()).unwrap(), "a\u{feff}b");
        let message = read(&mut &b"caf\xe9"[..]).unwrap_err().to_string();
        assert!(message.contains("UTF-8 from byte 4"), "{message}");
        let message = read(&mut io::repeat(b'x')).unwrap_err().to_string();
        assert!(message.contains("longer than 16777216 bytes"), "{message}");
    }
}
