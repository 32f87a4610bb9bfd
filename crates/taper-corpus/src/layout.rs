//! How shards are called: `<split>-00000-of-0000N.parquet`, the Hub's own way.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The split that goes without labels.
pub const UNSUPERVISED: &str = "unsupervised";

/// Whether no row of a split needs a label, as long as none has one: a model neither learns from it nor is chosen by it.
pub(crate) fn may_lack_labels(split: &str) -> bool {
    !matches!(split, "train" | "validation")
}

/// The splits whose order is fixed; any other follows in alphabetical order.
const ORDER: [&str; 4] = ["train", "validation", "test", UNSUPERVISED];

/// The complete sets of shards of a folder, split by split, in the order of use.
pub(crate) type ShardSets = Vec<(String, Vec<PathBuf>)>;

/// The file name of one shard.
pub(crate) fn shard_name(split: &str, index: usize, count: usize) -> String {
    format!("{split}-{index:05}-of-{count:05}.parquet")
}

/// Takes a shard's file name apart: `(split, index, count)`.
pub(crate) fn parse_shard_name(name: &str) -> Option<(&str, usize, usize)> {
    let stem = name.strip_suffix(".parquet")?;
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (split, index) = rest.rsplit_once('-')?;
    let number = |digits: &str| {
        let plain = digits.len() >= 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok()).flatten()
    };
    check_split_name(split).ok()?;
    Some((split, number(index)?, number(count)?))
}

/// Holds a split's name to what the Hub accepts, which is also what a file name survives.
pub(crate) fn check_split_name(split: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    if split.is_empty() || split.starts_with('.') || !split.bytes().all(plain) {
        return Err(Error::SplitName { found: split.to_owned() });
    }
    Ok(())
}

/// The split that a word names.
pub(crate) fn split_of(word: &str) -> Option<&'static str> {
    Some(match word.to_lowercase().as_str() {
        "train" | "training" => "train",
        "test" | "testing" => "test",
        "validation" | "valid" | "val" | "dev" => "validation",
        "unsupervised" | "unsup" | "unlabelled" | "unlabeled" => UNSUPERVISED,
        _ => return None,
    })
}

/// The split that a file's name tells: `train_5500.label`, `test-00000-of-00001.parquet`.
pub(crate) fn split_in(path: &Path) -> Option<&'static str> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split(|c: char| !c.is_alphanumeric()).find_map(split_of)
}

/// Where a split stands in the order of use.
pub(crate) fn split_rank(split: &str) -> usize {
    ORDER.iter().position(|&known| known == split).unwrap_or(ORDER.len())
}

/// All shards that lie directly in a folder: split -> [(index, count, path)].
type Found = BTreeMap<String, Vec<(usize, usize, PathBuf)>>;

fn find(dir: &Path) -> Result<Found> {
    let mut found = Found::new();
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let entry = entry.map_err(Error::io("list", dir))?;
        let name = entry.file_name();
        if let Some((split, index, count)) = name.to_str().and_then(parse_shard_name) {
            let shards = found.entry(split.to_owned()).or_default();
            shards.push((index, count, entry.path()));
        }
    }
    Ok(found)
}

/// The shards of a split in order, if the set is whole; `dir` is what an error calls the place.
pub(crate) fn complete(
    dir: &Path,
    split: &str,
    mut found: Vec<(usize, usize, PathBuf)>,
) -> Result<Vec<PathBuf>> {
    let shards =
        |problem| Err(Error::Shards { dir: dir.to_owned(), split: split.to_owned(), problem });
    found.sort();
    let Some(&(_, count, _)) = found.first() else {
        return shards(format!("none found, expected {} and so on", shard_name(split, 0, 1)));
    };
    if let Some((_, other, _)) = found.iter().find(|shard| shard.1 != count) {
        return shards(format!(
            "two sets lie side by side, one of {count} and one of {other}; remove the stale one"
        ));
    }
    for index in 0..count {
        if found.get(index).map(|shard| shard.0) != Some(index) {
            return shards(format!("{} is missing", shard_name(split, index, count)));
        }
    }
    if found.len() > count {
        return shards(format!("{} shards found, expected {count}", found.len()));
    }
    Ok(found.into_iter().map(|shard| shard.2).collect())
}

/// The files of one split in a folder, in order.
///
/// # Errors
/// Names the missing shard where the set is not whole, and says so where two sets lie side by side.
pub fn shards(dir: &Path, split: &str) -> Result<Vec<PathBuf>> {
    check_split_name(split)?;
    let found = find(dir)?.remove(split).unwrap_or_default();
    complete(dir, split, found)
}

/// Every split that lies directly in a folder: train, validation, test, unsupervised, others.
pub(crate) fn shard_sets(dir: &Path) -> Result<ShardSets> {
    let mut sets = ShardSets::new();
    for (split, found) in find(dir)? {
        let files = complete(dir, &split, found)?;
        sets.push((split, files));
    }
    sets.sort_by(|a, b| (split_rank(&a.0), &a.0).cmp(&(split_rank(&b.0), &b.0)));
    Ok(sets)
}

/// The shards of a split that are not among `keep`: what an earlier, longer or shorter set left.
pub(crate) fn stale_shards(dir: &Path, split: &str, keep: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let found = find(dir)?.remove(split).unwrap_or_default();
    let paths = found.into_iter().map(|shard| shard.2);
    Ok(paths.filter(|path| !keep.contains(path)).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn touch(dir: &Path, names: &[&str]) {
        for name in names {
            fs::write(dir.join(name), b"x").unwrap();
        }
    }

    #[test]
    fn names_round_trip_and_strangers_are_left_alone() {
        let name = shard_name("train", 3, 12);
        assert_eq!(name, "train-00003-of-00012.parquet");
        assert_eq!(parse_shard_name(&name), Some(("train", 3, 12)));
        for stranger in [
            "train.parquet",
            "train-3-of-12.parquet",
            "train-00000-of-00001.parquet.tmp",
            ".train-00000-of-00001.parquet",
            "-00000-of-00001.parquet",
        ] {
            assert_eq!(parse_shard_name(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn a_missing_shard_is_named() {
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), &["train-00000-of-00003.parquet", "train-00002-of-00003.parquet"]);
        let message = shards(dir.path(), "train").unwrap_err().to_string();
        assert!(message.contains("train-00001-of-00003.parquet is missing"), "{message}");
        let message = shards(dir.path(), "test").unwrap_err().to_string();
        assert!(message.contains("none found"), "{message}");
    }

    #[test]
    fn two_sets_side_by_side_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        touch(
            dir.path(),
            &[
                "train-00000-of-00001.parquet",
                "train-00000-of-00002.parquet",
                "train-00001-of-00002.parquet",
            ],
        );
        let message = shards(dir.path(), "train").unwrap_err().to_string();
        assert!(message.contains("two sets"), "{message}");
    }

    #[test]
    fn splits_come_in_the_order_of_use() {
        let dir = tempfile::tempdir().unwrap();
        for split in ["extra", "unsupervised", "test", "train", "validation", "alpha"] {
            touch(dir.path(), &[&shard_name(split, 0, 1)]);
        }
        let order: Vec<String> = shard_sets(dir.path()).unwrap().into_iter().map(|s| s.0).collect();
        assert_eq!(order, ["train", "validation", "test", "unsupervised", "alpha", "extra"]);
    }
}
