//! The command as its users meet it: the built program, run from outside.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod commands;
mod directory;
mod doctor;
mod inspect;
mod judging;
mod multi_label;
mod own_data;
mod report;
mod resume;
mod serve;
mod taper;
