//! Derives the time at which a statement became public.

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime};

use crate::{catalog::Dataset, nyse_calendar};

/// Days after the end of the period within which every company must file its 10-K (SEC, Form 10-K,
/// general instruction A). Used to estimate the date of a statement with neither an acceptance time
/// nor a filing date.
const LATEST_FILING_DAYS: u64 = 90;

/// Sets `accepted_at` (UTC), `accepted_at_source` (`accepted`, `filing` or `estimated`) and
/// `known_on`. `known_on` is the first day whose closing price may be combined with the statement:
/// the day after the acceptance if the statement was accepted after trading ended, at 16:00 New York
/// time or at 13:00 on the eve of some holidays.
pub(super) fn derive(dataset: &Dataset, values: &mut [Option<String>]) {
    let position = |name: &str| dataset.columns.iter().position(|c| c.name == name);
    let (Some(accepted_at), Some(source), Some(known_on)) =
        (position("accepted_at"), position("accepted_at_source"), position("known_on"))
    else {
        return;
    };
    let value = |name: &str| position(name).and_then(|i| values[i].clone());
    let local =
        value("accepted_at").and_then(|t| NaiveDateTime::parse_from_str(&t, "%Y-%m-%d %H:%M:%S").ok());
    let filed = value("filing_date").and_then(|t| t.parse::<NaiveDate>().ok());
    let ended = value("fiscal_date").and_then(|t| t.parse::<NaiveDate>().ok());
    let evening = NaiveTime::from_hms_opt(22, 0, 0).unwrap_or_default();
    let (instant, source_name, known) = if let Some(local) = local {
        let known = if local.time() > nyse_calendar::closing_time(local.date()) {
            local.date() + Days::new(1)
        } else {
            local.date()
        };
        (nyse_calendar::from_new_york(local), "accepted", known)
    } else if let Some(filed) = filed {
        (filed.and_time(evening), "filing", filed + Days::new(1))
    } else if let Some(ended) = ended {
        let latest = ended + Days::new(LATEST_FILING_DAYS);
        (latest.and_time(evening), "estimated", latest + Days::new(1))
    } else {
        return;
    };
    values[accepted_at] = Some(instant.to_string());
    values[source] = Some(source_name.into());
    values[known_on] = Some(known.to_string());
}
