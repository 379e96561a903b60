//! Invariants of the figures, through whole runs with generated companies. The unit of money, the
//! size of the company, the split basis of its shares and the order of the data change only the
//! figures that depend on them.

mod scaling;

use std::collections::BTreeMap;

use findata_pipeline::run::Status;
use findata_tests::{Home, Job, Replay};

use crate::golden::generated::{self, Aggregation, Company, INDEX, aggregation, date, pseudo_random, today};

/// Seed, number of quarters, number of sessions. The first company has every figure, including
/// five-year growth rates and windows of 252 sessions.
type Size = (u64, usize, usize);
const SIZES: [Size; 3] = [(11, 24, 262), (12, 9, 130), (13, 9, 130)];

/// Tables of figures, with the expression that identifies a company's row.
const TABLES: [(&str, &str); 4] = [
    ("fact_financials_ttm", "fiscal_date"),
    ("fact_financial_ratios", "fiscal_date || ' ' || basis"),
    ("fact_growth_rates", "fiscal_date || ' ' || basis"),
    ("fact_market_metrics", "metric_date"),
];

fn company(symbol: &'static str, (seed, quarters, sessions): Size) -> Company {
    Company::new(symbol, seed, quarters, sessions)
}

/// Three companies with equally long histories.
fn companies(quarters: usize, sessions: usize) -> [Company; 3] {
    let size = |seed| (seed, quarters, sessions);
    [company("ONE", size(21)), company("TWO", size(22)), company("THREE", size(23))]
}

fn job(companies: &[Company], url: &str) -> Job {
    let symbols: Vec<&str> = companies.iter().map(|company| company.symbol).collect();
    Job::new(url, &symbols)
        .on(today())
        .with(|o| (o.quarters, o.years, o.prices_from) = (40, 10, Some(date(2025, 1, 1))))
}

fn replay(companies: &[Company]) -> Replay {
    let index = generated::bar_rows(INDEX, &generated::bars(99, 262));
    let empty = Replay::new().answer("historical-price-eod/full", INDEX, "", index);
    companies.iter().fold(empty, |replay, company| company.answer(replay))
}

fn run(companies: &[Company]) -> Home {
    let (server, home) = (replay(companies).start(), Home::new());
    let summary = job(companies, server.url()).run_ok(&home);
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    home
}

/// Every figure of a company by column and row; `None` is NULL.
fn figures(home: &Home, symbol: &str) -> BTreeMap<(String, String), Option<f64>> {
    let mut found = BTreeMap::new();
    for (table, row) in TABLES {
        let columns = findata_tests::models().columns(table).iter().filter(|column| column.is_figure());
        let columns: Vec<String> = columns.map(|column| column.name.clone()).collect();
        let query =
            format!("select {row}, {} from analytics.{table} where symbol = '{symbol}'", columns.join(", "));
        for mut cells in home.rows(&query) {
            let place = format!("{table} {}", cells.remove(0).unwrap());
            for (column, cell) in columns.iter().zip(cells) {
                found.insert((column.clone(), place.clone()), cell.map(|text| text.parse().unwrap()));
            }
        }
    }
    assert!(found.len() > 5_000, "{symbol}: {}", found.len());
    found
}

/// Compares every figure of two companies in a home, after multiplying the first company's by a
/// factor per column. Returns the number of figures that are not NULL.
fn compare(home: &Home, one: &str, other: &str, factor: impl Fn(&str) -> f64) -> usize {
    let (one, other) = (figures(home, one), figures(home, other));
    assert!(one.keys().eq(other.keys()), "the companies have different rows");
    let mut wrong = Vec::new();
    for (((column, place), a), b) in one.iter().zip(other.values()) {
        let a = a.map(|a| a * factor(column));
        // A return near zero has only the precision left by the twelve digits of a logarithm.
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs()) + 1e-11;
        if a.is_some() != b.is_some() || a.zip(*b).is_some_and(|(a, b)| !close(a, b)) {
            wrong.push(format!("{place} {column}: {a:?} and {b:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differences: {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
    one.values().flatten().count()
}

#[test]
fn twelve_months_up_to_a_fiscal_year_end_equal_the_year() {
    let companies = companies(24, 5);
    let flows: Vec<&str> = companies[0].quarters[0]
        .lines
        .keys()
        .copied()
        .filter(|c| aggregation(c) == Aggregation::Sum)
        .collect();
    let home = run(&companies);
    let mut compared = 0;
    for flow in flows {
        let twelve = if flow == "eps_diluted" {
            "ttm_eps_diluted_sum".to_owned()
        } else {
            format!("ttm_{flow}")
        };
        let pairs = home.rows(&format!(
            "select t.{twelve}::decimal(38, 6), f.{flow}::decimal(38, 6) from analytics.fact_financials_ttm as t \
             join analytics.fact_financials as f on f.symbol = t.symbol and f.fiscal_date = t.fiscal_date and f.period_type = 'FY' \
             where t.status = 'ok'"
        ));
        // Each company has five pairs: the first of its six years lacks quarters.
        assert_eq!(pairs.len(), 15, "{flow}");
        for pair in &pairs {
            assert!(pair[0].is_some() && pair[0] == pair[1], "{flow}: {pair:?}");
        }
        compared += pairs.len();
    }
    assert!(compared > 900, "{compared}");
}

/// Shuffles a list, the same way for the same seed.
fn shuffle<T>(list: &mut [T], seed: u64) {
    for n in (1..list.len()).rev() {
        list.swap(n, (pseudo_random(seed, n as u64) * (n + 1) as f64) as usize);
    }
}

#[test]
fn the_order_of_rows_and_symbols_and_the_split_into_runs_change_nothing() {
    let companies = companies(9, 130);
    let home = run(&companies);
    let mut other = companies.to_vec();
    for (n, company) in other.iter_mut().enumerate() {
        let seed = n as u64 * 10;
        shuffle(&mut company.quarters, seed);
        shuffle(&mut company.years, seed + 1);
        shuffle(&mut company.bars, seed + 2);
        shuffle(&mut company.dividends, seed + 3);
    }
    other.rotate_left(1);
    let differences = home.differences(&run(&other));
    assert!(differences.is_empty(), "{differences:?}");
    // Two runs give the same tables as one: first the last company alone, then the others.
    let (server, apart) = (replay(&companies).start(), Home::new());
    for part in [&companies[2..], &companies[..2]] {
        let summary = job(part, server.url()).run_ok(&apart);
        assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    }
    let differences = home.differences(&apart);
    assert!(differences.is_empty(), "{differences:?}");
}

#[test]
fn figures_that_depend_on_each_other_agree() {
    let home = run(&[company("ONE", SIZES[0]), company("TWO", SIZES[1])]);
    let near = |a: &str, b: &str| format!("abs({a} - ({b})) > 1e-9 * abs({a}) + 1e-11");
    let parts = "piotroski_income + piotroski_cash_flow + piotroski_return + piotroski_accruals + piotroski_leverage \
                 + piotroski_liquidity + piotroski_shares + piotroski_margin + piotroski_turnover";
    let ratios = [
        near("piotroski_f_score", parts),
        "piotroski_f_score not between 0 and 9".into(),
        "piotroski_margin not in (0, 1)".into(),
        "basis in ('FY', 'TTM') and roa_annualised <> roa".into(),
        format!("basis like 'Q%' and {}", near("roa_annualised", "4 * roa")),
        format!("basis like 'Q%' and {}", near("net_debt_to_ebitda_annualised", "net_debt_to_ebitda / 4")),
        "basis like 'Q%' and coalesce(piotroski_f_score, beneish_m_score, altman_z_double_prime, sloan_accruals) is not null"
            .into(),
        near("operating_ratio", "(cost_of_revenue + operating_expenses) / revenue"),
    ];
    let growth = [
        near("r.net_share_issuance", "ln(1 + g.shares_yoy)"),
        near("r.rule_of_40", "g.revenue_yoy + r.fcf_margin"),
        near("1 + g.revenue_per_share_yoy", "(1 + g.revenue_yoy) / (1 + g.shares_yoy)"),
    ];
    let market = [
        near("ebit_to_ev * ev_to_ebit", "1"),
        near("fcf_to_ev * ev_to_fcf", "1"),
        near("shareholder_yield", "dividend_yield + buyback_yield"),
        near("1 + return_252d", "(1 + momentum_12_1) * (1 + return_21d)"),
        near("sortino_ratio_252d_rf0 * downside_deviation_252d", "ln(1 + total_return_252d)"),
        "sign(sharpe_ratio_252d_rf0) <> sign(sortino_ratio_252d_rf0)".into(),
        "rsi_14d not between 0 and 100".into(),
        "days_since_high_52w not between 0 and 251 or days_since_high_52w <> round(days_since_high_52w)"
            .into(),
        "amihud_illiquidity_252d < 0 or average_dollar_volume_20d < 0".into(),
    ];
    let lines = "analytics.fact_financial_ratios r left join (select fiscal_date, period_type, cost_of_revenue, \
                 operating_expenses, revenue from analytics.fact_financials where symbol = 'ONE') f \
                 on f.fiscal_date = r.fiscal_date and f.period_type = r.basis and r.symbol = 'ONE'";
    let both = "analytics.fact_financial_ratios r join analytics.fact_growth_rates g using (symbol, fiscal_date, basis)";
    for (from, conditions) in
        [(lines, &ratios[..]), (both, &growth[..]), ("analytics.fact_market_metrics", &market[..])]
    {
        for condition in conditions {
            assert_eq!(
                home.count(&format!("select count(*) from {from} where {condition}")),
                0,
                "{condition}"
            );
        }
    }
    // The conditions above hold for NULL too, so there must be values.
    let values = "select count(r.piotroski_f_score) > 20 and count(r.rule_of_40) > 20 and count(r.sloan_accruals) > 20 \
                  from analytics.fact_financial_ratios r";
    assert_eq!(home.text(values), "true");
    let values = "select count(sortino_ratio_252d_rf0) > 5 and count(rsi_14d) > 300 and count(shareholder_yield) > 100 \
                  from analytics.fact_market_metrics";
    assert_eq!(home.text(values), "true");
    // The session of the high is the newest that reaches it.
    let high = "select count(*) from analytics.fact_market_metrics m \
                join (select *, row_number() over (partition by symbol order by price_date) n from analytics.fact_daily_prices) p \
                    on p.symbol = m.symbol and p.price_date = m.metric_date \
                join (select *, row_number() over (partition by symbol order by price_date) n from analytics.fact_daily_prices) h \
                    on h.symbol = m.symbol and h.n = p.n - m.days_since_high_52w \
                where h.high_price <> m.high_52w";
    assert_eq!(home.count(high), 0);
}
