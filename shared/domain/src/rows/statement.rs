//! Rules for statements: derives when a statement became public, and detects statements without
//! figures.

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime};

use crate::{
    catalog::{Dataset, FLAGS, Kind},
    nyse_calendar,
};

use super::finding::Finding;

/// Flag of a statement whose acceptance time or filing date is impossible, because it is at or
/// before the end of the period, and was replaced.
pub const IMPOSSIBLE_DATE: &str = "impossible_date";

/// Days after the end of the period at which a statement of a US filer counts as public if FMP has
/// no usable date: first for a quarter, then for a fourth quarter or a year. The deadlines are 45
/// days for a 10-Q and 90 days for a 10-K (SEC, general instructions A).
const DAYS_IN_US: (u64, u64) = (60, 90);
/// Like [`DAYS_IN_US`], for all other companies. The deadline for a 20-F is four months.
const DAYS_ELSEWHERE: (u64, u64) = (90, 120);

/// Sets `accepted_at` (UTC), `accepted_at_source` (`accepted`, `filing` or `estimated`) and
/// `known_on`. `known_on` is the first day whose closing price may be combined with the statement:
/// the day after the acceptance if the statement was accepted after 16:00 New York time.
///
/// Does not use an acceptance time or a filing date at or before the end of the period, because a
/// company cannot report a period before it is over. Adds a finding for each.
pub(super) fn derive(dataset: &Dataset, values: &mut [Option<String>], findings: &mut Vec<Finding>) {
    let position = |name: &str| dataset.columns.iter().position(|c| c.name == name);
    let (Some(accepted_at), Some(source), Some(known_on), Some(filing_date)) = (
        position("accepted_at"),
        position("accepted_at_source"),
        position("known_on"),
        position("filing_date"),
    ) else {
        return;
    };
    let value = |name: &str| position(name).and_then(|i| values[i].clone());
    let Some(ended) = value("fiscal_date").and_then(|t| t.parse::<NaiveDate>().ok()) else {
        return;
    };
    let (reported_at, reported_filing) = (value("accepted_at"), value("filing_date"));
    let local = parsed_after(ended, reported_at.as_deref(), |text| {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok().map(|at| (at.date(), at))
    });
    let filed = parsed_after(ended, reported_filing.as_deref(), |text| {
        text.parse::<NaiveDate>().ok().map(|day| (day, day))
    });
    let mut drop_impossible = |column: &'static str, text: Option<&str>, is_usable: bool| {
        let text = text.filter(|_| !is_usable);
        findings.extend(text.map(|text| {
            let reason = format!("{IMPOSSIBLE_DATE}: {text} is not after the period's end, {ended}");
            Finding::new(column, reason, text)
        }));
        text.is_some()
    };
    let no_acceptance = drop_impossible("accepted_at", reported_at.as_deref(), local.is_some());
    let no_filing = drop_impossible("filing_date", reported_filing.as_deref(), filed.is_some());
    let days = days_until_reported(&value);
    let evening = NaiveTime::from_hms_opt(22, 0, 0).unwrap_or_default();
    let (instant, source_name, known) = if let Some(local) = local {
        let close = NaiveTime::from_hms_opt(16, 0, 0).unwrap_or_default();
        let known = if local.time() > close {
            local.date() + Days::new(1)
        } else {
            local.date()
        };
        (nyse_calendar::from_new_york(local), "accepted", known)
    } else if let Some(filed) = filed {
        (filed.and_time(evening), "filing", filed + Days::new(1))
    } else {
        let latest = ended + Days::new(days);
        (latest.and_time(evening), "estimated", latest + Days::new(1))
    };
    if no_filing {
        values[filing_date] = None;
    }
    if let Some(flags) = position(FLAGS)
        && (no_acceptance || (no_filing && local.is_none()))
    {
        values[flags] = Some(format!("|{IMPOSSIBLE_DATE}|"));
    }
    values[accepted_at] = Some(instant.to_string());
    values[source] = Some(source_name.into());
    values[known_on] = Some(known.to_string());
}

/// Returns the parsed date or time if its day is after `ended`.
fn parsed_after<T>(
    ended: NaiveDate,
    text: Option<&str>,
    parse: impl Fn(&str) -> Option<(NaiveDate, T)>,
) -> Option<T> {
    let (day, parsed) = parse(text?)?;
    (day > ended).then_some(parsed)
}

/// Returns the number of days after the end of its period at which a statement counts as public if
/// FMP has no usable date. A company counts as a US filer if its symbol has no exchange suffix, it
/// has a CIK, and its currency is the dollar or unknown.
fn days_until_reported(value: &impl Fn(&str) -> Option<String>) -> u64 {
    let has_suffix = value("symbol").is_some_and(|symbol| symbol.contains('.'));
    let has_cik = value("cik").is_some_and(|cik| !cik.trim_start_matches('0').is_empty());
    let is_dollar = value("reported_currency").is_none_or(|currency| currency == "USD");
    let (quarter, year) = if !has_suffix && has_cik && is_dollar {
        DAYS_IN_US
    } else {
        DAYS_ELSEWHERE
    };
    let is_year = value("period_type").is_some_and(|label| label == "Q4" || label == "FY");
    if is_year { year } else { quarter }
}

/// Returns whether every amount of a statement is 0 or missing. FMP writes 0 in every field of a
/// filing that it has not read. Share counts and cash positions are ignored, because FMP fills them
/// from other sources.
pub(super) fn is_blank(dataset: &Dataset, values: &[Option<String>]) -> bool {
    let filled_in = [
        "shares_outstanding",
        "shares_outstanding_diluted",
        "cash_at_beginning_of_period",
        "cash_at_end_of_period",
    ];
    let amounts = dataset
        .columns
        .iter()
        .zip(values)
        .filter(|(c, _)| c.kind == Kind::Decimal && !filled_in.contains(&c.name));
    amounts.into_iter().all(|(_, value)| value.as_deref().is_none_or(|v| v == "0"))
}
