//! The server as its clients meet it: over loopback sockets, on models that were never trained.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[cfg(unix)]
mod accept;
mod answers;
mod described;
mod end;
mod exposition;
mod hostile;
mod labels;
mod load;
mod schema;
mod served;
mod start;
