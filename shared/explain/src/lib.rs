//! Explains a figure: its value, its formula, its inputs down to the rows that FMP sent, or why it is NULL. Also
//! generates the data dictionary.
//!
//! [`ask`] resolves the question to a column and a period. [`facts`] reads the company's rows and reruns the
//! intermediate models for it alone. `build` traces a formula of [`crate::formulas`] through these rows.
//! `statement_lines`, `periods`, `market` and `prices` explain the columns of one kind of table each. `source` finds
//! the FMP row of a figure.

pub mod ask;
mod build;
pub mod dictionary;
mod facts;
mod figure;
pub mod formulas;
mod market;
mod periods;
mod prices;
mod reasons;
mod rows;
mod source;
mod statement_lines;

use chrono::NaiveDate;
use duckdb::Connection;
use findata_domain::Result;

use findata_models::{Model, Models, TableColumn};

use ask::{Fact, Question};
pub use facts::Facts;
pub use figure::{Explanation, Figure, Reason, Source};
pub use periods::recomputed;

/// The columns of a table of `analytics`.
fn columns(table: &str) -> &'static [TableColumn] {
    Models::built_in().map_or(&[], |models| models.columns(table))
}

/// The tables and views that the models fill.
fn filled_tables() -> &'static [Model] {
    Models::built_in().map_or(&[], |models| &models.tables)
}

/// Explains a figure. `as_of` is the day as of which the connection reads; `None` for current data.
///
/// # Errors
/// `Reject` for an unknown company, metric or day; `Stop` if the warehouse cannot be read.
pub fn explain(
    connection: &Connection,
    question: &Question,
    as_of: Option<NaiveDate>,
) -> Result<Explanation> {
    let mut explained = answer(&Facts::read(connection, &question.symbol, as_of)?, question)?;
    explained.as_of = as_of.map(|day| day.to_string());
    Ok(explained)
}

/// Like [`explain`], from a company's rows that are already read.
///
/// # Errors
/// As for [`explain`].
pub fn answer(facts: &Facts<'_>, question: &Question) -> Result<Explanation> {
    let (fact, metric) = ask::find(&question.metric, question.basis)?;
    let mut figure = match fact {
        Fact::Market | Fact::Prices => {
            let session = facts.session(question)?;
            let mut figure = if fact == Fact::Market {
                facts.market(session, metric)?
            } else {
                facts.bar(session, metric)?
            };
            if let Some(day) = question.date.filter(|day| *day != session) {
                figure.notes.insert(
                    0,
                    format!("no trading session on {day}: using the last one before it, {session}"),
                );
            }
            figure
        }
        _ => {
            let key = facts.period(fact, question)?;
            match fact {
                Fact::Ratios => facts.ratio(&key, metric)?,
                Fact::Growth => facts.growth(&key, metric)?,
                Fact::Ttm => facts.ttm(&key, metric)?,
                _ => facts.statement_line(&key, metric)?,
            }
        }
    };
    if figure.value.is_none() {
        // A NULL without a reason in metric_nulls is a statement line that FMP did not send, or depends on one.
        figure.reason = figure.reason.take().or_else(|| Some(reasons::reason("missing_input")));
        let absent: Vec<String> = figure
            .inputs
            .iter()
            .flat_map(Figure::absent)
            .map(|input| {
                let what = format!("{} {}", input.label, input.when());
                format!(
                    "missing: {} {}",
                    what.trim(),
                    input.notes.first().map(|n| format!("({n})")).unwrap_or_default()
                )
            })
            .take(8)
            .collect();
        figure.notes.extend(absent.into_iter().map(|line| line.trim_end().to_owned()));
    }
    let company = facts
        .first("select company_name from analytics.dim_company where symbol = {symbol} and is_current")?;
    Ok(Explanation {
        symbol: question.symbol.to_string(),
        company: company.and_then(|row| row.get("company_name").cloned()),
        metric: metric.to_owned(),
        as_of: None,
        figure,
    })
}
