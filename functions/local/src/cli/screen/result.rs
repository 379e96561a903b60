//! Runs a screen and prints the companies.

use std::{cmp::Ordering, collections::BTreeMap};

use ::duckdb::Connection;
use findata_domain::Result;
use findata_explain::{
    ask::Fact,
    rows::{Row, figure, rows},
};
use findata_models::metrics::Condition;
use serde_json::Value;

use super::columns::{Columns, Shown, TABLES, table};
use crate::{
    cli::{
        Failure,
        sql::{More, Printer},
    },
    render::{
        self,
        table::{Cells, Column},
    },
};

/// The companies that meet a condition.
pub(super) struct Matches<'a> {
    columns: &'a Columns,
    /// Number of companies in the warehouse.
    companies: usize,
    found: Vec<Row>,
    /// Number of companies for which the condition is neither true nor false.
    unknown: usize,
    /// For each figure, how many of these companies lack it.
    nulls: BTreeMap<&'a str, usize>,
    /// Number of companies that meet the condition with a suspect figure.
    suspect: usize,
    shows_suspect: bool,
}

impl<'a> Matches<'a> {
    pub(super) fn find(
        connection: &Connection,
        condition: &Condition,
        columns: &'a Columns,
        include_suspect: bool,
    ) -> Result<Self> {
        let mut matches = Matches {
            columns,
            companies: 0,
            found: Vec::new(),
            unknown: 0,
            nulls: BTreeMap::new(),
            suspect: 0,
            shows_suspect: include_suspect,
        };
        for row in rows(connection, &query(condition, columns))? {
            matches.companies += 1;
            let is_suspect = row.contains_key("suspect");
            match row.get("holds").map(String::as_str) {
                Some("true") if is_suspect && !include_suspect => matches.suspect += 1,
                Some("true") => {
                    matches.suspect += usize::from(is_suspect);
                    matches.found.push(row);
                }
                Some(_) => {}
                None => {
                    matches.unknown += 1;
                    for (at, tested) in columns.figures.iter().take(columns.tested).enumerate() {
                        if !row.contains_key(&value_name(at)) {
                            *matches.nulls.entry(&tested.column).or_default() += 1;
                        }
                    }
                }
            }
        }
        let order =
            |a: &Row, b: &Row| compare(columns, a, b).then_with(|| a.get("symbol").cmp(&b.get("symbol")));
        matches.found.sort_by(order);
        Ok(matches)
    }

    /// Formats the companies. Returns the text and the number of companies in it.
    pub(super) fn print(
        &self,
        printer: &mut Printer,
        limit: Option<usize>,
    ) -> Result<(String, u64), Failure> {
        let mut headings: Vec<Column> = self.columns.shown.iter().map(|shown| self.heading(shown)).collect();
        if self.shows_suspect {
            headings.push(Column { name: "suspect".into(), is_number: false, is_whole: false });
        }
        let shown = limit.unwrap_or(usize::MAX).min(self.found.len());
        let is_table = matches!(printer.format(), super::Format::Table | super::Format::Markdown);
        let row = |row: &Row| match printer.format().is_json() {
            true => vec![Some(self.object(row))],
            false => self.cells(row, is_table),
        };
        let cells: Vec<Cells> = self.found.iter().take(shown).map(row).collect();
        let mut text = printer.begin(&headings);
        text.push_str(&printer.rows(&cells));
        let more = self.found.len() - shown;
        text.push_str(&printer.end_result((more > 0).then_some(More::Exactly(more as u64))));
        text.push_str(&printer.end());
        Ok((text, shown as u64))
    }

    fn heading(&self, shown: &Shown) -> Column {
        let is_number = matches!(shown, Shown::Figure(_));
        Column {
            name: self.columns.name(shown).to_owned(),
            is_number,
            is_whole: is_number || self.columns.name(shown) == "symbol",
        }
    }

    /// Returns the cells of a company: with units for people, else as stored.
    fn cells(&self, row: &Row, with_units: bool) -> Cells {
        let cell = |shown: &Shown| match shown {
            Shown::Text(name) => row.get(name).cloned(),
            Shown::Figure(at) if with_units => {
                let format = self.columns.figures.get(*at)?.format;
                figure(row, &value_name(*at)).map(|value| render::figure(format, value))
            }
            Shown::Figure(at) => row.get(&value_name(*at)).cloned(),
        };
        let mut cells: Cells = self.columns.shown.iter().map(cell).collect();
        if self.shows_suspect {
            cells.push(row.get("suspect").cloned().or_else(|| Some(String::new())));
        }
        cells
    }

    /// Returns a company as a JSON object with the columns in order.
    fn object(&self, row: &Row) -> String {
        let value = |shown: &Shown| match shown {
            Shown::Text(name) => Value::from(row.get(name).cloned()),
            Shown::Figure(at) => Value::from(figure(row, &value_name(*at))),
        };
        let field = |name: &str, value: Value| format!("{}:{value}", Value::from(name));
        let mut fields: Vec<String> = self
            .columns
            .shown
            .iter()
            .map(|shown| field(self.columns.name(shown), value(shown)))
            .collect();
        if self.shows_suspect {
            fields.push(field("suspect", Value::from(row.get("suspect").cloned())));
        }
        format!("{{{}}}", fields.join(","))
    }

    /// Says how many companies meet the condition and how many cannot be judged.
    pub(super) fn summary(&self, include_suspect: bool) -> String {
        let companies = match self.companies {
            1 => "1 company".to_owned(),
            n => format!("{} companies", render::count(n as u64)),
        };
        let mut text = format!("{} of {companies} match", render::count(self.found.len() as u64));
        if self.unknown > 0 {
            let mut lacking: Vec<_> = self.nulls.iter().collect();
            lacking.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
            let lacking: Vec<String> = lacking.iter().map(|(name, n)| format!("{name} {n}")).collect();
            let lacking = if lacking.is_empty() {
                String::new()
            } else {
                format!(" ({})", lacking.join(", "))
            };
            text.push_str(&format!(
                "; {} left out because of NULL{lacking}",
                render::count(self.unknown as u64)
            ));
        }
        if self.suspect > 0 && include_suspect {
            text.push_str(&format!("; {} of them with suspect figures", render::count(self.suspect as u64)));
        } else if self.suspect > 0 {
            let suspect = render::count(self.suspect as u64);
            text.push_str(&format!(
                "; {suspect} left out because of suspect figures (see --include-suspect)"
            ));
        }
        text
    }
}

/// Compares two companies by the chosen order. NULL is last.
fn compare(columns: &Columns, a: &Row, b: &Row) -> Ordering {
    let directed = |order: Ordering| if columns.highest_first { order.reverse() } else { order };
    match &columns.order {
        Shown::Text(name) => match (a.get(name), b.get(name)) {
            (Some(a), Some(b)) => directed(a.to_lowercase().cmp(&b.to_lowercase())),
            (a, b) => b.is_some().cmp(&a.is_some()),
        },
        Shown::Figure(at) => match (figure(a, &value_name(*at)), figure(b, &value_name(*at))) {
            (Some(a), Some(b)) => directed(a.total_cmp(&b)),
            (a, b) => b.is_some().cmp(&a.is_some()),
        },
    }
}

/// The name of a figure in the query's result.
fn value_name(at: usize) -> String {
    format!("value_{at}")
}

/// Returns the query for all companies: their texts, figures, whether they meet the condition, and the
/// contradictions behind the figures of the condition.
fn query(condition: &Condition, columns: &Columns) -> String {
    let used = |fact: Fact| columns.figures.iter().filter(move |figure| figure.fact == fact);
    let (mut parts, mut joins) = (Vec::new(), String::new());
    for (fact, alias) in TABLES {
        if used(fact).next().is_none() {
            continue;
        }
        let names: Vec<&str> = used(fact).map(|figure| figure.column.as_str()).collect();
        let (date, only, order) = match fact {
            Fact::Market => ("metric_date", "", ""),
            Fact::Ttm => ("fiscal_date", "", ""),
            // A company that reports only fiscal years has no trailing twelve months.
            _ => ("fiscal_date", "where basis in ('TTM', 'FY')", "basis = 'TTM' desc, "),
        };
        parts.push(format!(
            "{alias} as (select symbol, is_suspect, suspect_reason, {} from analytics.{} {only} \
             qualify row_number() over (partition by symbol order by {order}{date} desc) = 1)",
            names.join(", "),
            table(fact)
        ));
        joins.push_str(&format!(" left join {alias} on {alias}.symbol = company.symbol"));
    }
    let values = columns.figures.iter().enumerate();
    let values = values.map(|(at, figure)| format!(", {}::double as {}", figure.name, value_name(at)));
    let tested = columns.figures.iter().take(columns.tested).filter(|figure| !figure.is_price);
    let mut suspects: Vec<String> = Vec::new();
    for figure in tested {
        let alias = figure.name.split('.').next().unwrap_or_default();
        let reason = format!("case when {alias}.is_suspect then {alias}.suspect_reason end");
        if !suspects.contains(&reason) {
            suspects.push(reason);
        }
    }
    let suspect = match suspects.is_empty() {
        true => "null".to_owned(),
        false => format!("nullif(concat_ws(', ', {}), '')", suspects.join(", ")),
    };
    parts.insert(0, "company as (select * from analytics.dim_company where is_current)".into());
    format!(
        "with {} select company.symbol, company_name, sector, industry, exchange, country, currency{}, \
         {} as holds, {suspect} as suspect from company{joins}",
        parts.join(", "),
        values.collect::<String>(),
        condition
            .sql(&|name| format!("{name}::double"))
            .replace("lower(symbol)", "lower(company.symbol)"),
    )
}
