//! Companies in another unit of money, of another size, or with a split: each figure changes by a
//! known factor.

use chrono::NaiveDate;

use super::{SIZES, company, compare, run};
use crate::golden::generated::{Company, Lines, date};

/// The unit of an amount or a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Money,
    Shares,
    PerShare,
    Ratio,
    /// Per amount of money.
    PerMoney,
}

fn unit(column: &str) -> Unit {
    let registry = &findata_tests::models().registry;
    let ratio = registry.ratio(column).map(|ratio| &ratio.formula);
    if let Some(formula) = ratio.or_else(|| registry.market_metric(column).map(|metric| &metric.formula)) {
        return match registry.unit_of(formula).unwrap().to_string().as_str() {
            "money" => Unit::Money,
            "money a share" => Unit::PerShare,
            "shares" => Unit::Shares,
            _ => Unit::Ratio,
        };
    }
    let per_share = ["close_price", "high_52w", "low_52w", "sma_50", "sma_200"];
    if ["_yoy", "_qoq", "_cagr_"].iter().any(|part| column.contains(part)) {
        Unit::Ratio
    } else if column == "amihud_illiquidity_252d" {
        Unit::PerMoney
    } else if column.contains("shares_outstanding") {
        Unit::Shares
    } else if column.starts_with("ttm_eps") || per_share.contains(&column) {
        Unit::PerShare
    } else if ["ttm_", "latest_", "oldest_", "average_"].iter().any(|prefix| column.starts_with(prefix)) {
        Unit::Money
    } else {
        Unit::Ratio
    }
}

/// Multiplies each amount by the fraction that `scale` gives for its unit.
fn scaled(lines: &Lines, scale: impl Fn(Unit) -> (i128, i128)) -> Lines {
    let line = |(name, amount): (&&'static str, &i128)| {
        let (times, over) = scale(match *name {
            "eps" | "eps_diluted" => Unit::PerShare,
            "shares_outstanding" | "shares_outstanding_diluted" => Unit::Shares,
            _ => Unit::Money,
        });
        assert_eq!(amount * times % over, 0, "{name}: not exact with six decimal places on the other basis");
        (*name, amount * times / over)
    };
    lines.iter().map(line).collect()
}

/// A copy of a company under another symbol, with all amounts scaled like [`scaled`].
fn company_scaled(
    symbol: &'static str,
    company: &Company,
    scale: impl Fn(Unit) -> (i128, i128) + Copy,
) -> Company {
    let mut other = Company { symbol, ..company.clone() };
    for period in other.quarters.iter_mut().chain(&mut other.years) {
        period.lines = scaled(&period.lines, scale);
    }
    let (times, over) = scale(Unit::PerShare);
    let per_share = |amount: &mut i128| *amount = *amount * times / over;
    for bar in &mut other.bars {
        [&mut bar.high, &mut bar.low, &mut bar.close].into_iter().for_each(per_share);
    }
    let (times, over) = scale(Unit::Shares);
    for bar in &mut other.bars {
        bar.volume = bar.volume * times / over;
    }
    for dividend in &mut other.dividends {
        [&mut dividend.declared, &mut dividend.adjusted].into_iter().for_each(per_share);
    }
    let (times, over) = scale(Unit::Money);
    other.market_cap = other.market_cap * times / over;
    other
}

#[test]
fn ratios_do_not_depend_on_the_unit_of_money_or_the_size_of_the_company() {
    // In thousandths of the currency, amounts and prices change, and share counts stay. For a
    // company of seven times the size, amounts and share counts change, and prices stay.
    let thousandths = |unit| match unit {
        Unit::Money | Unit::PerShare => (1_000, 1),
        Unit::PerMoney => (1, 1_000),
        Unit::Shares | Unit::Ratio => (1, 1),
    };
    let larger = |unit| match unit {
        Unit::Money | Unit::Shares => (7, 1),
        Unit::PerMoney => (1, 7),
        Unit::PerShare | Unit::Ratio => (1, 1),
    };
    let mut all = Vec::new();
    for (symbols, size) in
        [["ONE", "ONE-UNIT", "ONE-SIZE"], ["TWO", "TWO-UNIT", "TWO-SIZE"]].into_iter().zip(SIZES)
    {
        let one = company(symbols[0], size);
        all.extend([
            company_scaled(symbols[1], &one, thousandths),
            company_scaled(symbols[2], &one, larger),
            one,
        ]);
    }
    let home = run(&all);
    for (symbol, other, scale) in [
        ("ONE", "ONE-UNIT", &thousandths as &dyn Fn(Unit) -> (i128, i128)),
        ("ONE", "ONE-SIZE", &larger),
        ("TWO", "TWO-UNIT", &thousandths),
        ("TWO", "TWO-SIZE", &larger),
    ] {
        let factor = |column: &str| {
            let (times, over) = scale(unit(column));
            times as f64 / over as f64
        };
        let compared = compare(&home, symbol, other, factor);
        assert!(compared > 4_000, "{compared}");
    }
}

/// The split basis of the share data in filings before a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SplitReporting {
    /// Each filing uses the basis of its own day.
    AsFiled,
    /// All filings use the newest basis, because FMP has restated them.
    Restated,
}

/// A copy of a company with a split. Its data is on the newest basis, like FMP's prices. Declared
/// dividends from before the split are on the old basis, and so are filings that are not restated.
fn split(
    symbol: &'static str,
    newest: &Company,
    on: NaiveDate,
    (new, old): (u32, u32),
    reporting: SplitReporting,
) -> Company {
    let mut company = Company { symbol, splits: vec![(on, new, old)], ..newest.clone() };
    let (new, old) = (i128::from(new), i128::from(old));
    let back = |unit| match unit {
        Unit::Shares => (old, new),
        Unit::PerShare => (new, old),
        Unit::Money | Unit::Ratio | Unit::PerMoney => (1, 1),
    };
    if reporting == SplitReporting::AsFiled {
        for period in company.quarters.iter_mut().chain(&mut company.years).filter(|p| p.accepted < on) {
            period.lines = scaled(&period.lines, back);
        }
    }
    for dividend in company.dividends.iter_mut().filter(|d| d.ex < on) {
        dividend.declared = dividend.declared * new / old;
    }
    company
}

#[test]
fn a_split_changes_no_figure_however_the_history_is_reported() {
    // The split is between the acceptance dates of two quarters, with sessions before and after.
    let on = date(2026, 3, 16);
    let cases = [
        (["FOUR", "FOUR-FILED", "FOUR-AGAIN"], (4, 1)),
        (["TENTH", "TENTH-FILED", "TENTH-AGAIN"], (1, 10)),
        (["HALF", "HALF-FILED", "HALF-AGAIN"], (3, 2)),
    ];
    let mut all = Vec::new();
    for ((symbols, (new, old)), size) in cases.into_iter().zip(SIZES) {
        // Scales the company so that its share counts and prices stay exact on both split bases.
        let even = |unit| match unit {
            Unit::Shares => (i128::from(new), 1),
            Unit::PerShare => (i128::from(old), 1),
            Unit::Money => (i128::from(new) * i128::from(old), 1),
            Unit::Ratio | Unit::PerMoney => (1, 1),
        };
        let newest = company_scaled(symbols[0], &company("ANY", size), even);
        let filed = split(symbols[1], &newest, on, (new, old), SplitReporting::AsFiled);
        let restated = split(symbols[2], &newest, on, (new, old), SplitReporting::Restated);
        assert!(
            filed.quarters.iter().any(|p| p.accepted < on) && filed.quarters.iter().any(|p| p.accepted > on)
        );
        all.extend([newest, filed, restated]);
    }
    let home = run(&all);
    for ([newest, filed, restated], _) in cases {
        for reporting in [filed, restated] {
            let compared = compare(&home, newest, reporting, |_| 1.0);
            assert!(compared > 4_000, "{compared}");
        }
    }
}
