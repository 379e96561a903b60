//! One period under two labels or with two ends, and statements that FMP withdraws.

use findata_tests::Home;
use serde_json::{Value, json};

use super::invented::{CASH, Company, FIRST_DAY, day, run_on};

/// A company with a second row for the quarter to September 2025.
fn doubled(symbol: &str, end: &str, label: &str, change: impl Fn(&mut Value)) -> Company {
    Company::healthy(symbol).change("quarter", |rows| {
        let mut row = rows[1].clone();
        (row["date"], row["period"]) = (json!(end), json!(label));
        change(&mut row);
        rows.insert(1, row);
    })
}

const AUTUMN: &str = "select symbol, fiscal_date, period_type from analytics.fact_financials \
     where period_type <> 'FY' and fiscal_date between '2025-09-01' and '2025-10-31' order by all";
const TTM: &str = "select symbol, ttm_revenue::bigint, quarters_included, reason from analytics.fact_financials_ttm \
     where fiscal_date = '2025-12-31' order by symbol";

#[test]
fn of_two_labels_the_newest_acceptance_the_sequence_and_the_later_end_decide() {
    let home = Home::new();
    let companies = [
        Company::healthy("ASINGLE"),
        // Continues no sequence.
        doubled("BLABEL", "2025-09-27", "Q2", |_| ()),
        // Was accepted later, so its label wins although it continues no sequence.
        doubled("CNEWER", "2025-10-04", "Q4", |row| row["acceptedDate"] = json!("2025-12-01 09:00:00")),
        doubled("DENDS", "2025-10-03", "Q3", |_| ()),
    ];
    run_on(&home, FIRST_DAY, false, &companies);
    assert_eq!(
        home.lines(AUTUMN),
        [
            "ASINGLE|2025-09-30|Q3",
            "BLABEL|2025-09-30|Q3",
            "CNEWER|2025-10-04|Q4",
            "DENDS|2025-10-03|Q3"
        ]
    );
    let revenue = home.lines(TTM)[0].trim_start_matches("ASINGLE").to_owned();
    assert!(revenue.ends_with("|4|NULL"), "{revenue}");
    for (line, symbol) in home.lines(TTM).iter().zip(["ASINGLE", "BLABEL", "CNEWER", "DENDS"]) {
        assert_eq!(*line, format!("{symbol}{revenue}"));
    }
}

#[test]
fn a_corrected_label_ends_the_older_row_from_its_receipt_on() {
    let relabel =
        |company: Company, label: &str| company.change("quarter", |rows| rows[1]["period"] = json!(label));
    let home = Home::new();
    run_on(&home, FIRST_DAY, true, &[relabel(Company::healthy("RELABEL"), "Q2")]);
    assert_eq!(home.lines(AUTUMN), ["RELABEL|2025-09-30|Q2"]);
    run_on(&home, "2026-03-12", true, &[Company::healthy("RELABEL")]);
    assert_eq!(home.lines(AUTUMN), ["RELABEL|2025-09-30|Q3"]);
    assert_eq!(home.lines_as_of(day("2026-03-11"), AUTUMN), ["RELABEL|2025-09-30|Q2"]);
    assert!(home.lines(TTM)[0].ends_with("|4|NULL"), "{:?}", home.lines(TTM));
}

/// A company without its quarter to September 2025.
fn without_autumn() -> Company {
    Company::healthy("GONE").change("quarter", |rows| drop(rows.remove(1)))
}

#[test]
fn a_statement_missing_from_two_answers_was_withdrawn() {
    let home = Home::new();
    let run = |on: &str, company: Company| run_on(&home, on, false, &[company]);
    run(FIRST_DAY, Company::healthy("GONE"));
    run("2026-03-12", without_autumn());
    assert_eq!(home.lines(AUTUMN).len(), 1, "one answer may be incomplete");
    let missing = "select dataset, period_type, fiscal_date, answers, withdrawn_at is not null from ops.missing_statements order by 1";
    assert_eq!(home.lines(missing).len(), 3);
    assert_eq!(home.lines(missing)[0], "balance_sheet|Q3|2025-09-30|1|false");
    run("2026-03-14", without_autumn());
    assert_eq!(home.lines(missing)[0], "balance_sheet|Q3|2025-09-30|2|true");
    assert_eq!(home.lines(AUTUMN), Vec::<String>::new());
    assert!(home.lines(TTM)[0].ends_with("missing_quarter"), "{:?}", home.lines(TTM));
    assert_eq!(home.lines_as_of(day("2026-03-13"), AUTUMN).len(), 1);
    run("2026-03-16", Company::healthy("GONE"));
    assert_eq!(home.lines(missing), Vec::<String>::new());
    assert_eq!(home.lines(AUTUMN).len(), 1, "FMP sends it again");
    assert!(home.lines(TTM)[0].ends_with("|4|NULL"), "{:?}", home.lines(TTM));
}

#[test]
fn an_answer_to_a_full_run_withdraws_at_once_but_only_what_it_covers() {
    let home = Home::new();
    run_on(&home, FIRST_DAY, false, &[Company::healthy("GONE")]);
    // Answers with fewer periods do not cover the older ones.
    let short = without_autumn()
        .change("quarter", |rows| rows.truncate(4))
        .change("annual", |rows| rows.truncate(1));
    run_on(&home, "2026-03-12", true, &[short]);
    assert_eq!(home.lines(AUTUMN), Vec::<String>::new());
    assert_eq!(home.count("select count(*) from analytics.fact_financials"), 14);
    // The other datasets of the period are still there if only one statement is withdrawn.
    let mut one = Company::healthy("ONE");
    let home = Home::new();
    run_on(&home, FIRST_DAY, false, &[one.clone()]);
    one.rows(CASH, "quarter").remove(1);
    run_on(&home, "2026-03-12", true, &[one]);
    let has = "select has_income, has_balance, has_cash_flow from analytics.fact_financials where fiscal_date = '2025-09-30'";
    assert_eq!(home.lines(has), ["true|true|false"]);
}
