//! The Hub client against a local mirror: the cache, what is refused, the token. What goes wrong on the way is in
//! `hub_faults.rs`.
#![allow(clippy::unwrap_used)]

mod mirror;

use std::fs;
use std::path::{Path, PathBuf};

use mirror::fixture::{PATH, config, content, file, files_below, get};
use mirror::{COMMIT, Fault, Mirror, sha256};
use taper_corpus::{Error, HubConfig, HubFile, HubRepo, fetch};

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

#[cfg(unix)]
#[test]
fn a_shared_cache_is_as_readable_as_its_files() {
    use std::os::unix::fs::PermissionsExt;
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.hold(PATH, &content(), Fault::None);
    let path = get(&config(&mirror, cache.path()), &file()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&cache.path().join("datasets--someone--reviews/refs/main")), mode(&path));
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
fn a_whole_file_that_is_not_the_pinned_one_stays_for_others_and_is_fetched_once() {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.hold(PATH, &content(), Fault::None);
    let config = config(&mirror, cache.path());
    let path = get(&config, &file()).unwrap();
    let pinned = HubFile { sha256: Some("ab".repeat(32)), ..file() };
    for _ in 0..2 {
        assert!(matches!(get(&config, &pinned), Err(Error::WrongFile { .. })));
        assert_eq!(fs::read(&path).unwrap(), content());
    }
    assert_eq!(mirror.starts(), [0]);
    // It is looked for again, since the branch may have moved on.
    let next = content().into_iter().rev().collect::<Vec<u8>>();
    mirror.hold(PATH, &next, Fault::None);
    let pinned = HubFile { sha256: Some(sha256(&next)), ..file() };
    assert_eq!(fs::read(get(&config, &pinned).unwrap()).unwrap(), next);
}

#[test]
fn bytes_in_the_cache_that_are_too_few_are_fetched_again() {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.hold_tagged(PATH, &content(), "no-hash", Fault::None);
    let blobs = cache.path().join("datasets--someone--reviews/blobs");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join("no-hash"), &content()[..1_000]).unwrap();
    let path = get(&config(&mirror, cache.path()), &file()).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
}

#[test]
fn what_is_in_a_cache_that_nobody_may_write_is_read() {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.hold(PATH, &content(), Fault::None);
    let config = config(&mirror, cache.path());
    let path = get(&config, &file()).unwrap();
    // No lock can be had there; the superuser could write the rest.
    fs::remove_dir_all(cache.path().join(".locks")).unwrap();
    fs::write(cache.path().join(".locks"), b"").unwrap();
    assert_eq!(get(&config, &file()).unwrap(), path);
    fs::remove_dir_all(cache.path().join("datasets--someone--reviews")).unwrap();
    let message = get(&config, &file()).unwrap_err().to_string();
    assert!(message.contains(".locks"), "{message}");
}

#[test]
fn what_a_killed_process_left_is_no_obstacle() {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.hold(PATH, &content(), Fault::None);
    let config = config(&mirror, cache.path());
    get(&config, &file()).unwrap();
    let locks = |dir: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let locks = locks(&cache.path().join(".locks/datasets--someone--reviews"));
    assert_eq!(locks.len(), 1, "{locks:?}");
    let folder = cache.path().join("datasets--someone--reviews");
    let blob = folder.join("blobs").join(sha256(&content()));
    fs::remove_dir_all(folder.join("snapshots")).unwrap();
    fs::rename(&blob, blob.with_extension("part")).unwrap();
    fs::write(&locks[0], b"4711").unwrap();
    assert_eq!(fs::read(get(&config, &file()).unwrap()).unwrap(), content());
    assert_eq!(mirror.starts(), [0], "the part was whole");
}

#[test]
fn a_reference_does_not_lead_out_of_the_cache() {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join("data")).unwrap();
    fs::write(outside.path().join("data/file.bin"), b"secret").unwrap();
    let refs = cache.path().join("datasets--someone--reviews/refs");
    fs::create_dir_all(&refs).unwrap();
    fs::write(refs.join("main"), outside.path().to_str().unwrap()).unwrap();
    let offline = HubConfig { offline: true, ..config(&mirror, cache.path()) };
    assert!(matches!(get(&offline, &file()), Err(Error::Offline { .. })));
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
    assert!(matches!(get(&offline, &file()), Err(Error::Cached { .. })));
    assert_eq!(fs::read(get(&online, &file()).unwrap()).unwrap(), content());
    // A link whose bytes are gone.
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
        assert_eq!(files_below(cache.path()), [] as [PathBuf; 0], "{fault:?}");
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
