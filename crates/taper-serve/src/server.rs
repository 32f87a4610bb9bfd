//! Connections: accepted up to a limit, bounded in time, drained at the end.

use std::future::Future;
use std::net::{SocketAddr, TcpListener as Listener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

use crate::app::App;
use crate::error::{Error, Result};
use crate::options::{Limits, Options};
use crate::routes::router;

/// Bytes of a request's head, and what one read brings beyond.
const HEAD_BYTES: usize = 64 << 10;

/// Threads that move bytes; models compute on theirs.
const THREADS: usize = 2;

/// A server that listens and has its models, but answers nobody yet.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    address: SocketAddr,
    handle: Handle,
}

/// What can be done to a server from another thread.
#[derive(Debug, Clone)]
pub struct Handle {
    app: Arc<App>,
    stop: Arc<watch::Sender<bool>>,
}

impl Handle {
    /// Asks the server to end: no new connections, an answer to each request in hand.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Loads every model again from its folder, and swaps it in whole: no request is dropped, and each is answered by one
    /// model. One that cannot be opened stays as it is. Takes as long as opening them all; blocks.
    pub fn reload(&self) -> Vec<(String, Result<()>)> {
        self.app.models.reload()
    }
}

impl Server {
    /// Listens, then opens the models.
    ///
    /// # Errors
    /// An address in use, no model, two of one name, a folder that holds no model of this version, a limit of 0.
    pub fn open(options: &Options) -> Result<Self> {
        check(&options.limits)?;
        let (host, port) = (options.host.as_str(), options.port);
        let failed = |source| Error::Listen { address: format!("{host}:{port}"), source };
        let listener = Listener::bind((host, port)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let app = Arc::new(App::open(options)?);
        let handle = Handle { app, stop: Arc::new(watch::Sender::new(false)) };
        Ok(Self { listener, address, handle })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A handle for other threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Answers requests until [`Handle::stop`], then until those in hand are answered or [`Limits::drain_time`] is over.
    ///
    /// # Errors
    /// No threads to do so.
    pub fn run(self) -> Result<()> {
        self.run_beside(|_| std::future::pending())
    }

    /// The same, beside a task that may end it at once.
    pub(crate) fn run_beside<F>(self, task: impl FnOnce(Handle) -> F) -> Result<()>
    where
        F: Future<Output = ()>,
    {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(THREADS).enable_all().build().map_err(Error::Start)?;
        let task = task(self.handle());
        let result = runtime.block_on(async {
            let listener = TcpListener::from_std(self.listener).map_err(Error::Start)?;
            tokio::select! {
                () = accept(listener, &self.handle) => tracing::info!("ended"),
                () = task => tracing::warn!("ended at once"),
            }
            Ok(())
        });
        // An inspection nobody waits for any more may still be at it.
        runtime.shutdown_background();
        result
    }
}

/// A limit of nothing answers nobody.
fn check(limits: &Limits) -> Result<()> {
    let counts = [
        ("body_bytes", limits.body_bytes),
        ("texts", limits.texts),
        ("text_bytes", limits.text_bytes),
        ("inspected_texts", limits.inspected_texts),
        ("connections", limits.connections),
        ("requests", limits.requests),
        ("queue_texts", limits.queue_texts),
        ("inspections", limits.inspections),
        ("batch_texts", limits.batch_texts),
    ];
    match counts.into_iter().find(|(_, count)| *count == 0) {
        Some((limit, _)) => Err(Error::Limit { limit }),
        None => Ok(()),
    }
}

async fn accept(listener: TcpListener, handle: &Handle) {
    let Handle { app, stop } = handle;
    let mut stopped = stop.subscribe();
    let router = router(app);
    let room = Arc::new(Semaphore::new(app.limits.connections));
    let graceful = GracefulShutdown::new();
    loop {
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            biased;
            _ = stopped.wait_for(|&stopped| stopped) => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, _)) => answer(stream, permit.ok(), app, &router, &graceful),
            Err(error) => {
                // Out of file descriptors, most likely: connections that end give some back.
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
    // Whoever was let in by the system and not yet by us.
    while let Ok(Ok((stream, _))) = timeout(Duration::from_millis(1), listener.accept()).await {
        let permit = Arc::clone(&room).try_acquire_owned().ok();
        answer(stream, permit, app, &router, &graceful);
    }
    drop(listener);
    tracing::info!(connections = graceful.count(), "draining");
    if timeout(app.limits.drain_time, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end within {:?}", app.limits.drain_time);
    }
}

/// Answers a connection's requests in a task of its own.
fn answer(
    stream: TcpStream,
    permit: Option<OwnedSemaphorePermit>,
    app: &Arc<App>,
    router: &Router,
    graceful: &GracefulShutdown,
) {
    // An answer is one write: nothing to collect it with.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(app.limits.write_time));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(app.limits.head_time)
        .max_buf_size(HEAD_BYTES)
        // A client that has said all it has to say still hears the answer.
        .half_close(true)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(router.clone()));
    let connection = graceful.watch(connection);
    let held = app.metrics.connections.clone();
    tokio::spawn(async move {
        let _permit = permit;
        held.inc();
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection broke");
        }
        held.dec();
    });
}
