//! What the system asks of a server: SIGINT and SIGTERM to end, SIGHUP to load the models again.

use crate::error::{Error, Result};
use crate::server::{Handle, Server};

impl Server {
    /// [`Server::run`], until SIGINT or SIGTERM; a second one does not wait for the requests in hand. SIGHUP is
    /// [`Handle::reload`]. `ready` is called once signals are heard.
    ///
    /// # Errors
    /// As [`Server::run`].
    pub fn run_until_signalled(self, ready: impl FnOnce()) -> Result<()> {
        self.run_beside(|handle| async move {
            if let Err(error) = listen(handle, ready).await {
                tracing::error!(%error, "no signals");
                std::future::pending::<()>().await;
            }
        })
    }
}

#[cfg(unix)]
async fn listen(handle: Handle, ready: impl FnOnce()) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let of = |kind| signal(kind).map_err(Error::Start);
    let (mut interrupt, mut terminate) =
        (of(SignalKind::interrupt())?, of(SignalKind::terminate())?);
    let mut hang_up = of(SignalKind::hangup())?;
    ready();
    let (mut asked, mut reloading) = (false, None);
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            // One that comes meanwhile is heard afterwards.
            _ = hang_up.recv(), if reloading.is_none() => {
                let handle = handle.clone();
                // It logs what it did.
                reloading = Some(tokio::task::spawn_blocking(move || drop(handle.reload())));
                continue;
            }
            () = ended(&mut reloading) => {
                reloading = None;
                continue;
            }
        }
        if asked {
            return Ok(());
        }
        asked = true;
        handle.stop();
    }
}

/// When a task has ended; never, if there is none.
#[cfg(unix)]
async fn ended(task: &mut Option<tokio::task::JoinHandle<()>>) {
    match task {
        Some(task) => drop(task.await),
        None => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn listen(handle: Handle, ready: impl FnOnce()) -> Result<()> {
    ready();
    for last in [false, true] {
        tokio::signal::ctrl_c().await.map_err(Error::Start)?;
        if !last {
            handle.stop();
        }
    }
    Ok(())
}
