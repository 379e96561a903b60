//! The columns of tables, read from the statements that create them.

/// A column as declared in the file of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    /// Column name.
    pub name: String,
    /// SQL type.
    pub kind: String,
    /// The comment on its line: a description, preceded by the unit and a semicolon if the formula
    /// does not imply the unit.
    pub about: Option<String>,
}

impl TableColumn {
    /// Whether it holds a number: an amount, a count or a ratio.
    pub fn is_figure(&self) -> bool {
        self.kind == "double" || self.kind.starts_with("decimal")
    }
}

/// The columns that a statement declares, one per line.
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
