//! The registry of metrics: every ratio, growth rate and market metric, and the inputs of their
//! formulas.
//!
//! The entries are declared in the TOML files in `infra/models/metrics`. The registry is the source
//! for the data dictionary, `findata explain`, the comparison with FMP's figures, and the models
//! and tables of `infra/models`, whose templates are rendered with it.

mod condition;
mod earlier;
mod entries;
mod expression;
mod growth_rate;
mod industries;
mod lines;
mod market;
mod prices;
mod ranks;
mod registry;
mod suspicions;
mod unit;

pub use condition::{Condition, Names};
pub use earlier::{Earlier, YEAR_HORIZON};
pub use entries::{Average, DayRange, Denominator, Growth, Horizon, Input, PeriodKind, Ratio, Requirement};
pub use expression::{Expr, Function, Op};
pub use growth_rate::GrowthRate;
pub use industries::Industries;
pub(crate) use industries::spellings;
pub use lines::{balances, flows, fmp_dataset};
pub(crate) use market::is_fundamental;
pub use market::{FmpNeeds, MarketMetric, Operand, Source};
pub use prices::{PriceMetric, Window};
pub use ranks::RankedKind;
pub use registry::{Alias, CustomMetrics, Files, Headline, MetricKind, Registry, spelled};
pub use suspicions::Suspicion;
pub(crate) use suspicions::reason_sql;
pub use unit::{DAYS, MONEY, MONEY_PER_SHARE, RATIO, SHARES, Unit};
