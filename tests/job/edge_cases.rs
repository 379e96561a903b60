//! The expected result for each edge-case company.

mod fiscal_periods;

use findata_tests::Home;

use super::first_run;

fn home() -> &'static Home {
    &first_run().home
}

/// A company's TTM rows, oldest first: date, status, reason and number of quarters.
fn windows(symbol: &str) -> Vec<String> {
    home().lines(&format!(
        "select fiscal_date, status, reason, quarters_included from analytics.fact_financials_ttm where symbol = '{symbol}' order by fiscal_date"
    ))
}

/// The reason why a metric is NULL, on the newest date of a basis.
fn reason(symbol: &str, basis: &str, metric: &str) -> String {
    let newest = format!(
        "select reason from analytics.metric_nulls where symbol = '{symbol}' and basis = '{basis}' and metric = '{metric}' \
         and subject_date = (select max(subject_date) from analytics.metric_nulls where symbol = '{symbol}' and basis = '{basis}')"
    );
    home().lines(&newest).join(",")
}

/// A metric of a company on its newest trading day.
fn market(symbol: &str, column: &str) -> String {
    home().text(&format!(
        "select {column} from analytics.fact_market_metrics where symbol = '{symbol}' qualify row_number() over (order by metric_date desc) = 1"
    ))
}

fn quarantine(symbol: &str, dataset: &str) -> Vec<String> {
    home().lines(&format!(
        "select split_part(reason, ':', 1) r, count(*) from ops.quarantine where symbol = '{symbol}' and dataset = '{dataset}' group by r order by r"
    ))
}

#[test]
fn fundamentals_in_another_currency_have_no_price_ratios() {
    for symbol in ["EURRP", "JPYRP"] {
        for metric in [
            "pe_ratio_ttm",
            "ps_ratio_ttm",
            "enterprise_value",
            "ev_to_ebitda",
            "fcf_yield",
            "pb_ratio",
        ] {
            assert_eq!(
                (market(symbol, metric).as_str(), reason(symbol, "MARKET", metric).as_str()),
                ("NULL", "currency_mismatch"),
                "{symbol} {metric}"
            );
        }
        assert_ne!(market(symbol, "market_cap"), "NULL");
        let margin = format!(
            "select net_margin from analytics.fact_financial_ratios where symbol = '{symbol}' and basis = 'TTM' order by fiscal_date desc limit 1"
        );
        assert!(home().figure(&margin).is_some(), "a margin needs no price");
    }
    let windows = windows("CURCH");
    let changes = windows.iter().filter(|w| w.contains("currency_change")).count();
    assert!(
        (1..=3).contains(&changes) && windows.last().is_some_and(|w| w.contains("|ok|")),
        "{windows:?}"
    );
    let mixed = "select count(*) from (select symbol, fiscal_date from analytics.fact_financials_ttm where status = 'ok' and symbol = 'CURCH' and reported_currency is null)";
    assert_eq!(home().count(mixed), 0);
}

#[test]
fn a_bank_has_no_liquidity_turnover_or_ebitda_figures() {
    for metric in [
        "current_ratio",
        "quick_ratio",
        "inventory_turnover",
        "asset_turnover",
        "net_debt_to_ebitda",
        "ebitda_margin",
        "cash_conversion_cycle",
    ] {
        assert_eq!(reason("JPM", "TTM", metric), "not_meaningful_for_sector", "{metric}");
    }
    assert_eq!(reason("JPM", "MARKET", "ev_to_ebitda"), "not_meaningful_for_sector");
    assert_ne!(market("JPM", "pe_ratio_ttm"), "NULL");
    assert_ne!(market("JPM", "pb_ratio"), "NULL");
}

#[test]
fn negative_equity_zero_revenue_and_losses_are_null_reasons() {
    assert_eq!(reason("NEGEQ", "TTM", "debt_to_equity"), "negative_equity");
    assert_eq!(reason("NEGEQ", "TTM", "roe"), "negative_equity");
    assert_eq!(reason("NEGEQ", "MARKET", "pb_ratio"), "negative_equity");
    assert_eq!(reason("ZEROR", "TTM", "net_margin"), "nonpositive_denominator");
    assert_eq!(reason("ZEROR", "MARKET", "pe_ratio_ttm"), "negative_earnings");
    assert_eq!(reason("ZEROR", "MARKET", "ps_ratio_ttm"), "nonpositive_denominator");
}

#[test]
fn a_split_causes_no_jump_in_prices_or_market_cap() {
    let split = home().text("select split_date from staging.splits where symbol = 'SPLIT'");
    assert_eq!(
        home().text("select numerator || ':' || denominator from staging.splits where symbol = 'SPLIT'"),
        "4.000000:1.000000"
    );
    let steps =
        "select count(*) from analytics.fact_market_metrics where symbol = 'SPLIT' and abs(return_1d) > 0.3";
    assert_eq!(home().count(steps), 0);
    let days = format!(
        "select count(*) from analytics.fact_market_metrics where symbol = 'SPLIT' and metric_date between date '{split}' - 7 and date '{split}' + 7"
    );
    assert!(home().count(&days) >= 8, "the series continues across the split");
    // Market cap has no jump either, because price and shares are on the same split basis.
    let caps = "select max(greatest(market_cap / previous, previous / market_cap)) from (select market_cap, lag(market_cap) over (order by metric_date) previous \
                from analytics.fact_market_metrics where symbol = 'SPLIT')";
    assert!(home().figure(caps).is_some_and(|step| step < 1.5), "{:?}", home().figure(caps));
}

#[test]
fn the_newest_day_uses_the_profiles_share_count_or_else_the_float_endpoints() {
    assert_eq!(market("NOCAP", "shares_source"), "shares_float");
    let float =
        home().text("select outstanding_shares::bigint from staging.shares_float where symbol = 'NOCAP'");
    assert_eq!(market("NOCAP", "shares_outstanding_used"), float);
    assert_eq!(market("AAPL", "shares_source"), "profile");
    assert_eq!(
        home().count("select count(*) from analytics.fact_market_metrics where shares_source = 'profile'"),
        super::SYMBOLS as i64 - 1
    );
    assert_eq!(home().count("select count(*) from staging.shares_float"), 1);
    // Price times shares differs from FMP's market cap by less than one unit of currency.
    let cap = "select abs(m.market_cap - p.market_cap) from analytics.fact_market_metrics m join staging.profile p on p.symbol = m.symbol \
               where m.symbol = 'AAPL' and m.shares_source = 'profile'";
    assert!(home().figure(cap).is_some_and(|off| off < 1.0), "{:?}", home().figure(cap));
}

#[test]
fn impossible_rows_are_quarantined_with_a_reason_and_the_rest_is_loaded() {
    assert_eq!(
        quarantine("BADPX", "prices"),
        ["high_below_low|1", "other_symbol|1", "price_not_positive|2", "unreadable_field|1"]
    );
    let bars = |symbol: &str| {
        home().count(&format!("select count(*) from analytics.fact_daily_prices where symbol = '{symbol}'"))
    };
    assert_eq!(bars("BADPX") + 5, bars("AAPL"));
    for dataset in ["income_statement", "balance_sheet", "cash_flow"] {
        assert_eq!(quarantine("TEXTS", dataset), ["unknown_period|2"], "{dataset}");
        // A row that an answer contains twice is loaded once.
        let of_twice = format!(
            "select count(*), count(distinct (period_type, fiscal_date)) from staging.{dataset} where symbol = 'TWICE'"
        );
        let counts = home().text(&of_twice);
        assert!(counts.split_once('|').is_some_and(|(rows, keys)| rows == keys && rows != "0"), "{counts}");
    }
    assert_eq!(bars("TWICE"), bars("AAPL"));
    assert_eq!(home().lines("select distinct symbol from ops.quarantine order by 1"), ["BADPX", "TEXTS"]);
    // A number sent as text is read as a number, and an empty text as NULL.
    assert_eq!(home().count("select count(*) from analytics.fact_financials where symbol = 'TEXTS' and (revenue is null or total_assets is null or eps is null)"), 0);
    assert_eq!(
        home().count(
            "select count(*) from analytics.fact_financials where symbol = 'TEXTS' and interest_expense is not null"
        ),
        0
    );
    assert_eq!(home().count("select count(cik) from analytics.dim_company where symbol = 'TEXTS'"), 0);
}

#[test]
fn names_are_stored_unchanged_and_nothing_in_them_is_executed() {
    let name = "O'Hostile \"Quoted\" & Söhne\n株式会社; '; drop table x; -- \\ {{}} $$ \u{202e}end";
    assert_eq!(home().text("select company_name from analytics.dim_company where symbol = 'HOSTL'"), name);
    assert_eq!(home().text("select company_name from staging.profile where symbol = 'HOSTL'"), name);
    let payload = home().text("select payload from raw.profile where symbol = 'HOSTL'");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&payload).unwrap()["companyName"], name);
}

#[test]
fn large_numbers_exponents_and_fractions_keep_every_digit() {
    let assets =
        home().lines("select distinct other_assets from analytics.fact_financials where symbol = 'BIGNR'");
    assert_eq!(assets, ["1.2345678901234568e+29"]);
    for row in home().rows("select payload, revenue from raw.income_statement r join staging.income_statement s using (source_file, source_row) where s.symbol = 'BIGNR'") {
        let (payload, revenue) = (row[0].clone().unwrap(), row[1].clone().unwrap());
        let written = payload.split("\"revenue\":").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
        assert!(written.contains('e'), "{written}");
        let (digits, exponent) = written.split_once('e').unwrap();
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let exponent: usize = exponent.parse().unwrap();
        assert_eq!(revenue, format!("{whole}{fraction:0<exponent$}.000000"), "{written}");
    }
    let fractions = "select count(*) filter (where abs(f.volume - s.volume) > 0.5), \
                     count(*) filter (where f.volume <> s.volume) from analytics.fact_daily_prices f \
                     join staging.prices s using (symbol, price_date) where symbol = 'FRACT'";
    let counts = home().text(fractions);
    let (wrong, rounded) = counts.split_once('|').unwrap();
    assert!(wrong == "0" && rounded.parse::<u32>().unwrap() > 200, "{counts}");
}

#[test]
fn a_delisted_company_keeps_its_history_and_a_new_one_has_short_history() {
    let last = home().text("select max(price_date) from analytics.fact_daily_prices where symbol = 'DELIS'");
    assert!(last.as_str() < "2026-05-06", "{last}");
    assert_eq!(
        home().text("select is_actively_trading from analytics.dim_company where symbol = 'DELIS'"),
        "false"
    );
    assert_eq!(windows("IPOED").len(), 2);
    assert!(windows("IPOED").iter().all(|w| w.contains("insufficient_history")));
    for metric in ["return_63d", "high_52w", "beta_252d", "sma_200"] {
        assert_eq!(reason("IPOED", "MARKET", metric), "insufficient_history", "{metric}");
    }
    assert_ne!(market("IPOED", "return_21d"), "NULL");
}

#[test]
fn old_fundamentals_are_stale_and_a_fund_has_none() {
    for metric in ["pe_ratio_ttm", "ev_to_ebitda", "fcf_yield"] {
        assert_eq!(reason("STALE", "MARKET", metric), "stale_fundamentals", "{metric}");
        assert_eq!(reason("SPY", "MARKET", metric), "missing_input", "{metric}");
    }
    assert_ne!(market("SPY", "return_252d"), "NULL");
    assert_ne!(market("SPY", "dividend_yield"), "NULL");
    assert_eq!(
        home().count("select count(*) from analytics.fact_market_metrics where symbol = '^GSPC'"),
        0,
        "the index is not a company"
    );
}

#[test]
fn missing_acceptance_dates_have_a_recorded_fallback() {
    let sources = home().lines(
        "select distinct accepted_at_source from analytics.fact_financials where symbol = 'NULLS' order by 1",
    );
    assert_eq!(sources, ["estimated", "filing"]);
    assert_eq!(
        home()
            .lines("select distinct accepted_at_source from analytics.fact_financials where symbol = 'AAPL'"),
        ["accepted"]
    );
    assert_eq!(
        home().count(
            "select count(*) from analytics.fact_financials where accepted_at is null or known_on is null"
        ),
        0
    );
    // The metrics of a day use only data that was known on that day.
    let early = "select count(*) from analytics.fact_market_metrics where fundamentals_known_on > metric_date or fundamentals_as_of >= metric_date";
    assert_eq!(home().count(early), 0);
}
