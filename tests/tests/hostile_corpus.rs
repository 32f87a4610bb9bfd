//! What fuzzing found and kept, fed to every parser again.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use taper_tests::hostile::{PARSERS, feed};

#[test]
fn no_kept_input_breaks_a_parser() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, _) in PARSERS {
        let mut fed = 0;
        for entry in fs::read_dir(corpus.join(name)).unwrap() {
            let path = entry.unwrap().path();
            let folder = tempfile::tempdir().unwrap();
            let bytes = fs::read(&path).unwrap();
            feed(name, &bytes, folder.path())
                .unwrap_or_else(|error| panic!("{}: {error:#}", path.display()));
            fed += 1;
        }
        assert!(fed > 0, "{name}: no inputs");
    }
}
