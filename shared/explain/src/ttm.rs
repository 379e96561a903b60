//! The rules that compute each figure of the trailing twelve months from the quarters, as in the
//! model `3_ttm/4_new_fact_financials_ttm_history.sql`.

use findata_models::metrics::{Average, Registry, balances, flows};

use crate::words::label;

/// The rule that computes a figure of the trailing twelve months from the quarters (or halves) of
/// the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule<'a> {
    /// The sum of a line over the quarters.
    Sum(&'a str),
    /// The mean of a line over the quarters.
    Mean(&'a str),
    /// A line of the newest quarter.
    Newest(&'a str),
    /// A line of the oldest quarter.
    Oldest(&'a str),
    /// The mean of an input at two period ends.
    Ends(&'a str, Average),
    /// Net income to common shares divided by the mean of the diluted shares.
    EarningsPerShare,
}

/// Rules of the columns whose name is not a prefix followed by the name of a statement line.
const SPECIAL: [(&str, Rule<'static>); 9] = [
    ("ttm_eps", Rule::Sum("split_adjusted_eps")),
    ("ttm_eps_diluted", Rule::EarningsPerShare),
    ("ttm_eps_diluted_sum", Rule::Sum("split_adjusted_eps_diluted")),
    ("oldest_cash_at_beginning_of_period", Rule::Oldest("cash_at_beginning_of_period")),
    ("latest_cash_at_end_of_period", Rule::Newest("cash_at_end_of_period")),
    ("latest_shares_outstanding", Rule::Newest("split_adjusted_shares_outstanding")),
    (
        "latest_shares_outstanding_diluted",
        Rule::Newest("split_adjusted_shares_outstanding_diluted"),
    ),
    (
        "average_shares_outstanding_diluted",
        Rule::Mean("split_adjusted_shares_outstanding_diluted"),
    ),
    ("average_stockholders_equity", Rule::Mean("stockholders_equity")),
];

/// Returns the rule of a column of `fact_financials_ttm`.
pub fn rule<'a>(registry: &'a Registry, column: &'a str) -> Option<Rule<'a>> {
    if let Some((_, rule)) = SPECIAL.iter().find(|(special, _)| *special == column) {
        return Some(*rule);
    }
    if let Some(line) = column.strip_prefix("ttm_").filter(|line| flows().any(|flow| flow == *line)) {
        return Some(Rule::Sum(line));
    }
    if let Some(line) = column.strip_prefix("latest_").filter(|line| balances().any(|b| b == *line)) {
        return Some(Rule::Newest(line));
    }
    let average = registry.inputs.iter().find(|input| input.ttm.as_deref() == Some(column))?;
    Some(Rule::Ends(average.average_of.as_deref()?, average.over?))
}

/// Returns the column of `fact_financials_ttm` for a statement line.
pub fn column(line: &str) -> String {
    let prefix = if flows().any(|flow| flow == line) { "ttm" } else { "latest" };
    format!("{prefix}_{line}")
}

/// Describes a rule in words.
pub fn words(rule: Rule<'_>) -> String {
    match rule {
        Rule::Sum(line) => format!("sum of {} over the periods", label(line)),
        Rule::Mean(line) => format!("mean of {} over the periods", label(line)),
        Rule::Newest(line) => format!("{} of the newest period", label(line)),
        Rule::Oldest(line) => format!("{} of the oldest period", label(line)),
        Rule::Ends(of, Average::PreviousPeriod) => {
            format!("mean of {} at the end of the newest period and of the one before", label(of))
        }
        Rule::Ends(of, Average::Year) => {
            format!("mean of {} at the beginning and at the end of the twelve months", label(of))
        }
        Rule::EarningsPerShare => "net income to common ÷ mean diluted shares".into(),
    }
}

/// Describes the condition under which a rule has a value, in words.
pub fn condition(rule: Rule<'_>) -> Option<String> {
    match rule {
        Rule::Sum(line) | Rule::Mean(line) => Some(format!("every period has {}", label(line))),
        Rule::EarningsPerShare => Some("mean diluted shares is above zero".into()),
        Rule::Newest(_) | Rule::Oldest(_) | Rule::Ends(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use findata_models::Models;

    use super::*;

    #[test]
    fn every_figure_of_twelve_months_has_a_rule() {
        let models = Models::built_in().unwrap();
        let columns = models.columns("fact_financials_ttm").iter().filter(|c| c.is_figure());
        let without: Vec<_> = columns.filter(|c| rule(&models.registry, &c.name).is_none()).collect();
        assert!(without.is_empty(), "{without:#?}");
        let rule = |column: &'static str| rule(&models.registry, column);
        assert_eq!(rule("ttm_revenue"), Some(Rule::Sum("revenue")));
        assert_eq!(rule("latest_inventory"), Some(Rule::Newest("inventory")));
        assert_eq!(rule("average_inventory_year"), Some(Rule::Ends("inventory", Average::Year)));
        assert_eq!(rule("ttm_nothing"), None);
        for (column, _) in SPECIAL {
            assert!(models.columns("fact_financials_ttm").iter().any(|c| c.name == column), "{column}");
        }
    }
}
