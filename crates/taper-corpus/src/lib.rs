#![doc = include_str!("../README.md")]
//!
//! # Rooms
//!
//! - [`Source`] opens what there is, as [`SourceSettings`] tell or as it is detected; [`Source::plan`] shows
//!   it first; [`Record`] is what it yields, [`Origin`] where that stood, [`Rejected`] what it may pass over.
//! - [`CorpusWriter`] and [`ShardWriter`] write Parquet; [`records`], [`batches`] and [`shards`]
//!   read it back.
//! - [`Texts`] are the texts of a file, or of a stream, without their labels, one at a time.
//! - [`HoldOut`] splits a split.
//! - [`duplicates`] finds texts that occur twice, or nearly so; [`Defects`] what is wrong with one.
//! - [`HubDataset`] is any data set of the Hub that has Parquet; [`hub`] fetches and verifies one file; [`imdb`] knows
//!   IMDB's.

mod columns;
mod corpus;
mod defects;
pub mod duplicates;
mod error;
mod fingerprint;
mod format;
mod glove;
pub mod hub;
pub mod imdb;
mod input;
mod labels;
mod layout;
mod origin;
mod place;
mod plan;
mod read;
mod record;
mod reject;
mod repository;
mod schema;
mod settings;
mod source;
mod split;
mod texts;
mod verify;
mod write;

pub use columns::{Records, records};
pub use corpus::{CorpusWriter, SplitSummary};
pub use defects::Defects;
pub use error::{Error, Place, Position, Result};
pub use fingerprint::ContentFingerprint;
pub use glove::glove_6b;
pub use hub::{HubConfig, HubFile, HubRepo, Patience, fetch};
pub use imdb::{ImdbParts, fetch_imdb};
pub use layout::{UNSUPERVISED, shards};
pub use origin::{Origin, origin_of};
pub use plan::{Plan, PlannedColumn, PlannedRow, PlannedSplit};
pub use read::{Batches, batches};
pub use record::Record;
pub use reject::{Rejected, RejectedWriter};
pub use repository::{HubDataset, HubSelection};
pub use schema::corpus_schema;
pub use settings::{
    ColumnSettings, DialectSettings, Format, Limits, OnError, SourceSettings, check_names,
};
pub use source::{
    AclImdbArchive, AclImdbFolder, FileSource, HubLayout, Reject, Source, Visit, VisitFrom,
};
pub use split::{Chooser, HoldOut, SplitBy};
pub use texts::{Text, Texts};
pub use write::ShardWriter;
