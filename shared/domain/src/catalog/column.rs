//! Columns of datasets: name, FMP field and type.

/// A typed column and the FMP field that its value is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Name of the column in `staging`. Tables in `analytics` use the same name.
    pub name: &'static str,
    /// Name of the field in FMP's answer; empty for a derived column without a field.
    pub field: &'static str,
    /// Type of the column's values.
    pub kind: Kind,
    /// Whether a row is accepted without a value in this column.
    pub need: Need,
}

/// Whether a row is accepted without a value in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The row is accepted.
    Optional,
    /// The row is accepted if it has FMP's field, even with an empty or unreadable value. A row
    /// without the field does not have the format of the dataset.
    Field,
    /// The row is quarantined, because the value is part of the row's key or is its main content.
    Value,
}

/// Column types with the same meaning on every warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text as received.
    Text,
    /// ISO date.
    Date,
    /// Instant in UTC, with a precision of one second.
    Instant,
    /// DECIMAL(38, 6), for amounts, prices and share counts.
    Decimal,
    /// 64-bit float, for numbers other than amounts.
    Double,
    /// 64-bit integer.
    Integer,
    /// True or false.
    Boolean,
}

impl Kind {
    /// Returns the SQL type, which has the same meaning in Snowflake and DuckDB.
    pub fn sql(self) -> &'static str {
        match self {
            Kind::Text => "varchar",
            Kind::Date => "date",
            Kind::Instant => "timestamp",
            Kind::Decimal => "decimal(38, 6)",
            Kind::Double => "double",
            Kind::Integer => "bigint",
            Kind::Boolean => "boolean",
        }
    }
}

impl Column {
    const fn new(name: &'static str, field: &'static str, kind: Kind) -> Self {
        Column { name, field, kind, need: Need::Optional }
    }

    pub(super) const fn required(mut self) -> Self {
        self.need = Need::Value;
        self
    }

    pub(super) const fn expected(mut self) -> Self {
        self.need = Need::Field;
        self
    }

    /// Returns whether extract computes the column from other fields.
    pub fn derived(&self) -> bool {
        DERIVED.contains(&self.name)
    }
}

/// Columns that extract derives from several fields of a row.
pub const DERIVED: &[&str] = &["accepted_at", "accepted_at_source", "known_on", FLAGS];

/// Name of the column with the codes of doubtful values in a row, as `|code|code|`. It is NULL if
/// no value is doubtful.
pub const FLAGS: &str = "flags";

pub(super) const fn text(name: &'static str, field: &'static str) -> Column {
    Column::new(name, field, Kind::Text)
}
pub(super) const fn date(name: &'static str, field: &'static str) -> Column {
    Column::new(name, field, Kind::Date)
}
pub(super) const fn decimal(name: &'static str, field: &'static str) -> Column {
    Column::new(name, field, Kind::Decimal)
}
pub(super) const fn double(name: &'static str, field: &'static str) -> Column {
    Column::new(name, field, Kind::Double)
}
pub(super) const fn integer(name: &'static str, field: &'static str) -> Column {
    Column::new(name, field, Kind::Integer)
}
pub(super) const fn boolean(name: &'static str, field: &'static str) -> Column {
    Column::new(name, field, Kind::Boolean)
}
pub(super) const fn derived_instant(name: &'static str, field: &'static str) -> Column {
    Column::new(name, field, Kind::Instant)
}
pub(super) const fn derived_text(name: &'static str) -> Column {
    Column::new(name, "", Kind::Text)
}
pub(super) const fn derived_date(name: &'static str) -> Column {
    Column::new(name, "", Kind::Date)
}
