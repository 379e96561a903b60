//! Reads the columns of tables from the statements that create the tables.

/// The type of prices. The precision is the largest with which Arrow can multiply and divide two columns: the result
/// has twice as many digits and one more, and a decimal has at most 38.
const PRICE: &str = "decimal(18, 6)";
/// Prices from this limit on do not fit [`PRICE`], and become NULL.
const MAX_PRICE: u64 = 1_000_000_000_000;
/// Counts from this limit on become NULL. A bigint holds at most 9.22e18.
const MAX_COUNT: u64 = 9_000_000_000_000_000_000;

/// A column as declared in the file of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    /// Column name.
    pub name: String,
    /// SQL type; empty for a column that a view takes unchanged from a table.
    pub kind: String,
    /// The comment on the column's line: its description. If the unit cannot be derived from a
    /// formula, the description begins with the unit and a semicolon.
    pub about: Option<String>,
}

impl TableColumn {
    /// Returns whether the column contains an amount, a share count or a ratio.
    pub fn is_figure(&self) -> bool {
        self.kind == "double" || self.kind == PRICE || self.is_share_count()
    }

    /// Returns whether the column contains a number of shares.
    pub fn is_share_count(&self) -> bool {
        self.kind == "bigint" && (self.name.contains("shares_outstanding") || self.name == "volume")
    }

    /// Returns the SQL that converts the computed value of the column to the column's type, if the models may compute
    /// it with another type. A value that does not fit the type becomes NULL; it is an error in FMP's data, and must
    /// not stop the run.
    fn conversion(&self) -> Option<String> {
        let name = &self.name;
        if self.is_share_count() {
            Some(format!("case when abs({name}) < {MAX_COUNT} then round({name})::bigint end as {name}"))
        } else if self.kind == PRICE {
            Some(format!("case when abs({name}) < {MAX_PRICE} then {name}::{PRICE} end as {name}"))
        } else if self.kind == "double" {
            Some(format!("{name}::double as {name}"))
        } else {
            None
        }
    }
}

/// Returns what follows `*` in a SELECT of computed rows, so that they have the types of the table: a list of
/// conversions, or nothing for a table without prices and share counts: its figures are computed as doubles.
pub(crate) fn conversions(columns: &[TableColumn]) -> String {
    if !columns.iter().any(|column| column.kind == PRICE || column.is_share_count()) {
        return String::new();
    }
    let all: Vec<String> = columns.iter().filter_map(TableColumn::conversion).collect();
    format!(" replace ({})", all.join(", "))
}

/// Returns the columns that a `create table` or `create view` statement declares, one per line. A view without a
/// list of columns has none.
pub(crate) fn columns_of(statement: &str) -> Vec<TableColumn> {
    let mut lines = statement.lines().skip_while(|line| !line.starts_with("create "));
    let create = lines.next().unwrap_or_default();
    if !create.ends_with('(') {
        return Vec::new();
    }
    let one = if create.contains(" view ") { view_column } else { column };
    lines.take_while(|line| !line.starts_with(')')).filter_map(one).collect()
}

fn column(line: &str) -> Option<TableColumn> {
    let (code, about) = match line.split_once("--") {
        Some((code, about)) => (code, Some(about.trim().to_owned())),
        None => (line, None),
    };
    let (name, kind) = code.trim().trim_end_matches(',').split_once(' ')?;
    Some(TableColumn { name: name.to_owned(), kind: kind.trim().to_owned(), about })
}

/// A column of a view. Its comment is `type: description`; a column without a comment is that of a table.
fn view_column(line: &str) -> Option<TableColumn> {
    let (name, comment) = match line.split_once("--") {
        Some((name, comment)) => (name, Some(comment.trim())),
        None => (line, None),
    };
    let name = name.trim().trim_end_matches(',').to_owned();
    let described = comment.and_then(|comment| comment.split_once(": "));
    let (kind, about) =
        described.map_or((String::new(), None), |(kind, about)| (kind.to_owned(), Some(about.to_owned())));
    (!name.is_empty()).then_some(TableColumn { name, kind, about })
}
