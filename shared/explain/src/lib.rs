//! Explaining a figure: its value, its formula, its inputs down to the rows that FMP sent, or why it is NULL.
//!
//! [`ask`] finds out which figure is meant; [`facts`] reads the company's rows and runs the models in between again for it
//! alone; `build` follows a formula of [`crate::formulas`] through them, `lines`, `periods`, `market` and `prices`
//! know the tables, `source` the row behind a figure.

pub mod ask;
mod build;
pub mod dictionary;
mod facts;
mod figure;
pub mod formulas;
mod lines;
mod market;
mod periods;
mod prices;
mod reasons;
mod rows;
mod source;

use chrono::NaiveDate;
use duckdb::Connection;
use findata_domain::Result;

use ask::{Fact, Question};
pub use facts::Facts;
pub use figure::{Explanation, Figure, Reason, Source};
pub use periods::recomputed;

/// Explains a figure. `as_of` is the day as of which the connection reads, unless it reads what is known now.
///
/// # Errors
/// `Reject` for a company, a metric or a day that there is not; `Stop` when the warehouse cannot be read.
pub fn explain(connection: &Connection, question: &Question, as_of: Option<NaiveDate>) -> Result<Explanation> {
    let mut explained = answer(&Facts::read(connection, &question.symbol, as_of)?, question)?;
    explained.as_of = as_of.map(|day| day.to_string());
    Ok(explained)
}

/// The same from a company's rows that were read before.
///
/// # Errors
/// As for [`explain`].
pub fn answer(facts: &Facts<'_>, question: &Question) -> Result<Explanation> {
    let (fact, metric) = ask::find(&question.metric, question.basis)?;
    let mut figure = match fact {
        Fact::Market | Fact::Prices => {
            let session = facts.session(question)?;
            let mut figure =
                if fact == Fact::Market { facts.market(session, metric)? } else { facts.bar(session, metric)? };
            if let Some(day) = question.date.filter(|day| *day != session) {
                figure.notes.insert(0, format!("{day} was no session of it: {session} is the last one before"));
            }
            figure
        }
        _ => {
            let key = facts.period(fact, question)?;
            match fact {
                Fact::Ratios => facts.ratio(&key, metric)?,
                Fact::Growth => facts.growth(&key, metric)?,
                Fact::Ttm => facts.ttm(&key, metric)?,
                _ => facts.line(&key, metric)?,
            }
        }
    };
    if figure.value.is_none() {
        // A NULL without a word in metric_nulls is a line that was not sent, or one that needs such a line.
        figure.reason = figure.reason.take().or_else(|| Some(reasons::reason("missing_input")));
        let absent: Vec<String> = figure
            .inputs
            .iter()
            .flat_map(Figure::absent)
            .map(|input| {
                let what = format!("{} {}", input.label, input.when());
                format!("absent: {} {}", what.trim(), input.notes.first().map(|n| format!("({n})")).unwrap_or_default())
            })
            .take(8)
            .collect();
        figure.notes.extend(absent.into_iter().map(|line| line.trim_end().to_owned()));
    }
    let company =
        facts.first("select company_name from analytics.dim_company where symbol = {symbol} and is_current")?;
    Ok(Explanation {
        symbol: question.symbol.to_string(),
        company: company.and_then(|row| row.get("company_name").cloned()),
        metric: metric.to_owned(),
        as_of: None,
        figure,
    })
}
