//! What the reason words mean.

use super::figure::Reason;

/// A reason with its meaning.
pub fn reason(word: &str) -> Reason {
    Reason { word: word.to_owned(), meaning: meaning(word).to_owned() }
}

/// What a reason word of `analytics.metric_nulls` means.
pub fn meaning(word: &str) -> &'static str {
    match word {
        "nonpositive_denominator" => "What it would be divided by is zero or below, so a quotient would say nothing.",
        "negative_earnings" => "Earnings are zero or below, so a multiple or a share of them would say nothing.",
        "negative_equity" => "Liabilities are above assets: with equity at zero or below a quotient would say nothing.",
        "missing_input" => "A figure that it needs is absent.",
        "missing_quarter" => "A quarter within the twelve months was never seen, so they cannot be added up.",
        "insufficient_history" => {
            "There is not enough history yet: the periods or sessions it needs begin before the first one known."
        }
        "currency_mismatch" => {
            "The statements are in another currency than the price, and there is no dated exchange rate."
        }
        "currency_change" => "The company changed its reporting currency within the twelve months.",
        "transition_period" => "The company moved its fiscal year: the periods overlap or do not span twelve months.",
        "not_meaningful_for_sector" => "For a bank or insurer this figure has no meaning.",
        "stale_fundamentals" => "The newest statement was too old on that day: none came where one was due.",
        "not_reported" => "FMP writes 0 where a company reports nothing, so the 0 is no figure.",
        "not_applicable_to_basis" => "A growth rate over this horizon does not exist on this basis.",
        _ => "The warehouse gives this word and no more.",
    }
}
