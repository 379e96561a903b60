//! Makes the rows of edge-case companies irregular after they were generated: adds nulls, text in
//! number fields, duplicate rows and exponents.

use super::edge_cases::EdgeCase;
use super::table::{Cell, Table, text};

/// Statement fields in which FMP was seen to send null.
const NULLABLE: [&str; 12] = [
    "interestIncome",
    "interestExpense",
    "otherExpenses",
    "otherReceivables",
    "prepaids",
    "taxAssets",
    "taxPayables",
    "minorityInterest",
    "incomeTaxesPaid",
    "stockBasedCompensation",
    "acquisitionsNet",
    "acceptedDate",
];

/// Changes the rows of a statement.
pub(super) fn statement(edge_case: EdgeCase, table: &mut Table<'_>) {
    let rows = table.len();
    match edge_case {
        EdgeCase::Nulls => {
            for row in 0..rows {
                set(table, row, &NULLABLE, Cell::Null);
            }
            // One row also lacks the filing date.
            set(table, 1, &["filingDate"], Cell::Null);
        }
        EdgeCase::TextNumbers => {
            for row in 0..rows {
                set(table, row, &["cik"], text("null"));
                set(table, row, &["interestExpense", "interestPaid", "prepaids"], text("NULL"));
                set(table, row, &["interestIncome", "otherReceivables", "otherNonCashItems"], text(""));
                for field in ["revenue", "totalAssets", "operatingCashFlow", "eps", "weightedAverageShsOut"] {
                    as_text(table, row, field);
                }
            }
            // Gives the oldest row an unknown period label.
            if let Some(last) = rows.checked_sub(1).filter(|last| *last > 0) {
                set(table, last, &["period"], text("9M"));
            }
        }
        EdgeCase::BigNumbers => {
            for row in 0..rows {
                for field in
                    ["revenue", "costOfRevenue", "totalAssets", "freeCashFlow", "weightedAverageShsOutDil"]
                {
                    as_exponent(table, row, field);
                }
                let digits = "123456789012345678901234567890";
                set(table, row, &["otherAssets", "otherInvestingActivities"], Cell::Raw(digits.into()));
            }
        }
        EdgeCase::DuplicateRows => duplicate(table, 0),
        _ => {}
    }
}

/// Changes a price history. The invalid bars of `EdgeCase::BadBars` are created elsewhere, in
/// `history`.
pub(super) fn prices(edge_case: EdgeCase, table: &mut Table<'_>) {
    match edge_case {
        EdgeCase::TextNumbers => {
            for row in 0..table.len() {
                as_text(table, row, "volume");
                as_text(table, row, "close");
                set(table, row, &["vwap"], text(if row % 2 == 0 { "NULL" } else { "" }));
            }
        }
        EdgeCase::Nulls => {
            for row in 0..table.len() {
                set(table, row, &["vwap", "changePercent"], Cell::Null);
            }
        }
        EdgeCase::BigNumbers => {
            for row in 0..table.len() {
                as_exponent(table, row, "volume");
            }
        }
        EdgeCase::DuplicateRows => duplicate(table, 0),
        _ => {}
    }
}

/// Changes the rows of other responses, such as profiles, quotes, dividends and shares float.
pub(super) fn other(edge_case: EdgeCase, table: &mut Table<'_>) {
    for row in 0..table.len() {
        match edge_case {
            EdgeCase::Nulls => {
                let fields =
                    ["cik", "cusip", "isin", "country", "change", "fullTimeEmployees", "phone", "recordDate"];
                set(table, row, &fields, Cell::Null);
                set(table, row, &["splitType", "dateFirstAdded"], Cell::Null);
                set(table, row, &["ipoDate", "declarationDate"], text(""));
            }
            EdgeCase::NoMarketCap => set(table, row, &["marketCap"], Cell::Null),
            EdgeCase::TextNumbers => {
                set(table, row, &["cik"], text("null"));
                for field in ["marketCap", "price", "adjDividend", "outstandingShares"] {
                    as_text(table, row, field);
                }
            }
            EdgeCase::BigNumbers => {
                as_exponent(table, row, "marketCap");
                as_exponent(table, row, "outstandingShares");
            }
            _ => {}
        }
    }
    if edge_case == EdgeCase::DuplicateRows {
        duplicate(table, 0);
    }
}

fn set<'a>(table: &mut Table<'a>, row: usize, fields: &[&str], value: Cell<'a>) {
    for field in fields {
        if let Some(cell) = table.cell(row, field) {
            *cell = value.clone();
        }
    }
}

fn as_text(table: &mut Table<'_>, row: usize, field: &str) {
    if let Some(cell) = table.cell(row, field) {
        *cell = text(cell.plain());
    }
}

/// Rewrites a number in exponent notation.
fn as_exponent(table: &mut Table<'_>, row: usize, field: &str) {
    if let Some(cell) = table.cell(row, field)
        && let Cell::Int(n) = cell
    {
        *cell = Cell::Raw(format!("{n:e}").into());
    }
}

/// Duplicates a row.
fn duplicate(table: &mut Table<'_>, row: usize) {
    let width = table.fields.len();
    if let Some(cells) = table.cells.get(row * width..(row + 1) * width).map(<[Cell<'_>]>::to_vec) {
        table.cells.splice((row + 1) * width..(row + 1) * width, cells);
    }
}
