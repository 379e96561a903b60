//! The data dictionary as Markdown.

use std::fmt::Write;

use findata_explain::dictionary::{Column, Table};

/// Tables as Markdown: a heading and a table each.
pub fn dictionary(tables: &[Table]) -> String {
    let mut out = String::from(
        "# Data dictionary\n\nWritten by `findata dictionary`, from the catalog, the models and the table files. Money is in the currency of its row: \
         `reported_currency` for statements and what follows from them alone, the quote currency of `dim_company` for prices and market metrics. A ratio is a \
         fraction: 0.25 is 25 %.\n",
    );
    let mut schema = "";
    for table in tables {
        if table.schema != schema {
            schema = table.schema;
            let _ = writeln!(out, "\n## {schema}");
        }
        let _ = writeln!(out, "\n### {schema}.{}\n\nA row: {}.\n", table.name, cell(table.about.trim_end_matches('.')));
        let like = like(table, tables);
        let known = |column: &&Column| like.is_some_and(|like| like.columns.contains(column));
        let shown: Vec<&Column> = table.columns.iter().filter(|column| !known(column)).collect();
        if let Some(like) = like {
            let end = if shown.is_empty() { "." } else { ", and:\n" };
            let _ = writeln!(out, "The columns of {schema}.{}{end}", like.name);
        }
        if shown.is_empty() {
            continue;
        }
        let _ = writeln!(out, "| column | type | unit | what it is |\n|---|---|---|---|");
        for column in shown {
            let unit = column.unit.as_deref().unwrap_or_default();
            let _ = writeln!(out, "| {} | {} | {unit} | {} |", column.name, column.kind, cell(&column.about));
        }
    }
    out
}

/// The table before whose columns another repeats: a fact for its versions, the first table of `raw` for all others.
fn like<'a>(table: &Table, all: &'a [Table]) -> Option<&'a Table> {
    let fact = ["_history", "_as_known"].iter().find_map(|suffix| table.name.strip_suffix(suffix));
    let same = |other: &&Table| {
        other.schema == table.schema && other.name != table.name && (fact == Some(&other.name) || table.schema == "raw")
    };
    all.iter().take_while(|other| *other != table).find(same)
}

/// A text within a table: a bar would end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
