//! Explanations across crates: the ledger on real reviews, the page in a real browser, as a file and served.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

mod browser;
mod ledger;
mod live;
mod page;
