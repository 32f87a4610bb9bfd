//! Connections: accepted up to a limit, bounded in time, drained at the end.

use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_io_timeout::TimeoutStream;

use crate::app::{App, permits};
use crate::routes::router;

/// Bytes of a request's head, and what one read brings beyond.
const HEAD_BYTES: usize = 64 << 10;

/// How long the system's queue is emptied before a socket is closed: whoever still waited in it would be reset.
const BACKLOG_TIME: Duration = Duration::from_millis(100);

/// Whose socket it is that is listened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// This server's: it is closed at the end.
    Own,
    /// Others have it too: who waits in its queue at the end is theirs.
    Shared,
}

/// What the connections of one server have in common.
struct Connections<'a> {
    app: &'a Arc<App>,
    router: Router,
    graceful: GracefulShutdown,
    /// Gone when the last connection is.
    held: mpsc::Sender<()>,
}

/// Answers whoever comes until the server is stopped, then whoever is there.
pub(crate) async fn serve(listener: TcpListener, ownership: Ownership, app: &Arc<App>) {
    let mut stopped = app.stop.subscribe();
    let room = permits(app.limits.connections);
    let (held, mut all_gone) = mpsc::channel(1);
    let graceful = GracefulShutdown::new();
    let connections = Connections { app, router: router(app), graceful, held };
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
            Ok((stream, _)) => connections.answer(stream, permit.ok()),
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                // Out of file descriptors, most likely: connections that end give some back.
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
    let end = Instant::now() + app.limits.drain_time;
    if ownership == Ownership::Own {
        let _ = timeout(BACKLOG_TIME, connections.empty(&listener, &room)).await;
    }
    drop(listener);
    let Connections { graceful, held, .. } = connections;
    drop(held);
    tracing::info!(connections = graceful.count(), "draining");
    // A connection that is idle for us may have a request on its way, which its end would lose: each request is now
    // answered with `connection: close`, and only who asks nothing for a while is closed unasked.
    let parting = app.limits.parting_time.min(app.limits.drain_time);
    if timeout(parting, all_gone.recv()).await.is_err()
        && timeout_at(end, graceful.shutdown()).await.is_err()
    {
        tracing::warn!("some requests did not end within {:?}", app.limits.drain_time);
    }
}

/// Whether a connection ended before it was accepted, which says nothing of the socket.
fn is_the_clients(error: &Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl Connections<'_> {
    /// Takes in whoever was let in by the system and not yet by us.
    async fn empty(&self, listener: &TcpListener, room: &Arc<Semaphore>) {
        while let Ok(Ok((stream, _))) = timeout(Duration::from_millis(1), listener.accept()).await {
            self.answer(stream, Arc::clone(room).try_acquire_owned().ok());
        }
    }

    /// Answers a connection's requests in a task of its own.
    fn answer(&self, stream: TcpStream, permit: Option<OwnedSemaphorePermit>) {
        let limits = &self.app.limits;
        // An answer is one write: nothing to collect it with.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(limits.write_time));
        let service = TowerToHyperService::new(self.router.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_time)
            .max_buf_size(HEAD_BYTES)
            // A client that has said all it has to say still hears the answer.
            .half_close(true)
            .serve_connection(TokioIo::new(Box::pin(stream)), service);
        let connection = self.graceful.watch(connection);
        let (counted, held) = (self.app.metrics.connections.clone(), self.held.clone());
        tokio::spawn(async move {
            let _held = (permit, held);
            counted.inc();
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke");
            }
            counted.dec();
        });
    }
}
