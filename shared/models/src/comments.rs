//! Descriptions that a warehouse stores beside its tables, where database tools show them.

/// A table or view with the descriptions of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableComments {
    /// Schema of the table.
    pub schema: &'static str,
    /// Name without schema.
    pub name: String,
    /// Whether it is a view.
    pub is_view: bool,
    /// What one row represents.
    pub about: String,
    /// Name and description of each column, in order.
    pub columns: Vec<(String, String)>,
}

impl TableComments {
    /// Returns the name with the schema.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Returns `table` or `view`.
    pub fn kind(&self) -> &'static str {
        if self.is_view { "view" } else { "table" }
    }
}
