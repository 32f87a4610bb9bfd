//! One data set, many clothes: every source of IMDB gives the same texts and labels.
//!
//! The large comparison needs the real files beside the repository (`../shared/data/imdb`); without
//! them it says that it skipped, and the small ones on made-up reviews remain.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod mirror;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use mirror::{Fault, Mirror};
use taper_corpus::{
    ContentFingerprint, CorpusWriter, Error, HubConfig, ImdbParts, Source, fetch_imdb, imdb,
    records,
};

/// Rows and fingerprint of every split: equal for equal sets of (split, text, label).
type Contents = BTreeMap<String, (usize, String)>;

fn contents(source: &Source) -> Contents {
    let mut splits: BTreeMap<String, ContentFingerprint> = BTreeMap::new();
    source
        .for_each(&mut |split, record| {
            splits.entry(split.to_owned()).or_default().add(&record.text, record.label);
            Ok(())
        })
        .unwrap();
    splits.into_iter().map(|(split, content)| (split, (content.rows(), content.finish()))).collect()
}

fn open(path: &Path) -> Source {
    Source::open(path).unwrap()
}

/// Writes a source as a corpus and gives its folder.
fn write_corpus(source: &Source, dir: &Path) -> PathBuf {
    let lineage = BTreeMap::from([("source".to_owned(), source.describe())]);
    let mut writer = CorpusWriter::create(dir, &source.class_names().unwrap(), &lineage).unwrap();
    source.for_each(&mut |split, record| writer.write(split, record)).unwrap();
    writer.finish().unwrap();
    dir.to_owned()
}

/// A mirror of `stanfordnlp/imdb` that holds the files of a folder.
fn mirror_of(dir: &Path, fault: Fault) -> Mirror {
    let mirror = Mirror::start();
    for split in ["train", "test", "unsupervised"] {
        let name = format!("plain_text/{split}-00000-of-00001.parquet");
        if let Ok(bytes) = fs::read(dir.join(&name)) {
            let path = format!("datasets/{}/resolve/{}/{name}", imdb::REPOSITORY, imdb::REVISION);
            mirror.hold(&path, &bytes, fault);
        }
    }
    mirror
}

fn config(mirror: &Mirror, cache: &Path) -> HubConfig {
    HubConfig::new(&mirror.endpoint, cache)
}

fn real_imdb() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    let dir = root.parent()?.join("shared/data/imdb");
    if dir.join("aclImdb_v1.tar.gz").is_file() {
        return Some(dir);
    }
    eprintln!("skipped: {} does not hold IMDB", dir.display());
    None
}

/// A folder in memory where the system has one: the tree is 100,000 small files.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

#[test]
fn all_sources_of_imdb_hold_the_same_reviews() {
    let Some(dir) = real_imdb() else { return };
    let archive = dir.join("aclImdb_v1.tar.gz");
    let scratch = scratch();

    let from_archive = contents(&open(&archive));
    let rows = |split: &str| from_archive[split].0;
    assert_eq!((rows("train"), rows("test"), rows("unsupervised")), (25_000, 25_000, 50_000));

    let tree = scratch.path().join("tree");
    tar::Archive::new(GzDecoder::new(File::open(&archive).unwrap())).unpack(&tree).unwrap();
    assert_eq!(contents(&open(&tree)), from_archive);
    fs::remove_dir_all(&tree).unwrap();

    let mut labelled = from_archive.clone();
    labelled.remove("unsupervised");
    let from_hub_layout = contents(&open(&dir));
    assert_eq!(from_hub_layout, labelled);

    // These files are a re-encoding: only the content fingerprint lets them pass.
    let mirror = mirror_of(&dir, Fault::Cut { after: 5_000_000, times: 1 });
    let hub = config(&mirror, &scratch.path().join("cache"));
    let fetched = fetch_imdb(&hub, ImdbParts::Labelled, &mut |_, _| {}).unwrap();
    assert_eq!(contents(&fetched), labelled);

    // So does our own corpus, which has other columns and rows in another order; this also holds
    // the archive's unlabelled reviews to the fingerprint of the third file.
    write_corpus(&open(&archive), &scratch.path().join("own/plain_text"));
    let mirror = mirror_of(&scratch.path().join("own"), Fault::None);
    let hub = config(&mirror, &scratch.path().join("cache-2"));
    let fetched = fetch_imdb(&hub, ImdbParts::All, &mut |_, _| {}).unwrap();
    assert_eq!(contents(&fetched), from_archive);

    // Offline, from the first cache: two splits are there, the third is missed by name.
    let offline = HubConfig { offline: true, ..config(&mirror, &scratch.path().join("cache")) };
    fetch_imdb(&offline, ImdbParts::Labelled, &mut |_, _| {}).unwrap();
    let message = fetch_imdb(&offline, ImdbParts::All, &mut |_, _| {}).unwrap_err().to_string();
    assert!(message.contains("unsupervised-00000-of-00001.parquet"), "{message}");
}

#[test]
fn movies_are_the_groups_of_imdb() {
    let Some(dir) = real_imdb() else { return };
    let mut movies: BTreeMap<String, std::collections::BTreeSet<String>> = BTreeMap::new();
    let source = open(&dir.join("aclImdb_v1.tar.gz"));
    source
        .for_each(&mut |split, record| {
            movies.entry(split.to_owned()).or_default().insert(record.group.unwrap());
            Ok(())
        })
        .unwrap();
    assert_eq!((movies["train"].len(), movies["test"].len()), (3_456, 3_581));
    // Its README calls the two disjoint; one movie is in both all the same.
    let both: Vec<&String> = movies["train"].intersection(&movies["test"]).collect();
    assert_eq!(both, ["tt0406816"]);
}

/// A tree of six reviews.
fn small_tree(dir: &Path) -> PathBuf {
    let root = dir.join("aclImdb");
    for set in ["train", "test"] {
        for (class, word) in [("neg", "dull"), ("pos", "bright")] {
            let folder = root.join(set).join(class);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("0_5.txt"), format!("{word} in {set}")).unwrap();
            let url = "http://www.imdb.com/title/tt0064354/usercomments\n";
            fs::write(root.join(set).join(format!("urls_{class}.txt")), url).unwrap();
        }
    }
    fs::create_dir_all(root.join("train/unsup")).unwrap();
    fs::write(root.join("train/unsup/0_0.txt"), "who knows").unwrap();
    fs::write(root.join("train/unsup/1_0.txt"), "who cares").unwrap();
    root
}

#[test]
fn a_corpus_holds_what_its_source_held() {
    let dir = tempfile::tempdir().unwrap();
    let source = open(&small_tree(dir.path()));
    let corpus = write_corpus(&source, &dir.path().join("corpus"));
    assert_eq!(contents(&open(&corpus)), contents(&source));
    let first = records(&corpus, "train").unwrap().next().unwrap().unwrap();
    assert_eq!((first.id.as_str(), first.group.as_deref()), ("train/neg/0", Some("tt0064354")));

    let again = write_corpus(&source, &dir.path().join("again"));
    for split in ["train", "test", "unsupervised"] {
        let name = format!("{split}-00000-of-00001.parquet");
        assert_eq!(fs::read(corpus.join(&name)).unwrap(), fs::read(again.join(&name)).unwrap());
    }
}

#[test]
fn other_reviews_under_imdbs_name_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let source = open(&small_tree(dir.path()));
    write_corpus(&source, &dir.path().join("plain_text"));
    let mirror = mirror_of(dir.path(), Fault::None);
    let hub = config(&mirror, &dir.path().join("cache"));
    let error = fetch_imdb(&hub, ImdbParts::Labelled, &mut |_, _| {}).unwrap_err();
    let Error::WrongFile { expected, found, .. } = &error else { panic!("{error}") };
    // Both sides show both: the bytes' hash and the content's.
    assert!(expected.contains("db47d16b5c29") && expected.contains("content 4fba0b311706"));
    assert!(found.contains("sha256") && found.contains(&contents(&source)["train"].1), "{found}");
    assert!(error.to_string().contains("train-00000-of-00001.parquet"), "{error}");
}

#[test]
fn a_file_that_is_no_parquet_under_imdbs_name_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mirror = Mirror::start();
    let name = "plain_text/train-00000-of-00001.parquet";
    let path = format!("datasets/{}/resolve/{}/{name}", imdb::REPOSITORY, imdb::REVISION);
    mirror.hold_tagged(&path, b"PAR1 and then nothing", "tag-1", Fault::None);
    let hub = config(&mirror, dir.path());
    let message = fetch_imdb(&hub, ImdbParts::Labelled, &mut |_, _| {}).unwrap_err().to_string();
    assert!(message.contains("no readable content"), "{message}");
}
