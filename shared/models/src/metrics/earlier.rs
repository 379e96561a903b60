//! Inputs of an earlier period, such as `year_ago.revenue`.

/// The horizon whose earlier period is the period a year ago.
pub const YEAR_HORIZON: &str = "yoy";

/// How much earlier a period ends than the period of the ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Earlier {
    /// The same period of the year before.
    YearAgo,
    /// The same period two years before.
    TwoYearsAgo,
}

impl Earlier {
    /// All earlier periods with their prefixes in formulas.
    pub const ALL: [(Earlier, &'static str); 2] =
        [(Earlier::YearAgo, "year_ago"), (Earlier::TwoYearsAgo, "two_years_ago")];

    /// Returns the prefix in formulas and columns.
    pub fn prefix(self) -> &'static str {
        Earlier::ALL.iter().find(|(earlier, _)| *earlier == self).map_or("", |(_, prefix)| prefix)
    }

    /// Splits an input such as `year_ago.revenue` into period and name. Returns `None` for an input
    /// of the period itself.
    pub fn split(input: &str) -> Option<(Earlier, &str)> {
        let (prefix, name) = input.split_once('.')?;
        let (earlier, _) = Earlier::ALL.iter().find(|(_, known)| *known == prefix)?;
        Some((*earlier, name))
    }

    /// Returns the name of an input without the prefix of an earlier period.
    pub fn name(input: &str) -> &str {
        Earlier::split(input).map_or(input, |(_, name)| name)
    }
}
