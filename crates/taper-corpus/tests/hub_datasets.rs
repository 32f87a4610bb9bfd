//! Data sets of the Hub by id, configuration and revision, against a local mirror.
#![allow(clippy::unwrap_used)]

mod mirror;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use mirror::fixture::config;
use mirror::{Api, Mirror};
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use taper_corpus::{Error, HubConfig, HubDataset, HubSelection, Record, Source, SourceSettings};

const ID: &str = "someone/news";
const FIRST: &str = "1111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222";

/// A Parquet file of (text, label) with the classes `World` and `Sports`.
fn parquet(rows: &[(&str, i64)]) -> Vec<u8> {
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0)));
    let labels: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1)));
    let batch = RecordBatch::try_from_iter([("text", texts), ("label", labels)]).unwrap();
    let features = r#"{"info": {"features": {"text": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["World", "Sports"], "_type": "ClassLabel"}}}}"#;
    let key = KeyValue::new("huggingface".to_owned(), features.to_owned());
    let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![key])).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn train() -> Vec<u8> {
    parquet(&[("A probe lands", 0), ("Two goals", 1)])
}

fn test() -> Vec<u8> {
    parquet(&[("Rain stops play", 1)])
}

/// A mirror with `files` at `main`, and a cache.
fn with(files: &[(&str, &[u8])]) -> (Mirror, tempfile::TempDir) {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.publish(ID, "main", FIRST, files);
    (mirror, cache)
}

fn dataset() -> HubDataset {
    HubDataset { id: ID.to_owned(), ..HubDataset::default() }
}

fn of(name: &str) -> HubDataset {
    HubDataset { config: Some(name.to_owned()), ..dataset() }
}

fn select(dataset: &HubDataset, config: &HubConfig) -> Result<HubSelection, Error> {
    dataset.select(config, &SourceSettings::default())
}

fn refusal(dataset: &HubDataset, config: &HubConfig) -> String {
    select(dataset, config).unwrap_err().to_string()
}

fn open(dataset: &HubDataset, config: &HubConfig) -> Result<Source, Error> {
    select(dataset, config)?.fetch(config, &SourceSettings::default(), &mut |_, _| {})
}

/// (split, text, label) of every record.
fn rows(source: &Source) -> Vec<(String, String, Option<u32>)> {
    let mut rows = Vec::new();
    let mut visit = |split: &str, record: Record| {
        rows.push((split.to_owned(), record.text, record.label));
        Ok(())
    };
    source.for_each(&mut visit).unwrap();
    rows
}

fn row(split: &str, text: &str, label: u32) -> (String, String, Option<u32>) {
    (split.to_owned(), text.to_owned(), Some(label))
}

fn offline(config: &HubConfig) -> HubConfig {
    HubConfig { offline: true, ..config.clone() }
}

#[test]
fn one_configuration_is_read_whole_with_its_class_names() {
    for test_file in ["news/test-00000-of-00001.parquet", "news/dev-00000-of-00001.parquet"] {
        let (train, test) = (train(), test());
        let files: [(&str, &[u8]); 3] = [
            ("README.md", b"# News"),
            ("news/train-00000-of-00001.parquet", &train),
            (test_file, &test),
        ];
        let (mirror, cache) = with(&files);
        let config = config(&mirror, cache.path());
        let selection = select(&dataset(), &config).unwrap();
        assert_eq!((selection.commit.as_str(), selection.config.as_deref()), (FIRST, Some("news")));
        assert_eq!(selection.bytes, Some((train.len() + test.len()) as u64));
        let source = open(&dataset(), &config).unwrap();
        assert_eq!(source.class_names().unwrap(), ["World", "Sports"]);
        let split = if test_file.contains("test") { "test" } else { "validation" };
        let expected = [
            row("train", "A probe lands", 0),
            row("train", "Two goals", 1),
            row(split, "Rain stops play", 1),
        ];
        assert_eq!(rows(&source), expected);
    }
}

#[test]
fn several_configurations_are_listed_and_one_is_picked() {
    let (train, test) = (train(), test());
    let files: [(&str, &[u8]); 2] =
        [("en/train-00000-of-00001.parquet", &train), ("de/train-00000-of-00001.parquet", &test)];
    let (mirror, cache) = with(&files);
    let config = config(&mirror, cache.path());
    let message = refusal(&dataset(), &config);
    assert!(message.contains("several configurations; name one: there are de, en"), "{message}");
    assert!(message.contains("datasets/someone/news/tree/main"), "{message}");
    let message = refusal(&of("english"), &config);
    assert!(
        message.contains("no configuration `english`") && message.contains("de, en"),
        "{message}"
    );
    assert_eq!(rows(&open(&of("en"), &config).unwrap()).len(), 2);
    assert_eq!(rows(&open(&of("de"), &config).unwrap()), [row("train", "Rain stops play", 1)]);
    let fetched = mirror.log().iter().filter(|request| request.path.contains("/resolve/")).count();
    assert_eq!(fetched, 4, "a HEAD and a GET for each configuration's file");
}

#[test]
fn the_configuration_default_goes_first() {
    let (train, test) = (train(), test());
    let files: [(&str, &[u8]); 2] = [
        ("data/train-00000-of-00001.parquet", &train),
        ("raw/train-00000-of-00001.parquet", &test),
    ];
    let (mirror, cache) = with(&files);
    let selection = select(&dataset(), &config(&mirror, cache.path())).unwrap();
    assert_eq!(selection.config.as_deref(), Some("default"));
    assert!(selection.notes[0].contains("there are default, raw"), "{:?}", selection.notes);
}

#[test]
fn shards_are_read_in_order_over_several_pages() {
    let shards: Vec<Vec<u8>> =
        (0..5).map(|n| parquet(&[(["a", "b", "c", "d", "e"][n], (n % 2) as i64)])).collect();
    let names: Vec<String> =
        (0..5).map(|n| format!("data/train-{n:05}-of-00005.parquet")).collect();
    let mut files: Vec<(&str, &[u8])> =
        names.iter().map(String::as_str).zip(shards.iter().map(Vec::as_slice)).collect();
    files.reverse();
    for api in [Api::Whole, Api::Pages, Api::NoTree] {
        let (mirror, cache) = with(&files);
        mirror.answer_api(api);
        let source = open(&dataset(), &config(&mirror, cache.path())).unwrap();
        let texts: Vec<String> = rows(&source).into_iter().map(|row| row.1).collect();
        assert_eq!(texts.concat(), "abcde", "{api:?}");
        let pages = mirror.log().iter().filter(|request| request.path.contains("/tree/")).count();
        assert_eq!(pages, if api == Api::Pages { 3 } else { 1 }, "{api:?}");
    }
    let (mirror, cache) = with(&files[1..]);
    let message = refusal(&dataset(), &config(&mirror, cache.path()));
    assert!(message.contains("train-00004-of-00005.parquet is missing"), "{message}");
}

#[test]
fn a_private_data_set_needs_its_token() {
    let train = train();
    let (mirror, cache) = with(&[("data/train-00000-of-00001.parquet", &train)]);
    mirror.make_private(ID, "hf_secret");
    let plain = config(&mirror, cache.path());
    let message = refusal(&dataset(), &plain);
    assert!(message.contains("401") && message.contains("private"), "{message}");
    assert!(message.contains("token"), "{message}");
    assert_eq!(mirror.log().len(), 1, "a refusal does not pass");
    let wrong = HubConfig { token: Some("hf_wrong".to_owned()), ..plain.clone() };
    assert!(!refusal(&dataset(), &wrong).contains("hf_wrong"));
    let right = HubConfig { token: Some("hf_secret".to_owned()), ..plain };
    assert_eq!(rows(&open(&dataset(), &right).unwrap()).len(), 2);
}

#[test]
fn without_parquet_the_hubs_conversion_is_read() {
    let (train, test) = (train(), test());
    let (mirror, cache) = with(&[("news.py", b"import datasets"), ("train.csv", b"a,b")]);
    let online = config(&mirror, cache.path());
    let message = refusal(&dataset(), &online);
    assert!(message.contains("no Parquet at `main` (it holds news.py, train.csv)"), "{message}");
    assert!(message.contains("refs/convert/parquet"), "{message}");

    let converted: [(&str, &[u8]); 2] =
        [("default/train/0000.parquet", &train), ("default/test/0000.parquet", &test)];
    mirror.publish(ID, "refs/convert/parquet", SECOND, &converted);
    let selection = select(&dataset(), &online).unwrap();
    assert_eq!(
        (selection.revision.as_str(), selection.commit.as_str()),
        ("refs/convert/parquet", SECOND)
    );
    let source = open(&dataset(), &online).unwrap();
    assert_eq!(rows(&source).len(), 3);
    let requests = mirror.log().len();
    assert_eq!(rows(&open(&dataset(), &offline(&online)).unwrap()), rows(&source));
    assert_eq!(mirror.log().len(), requests);
    // A revision that is named is the one that is read.
    let named = HubDataset { revision: Some("main".to_owned()), ..dataset() };
    assert!(refusal(&named, &online).contains("without a revision"));
}

#[test]
fn offline_the_cache_answers_or_says_where_it_looked() {
    let train = train();
    let (mirror, cache) = with(&[("data/train-00000-of-00001.parquet", &train)]);
    let online = config(&mirror, cache.path());
    let message = refusal(&dataset(), &offline(&online));
    assert!(message.contains("offline") && message.contains(ID), "{message}");
    assert!(message.contains("refs/main") && mirror.log().is_empty(), "{message}");

    // Listed, but not fetched.
    let selection = select(&dataset(), &online).unwrap();
    assert_eq!(select(&dataset(), &offline(&online)).unwrap(), selection);
    let error = open(&dataset(), &offline(&online)).unwrap_err();
    assert!(matches!(error, Error::Offline { .. }), "{error}");

    let source = open(&dataset(), &online).unwrap();
    let requests = mirror.log().len();
    assert_eq!(rows(&open(&dataset(), &offline(&online)).unwrap()), rows(&source));
    // A commit that was listed once is never asked for again.
    let pinned = HubDataset { revision: Some(FIRST.to_owned()), ..dataset() };
    assert_eq!(rows(&open(&pinned, &online).unwrap()), rows(&source));
    assert_eq!(mirror.log().len(), requests);
}

#[test]
fn what_python_left_in_the_cache_is_read_offline() {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("datasets--someone--news");
    let snapshot = folder.join("snapshots").join(FIRST).join("data");
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(folder.join("refs")).unwrap();
    fs::write(folder.join("refs/main"), FIRST).unwrap();
    fs::write(snapshot.join("train-00000-of-00001.parquet"), train()).unwrap();
    let config = offline(&HubConfig::new("http://localhost:9", cache.path()));
    let selection = select(&dataset(), &config).unwrap();
    assert!(selection.notes[0].contains("there may be more"), "{:?}", selection.notes);
    assert_eq!(rows(&open(&dataset(), &config).unwrap()).len(), 2);
}

#[test]
fn a_revision_is_the_one_that_is_read() {
    let (train, test) = (train(), test());
    let (mirror, cache) = with(&[("data/train-00000-of-00001.parquet", &train)]);
    mirror.publish(ID, "v2", SECOND, &[("data/train-00000-of-00001.parquet", &test)]);
    let config = config(&mirror, cache.path());
    for (revision, commit, count) in [("main", FIRST, 2), ("v2", SECOND, 1), (SECOND, SECOND, 1)] {
        let dataset = HubDataset { revision: Some(revision.to_owned()), ..dataset() };
        assert_eq!(select(&dataset, &config).unwrap().commit, commit);
        assert_eq!(rows(&open(&dataset, &config).unwrap()).len(), count, "{revision}");
    }
    let nowhere = HubDataset { revision: Some("v3".to_owned()), ..dataset() };
    assert!(refusal(&nowhere, &config).contains("no revision `v3`"));
    // The branch moves on: online it is asked for again.
    mirror.publish(ID, "main", SECOND, &[("data/train-00000-of-00001.parquet", &test)]);
    assert_eq!(rows(&open(&dataset(), &config).unwrap()).len(), 1);
}

#[test]
fn files_may_be_told_by_names_and_globs() {
    let (train, test) = (train(), test());
    let files: [(&str, &[u8]); 3] =
        [("en/part-1.parquet", &train), ("en/part-2.parquet", &train), ("held/out.parquet", &test)];
    let (mirror, cache) = with(&files);
    let config = config(&mirror, cache.path());
    let told = |told: &[(&str, &str)]| SourceSettings {
        files: told
            .iter()
            .map(|&(split, pattern)| (split.to_owned(), vec![pattern.to_owned()]))
            .collect::<BTreeMap<_, _>>(),
        ..SourceSettings::default()
    };
    let settings = told(&[("train", "en/*.parquet"), ("test", "held/out.parquet")]);
    let selection = dataset().select(&config, &settings).unwrap();
    assert_eq!(selection.config, None);
    let source = selection.fetch(&config, &settings, &mut |_, _| {}).unwrap();
    assert_eq!(rows(&source).len(), 5);
    for (settings, says) in [
        (told(&[("train", "*.parquet")]), "no Parquet file of someone/news matches `*.parquet`"),
        (told(&[("train", "en/*"), ("test", "en/part-1.parquet")]), "given twice"),
    ] {
        let message = dataset().select(&config, &settings).unwrap_err().to_string();
        assert!(message.contains(says), "{message}");
    }
    let message = of("en").select(&config, &settings).unwrap_err().to_string();
    assert!(message.contains("not both"), "{message}");
}

#[test]
fn the_plan_shows_files_before_and_rows_after_they_are_fetched() {
    let train = train();
    let (mirror, cache) = with(&[("data/train-00000-of-00001.parquet", &train)]);
    let config = config(&mirror, cache.path());
    let (selection, settings) = (select(&dataset(), &config).unwrap(), SourceSettings::default());
    let plan = selection.plan(&config, &settings, 5).unwrap();
    assert!(plan.rows.is_empty() && plan.to_string().contains("not all in the cache"), "{plan}");
    assert!(plan.format.contains(FIRST) && plan.format.contains("configuration default"), "{plan}");
    assert_eq!(plan.splits[0].files, [Path::new("data/train-00000-of-00001.parquet")]);
    let resolved = |request: &mirror::Request| request.path.contains("/resolve/");
    assert!(!mirror.log().iter().any(resolved), "nothing is fetched");
    open(&dataset(), &config).unwrap();
    let plan = selection.plan(&config, &settings, 5).unwrap();
    assert_eq!(plan.rows[0].label.as_deref(), Some("World"));
    assert_eq!(plan.classes, "World, Sports");
}

#[test]
fn an_api_that_answers_badly_is_called_by_name() {
    let train = train();
    let files: [(&str, &[u8]); 5] = [
        ("data/train-00000-of-00001.parquet", &train),
        ("a", b"a"),
        ("b", b"b"),
        ("c", b"c"),
        ("d", b"d"),
    ];
    for (api, says) in [
        (Api::Page, "log-in or error page"),
        (Api::ClimbingCommit, "expected a hash"),
        (Api::EndlessPages, "does not end"),
        (Api::Flood, "does not end"),
        (Api::Busy(1_000), "503"),
    ] {
        let (mirror, cache) = with(&files);
        mirror.answer_api(api);
        let message = refusal(&dataset(), &config(&mirror, cache.path()));
        assert!(message.contains(says), "{api:?}: {message}");
    }
    for api in [Api::Busy(2), Api::Halves(2)] {
        let (mirror, cache) = with(&files);
        mirror.answer_api(api);
        open(&dataset(), &config(&mirror, cache.path())).unwrap();
    }
    // The tree's hash is held against the bytes.
    let (mirror, cache) = with(&files);
    mirror.answer_api(Api::WrongHash);
    let error = open(&dataset(), &config(&mirror, cache.path())).unwrap_err();
    assert!(matches!(error, Error::WrongFile { .. }), "{error}");
    let climbing = HubDataset { id: "../x".to_owned(), ..dataset() };
    assert!(refusal(&climbing, &config(&mirror, cache.path())).contains("relative names"));
}

#[test]
fn a_listed_path_does_not_lead_out_of_the_cache() {
    let train = train();
    for path in ["../../../outside/train.parquet", "a/../../../../outside/train.parquet"] {
        let (mirror, cache) = with(&[(path, &train)]);
        let outside = cache.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("train.parquet"), &train).unwrap();
        fs::create_dir_all(
            cache.path().join(format!("datasets--someone--news/snapshots/{FIRST}/a")),
        )
        .unwrap();
        let config = config(&mirror, cache.path());
        let message = select(&dataset(), &config)
            .and_then(|selection| selection.plan(&config, &SourceSettings::default(), 5))
            .unwrap_err()
            .to_string();
        assert!(message.contains("relative names"), "{message}");
    }
}

#[test]
fn an_id_is_owner_and_name() {
    for id in ["fancyzhx/ag_news", "stanfordnlp/imdb", "a/b-c.v2"] {
        assert!(HubDataset::is_id(id), "{id}");
    }
    for path in [
        "imdb",
        "./ag_news",
        "a/b/c",
        "data/train.csv",
        "a/b.jsonl.gz",
        "../x",
        "a/",
        "a/*",
        "~/x",
        "a/.b",
    ] {
        assert!(!HubDataset::is_id(path), "{path}");
    }
}

#[test]
fn configurations_are_those_that_the_readme_declares() {
    let (train, test) = (train(), test());
    let readme = "---\nlicense: mit\nconfigs:\n- config_name: plain\n  default: true\n  data_files:\n  - split: train\n    \
        path: raw/part-*\n  - split: test\n    path: raw/held.parquet\n- config_name: swapped\n  data_files: \
        {train: raw/held.parquet}\n---\n# News\n";
    let files: [(&str, &[u8]); 5] = [
        ("README.md", readme.as_bytes()),
        ("raw/part-a.parquet", &train),
        ("raw/part-b.parquet", &train),
        ("raw/held.parquet", &test),
        ("old/train.parquet", &test),
    ];
    let (mirror, cache) = with(&files);
    let config = config(&mirror, cache.path());
    let selection = select(&dataset(), &config).unwrap();
    assert_eq!(selection.config.as_deref(), Some("plain"));
    assert!(selection.notes[0].contains("there are plain, swapped"), "{:?}", selection.notes);
    let source = open(&dataset(), &config).unwrap();
    let splits: Vec<String> = rows(&source).into_iter().map(|row| row.0).collect();
    assert_eq!(splits, ["train", "train", "train", "train", "test"]);
    assert_eq!(rows(&open(&of("swapped"), &config).unwrap()), [row("train", "Rain stops play", 1)]);
    // What it does not declare may still be told by the paths.
    assert_eq!(rows(&open(&of("old"), &config).unwrap()), [row("train", "Rain stops play", 1)]);
    let message = refusal(&of("simple"), &config);
    assert!(message.contains("its README declares plain, swapped"), "{message}");

    // Offline the README is that of the cache.
    let requests = mirror.log().len();
    let again = open(&of("swapped"), &offline(&config)).unwrap();
    assert_eq!((rows(&again).len(), mirror.log().len()), (1, requests));
}

#[test]
fn a_readme_of_any_length_is_bounded() {
    let (train, long) = (train(), vec![b'#'; (4 << 20) + 1]);
    let files: [(&str, &[u8]); 2] =
        [("README.md", &long), ("data/train-00000-of-00001.parquet", &train)];
    for api in [Api::Whole, Api::NoTree] {
        let (mirror, cache) = with(&files);
        mirror.answer_api(api);
        let selection = select(&dataset(), &config(&mirror, cache.path())).unwrap();
        assert!(selection.notes[0].contains("it has 4194305 bytes"), "{:?}", selection.notes);
    }
}

#[test]
fn a_readme_that_cannot_be_read_leaves_the_paths() {
    let train = train();
    for (readme, note) in [
        ("---\nconfigs: 5\n---\n", Some("README.md cannot be read")),
        ("<!DOCTYPE html><p>Sign in", Some("an HTML page")),
        ("# News\n", None),
        ("", None),
    ] {
        let files: [(&str, &[u8]); 2] =
            [("README.md", readme.as_bytes()), ("data/train-00000-of-00001.parquet", &train)];
        let (mirror, cache) = with(&files);
        let selection = select(&dataset(), &config(&mirror, cache.path())).unwrap();
        assert_eq!(selection.config.as_deref(), Some("default"));
        match note {
            Some(note) => assert!(selection.notes[0].contains(note), "{:?}", selection.notes),
            None => assert!(selection.notes.is_empty(), "{:?}", selection.notes),
        }
    }
}
