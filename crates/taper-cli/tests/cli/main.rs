//! The command as its users meet it: the built program, run from outside.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod by_hand;
mod commands;
mod directory;
mod diverged;
mod doctor;
mod gradients;
mod inspect;
mod judging;
mod killed;
mod lineage;
mod multi_label;
mod origins;
mod outputs;
mod own_data;
mod report;
#[cfg(unix)]
mod restart;
mod resume;
mod serve;
mod streams;
mod taper;
