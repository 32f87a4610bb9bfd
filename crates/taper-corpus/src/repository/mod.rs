//! Any data set of the Hub that has Parquet: which of its files are read, and the files themselves.
//!
//! A repository may hold several configurations, each with its splits: as its README declares them ([`declared`]), else as
//! the paths tell ([`layout`] is their grammar). Where its main branch has no Parquet, the Hub's own conversion is read, the branch `refs/convert/parquet`.

mod choose;
mod declared;
mod layout;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::hub::{
    HubConfig, HubFile, HubRepo, ListedFile, Listing, Progress, fetch, in_cache, list, looked_for,
};
use crate::plan::{Plan, PlannedSplit};
use crate::settings::{Format, SourceSettings};
use crate::source::Source;
use choose::{Splits, as_told, by_path, some_of};
use layout::{in_order, is_parquet};

/// Where a data set says of itself what it is.
const README: &str = "README.md";
/// The branch that is read where none is named.
const MAIN: &str = "main";
/// Where the Hub puts what it converts to Parquet.
const CONVERTED: &str = "refs/convert/parquet";

/// A data set on the Hub, as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HubDataset {
    /// `OWNER/NAME`: `fancyzhx/ag_news`.
    pub id: String,
    /// A commit, branch or tag; without one `main`, or the Hub's own conversion where that has no Parquet.
    pub revision: Option<String>,
    /// The configuration; without one the only one, or the one called `default`.
    pub config: Option<String>,
}

/// The files of a data set that are read, at a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubSelection {
    /// `OWNER/NAME`.
    pub id: String,
    /// The revision that was asked for, or fallen back on.
    pub revision: String,
    /// The commit it stands for.
    pub commit: String,
    /// The configuration; `None` where the files were told.
    pub config: Option<String>,
    /// Each split's files in order, splits in the order of use; pinned to the commit and, where the Hub tells it, the sha256.
    pub splits: Vec<(String, Vec<HubFile>)>,
    /// Bytes of all files, where the Hub tells them.
    pub bytes: Option<u64>,
    /// What was passed over, or fallen back on.
    pub notes: Vec<String>,
}

impl HubDataset {
    /// Whether a name has the form of an id, `OWNER/NAME`, and is not more likely that of a file.
    pub fn is_id(name: &str) -> bool {
        const FILES: [&str; 16] = [
            "csv", "tsv", "tab", "psv", "json", "jsonl", "ndjson", "parquet", "label", "ft", "txt",
            "text", "gz", "zst", "tgz", "zip",
        ];
        let plain = |part: &str| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            (1..=96).contains(&part.len())
                && !part.starts_with(['.', '-'])
                && part.bytes().all(known)
        };
        let is_file = Path::new(name).extension().is_some_and(|extension| {
            FILES.iter().any(|known| extension.eq_ignore_ascii_case(known))
        });
        name.split_once('/').is_some_and(|(owner, name)| plain(owner) && plain(name)) && !is_file
    }

    /// Asks the Hub (offline: the cache) which files there are, and chooses: the files that `settings` tell, as names or
    /// globs within the repository, else those of a configuration. Fetches none of them, only the README that may declare
    /// configurations.
    ///
    /// # Errors
    /// No such data set or revision, or none without a token; no Parquet; several configurations, of which none is
    /// named, or none has the name; a split with a shard missing, unless files were told by name; a format other than Parquet told.
    pub fn select(&self, config: &HubConfig, settings: &SourceSettings) -> Result<HubSelection> {
        if settings.format.is_some_and(|format| format != Format::Parquet) {
            return Err(Error::Settings {
                key: "format",
                problem:
                    "a data set of the Hub is read from its Parquet files; leave the format out"
                        .to_owned(),
            });
        }
        if self.config.is_some() && !settings.files.is_empty() {
            return Err(Error::Settings {
                key: "files",
                problem: "either a configuration is named or its files are, not both".to_owned(),
            });
        }
        let repo = HubRepo::Dataset(self.id.clone());
        let asked = self.revision.as_deref().unwrap_or(MAIN);
        let main = self.list(config, &repo, asked)?;
        let has_parquet =
            |listing: &Listing| listing.files.iter().any(|file| is_parquet(&file.path));
        let mut notes = Vec::new();
        let (revision, listing) = if has_parquet(&main) {
            (asked, main)
        } else {
            let converted =
                if self.revision.is_none() { list(config, &repo, CONVERTED)? } else { None };
            let Some(converted) = converted.filter(has_parquet) else {
                return Err(self.no_parquet(config, asked, &main));
            };
            notes.push(format!(
                "`{MAIN}` has no Parquet; read is what the Hub made of it, `{CONVERTED}`"
            ));
            (CONVERTED, converted)
        };
        if listing.cached_alone {
            notes.push(
                "which files there are is told by the cache alone: there may be more".to_owned(),
            );
        }
        let parquet: BTreeMap<&str, &ListedFile> = listing
            .files
            .iter()
            .filter(|file| is_parquet(&file.path))
            .map(|file| (file.path.as_str(), file))
            .collect();
        let paths: Vec<&str> = parquet.keys().copied().collect();
        let (chosen, splits) = if settings.files.is_empty() {
            let declared = match revision {
                CONVERTED => Vec::new(),
                _ => declared_configs(config, &repo, &listing, &mut notes)?,
            };
            let (chosen, splits) = self
                .configuration(&declared, &paths, &mut notes)
                .map_err(|problem| self.failed(config, revision, problem))?;
            (Some(chosen), splits)
        } else {
            (None, as_told(&self.id, &paths, &settings.files)?)
        };
        let listed = |path: &String| parquet.get(path.as_str());
        let bytes = splits.values().flatten().map(|path| listed(path)?.bytes).sum();
        // Who names a file wants it without the others.
        let named = |name: &String| parquet.contains_key(name.as_str());
        let whole = !settings.files.values().flatten().any(named);
        let splits = in_order(&self.id, splits, whole)?.into_iter();
        let file = |path: String| HubFile {
            repo: repo.clone(),
            revision: listing.commit.clone(),
            sha256: listed(&path).and_then(|file| file.sha256.clone()),
            path,
        };
        let splits: Vec<(String, Vec<HubFile>)> =
            splits.map(|(split, files)| (split, files.into_iter().map(file).collect())).collect();
        // What a server lists may lead anywhere.
        splits.iter().flat_map(|(_, files)| files).try_for_each(|file| file.check(config))?;
        Ok(HubSelection {
            id: self.id.clone(),
            revision: revision.to_owned(),
            commit: listing.commit.clone(),
            config: chosen,
            splits,
            bytes,
            notes,
        })
    }

    /// The configuration that is wanted, as it is declared, else as the paths tell.
    fn configuration(
        &self,
        declared: &[declared::Config],
        paths: &[&str],
        notes: &mut Vec<String>,
    ) -> Result<(String, Splits), String> {
        let wanted = self.config.as_deref();
        if let Some(chosen) = declared::choose(declared, paths, wanted, notes)? {
            return Ok(chosen);
        }
        by_path(paths, wanted, notes).map_err(|problem| {
            match declared::names(declared).as_slice() {
                [] => problem,
                names => format!("{problem}; its README declares {}", some_of(names)),
            }
        })
    }

    /// The files at a revision that must be there.
    fn list(&self, config: &HubConfig, repo: &HubRepo, revision: &str) -> Result<Listing> {
        if let Some(listing) = list(config, repo, revision)? {
            return Ok(listing);
        }
        if config.offline {
            return Err(Error::Offline {
                file: format!("the data set {} at `{revision}`", self.id),
                looked_for: vec![looked_for(config, repo, revision)],
            });
        }
        let problem =
            format!("there is no such data set, or it has no revision `{revision}` (404)");
        Err(self.failed(config, revision, problem))
    }

    fn no_parquet(&self, config: &HubConfig, revision: &str, found: &Listing) -> Error {
        let names: Vec<&str> = found.files.iter().map(|file| file.path.as_str()).collect();
        let holds = if names.is_empty() { "no files".to_owned() } else { some_of(&names) };
        let converted = match (&self.revision, config.offline) {
            (Some(_), _) => format!("; without a revision `{CONVERTED}` would be looked at too"),
            (None, true) => format!(", nor is there `{CONVERTED}` in the cache"),
            (None, false) => format!(", nor has it been converted (`{CONVERTED}`)"),
        };
        let problem = format!(
            "the data set has no Parquet at `{revision}` (it holds {holds}){converted}; fetch the files and give their \
             path"
        );
        self.failed(config, revision, problem)
    }

    fn failed(&self, config: &HubConfig, revision: &str, problem: String) -> Error {
        let url = HubRepo::Dataset(self.id.clone()).page(config, revision);
        Error::Hub { url, problem }
    }
}

/// What the README declares. One that cannot be had or read declares nothing, and a note says so.
fn declared_configs(
    config: &HubConfig,
    repo: &HubRepo,
    listing: &Listing,
    notes: &mut Vec<String>,
) -> Result<Vec<declared::Config>> {
    let Some(listed) = listing.files.iter().find(|file| file.path == README) else {
        return Ok(Vec::new());
    };
    let file = HubFile {
        repo: repo.clone(),
        revision: listing.commit.clone(),
        path: README.to_owned(),
        sha256: listed.sha256.clone(),
    };
    let found = match listed.bytes {
        Some(0) => return Ok(Vec::new()),
        Some(bytes) if bytes > declared::MOST => Err(format!("it has {bytes} bytes")),
        _ if config.offline && in_cache(config, &file).is_none() => {
            Err("it is not in the cache".to_owned())
        }
        _ => match fetch(config, &file, &mut |_, _| {}) {
            // A mirror may list no lengths.
            Ok(path) => match fs::metadata(&path).map_err(Error::io("read", &path))?.len() {
                bytes if bytes > declared::MOST => Err(format!("it has {bytes} bytes")),
                _ => {
                    let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
                    declared::configs(&String::from_utf8_lossy(&bytes))
                }
            },
            Err(Error::Hub { problem, .. }) => Err(problem),
            Err(error) => return Err(error),
        },
    };
    Ok(found.unwrap_or_else(|problem| {
        notes.push(format!(
            "configurations are told by the paths of files: its {README} cannot be read ({problem})"
        ));
        Vec::new()
    }))
}

impl HubSelection {
    /// Brings the files into the cache (or finds them there), each whole and as pinned, and opens them.
    ///
    /// `progress` is told of each file from its first byte on.
    ///
    /// # Errors
    /// As [`fetch`](crate::fetch) and [`Source::open_with`].
    pub fn fetch(
        &self,
        config: &HubConfig,
        settings: &SourceSettings,
        progress: &mut Progress<'_>,
    ) -> Result<Source> {
        let mut paths = Vec::new();
        for (split, files) in &self.splits {
            for file in files {
                paths.push((split.as_str(), file, fetch(config, file, progress)?));
            }
        }
        self.open(paths, settings)
    }

    /// What will be read, with the first `rows` rows where all files are in the cache; fetches nothing.
    ///
    /// # Errors
    /// Files in the cache that cannot be opened.
    pub fn plan(&self, config: &HubConfig, settings: &SourceSettings, rows: usize) -> Result<Plan> {
        let files = self
            .splits
            .iter()
            .flat_map(|(split, files)| files.iter().map(move |file| (split, file)));
        let cached =
            files.map(|(split, file)| Some((split.as_str(), file, in_cache(config, file)?)));
        let mut plan = match cached.collect::<Option<Vec<_>>>() {
            Some(cached) => self.open(cached, settings)?.plan(rows)?,
            None => Plan {
                format: "Parquet".to_owned(),
                splits: Vec::new(),
                columns: Vec::new(),
                classes: "told by the files, or by the labels of the first split".to_owned(),
                notes: self.notes.clone(),
                rows: Vec::new(),
            },
        };
        let split = |(name, files): &(String, Vec<HubFile>)| PlannedSplit {
            name: name.clone(),
            files: files.iter().map(|file| file.path.clone().into()).collect(),
        };
        plan.splits = self.splits.iter().map(split).collect();
        plan.format = format!("{} of {}", plan.format, self.describe());
        let many = self.splits.iter().map(|split| split.1.len()).sum::<usize>();
        let bytes = self.bytes.map_or_else(String::new, |bytes| format!(", {bytes} bytes"));
        plan.notes.push(if plan.rows.is_empty() && rows > 0 {
            format!("{many} files{bytes}, not all in the cache: columns and rows are known once they are fetched")
        } else {
            format!("{many} files{bytes}")
        });
        Ok(plan)
    }

    /// For people: `fancyzhx/ag_news on the Hub, configuration default, at 0123…`.
    pub fn describe(&self) -> String {
        let config =
            self.config.as_ref().map_or_else(String::new, |name| format!(", configuration {name}"));
        format!("{} on the Hub{config}, at {} ({})", self.id, self.commit, self.revision)
    }

    /// The files, by their places in the cache.
    fn open(
        &self,
        cached: Vec<(&str, &HubFile, PathBuf)>,
        settings: &SourceSettings,
    ) -> Result<Source> {
        let root = cached.first().map_or_else(PathBuf::new, |(_, file, path)| {
            let snapshot = path.ancestors().nth(file.path.split('/').count());
            snapshot.unwrap_or(path).to_owned()
        });
        let files = cached.into_iter().map(|(split, _, path)| (split.to_owned(), path)).collect();
        Source::of_files(&root, files, self.notes.clone(), settings)
    }
}
