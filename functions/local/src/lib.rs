//! local: the host that plays the cloud in one process, and the `findata` command.
//!
//! [`host`] drives one run through the same handlers that Lambda hosts: fanout, extract, load, analytics. Around them it
//! puts a directory for S3 ([`stage`]; [`places`] has S3 and Snowflake themselves), a queue with delivery counts ([`queue`]), a bus, and DuckDB for Snowflake
//! ([`duckdb`]; [`as_of`] shows it as it was known on a day). [`home`] is where all of that lies. [`cli`] reads the command line and the environment, the only place
//! that does; [`show`] draws summaries and tables for people, [`explain`] says where a figure comes from, [`dictionary`] what a column is, [`setup_sql`] what sets a Snowflake account up. [`fmp_server`] is the synthetic FMP.

pub mod bus;
pub mod cli;
pub mod data_dir;
pub mod doctor;
pub mod host;
pub mod queue;
pub mod render;
pub mod setup_sql;
pub mod stage;
