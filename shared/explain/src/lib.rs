//! Explains a figure: its value, or why it is NULL; its formula; and its inputs, down to the rows
//! that FMP sent. Also generates the data dictionary.
//!
//! [`ask`] finds the column that a question refers to, and `dates` finds the period or session.
//! [`Facts`] reads the company's rows, and reruns the intermediate models for that company only.
//! The registry of [`findata_models::metrics`] declares the formulas of metrics and their inputs;
//! `ttm` declares the formulas of the trailing twelve months. `build` fills a figure with its
//! formula and inputs. `periods`, `inputs`, `twelve_months`, `statement_lines`, `market`, `shares`,
//! `windows` and `prices` find the figures of the inputs. `suspects` finds the values that contradict
//! each other. `source` finds the FMP row of a figure.
//! `corrections` names the user's corrections. `ranks` finds the rank within sector and industry. `check` recomputes every figure from its displayed inputs.

pub mod ask;
mod build;
mod check;
pub mod company;
mod conditions;
mod corrections;
mod custom;
mod dates;
pub mod definition;
pub mod dictionary;
mod facts;
mod figure;
mod inputs;
mod market;
mod names;
mod periods;
mod prices;
mod ranks;
mod reasons;
pub mod rows;
mod shares;
mod source;
mod statement_lines;
mod suspects;
mod table;
mod ttm;
mod twelve_months;
mod units;
mod windows;
mod words;

use chrono::NaiveDate;
use duckdb::Connection;
use findata_domain::Result;
use findata_models::Models;

use ask::{Fact, Question};
pub use check::recomputed;
pub use facts::Facts;
pub use figure::{Contradiction, Explanation, Figure, Mismatch, Reason, Source};
pub use reasons::{brief, meaning};
pub use words::label;

/// Explains a figure that `models` computed. `as_of` is the past day whose data the connection
/// shows; `None` for current data.
///
/// # Errors
/// `Reject` for an unknown company, metric or day; `Stop` if the warehouse cannot be read.
pub fn explain(
    connection: &Connection,
    question: &Question,
    as_of: Option<NaiveDate>,
    models: &Models,
) -> Result<Explanation> {
    let mut explained = answer(&Facts::read(connection, &question.symbol, as_of, models)?, question)?;
    explained.as_of = as_of.map(|day| day.to_string());
    Ok(explained)
}

/// Like [`explain`], for a company whose rows are already read.
///
/// # Errors
/// The errors of [`explain`].
pub fn answer(facts: &Facts<'_>, question: &Question) -> Result<Explanation> {
    let (fact, metric) = ask::find(&question.metric, question.basis, facts.models)?;
    let mut figure = match fact {
        Fact::Market | Fact::Prices => {
            let session = facts.session(question)?;
            let mut figure = if fact == Fact::Market {
                facts.market(session, metric)?
            } else {
                facts.bar(session, metric)?
            };
            let at = rows::Key { date: session, basis: "MARKET".into() };
            figure.contradictions = facts.contradictions_of_row(fact, &at)?;
            if let Some(day) = question.date.filter(|day| *day != session) {
                figure
                    .notes
                    .insert(0, format!("no trading session on {day}: using the previous session, {session}"));
            }
            figure
        }
        _ => {
            let key = facts.period(fact, question)?;
            let mut figure = match fact {
                Fact::Ratios => facts.ratio(&key, metric)?,
                Fact::Growth => facts.growth(&key, metric)?,
                Fact::Ttm => facts.ttm(&key, metric)?,
                _ => facts.statement_line(&key, metric)?,
            };
            figure.contradictions = facts.contradictions_of_row(fact, &key)?;
            figure
        }
    };
    facts.check(&mut figure);
    figure.notes.extend(facts.ranks(fact, metric, &figure)?);
    if figure.value.is_none() {
        // A NULL without a reason in metric_nulls is, or depends on, a statement line that FMP did
        // not send.
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
