//! Formulas parsed from the SQL of the models: a figure's expression, its inputs and their origin.
//! The SQL is the only list of formulas, so explanations cannot differ from what is computed.
//!
//! [`parse`] reads a model into select lists of [`Expr`]. [`Lineage`] traces a column through them.
//! [`ratio_lines`], [`market_lines`] and [`growth_lines`] list the ratios, market metrics and
//! growth rates. [`words`] renders an expression in plain English, [`evaluate`] computes it.

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
    GrowthLine, MarketLine, RatioLine, growth_lines, market_formula, market_lines, ratio_lines,
    sessions_needed,
};
pub use parse::{Item, Query, Select, Table, expression, query};
pub use units::{DAYS, MONEY, MONEY_A_SHARE, RATIO, SHARES, Unit, column_unit, of_trace, unit, unit_of};
pub use words::{label, market_rule, null_reason_rule, ratio_rule, words};

#[cfg(test)]
mod tests;
