//! The `findata` command, and the host that runs the whole pipeline in one process.
//!
//! [`host`] drives a run through the handlers that Lambda hosts: fanout, extract, load, analytics.
//! It replaces the cloud services with a directory for S3 ([`stage`]), an in-memory queue with
//! delivery counts for SQS ([`queue`]), an in-memory event bus ([`bus`]) and DuckDB for Snowflake.
//! [`data_dir`] is the folder that holds the stage and the DuckDB file. Runs change only a
//! [`working_copy`] of this file.
//!
//! [`cli`] parses the command line; it is the only module that reads the environment and the real
//! clock. [`render`] formats results for people. [`doctor`] checks the setup, and [`setup_sql`]
//! writes the script that sets up a Snowflake account. [`status`] reads what has run and what is due.
//! [`tick_stream`] lands ticks from standard input ([`tick_input`]), polled quotes
//! ([`tick_quotes`]) or FMP's WebSocket ([`tick_socket`]).
//! [`export`] writes tables as Parquet, CSV and Excel files, and [`diff`] compares two runs. [`bench`]
//! measures whole runs.

pub mod atomic_file;
pub mod bench;
pub mod bus;
pub mod cli;
pub mod data_dir;
pub mod diff;
pub mod doctor;
pub mod export;
pub mod host;
pub mod journal;
pub mod queue;
pub mod render;
pub mod setup_sql;
pub mod stage;
pub mod status;
pub mod tick_input;
pub mod tick_quotes;
pub mod tick_socket;
pub mod tick_stream;
pub mod working_copy;
