//! What every target does: bytes into a file of a folder in memory, where there is one, and to the parser.

use std::path::Path;
use std::sync::Once;

/// libFuzzer's own hook ends the process at every panic, at those too that our guards turn into errors.
static HOOK: Once = Once::new();

/// Feeds a parser; ends the process where something does not hold.
pub fn feed(name: &str, bytes: &[u8]) {
    HOOK.call_once(|| drop(std::panic::take_hook()));
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = folder.expect("a temporary folder");
    if let Err(error) = taper_tests::hostile::feed(name, bytes, folder.path()) {
        panic!("{name}: {error:#}");
    }
}
