//! Explanations across crates: the ledger on real reviews, the page in a real browser.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

mod browser;
mod ledger;
mod page;
