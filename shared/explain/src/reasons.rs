//! The meanings of the codes for NULL.

use std::borrow::Cow;

use super::figure::Reason;

/// Returns a reason code with its meaning.
pub fn reason(word: &str) -> Reason {
    Reason { word: word.to_owned(), meaning: meaning(word).to_owned() }
}

/// Returns a reason code in two or three words, for tables.
pub fn brief(word: &str) -> Cow<'_, str> {
    Cow::Borrowed(match word {
        "nonpositive_denominator" => "denominator not above 0",
        "insufficient_history" => "short history",
        "eps_disputed" => "EPS disputed",
        "negative_enterprise_value" => "negative EV",
        "not_meaningful_for_sector" => "not for this sector",
        "stale_fundamentals" => "old statements",
        "not_applicable_to_basis" => "not on this basis",
        _ => return Cow::Owned(word.replace('_', " ")),
    })
}

/// Returns the meaning of a reason code of `analytics.metric_nulls`.
pub fn meaning(word: &str) -> &'static str {
    match word {
        "nonpositive_denominator" => {
            "The denominator is zero or negative, so the quotient would be meaningless."
        }
        "negative_earnings" => {
            "Earnings are zero or negative, so a multiple or share of them would be meaningless."
        }
        "negative_equity" => {
            "Liabilities exceed assets: with zero or negative equity the quotient would be meaningless."
        }
        "missing_input" => "A required input is missing.",
        "missing_quarter" => "A quarter of the twelve months is missing, so they cannot be added up.",
        "insufficient_history" => {
            "Not enough history: the periods or sessions it needs begin before the first known one."
        }
        "currency_mismatch" => {
            "The statements and the price are in different currencies, and no dated exchange rate is available."
        }
        "unknown_currency" => {
            "The currency of the statements or of the price is unknown, so they may not be the same."
        }
        "share_count_disputed" => {
            "Share counts contradict each other, and nothing decides which one is right."
        }
        "eps_disputed" => "Earnings per share contradict net income and the share count.",
        "negative_base" => "The earlier value is zero or negative, so there is nothing to grow from.",
        "negative_enterprise_value" => {
            "Cash exceeds market cap and debt: with an enterprise value of zero or below, its multiples mean nothing."
        }
        "unknown_sector" => {
            "FMP's industry does not tell whether the company is a bank or insurer, for which the figure is meaningless."
        }
        "currency_change" => "The company changed its reporting currency within the twelve months.",
        "transition_period" => {
            "The company changed its fiscal year: the period is shorter than a year, or the periods overlap or do not span \
             twelve months."
        }
        "not_meaningful_for_sector" => "The figure is meaningless for banks and insurers.",
        "stale_fundamentals" => {
            "The newest statement of those that it needs was too old on that day: a newer one was overdue."
        }
        "not_reported" => "FMP sends 0 for figures that a company does not report, so the 0 is not a value.",
        "not_applicable_to_basis" => {
            "The figure is not defined on this basis, such as growth over three years on a quarter."
        }
        "no_prices" => "The company has no prices in this warehouse.",
        "no_statements" => "The company has no statements in this warehouse, as most funds and indexes.",
        "not_computed" => {
            "No run has computed the figure since it was added to the metrics file: use `findata run`."
        }
        _ => "The warehouse gives this reason without an explanation.",
    }
}
