//! The server: opened, run until it is stopped, and what can be done to it meanwhile.

use std::future::Future;
use std::net::{SocketAddr, TcpListener as Listener};
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::app::App;
use crate::connections::{Ownership, serve};
use crate::error::{Error, Result};
use crate::options::{Limits, Options};

/// Threads that move bytes; models compute on theirs.
const THREADS: usize = 2;

/// A server that listens and has its models, but answers nobody yet.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    ownership: Ownership,
    address: SocketAddr,
    handle: Handle,
}

/// What can be done to a server from another thread.
#[derive(Debug, Clone)]
pub struct Handle {
    app: Arc<App>,
}

impl Handle {
    /// Asks the server to end: no new connections, an answer to each request in hand.
    pub fn stop(&self) {
        self.app.stop.send_replace(true);
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
        let host = bare(&options.host);
        let listener = Listener::bind((host, options.port))
            .map_err(|source| Error::Listen { address: written(options), source })?;
        Self::with(listener, Ownership::Own, options)
    }

    /// Opens the models for a socket that listens already and that others have too: whoever started this process, or the
    /// server that takes its place. [`Options::host`] and [`Options::port`] are not looked at.
    ///
    /// Such a socket makes a restart that loses nothing: who comes while one server ends and the next begins waits in its
    /// queue, and at the end it is left to the others with all who wait in it.
    ///
    /// # Errors
    /// A socket that has no address; else as [`Server::open`].
    pub fn open_on(listener: Listener, options: &Options) -> Result<Self> {
        check(&options.limits)?;
        Self::with(listener, Ownership::Shared, options)
    }

    fn with(listener: Listener, ownership: Ownership, options: &Options) -> Result<Self> {
        let failed = |source| {
            let address = match ownership {
                Ownership::Own => written(options),
                Ownership::Shared => "the socket that was passed".into(),
            };
            Error::Listen { address, source }
        };
        let address = listener.local_addr().map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let handle = Handle { app: Arc::new(App::open(options)?) };
        Ok(Self { listener, ownership, address, handle })
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
                () = serve(listener, self.ownership, &self.handle.app) => tracing::info!("ended"),
                () = task => tracing::warn!("ended at once"),
            }
            Ok(())
        });
        // An inspection nobody waits for any more may still be at it.
        runtime.shutdown_background();
        result
    }
}

/// A host without the brackets that an IPv6 address has in a URL.
fn bare(host: &str) -> &str {
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.filter(|inner| inner.contains(':')).unwrap_or(host)
}

/// Host and port as a URL has them.
fn written(options: &Options) -> String {
    let (host, port) = (bare(&options.host), options.port);
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
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
        ("queue_bytes", limits.queue_bytes),
        ("inspections", limits.inspections),
        ("batch_texts", limits.batch_texts),
    ];
    match counts.into_iter().find(|(_, count)| *count == 0) {
        Some((limit, _)) => Err(Error::Limit { limit }),
        None => Ok(()),
    }
}
