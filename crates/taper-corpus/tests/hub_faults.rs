//! The Hub client against what mirrors and networks do: each fault by name, from a local mirror.
#![allow(clippy::unwrap_used)]

mod mirror;

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use mirror::fixture::{PATH, config, content, file, files_below, get};
use mirror::{COMMIT, Fault, Mirror, sha256};
use taper_corpus::{Error, HubConfig, HubFile, Patience};

/// A mirror with one file, and a cache.
fn with(fault: Fault) -> (Mirror, tempfile::TempDir) {
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.hold(PATH, &content(), fault);
    (mirror, cache)
}

fn arrives(fault: Fault) -> Mirror {
    let (mirror, cache) = with(fault);
    let path = get(&config(&mirror, cache.path()), &file()).unwrap();
    assert_eq!(fs::read(path).unwrap(), content(), "{fault:?}");
    mirror
}

#[test]
fn an_internal_error_twice_and_then_the_file() {
    for status in ["500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable"] {
        let mirror = arrives(Fault::Refuses { status, retry_after: "", times: 2 });
        assert_eq!(mirror.log().len(), 2 + 2, "{status}");
    }
}

#[test]
fn an_internal_error_for_ever_is_given_up_after_the_attempts_that_were_set() {
    let status = "500 Internal Server Error";
    let (mirror, cache) = with(Fault::Refuses { status, retry_after: "", times: 1_000 });
    let message = get(&config(&mirror, cache.path()), &file()).unwrap_err().to_string();
    assert!(message.contains("500") && message.contains("try again later"), "{message}");
    assert_eq!(mirror.log().len(), 5);
}

#[test]
fn too_many_requests_waits_as_long_as_the_server_asks() {
    let status = "429 Too Many Requests";
    let (mirror, cache) = with(Fault::Refuses { status, retry_after: "1", times: 1 });
    let begun = Instant::now();
    get(&config(&mirror, cache.path()), &file()).unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[test]
fn a_server_that_asks_for_an_hour_is_given_up_at_once() {
    let status = "429 Too Many Requests";
    let (mirror, cache) = with(Fault::Refuses { status, retry_after: "3600", times: 1 });
    let message = get(&config(&mirror, cache.path()), &file()).unwrap_err().to_string();
    assert!(message.contains("429") && message.contains("3600s"), "{message}");
    assert_eq!(mirror.log().len(), 1);
}

#[test]
fn pauses_double_up_to_the_longest_even_where_none_is_asked_for() {
    let status = "503 Service Unavailable";
    // A date that has gone by: its clock is behind ours.
    for retry_after in ["", "0", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        let (mirror, cache) = with(Fault::Refuses { status, retry_after, times: 4 });
        let patience = Patience {
            first_pause: Duration::from_millis(20),
            longest_pause: Duration::from_millis(60),
            ..config(&mirror, cache.path()).patience
        };
        let config = HubConfig { patience, ..config(&mirror, cache.path()) };
        let begun = Instant::now();
        get(&config, &file()).unwrap();
        // 20 + 40 + 60 + 60, where doubling alone would make 300 of it.
        let elapsed = begun.elapsed();
        assert!(elapsed >= Duration::from_millis(180), "{retry_after}: {elapsed:?}");
    }
}

#[test]
fn silence_is_cut_short_and_resumed() {
    let begun = Instant::now();
    let mirror = arrives(Fault::Silent { after: 300_000, times: 2 });
    assert_eq!(mirror.starts(), [0, 300_000, 600_000]);
    // The mirror is silent for five seconds each time.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[test]
fn a_server_that_stays_silent_is_told() {
    for fault in [Fault::Silent { after: 10, times: 100 }, Fault::Mute { times: 100 }] {
        let (mirror, cache) = with(fault);
        let mut config = config(&mirror, cache.path());
        config.patience.attempts = 2;
        let message = get(&config, &file()).unwrap_err().to_string();
        assert!(message.contains("silent for 300ms"), "{fault:?}: {message}");
    }
    arrives(Fault::Mute { times: 1 });
}

#[test]
fn packed_bytes_are_called_by_name() {
    let (mirror, cache) = with(Fault::Packed);
    let message = get(&config(&mirror, cache.path()), &file()).unwrap_err().to_string();
    assert!(message.contains("Content-Encoding: gzip"), "{message}");
    assert_eq!(files_below(cache.path()), [] as [PathBuf; 0]);
    assert_eq!(mirror.starts(), [0], "no other attempt helps");
    let asked = |request: &mirror::Request| request.headers.get("accept-encoding").cloned();
    assert!(mirror.log().iter().all(|request| asked(request).as_deref() == Some("identity")));
}

#[test]
fn two_versions_of_a_file_are_not_mixed() {
    // Both of the same length, and no tag that is a hash of the bytes.
    let (mirror, cache) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.hold_tagged(PATH, &content(), "first", Fault::Changes { after: 300_000 });
    let config = config(&mirror, cache.path());
    let message = get(&config, &file()).unwrap_err().to_string();
    assert!(message.contains("changed while it was fetched"), "{message}");
    assert_eq!(files_below(cache.path()), [] as [PathBuf; 0]);
    let changed: Vec<u8> = content().into_iter().map(|byte| byte ^ 1).collect();
    assert_eq!(fs::read(get(&config, &file()).unwrap()).unwrap(), changed);
}

#[test]
fn slow_bytes_are_waited_for() {
    let begun = Instant::now();
    let mirror = arrives(Fault::Slow);
    // Longer in all than any one silence may be; one request all the same.
    assert!(begun.elapsed() > Duration::from_millis(400), "{:?}", begun.elapsed());
    assert_eq!(mirror.starts(), [0]);
}

#[test]
fn a_content_length_that_is_too_small_is_made_up_for() {
    let mirror = arrives(Fault::TellsLess { by: 100_000, times: 1 });
    assert_eq!(mirror.starts(), [0, 700_000]);
}

#[test]
fn a_server_that_never_sends_the_end_is_given_up() {
    // `HEAD` promises more than any `GET` brings.
    let (mirror, cache) = with(Fault::None);
    mirror.redirect(PATH, &format!("{}/cut", mirror.endpoint));
    mirror.hold("cut", &content()[..100_000], Fault::None);
    let message = get(&config(&mirror, cache.path()), &file()).unwrap_err().to_string();
    assert!(message.contains("announced 800000 bytes and sent 100000"), "{message}");
    assert_eq!(mirror.starts().len(), 2 * 5, "each attempt asks twice, for the redirect");
}

#[test]
fn a_range_that_begins_elsewhere_is_not_appended() {
    let (mirror, cache) = with(Fault::WrongRange);
    let blobs = cache.path().join("datasets--someone--reviews/blobs");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(format!("{}.part", sha256(&content()))), &content()[..5_000]).unwrap();
    let path = get(&config(&mirror, cache.path()), &file()).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
    assert_eq!(mirror.starts(), [5_000, 0]);
}

#[test]
fn a_resumed_part_of_another_file_is_begun_anew() {
    let (mirror, cache) = with(Fault::None);
    let blobs = cache.path().join("datasets--someone--reviews/blobs");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(format!("{}.part", sha256(&content()))), [7; 5_000]).unwrap();
    let path = get(&config(&mirror, cache.path()), &file()).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
    assert_eq!(mirror.starts(), [5_000, 0]);
}

#[test]
fn what_arrived_is_kept_while_the_server_is_busy() {
    let (mirror, cache) = with(Fault::BusyBodies { times: 2 });
    let blobs = cache.path().join("datasets--someone--reviews/blobs");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(format!("{}.part", sha256(&content()))), &content()[..5_000]).unwrap();
    let path = get(&config(&mirror, cache.path()), &file()).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
    assert_eq!(mirror.starts(), [5_000, 5_000, 5_000]);
}

#[test]
fn a_page_or_pointer_in_place_of_the_bytes_is_called_by_name() {
    for (fault, says) in
        [(Fault::PageInPlace, "HTML page"), (Fault::StubInPlace, "git-lfs pointer")]
    {
        let (mirror, cache) = with(fault);
        let message = get(&config(&mirror, cache.path()), &file()).unwrap_err().to_string();
        assert!(message.contains(says), "{fault:?}: {message}");
        assert_eq!(files_below(cache.path()), [] as [PathBuf; 0]);
        assert_eq!(mirror.starts(), [0], "no other attempt helps");
    }
}

#[test]
fn the_token_does_not_follow_to_another_host() {
    let (mirror, storage) = (Mirror::start(), Mirror::start());
    let cache = tempfile::tempdir().unwrap();
    mirror.hold(PATH, &content(), Fault::None);
    mirror.redirect(PATH, &format!("{}/storage/blob?signature=x", storage.endpoint));
    storage.hold("storage/blob?signature=x", &content(), Fault::Cut { after: 300_000, times: 1 });
    let config = HubConfig { token: Some("hf_secret".to_owned()), ..config(&mirror, cache.path()) };
    let path = get(&config, &file()).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
    let tokens = |mirror: &Mirror| {
        let log = mirror.log();
        let sent = log.iter().filter(|request| request.headers.contains_key("authorization"));
        (sent.count(), log.len())
    };
    assert_eq!(tokens(&mirror), (3, 3));
    assert_eq!(tokens(&storage), (0, 2));
    assert_eq!(storage.starts(), [0, 300_000]);
}

#[test]
fn a_redirect_within_the_host_takes_the_token_along() {
    let (mirror, cache) = with(Fault::None);
    mirror.redirect(PATH, "/resolve-cache");
    mirror.hold("resolve-cache", &content(), Fault::None);
    let config = HubConfig { token: Some("hf_secret".to_owned()), ..config(&mirror, cache.path()) };
    get(&config, &file()).unwrap();
    assert!(mirror.log().iter().all(|request| request.headers.contains_key("authorization")));
}

#[test]
fn a_redirect_may_be_relative() {
    let (mirror, cache) = with(Fault::None);
    mirror.redirect(PATH, "../blobs/1");
    mirror.hold("datasets/someone/reviews/resolve/main/blobs/1", &content(), Fault::None);
    get(&config(&mirror, cache.path()), &file()).unwrap();
}

#[test]
fn redirects_in_circles_end() {
    let (mirror, cache) = with(Fault::None);
    mirror.redirect(PATH, &format!("/{PATH}"));
    let message = get(&config(&mirror, cache.path()), &file()).unwrap_err().to_string();
    assert!(message.contains("circles"), "{message}");
}

#[test]
fn no_error_shows_the_token_or_the_proxy() {
    let refusal = |status| Fault::Refuses { status, retry_after: "", times: 9 };
    for fault in [
        refusal("401 Unauthorized"),
        refusal("403 Forbidden"),
        refusal("500 No"),
        Fault::WrongBytes,
        Fault::Page,
        Fault::StubInPlace,
        Fault::Cut { after: 9, times: 9 },
        Fault::ClimbingTag,
    ] {
        let (mirror, cache) = with(fault);
        let config =
            HubConfig { token: Some("hf_secret".to_owned()), ..config(&mirror, cache.path()) };
        let error = get(&config, &file()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
    let (mirror, cache) = with(Fault::None);
    for broken in [
        HubConfig { token: Some("hf_secret\n".to_owned()), ..config(&mirror, cache.path()) },
        HubConfig { proxy: Some("::secret".to_owned()), ..config(&mirror, cache.path()) },
        HubConfig {
            proxy: Some("http://me:secret@127.0.0.1:9".to_owned()),
            ..config(&mirror, cache.path())
        },
        HubConfig {
            endpoint: mirror.endpoint.replace("//", "//me:secret@"),
            ..config(&mirror, cache.path())
        },
    ] {
        let error = get(&broken, &file()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
    assert!(mirror.log().is_empty());
}

#[test]
fn two_files_of_the_same_bytes_at_once_are_written_once() {
    let (mirror, cache) = with(Fault::Slow);
    let copy = HubFile { path: "data/copy.bin".to_owned(), ..file() };
    mirror.hold("datasets/someone/reviews/resolve/main/data/copy.bin", &content(), Fault::Slow);
    let config = config(&mirror, cache.path());
    thread::scope(|scope| {
        let runs = [file(), copy].map(|file| {
            scope.spawn({
                let config = &config;
                move || get(config, &file).unwrap()
            })
        });
        for run in runs {
            assert_eq!(fs::read(run.join().unwrap()).unwrap(), content());
        }
    });
    assert_eq!(mirror.starts(), [0]);
    let names = ["copy.bin", "file.bin"].map(|name| format!("snapshots/{COMMIT}/data/{name}"));
    for name in names {
        assert!(cache.path().join("datasets--someone--reviews").join(name).is_symlink());
    }
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
