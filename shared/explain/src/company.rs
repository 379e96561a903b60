//! Finds companies by their symbols.

use duckdb::Connection;
use findata_domain::{Error, Result, Symbol, sql::literal};

use crate::rows::rows;

/// Similarity below which a symbol is not suggested.
const SIMILAR: f64 = 0.5;
/// Number of suggested symbols.
const SUGGESTIONS: usize = 3;

/// Checks that a company is in the warehouse under this symbol.
///
/// # Errors
/// `Reject` with similar symbols if the company is not in the warehouse, or with its new symbol if it has
/// another one now; `Stop` if the warehouse cannot be read.
pub fn require(connection: &Connection, symbol: &Symbol) -> Result<()> {
    let name = literal(symbol.as_str());
    let known = rows(
        connection,
        &format!(
            "select 1 as n where exists (select 1 from analytics.dim_company where symbol = {name}) \
             or exists (select 1 from analytics.fact_daily_prices where symbol = {name}) \
             or exists (select 1 from analytics.fact_financials where symbol = {name})"
        ),
    )?;
    if known.is_empty() {
        return Err(Error::Reject(format!(
            "{symbol} is not in this warehouse: load it with `findata run --symbols {symbol}`{}",
            similar(connection, symbol)?
        )));
    }
    // dim_company keeps the former symbol in the rows of earlier days.
    let renamed = rows(
        connection,
        &format!(
            "select n.symbol from analytics.dim_company o \
             join analytics.dim_company n on n.company_key = o.company_key and n.is_current \
             where o.symbol = {name} and n.symbol <> {name} \
             and not exists (select 1 from analytics.dim_company c where c.symbol = {name} and c.is_current) limit 1"
        ),
    )?;
    match renamed.first().and_then(|row| row.get("symbol")) {
        Some(new) => Err(Error::Reject(format!(
            "{symbol} has another symbol now and its history continues there: use {new}"
        ))),
        None => Ok(()),
    }
}

/// Returns the companies with similar symbols, or whose name begins with the symbol, as the end of a
/// sentence.
fn similar(connection: &Connection, symbol: &Symbol) -> Result<String> {
    let wanted = symbol.as_str().to_lowercase();
    let companies = rows(
        connection,
        "select symbol, coalesce(company_name, '') as name from analytics.dim_company where is_current order by symbol",
    )?;
    let mut ranked: Vec<(f64, String)> = companies
        .iter()
        .filter_map(|row| {
            let (known, name) = (row.get("symbol")?, row.get("name")?);
            let is_name = wanted.len() > 2 && name.to_lowercase().starts_with(&wanted);
            let similarity = strsim::normalized_damerau_levenshtein(&wanted, &known.to_lowercase());
            let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
            let name: String = name.chars().take(40).collect();
            Some((if is_name { 1.0 } else { similarity }, format!("{known} ({name})")))
        })
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let best: Vec<String> = ranked.into_iter().take(SUGGESTIONS).map(|(_, shown)| shown).collect();
    Ok(if best.is_empty() {
        String::new()
    } else {
        format!("; similar symbols are {}", best.join(", "))
    })
}
