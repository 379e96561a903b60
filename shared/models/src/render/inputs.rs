//! Prepares the inputs of a period for the templates.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::metrics::{Average, Earlier, Expr, Input, Ratio, Registry, flows};

/// An input of a period that is a column of both the statements and the twelve months.
#[derive(Serialize)]
pub(super) struct PeriodColumn {
    pub(super) name: String,
    /// The column with the alias of its table: `f` for statements, `s` for split-adjusted figures.
    pub(super) period: String,
    pub(super) ttm: String,
}

#[derive(Serialize)]
pub(super) struct Formula {
    pub(super) name: String,
    pub(super) sql: String,
}

#[derive(Serialize)]
pub(super) struct Mean {
    pub(super) name: String,
    pub(super) of: String,
    pub(super) ttm: String,
}

/// The inputs of a period that ratios and growth rates use, grouped by the way they are computed.
pub(super) struct Used {
    /// Columns of the statements, including those that only formulas of inputs use.
    pub(super) columns: Vec<String>,
    pub(super) formulas: Vec<String>,
    pub(super) averages: Vec<String>,
    /// The inputs that only ratios can use.
    pub(super) ratio_inputs: Vec<String>,
    /// The inputs that ratios use from the period a year ago.
    pub(super) year_ago: BTreeSet<String>,
    /// The inputs that ratios use from the period two years ago.
    pub(super) two_years_ago: BTreeSet<String>,
}

impl Used {
    /// Returns what these ratios and all growth rates use.
    pub(super) fn of(registry: &Registry, ratios: &[&Ratio]) -> Self {
        let of_ratio = |r: &Ratio| {
            let conditions = r.requires.iter().map(|c| Expr::input(&c.above_zero));
            let all = conditions.chain([r.formula.clone()]).map(|e| registry.inlined(&e));
            all.flat_map(|e| e.inputs().into_iter().map(str::to_owned).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        let of_ratios: BTreeSet<String> = ratios.iter().copied().flat_map(of_ratio).collect();
        let from = |earlier: Earlier| {
            let names = of_ratios.iter().filter_map(|input| Earlier::split(input));
            names.filter(|(found, _)| *found == earlier).map(|(_, name)| name.to_owned()).collect()
        };
        let mut wanted: BTreeSet<String> = of_ratios
            .iter()
            .map(|input| Earlier::name(input).to_owned())
            .chain(registry.growth.iter().map(|g| g.figure.clone()))
            // A lender is a bank by their ratio.
            .chain(["interest_income", "revenue"].map(str::to_owned))
            .collect();
        let averages: Vec<String> = wanted
            .iter()
            .filter(|name| registry.input(name).is_some_and(|i| i.average_of.is_some()))
            .cloned()
            .collect();
        let of = averages.iter().filter_map(|name| registry.input(name)?.average_of.clone());
        wanted.extend(of.collect::<Vec<_>>());
        wanted.retain(|name| !averages.contains(name));
        let formulas: Vec<String> = wanted
            .iter()
            .filter(|name| registry.input(name).is_some_and(|i| i.formula.is_some()))
            .cloned()
            .collect();
        let inner = |name: &String| {
            let expanded = registry.expanded(&Expr::input(name));
            expanded.inputs().into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        wanted.extend(formulas.iter().flat_map(inner).collect::<Vec<_>>());
        wanted.retain(|name| !formulas.contains(name) && name != "days");
        let only = registry.ratio_inputs();
        let mut direct: Vec<&str> = ratios
            .iter()
            .flat_map(|r| {
                r.formula.inputs().into_iter().chain(r.requires.iter().map(|c| c.above_zero.as_str()))
            })
            .filter(|name| only.contains(name))
            .collect();
        direct.sort_unstable();
        direct.dedup();
        Used {
            ratio_inputs: direct.into_iter().map(str::to_owned).collect(),
            columns: wanted.into_iter().collect(),
            formulas,
            averages,
            year_ago: from(Earlier::YearAgo),
            two_years_ago: from(Earlier::TwoYearsAgo),
        }
    }
}

/// The columns of the model `split_adjusted_shares`. All other columns of a period are in
/// `fact_financials`.
pub(crate) const SPLIT_ADJUSTED: [&str; 4] = [
    "split_adjusted_eps",
    "split_adjusted_eps_diluted",
    "split_adjusted_shares_outstanding",
    "split_adjusted_shares_outstanding_diluted",
];

pub(super) fn period_column(registry: &Registry, name: &str) -> PeriodColumn {
    let columns = registry.input(name).and_then(|i| i.period.clone().zip(i.ttm.clone()));
    let is_flow = flows().any(|line| line == name);
    let (period, ttm) = columns
        .unwrap_or_else(|| (name.to_owned(), format!("{}_{name}", if is_flow { "ttm" } else { "latest" })));
    let alias = if SPLIT_ADJUSTED.contains(&period.as_str()) { "s" } else { "f" };
    PeriodColumn {
        name: name.to_owned(),
        period: format!("{alias}.{period}"),
        ttm,
    }
}

/// Returns the codes of the suspicions that concern at least one of the inputs, as a list of SQL
/// literals. A suspicion without `items` concerns all inputs.
pub(super) fn suspicions_of(registry: &Registry, inputs: &BTreeSet<String>) -> String {
    let line = |name: &str| {
        let column = registry.input(name).and_then(|input| input.period.as_deref()).unwrap_or(name);
        column.strip_prefix("split_adjusted_").unwrap_or(column).to_owned()
    };
    let lines: BTreeSet<String> = inputs
        .iter()
        .flat_map(|name| {
            registry.expanded(&Expr::input(name)).inputs().into_iter().map(line).collect::<Vec<_>>()
        })
        .collect();
    let concerns = |items: &[String]| items.is_empty() || items.iter().any(|item| lines.contains(item));
    let codes = registry.suspicions.iter().filter(|s| concerns(&s.items));
    codes.map(|s| format!("'{}'", s.code)).collect::<Vec<_>>().join(", ")
}

pub(super) fn mean(registry: &Registry, name: &str) -> Option<Mean> {
    let input = registry.input(name)?;
    Some(Mean {
        name: name.to_owned(),
        of: input.average_of.clone()?,
        ttm: input.ttm.clone()?,
    })
}

/// An average of the twelve months: its column, and the SQL of the input at both ends.
#[derive(Serialize)]
pub(super) struct TtmAverage {
    column: String,
    /// The input at the end of the twelve months, with the table alias `e`.
    end: String,
    /// The input at the other end: at the end of the previous period (alias `p`) or at the
    /// beginning of the twelve months (alias `b`).
    other: String,
}

pub(super) fn ttm_average(registry: &Registry, input: &Input) -> Option<TtmAverage> {
    let of = registry.expanded(&Expr::input(input.average_of.as_deref()?));
    let other = match input.over? {
        Average::PreviousPeriod => "p",
        Average::Year => "b",
    };
    Some(TtmAverage {
        column: input.ttm.clone()?,
        end: of.sql(&|line| format!("e.{line}")),
        other: of.sql(&|line| format!("{other}.{line}")),
    })
}
