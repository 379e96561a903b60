//! `findata report`: one HTML file that shows the runs and the figures of a warehouse, without a
//! network.
//!
//! [`snapshot`] reads one company for `findata show`.
//!
//! [`universe`] reads the data of the report about all companies, [`company`] the data of the report
//! about a few. `figures` lists the figures of the screener. `page` joins the data with the markup,
//! styles and scripts in `assets`. Definitions and explanations of figures come from
//! [`findata_explain`], the figures of runs from [`findata_pipeline::summary`].

pub mod company;
pub mod figures;
mod page;
mod read;
pub mod snapshot;
pub mod universe;

pub use company::MAX_COMPANIES;
pub use figures::Format;

use chrono::{DateTime, Utc};
use duckdb::Connection;
use findata_domain::{Error, Result, Symbol};
use findata_models::Models;
use findata_pipeline::summary::Summary;

/// Returns the report about all companies. `runs` are the summaries of the runs, oldest first.
///
/// # Errors
/// `Reject` if the warehouse has no companies; `Stop` if it cannot be read.
pub fn universe_report(
    connection: &Connection,
    models: &Models,
    runs: &[Summary],
    now: DateTime<Utc>,
) -> Result<String> {
    let data = universe::read(connection, models, runs, now)?;
    page::page("findata report", &data)
}

/// Returns the report about some companies.
///
/// # Errors
/// `Reject` for an unknown company, and for more than [`MAX_COMPANIES`]; `Stop` if the warehouse cannot
/// be read.
pub fn company_report(
    connection: &Connection,
    models: &Models,
    symbols: &[Symbol],
    now: DateTime<Utc>,
) -> Result<String> {
    if symbols.len() > MAX_COMPANIES {
        return Err(Error::Reject(format!(
            "{} symbols: a report can show at most {MAX_COMPANIES} companies; without symbols, it shows all",
            symbols.len()
        )));
    }
    let data = company::read(connection, models, symbols, now)?;
    let names: Vec<&str> = symbols.iter().map(Symbol::as_str).collect();
    page::page(&format!("{} - findata report", names.join(", ")), &data)
}
