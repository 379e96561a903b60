//! What the models say, read back from their text: a figure's formula, what its inputs are and where they come from.
//! There is no second list of formulas: what is explained is what is computed.
//!
//! [`parse`] reads a model into select lists of [`Expr`]; [`Lineage`] follows a column through them; the regular lines of
//! the long models are [`ratio_lines`], [`market_lines`] and [`growth_lines`]; [`words`] says an expression, [`evaluate`] computes it.

mod eval;
mod expr;
mod lineage;
mod lines;
mod parse;
mod units;
mod words;

pub use eval::evaluate;
pub use expr::{Expr, Op};
pub use lineage::{Formula, Lineage, Origin, Place, Trace};
pub use lines::{
    GrowthLine, MarketLine, RatioLine, growth_lines, market_formula, market_lines, range_place, ratio_lines,
    sessions_needed,
};
pub use parse::{Item, Query, Select, Table, expression, query};
pub use units::{DAYS, MONEY, MONEY_A_SHARE, RATIO, SHARES, Unit, column_unit, of_trace, unit, unit_of};
pub use words::{label, market_rule, null_reason_rule, ratio_rule, words};

#[cfg(test)]
mod tests;
