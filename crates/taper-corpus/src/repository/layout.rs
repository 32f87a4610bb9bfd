//! Which Parquet file of a repository belongs to which configuration and split, by its path.
//!
//! ```text
//! CONFIG/SPLIT-00000-of-0000N.parquet     as `datasets` writes it; also with a hash, SPLIT-…-0123456789abcdef.parquet
//! data/SPLIT-…  or  SPLIT-…               the configuration `default`
//! CONFIG/SPLIT/0000.parquet               on `refs/convert/parquet`; CONFIG/partial-SPLIT/… where it stops at 5 GB
//! CONFIG/…SPLIT….parquet, SPLIT/….parquet a word of [`split_of`] in the name, or as the folder
//! CONFIG/….parquet                        `train`, where no file of the configuration tells a split
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::layout::{check_split_name, complete, parse_shard_name, split_in, split_of, split_rank};

/// The configuration of files that lie in no folder of their own.
pub(super) const DEFAULT: &str = "default";

/// What begins the folder of a split that was converted only in part.
const PARTIAL: &str = "partial-";

/// What a path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) config: String,
    pub(super) split: Option<String>,
    /// Whether there is more of the split than these files hold.
    pub(super) partial: bool,
}

pub(super) fn is_parquet(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"))
}

pub(super) fn told(path: &str) -> Told {
    let mut folders: Vec<&str> = path.split('/').collect();
    let name = folders.pop().unwrap_or_default();
    let (mut split, mut partial) = (split_of_name(name), false);
    if split.is_none()
        && let Some(&folder) = folders.last()
    {
        let whole = folder.strip_prefix(PARTIAL).unwrap_or(folder);
        let stem = name.split('.').next().unwrap_or_default();
        let numbered = folders.len() == 2 && stem.bytes().all(|byte| byte.is_ascii_digit());
        if split_of(whole).is_some() || (numbered && check_split_name(whole).is_ok()) {
            split = Some(split_of(whole).unwrap_or(whole).to_owned());
            partial = whole.len() < folder.len();
            folders.pop();
        }
    }
    let config = match folders.as_slice() {
        [] | ["data"] => DEFAULT.to_owned(),
        folders => folders.join("/"),
    };
    Told { config, split, partial }
}

fn split_of_name(name: &str) -> Option<String> {
    match parse_shard_name(&without_hash(name)) {
        Some((split, _, _)) => Some(split_of(split).unwrap_or(split).to_owned()),
        None => split_in(Path::new(name)).map(str::to_owned),
    }
}

/// A shard's name without the hash that older ones end in.
fn without_hash(name: &str) -> String {
    let stem = name.strip_suffix(".parquet").unwrap_or(name);
    match stem.rsplit_once('-') {
        Some((rest, hash))
            if hash.len() == 16
                && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
                && rest.contains("-of-") =>
        {
            format!("{rest}.parquet")
        }
        _ => name.to_owned(),
    }
}

/// The files of each split in order, splits in the order of use.
///
/// # Errors
/// A set of shards that is not whole though it is to be (`whole`), told as of `repository`.
pub(super) fn in_order(
    repository: &str,
    files: BTreeMap<String, Vec<String>>,
    whole: bool,
) -> Result<Vec<(String, Vec<String>)>> {
    let mut splits: Vec<(String, Vec<String>)> = files.into_iter().collect();
    splits.sort_by(|a, b| (split_rank(&a.0), &a.0).cmp(&(split_rank(&b.0), &b.0)));
    for (split, files) in &mut splits {
        files.sort();
        let shard = |path: &String| {
            let name = without_hash(path.rsplit('/').next().unwrap_or_default());
            parse_shard_name(&name).map(|(_, index, count)| (index, count, PathBuf::from(path)))
        };
        let shards: Vec<_> = files.iter().filter_map(shard).collect();
        if whole && shards.len() == files.len() {
            complete(Path::new(repository), split, shards)?;
        }
    }
    Ok(splits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn configuration_and_split_are_told_by_the_path() {
        for (path, config, split, partial) in [
            ("plain_text/train-00000-of-00001.parquet", "plain_text", Some("train"), false),
            ("data/test-00000-of-00002-0123456789abcdef.parquet", DEFAULT, Some("test"), false),
            ("train-00000-of-00001.parquet", DEFAULT, Some("train"), false),
            ("dev-00000-of-00001.parquet", DEFAULT, Some("validation"), false),
            ("data/train_sft-00000-of-00001.parquet", DEFAULT, Some("train_sft"), false),
            ("default/train/0000.parquet", "default", Some("train"), false),
            ("en/unsup/0000.parquet", "en", Some("unsupervised"), false),
            ("cola/validation_matched/0003.parquet", "cola", Some("validation_matched"), false),
            ("default/partial-train/0001.parquet", "default", Some("train"), true),
            ("train.parquet", DEFAULT, Some("train"), false),
            ("a/b/reviews_test.parquet", "a/b", Some("test"), false),
            ("data/train/x.parquet", DEFAULT, Some("train"), false),
            ("en/0000.parquet", "en", None, false),
            ("en/reviews.parquet", "en", None, false),
        ] {
            let split = split.map(str::to_owned);
            assert_eq!(told(path), Told { config: config.to_owned(), split, partial }, "{path}");
        }
    }

    #[test]
    fn a_missing_shard_is_told_of_a_whole_set() {
        let ordered = |names: &[&str], whole| {
            let names = names.iter().map(|&name| name.to_owned()).collect();
            in_order("a/b", BTreeMap::from([("train".to_owned(), names)]), whole)
        };
        let files = |names| ordered(names, true);
        let two =
            ["d/train-00001-of-00002-0123456789abcdef.parquet", "d/train-00000-of-00002-0.parquet"];
        assert!(files(&two[..1]).unwrap_err().to_string().contains("a/b: train-00000-of-00002"));
        assert_eq!(ordered(&two[..1], false).unwrap()[0].1, &two[..1]);
        let two = ["d/train-00001-of-00002.parquet", "d/train-00000-of-00002.parquet"];
        assert_eq!(files(&two).unwrap()[0].1, [two[1], two[0]]);
    }
}
