//! Reads the columns of tables from the statements that create the tables.

/// A column as declared in the file of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    /// Column name.
    pub name: String,
    /// SQL type.
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

/// Returns the columns that a `create table` statement declares, one per line.
pub(crate) fn columns_of(create_table: &str) -> Vec<TableColumn> {
    let inside = create_table
        .lines()
        .skip_while(|line| !line.starts_with("create "))
        .skip(1)
        .take_while(|line| !line.starts_with(')'));
    inside.filter_map(column).collect()
}

fn column(line: &str) -> Option<TableColumn> {
    let (code, about) = match line.split_once("--") {
        Some((code, about)) => (code, Some(about.trim().to_owned())),
        None => (line, None),
    };
    let (name, kind) = code.trim().trim_end_matches(',').split_once(' ')?;
    Some(TableColumn { name: name.to_owned(), kind: kind.trim().to_owned(), about })
}
