//! What keeps a server from starting.

use std::path::Path;

use taper_serve::{Error, Limits, ModelSource, Options, Server};

use crate::served::{model, serve};

fn refused(options: &Options) -> String {
    Server::open(options).unwrap_err().to_string()
}

fn source(name: &str, path: &Path) -> ModelSource {
    ModelSource { name: name.into(), path: path.into() }
}

#[test]
fn an_ipv6_address_has_brackets_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = model(&folder.path().join("m"), 1);
    let good = Options { port: 0, ..Options::new(vec![source("m", &path)]) };
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: there is no IPv6 here");
        return;
    }
    for host in ["::1", "[::1]"] {
        let server = Server::open(&Options { host: host.into(), ..good.clone() }).unwrap();
        assert_eq!(server.address().ip().to_string(), "::1", "{host}");
        let port = server.address().port();
        let message = refused(&Options { host: host.into(), port, ..good.clone() });
        assert!(message.starts_with(&format!("cannot listen on [::1]:{port}: ")), "{message}");
    }
    for host in ["[]", "[localhost]", "[::1", "::1]"] {
        let message = refused(&Options { host: host.into(), ..good.clone() });
        assert!(message.starts_with("cannot listen on "), "{host}: {message}");
    }
}

#[test]
fn what_cannot_be_served_is_told_why() {
    let served = serve();
    let folder = tempfile::tempdir().unwrap();
    let path = model(&folder.path().join("m"), 1);
    let good = Options { port: 0, ..Options::new(vec![source("m", &path)]) };

    let message = refused(&Options { port: served.address.port(), ..good.clone() });
    let expected = format!("cannot listen on 127.0.0.1:{}: ", served.address.port());
    assert!(message.starts_with(&expected) && message.contains("another port"), "{message}");
    let message = refused(&Options { host: "no such host".into(), ..good.clone() });
    assert!(message.starts_with("cannot listen on no such host:0: "), "{message}");

    let empty = Options { models: vec![source("x", folder.path())], ..good.clone() };
    let message = refused(&empty);
    assert!(message.contains("model `x`") && message.contains("config.json"), "{message}");
    let twice = Options { models: vec![source("x", &path), source("x", &path)], ..good.clone() };
    assert!(refused(&twice).contains("two models are called `x`"));
    assert!(refused(&Options { models: vec![], ..good.clone() }).contains("no model"));
    let nothing = Limits { queue_texts: 0, ..Limits::default() };
    assert!(refused(&Options { limits: nothing, ..good.clone() }).contains("`queue_texts` is 0"));

    let tokenizer = std::fs::read(path.join("tokenizer.json")).unwrap();
    std::fs::remove_file(path.join("tokenizer.json")).unwrap();
    let message = refused(&good);
    assert!(message.contains("model `m`") && message.contains("tokenizer.json"), "{message}");
    std::fs::write(path.join("tokenizer.json"), tokenizer).unwrap();
    std::fs::write(path.join("config.json"), "{\"format\": 2, \"network\": {}}").unwrap();
    let error = Server::open(&good).unwrap_err();
    assert!(
        matches!(error, Error::Model { .. }) && error.to_string().contains("format 2"),
        "{error}"
    );
}
