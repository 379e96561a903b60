//! Code that all functions of the pipeline share: a run, its plan, its ledger, and the ports to the
//! outside.
//!
//! A [`run::Request`] names the symbols of a run. [`plan`] contains the run's tasks, each of which
//! fetches rows of one catalog dataset. [`landing`] writes the rows of a batch to the stage.
//! [`ledger`] records the result of each batch and closes the steps of the run. [`freshness`]
//! records the time of each fetch, so that the next plan skips fresh data. [`summary`] describes
//! the finished run. [`ports`] are the traits that adapters implement.

pub mod batch;
pub mod binding;
pub mod bulk_progress;
pub mod command_input;
pub mod corrections;
pub mod cost;
pub mod freshness;
pub mod landing;
pub mod ledger;
pub mod metrics_file;
pub mod named_universe;
pub mod notice;
pub mod plan;
pub mod ports;
pub mod prune;
pub mod run;
pub mod summary;
pub mod telemetry;
pub mod tick_file;
pub mod time_limit;
pub mod ttl_overrides;
pub mod usage;
pub mod write_fence;
