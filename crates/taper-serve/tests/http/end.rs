//! The end of a server, and the beginning of the next: nothing is lost, and nobody keeps it from ending.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use taper_serve::{Handle, Limits, ModelSource, Options, Server};

use crate::served::{
    Served, model, predictor, read, read_one, request, serve, serve_with, started,
};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn the_end_waits_for_what_is_in_hand() {
    let mut served = serve();
    let bytes = request("/v1/predict", b"{\"text\": \"a b c\"}");
    let mut streams: Vec<_> = (0..8).map(|_| started(&served, &bytes)).collect();
    let address = served.address;
    served.handle.stop();
    let start = Instant::now();
    // Nobody new is let in.
    while TcpStream::connect(address).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(20), "still listening");
        thread::sleep(Duration::from_millis(5));
    }
    let mut found = BTreeSet::new();
    for stream in &mut streams {
        stream.write_all(b"}").unwrap();
        let reply = read(stream);
        assert_eq!(reply.status, 200, "{reply:?}");
        found.insert(reply.body);
    }
    assert_eq!(found.len(), 1);
    served.end();
}

#[test]
fn the_end_does_not_wait_for_ever() {
    let mut served =
        serve_with(Limits { drain_time: Duration::from_millis(200), ..Limits::default() });
    let stream = started(&served, &request("/v1/predict", b"{\"text\": \"a\"}"));
    let start = Instant::now();
    served.end();
    assert!(start.elapsed() < Duration::from_secs(10));
    drop(stream);
}

/// One that lets connections part slowly, and an idle connection to it that it has accepted.
fn with_idle(parting_time: Duration) -> (Served, TcpStream) {
    let served = Served::new(Limits { parting_time, ..Limits::default() });
    let idle = served.connect();
    let start = Instant::now();
    // That one, and the client's that asks.
    while !served.get("/metrics").body.contains("taper_connections 2") {
        assert!(start.elapsed() < PATIENCE, "never accepted");
        thread::sleep(Duration::from_millis(5));
    }
    (served, idle)
}

#[test]
fn a_request_on_its_way_when_the_end_begins_is_answered() {
    let (mut served, mut fresh) = with_idle(Duration::from_secs(3));
    let bytes = request("/v1/predict", b"{\"text\": \"a b c\"}");
    let text = String::from_utf8(bytes).unwrap().replace("connection: close\r\n", "");
    let mut kept = served.connect();
    kept.write_all(text.as_bytes()).unwrap();
    let first = read_one(&mut kept);
    assert!(first.status == 200 && !first.head.contains("connection: close"), "{first:?}");
    served.handle.stop();
    thread::sleep(Duration::from_millis(200));
    for stream in [&mut fresh, &mut kept] {
        stream.write_all(text.as_bytes()).unwrap();
        // All of it, up to the end of the connection.
        let reply = read(stream);
        assert_eq!((reply.status, &reply.body), (200, &first.body), "{reply:?}");
        assert!(reply.head.contains("connection: close"), "{reply:?}");
    }
    served.end_within(PATIENCE);
}

#[test]
fn who_asks_nothing_is_let_go() {
    let (mut served, mut idle) = with_idle(Duration::from_millis(100));
    served.end_within(PATIENCE);
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
}

#[test]
fn clients_that_keep_coming_do_not_keep_it() {
    let mut served = serve();
    let (address, done) = (served.address, AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let _ = TcpStream::connect(address);
                }
            });
        }
        thread::sleep(Duration::from_millis(200));
        served.end_within(PATIENCE);
        done.store(true, Ordering::Relaxed);
    });
}

/// A server on a socket that it does not own.
fn serve_on(socket: &TcpListener, options: &Options) -> (Handle, thread::JoinHandle<()>) {
    let server = Server::open_on(socket.try_clone().unwrap(), options).unwrap();
    assert_eq!(server.address(), socket.local_addr().unwrap());
    (server.handle(), thread::spawn(move || server.run().unwrap()))
}

#[test]
fn servers_on_one_socket_take_turns_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = model(&folder.path().join("m"), 1);
    let expected = predictor(&path).predict(&["a b c"]).unwrap().remove(0).label;
    let options = Options::new(vec![ModelSource { name: "m".into(), path }]);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let (done, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    let client = |keeps: bool| {
        let mut ask = client(address, keeps);
        while !done.load(Ordering::Relaxed) {
            let body = ask();
            assert_eq!(body["predictions"][0]["label"], expected.as_str());
            answers.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..6).map(|at| scope.spawn(move || client(at % 2 == 0))).collect();
        let more = |count| {
            let until = answers.load(Ordering::Relaxed) + count;
            let start = Instant::now();
            while answers.load(Ordering::Relaxed) < until {
                let alive = clients.iter().all(|client| !client.is_finished());
                if !alive || start.elapsed() > PATIENCE {
                    done.store(true, Ordering::Relaxed);
                    panic!("a request was lost");
                }
                thread::sleep(Duration::from_millis(1));
            }
        };
        let (mut handle, mut thread) = serve_on(&socket, &options);
        for turn in 0..8 {
            more(50);
            if turn % 2 == 0 {
                // The next is there before this one goes.
                let next = serve_on(&socket, &options);
                handle.stop();
                thread.join().unwrap();
                (handle, thread) = next;
            } else {
                // For a while there is none.
                handle.stop();
                thread.join().unwrap();
                (handle, thread) = serve_on(&socket, &options);
            }
        }
        more(50);
        done.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap();
        }
        handle.stop();
        thread.join().unwrap();
    });
}

/// A client that asks on one connection for as long as the server keeps it, or on a new one each time.
fn client(address: SocketAddr, keeps: bool) -> impl FnMut() -> Value {
    let mut bytes = request("/v1/predict", b"{\"text\": \"a b c\"}");
    if keeps {
        let text = String::from_utf8(bytes).unwrap();
        bytes = text.replace("connection: close\r\n", "").into_bytes();
    }
    let mut connection = None;
    move || {
        let mut stream = connection.take().unwrap_or_else(|| {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream
        });
        stream.write_all(&bytes).unwrap();
        let reply = read_one(&mut stream);
        assert_eq!(reply.status, 200, "{reply:?}");
        connection = (!reply.head.contains("connection: close")).then_some(stream);
        reply.json()
    }
}
