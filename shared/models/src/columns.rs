//! Reads the columns of tables from the statements that create the tables.

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
        self.kind == "double" || self.kind.starts_with("decimal")
    }
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
