//! Who is ranked within a sector and an industry, when, and which runs change ranks.

use findata_explain::ask::Question;
use findata_pipeline::{corrections::STAGE_KEY, run::Status, summary::Summary};
use findata_tests::{Home, Job, Replay, models};

use super::company::{CASH, Company, INCOME, day};

const EVER: (&str, &str) = ("2000-01-01", "2099-01-01");
const SYMBOLS: [&str; 6] = ["AA", "BB", "CC", "DD", "EE", "FF"];
/// The closes of the companies. Earnings per share are 6 in twelve months, so P/E is 5, 10, 10, 15, 20 and 25.
const CLOSES: [f64; 6] = [30.0, 60.0, 60.0, 90.0, 120.0, 150.0];
const RANKS: &str = "select columns(c -> c <> 'computed_at') from analytics.fact_sector_ranks";

/// Six companies of one sector; four are in one industry.
fn companies() -> Vec<Company> {
    let one = |(symbol, close): (&&'static str, f64)| {
        let industry = if close < 100.0 {
            "Industrial - Machinery"
        } else {
            "Aerospace & Defense"
        };
        priced(Company::new(symbol).industry(Some("Industrials"), Some(industry)), close)
    };
    SYMBOLS.iter().zip(CLOSES).map(one).collect()
}

fn priced(mut company: Company, close: f64) -> Company {
    (company.profile["price"], company.profile["marketCap"]) = (close.into(), (close * 20e6).into());
    company.closes = vec![("2024-06-03", close)];
    company
}

/// Loads companies on a day, with prices from June 2026 on. The quarter of June is received from August 5 on.
fn load(home: &Home, on: &str, companies: Vec<Company>) -> Summary {
    let symbols: Vec<&str> = companies.iter().map(|company| company.symbol).collect();
    let answer = |replay, company: Company| {
        let is_reported = on >= "2026-08-05";
        let company = if is_reported {
            company
        } else {
            company.without("", ("2026-06-30", "2026-06-30"))
        };
        company.answer_until(on, replay)
    };
    let server = companies.into_iter().fold(Replay::new(), answer).start();
    let job = Job::new(server.url(), &symbols).on(day(on)).with(|o| {
        (o.quarters, o.prices_from, o.full, o.index) = (12, Some(day("2026-06-01")), true, None);
    });
    let summary = job.run_ok(home);
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    summary
}

fn ranks(home: &Home, columns: &str, condition: &str) -> Vec<String> {
    home.lines(&format!(
        "select {columns} from analytics.fact_sector_ranks where {condition} order by all"
    ))
}

fn sessions(home: &Home) -> Vec<String> {
    home.lines("select distinct as_of_date from analytics.fact_sector_ranks order by all")
}

/// Recomputes everything from the loaded rows.
fn recompute(home: &Home, on: &str, companies: Vec<Company>) {
    let forget = "update ops.models set sha256 = 'other' where file = '10_ranks/1_ranked_dates.sql'";
    duckdb::Connection::open(home.warehouse()).unwrap().execute_batch(forget).unwrap();
    load(home, on, companies);
}

#[test]
fn ties_have_the_mean_of_their_ranks_and_equal_values_no_z_score() {
    let home = Home::new();
    load(&home, "2026-09-18", companies());
    let of = |metric: &str| {
        let condition =
            format!("metric = '{metric}' and as_of_date = '2026-09-18' and group_type = 'sector'");
        ranks(&home, "symbol, value, members, percentile, z_score, reason", &condition)
    };
    // The mean of 5, 10, 10, 15, 20 and 25 is 14.1666667, and their sample deviation 7.3598007.
    let z =
        |value: f64| format!("{}", ((value - 85.0 / 6.0) / (325.0_f64 / 6.0).sqrt() * 1e10).round() / 1e10);
    let wanted = [
        ("AA", 5.0, "0.0"),
        ("BB", 10.0, "0.3"),
        ("CC", 10.0, "0.3"),
        ("DD", 15.0, "0.6"),
        ("EE", 20.0, "0.8"),
        ("FF", 25.0, "1.0"),
    ];
    let wanted = wanted
        .map(|(symbol, value, percentile)| format!("{symbol}|{value:?}|6|{percentile}|{}|NULL", z(value)));
    assert_eq!(of("pe_ratio_ttm"), wanted);
    assert_eq!(of("roe"), SYMBOLS.map(|symbol| format!("{symbol}|0.4|6|0.5|NULL|zero_variance")));
    let question = Question {
        symbol: "AA".parse().unwrap(),
        metric: "P/E".into(),
        basis: None,
        date: None,
    };
    let explained = findata_explain::explain(&home.open(), &question, None, models()).unwrap();
    let note = "percentile 0.00 of 6 companies in the sector Industrials on 2026-09-18, z-score -1.25";
    assert!(explained.figure.notes.iter().any(|n| n == note), "{:?}", explained.figure.notes);
    // Four and two companies of the industries are too few.
    assert!(ranks(&home, "symbol", "group_type = 'industry'").is_empty());
}

#[test]
fn suspect_values_missing_values_and_funds_are_not_ranked() {
    let home = Home::new();
    let mut all = companies();
    // Its EPS contradicts net income.
    all.push(Company::new("SUSPECT").set(INCOME, "Q2", EVER, "eps", 9.0).set(
        INCOME,
        "Q2",
        EVER,
        "epsDiluted",
        9.0,
    ));
    let mut fund = Company::new("FUND");
    fund.profile["isFund"] = true.into();
    all.push(fund);
    // A loss has no P/E.
    let mut loss = Company::new("LOSS");
    for (label, quarters) in [("Q", 1), ("FY", 4)] {
        let (income, eps) = (-30_000_000 * quarters, -1.5 * quarters as f64);
        loss = loss
            .set(INCOME, label, EVER, "netIncome", income)
            .set(CASH, label, EVER, "netIncome", income);
        loss = loss.set(INCOME, label, EVER, "bottomLineNetIncome", income);
        loss = loss.set(INCOME, label, EVER, "eps", eps).set(INCOME, label, EVER, "epsDiluted", eps);
    }
    all.push(loss);
    load(&home, "2026-09-18", all);
    let suspect = "select suspect_reason from analytics.fact_market_metrics where symbol = 'SUSPECT' and metric_date = '2026-09-18'";
    assert!(home.text(suspect).contains("eps_disputed"), "{}", home.text(suspect));
    let members = |metric: &str| {
        let condition =
            format!("metric = '{metric}' and as_of_date = '2026-09-18' and group_type = 'sector'");
        ranks(&home, "symbol", &condition)
    };
    assert_eq!(members("pe_ratio_ttm"), SYMBOLS);
    let mut with_loss = SYMBOLS.to_vec();
    with_loss.push("LOSS");
    assert_eq!(members("gross_margin"), with_loss);
    assert_eq!(members("earnings_yield"), with_loss);
}

#[test]
fn stale_twelve_months_are_not_ranked() {
    let home = Home::new();
    let mut all = companies();
    all.push(Company::new("STALE").without("", ("2026-01-01", EVER.1)));
    load(&home, "2026-09-18", all);
    let of_stale = "symbol = 'STALE' and metric = 'gross_margin' and group_type = 'sector'";
    // The twelve months up to December are 185 days old on July 4.
    assert_eq!(ranks(&home, "as_of_date", of_stale), ["2026-06-30"]);
}

#[test]
fn month_ends_and_the_newest_session_have_ranks() {
    let home = Home::new();
    load(&home, "2026-07-30", companies());
    assert_eq!(sessions(&home), ["2026-06-30", "2026-07-30"]);
    load(&home, "2026-07-31", companies());
    assert_eq!(sessions(&home), ["2026-06-30", "2026-07-31"]);
    let july = format!("{RANKS} where as_of_date <= '2026-07-31' order by all");
    let before = home.lines(&july);
    let summary = load(&home, "2026-08-03", companies());
    assert_eq!(sessions(&home), ["2026-06-30", "2026-07-31", "2026-08-03"]);
    assert_eq!(home.lines(&july), before, "month ends keep their rows");
    assert_eq!(summary.analytics["fact_sector_ranks"].removed, 0);
    // A day reads the ranks that existed at its end.
    let newest = "select max(as_of_date) from analytics.fact_sector_ranks";
    assert_eq!(home.lines_as_of(day("2026-08-02"), newest), ["2026-07-31"]);
    assert_eq!(home.lines_as_of(day("2026-07-30"), newest), ["2026-06-30"]);
    let known = "known_from <> as_of_date::timestamp + interval '21 hours' or known_to is not null";
    assert!(ranks(&home, "*", known).is_empty());
}

/// The companies after the first one has restated its quarter of March: twice the revenue and gross profit.
fn restated() -> Vec<Company> {
    let mut all = companies();
    let quarter = ("2026-03-31", "2026-03-31");
    let company = all.remove(0).set(INCOME, "Q1", quarter, "revenue", 400_000_000);
    all.insert(0, company.set(INCOME, "Q1", quarter, "costOfRevenue", 320_000_000));
    all
}

#[test]
fn a_restatement_changes_no_rank_of_a_session_before_it() {
    let home = Home::new();
    load(&home, "2026-08-03", companies());
    let past = format!("{RANKS} where as_of_date < '2026-08-03' order by all");
    let before = home.lines(&past);
    let margin = "select value from analytics.fact_sector_ranks where symbol = 'AA' and metric = 'gross_margin' \
                  and group_type = 'sector' and as_of_date = ";
    load(&home, "2026-08-04", restated());
    assert_eq!(home.lines(&past), before);
    assert_eq!(home.text(&format!("{margin} '2026-07-31'")), "0.4");
    // The restatement was received on August 4 at 23:00, after the close; the day's ranks do not use it.
    assert_eq!(home.text(&format!("{margin} '2026-08-04'")), "0.4");
    load(&home, "2026-08-05", restated());
    assert_eq!(home.text(&format!("{margin} '2026-08-05'")), "0.32");
    assert_eq!(home.lines(&past), before);
    let daily = home.lines(&format!("{RANKS} order by all"));
    recompute(&home, "2026-08-05", restated());
    assert_eq!(home.lines(&format!("{RANKS} order by all")), daily);
}

#[test]
fn a_run_of_one_symbol_changes_no_ranks_and_the_next_run_of_all_catches_up() {
    let home = Home::new();
    load(&home, "2026-08-03", companies());
    let all = format!("{RANKS} order by all");
    let before = home.lines(&all);
    // A new company with a history, and a known one with other figures.
    load(&home, "2026-08-04", vec![priced(Company::new("NEW"), 75.0)]);
    load(&home, "2026-08-04", restated().into_iter().take(1).collect());
    assert_eq!(home.lines(&all), before);
    let mut universe = restated();
    universe.push(priced(Company::new("NEW"), 75.0));
    load(&home, "2026-08-05", universe);
    assert_eq!(sessions(&home), ["2026-06-30", "2026-07-31", "2026-08-05"]);
    assert_eq!(
        ranks(
            &home,
            "symbol, as_of_date, members, percentile",
            "symbol = 'NEW' and metric = 'pe_ratio_ttm' and group_type = 'sector'"
        ),
        ["NEW|2026-06-30|7|0.5", "NEW|2026-07-31|7|0.5", "NEW|2026-08-05|7|0.5"]
    );
    // The result is the same as if all ranks were computed at once.
    let daily = home.lines(&all);
    let mut universe = restated();
    universe.push(priced(Company::new("NEW"), 75.0));
    recompute(&home, "2026-08-05", universe);
    assert_eq!(home.lines(&all), daily);
}

#[test]
fn a_company_is_ranked_in_the_sector_of_the_day() {
    let home = Home::new();
    load(&home, "2026-07-30", companies());
    let moved = || {
        let mut all = companies();
        let company = all.remove(0);
        all.push(company.industry(Some("Technology"), Some("Software - Application")));
        all
    };
    load(&home, "2026-08-03", moved());
    let members = |session: &str| {
        let condition = format!("metric = 'pe_ratio_ttm' and as_of_date = '{session}'");
        ranks(&home, "distinct group_name, members", &condition)
    };
    assert_eq!(members("2026-06-30"), ["Industrials|6"]);
    assert_eq!(members("2026-07-31"), ["Industrials|6"]);
    assert_eq!(members("2026-08-03"), ["Industrials|5"]);
    assert!(ranks(&home, "*", "symbol = 'AA' and as_of_date = '2026-08-03'").is_empty());
    let daily = home.lines(&format!("{RANKS} order by all"));
    recompute(&home, "2026-08-03", moved());
    assert_eq!(home.lines(&format!("{RANKS} order by all")), daily);
}

#[test]
fn a_corrected_sector_counts_from_the_first_close_after_the_run_that_read_it() {
    let home = Home::new();
    load(&home, "2026-07-31", companies());
    let path = home.stage().join(STAGE_KEY);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let entry = "[[correction]]\nsymbol = 'AA'\nkind = 'value'\ncolumn = 'sector'\nvalue = 'Technology'\n\
                 reason = 'it sells software'\ndecided_on = 2026-08-01\n";
    std::fs::write(path, entry).unwrap();
    // The run of August 3 reads it at 23:00, after the close.
    let members = "select max(members) from analytics.fact_sector_ranks where metric = 'pe_ratio_ttm' and as_of_date = ";
    for (today, wanted) in [("2026-08-03", "6"), ("2026-08-04", "5")] {
        load(&home, today, companies());
        assert_eq!(home.text(&format!("{members} '{today}'")), wanted, "{today}");
        assert_eq!(home.text(&format!("{members} '2026-07-31'")), "6");
    }
}
