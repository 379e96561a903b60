//! Companies whose filer (CIK) changes.
//!
//! A new CIK has one of two causes. A successor, such as a new holding company, continues the prices and the
//! periods of its predecessor: it is the same security. Otherwise an exchange gave the symbol to an
//! unrelated company: the rows received before move to another symbol (`FOX^190319`), which keeps the key
//! of the earlier security, and the present company becomes a new security.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use findata_domain::{
    Error, Result,
    catalog::{self, Dataset, History},
    sql::literal,
};
use findata_pipeline::{ports::warehouse::Warehouse, run::RunId, write_fence::WriteFence};

use crate::{
    FUNCTION,
    restatements::SAME_PERIOD_DAYS,
    securities::{Move, move_rows},
};

/// Most days between the last bar of a company and the first bar of its successor: the longest halt of a
/// reorganisation.
const MOST_DAYS: i64 = 14;
/// Largest ratio of two successive closes of one security.
const MOST_RATIO: f64 = 2.0;
/// Most days between the ends of two successive periods of one company: half a year, and a corrected end.
const MOST_PERIOD_DAYS: i64 = 200;

/// A symbol that an unrelated company has taken over.
#[derive(Debug)]
pub(crate) struct Reuse {
    /// The symbol.
    pub symbol: String,
    earlier: String,
    cik: String,
}

impl Reuse {
    /// Says what happened.
    pub fn note(&self) -> String {
        let Reuse { symbol, earlier, cik } = self;
        format!(
            "{symbol} is another company now (CIK {cik}): the history of the earlier company is kept as {earlier}, \
             and the next run fetches the rest of the new one"
        )
    }
}

/// A profile with another CIK than the profile before.
struct Change {
    symbol: String,
    old_cik: String,
    new_cik: String,
    /// When the new profile was received, UTC.
    at: String,
    /// The run that received it.
    run: String,
}

impl Change {
    fn day(&self) -> Result<NaiveDate> {
        let day = self.at.get(..10).and_then(|day| day.parse().ok());
        day.ok_or_else(|| Error::Stop(format!("{:?} is not a timestamp", self.at)))
    }

    /// The symbol that the earlier company gets if it is another one.
    fn earlier(&self) -> Result<String> {
        Ok(format!("{}^{}", self.symbol, self.day()?.format("%y%m%d")))
    }

    fn timestamp(&self) -> String {
        format!("timestamp {}", literal(&self.at))
    }

    fn insert(&self, is_successor: Option<bool>) -> String {
        let is_successor = is_successor.map_or("null::boolean".into(), |decided| decided.to_string());
        format!(
            "insert into ops.filer_changes (run_id, symbol, old_cik, new_cik, changed_at, is_successor) \
             select {}, {}, {}, {}, {}, {is_successor}",
            literal(&self.run),
            literal(&self.symbol),
            literal(&self.old_cik),
            literal(&self.new_cik),
            self.timestamp()
        )
    }

    /// The statements that record the decision.
    fn decided(&self, is_successor: bool) -> Vec<String> {
        let same = format!("symbol = {} and changed_at = {}", literal(&self.symbol), self.timestamp());
        vec![format!("delete from ops.filer_changes where {same}"), self.insert(Some(is_successor))]
    }

    /// The condition that a row was received before the change. A run receives all rows of a company at
    /// about the same time.
    fn received_before(&self) -> String {
        format!("(t.observed_at < {} and t.run_id <> {})", self.timestamp(), literal(&self.run))
    }

    /// The condition of the rows (`t`) that belong to the earlier company.
    fn rows_before(&self, dataset: Option<&Dataset>) -> String {
        let received_before = self.received_before();
        match dataset {
            None => format!("t.run_id <> {}", literal(&self.run)),
            // `record` has kept the earlier profile.
            Some(dataset) if dataset == catalog::PROFILE => "false".into(),
            Some(dataset) if dataset.history == History::Versions => format!(
                "{received_before} and coalesce(try_cast(t.cik as bigint), -1) <> try_cast({} as bigint)",
                literal(&self.new_cik)
            ),
            Some(_) => received_before,
        }
    }
}

/// Query for the companies whose CIK in `new_rows` differs from the stored one: symbol, both CIKs, and the time of
/// receipt. `None` for a dataset without CIKs of companies.
pub(crate) fn changes(dataset: &Dataset) -> Option<&'static str> {
    (dataset == catalog::PROFILE).then_some(
        "select n.symbol, t.cik as old_cik, n.cik as new_cik, n.observed_at::varchar as at from new_rows n \
         join staging.profile t on t.symbol = n.symbol \
         where try_cast(t.cik as bigint) <> try_cast(n.cik as bigint)",
    )
}

/// Returns statements for the load transaction. They record the rows of [`changes`], and keep a copy of each stored
/// profile until [`decide`] has run.
pub(crate) fn record(changes: Vec<Vec<Option<String>>>, run: &RunId) -> Result<Vec<String>> {
    let mut statements = Vec::new();
    for row in changes {
        let Ok([Some(symbol), Some(old_cik), Some(new_cik), Some(at)]) = <[_; 4]>::try_from(row) else {
            return Err(Error::Stop("the warehouse did not return the changed profiles".into()));
        };
        let change = Change { symbol, old_cik, new_cik, at, run: run.to_string() };
        let (symbol, earlier) = (literal(&change.symbol), literal(&change.earlier()?));
        statements.extend([
            change.insert(None),
            format!("delete from staging.profile where symbol = {earlier}"),
            format!(
                "insert into staging.profile select t.* replace ({earlier} as symbol) from staging.profile t \
                 where t.symbol = {symbol}"
            ),
        ]);
    }
    Ok(statements)
}

/// Decides for every company whose CIK changed whether it is a successor, after the run's rows are loaded.
/// Moves the rows of a company whose symbol an unrelated company has now. Returns these symbols.
pub(crate) async fn decide(
    run: &RunId,
    fence: &mut WriteFence,
    warehouse: &mut impl Warehouse,
) -> Result<Vec<Reuse>> {
    let query = format!(
        "select symbol, old_cik, new_cik, changed_at::varchar as at, run_id, is_successor::varchar as decided from ops.filer_changes \
         where is_successor is null or (run_id = {} and not is_successor)",
        literal(run.as_str())
    );
    let mut reused = BTreeMap::new();
    for row in warehouse.query(&query).await? {
        let Ok([Some(symbol), Some(old_cik), Some(new_cik), Some(at), Some(found_in), decided]) =
            <[_; 6]>::try_from(row)
        else {
            return Err(Error::Stop("the warehouse did not return the changes of filers".into()));
        };
        let change = Change { symbol, old_cik, new_cik, at, run: found_in };
        let earlier = change.earlier()?;
        if decided.is_none() {
            warehouse.begin_step(run, FUNCTION, "filers");
            let is_successor = is_successor(&change, warehouse).await?;
            tracing::info!(
                symbol = change.symbol,
                reason = if is_successor {
                    "it is a successor"
                } else {
                    "it is another company"
                },
                "the filer changed"
            );
            let mut statements = change.decided(is_successor);
            if is_successor {
                statements.push(format!("delete from staging.profile where symbol = {}", literal(&earlier)));
                fence.write(warehouse, &statements).await?;
                continue;
            }
            let moved = Move {
                old: &change.symbol,
                new: &earlier,
                on: change.day()?,
                rows: &|dataset| change.rows_before(dataset),
            };
            move_rows(run, &moved, statements, fence, warehouse).await?;
        }
        let reuse = Reuse { symbol: change.symbol.clone(), earlier, cik: change.new_cik };
        reused.insert(change.symbol, reuse);
    }
    Ok(reused.into_values().collect())
}

/// Whether the rows received since the change continue those received before. Equal statements prove it;
/// otherwise neither prices nor periods may break off.
async fn is_successor(change: &Change, warehouse: &mut impl Warehouse) -> Result<bool> {
    match periods_continue(change, warehouse).await? {
        Some(Periods::Equal) => Ok(true),
        Some(Periods::Broken) => Ok(false),
        Some(Periods::Successive) | None => prices_continue(change, warehouse).await,
    }
}

/// How the statements received since the change relate to those received before.
#[derive(Debug, PartialEq, Eq)]
enum Periods {
    /// They repeat periods with the same figures.
    Equal,
    /// They are of the next periods.
    Successive,
    /// They contradict the earlier ones, or leave periods out.
    Broken,
}

async fn periods_continue(change: &Change, warehouse: &mut impl Warehouse) -> Result<Option<Periods>> {
    let (symbol, before) = (literal(&change.symbol), change.received_before());
    let rows = |received: &str| {
        format!(
            "select period_type, fiscal_date, revenue::double as revenue, net_income::double as net_income \
             from staging.income_statement t where t.symbol = {symbol} and {received} \
             qualify row_number() over (partition by period_type, fiscal_date order by observed_at desc nulls last) = 1"
        )
    };
    let equal = |line: &str| {
        format!(
            "case when o.{line} is null then n.{line} is null \
             else coalesce(abs(o.{line} - n.{line}) <= 0.05 * abs(o.{line}), false) end"
        )
    };
    let query = format!(
        "with o as ({}), n as ({}), \
         pairs as (select case when {} and {} then 1 else 0 end as is_equal from o join n on n.period_type = o.period_type \
             and n.fiscal_date between o.fiscal_date - {SAME_PERIOD_DAYS} and o.fiscal_date + {SAME_PERIOD_DAYS}) \
         select (select count(*) from pairs)::varchar as pairs, \
         (select coalesce(sum(is_equal), 0) from pairs)::bigint::varchar as equal_pairs, \
         ((select min(fiscal_date) from n) - (select max(fiscal_date) from o))::varchar as days",
        rows(&before),
        rows(&format!("not {before}")),
        equal("revenue"),
        equal("net_income"),
    );
    let row = warehouse.query(&query).await?.into_iter().next().unwrap_or_default();
    let number = |i: usize| row.get(i).and_then(|cell| cell.as_deref()?.parse::<i64>().ok());
    let (pairs, equal) = (number(0).unwrap_or_default(), number(1).unwrap_or_default());
    Ok(match number(2) {
        _ if pairs > 0 && equal * 2 >= pairs => Some(Periods::Equal),
        _ if pairs > 0 => Some(Periods::Broken),
        Some(days) if (1..=MOST_PERIOD_DAYS).contains(&days) => Some(Periods::Successive),
        Some(_) => Some(Periods::Broken),
        None => None,
    })
}

/// Whether the first bar received since the change follows the last bar received before, at a similar price.
/// Splits in between are taken into account. Without bars of both times, nothing breaks off.
async fn prices_continue(change: &Change, warehouse: &mut impl Warehouse) -> Result<bool> {
    let (symbol, before) = (literal(&change.symbol), change.received_before());
    let query = format!(
        "with o as (select t.price_date, t.close_price from staging.prices t where t.symbol = {symbol} and {before} \
             qualify row_number() over (order by price_date desc nulls last) = 1), \
         n as (select t.price_date, t.close_price from staging.prices t join o on t.price_date >= o.price_date \
             where t.symbol = {symbol} and not {before} qualify row_number() over (order by t.price_date) = 1) \
         select (n.price_date - o.price_date)::varchar as days, \
             (n.close_price::double / nullif(o.close_price::double, 0))::varchar as ratio, \
             o.price_date::varchar as last_day, n.price_date::varchar as first_day \
         from o cross join n"
    );
    let Some(row) = warehouse.query(&query).await?.into_iter().next() else {
        return Ok(true);
    };
    let [Some(days), Some(ratio), Some(from), Some(to)] = row.as_slice() else {
        return Ok(true);
    };
    let (Ok(days), Ok(ratio)) = (days.parse::<i64>(), ratio.parse::<f64>()) else {
        return Ok(true);
    };
    let splits = format!(
        "select (numerator::double / nullif(denominator::double, 0))::varchar from staging.splits \
         where symbol = {symbol} and split_date between date '{from}' and date '{to}'"
    );
    let splits: f64 = warehouse
        .query(&splits)
        .await?
        .iter()
        .filter_map(|row| row.first()?.as_deref()?.parse::<f64>().ok())
        .product();
    let is_similar = |ratio: f64| (1.0 / MOST_RATIO..=MOST_RATIO).contains(&ratio);
    Ok(days <= MOST_DAYS && (is_similar(ratio) || is_similar(ratio * splits)))
}
