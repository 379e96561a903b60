//! The registry of metrics: every ratio, growth rate and market metric, and the inputs of their formulas.
//!
//! The entries are the TOML files in `infra/models/metrics`. The registry drives the models and tables of `infra/models`,
//! which are templates over it, the data dictionary, `findata explain` and the comparison with FMP's figures.

mod entries;
mod expression;
mod market;
mod registry;
mod unit;

pub use entries::{
    Average, DayRange, Denominator, FmpNeeds, Growth, Horizon, Input, MarketMetric, PeriodKind, PriceMetric,
    Ratio, Requirement, Source, Window,
};
pub use expression::{Expr, Function, Op};
pub use market::Operand;
pub use registry::{
    Alias, Files, GrowthRate, Headline, MetricKind, Registry, balances, flows, fmp_dataset, is_line,
};
pub use unit::{DAYS, MONEY, MONEY_PER_SHARE, RATIO, SHARES, Unit};
