#![doc = include_str!("../README.md")]
//!
//! # Rooms
//!
//! - [`Source`] opens what there is; [`Record`] is what it yields.
//! - [`CorpusWriter`] and [`ShardWriter`] write Parquet; [`records`], [`batches`] and [`shards`]
//!   read it back.
//! - [`HoldOut`] splits a split.
//! - [`duplicates`] finds texts that occur twice, or nearly so; [`Defects`] what is wrong with one.
//! - [`hub`] fetches and verifies one file; [`imdb`] knows IMDB's.

mod columns;
mod corpus;
mod defects;
pub mod duplicates;
mod error;
mod fingerprint;
mod glove;
pub mod hub;
pub mod imdb;
mod layout;
mod read;
mod record;
mod schema;
mod source;
mod split;
mod verify;
mod write;

pub use columns::{Records, records};
pub use corpus::{CorpusWriter, SplitSummary};
pub use defects::Defects;
pub use error::{Error, Place, Position, Result};
pub use fingerprint::ContentFingerprint;
pub use glove::glove_6b;
pub use hub::{HubConfig, HubFile, HubRepo, fetch};
pub use imdb::{ImdbParts, fetch_imdb};
pub use layout::{UNSUPERVISED, shards};
pub use read::{Batches, batches};
pub use record::Record;
pub use schema::corpus_schema;
pub use source::{AclImdbArchive, AclImdbFolder, HubLayout, Source, Visit};
pub use split::{HoldOut, SplitBy};
pub use write::ShardWriter;
