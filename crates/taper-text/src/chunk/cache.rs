//! The ids of chunks that were met before. It forgets, and never lies: what it has not got is cut again.
//!
//! Natural text says few things often: of IMDB's reviews some nine chunks in ten are found here. Two chunks share a line of
//! the processor's cache. A new one takes the second place, where it stays until the next new one, unless it is met again:
//! then it has the first, so that what is said once does not drive out what is said often, and the first place nearly
//! always is the one, which a processor learns to expect.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::key::Key;

/// Lines of a cache, a power of two: 2 MiB.
pub(super) const LINES: usize = 1 << 15;
/// Ids that are kept for a chunk at most: a quote, a word, a comma.
const IDS: usize = 3;

/// The ids of up to 2 x [`LINES`] chunks of one tokenizer with one vocabulary.
#[derive(Debug)]
pub(crate) struct Cache {
    lines: Vec<Line>,
}

/// Key 0 is nobody's.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct Line {
    keys: [u128; 2],
    kept: [Ids; 2],
}

#[derive(Debug, Clone, Copy, Default)]
struct Ids {
    ids: [u32; IDS],
    count: u32,
}

impl Cache {
    fn new() -> Cache {
        Cache { lines: vec![Line::default(); LINES] }
    }

    /// Appends the ids of a chunk, if they are known.
    #[inline]
    pub(crate) fn append(&mut self, key: Key, ids: &mut Vec<u32>) -> bool {
        let line = &mut self.lines[place(key)];
        if line.keys[0] != key.number() {
            if line.keys[1] != key.number() {
                return false;
            }
            line.keys.swap(0, 1);
            line.kept.swap(0, 1);
        }
        let Ids { ids: kept, count } = line.kept[0];
        // All of them, then back: copies of a fixed size are quicker than a loop.
        let length = ids.len();
        ids.extend_from_slice(&kept);
        ids.truncate(length + count as usize);
        true
    }

    /// Keeps the ids of a chunk, unless there are too many.
    pub(crate) fn keep(&mut self, key: Key, ids: &[u32]) {
        let mut kept = Ids { count: ids.len() as u32, ..Ids::default() };
        let Some(places) = kept.ids.get_mut(..ids.len()) else { return };
        places.copy_from_slice(ids);
        let line = &mut self.lines[place(key)];
        line.keys[1] = key.number();
        line.kept[1] = kept;
    }
}

/// Any bits do: a text made to collide is cut as slowly as one never met.
fn place(key: Key) -> usize {
    key.hash() % LINES
}

/// The caches of a tokenizer: as many as there are threads that encode at the same time.
#[derive(Debug, Default)]
pub(crate) struct Caches(Mutex<Vec<Cache>>);

impl Caches {
    /// One that nobody else has until it is dropped.
    pub(crate) fn take(&self) -> Taken<'_> {
        let kept = self.lock().pop();
        Taken { cache: kept.unwrap_or_else(Cache::new), caches: self }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Cache>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cache that goes back when it is dropped.
#[derive(Debug)]
pub(crate) struct Taken<'c> {
    cache: Cache,
    caches: &'c Caches,
}

impl Deref for Taken<'_> {
    type Target = Cache;

    fn deref(&self) -> &Cache {
        &self.cache
    }
}

impl DerefMut for Taken<'_> {
    fn deref_mut(&mut self) -> &mut Cache {
        &mut self.cache
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let cache = Cache { lines: std::mem::take(&mut self.cache.lines) };
        self.caches.lock().push(cache);
    }
}
