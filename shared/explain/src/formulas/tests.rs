//! Every metric column has a formula, every formula a column, and all their inputs can be traced.

use std::collections::BTreeSet;

use super::*;
use crate::columns;
use findata_models::Models;

/// Names of a table's figures.
fn figures(table: &str) -> Vec<String> {
    let columns: Vec<_> =
        columns(table).iter().filter(|c| c.is_figure()).map(|c| c.name.to_owned()).collect();
    assert!(columns.len() > 7, "{table}");
    columns
}

/// Traces a formula to its inputs and returns those that cannot be traced.
fn follow(formula: &Formula, depth: usize) -> Vec<String> {
    assert!(depth < 12, "{formula:?}");
    let mut wrong = Vec::new();
    for (name, trace) in &formula.inputs {
        if let Origin::Computed(expr, place) = &trace.origin {
            match Lineage::get().formula(expr, place) {
                Ok(inner) => wrong.extend(follow(&inner, depth + 1)),
                Err(lost) => wrong.push(format!("{name}: {lost}")),
            }
        }
    }
    wrong
}

#[test]
fn every_ratio_column_has_a_line_and_every_line_a_column() {
    let columns: BTreeSet<String> = figures("fact_financial_ratios").into_iter().collect();
    let lines: BTreeSet<String> = ratio_lines().iter().map(|l| l.metric.clone()).collect();
    assert_eq!(columns.symmetric_difference(&lines).collect::<Vec<_>>(), Vec::<&String>::new());
    for line in ratio_lines() {
        let formula =
            line.formula().unwrap_or_else(|lost| panic!("{}: {lost} cannot be traced", line.metric));
        for (name, _) in &formula.inputs {
            for branch in [0, 1] {
                let inner = Lineage::get().formula_of("period_inputs", name, branch);
                let inner = inner.unwrap_or_else(|lost| panic!("{}: {name}: {lost}", line.metric));
                let wrong = inner.map(|f| follow(&f, 0)).unwrap_or_default();
                assert!(wrong.is_empty(), "{}: {wrong:?}", line.metric);
            }
        }
    }
}

#[test]
fn every_growth_column_has_a_line_and_every_line_a_column() {
    let columns: BTreeSet<String> = figures("fact_growth_rates").into_iter().collect();
    let lines: BTreeSet<String> = growth_lines().iter().map(GrowthLine::metric).collect();
    assert_eq!(columns.symmetric_difference(&lines).collect::<Vec<_>>(), Vec::<&String>::new());
    for line in growth_lines() {
        assert!(Lineage::get().column("period_inputs", &line.item, 1).is_some(), "{}", line.item);
        let names: Vec<String> =
            line.formula().unwrap().columns().iter().map(|(_, name)| (*name).to_owned()).collect();
        assert_eq!(names, [line.item.clone(), format!("{}_before", line.item)], "{}", line.metric());
    }
}

#[test]
fn every_column_of_the_other_facts_can_be_traced() {
    let mut wrong = Vec::new();
    for table in ["fact_financials", "fact_financials_ttm", "fact_market_metrics", "fact_daily_prices"] {
        for column in figures(table) {
            match Lineage::get().formula_of(&format!("new_{table}"), &column, 0) {
                Ok(Some(formula)) => {
                    wrong.extend(
                        follow(&formula, 0).into_iter().map(|lost| format!("{table}.{column}: {lost}")),
                    );
                }
                Ok(None) => {}
                Err(lost) => wrong.push(format!("{table}.{column}: {lost}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_market_line_has_a_column() {
    let columns: BTreeSet<String> = figures("fact_market_metrics").into_iter().collect();
    let lost: Vec<_> = market_lines().iter().map(|l| &l.metric).filter(|m| !columns.contains(*m)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn formulas_match_the_models() {
    let market = |metric: &str| words(&market_formula(metric).unwrap().unwrap().expr);
    assert_eq!(market("pe_ratio_ttm"), "price ÷ EPS diluted sum");
    assert_eq!(market("market_cap"), "price × shares");
    assert_eq!(market("ev_to_ebitda"), "enterprise value ÷ EBITDA");
    assert_eq!(market("enterprise_value"), "price × shares + net claims");
    assert_eq!(market("payout_ratio"), "dividends ÷ net income");
    assert_eq!(market("return_21d"), "close ÷ close 21 sessions before − 1");
    assert_eq!(sessions_needed("return_21d"), Some(22));
    let ttm = |column: &str| {
        let formula = Lineage::get().formula_of("new_fact_financials_ttm", column, 0).unwrap().unwrap();
        (words(&formula.expr), formula.guards.iter().map(words).collect::<Vec<_>>().join("; "))
    };
    assert_eq!(
        ttm("ttm_revenue"),
        ("sum of revenue over the periods".into(), "every period has revenue".into())
    );
    assert_eq!(ttm("average_inventory_year").0, "(inventory + inventory a year before) × 0.5");
    assert_eq!(ttm("ttm_eps_diluted").0, "net income to common ÷ mean diluted shares");
    let roic = ratio_lines().iter().find(|l| l.metric == "roic").unwrap();
    assert_eq!(words(&roic.formula().unwrap().expr), "NOPAT ÷ ROIC invested capital");
}

#[test]
fn every_figure_has_a_unit() {
    let mut wrong = Vec::new();
    for table in [
        "fact_financials",
        "fact_financials_ttm",
        "fact_financial_ratios",
        "fact_growth_rates",
        "fact_market_metrics",
        "fact_daily_prices",
    ] {
        for column in figures(table) {
            match unit(table, &column) {
                Some(unit) if unit.to_string() != "mixed" => {}
                other => wrong.push(format!("{table}.{column}: {other:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (table, column, expected) in [
        ("fact_financial_ratios", "gross_margin", RATIO),
        ("fact_financial_ratios", "cash_conversion_cycle", DAYS),
        ("fact_financial_ratios", "graham_number", MONEY_A_SHARE),
        ("fact_financial_ratios", "working_capital", MONEY),
        ("fact_financials_ttm", "ttm_eps_diluted", MONEY_A_SHARE),
        ("fact_financials_ttm", "latest_shares_outstanding", SHARES),
        ("fact_market_metrics", "market_cap", MONEY),
        ("fact_market_metrics", "enterprise_value", MONEY),
        ("fact_market_metrics", "pe_ratio_ttm", RATIO),
        ("fact_market_metrics", "pb_ratio", RATIO),
        ("fact_market_metrics", "dividend_yield", RATIO),
        ("fact_market_metrics", "dividends_per_share_ttm", MONEY_A_SHARE),
        ("fact_market_metrics", "sma_50", MONEY_A_SHARE),
        ("fact_market_metrics", "shares_outstanding_used", SHARES),
        ("fact_daily_prices", "volume", SHARES),
    ] {
        assert_eq!(unit(table, column), Some(expected), "{table}.{column}");
    }
}

#[test]
fn expressions_are_parsed_and_displayed_without_casts() {
    for (sql, written) in [
        ("a.x::double / nullif(b, 0)", "a.x / nullif(b, 0)"),
        ("(a - (b - c))::decimal(38, 6) * -2.5", "(a - (b - c)) * -2.5"),
        (
            "case when a > 0 and b is not null then c else d * 0.5::double end",
            "case when a > 0 and b is not null then c else d * 0.5 end",
        ),
        (
            "d - interval '5 hours' between date '2020-01-01' and e",
            "d - '5 hours' between '2020-01-01' and e",
        ),
        (
            "sum(x) over (partition by s order by d rows between 3 preceding and current row)::double",
            "sum(x) over (...)",
        ),
        (
            "a is distinct from b or c not in ('x', 'y')",
            "a is distinct from b or not c in ('x', 'y')",
        ),
    ] {
        assert_eq!(expression(sql).map(|e| e.to_string()).as_deref(), Some(written), "{sql}");
    }
    assert_eq!(expression("a +"), None);
    assert_eq!(expression("a; drop table b"), None);
}

#[test]
fn every_model_is_parsed() {
    for model in &Models::built_in().unwrap().models {
        let query = query(&model.sql).unwrap_or_else(|| panic!("{} cannot be parsed", model.file));
        let all = query.named.iter().flat_map(|(_, s)| s).chain(&query.last);
        for select in all {
            assert!(!select.items.is_empty(), "{}", model.file);
        }
    }
}

#[test]
fn guards_are_separated_from_figures() {
    let guarded = |sql: &str| {
        let (figure, guards) = expression(sql).unwrap().guarded();
        (figure.to_string(), guards.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    };
    assert_eq!(guarded("a / nullif(b, 0) - 1"), ("a / b - 1".into(), String::new()));
    assert_eq!(guarded("case when a > 0 then sqrt(a) end"), ("sqrt(a)".into(), "a > 0".into()));
    assert_eq!(guarded("a / nullif(case when b > 0 then b end, 0)"), ("a / b".into(), String::new()));
}
