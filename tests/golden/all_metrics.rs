//! Every figure of the four fact tables has an expected value, computed here. A figure without an
//! expected value fails the test, and the message names it. The company is generated; every line of
//! its statements has a different amount, so a swap of two columns changes a figure.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use findata_pipeline::run::Status;
use findata_tests::{Home, Job, Replay};

use super::{
    expected::{
        Figures, SESSIONS, SYMBOL, by_field, company, means, quarters, single, ttm_name, twelve_months,
    },
    formulas::ratios,
    generated::{self, Bar, INDEX, Lines, date, figure, today},
    price_metrics::price_metrics,
};

/// Columns that are not figures.
const KEYS: [&str; 26] = [
    "company_key",
    "symbol",
    "fiscal_date",
    "fiscal_date_key",
    "metric_date",
    "metric_date_key",
    "accepted_at",
    "known_on",
    "known_from",
    "quarters_included",
    "quarters_derived",
    "oldest_quarter_date",
    "newest_quarter_date",
    "reported_currency",
    "basis",
    "status",
    "reason",
    "shares_source",
    "null_reasons",
    "run_id",
    "computed_at",
    "fundamentals_as_of",
    "fundamentals_known_on",
    "is_suspect",
    "profile_reconstructed",
    "suspect_reason",
];

/// The index's bars, without two days on which the company was traded.
fn index() -> Vec<Bar> {
    let mut bars = generated::bars(99, SESSIONS);
    bars.retain(|bar| bar.day != date(2026, 1, 19) && bar.day != date(2026, 5, 25));
    bars
}

fn home() -> &'static Home {
    static HOME: OnceLock<Home> = OnceLock::new();
    HOME.get_or_init(|| {
        let replay = Replay::new().answer(
            "historical-price-eod/full",
            INDEX,
            "",
            generated::bar_rows(INDEX, &index()),
        );
        let (server, home) = (company().answer(replay).start(), Home::new());
        let summary = Job::new(server.url(), &[SYMBOL])
            .on(today())
            .with(|o| (o.quarters, o.years, o.prices_from) = (60, 15, Some(date(2024, 1, 1))))
            .run_ok(&home);
        assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
        home
    })
}

/// Whether two figures are equal, except for rounding. A return near zero has only the precision
/// left by the twelve digits of a logarithm.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()) + 1e-11
}

/// Compares a row with the expected values. With `all`, every figure of the table must have an
/// expected value.
fn check(table: &str, place: &str, wanted: &Figures, all: bool) {
    let wanted: BTreeMap<&str, f64> =
        wanted.iter().map(|(column, value)| (column.as_str(), *value)).collect();
    if all {
        let actual: BTreeSet<String> = home()
            .lines(&format!(
                "select column_name from duckdb_columns() where schema_name = 'analytics' and table_name = '{table}'"
            ))
            .into_iter()
            .filter(|column| !KEYS.contains(&column.as_str()))
            .collect();
        let known: BTreeSet<String> = wanted.keys().map(ToString::to_string).collect();
        let missing: Vec<_> = actual.difference(&known).collect();
        let extra: Vec<_> = known.difference(&actual).collect();
        assert!(missing.is_empty(), "{table}: figures without a golden value: {missing:?}");
        assert!(extra.is_empty(), "{table}: golden values without a figure: {extra:?}");
    }
    let names: Vec<&str> = wanted.keys().copied().collect();
    let ours =
        home().figures(&names, &format!("from analytics.{table} where symbol = '{SYMBOL}' and {place}"));
    let wrong: Vec<String> = wanted
        .iter()
        .filter(|(column, value)| match ours.get(**column) {
            Some(ours) => !close(*ours, **value),
            None => !value.is_nan(),
        })
        .map(|(column, value)| format!("{column}: {:?} instead of {value}", ours.get(*column)))
        .collect();
    assert!(wrong.is_empty(), "{table} {place}: {wrong:#?}");
}

#[test]
fn no_two_lines_of_a_quarter_have_the_same_amount() {
    let lines = quarters(0, 1);
    let amounts: BTreeSet<i128> = lines.values().copied().collect();
    assert_eq!(lines.len(), amounts.len());
    assert!(lines.len() > 120, "{}", lines.len());
}

#[test]
fn every_ttm_figure_is_the_expected_sum_balance_or_mean() {
    for (ago, end) in [(0, "2026-06-30"), (2, "2025-12-31"), (7, "2024-09-30")] {
        let lines = quarters(ago, 4);
        let mut wanted = means(ago);
        wanted.extend(lines.iter().map(|(column, amount)| (ttm_name(column), figure(*amount))));
        check("fact_financials_ttm", &format!("fiscal_date = '{end}'"), &wanted, true);
        // Amounts must match to the last digit.
        let exact: Vec<(String, f64)> = lines
            .iter()
            .filter(|(column, _)| !column.starts_with("eps"))
            .map(|(column, amount)| (ttm_name(column), figure(*amount)))
            .collect();
        let names: Vec<&str> = exact.iter().map(|(name, _)| name.as_str()).collect();
        let row = home().rows(&format!(
            "select {} from analytics.fact_financials_ttm where fiscal_date = '{end}'",
            names.join(", ")
        ));
        let wrong: Vec<_> = exact
            .iter()
            .zip(&row[0])
            .filter(|((_, wanted), ours)| ours.as_ref().and_then(|ours| ours.parse().ok()) != Some(*wanted))
            .collect();
        assert!(wrong.is_empty(), "{end}: {wrong:#?}");
    }
}

#[test]
fn every_ratio_matches_its_formula_on_every_basis() {
    let own = |pairs: Vec<(&'static str, f64)>| {
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    };
    let company = company();
    let year = |ago: usize| &company.years[ago].lines;
    for (basis, end, span) in [
        ("TTM", "2026-06-30", twelve_months(0)),
        ("TTM", "2024-09-30", twelve_months(7)),
        ("FY", "2025-12-31", single(year(0), year(1), [year(1), year(2)], 365.0)),
        (
            "Q2",
            "2026-06-30",
            single(&quarters(0, 1), &quarters(1, 1), [&quarters(4, 1), &quarters(8, 1)], 90.0),
        ),
    ] {
        let place = format!("basis = '{basis}' and fiscal_date = '{end}'");
        check("fact_financial_ratios", &place, &own(ratios(&span)), true);
    }
}

/// Items with a growth rate.
const GROWING: [&str; 21] = [
    "revenue",
    "net_income",
    "eps_diluted",
    "operating_income",
    "free_cash_flow",
    "total_assets",
    "stockholders_equity",
    "gross_profit",
    "ebit",
    "ebitda",
    "operating_cash_flow",
    "shares",
    "revenue_per_share",
    "ocf_per_share",
    "fcf_per_share",
    "dividends_per_share",
    "book_value_per_share",
    "total_debt",
    "inventory",
    "net_receivables",
    "research_and_development",
];

/// How many of them, from the first on, have a growth rate over a quarter.
const QUARTERLY: usize = 7;

fn growth(horizons: &[(&str, i32, &Lines)], new: &Lines) -> Figures {
    let rate = |item: &str, years: i32, old: &Lines| {
        let line = |lines: &Lines, name: &str| figure(lines[name]);
        let value = |lines: &Lines| match item {
            "shares" => line(lines, "shares_outstanding"),
            "revenue_per_share" => line(lines, "revenue") / line(lines, "shares_outstanding"),
            "ocf_per_share" => line(lines, "operating_cash_flow") / line(lines, "shares_outstanding"),
            "fcf_per_share" => line(lines, "free_cash_flow") / line(lines, "shares_outstanding"),
            "dividends_per_share" => -line(lines, "dividends_paid") / line(lines, "shares_outstanding"),
            "book_value_per_share" => line(lines, "stockholders_equity") / line(lines, "shares_outstanding"),
            line_name => line(lines, line_name),
        };
        let (new, old) = (value(new), value(old));
        if years > 1 {
            (new / old).powf(1.0 / f64::from(years)) - 1.0
        } else {
            (new - old) / old.abs()
        }
    };
    let of = |(place, item): (usize, &&'static str)| {
        horizons
            .iter()
            .filter(|(name, ..)| place < QUARTERLY || *name != "qoq")
            .map(|(name, years, old)| (format!("{item}_{name}"), rate(item, *years, old)))
            .collect::<Vec<_>>()
    };
    GROWING.iter().enumerate().flat_map(of).collect()
}

#[test]
fn every_growth_rate_compares_with_the_right_earlier_period() {
    let twelve = |ago: usize| quarters(ago, 4);
    let wanted = growth(
        &[
            ("yoy", 1, &twelve(4)),
            ("qoq", 1, &twelve(1)),
            ("cagr_3y", 3, &twelve(12)),
            ("cagr_5y", 5, &twelve(20)),
            ("cagr_10y", 10, &twelve(40)),
        ],
        &twelve(0),
    );
    check("fact_growth_rates", "basis = 'TTM' and fiscal_date = '2026-06-30'", &wanted, true);
    let year = |ago: usize| &company().years[ago].lines;
    let wanted = growth(
        &[
            ("yoy", 1, year(1)),
            ("cagr_3y", 3, year(3)),
            ("cagr_5y", 5, year(5)),
            ("cagr_10y", 10, year(10)),
        ],
        year(0),
    );
    check("fact_growth_rates", "basis = 'FY' and fiscal_date = '2025-12-31'", &wanted, false);
    let wanted = growth(&[("yoy", 1, &quarters(4, 1)), ("qoq", 1, &quarters(1, 1))], &quarters(0, 1));
    check("fact_growth_rates", "basis = 'Q2' and fiscal_date = '2026-06-30'", &wanted, false);
}

#[test]
fn every_market_metric_matches_its_formula() {
    let company = company();
    let (twelve, end, year) =
        (twelve_months(0).flows, by_field(&quarters(0, 1)), by_field(&company.years[0].lines));
    let (price, cap, shares) =
        (figure(company.price()), figure(company.market_cap), end["weightedAverageShsOut"]);
    let ev = cap + end["totalDebt"] + end["preferredStock"] + end["minorityInterest"]
        - end["cashAndShortTermInvestments"];
    let narrow = cap + end["totalDebt"] - end["cashAndCashEquivalents"];
    let (revenue, ebitda, net) = (twelve["revenue"], twelve["ebitda"], twelve["netIncome"]);
    let (fcf, ocf) = (twelve["cf.freeCashFlow"], twelve["cf.operatingCashFlow"]);
    let (eps, eps_before) = (twelve["epsDiluted"], twelve_months(4).flows["epsDiluted"]);
    // Each quarter's dividend is one cent higher than the last. Those of the last twelve months are 12
    // to 15 cents.
    let dividends = 0.12 + 0.13 + 0.14 + 0.15;
    let mut wanted = price_metrics(&company.bars, &company.dividends, &index());
    wanted.extend([
        ("market_cap", cap),
        ("shares_outstanding_used", cap / price),
        ("enterprise_value", ev),
        ("enterprise_value_fmp", narrow),
        ("pe_ratio", price / year["epsDiluted"]),
        ("pe_ratio_ttm", price / eps),
        ("peg_ratio", price / eps / (100.0 * (eps - eps_before) / eps_before)),
        ("pb_ratio", price / (end["totalStockholdersEquity"] / shares)),
        ("ps_ratio", cap / year["revenue"]),
        ("ps_ratio_ttm", cap / revenue),
        ("p_to_fcf_ttm", cap / fcf),
        ("p_to_ocf_ttm", price / (ocf / shares)),
        ("ev_to_revenue", ev / year["revenue"]),
        ("ev_to_revenue_ttm", ev / revenue),
        ("ev_to_ebitda", ev / ebitda),
        ("ev_to_ebit", ev / twelve["ebit"]),
        ("ev_to_fcf", ev / fcf),
        ("ev_to_ocf", ev / ocf),
        ("ev_to_revenue_ttm_fmp", narrow / revenue),
        ("ev_to_ebitda_fmp", narrow / ebitda),
        ("ev_to_fcf_fmp", narrow / fcf),
        ("ev_to_ocf_fmp", narrow / ocf),
        ("debt_to_market_cap", (end["shortTermDebt"] + end["longTermDebt"]) / cap),
        ("fcf_yield", fcf / cap),
        ("earnings_yield", net / shares / price),
        ("dividends_per_share_ttm", dividends),
        ("dividend_yield", dividends / price),
        ("payout_ratio", -twelve["cf.netDividendsPaid"] / net),
        (
            "altman_z_score",
            1.2 * (end["totalCurrentAssets"] - end["totalCurrentLiabilities"]) / end["totalAssets"]
                + 1.4 * end["retainedEarnings"] / end["totalAssets"]
                + 3.3 * twelve["ebit"] / end["totalAssets"]
                + 0.6 * cap / end["totalLiabilities"]
                + revenue / end["totalAssets"],
        ),
        ("ebit_to_ev", twelve["ebit"] / ev),
        ("fcf_to_ev", fcf / ev),
        ("buyback_yield", -twelve["cf.netCommonStockIssuance"] / cap),
        ("shareholder_yield", dividends / price - twelve["cf.netCommonStockIssuance"] / cap),
    ]);
    let wanted = wanted.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    check("fact_market_metrics", "metric_date = '2026-08-14'", &wanted, true);
}

/// The models compute windows from blocks and running sums, and such a window could be wrong on
/// some days only. So the test checks every day of two years.
#[test]
fn every_price_metric_of_every_day_matches_the_direct_computation() {
    let (bars, index) = (&company().bars, index());
    let names: Vec<&str> =
        price_metrics(bars, &company().dividends, &index).iter().map(|(name, _)| *name).collect();
    let days = home().rows(&format!(
        "select {} from analytics.fact_market_metrics where symbol = '{SYMBOL}' order by metric_date",
        names.join(", ")
    ));
    let mut wrong = Vec::new();
    // Starts on the first day with 252 returns between sessions that the company and the index
    // share.
    for sessions in 255..=SESSIONS {
        let (bars, row) = (&bars[..sessions], &days[sessions - 1]);
        let day = bars[sessions - 1].day;
        for ((name, wanted), ours) in price_metrics(bars, &company().dividends, &index).into_iter().zip(row) {
            // On a day on which the index was closed there is no beta.
            let ours = ours.as_ref().map(|text| text.parse().unwrap());
            let none =
                ["beta_252d", "correlation_252d"].contains(&name) && index.iter().all(|bar| bar.day != day);
            if ours.is_none() != none || ours.is_some_and(|ours: f64| !close(ours, wanted)) {
                wrong.push(format!("{day} {name}: {ours:?} instead of {wanted}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
