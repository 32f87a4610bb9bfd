//! The Hub client against a local mirror: cut connections, impostors, caches, two at once.
#![allow(clippy::unwrap_used)]

mod mirror;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use mirror::{COMMIT, Fault, Mirror, sha256};
use taper_corpus::{Error, HubConfig, HubFile, HubRepo, fetch};

const PATH: &str = "datasets/someone/reviews/resolve/main/data/file.bin";

fn config(mirror: &Mirror, cache: &Path) -> HubConfig {
    HubConfig {
        endpoint: mirror.endpoint.clone(),
        cache_dir: cache.to_owned(),
        token: None,
        offline: false,
    }
}

fn file() -> HubFile {
    HubFile {
        repo: HubRepo::Dataset("someone/reviews".to_owned()),
        revision: "main".to_owned(),
        path: "data/file.bin".to_owned(),
        sha256: None,
    }
}

fn content() -> Vec<u8> {
    (0..200_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn get(config: &HubConfig, file: &HubFile) -> Result<PathBuf, Error> {
    fetch(config, file, &mut |_, _| {})
}

/// Every file below a folder that is not a lock.
fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files_below(&path));
        } else if path.extension().is_none_or(|extension| extension != "lock") {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_file_arrives_is_cached_and_needs_no_second_request() {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.hold(PATH, &content(), Fault::None);
    let mut config = config(&mirror, cache.path());
    config.endpoint += "/"; // as people write it
    let pinned = HubFile { sha256: Some(sha256(&content())), ..file() };
    let mut seen = Vec::new();
    let path = fetch(&config, &pinned, &mut |done, total| seen.push((done, total))).unwrap();
    assert_eq!(fs::read(&path).unwrap(), content());
    assert!(path.ends_with(format!("datasets--someone--reviews/snapshots/{COMMIT}/data/file.bin")));
    assert_eq!(seen.last(), Some(&(800_000, Some(800_000))));
    assert!(seen.is_sorted(), "progress goes forward");

    let requests = mirror.log().len();
    assert_eq!(get(&config, &pinned).unwrap(), path);
    let offline = HubConfig { offline: true, ..config };
    assert_eq!(get(&offline, &pinned).unwrap(), path);
    assert_eq!(mirror.log().len(), requests);
}

#[test]
fn a_models_file_has_another_address() {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.hold("someone/vectors/resolve/main/v.zip", b"PK", Fault::None);
    let file = HubFile {
        repo: HubRepo::Model("someone/vectors".to_owned()),
        path: "v.zip".to_owned(),
        ..file()
    };
    assert_eq!(fs::read(get(&config(&mirror, cache.path()), &file).unwrap()).unwrap(), b"PK");
}

#[test]
fn a_cut_connection_is_resumed_where_it_broke() {
    for fault in
        [Fault::Cut { after: 300_000, times: 2 }, Fault::CutSilently { after: 300_000, times: 2 }]
    {
        let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
        mirror.hold(PATH, &content(), fault);
        let path = get(&config(&mirror, cache.path()), &file()).unwrap();
        assert_eq!(fs::read(path).unwrap(), content());
        assert_eq!(mirror.starts(), [0, 300_000, 600_000], "{fault:?}");
    }
}

#[test]
fn a_line_that_stays_dead_is_told_and_the_next_run_resumes() {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.hold(PATH, &content(), Fault::Cut { after: 1_000, times: 5 });
    let config = config(&mirror, cache.path());
    let message = get(&config, &file()).unwrap_err().to_string();
    assert!(message.contains(&mirror.endpoint), "{message}");
    assert!(files_below(cache.path()).iter().all(|path| path.extension().unwrap() == "part"));
    get(&config, &file()).unwrap();
    assert_eq!(mirror.starts(), [0, 1_000, 2_000, 3_000, 4_000, 5_000]);
}

#[test]
fn a_part_file_of_any_length_is_no_obstacle() {
    for (length, fault) in [
        (content().len(), Fault::None),
        (content().len() + 5, Fault::None),
        (70_000, Fault::IgnoresResume),
    ] {
        let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
        mirror.hold(PATH, &content(), fault);
        let blobs = cache.path().join("datasets--someone--reviews/blobs");
        fs::create_dir_all(&blobs).unwrap();
        let part = content().into_iter().cycle().take(length).collect::<Vec<u8>>();
        fs::write(blobs.join(sha256(&content())).with_extension("part"), part).unwrap();
        let path = get(&config(&mirror, cache.path()), &file()).unwrap();
        assert_eq!(fs::read(path).unwrap(), content(), "{length} {fault:?}");
    }
}

#[test]
fn a_busy_server_is_asked_again() {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.hold(PATH, &content(), Fault::Busy(2));
    get(&config(&mirror, cache.path()), &file()).unwrap();
}

#[test]
fn damaged_bytes_are_removed_and_told_with_both_hashes() {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.hold(PATH, &content(), Fault::WrongBytes);
    let error = get(&config(&mirror, cache.path()), &file()).unwrap_err();
    let Error::Transfer { expected, found, .. } = &error else {
        panic!("{error}");
    };
    assert!(expected.contains(&sha256(&content())));
    assert!(found.contains("sha256") && found != expected);
    assert_eq!(
        files_below(&cache.path().join("datasets--someone--reviews/snapshots")),
        [] as [PathBuf; 0]
    );
    assert_eq!(
        files_below(&cache.path().join("datasets--someone--reviews/blobs")),
        [] as [PathBuf; 0]
    );

    mirror.hold(PATH, &content(), Fault::None);
    get(&config(&mirror, cache.path()), &file()).unwrap();
}

#[test]
fn another_file_than_the_pinned_one_is_refused_with_both_hashes() {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.hold(PATH, &content(), Fault::None);
    let pinned = HubFile { sha256: Some("ab".repeat(32)), ..file() };
    let error = get(&config(&mirror, cache.path()), &pinned).unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, Error::WrongFile { .. }), "{message}");
    assert!(
        message.contains(&"ab".repeat(32)) && message.contains(&sha256(&content())),
        "{message}"
    );
    assert!(message.contains("data/file.bin"), "{message}");
}

#[test]
fn a_damaged_cache_is_mended_online_and_refused_offline() {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.hold(PATH, &content(), Fault::None);
    let online = config(&mirror, cache.path());
    let path = get(&online, &file()).unwrap();
    let blob = fs::canonicalize(&path).unwrap();
    fs::write(&blob, &content()[..1_000]).unwrap();
    let offline = HubConfig { offline: true, ..online.clone() };
    assert!(matches!(get(&offline, &file()), Err(Error::Transfer { .. })));
    assert_eq!(fs::read(get(&online, &file()).unwrap()).unwrap(), content());
    // A link whose bytes are gone: hf-hub alone would fail here for ever.
    fs::remove_file(&blob).unwrap();
    assert_eq!(fs::read(get(&online, &file()).unwrap()).unwrap(), content());
}

#[test]
fn offline_names_the_file_and_where_it_looked() {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    let offline = HubConfig { offline: true, ..config(&mirror, cache.path()) };
    let message = get(&offline, &file()).unwrap_err().to_string();
    assert!(message.contains("data/file.bin") && message.contains("someone/reviews"), "{message}");
    assert!(message.contains(cache.path().to_str().unwrap()), "{message}");
    assert!(mirror.log().is_empty());
}

#[test]
fn a_snapshot_that_python_filed_under_the_commit_is_found() {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    let snapshot = cache.path().join(format!("datasets--someone--reviews/snapshots/{COMMIT}/data"));
    fs::create_dir_all(&snapshot).unwrap();
    fs::write(snapshot.join("file.bin"), b"PAR1").unwrap();
    let file = HubFile { revision: COMMIT.to_owned(), ..file() };
    get(&config(&mirror, cache.path()), &file).unwrap();
    assert!(mirror.log().is_empty());
}

#[test]
fn impostors_and_bad_answers_are_called_by_name() {
    for (fault, says) in [
        (Fault::Page, "log-in or error page"),
        (Fault::DressedPage, "HTML page"),
        (Fault::LfsStub, "git-lfs pointer"),
        (Fault::ClimbingTag, "expected hashes"),
    ] {
        let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
        mirror.hold(PATH, &content(), fault);
        let message = get(&config(&mirror, cache.path()), &file()).unwrap_err().to_string();
        assert!(message.contains(says), "{fault:?}: {message}");
        let left = files_below(cache.path());
        let refs = left.iter().filter(|path| !path.ends_with("refs/main")).count();
        assert_eq!(refs, 0, "{fault:?} left {left:?}");
    }
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    let message = get(&config(&mirror, cache.path()), &file()).unwrap_err().to_string();
    assert!(message.contains("404") && message.contains("data/file.bin"), "{message}");
}

#[test]
fn names_that_climb_out_of_the_cache_are_refused() {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    let file = HubFile { path: "../../outside".to_owned(), ..file() };
    assert!(matches!(get(&config(&mirror, cache.path()), &file), Err(Error::Hub { .. })));
    assert!(mirror.log().is_empty());
}

#[test]
fn the_token_is_sent_and_never_shown() {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.hold(PATH, &content(), Fault::None);
    let config = HubConfig { token: Some("hf_secret".to_owned()), ..config(&mirror, cache.path()) };
    get(&config, &file()).unwrap();
    let sent = |request: &mirror::Request| request.headers.get("authorization").cloned();
    assert!(
        mirror.log().iter().all(|request| sent(request).as_deref() == Some("Bearer hf_secret"))
    );
    assert!(!format!("{config:?}").contains("secret"));
}

#[test]
fn two_at_once_share_one_download() {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.hold(PATH, &content(), Fault::Cut { after: 500_000, times: 1 });
    let config = config(&mirror, cache.path());
    thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| get(&config, &file()).unwrap())).collect();
        for run in runs {
            assert_eq!(fs::read(run.join().unwrap()).unwrap(), content());
        }
    });
    assert_eq!(mirror.starts(), [0, 500_000]);
}
