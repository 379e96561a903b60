//! What the functions of the pipeline share: a run, its plan, its ledger, and the ports to the outside.
//!
//! A [`run::Request`] names a universe. [`plan`] turns it into tasks of catalog datasets. [`landing`]
//! writes the rows of a batch to the stage. [`ledger`] records what each batch did and closes the steps
//! of the run. [`freshness`] remembers what was fetched when, for the next plan. [`summary`] is what
//! remains of the run. [`ports`] are the traits that adapters implement.

pub mod binding;
pub mod bulk_progress;
pub mod command_input;
pub mod cost;
pub mod freshness;
pub mod landing;
pub mod ledger;
pub mod plan;
pub mod ports;
pub mod prune;
pub mod run;
pub mod summary;
pub mod telemetry;
pub mod ttl_overrides;
pub mod usage;
pub mod write_fence;
